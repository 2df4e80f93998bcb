"""Scripts that let a shell complete the command's words; static ones, since asking Python at every Tab is slow."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

FOLDERS = ("DIR", "FOLDER")
"""The metavars of options that want a folder."""


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completion script of `parser` for `shell`, one of those that shtab knows."""
    for action in _actions(parser):
        if action.type is Path:
            action.complete = shtab.DIRECTORY if action.metavar in FOLDERS else shtab.FILE
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # argparse offers no public way; shtab reads the same attribute
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
