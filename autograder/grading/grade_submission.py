"""Grades a whole submission: cells and probes in a worker, then every exercise against expected values."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from autograder.checks.exercise import Exercise
from autograder.checks.judge import Trial, interrupted, judge
from autograder.checks.results import ExerciseResult, SubmissionResult
from autograder.exercises.recorded import known_mistakes, recorded
from autograder.grading.reference import Reference
from autograder.locale import _
from autograder.notebooks.submission import CHECK_PREFIX, Submission
from autograder.notebooks.undefined import explain_unrun
from autograder.sandbox.client import Figures, Run, run_submission
from autograder.sandbox.fork_server import Host, shared_host
from autograder.sandbox.isolation import Level
from autograder.sandbox.limits import Limits


@dataclass(frozen=True)
class Graded:
    """A submission's result, its run, and the isolation level."""

    result: SubmissionResult
    run: Run
    isolation: Level

    @property
    def cell_errors(self) -> list[str]:
        """One line for every cell that ended with an error, counted from 1 as in Jupyter."""
        return [
            _("cell {number}: {type}: {message}").format(
                number=index + 1, type=output["ename"], message=_in_words(output["evalue"].split("\n")[0][:200])
            )
            for index, outputs in sorted(self.run.outputs.items())
            for output in outputs
            if output["output_type"] == "error"
        ]


def grade_submission(
    submission: Submission,
    reference: Reference | None = None,
    figures: Figures = Figures.NONE,
    limits: Limits = Limits(),
    host: Host | None = None,
    files: Mapping[str, bytes] = {},
) -> Graded:
    """Run and judge one submission.

    Args:
        reference: adds private cases; without it, only the recorded public ones count.
        figures, host, files: see `run_submission`.
    """
    host = host or shared_host()
    # The public cases, which everybody has, only where the private ones find a fault: they put it into words.
    series = {
        e.id: [reference.expectations(e, submission.content), recorded(e)] if reference else [recorded(e)]
        for e in submission.exercises
    }
    run = run_submission(submission, series, figures, limits, host, files)
    tried = explain_unrun(submission, run.outputs, run.trials)
    checks = {e.id: _judge(e, tried[e.id]).scaled_to(submission.points[e.id]) for e in submission.exercises}
    checks = _one_behaviour_per_cell(submission.exercises, checks)
    return Graded(SubmissionResult(checks, message=_what_is_missing(submission)), run, host.level)


def _in_words(message: str) -> str:
    """An error's message; for a syntax error, without IPython's name of the cell."""
    place = re.fullmatch(r"(.*) \(<ipython-input-[^>]*>, line (\d+)\)", message)
    if place is None:
        return message
    return _("{message} (line {line} of the cell)").format(message=place[1], line=place[2])


def _judge(exercise: Exercise, trials: list[Trial] | str) -> ExerciseResult:
    if isinstance(trials, str):
        return interrupted(exercise, trials)
    public_first = sorted(trials, key=lambda trial: not trial.public)
    return judge(exercise, public_first, partial(known_mistakes, exercise))


def _one_behaviour_per_cell(
    exercises: Iterable[Exercise], checks: Mapping[str, ExerciseResult]
) -> dict[str, ExerciseResult]:
    """`checks` with one digest for all that no cause explains in a solution cell: one mistake may break several
    exercises, and is one behaviour."""
    solutions = {exercise.id: exercise.solution for exercise in exercises}
    shown: dict[str, set[str]] = defaultdict(set)
    for name, found in checks.items():
        shown[solutions[name]] |= {item.behaviour for item in found.items} - {""}

    def digest(cell: str) -> str:
        first, *others = sorted(shown[cell])
        return hashlib.sha256(repr((first, *others)).encode()).hexdigest()[: len(first)] if others else first

    return {
        name: replace(
            found,
            items=tuple(
                replace(item, behaviour=digest(solutions[name])) if item.behaviour else item for item in found.items
            ),
        )
        for name, found in checks.items()
    }


def _what_is_missing(submission: Submission) -> str:
    if not submission.missing:
        return ""
    names = [
        f'check("{name[len(CHECK_PREFIX) :]}")' if name.startswith(CHECK_PREFIX) else name
        for name in submission.missing
    ]
    return _(
        "The notebook lacks these cells of the assignment: {names}. Undo the deletion, or copy your answers into a "
        "fresh copy of the notebook."
    ).format(names=", ".join(names))
