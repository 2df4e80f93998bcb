"""`autograder completion`: a script with which a shell completes this command."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from autograder.cli.options import FULL
from autograder.locale import _
from autograder.report.class_report import FILES

SHELLS = ("bash", "zsh")

COMPLETED = {"NOTEBOOK": "FILE", "FILE": "FILE", "NAME": "FILE", "DIR": "DIRECTORY", "FOLDER": "DIRECTORY"}
"""Metavar -> the completion of shtab; fixed choices are completed automatically."""

FUNCTIONS = {
    "ASSIGNMENT": "_autograder_in_source",
    "ID": "_autograder_in_submitted",
    "FORMATS": "_autograder_formats",
}
"""Metavar -> the shell function that completes it."""

FOLDERS = ("source", "submitted")
"""Folders of a course in which folders have the names of assignments or students."""

IN_COURSE = {
    "bash": """
_autograder_in_{folder}() {{
  local path
  for path in {folder}/"$1"*/; do [ -d "$path" ] && basename -- "$path"; done
}}
""",
    "zsh": """
_autograder_in_{folder}() {{
  local -a names=({folder}/*(N/:t))
  compadd -a names
}}
""",
}
"""A shell function for each folder; names that students chose are never evaluated."""

FORMATS = {
    "bash": '\n_autograder_formats() {{ compgen -W "{formats}" -- "$1"; }}\n',
    "zsh": "\n_autograder_formats() {{ compadd {formats}; }}\n",
}


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "completion",
        help=_("print a script with which your shell completes this command"),
        run=run,
        example='eval "$(autograder completion bash)"',
    )
    command.add_argument("shell", choices=SHELLS)


def run(options: argparse.Namespace) -> int:
    """Print a script with which your shell completes this command."""
    from autograder.cli import parser

    print(script(parser(), options.shell))
    return FULL


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completion script of `parser` for `shell`, one of those that shtab knows.

    It is static, because asking Python at every Tab is slow.
    """
    import shtab

    for action in _actions(parser):
        if action.metavar in COMPLETED:
            action.complete = getattr(shtab, COMPLETED[action.metavar])  # type: ignore[attr-defined]  # shtab looks for it there
        if action.metavar in FUNCTIONS:
            action.complete = dict.fromkeys(SHELLS, FUNCTIONS[action.metavar])  # type: ignore[attr-defined]
    functions = [IN_COURSE[shell].format(folder=folder) for folder in FOLDERS]
    functions.append(FORMATS[shell].format(formats=" ".join(FILES)))
    return shtab.complete(parser, shell, preamble={shell: "".join(functions)})  # type: ignore[arg-type]  # as it documents


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # argparse has no public way; shtab reads the same attribute
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
