"""Grades a whole submission: cells and probes in a worker, then every exercise against expected values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from autograder.checks.exercise import Exercise
from autograder.checks.judge import interrupted, judge
from autograder.checks.results import ExerciseResult, SubmissionResult
from autograder.exercises.recorded import Expectation, known_mistakes, recorded, trials
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
    expected = {
        exercise.id: [
            *recorded(exercise),
            *(reference.expectations(exercise, submission.content) if reference else ()),
        ]
        for exercise in submission.exercises
    }
    if reference:  # the limit is for one draw of cases, and there are two
        limits = replace(limits, probe_seconds=2 * limits.probe_seconds)
    cases = {name: [expectation.case for expectation in expectations] for name, expectations in expected.items()}
    run = run_submission(submission, cases, figures, limits, host, files)
    run.observations = explain_unrun(submission, run.outputs, run.observations)
    checks = {e.id: _judge(e, expected[e.id], run).scaled_to(submission.points[e.id]) for e in submission.exercises}
    return Graded(SubmissionResult(checks, message=_what_is_missing(submission)), run, host.level)


def _in_words(message: str) -> str:
    """An error's message; for a syntax error, without IPython's name of the cell."""
    place = re.fullmatch(r"(.*) \(<ipython-input-[^>]*>, line (\d+)\)", message)
    if place is None:
        return message
    return _("{message} (line {line} of the cell)").format(message=place[1], line=place[2])


def _judge(exercise: Exercise, expected: list[Expectation], run: Run) -> ExerciseResult:
    seen = run.observations[exercise.id]
    if isinstance(seen, str):
        return interrupted(exercise, seen)
    return judge(exercise, trials(expected, seen), partial(known_mistakes, exercise))


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
