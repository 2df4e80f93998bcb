"""The beginning of what a student's code prints."""

from __future__ import annotations

import io

MOST_LINES, MOST_PRINTED = 10, 500
"""A student who prints in a loop wants to see the first rounds."""


def first_lines(text: str) -> str:
    """The beginning of what was printed, with "..." for the rest."""
    lines = text[: MOST_PRINTED + 1].splitlines()
    shown = "\n".join(lines[:MOST_LINES])[:MOST_PRINTED].rstrip()
    return shown + "\n..." * (len(lines) > MOST_LINES or len(text) > MOST_PRINTED) if shown else ""


class Printed(io.TextIOBase):
    """A text stream that keeps its beginning and drops the rest."""

    def __init__(self, most: int) -> None:
        self._most, self._kept = most, ""

    def write(self, text: str) -> int:
        if len(self._kept) < self._most:
            self._kept += str.__str__(text)[: self._most - len(self._kept)]
        return len(text)

    @property
    def text(self) -> str:
        return first_lines(self._kept)
