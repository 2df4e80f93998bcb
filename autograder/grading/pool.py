"""Processes that work through a list, and continue if one of them is killed."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

MOST_TRIES = 3
"""How often to try an item whose process dies."""


START_SECONDS = 180.0
"""Extra seconds for a new process to import everything while many others do the same."""


class OutOfTime(Exception):
    """An item took too long, and its process was killed."""


@dataclass
class _Task:
    item: Any
    tries: int = 0
    place: int = -1
    deadline: float = 0.0


class Pool(AbstractContextManager["Pool"]):
    """`jobs` processes with one executor each, so that a dying process loses only its own item."""

    def __init__(
        self, jobs: int, item_seconds: float, scratch: Path, prepare: Callable[..., None], *arguments: Any
    ) -> None:
        """`prepare(*arguments)` runs first in every process; an item may take at most `item_seconds`.

        Args:
            scratch: a folder that is removed if this process is killed.
        """
        self._prepare, self._arguments = partial(_begin, scratch, prepare), arguments
        self._item_seconds = item_seconds
        self._new: set[int] = set()
        self._executors = {place: self._start(place) for place in range(jobs)}

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """(item, result) of `function(item)` as they finish; the result may be an exception."""
        fresh, again = map(_Task, items), deque[_Task]()
        idle = set(self._executors)
        running: dict[Future, _Task] = {}
        try:
            while True:
                while idle and (task := again.popleft() if again else next(fresh, None)):
                    task.place = idle.pop()
                    running[self._submit(function, task)] = task
                if not running:
                    return
                for future in wait(running, timeout=1.0, return_when=FIRST_COMPLETED).done:
                    task = running.pop(future)
                    idle.add(task.place)
                    error = self._error(future, task)
                    if isinstance(error, BrokenProcessPool) and task.tries < MOST_TRIES:
                        again.append(task)
                    else:
                        yield task.item, future.result() if error is None else error
                for task in running.values():
                    if time.monotonic() > task.deadline:
                        self._kill(task.place)
        finally:
            for task in running.values():  # nobody waits for these any longer
                self._kill(task.place)

    def __exit__(self, *_error: Any) -> None:
        for executor in self._executors.values():
            executor.shutdown(cancel_futures=True)

    def _error(self, future: Future, task: _Task) -> BaseException | None:
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            self._executors[task.place] = self._start(task.place)
            task.tries += 1
            if time.monotonic() > task.deadline:
                return OutOfTime()
        return error

    def _start(self, place: int) -> ProcessPoolExecutor:
        self._new.add(place)
        # Spawned: a fork would copy this process's threads in mid-operation.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, self._prepare, self._arguments)

    def _submit(self, function: Callable[[Any], Any], task: _Task) -> Future:
        try:
            future = self._executors[task.place].submit(function, task.item)
        except BrokenProcessPool:  # killed while it had nothing to do
            self._executors[task.place] = self._start(task.place)
            future = self._executors[task.place].submit(function, task.item)
        task.deadline = time.monotonic() + self._item_seconds
        if task.place in self._new:
            self._new.remove(task.place)
            task.deadline += START_SECONDS
        return future

    def _kill(self, place: int) -> None:
        for process in list((self._executors[place]._processes or {}).values()):
            process.kill()


def _begin(scratch: Path, prepare: Callable[..., None], *arguments: Any) -> None:
    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            shutil.rmtree(scratch, ignore_errors=True)
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()  # nobody else ends this process if its parent is killed
    prepare(*arguments)
