"""Notices that a file has been saved, by polling.

Polling works everywhere: file systems do not report changes made on a network drive, through a container's mount or by
another machine. Five looks a second cost nothing measurable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOOK_SECONDS = 0.2

Look = tuple[int, int, int] | None
"""Identifies one save of a file: time, size and inode; None while there is no file."""


def saves(path: Path, pause: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Yield once at the start, then after every completed change of `path`.

    A deletion is a change, too. Changes while the caller is busy are noticed afterwards.

    Args:
        pause: waits for that many seconds.
    """
    known = _look(path)
    yield
    while True:
        pause(LOOK_SECONDS)
        now = _look(path)
        if now == known:
            continue
        known = _at_rest(path, now, pause)
        yield


def _at_rest(path: Path, now: Look, pause: Callable[[float], None]) -> Look:
    """The state of the file once it stops changing: a save may empty or remove it before it writes."""
    while True:
        pause(LOOK_SECONDS)
        before, now = now, _look(path)
        if now == before:
            return now


def _look(path: Path) -> Look:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
