"""Where the time of one submission goes: by phase, by isolation level, and in a notebook that is open."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

import autograder.grading.grade_class
import autograder.grading.grade_submission
import autograder.grading.job
import autograder.sandbox.client
from autograder.exercises import assignments
from autograder.grading.course import Course, guarded_folders
from autograder.grading.digest import settings_digest
from autograder.grading.grade_submission import grade_submission
from autograder.grading.gradebook import ClassGradebook
from autograder.grading.job import Assignment, Grader, Settings
from autograder.grading.reference import Reference
from autograder.notebooks.load import read_notebook
from autograder.notebooks.submission import submission_of
from autograder.sandbox.client import Worker
from autograder.sandbox.fork_server import Host, HostBroken
from autograder.sandbox.isolation import Level
from autograder.sandbox.limits import Limits
from tests.benchmark.measure import tree
from tests.class_folder import ASSIGNMENT
from tests.sample_class import NOTEBOOK

Samples = dict[str, list[float]]
"""What was measured, by name, one number a round."""

Tick = Callable[[], None]
"""Called after every round."""

PHASES = (
    ("digest: changed since last time?", autograder.grading.grade_class, "content_digest"),
    ("read and mend the notebook", Grader, "_read"),
    ("private cases and what is expected", Reference, "expectations"),
    ("worker: start", Worker, "__enter__"),
    ("worker: the student's cells", Worker, "run_cell"),
    ("worker: probes", Worker, "probe"),
    ("worker: end", Worker, "__exit__"),
    ("judge: is it right?", autograder.sandbox.client, "all_pass"),
    ("judge: points and causes", autograder.grading.grade_submission, "judge"),
    ("reports", autograder.grading.job, "cell_outputs"),
    ("comments", autograder.grading.job, "comments"),
    ("write the executed notebook", Grader, "_write"),
    ("gradebook", ClassGradebook, "save"),
    ("write the result", autograder.grading.grade_class, "write_result"),
)
"""What grading one submission consists of, and the function that does it."""


@dataclass(frozen=True)
class Spent:
    """What a phase took, in milliseconds; `cpu` with what the worker and its warm parent used."""

    wall: float
    cpu: float


# --- phases -----------------------------------------------------------------------------------------------------------


class _Stopwatch:
    """Adds up what phases take. None of them is part of another."""

    def __init__(self, workers_cpu: Callable[[], float]) -> None:
        self._workers_cpu = workers_cpu
        self.spent: dict[str, Spent] = defaultdict(lambda: Spent(0.0, 0.0))

    def watch(self, phase: str, owner: Any, name: str) -> Any:
        """Replaces a function by one that is timed, while this context lasts."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            with self.timing(phase):
                return function(*arguments, **options)

        return mock.patch.object(owner, name, timed)

    @contextlib.contextmanager
    def timing(self, phase: str) -> Iterator[None]:
        workers = self._workers_cpu()
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            cpu += self._workers_cpu() - workers
            before = self.spent[phase]
            self.spent[phase] = Spent(before.wall + 1000 * wall, before.cpu + 1000 * cpu)


def phases(folder: Path, tick: Tick) -> list[dict[str, Spent]]:
    """What each phase took of every submission in a course folder, graded one after the other, as `grade` does.

    The first is left out: it fills caches.
    """
    with contextlib.chdir(folder):
        course = Course(folder)
        settings = Settings(course.folder, _best_level())
        with ClassGradebook(course, ASSIGNMENT) as gradebook, ExitStack() as stack:
            metadata = read_notebook(course.source(ASSIGNMENT) / NOTEBOOK)["metadata"]
            prepared = Assignment(gradebook.notebook, gradebook.released, metadata)
            settled = settings_digest(settings, prepared)
            grader = Grader(settings, prepared)
            stack.callback(grader.close)
            watch = _Stopwatch(lambda: _cpu_of(grader._host))
            for phase in PHASES:
                stack.enter_context(watch.watch(*phase))
            found = []
            for handed in course.handed_in(ASSIGNMENT):
                watch.spent.clear()
                # Through the modules, where the stopwatch has put itself.
                digest = autograder.grading.grade_class.content_digest(settled, handed.folder, prepared.notebook)
                graded = grader.grade(handed)
                gradebook.save(handed, graded)
                autograder.grading.grade_class.keep_result(course, prepared, handed.target, digest, graded)
                found.append(dict(watch.spent))
                tick()
    return found[1:]


def _cpu_of(host: Host) -> float:
    """Seconds that a host's processes have used, and those that they have waited for."""
    total = 0.0
    for process in tree(psutil.Process(host._process.pid)):
        with contextlib.suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            total += used.user + used.system + used.children_user + used.children_system
    return total


def _best_level() -> Level:
    with Host() as host:
        return host.level


# --- isolation --------------------------------------------------------------------------------------------------------


def isolation(folder: Path, rounds: int, tick: Tick) -> dict[str, Samples]:
    """Milliseconds from a worker's start to its end, and for a whole submission, at each level that there is here.

    The levels take turns, so that what else the machine does meets them all.

    Args:
        folder: a course folder in which somebody has handed in.
    """
    notebook = next(folder.glob(f"submitted/*/{ASSIGNMENT}/{NOTEBOOK}"))
    submission, reference = submission_of(read_notebook(notebook), NOTEBOOK), Reference(folder)
    found: dict[str, Samples] = {}
    with ExitStack() as stack:
        hosts = [stack.enter_context(host) for host in _hosts(guarded_folders(folder))]
        for host in hosts:
            grade_submission(submission, reference, host=host)  # fills caches
        for _round in range(rounds):
            for host in hosts:
                own = found.setdefault(host.level.value, {"empty": [], "submission": []})
                own["empty"].append(_milliseconds(partial(_come_and_go, host)))
                own["submission"].append(_milliseconds(partial(grade_submission, submission, reference, host=host)))
            tick()
    return found


def _hosts(guarded: tuple[Path, ...]) -> Iterator[Host]:
    for level in Level:
        with contextlib.suppress(HostBroken):
            yield Host(level, guarded, own_code=level is Level.BASIC)


def _come_and_go(host: Host) -> None:
    limits = Limits()
    with Worker(host, limits, time.monotonic() + limits.total_seconds):
        pass


def _milliseconds(act: Callable[[], Any]) -> float:
    started = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - started)


# --- a notebook that is open ------------------------------------------------------------------------------------------


def warm_checks(sources: list[str], rounds: int, tick: Tick) -> Samples:
    """Milliseconds that `check(...)` takes, the table that Jupyter shows included, by exercise.

    Args:
        sources: the cells that have been run before.
    """
    assert "NBGRADER_EXECUTION" not in os.environ
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for source in sources:
        exec(compile(source, "<cell>", "exec"), namespace)
    found: Samples = {}
    for number in range(rounds + 1):  # the first fills caches
        for exercise in assignments()[ASSIGNMENT]:
            line = compile(f"check({exercise.id!r})._repr_html_()", "<cell>", "eval")
            taken = _milliseconds(partial(eval, line, namespace))
            if number:
                found.setdefault(exercise.id, []).append(taken)
        tick()
    return found
