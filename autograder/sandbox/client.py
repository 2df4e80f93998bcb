"""Runs one submission in workers: it sends them cells and probes, trusts nothing that they answer, and kills them if
necessary.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from autograder.checks import encoding, values
from autograder.checks.exercise import Exercise, Observation, Stopped
from autograder.checks.judge import Trial, all_pass
from autograder.checks.results import Ending
from autograder.exercises.recorded import Series, trials
from autograder.locale import _, current_language
from autograder.notebooks.cells import names_in
from autograder.notebooks.submission import Cell, Submission
from autograder.sandbox import frames
from autograder.sandbox.fork_server import START_SECONDS, Host, HostLost, shared_host
from autograder.sandbox.limits import CLOCK_FACTOR, GRACE_SECONDS, Limits, less_than_usual, took_too_long
from autograder.sandbox.outputs import CellOutputs

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""How many processors this process may use: on a cluster, a part of the machine's."""

MOST_HOSTS = 3
"""How often a submission is restarted because the warm parent was lost; after that the submission is to blame."""


class Figures(StrEnum):
    """Which cells' figures are drawn; drawing one takes longer than all checks together."""

    NONE = "none"
    BY_HAND = "by-hand"
    ALL = "all"


class WorkerDied(Exception):
    """A worker was stopped or ended by itself."""

    def __init__(self, reason: Stopped) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class Run:
    """The results of running a submission.

    Attributes:
        outputs: by cell index, outputs in the notebook format.
        trials: by exercise id, what was observed, case by case, or a sentence that says why nothing was.
    """

    outputs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    trials: dict[str, list[Trial] | str] = field(default_factory=dict)


def run_submission(
    submission: Submission,
    series: Mapping[str, Sequence[Series]],
    figures: Figures = Figures.NONE,
    limits: Limits = Limits(),
    host: Host | None = None,
    files: Mapping[str, bytes] = {},
) -> Run:
    """Run a submission's cells from top to bottom in a new worker, then probe its exercises there.

    If a cell kills the process or does not stop, a new worker continues without it; if an exercise does, only its own
    observations are lost. Code that may use something that was stopped before gets the short limits of
    `Limits.after_a_stop`, so that an endless loop costs the full time only once.

    Args:
        series: exercise id -> the series to probe it on, one after the other, until one of them finds no fault: an
            answer that is right on one is not tried on the next. On the last, the lines that run are followed.
        figures: which figures are drawn; with NONE, cells that only a person looks at are not run.
        host: makes the workers; None for the one shared by this process.
        files: name -> content of files beside the notebook, which are put into the worker's folder first.
    """
    host = host or shared_host()
    deadline = time.monotonic() + limits.total_seconds
    worker = partial(Worker, host, limits, deadline, files)
    return _Running(submission, series, figures, deadline).run(worker)


