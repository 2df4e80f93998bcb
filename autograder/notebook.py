"""What a student's notebook calls: `check` judges an exercise where it stands, `waiting_for` keeps a cell patient."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autograder.exercises import UnknownExercise, assignments, exercise
from autograder.exercises.exercise import Exercise, Implementation
from autograder.i18n import _
from autograder.judge import interrupted, judge
from autograder.oracle import known_mistakes, recorded, trials
from autograder.report.html import exercise_html
from autograder.report.text import exercise_text
from autograder.results import ExerciseResult
from autograder.unrun import unrun_here
from autograder.worker.limits import Limits, OutOfTime, time_limit


def check(name: str) -> Report | float:
    """Judge the exercise `name` with what is defined in the notebook now, on the public cases.

    Returns:
        A report that shows itself as a table in Jupyter and as text elsewhere. Where nbgrader runs the notebook, the
        report is printed and the points come back as a float, which is how a test cell tells nbgrader its score.

    Raises:
        ValueError: there is no such exercise; the message names those there are.
    """
    try:
        wanted = exercise(name)
    except (UnknownExercise, TypeError):
        raise ValueError(_unknown(name)) from None
    result = judge_here(wanted, sys._getframe(1).f_globals)
    if "NBGRADER_EXECUTION" not in os.environ:
        return Report(result)
    print(exercise_text(result))
    if "NBGRADER_VALIDATING" in os.environ and not result.full:
        # The validator shows what a failing cell wrote to stderr, nothing else, and cuts lines at 87 characters.
        print(exercise_text(result, width=80), file=sys.stderr)
    return result.score


def judge_here(wanted: Exercise, namespace: dict[str, Any]) -> ExerciseResult:
    """The result of `wanted` for what `namespace` defines, on the public cases, in this process."""
    error = unrun_here(wanted, namespace)
    if error is not None:
        return interrupted(wanted, error)
    implementation = Implementation(namespace)
    expectations = recorded(wanted)
    seconds = Limits().probe_seconds
    try:
        with time_limit(seconds):
            seen = [wanted.observe(implementation, expectation.case) for expectation in expectations]
    except OutOfTime:
        reason = _("Your code was stopped after {seconds:.0f} s. Is there a loop that never ends?")
        return interrupted(wanted, reason.format(seconds=seconds))
    return judge(wanted, trials(expectations, seen), known_mistakes(wanted))


@contextmanager
def waiting_for(name: str) -> Iterator[None]:
    """Run a cell that builds on the exercise `name`; while that is a stub, say so instead of failing.

    Only the stub's NotImplementedError is caught: every other error is the student's to see.
    """
    try:
        yield
    except NotImplementedError:
        print(_("Waiting for {name}: write it, then run this cell again.").format(name=name))


class Report:
    """A result that shows itself."""

    def __init__(self, result: ExerciseResult) -> None:
        self.result = result

    def __repr__(self) -> str:
        return exercise_text(self.result)

    def _repr_html_(self) -> str:
        return exercise_html(self.result)


def _unknown(name: Any) -> str:
    known = [candidate.id for exercises in assignments().values() for candidate in exercises]
    close = difflib.get_close_matches(str(name), known, n=1)
    if close:
        return _('There is no check "{name}". Did you mean "{close}"?').format(name=name, close=close[0])
    return _('There is no check "{name}". There are: {known}.').format(name=name, known=", ".join(known))
