"""What a student's notebook calls: `check` judges an exercise where it stands, `hint` helps on, `waiting_for` waits."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from autograder.exercises import UnknownExercise, assignments, exercise, in_lesson_order
from autograder.exercises.exercise import Exercise, Implementation, Stopped
from autograder.hints import Hint, Hints
from autograder.i18n import _
from autograder.judge import falls_short, interrupted, judge
from autograder.oracle import known_mistakes, recorded, trials
from autograder.report.html import exercise_html
from autograder.report.overview import overview_html, overview_text
from autograder.report.text import exercise_text
from autograder.results import ExerciseResult
from autograder.unrun import unrun_here
from autograder.worker.limits import Limits, OutOfTime, time_limit

_hints = Hints()


def check(name: str | None = None) -> Report | Overview | float | None:
    """Judge the exercise `name` with what is defined in the notebook now, on the public cases; all of them without one.

    Returns:
        A report that shows itself as a card in Jupyter and as text elsewhere. Where nbgrader runs the notebook, the
        report is printed and the points come back as a float, which is how a test cell tells nbgrader its score;
        without a name nothing is judged there, and nothing comes back.

    Raises:
        ValueError: there is no such exercise; the message names those there are.
    """
    namespace = sys._getframe(1).f_globals
    if name is None:
        return None if _in_nbgrader() else Overview([judge_here(e, namespace) for e in _exercises_of(namespace)])
    result = judge_here(_known(name), namespace)
    if not _in_nbgrader():
        return Report(result)
    print(exercise_text(result))
    if "NBGRADER_VALIDATING" in os.environ and not result.full:
        # The validator shows what a failing cell wrote to stderr, nothing else, and cuts lines at 87 characters.
        print(exercise_text(result, width=80), file=sys.stderr)
    return result.score


def hint(name: str) -> Hint | None:
    """One hint for the first promise that the exercise `name` does not keep yet; asked again, the next one.

    Returns:
        The hint, which shows itself; nothing where nbgrader runs the notebook.

    Raises:
        ValueError: there is no such exercise; the message names those there are.
    """
    wanted = _known(name)
    return None if _in_nbgrader() else _hints.next(judge_here(wanted, sys._getframe(1).f_globals))


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
            seen = [wanted.observe(implementation, expectation.case, further=False) for expectation in expectations]
            if wanted.probe_further and falls_short(wanted, trials(expectations, seen)):
                seen = [
                    s.joined(wanted.observe_further(implementation, e.case))
                    for s, e in zip(seen, expectations, strict=True)
                ]
    except OutOfTime:
        reason = _("Your code was stopped after {seconds:.0f} s. Is there a loop that never ends?")
        return interrupted(wanted, Stopped(reason.format(seconds=seconds)))
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


class Overview:
    """How all exercises stand, which shows itself."""

    def __init__(self, results: Sequence[ExerciseResult]) -> None:
        self.results = tuple(results)

    def __repr__(self) -> str:
        return overview_text(self.results)

    def _repr_html_(self) -> str:
        return overview_html(self.results)


def _in_nbgrader() -> bool:
    return "NBGRADER_EXECUTION" in os.environ


def _exercises_of(namespace: dict[str, Any]) -> list[Exercise]:
    """The exercises of the assignment that most of the notebook's names belong to, in the order of the lesson."""
    defined = {a: sum(e.defines in namespace for e in exercises) for a, exercises in assignments().items()}
    return in_lesson_order(max(defined, key=defined.__getitem__))


def _known(name: str) -> Exercise:
    try:
        return exercise(name)
    except (UnknownExercise, TypeError):
        raise ValueError(_unknown(name)) from None


def _unknown(name: Any) -> str:
    known = [candidate.id for exercises in assignments().values() for candidate in exercises]
    close = difflib.get_close_matches(str(name), known, n=1)
    if close:
        return _('There is no check "{name}". Did you mean "{close}"?').format(name=name, close=close[0])
    return _('There is no check "{name}". There are: {known}.').format(name=name, known=", ".join(known))
