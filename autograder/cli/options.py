"""Options and value types that several commands share."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from autograder.cli.exits import UnusablePath
from autograder.locale import LANGUAGES, _


def add_json(command: argparse.ArgumentParser) -> None:
    """`--json FILE`."""
    command.add_argument("--json", type=new_file, metavar="FILE", help=_("also write the results to FILE"))


def add_lang(command: argparse.ArgumentParser) -> None:
    """`--lang en`."""
    command.add_argument("--lang", choices=LANGUAGES, help=_("the language of the messages"))


def add_course(command: argparse.ArgumentParser) -> None:
    """`--course DIR`."""
    command.add_argument("--course", type=Path, default=Path(), metavar="DIR", help=_("the course folder"))


def write_json(target: Path | None, content: dict[str, Any]) -> None:
    """Write the file of `--json`, if the option was given.

    Raises:
        UnusablePath: it cannot be written.
    """
    if target is None:
        return
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    try:
        target.write_text(text, encoding="utf-8", errors="replace")  # a file name may not be valid text
    except OSError as error:
        raise UnusablePath(f"{target}: {error.strerror or error}") from error


def new_file(text: str) -> Path:
    """A path where a file can be written."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(_("cannot write a file at {path}").format(path=text))
    return path


def at_least_one(text: str) -> int:
    """A whole number, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(_("{text} is not a whole number of 1 or more").format(text=text))
    return int(text)
