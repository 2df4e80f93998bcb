"""Grading on the workers of a cluster: each does with private folders what one machine does with the course's."""

from __future__ import annotations

import multiprocessing
import socket
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from autograder.grading import process
from autograder.grading.course import CourseError, Handed
from autograder.grading.digest import kit_digest
from autograder.grading.job import Assignment, GradedFolder, Settings, replace_executed, write_executed
from autograder.grading.parcel import pack_folder, pack_result, unpack_folder, unpack_result
from autograder.grading.pool import Pool
from autograder.grading.reference import NoReference, Reference
from autograder.locale import _, current_language, speaking
from autograder.sandbox.folder import scratch_folder
from autograder.sandbox.fork_server import HostBroken


class UnfitWorker(Exception):
    """This machine cannot grade; the message says which, and why."""


class RemotePool(AbstractContextManager["RemotePool"]):
    """The workers of the Dask cluster at an address, used like a `Pool` of processes here."""

    def __init__(self, address: str, total: int, item_seconds: float, settings: Settings, assignment: Assignment):
        """Connect, to grade `total` submissions; the rest is what workers need.

        Raises:
            CourseError: there is no such cluster.
        """
        try:
            from autograder.grading.cluster import Cluster
        except ImportError as error:
            raise CourseError(
                _("--scheduler needs Dask, which is not installed here ({reason}). Run: {command}").format(
                    reason=error, command="pip install distributed"
                )
            ) from error
        reference = Reference(settings.course).files()
        needed = (kit_digest(), item_seconds, settings, assignment, current_language(), reference)
        self._cluster = Cluster(address, GradingJob, *needed)
        self._assignment, self._total = assignment, total

    def __exit__(self, *error: Any) -> None:
        self._cluster.__exit__(*error)

    def map(
        self, function: Callable[[Handed], GradedFolder | None], items: Iterable[Handed]
    ) -> Iterator[tuple[Handed, Any]]:
        """As `Pool.map`; what `function` reads in a student's folders is sent, and what it writes comes back."""
        notebook, released = self._assignment.notebook, self._assignment.released
        total = len(items) if isinstance(items, Sized) else self._total

        def executed(handed: Handed) -> Path:
            return handed.target / f"{notebook}.ipynb"

        def pack(handed: Handed) -> bytes:
            begun = executed(handed).read_bytes() if function is process.draw else b""
            return pack_folder(handed.folder, notebook, begun)

        for handed, parcel in self._cluster.map(function, pack, items, total):
            try:
                if isinstance(parcel, BaseException):
                    raise parcel
                done, content = unpack_result(parcel, released)
                if done is None:
                    replace_executed(executed(handed), content)
                else:
                    write_executed(handed, notebook, content)
            except Exception as error:  # one submission's, as from a process here
                yield handed, error
            else:
                yield handed, done


class GradingJob:
    """What one worker needs to grade a class; a `autograder.grading.cluster.Job`.

    What was sent is in memory, and in a private folder from the first submission on. Dask drops the job when the
    command ends, or is gone: then the processes end, and the folder is removed.
    """

    def __init__(self, *sent: Any) -> None:
        self._sent = sent
        self._lock = threading.Lock()
        self._idle: list[Pool] = []
        self._stack = ExitStack()
        self._folder: Path | None = None
        self._works = False  # from the first submission on that was graded, whatever goes wrong is a submission's
        weakref.finalize(self, _close, self._stack)

    def __reduce__(self) -> tuple[Any, ...]:
        return GradingJob, self._sent  # to another worker

    def __call__(
        self, function: Callable[[Handed], GradedFolder | None], parcels: list[bytes]
    ) -> Iterator[tuple[bool, bytes]]:
        """`function` of one folder after the other, in a process of this thread."""
        _kit, _seconds, _settings, assignment, language, _reference = self._sent
        with speaking(language):
            pool, folder = self._take()
        try:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                everybody, done = [], dict[str, Any]()
                for number, parcel in enumerate(parcels):
                    handed = Handed(str(number), Path(place, str(number), "in"), Path(place, str(number), "out"))
                    everybody.append(handed)
                    try:
                        _unpack(parcel, handed, assignment.notebook)
                    except Exception as error:  # this one's alone, such as a name that only its own file system takes
                        done[handed.student] = error
                there = [handed for handed in everybody if handed.student not in done]
                for handed, graded in pool.map(function, there):
                    if isinstance(graded, (HostBroken, NoReference, ImportError)) and not self._works:
                        raise _unfit(str(graded)) from graded
                    self._works |= not isinstance(graded, BaseException)
                    done[handed.student] = graded
                yield from (_packed(handed, done[handed.student], assignment.notebook) for handed in everybody)
        finally:
            with self._lock:
                self._idle.append(pool)

    def _take(self) -> tuple[Pool, Path]:
        """A pool of one process for this thread, and the folder for submissions."""
        kit, seconds, settings, assignment, language, reference = self._sent
        if kit != kit_digest():
            raise _unfit(_("its kit, NumPy or Python is not the one of the machine that asks. Install the same there."))
        with self._lock:
            if self._folder is None:
                self._folder = self._stack.enter_context(scratch_folder())
                _write(self._folder / "course" / "reference", reference)
                # Dask's nanny marks workers so. Our processes end by themselves when this one does.
                multiprocessing.current_process().daemon = False
            if self._idle:
                return self._idle.pop(), self._folder
            own = replace(settings, course=self._folder / "course")
            needed = (own, assignment, self._folder, language)
            pool = self._stack.enter_context(Pool(1, seconds, self._folder, process.prepare, *needed))
            return pool, self._folder


def _unpack(parcel: bytes, handed: Handed, notebook: str) -> None:
    if begun := unpack_folder(parcel, handed.folder):
        handed.target.mkdir()
        (handed.target / f"{notebook}.ipynb").write_bytes(begun)


def _packed(handed: Handed, done: GradedFolder | BaseException | None, notebook: str) -> tuple[bool, bytes]:
    try:
        if isinstance(done, BaseException):
            raise done
        return True, pack_result(done, (handed.target / f"{notebook}.ipynb").read_bytes())
    except Exception as error:  # whatever a hand-in may bring about
        return False, f"{type(error).__name__}: {error}".encode("utf-8", "replace")


def _unfit(reason: str) -> UnfitWorker:
    return UnfitWorker(f"{socket.gethostname()}: {reason}")


def _write(folder: Path, files: dict[str, bytes]) -> None:
    folder.parent.mkdir(mode=0o700)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _close(stack: ExitStack) -> None:
    closing = threading.Thread(target=stack.close)  # which waits for processes, and Dask's event loop may call this
    try:
        closing.start()
    except RuntimeError:  # the worker itself is ending
        stack.close()
