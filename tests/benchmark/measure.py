"""What one command costs: seconds, processor seconds and memory, of itself and of every process that it starts."""

from __future__ import annotations

import ctypes
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

SAMPLE_SECONDS = 0.25
"""How often the memory of the processes is looked at."""

_PR_SET_CHILD_SUBREAPER = 36


class CommandFailed(Exception):
    """A command that was to be measured did not do its work; the message is what it said last."""


@dataclass(frozen=True)
class Usage:
    """What a command cost.

    Attributes:
        cpu_seconds: user and system time of all its processes.
        peak_mb: the most memory that its processes together had at one time.
        early_mb, late_mb: what they had with a tenth of its work done, and in the last tenth; None where not seen.
        measure: "PSS" where memory shared by processes counts once, "RSS" where it counts for each of them.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    early_mb: float | None
    late_mb: float | None
    measure: str


@dataclass
class _Samples:
    """Megabytes seen, by the share of the work that was done then."""

    seen: list[tuple[float, float]] = field(default_factory=list)
    measure: str = "PSS"

    def take(self, process: psutil.Process, share: float) -> None:
        total = 0
        for one in tree(process):
            try:
                size, measure = _memory(one)
            except psutil.NoSuchProcess:
                continue
            total += size
            if measure == "RSS":
                self.measure = measure
        self.seen.append((share, total / 2**20))

    def around(self, low: float, high: float) -> float | None:
        found = [size for share, size in self.seen if low <= share < high]
        return median(found) if found else None


def measure(
    line: list[str],
    folder: Path,
    environment: dict[str, str],
    share_done: Callable[[], float] = lambda: 0.0,
    codes: tuple[int, ...] = (0,),
) -> Usage:
    """Run a command and see what it costs.

    Args:
        share_done: how much of its work is done, from 0 to 1; asked whenever memory is looked at.
        codes: the exit codes that mean that it did its work.

    Raises:
        CommandFailed: it ended with another code.
    """
    adopt_orphans()
    others = set(psutil.Process().children())
    samples = _Samples()
    with tempfile.TemporaryFile() as log:
        before, started = _children_cpu(), time.perf_counter()
        process = psutil.Popen(line, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not _ended(process):
                samples.take(process, share_done())
            seconds = time.perf_counter() - started
        finally:
            _end(process, others)
        if process.returncode not in codes:
            log.seek(0)
            said = log.read()[-2000:].decode("utf-8", "replace")
            raise CommandFailed(f"{' '.join(line)} ended with exit code {process.returncode}:\n{said}")
    peak = max((size for _share, size in samples.seen), default=0.0)
    early, late = samples.around(0.05, 0.15), samples.around(0.9, 1.0)
    return Usage(seconds, _children_cpu() - before, peak, early, late, samples.measure)


def adopt_orphans() -> None:
    """Have processes whose parent ends without waiting for them become children of this one.

    Only what a process has waited for counts as its children's time, and bubblewrap does not wait for what it starts.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _ended(process: psutil.Popen) -> bool:
    try:
        process.wait(SAMPLE_SECONDS)
    except psutil.TimeoutExpired:
        return False
    return True


def _end(process: psutil.Popen, others: set[psutil.Process]) -> None:
    """End what is still running of a command, and wait for all its processes, so that their time counts."""
    for one in reversed(tree(process)):
        one.kill()
    process.wait()
    while orphans := set(psutil.Process().children()) - others:
        for orphan in psutil.wait_procs(orphans, timeout=5.0)[1]:
            orphan.kill()


def tree(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that it, or what it started, has started; nothing once it has ended."""
    try:
        return [process, *process.children(recursive=True)] if process.is_running() else []
    except psutil.NoSuchProcess:
        return []


def _memory(process: psutil.Process) -> tuple[int, str]:
    try:
        return process.memory_full_info().pss, "PSS"
    except (psutil.AccessDenied, AttributeError):
        return process.memory_info().rss, "RSS"


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
