"""Work on a Dask cluster: items go out in batches, as bytes, and come back in any order, each exactly once.

What is lost with a worker is done again elsewhere, by Dask. An item in whose batch workers died again and again is
tried alone at the end, so that only the one to blame is given up.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from distributed import CancelledError, Client, Future, KilledWorker

from autograder.grading.course import CourseError
from autograder.locale import _

CONNECT_SECONDS = 10
"""How long a scheduler may take to answer, and a broken connection to come back."""

WORKERLESS_SECONDS = 60.0
"""How long to wait where there is no worker at all."""

MOST_BREAKS = 10
"""How often the connection may break in one run."""

MOST_IN_BATCH = 16
MOST_BYTES_IN_BATCH = 4 * 2**20
LEAST_BATCHES = 8
"""Batches keep the scheduler from being the bottleneck. They become smaller when fewer than so many are left for each
thread, so that all threads end at about the same time."""


class Job(Protocol):
    """What workers keep for a run: made on each with what was sent once, and dropped when the run ends."""

    def __call__(self, function: Callable[..., Any], parcels: list[bytes]) -> Iterable[tuple[bool, bytes]]:
        """`function` of each of the `parcels`: (True, result), or (False, what went wrong with this one).

        Whatever it raises is wrong with the worker, and ends the run.
        """


class LostWorkers(Exception):
    """Workers died whenever they had this item."""


class WorkerFailed(Exception):
    """A worker could not deal with this item; the message says why."""


@dataclass
class _Batch:
    items: list[Any]
    parcels: list[bytes]
    alone: bool = False
    job: Future | None = None


class Cluster:
    """The workers of a Dask cluster, each with a `Job`."""

    def __init__(self, address: str, job: Callable[..., Job], *arguments: Any) -> None:
        """Connect to the scheduler at `address`; workers make `job(*arguments)` when they begin.

        Raises:
            CourseError: there is no scheduler, or it has no workers.
        """
        warnings.filterwarnings("ignore", message="Sending large graph")  # of what was handed in, much may be large
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is said here, once
        self._address, self._make = address, (job, *arguments)
        try:
            self._client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TypeError, ValueError) as error:
            raise CourseError(
                _(
                    "There is no Dask scheduler at {address} ({reason}). Start one with `dask scheduler`, and name the "
                    "address that it prints."
                ).format(address=address, reason=error)
            ) from error
        self._job: Future | None = None
        self._breaks = self._threads = 0
        self._looked = -WORKERLESS_SECONDS
        self._had_workers = time.monotonic()
        try:
            while not self.threads():
                time.sleep(0.5)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_error: Any) -> None:
        self._job = None  # workers drop theirs
        self._client.close()

    def threads(self) -> int:
        """How many batches run at a time; looked up now and then.

        Raises:
            CourseError: there has been no worker for a while, or no scheduler any more.
        """
        now = time.monotonic()
        if now - self._looked > 5.0 or not self._threads:
            before, self._threads = self._threads, sum(self._asked(self._client.nthreads).values())
            self._looked = now
            if self._job is not None and self._threads > before:
                self._asked(self._spread)
        if self._threads:
            self._had_workers = now
        elif now - self._had_workers > WORKERLESS_SECONDS:
            raise CourseError(
                _(
                    "The Dask scheduler at {address} has no workers. Start some with `dask worker {address}`. What was "
                    "graded before is kept; run the same command again."
                ).format(address=self._address)
            )
        return self._threads

    def map(
        self, function: Callable[..., Any], pack: Callable[[Any], bytes], items: Iterable[Any], total: int
    ) -> Iterator[tuple[Any, Any]]:
        """(item, result) of `function` on the packed items, as they come; the result may be an exception.

        Args:
            total: about how many items there are.

        Raises:
            CourseError: the cluster cannot go on.
        """
        failed: list[tuple[Any, Exception]] = []
        new, again, suspects = self._batches(pack, items, total, failed), deque[_Batch](), deque[_Batch]()
        running: dict[Future, _Batch] = {}
        done: SimpleQueue[Future] = SimpleQueue()
        while True:
            while len(running) < 2 * self.threads() + 1 and (batch := again.popleft() if again else next(new, None)):
                running[self._send(function, batch, done)] = batch
            yield from failed
            failed.clear()
            if not running and not again:
                if not suspects:
                    return
                again.append(suspects.popleft())
                continue
            try:
                future = done.get(timeout=1.0)
            except Empty:
                continue
            batch = running.pop(future)
            outcome = self._outcome(future, batch)
            if outcome is None:
                again.append(batch)
            elif not isinstance(outcome, LostWorkers):
                yield from zip(batch.items, outcome, strict=True)
            elif batch.alone:
                yield batch.items[0], outcome
            else:
                suspects += map(_alone, batch.items, batch.parcels)

    def _batches(
        self, pack: Callable[[Any], bytes], items: Iterable[Any], left: int, failed: list[tuple[Any, Exception]]
    ) -> Iterator[_Batch]:
        """Batches of the `items`, the last ones smaller; those that cannot be packed go to `failed`."""
        batch = _Batch([], [])
        for item in items:
            left -= 1
            try:
                parcel = pack(item)
            except Exception as error:  # whatever a hand-in may bring about
                failed.append((item, error))
                continue
            batch.items.append(item)
            batch.parcels.append(parcel)
            most = min(MOST_IN_BATCH, left // (LEAST_BATCHES * max(1, self._threads)))
            if len(batch.items) >= most or sum(map(len, batch.parcels)) > MOST_BYTES_IN_BATCH:
                yield batch
                batch = _Batch([], [])
        if batch.items:
            yield batch

    def _send(self, function: Callable[..., Any], batch: _Batch, done: SimpleQueue[Future]) -> Future:
        def submit() -> Future:
            if self._job is None or self._job.status not in ("pending", "finished"):
                self._job = self._client.submit(*self._make, pure=False)
                self._spread()
            batch.job = self._job
            return self._client.submit(_run, self._job, function, batch.parcels, pure=False)

        future = self._asked(submit)
        future.add_done_callback(done.put)
        return future

    def _spread(self) -> None:
        """Let all workers have the job: where it is, Dask sends what needs it."""
        self._client.replicate(self._job)

    def _asked(self, request: Callable[[], Any]) -> Any:
        """What `request` to the scheduler returns. Raises CourseError if the connection is gone for good."""
        while True:
            try:
                return request()
            except (OSError, RuntimeError, CancelledError) as error:  # RuntimeError: the client has given up
                self._break(error)

    def _break(self, reason: object) -> None:
        """The connection broke: Dask's client tries to connect again, and everything has to be sent once more."""
        self._breaks += 1
        self._job = None
        if self._client.status in ("closing", "closed") or self._breaks > MOST_BREAKS:
            raise CourseError(
                _(
                    "The connection to the Dask scheduler at {address} is lost ({reason}). What was graded before is "
                    "kept; run the same command again."
                ).format(address=self._address, reason=reason)
            )
        time.sleep(0.2)

    def _outcome(self, future: Future, batch: _Batch) -> list[Any] | LostWorkers | None:
        """The results of a batch, or that workers died; None if it has to be sent again."""
        try:
            return [content if good else WorkerFailed(content.decode()) for good, content in future.result()]
        except KilledWorker:
            return LostWorkers(_("the worker died every time"))
        except (OSError, CancelledError) as error:
            if batch.job is self._job:  # the first to tell; with the job, all that needs it is lost
                self._break(error)
            return None
        except Exception as error:  # whatever is wrong over there
            raise CourseError(
                _("A worker of the cluster cannot grade: {reason}").format(reason=f"{type(error).__name__}: {error}")
            ) from error


def _run(job: Job, function: Callable[..., Any], parcels: list[bytes]) -> list[tuple[bool, bytes]]:
    return list(job(function, parcels))


def _alone(item: Any, parcel: bytes) -> _Batch:
    return _Batch([item], [parcel], alone=True)
