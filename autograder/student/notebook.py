"""What a student's notebook calls: `check` judges an exercise where it stands, `hint` helps on, `waiting_for` waits."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from autograder.checks.exercise import Exercise, Implementation, Stopped, keep_random_state
from autograder.checks.judge import interrupted, judge, with_line
from autograder.checks.results import ExerciseResult
from autograder.checks.values import Raised
from autograder.exercises import assignments, in_lesson_order
from autograder.exercises.recorded import known_mistakes, recorded, trials
from autograder.locale import _
from autograder.notebooks.undefined import unrun_here
from autograder.report.html import exercise_html
from autograder.report.overview import overview_html, overview_text
from autograder.report.text import exercise_text, say
from autograder.sandbox.limits import Limits, OutOfTime
from autograder.student.hints import Hint, Hints
from autograder.student.stops import Stops, parts_of

_hints = Hints()
_points: dict[str, float] = {}
"""What the exercises of this notebook are worth, as `use_exercises` was told; empty where the kit's own points hold."""


def use_exercises(**points: float) -> None:
    """Say which exercises this notebook holds and what they are worth, where an instructor has changed that.

    A release says so in the cell that imports the kit. `check()` and `hint()` then go through these alone.
    """
    _points.clear()
    _points.update(points)


_stops = Stops()


def check(name: Any = None) -> Report | Overview | float | None:
    """Judge the exercise `name` with what is defined in the notebook now, on the public cases; all of them without one.

    Args:
        name: an exercise's id; what it asks to be written, or the name of that, where only one exercise does.

    Returns:
        A report that shows itself as a card in Jupyter and as text elsewhere. Where nbgrader runs the notebook, the
        report is printed and the points come back as a float, which is how a test cell tells nbgrader its score;
        without a name nothing is judged there, and nothing comes back.

    Raises:
        ValueError: there is no such exercise; the message names those there are.
    """
    __tracebackhide__ = True  # IPython leaves such frames out of a traceback
    namespace = sys._getframe(1).f_globals
    if name is None:
        return None if _in_nbgrader() else Overview([judge_here(e, namespace) for e in _exercises_of(namespace)])
    result = judge_here(_known(name), namespace)
    if not _in_nbgrader():
        return Report(result)
    say(exercise_text(result))
    if "NBGRADER_VALIDATING" in os.environ and not result.full:
        # The validator shows what a failing cell wrote to stderr, nothing else, and cuts lines at 87 characters.
        print(exercise_text(result, width=80), file=sys.stderr)
    return result.score


def hint(name: Any = None) -> Hint | None:
    """One hint for the first promise that the exercise `name` does not keep yet; asked again, the next one.

    Args:
        name: as in `check`; without one, the first exercise of the lesson that is not done.

    Returns:
        The hint, which shows itself; nothing where nbgrader runs the notebook.

    Raises:
        ValueError: there is no such exercise; the message names those there are.
    """
    __tracebackhide__ = True
    namespace = sys._getframe(1).f_globals
    wanted = _exercises_of(namespace) if name is None else [_known(name)]
    if _in_nbgrader():
        return None
    for candidate in wanted:
        result = judge_here(candidate, namespace)
        if not result.full:
            break
    return _hints.next(result)


def judge_here(wanted: Exercise, namespace: dict[str, Any]) -> ExerciseResult:
    """The result of `wanted` for what `namespace` defines, on the public cases, in this process.

    What was stopped for its time is not run again while its code is the same.
    """
    __tracebackhide__ = True
    return _judge(wanted, namespace).scaled_to(_points.get(wanted.id, wanted.points))


def _judge(wanted: Exercise, namespace: dict[str, Any]) -> ExerciseResult:
    __tracebackhide__ = True
    error = unrun_here(wanted, namespace)
    if error is not None:
        return interrupted(wanted, error)
    implementation = Implementation(namespace)
    expectations = recorded(wanted)
    try:
        with keep_random_state(), _stops.limited(wanted.id, lambda: parts_of(namespace, wanted.defines), Limits()):
            seen = [wanted.observe(implementation, expectation.case) for expectation in expectations]
    except OutOfTime as error:
        return interrupted(wanted, Stopped(error))
    except KeyboardInterrupt as error:  # without the way through the kit, which says nothing
        raise KeyboardInterrupt(with_line(_("Your code was running."), Raised.of(error))) from None
    return judge(wanted, trials(expectations, seen), known_mistakes(wanted))


@contextmanager
def waiting_for(name: str) -> Iterator[None]:
    """Run a cell that builds on the exercise `name`; while that is a stub, say so instead of failing.

    Only the stub's NotImplementedError is caught, and the NameError of a stub whose cell was not run: every other error
    is the student's to see.

    Args:
        name: an exercise's id, or the grade_id of its solution cell.
    """
    named = _named(name)
    awaited = next((exercise.defines for exercise in named), name)
    try:
        yield
    except (NotImplementedError, NameError) as error:
        if isinstance(error, NameError) and error.name != awaited:
            raise
        if named and not any(map(_is_here, named)):  # nobody can write it: this notebook has no cell for it
            return
        say(_("Waiting for {name}: write it, then run this cell again.").format(name=awaited))


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
    return [e for e in in_lesson_order(max(defined, key=defined.__getitem__)) if _is_here(e)]


def _is_here(candidate: Exercise) -> bool:
    """Whether this notebook holds the exercise."""
    return not _points or candidate.id in _points


def _known(name: Any) -> Exercise:
    __tracebackhide__ = True
    text = str(getattr(name, "__name__", name))
    found = _named(text)
    if len(found) != 1:
        raise ValueError(_unknown(text, found))
    return found[0]


def _named(name: str) -> list[Exercise]:
    """The exercise of that id, or else those that want it written."""
    known = [candidate for exercises in assignments().values() for candidate in exercises]
    return [e for e in known if e.id == name] or [e for e in known if name in (e.defines, e.solution)]


def _unknown(name: str, several: Sequence[Exercise]) -> str:
    if several:
        return _("Which exercise? Choose one of these: {known}.").format(known=", ".join(e.id for e in several))
    known = [candidate.id for exercises in assignments().values() for candidate in exercises]
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return _('There is no check "{name}". Did you mean "{close}"?').format(name=name, close=close[0])
    return _('There is no check "{name}". Choose one of these: {known}.').format(name=name, known=", ".join(known))
