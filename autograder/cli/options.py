"""What commands share: exit codes, help and one-line errors in the current language, options and their values."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from autograder.locale import LANGUAGES, _

FULL, NOT_FULL, UNUSABLE = 0, 1, 2
"""Exit codes: full marks; something is missing; wrong usage, or an unreadable notebook."""


SAID_BY_ARGPARSE = (
    "argument %(argument_name)s: %(message)s",
    "the following arguments are required: %s",
    "unrecognized arguments: %s",
    "expected one argument",
    "invalid choice: %(value)r (choose from %(choices)s)",
    "ambiguous option: %(option)s could match %(matches)s",
    "ignored explicit argument %r",
)
"""Error messages of argparse, which the catalogue translates."""

# argparse's own would use the system's language and ignore AUTOGRADER_LANG and `--lang`.
argparse._ = _  # type: ignore[attr-defined]  # the name is not public


class UnusablePath(Exception):
    """A file cannot be read or written."""


class OneLineParser(argparse.ArgumentParser):
    """Reports errors in a command line in one line, with help in the current language.

    Args:
        example: a command line, with which the help ends.
        run: the action of a sub-command; its docstring is the description.
    """

    def __init__(self, *, example: str, run: Callable[..., int] | None = None, **options: Any) -> None:
        epilog = _("example: {command}").format(command=example)
        if run:
            options["description"] = _(run.__doc__ or "")
        super().__init__(epilog=epilog, formatter_class=_Formatter, add_help=False, **options)
        self.set_defaults(run=run)
        self._positionals.title, self._optionals.title = _("arguments"), _("options")
        self.add_argument("-h", "--help", action="help", help=_("show this help and exit"))

    def error(self, message: str) -> NoReturn:
        line = _("{command}: {problem}. For help, run {command} --help.")
        self.exit(UNUSABLE, line.format(command=self.prog, problem=message) + "\n")


class _Formatter(argparse.HelpFormatter):
    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, _("usage: ") if prefix is None else prefix)


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
