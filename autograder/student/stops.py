"""What stands around a student's code in a notebook: libraries are silent, and code that was stopped for its time is
remembered, so that `check` and `hint` wait only once for an endless loop.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from autograder.checks.exercise import Exercise
from autograder.checks.judge import with_line
from autograder.checks.values import Raised
from autograder.locale import _
from autograder.notebooks.undefined import cells_run
from autograder.sandbox.limits import Limits, OutOfTime, less_than_usual, time_limit

_ONLY_ASKS = re.compile(r"\s*(?:\w+ = )?(?:check|hint|example)\([^()\n]*\)\s*")
"""A cell that changes no code."""


@contextmanager
def libraries_silent() -> Iterator[None]:
    """Drop what libraries write without Python, such as LAPACK's complaints about each NaN: Jupyter would show it."""
    kept = {}
    for stream in (1, 2):
        with suppress(OSError):  # a process may have none
            kept[stream] = os.dup(stream)
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in kept:
        os.dup2(nothing, stream)
    os.close(nothing)
    try:
        yield
    finally:
        for stream, copy in kept.items():
            os.dup2(copy, stream)
            os.close(copy)


class Stops:
    """Remembers which code was stopped for its time in this session, until a cell is run that may change code."""

    def __init__(self) -> None:
        self._stopped: dict[str, tuple[str, str, list[str]]] = {}
        self._after = 0  # the newest cell that may have changed code

    @contextmanager
    def limited(self, wanted: Exercise, namespace: Mapping[str, Any], limits: Limits) -> Iterator[None]:
        """Limit the time of the body, which runs the code of `wanted` in `namespace`.

        Raises:
            OutOfTime: it was stopped, now or earlier with the same code; the message is for the student, and its notes
                are what the code printed.
        """
        cells = cells_run(namespace)
        after = max((n for n, text in enumerate(cells) if not _ONLY_ASKS.fullmatch(text)), default=0)
        if not cells or after != self._after:
            self._stopped.clear()
        self._after = after
        if wanted.id in self._stopped:
            _defines, reason, printed = self._stopped[wanted.id]
            raise _stop(f"{reason}\n" + _("It was not run again, because the code has not changed."), printed)
        again = any(defines == wanted.defines for defines, *_more in self._stopped.values())
        try:
            with time_limit((limits.after_a_stop() if again else limits).probe_seconds):
                yield
        except OutOfTime as error:
            reason = f"{error}\n{less_than_usual()}" if again else str(error)
            reason = with_line(reason, Raised.of(error))
            printed = list(getattr(error, "__notes__", []))
            self._stopped[wanted.id] = wanted.defines, reason, printed
            raise _stop(reason, printed) from None


def _stop(reason: str, printed: list[str]) -> OutOfTime:
    error = OutOfTime(reason)
    for text in printed:
        error.add_note(text)
    return error
