"""Notices when a file has been saved, by looking at it.

Looking works everywhere: file systems report no changes made on a network drive, through a container's mount or by
another machine, and one look a fifth of a second costs nothing that could be measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOOK_SECONDS = 0.2

Look = tuple[int, int, int] | None
"""What tells one save of a file from the next: time, size and inode; None while there is no file."""


def saves(path: Path, pause: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Yield once at the start, then after every change of `path` that has come to rest.

    A deleted file is a change, too. What changes while the caller is busy is noticed afterwards.

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
    """How the file looks once it stays the same: a save may empty it, or take it away, before it writes."""
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
