"""The command `autograder`: one module per command, each with `add`, its arguments, and `run`, its action.

Imports that only one command needs are in its `run`, so that `check` starts fast.
"""

from __future__ import annotations

import argparse
import io
import sys

from autograder import __version__
from autograder.cli import audit, check, completion, doctor, grade, pack, report, roster
from autograder.cli.options import UNUSABLE, OneLineParser, UnusablePath, add_lang
from autograder.grading.course import CourseError
from autograder.grading.reference import NoReference
from autograder.locale import _, choose_language, language_in
from autograder.notebooks.submission import UnreadableNotebook
from autograder.report.text import printable
from autograder.sandbox.fork_server import HostBroken

COMMANDS = (check, pack, doctor, roster, grade, report, audit, completion)
"""In the order of `--help`: students' first."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with one of the codes of `autograder.cli.options`."""
    language = language_in(arguments)
    if language:
        choose_language(language)
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a character (an old Windows code page) gets "?" instead of an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    options = parser().parse_args(arguments)
    options.lang = language  # anywhere in the command line
    try:
        sys.exit(options.run(options))
    except (UnreadableNotebook, UnusablePath, HostBroken, NoReference, CourseError) as error:
        print(printable(str(error)), file=sys.stderr)
        sys.exit(UNUSABLE)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    whole = OneLineParser(
        prog="autograder",
        description=_("Check the exercises of a notebook."),
        example="autograder check gradient_pathology.ipynb --watch",
    )
    whole.add_argument("--version", action="version", version=__version__, help=_("show the version and exit"))
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    for one in (whole, *commands.choices.values()):
        add_lang(one)
    return whole
