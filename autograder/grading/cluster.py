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
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from distributed import CancelledError, Client, Future, KilledWorker

from autograder.grading.course import CourseError
from autograder.locale import _

CONNECT_SECONDS = 10
"""How long a scheduler may take to answer."""

WORKERLESS_SECONDS = 60.0
"""How long to wait where there is no worker at all."""

LOOK_SECONDS = 5.0
"""How often to look which workers there are."""

MOST_IN_BATCH = 16
MOST_BYTES_IN_BATCH = 4 * 2**20
LEAST_BATCHES = 4
"""Batches keep the scheduler from being the bottleneck. They become smaller when fewer than so many are left for each
thread, so that all threads end at about the same time."""


Job = Callable[[Callable[..., Any], list[bytes]], Iterable[tuple[bool, bytes]]]
"""What workers keep for a run: made on each with what was sent once, and dropped when the run ends.

It takes a function and parcels, and gives for each of these (True, result), or (False, what went wrong with this one).
Whatever it raises is wrong with the worker, and ends the run.
"""


class WorkerFailed(Exception):
    """Workers could not deal with this item; the message says why."""


@dataclass
class _Batch:
    items: list[Any] = field(default_factory=list)
    parcels: list[bytes] = field(default_factory=list)
    alone: bool = False


class Cluster(AbstractContextManager["Cluster"]):
    """The workers of a Dask cluster, each with a `Job`."""

    def __init__(self, address: str, job: Callable[..., Job], *arguments: Any) -> None:
        """Connect to the scheduler at `address`; workers make `job(*arguments)` when they begin.

        Raises:
            CourseError: there is no scheduler, or it has no workers.
        """
        warnings.filterwarnings("ignore", message="Sending large graph")  # of what was handed in, much may be large
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said here, once
        self._address = address
        try:
            self._client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TypeError, ValueError) as error:
            raise CourseError(
                _(
                    "There is no Dask scheduler at {address} ({reason}). Start one with `dask scheduler`, and name the "
                    "address that it prints."
                ).format(address=address, reason=error)
            ) from error
        self._workers: dict[str, int] = {}
        self._looked, self._had_workers = -LOOK_SECONDS, time.monotonic()
        try:
            self._job = self._client.submit(job, *arguments, pure=False)
            while not self._threads():
                time.sleep(0.5)
        except BaseException:
            self._client.close()
            raise

    def __exit__(self, *_error: Any) -> None:
        self._job.release()  # workers drop theirs
        self._client.close()

    def map(
        self, function: Callable[..., Any], pack: Callable[[Any], bytes], items: Iterable[Any], total: int
    ) -> Iterator[tuple[Any, Any]]:
        """(item, result) of `function` on the packed items, as they come; the result may be an exception.

        Args:
            total: about how many items there are.

        Raises:
            CourseError: the cluster cannot go on.
        """
        try:
            yield from self._map(function, pack, items, total)
        except (CancelledError, OSError, RuntimeError) as error:  # RuntimeError: Dask's client is closed
            raise CourseError(
                _(
                    "The connection to the Dask scheduler at {address} is lost. What was graded before is kept; run "
                    "the same command again."
                ).format(address=self._address)
            ) from error

    def _map(
        self, function: Callable[..., Any], pack: Callable[[Any], bytes], items: Iterable[Any], total: int
    ) -> Iterator[tuple[Any, Any]]:
        failed: list[tuple[Any, Exception]] = []
        batches, suspects = self._batches(pack, items, total, failed), deque[_Batch]()
        running: dict[Future, _Batch] = {}
        done: SimpleQueue[Future] = SimpleQueue()

        def send(batch: _Batch) -> None:
            future = self._client.submit(_run, self._job, function, batch.parcels, pure=False)
            running[future] = batch
            future.add_done_callback(done.put)

        while True:
            while len(running) < 2 * self._threads() + 1 and (batch := next(batches, None)):
                send(batch)
            yield from failed
            failed.clear()
            if not running and not suspects:
                return
            if not running:  # one at a time, so that who is to blame is known
                send(suspects.popleft())
            for future, results in self._results(done):
                batch = running.pop(future)
                if results is not None:
                    yield from zip(batch.items, results, strict=True)
                elif batch.alone:
                    yield batch.items[0], WorkerFailed(_("the worker died every time"))
                else:
                    pairs = zip(batch.items, batch.parcels, strict=True)
                    suspects += (_Batch([item], [parcel], alone=True) for item, parcel in pairs)

    def _batches(
        self, pack: Callable[[Any], bytes], items: Iterable[Any], left: int, failed: list[tuple[Any, Exception]]
    ) -> Iterator[_Batch]:
        """Batches of the `items`, the last ones smaller; those that cannot be packed go to `failed`."""
        batch = _Batch()
        for item in items:
            left -= 1
            try:
                batch.parcels.append(pack(item))
            except Exception as error:  # whatever a hand-in may bring about
                failed.append((item, error))
                continue
            batch.items.append(item)
            most = min(MOST_IN_BATCH, left // (LEAST_BATCHES * max(1, self._threads())))
            if len(batch.items) >= most or sum(map(len, batch.parcels)) > MOST_BYTES_IN_BATCH:
                yield batch
                batch = _Batch()
        if batch.items:
            yield batch

    def _threads(self) -> int:
        """How many batches run at a time; looked up now and then.

        Raises:
            CourseError: there has been no worker for a while.
        """
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS or not self._workers:
            before, self._workers = self._workers, self._client.nthreads()
            self._looked = now
            if self._workers.keys() - before.keys() and self._job.status in ("pending", "finished"):
                self._client.replicate(self._job)  # Dask sends what needs it to where it is
        if self._workers:
            self._had_workers = now
        elif now - self._had_workers > WORKERLESS_SECONDS:
            raise CourseError(
                _(
                    "The Dask scheduler at {address} has no workers. Start some with `dask worker {address}`. What was "
                    "graded before is kept; run the same command again."
                ).format(address=self._address)
            )
        return sum(self._workers.values())

    def _results(self, done: SimpleQueue[Future]) -> Iterator[tuple[Future, list[Any] | None]]:
        """The batches that are done, and their results, fetched together; None if workers died whenever they had it."""
        futures = []
        with suppress(Empty):
            futures.append(done.get(timeout=1.0))
            while True:
                futures.append(done.get_nowait())
        finished = [future for future in futures if future.status == "finished"]
        fetched = dict(zip(finished, self._client.gather(finished), strict=True))
        for future in futures:
            try:
                pairs = fetched[future] if future in fetched else future.result()
                yield future, [content if good else WorkerFailed(content.decode()) for good, content in pairs]
            except KilledWorker:
                yield future, None
            except (CancelledError, OSError):
                raise
            except Exception as error:  # whatever is wrong over there
                raise CourseError(
                    _("A worker of the cluster cannot grade: {reason}").format(
                        reason=f"{type(error).__name__}: {error}"
                    )
                ) from error


def _run(job: Job, function: Callable[..., Any], parcels: list[bytes]) -> list[tuple[bool, bytes]]:
    return list(job(function, parcels))
