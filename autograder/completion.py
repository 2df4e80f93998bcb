"""Scripts that let a shell complete the command's words; static ones, since asking Python at every Tab is slow."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import shtab

COMPLETED = {
    "NOTEBOOK": shtab.FILE,
    "FILE": shtab.FILE,
    "NAME": shtab.FILE,
    "DIR": shtab.DIRECTORY,
    "FOLDER": shtab.DIRECTORY,
}
"""By metavar, what a shell offers; words that are chosen from a list it offers by itself."""


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completion script of `parser` for `shell`, one of those that shtab knows."""
    for action in _actions(parser):
        if action.metavar in COMPLETED:
            action.complete = COMPLETED[action.metavar]
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # argparse offers no public way; shtab reads the same attribute
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
