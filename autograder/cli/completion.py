"""`autograder completion`: a script by which a shell completes the words of this command."""

from __future__ import annotations

import argparse
from typing import Any

from autograder.cli.exits import FULL
from autograder.i18n import _

SHELLS = ("bash", "zsh")


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "completion",
        help=_("print a script for your shell to complete this command's words"),
        description=_(run.__doc__),
        example='eval "$(autograder completion bash)"',
    )
    command.add_argument("shell", choices=SHELLS)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a script by which a shell completes the words of this command."""
    from autograder.cli import parser
    from autograder.completion import script

    print(script(parser(), options.shell))
    return FULL
