"""Dask clusters of this machine, for tests and the simulation: processes that share no folder, and simple jobs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributed import Client

from autograder.grading.course import Handed
from source.release import COURSE


@dataclass
class Processes:
    """A scheduler and its workers, each in a folder of its own, for its files and its temporary ones."""

    folder: Path
    address: str = ""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, name: str, *words: str) -> Path:
        """Run one of Dask's commands; its folder."""
        own = self.folder / name
        (own / "tmp").mkdir(parents=True)
        settings = {"SCHEDULER__ALLOWED_FAILURES": "1", "ADMIN__LOW_LEVEL_LOG_LENGTH": "0"}
        environment = {
            **os.environ,
            **{f"DASK_DISTRIBUTED__{name}": value for name, value in settings.items()},
            "TMPDIR": str(own / "tmp"),
            "PYTHONPATH": str(COURSE),  # for `tests`
        }
        line = [sys.executable, "-m", "dask", *words]
        with (own / "log.txt").open("wb") as log:
            process = subprocess.Popen(line, cwd=own, env=environment, stdout=log, stderr=log, start_new_session=True)
        self.started.append(process)
        return own

    def workers(self) -> dict[str, int]:
        """The address of each worker, and its process."""
        with Client(self.address, timeout=20, set_as_default=False) as client:
            return client.run(os.getpid)

    def folders(self) -> list[Path]:
        """What workers hold of ours on disk: temporary folders, and secrets wherever they are."""
        walked = os.walk(self.folder)  # which minds no folder that goes meanwhile
        secrets = [Path(folder, name) for folder, _folders, files in walked for name in files if name == "secret.txt"]
        return sorted([*self.folder.glob("worker-*/tmp/autograder-*"), *secrets])


@contextlib.contextmanager
def processes(folder: Path, workers: int = 2, threads: int = 1) -> Iterator[Processes]:
    """A cluster of `dask scheduler` and `dask worker` on this machine."""
    cluster = Processes(folder)
    try:
        own = cluster.start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        cluster.address = wait_for(lambda: _address_in(own / "log.txt"))
        for number in range(workers):
            options = ("--host", "127.0.0.1", "--nthreads", str(threads), "--no-dashboard")
            cluster.start(f"worker-{number}", "worker", cluster.address, *options)
        wait_for(lambda: len(cluster.workers()) == workers)
        yield cluster
    finally:
        for process in cluster.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(look: Callable[[], Any], seconds: float = 120.0) -> Any:
    """What `look` finds, as soon as it is anything."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, look
        time.sleep(0.1)
    return found


def _address_in(log: Path) -> str:
    words = log.read_text(encoding="utf-8").split()
    return next((word.rstrip(",'\"") for word in words if word.startswith("tcp://")), "")


# --- jobs and what they do --------------------------------------------------------------------------------------------


class Simple:
    """A job that applies a function to each parcel."""

    def __call__(self, function: Callable[[bytes], tuple[bool, bytes]], parcels: list[bytes]) -> Iterator:
        return map(function, parcels)


def double(parcel: bytes) -> tuple[bool, bytes]:
    """Twice the parcel, or what it asks for in place of that."""
    match parcel:
        case b"fail":
            return False, b"it failed"
        case b"raise":
            raise OverflowError("not fit for that")
        case b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"sleep":
            time.sleep(0.2)
    return True, 2 * parcel


def wait_or_not(handed: Handed) -> None:
    """Wait for as long as the submission says."""
    time.sleep(float(next(handed.folder.glob("*.ipynb")).read_text(encoding="ascii")))
    raise LookupError("waited long enough")