class _Running:
    """One submission, run in as many workers as necessary."""

    def __init__(
        self, submission: Submission, series: Mapping[str, Sequence[Series]], figures: Figures, deadline: float
    ) -> None:
        self._submission, self._series, self._figures, self._deadline = submission, series, figures, deadline
        self._cells = submission.cells_to_run(looked_at=figures is not Figures.NONE)
        self._asked_for = {exercise.defines for exercise in submission.exercises}
        self._stopped: set[str] = set()
        self._answers = {exercise.solution for exercise in submission.exercises}
        self._fatal: set[int] = set()
        self._run = Run()

    @property
    def _waiting(self) -> list[Exercise]:
        """The exercises that are not tried yet."""
        known = self._run.trials
        return [e for e in self._submission.exercises if e.id in self._series and e.id not in known]

    def run(self, new_worker: Callable[[], Worker]) -> Run:
        """Run all cells, then all exercises, with a new worker after each that died."""
        lost, all_ran = 0, False
        while self._waiting or not all_ran:
            try:
                with new_worker() as worker:
                    all_ran = self._run_cells(worker)
                    if all_ran:
                        self._probe(worker)
            except HostLost:
                lost += 1
                if lost >= MOST_HOSTS:
                    self._run.trials |= {exercise.id: _ended() for exercise in self._waiting}
                    break
        return self._run

    def _run_cells(self, worker: Worker) -> bool:
        """Whether the worker survived all cells."""
        for cell in self._cells:
            if cell.index in self._fatal:
                continue
            if time.monotonic() > self._deadline and cell.grade_id not in self._answers:
                # Now only cells that may earn points are run, so that slow cells cannot delay a grader for long.
                self._run.outputs[cell.index] = [_error_output(_whole_took_too_long())]
                continue
            try:
                with self._limited(worker, frozenset().union(*names_in(cell.source))):
                    self._run.outputs[cell.index] = worker.run_cell(cell, self._wants_figures(cell))
            except WorkerDied as death:
                self._fatal.add(cell.index)
                self._run.outputs[cell.index] = [_error_output(death.reason)]
                return False
        return True

    def _wants_figures(self, cell: Cell) -> bool:
        by_hand = self._figures is Figures.BY_HAND and self._submission.is_looked_at(cell)
        return self._figures is Figures.ALL or by_hand

    def _probe(self, worker: Worker) -> None:
        for exercise in self._waiting:
            try:
                self._run.trials[exercise.id] = self._try(worker, exercise)
            except WorkerDied as death:
                self._run.trials[exercise.id] = death.reason
                return

    def _try(self, worker: Worker, exercise: Exercise) -> list[Trial] | str:
        tried: list[Trial] = []
        with self._limited(worker, [exercise.defines]):
            for series in self._series[exercise.id]:
                seen = worker.probe(exercise, series, follow=series is self._series[exercise.id][-1])
                if isinstance(seen, str):
                    return seen
                new = trials(series, seen)
                tried += new
                if all_pass(exercise, new):
                    break
        return tried

    @contextmanager
    def _limited(self, worker: Worker, names: Iterable[str]) -> Iterator[None]:
        """Run the body, whose code uses `names`: with short limits if they may have caused an earlier stop."""
        asked_for = self._submission.names_behind(names) if self._stopped else set()
        worker.stopped_before = not self._stopped.isdisjoint(asked_for)
        try:
            yield
        finally:
            if worker.overran:
                self._stopped |= self._asked_for & self._submission.names_behind(names)


