"""How the command ends: its exit codes, and errors that are one line."""

from __future__ import annotations

import argparse
from typing import NoReturn

from autograder.i18n import _

FULL, NOT_FULL, UNUSABLE = 0, 1, 2
"""Exit codes: every point earned; something is missing; wrong usage, or a notebook that cannot be read."""


class UnusablePath(Exception):
    """A file cannot be had or written as the command line asks; the message is one line."""


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line."""

    def error(self, message: str) -> NoReturn:
        line = _("{command}: {problem}. {command} --help shows how it is used.")
        self.exit(UNUSABLE, line.format(command=self.prog, problem=message) + "\n")
