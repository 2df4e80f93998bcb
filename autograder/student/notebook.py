"""What a student's notebook calls: `check`, `hint`, `waiting_for`, `use_exercises`."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from autograder.checks.exercise import Exercise, Implementation, Stopped, keep_random_state
from autograder.checks.judge import interrupted, judge, with_line
from autograder.checks.results import Ending, ExerciseResult
from autograder.checks.values import Raised
from autograder.exercises import assignments, every_exercise, in_lesson_order
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
"""The points of this notebook's exercises, as set by `use_exercises`; empty means the kit's own points."""


def use_exercises(**points: float) -> None:
    """Set the exercises of this notebook and their points. `check()` and `hint()` then use only these.

    A released notebook calls it in the cell that imports the kit, if the instructor changed exercises or points.

    Args:
        points: exercise id -> points.

    >>> use_exercises(clip_gradients=12, batch_norm_forward=4)
    """
    _points.clear()
    _points.update(points)


_stops = Stops()


def check(name: Any = None) -> Report | Overview | float | None:
    """Check an exercise against the notebook's current definitions, on the public cases.

    Args:
        name: an exercise's id, or the function or class that it asks for (or its name) if only one exercise asks for
            it; None checks all exercises of the notebook.

    Returns:
        A report (or, without a name, an overview), shown as a card in Jupyter and as text elsewhere. If nbgrader runs
        the notebook, the report is printed and the points are returned as a float, which nbgrader takes as the score
        of the test cell; `check()` then does nothing and returns None.

    Raises:
        ValueError: there is no such exercise; the message lists the known ones.

    >>> check("clip_gradients")
    clip_gradients: 6 / 6 points, everything passed
    ...
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
    """Give one hint for the first check of an exercise that does not pass; each further call gives the next hint.

    Args:
        name: as for `check`; None means the first unfinished exercise of the lesson.

    Returns:
        The hint, shown as a card in Jupyter and as text elsewhere; None if nbgrader runs the notebook.

    Raises:
        ValueError: there is no such exercise; the message lists the known ones.

    >>> hint("clip_gradients")
    clip_gradients, hint 1 of 4 for "..."
    ...
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
    """The result of `wanted` for the definitions in `namespace`, on the public cases, in this process.

    Code that ran out of time is not run again until it changes.
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
        return interrupted(wanted, Stopped(error, Ending.OUT_OF_TIME))
    except KeyboardInterrupt as error:  # without the kit's own frames
        raise KeyboardInterrupt(with_line(_("Your code was running."), Raised.of(error))) from None
    return judge(wanted, trials(expectations, seen), partial(known_mistakes, wanted))


@contextmanager
def waiting_for(name: str) -> Iterator[None]:
    """Run a cell that needs the exercise `name`. While the exercise is not written, print a note instead of an error.

    It catches only the stub's NotImplementedError, and the NameError if the stub was never run. The student sees all
    other errors.

    Args:
        name: an exercise's id, or the grade_id of its solution cell.

    >>> with waiting_for("clip_gradients"):
    ...     total_norm, _ = clip_gradients(network, max_norm=1.0)
    """
    named = _named(name)
    awaited = next((exercise.defines for exercise in named), name)
    try:
        yield
    except (NotImplementedError, NameError) as error:
        if isinstance(error, NameError) and error.name != awaited:
            raise
        if named and not any(map(_is_here, named)):  # this notebook has no cell for it
            return
        say(_("Waiting for {name}: write it, then run this cell again.").format(name=awaited))


class Report:
    """A result that Jupyter shows as a card."""

    def __init__(self, result: ExerciseResult) -> None:
        self.result = result

    def __repr__(self) -> str:
        return exercise_text(self.result)

    def _repr_html_(self) -> str:
        return exercise_html(self.result)


class Overview:
    """The progress in all exercises, which Jupyter shows as a card."""

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
    """Whether this notebook contains the exercise."""
    return not _points or candidate.id in _points


def _known(name: Any) -> Exercise:
    __tracebackhide__ = True
    text = str(getattr(name, "__name__", name))
    found = _named(text)
    if len(found) != 1:
        raise ValueError(_unknown(text, found))
    return found[0]


def _named(name: str) -> list[Exercise]:
    """The exercise with this id, otherwise those that ask for this name."""
    known = every_exercise()
    return [e for e in known if e.id == name] or [e for e in known if name in (e.defines, e.solution)]


def _unknown(name: str, several: Sequence[Exercise]) -> str:
    if several:
        return _("Which exercise? Choose one of these: {known}.").format(known=", ".join(e.id for e in several))
    known = [candidate.id for candidate in every_exercise()]
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return _('There is no check "{name}". Did you mean "{close}"?').format(name=name, close=close[0])
    return _('There is no check "{name}". Choose one of these: {known}.').format(name=name, known=", ".join(known))