class Worker:
    """One worker, with a temporary folder of `files`. All methods may raise HostLost.

    Attributes:
        stopped_before: whether the next request uses code that was stopped before.
        overran: whether the last request used all its time.
    """

    def __init__(self, host: Host, limits: Limits, deadline: float, files: Mapping[str, bytes] = {}) -> None:
        self._host, self._limits, self._deadline, self._files = host, limits, deadline, files
        self.stopped_before = self.overran = False
        self._why_short = ""

    def __enter__(self) -> Worker:
        self._connection = self._host.start()
        try:
            self._request({"limits": asdict(self._limits), "language": current_language()}, START_SECONDS)
            for name, content in self._files.items():
                self._request({"file": {"name": name, "content": content}}, START_SECONDS)
        except WorkerDied as death:
            self.__exit__()
            raise HostLost from death  # no line of the student's has run yet
        return self

    def __exit__(self, *_error: Any) -> None:
        self._connection.close()
        self._host.reap()

    def run_cell(self, cell: Cell, figures: bool) -> list[dict[str, Any]]:
        """The outputs of `cell`. Raises WorkerDied."""
        seconds = self._allow("cell_seconds")
        request = {"cell": {"source": cell.source, "figures": figures, "seconds": seconds}}
        reply = self._run(request, seconds)
        return CellOutputs.claimed(reply.get("outputs"), self._limits)

    def probe(self, exercise: Exercise, series: Series, follow: bool = False) -> list[Observation] | str:
        """The observations of `exercise` on the cases of `series`, or why there are none. Raises WorkerDied.

        Args:
            follow: see `Exercise.observe`.
        """
        seconds, start = self._allow("probe_seconds"), time.monotonic()
        cases = [expectation.packed_case for expectation in series]
        request = {"exercise": exercise.id, "cases": cases, "follow": follow, "seconds": seconds}
        reply = self._run({"probe": request}, seconds)
        if reply.get("out_of_time") is True:
            computed = time.monotonic() - start < CLOCK_FACTOR * seconds
            return self._took_too_long(seconds if computed else CLOCK_FACTOR * seconds, not computed)
        if reply.get("too_large") is True:
            return _("Your code returned too much data to check.")
        if type(reply.get("broke")) is str:
            return _("Your code raised {type}: {message}").format(type=reply["broke"][:60], message="-")
        parts = encoding.Parts(values.MAX_TEXT)
        try:
            return [e.read(seen, parts) for e, seen in zip(series, reply["observations"], strict=True)]
        except (KeyError, TypeError, ValueError):
            return _unreadable()

    def _allow(self, limit: str) -> float:
        """The computing time for a request: `limit`, one of `Limits`, or less if less is left in total.

        A little is allowed even if nothing is left, so that good work still counts.
        """
        seconds = getattr(self._limits.after_a_stop() if self.stopped_before else self._limits, limit)
        left = (self._deadline - time.monotonic()) / CLOCK_FACTOR
        self._why_short = ""
        if left < seconds:
            self._why_short = _whole_took_too_long()
        elif seconds < getattr(self._limits, limit):
            self._why_short = less_than_usual()
        return min(seconds, max(left, 1.0))

    def _run(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The reply to `message`, for which the worker may compute for `seconds`.

        The worker is supposed to stop by itself then; its computing time is also measured from outside.
        """
        start, before = time.monotonic(), self._host.computing_seconds()

        def look() -> None:
            computed = self._host.computing_seconds() - before
            if computed > seconds + GRACE_SECONDS:
                raise WorkerDied(self._took_too_long(computed, on_the_clock=False))

        try:
            return self._request(message, CLOCK_FACTOR * seconds + GRACE_SECONDS, look)
        finally:
            waited = time.monotonic() - start
            took_all = False
            if waited * CORES >= 0.9 * seconds:  # no more than that can have been computed
                computed = self._host.computing_seconds() - before
                # If computing time is unknown, wall-clock time is an upper bound.
                took_all = (waited if math.isnan(computed) else computed) >= 0.9 * seconds
            self.overran = took_all or waited >= CLOCK_FACTOR * seconds

    def _request(
        self, message: dict[str, Any], seconds: float, look: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        """The reply to `message`. Sending, waiting and reading all count against `seconds` of wall-clock time."""
        deadline = time.monotonic() + seconds
        try:
            frames.send(self._connection, encoding.pack(message), deadline - time.monotonic())
            reply = encoding.unpack(frames.receive(self._connection, deadline - time.monotonic(), look))
        except TimeoutError:
            raise WorkerDied(self._took_too_long(seconds, on_the_clock=True)) from None
        except encoding.WireError:
            raise WorkerDied(_unreadable()) from None
        except frames.Closed:
            self._host.reap()  # which tells whether the worker alone is gone
            raise WorkerDied(_ended()) from None
        if time.monotonic() > deadline:
            raise WorkerDied(self._took_too_long(seconds, on_the_clock=True))
        if type(reply) is not dict:
            raise WorkerDied(_unreadable())
        return reply

    def _took_too_long(self, seconds: float, on_the_clock: bool) -> Stopped:
        sentences = filter(None, [took_too_long(seconds, on_the_clock), self._why_short])
        return Stopped("\n".join(sentences), Ending.OUT_OF_TIME)


def _ended() -> Stopped:
    reason = _("Your code ended the Python process (a crash, a call such as os._exit, or too many or too large files).")
    return Stopped(reason, Ending.PROCESS_ENDED)


def _unreadable() -> Stopped:
    return Stopped(_("What came back from your code could not be read."), Ending.UNREADABLE)


def _whole_took_too_long() -> str:
    return _("The notebook as a whole took too long.")


def _error_output(message: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": "Stopped", "evalue": str(message), "traceback": [str(message)]}
