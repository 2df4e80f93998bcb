"""Folders for workers: made, cleared and watched, whatever student code puts into them."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "autograder-"

MOST_BYTES, MOST_ENTRIES = 64 * 2**20, 2000
"""What a worker's folder may hold."""


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder. It also removes those of processes that were killed before they could clean up."""
    if hasattr(os, "geteuid"):  # elsewhere a process cannot be asked for without a signal
        for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}[0-9]*-*"):
            # Another process may remove it, too, and others may have folders of such names.
            with contextlib.suppress(OSError, ValueError, OverflowError):
                if left.stat().st_uid == os.geteuid() and not _runs(int(left.name.split("-")[1])):
                    shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")).resolve()
    folder.chmod(0o711)  # workers of root's are another user, and need a way to their own folder in it
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def clear(folder: Path) -> bool:
    """Delete everything in `folder`; False if something remains.

    Nested folders are moved up before they are searched, so that no depth or path length matters. Links are never
    followed.
    """
    names = (f"{n:x}" for n in itertools.count())
    try:
        while folders := [entry for entry in _deleted_files(folder) if entry.is_dir(follow_symlinks=False)]:
            for entry in folders:
                os.chmod(entry.path, 0o700)
                for inner in _deleted_files(entry.path):
                    os.chmod(inner.path, 0o700)
                    os.rename(inner.path, _free_name(folder, names))
                os.rmdir(entry.path)
    except OSError:
        return False
    return True


def is_too_full(folder: Path, most_bytes: int = MOST_BYTES, most_entries: int = MOST_ENTRIES) -> bool:
    """Whether `folder` exceeds its limits, or cannot be searched."""
    entries = size = 0
    waiting = [os.fspath(folder)]
    try:
        while waiting:
            with os.scandir(waiting.pop()) as found:
                for entry in found:
                    entries += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entries > most_entries or size > most_bytes:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    except FileNotFoundError:  # deleted while it was being looked at
        return False
    except OSError:
        return True
    return False


def _deleted_files(folder: str | Path) -> list[os.DirEntry[str]]:
    """Delete all files in `folder` and return its folders."""
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
    return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]


def _free_name(folder: Path, names: Iterator[str]) -> str:
    return next(path for name in names if not os.path.lexists(path := os.path.join(folder, name)))
