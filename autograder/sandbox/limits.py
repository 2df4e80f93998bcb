"""Limits on a student's code, and how a process applies them to itself."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from autograder.locale import _

if sys.platform != "win32":
    import resource


@dataclass(frozen=True)
class Limits:
    """Limits on one submission.

    Attributes:
        cell_seconds, probe_seconds: computing time of one cell, and of all cases of one exercise. Wall-clock time may
            be `CLOCK_FACTOR` times as long.
        total_seconds: wall-clock time of the whole submission, restarts included.
        memory_bytes: address space beyond that of the libraries.
        file_bytes: the size of any written file.
        text_chars, image_bytes: what is kept of one cell's output.
    """

    cell_seconds: float = 10.0
    probe_seconds: float = 10.0
    total_seconds: float = 180.0
    memory_bytes: int = 2 * 2**30
    file_bytes: int = 16 * 2**20
    text_chars: int = 100_000
    image_bytes: int = 4 * 2**20

    def after_a_stop(self) -> Limits:
        """The limits of code that uses something that was stopped before; right code needs far less."""
        return replace(
            self,
            cell_seconds=min(self.cell_seconds, max(5.0, self.cell_seconds / 2)),
            probe_seconds=min(self.probe_seconds, max(2.0, self.probe_seconds / 5)),
        )


CLOCK_FACTOR = 4.0 if hasattr(signal, "setitimer") else 1.0
"""Wall-clock limit as a multiple of the computing limit: code may wait for something, or for a busy machine. Without
timers (Windows), computing time is not measured and only the clock counts."""

GRACE_SECONDS = 2.0
"""How long the trusted side waits after a limit before it kills a process that did not stop by itself."""

RING_AGAIN_SECONDS = 0.5
"""Seconds until the next `OutOfTime` for code that swallows one."""


class OutOfTime(BaseException):
    """Raised inside code that exceeds its time. It is not an Exception, so that `except Exception` does not catch it.

    The message is that of `took_too_long`.
    """


def took_too_long(seconds: float, on_the_clock: bool) -> str:
    """The message for a student whose code was stopped after `seconds` of computing, or on the clock."""
    if on_the_clock:
        sentence = _(
            "Your code was stopped after {seconds:.0f} s on the clock. Does it wait for something, or is there a "
            "loop that never ends?"
        )
    else:
        sentence = _("Your code was stopped after {seconds:.0f} s of computing. Is there a loop that never ends?")
    return sentence.format(seconds=seconds)


def less_than_usual() -> str:
    """Why the limits of `Limits.after_a_stop` applied."""
    return _("The limit is lower than usual because code that it uses was stopped before.")


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in the body after `seconds` of computing, or `CLOCK_FACTOR` times as many on the clock.

    An outer limit stays in force. There is no limit if there are no timers (Windows, threads).
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    # Computing time of the whole process, user and system: waiting for a busy machine does not count.
    computing = _ringing(signal.ITIMER_PROF, signal.SIGPROF, time.process_time, seconds, on_the_clock=False)
    waiting = _ringing(signal.ITIMER_REAL, signal.SIGALRM, time.monotonic, CLOCK_FACTOR * seconds, on_the_clock=True)
    with computing, waiting:
        yield


@contextmanager
def _ringing(timer: int, number: int, clock: Callable[[], float], seconds: float, on_the_clock: bool) -> Iterator[None]:
    outer, _interval = signal.getitimer(timer)
    seconds = min(seconds, outer or seconds)

    def ring(signum: int, frame: Any) -> None:
        left = seconds - (clock() - start)
        if left > 0:  # systems count computing in ticks, and may ring a tenth too soon
            signal.setitimer(timer, max(left, 0.001), RING_AGAIN_SECONDS)
            return
        raise OutOfTime(took_too_long(seconds, on_the_clock))

    handler, start = signal.signal(number, ring), clock()
    signal.setitimer(timer, seconds, RING_AGAIN_SECONDS)
    try:
        yield
    finally:
        left = max(outer - (clock() - start), 0.001) if outer else 0.0
        signal.setitimer(timer, left, RING_AGAIN_SECONDS if outer else 0.0)
        signal.signal(number, handler)


def confine(limits: Limits, address_space: int) -> None:
    """Apply `limits` to this process permanently, as far as the system can.

    Args:
        address_space: bytes that it uses already.
    """
    if sys.platform == "win32":
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
    """The bytes of address space that this process uses now."""
    if sys.platform != "win32":
        with suppress(OSError), open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    return 2**30
