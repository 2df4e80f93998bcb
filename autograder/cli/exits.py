"""How the command ends: its exit codes, its help, and one-line errors."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from autograder.locale import _

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
