"""What a student's code may take, and how a process holds itself to it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

try:
    import resource
except ImportError:  # Windows
    resource = None


@dataclass(frozen=True)
class Limits:
    """Caps on one submission.

    Attributes:
        cell_seconds, probe_seconds: wall time of one cell, and of all cases of one exercise.
        total_seconds: wall time of the whole submission, restarts included.
        memory_bytes: address space on top of what the libraries take.
        file_bytes: size of any file that is written.
        folder_bytes, folder_entries: what the submission's folder may hold in all.
        text_chars, image_bytes: what is kept of one cell's output.
    """

    cell_seconds: float = 40.0
    probe_seconds: float = 10.0
    total_seconds: float = 180.0
    memory_bytes: int = 2 * 2**30
    file_bytes: int = 16 * 2**20
    folder_bytes: int = 64 * 2**20
    folder_entries: int = 2000
    text_chars: int = 100_000
    image_bytes: int = 4 * 2**20


MIME_TYPES = ("text/plain", "text/latex", "image/png")
"""What is kept of a display: nothing that a browser would run."""

MOST_OUTPUTS = 200
"""How many outputs of one cell are kept."""

GRACE_SECONDS = 2.0
"""How long the trusted side waits after a limit that the code was to keep by itself, before it kills the process."""


class OutOfTime(BaseException):
    """Raised inside code that runs longer than it may. No Exception, so that `except Exception` lets it through."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in the body after `seconds`; without a limit where there are no timers (Windows, threads)."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(signum: int, frame: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    # It rings again, in case the body swallows the first.
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def confine(limits: Limits, address_space: int) -> None:
    """Hold this process to `limits` for good, as far as the system can.

    Args:
        address_space: bytes that it takes already.
    """
    if resource is None:
        return
    caps = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": int(limits.total_seconds) + 10,
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_NOFILE": 64,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_AS": address_space + limits.memory_bytes,
    }
    for name, cap in caps.items():
        # macOS has no working RLIMIT_AS, and a hard limit that is already lower stays.
        with suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (cap, cap))


def address_space() -> int:
    """Bytes of address space this process takes now."""
    with suppress(OSError):
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    return 2**30
