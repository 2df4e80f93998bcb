"""What a student's notebook calls: `check`, `hint`, `example`, `waiting_for`, `use_exercises`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from types import SimpleNamespace
from typing import Any

from autograder.checks.exercise import Exercise, Implementation, Observation, Stopped, keep_random_state
from autograder.checks.judge import interrupted, judge, with_line
from autograder.checks.results import Ending, ExerciseResult, Outcome
from autograder.checks.values import Raised
from autograder.exercises import assignments, every_exercise, guide, hand_graded, in_lesson_order
from autograder.exercises.recorded import known_mistakes, recorded, trials
from autograder.locale import _
from autograder.notebooks.undefined import unrun_here
from autograder.report.html import exercise_html
from autograder.report.overview import (
    is_optional,
    next_exercise,
    optional_mark,
    overview_html,
    overview_text,
    still_open,
    what_is_next,
)
from autograder.report.text import exercise_text, say
from autograder.report.words import Note, points, read_again, section_of
from autograder.sandbox.limits import Limits, OutOfTime
from autograder.student.figures import close_figures, open_figures
from autograder.student.hints import Hint, Hints, first_unmet
from autograder.student.judged import judged
from autograder.student.names import UnknownName, known, named, stub_of, stubs
from autograder.student.stops import Stops, libraries_silent

QUICK = 1.0
"""Seconds; what took longer is not run again to see which lines run: it might be stopped then."""

_hints = Hints()
_assignment = ""
"""The assignment of this notebook, as set by `use_exercises`; "" means that its names tell."""

_points: dict[str, float] = {}
"""The points of this notebook's exercises and hand-graded cells, as set by `use_exercises`; empty means the kit's."""

_latest: dict[str, ExerciseResult] = {}
"""What `check` found last in this session, by exercise."""


def use_exercises(assignment: str = "", /, **points: float) -> None:
    """Set the exercises of this notebook and their points. `check()` and `hint()` then use only these.

    A lesson names its assignment in the cell that imports the kit: before anything is written, nothing else tells which
    exercises `check()` should list. A release adds another call, with all points, if the instructor changed exercises
    or points.

    Args:
        assignment: its name, without the language edition; "" leaves it as it was.
        points: exercise id or name of a hand-graded cell -> points.

    Raises:
        ValueError: the kit has no such assignment.

    >>> use_exercises("gradient-pathology")
    >>> use_exercises(clip_gradients=12, batch_norm_forward=4)
    """
    global _assignment
    if assignment and assignment not in assignments():
        text = _('There is no assignment "{name}". Choose one of these: {known}.')
        raise UnknownName(text.format(name=assignment, known=", ".join(assignments())))
    _assignment = assignment or _assignment
    _points.clear()
    _points.update(points)


def assignment_named() -> str:
    """The assignment that the notebook has named with `use_exercises`; "" if none."""
    return _assignment


_stops = Stops()


class Interrupted(KeyboardInterrupt):
    """The student interrupted a check. Jupyter shows the message alone."""

    def _render_traceback_(self) -> list[str]:
        return [f"KeyboardInterrupt: {self}"]


@contextmanager
def _without_own_frames() -> Iterator[None]:
    __tracebackhide__ = True
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted(_("The check was interrupted.")) from None


def check(name: Any = None) -> Report | Overview | float | None:
    """Check an exercise against the notebook's current definitions, on the public cases.

    Args:
        name: an exercise's id, or the function or class that it asks for (or its name), which may belong to several
            exercises; None checks all exercises of the notebook.

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
    if _is_by_hand(name, namespace):
        say(_by_hand_in_words(name, namespace))
        return None
    wanted = _exercises_of(namespace) if name is None else known(name, _exercises_of(namespace))
    if name is None and _in_nbgrader():
        return None
    with _without_own_frames():
        results = [judge_here(exercise, namespace) for exercise in wanted]
        _latest.update((result.id, result) for result in results)
        if name is None:
            return Overview(results, _by_hand(namespace))
        if not _in_nbgrader():
            return Report([(result, _notes(e, result, namespace)) for e, result in zip(wanted, results, strict=True)])
    for result in results:
        say(exercise_text(result))
        if "NBGRADER_VALIDATING" in os.environ and not result.full:
            # The validator shows what a failing cell wrote to stderr, nothing else, and cuts lines at 87 characters.
            print(exercise_text(result, width=80), file=sys.stderr)
    return sum(result.score for result in results)


def hint(name: Any = None) -> Hint | None:
    """Give one hint for the first check of an exercise that does not pass; each further call gives the next hint.

    Args:
        name: as for `check`; None means the first unfinished exercise of the lesson.

    Returns:
        The hint, shown as a card in Jupyter and as text elsewhere; None if nbgrader runs the notebook, or a person
        grades all that is meant.

    Raises:
        ValueError: there is no such exercise; the message lists the known ones.

    >>> hint("clip_gradients")
    clip_gradients, hint 1 of 4 for "..."
    ...
    """
    __tracebackhide__ = True
    namespace = sys._getframe(1).f_globals
    if _is_by_hand(name, namespace):
        say(_by_hand_in_words(name, namespace))
        return None
    here = sorted(_exercises_of(namespace), key=lambda exercise: is_optional(exercise.id))
    wanted = here if name is None else known(name, _exercises_of(namespace))
    if _in_nbgrader():
        return None
    if not wanted:  # a person grades everything in this notebook
        say(still_open(_by_hand(namespace)))
        return None
    with _without_own_frames():
        return _hints.next(_first_unfinished(wanted, namespace))


def example(name: Any) -> SimpleNamespace:
    """The input of the check that the card begins with, to run by hand; the first input if no check fails.

    It also prints the lines that run the student's code on it.

    Args:
        name: as for `check`.

    Returns:
        A copy of its values, by name. Only public inputs are given, those that every student has.

    Raises:
        ValueError: there is no such exercise; the message lists the known ones.

    >>> given = example("clip_gradients")
    Run your code on it:
        given = example("clip_gradients")
        clip_gradients(given.layers, given.max_norm)
    """
    __tracebackhide__ = True
    namespace = sys._getframe(1).f_globals
    if _is_by_hand(name, namespace):
        raise UnknownName(_by_hand_in_words(name, namespace))
    wanted = known(name, _exercises_of(namespace))
    with _without_own_frames():
        result = _first_unfinished(wanted, namespace)
        found = next(exercise for exercise in wanted if exercise.id == result.id)
        item = first_unmet(result)
        shown = next((one for one in recorded(found) if item and one.case is item.case), recorded(found)[0])
        given = found.example(deepcopy(shown.case))
        given |= {"expected": found.expects(deepcopy(shown.expected))} if found.expects else {}
    if found.calls:
        lines = [f'given = example("{found.id}")', *found.calls.splitlines()]
        say("\n".join([_("Run your code on it:"), *(f"    {line}" for line in lines)]))
    return SimpleNamespace(**given)


def _first_unfinished(wanted: Sequence[Exercise], namespace: dict[str, Any]) -> ExerciseResult:
    for exercise in wanted:
        result = judge_here(exercise, namespace)
        if not result.full:
            break
    return result


def judge_here(wanted: Exercise, namespace: dict[str, Any]) -> ExerciseResult:
    """The result of `wanted` for the definitions in `namespace`, on the public cases, in this process.

    Code that ran out of time is not run again until another cell is run.
    """
    __tracebackhide__ = True
    return _judge(wanted, namespace).scaled_to(_points.get(wanted.id, wanted.points))


def _judge(wanted: Exercise, namespace: dict[str, Any]) -> ExerciseResult:
    __tracebackhide__ = True
    error = unrun_here(wanted, namespace)
    if error is not None:
        return interrupted(wanted, error)
    try:
        start = time.monotonic()
        result = _judge_seen(wanted, _observed(wanted, namespace))
        if any(item.outcome is Outcome.FAILED for item in result.items) and time.monotonic() - start < QUICK:
            result = _judge_seen(wanted, _observed(wanted, namespace, follow=True))
        return result
    except OutOfTime as error:
        return interrupted(wanted, Stopped(error, Ending.OUT_OF_TIME), printed="".join(getattr(error, "__notes__", ())))


def _judge_seen(wanted: Exercise, seen: Sequence[Observation]) -> ExerciseResult:
    __tracebackhide__ = True
    return judge(wanted, trials(recorded(wanted), seen), partial(known_mistakes, wanted))


def _observed(wanted: Exercise, namespace: dict[str, Any], follow: bool = False) -> list[Observation]:
    __tracebackhide__ = True
    implementation = Implementation(namespace)
    try:
        with keep_random_state(), libraries_silent(), _stops.limited(wanted, namespace, Limits()):
            return [wanted.observe(implementation, expectation.case, follow) for expectation in recorded(wanted)]
    except KeyboardInterrupt as error:  # without the kit's own frames
        raise Interrupted(with_line(_("Your code was running."), Raised.of(error))) from None


@contextmanager
def waiting_for(name: str, *also: str) -> Iterator[None]:
    """Run a cell that needs the exercise `name`. While the exercise is not written, print a note instead of an error.

    It catches only the stub's NotImplementedError, and the NameError if the stub was never run. The student sees all
    other errors. A figure that was begun before the exercise was needed is not shown. If `check` last gave an exercise
    less than its points, a line below what the cell shows says so: it need not be what the text says.

    Args:
        name: an exercise's id, or the grade_id of its solution cell.
        also: further exercises that the cell uses.

    >>> with waiting_for("clip_gradients"):
    ...     total_norm, _ = clip_gradients(network, max_norm=1.0)
    """
    awaiting = named(name)
    awaited = next((exercise.defines for exercise in awaiting), name)
    drawn_before = open_figures()
    try:
        yield
    except (NotImplementedError, NameError) as error:
        if isinstance(error, NameError) and error.name != awaited:
            raise
        if awaiting:  # half a figure of an answer that is graded by hand stays: it may be worth points
            close_figures(open_figures() - drawn_before)
        if awaiting and not any(map(_is_here, awaiting)):  # this notebook has no cell for it
            return
        missing = awaited if isinstance(error, NameError) else stub_of(error) or awaited
        say(_("Waiting for {name}: write it, then run this cell again.").format(name=missing))
    else:
        _say_what_is_half_right([*awaiting, *(exercise for other in also for exercise in named(other))])


def _say_what_is_half_right(needed: Sequence[Exercise]) -> None:
    results = [_latest[exercise.id] for exercise in needed if exercise.id in _latest]
    half_right = [f"{one.id} {points(one.score, one.max)}" for one in results if _is_begun(one) and not one.full]
    if half_right and not _in_nbgrader():
        text = _("Last checked: {results} points. What this cell shows may differ from the text.")
        say(text.format(results=", ".join(half_right)))


def _is_begun(result: ExerciseResult) -> bool:
    """Whether `check` saw an answer: what it found before one was written says nothing of the answer."""
    return any(item.outcome is not Outcome.NOT_ATTEMPTED and not item.unwritten for item in result.items)


def _notes(wanted: Exercise, result: ExerciseResult, namespace: dict[str, Any]) -> list[Note]:
    """What stands below a result: what was judged, and what to do next."""
    said = judged(wanted.defines, namespace, stubs(wanted))
    notes = [Note(said)] if said else []
    if not result.full:
        line = _('`hint("{name}")` gives a hint, `example("{name}")` the input.').format(name=wanted.id)
        return [*notes, read_again(guide(wanted.id), line)]
    here, by_hand = _exercises_of(namespace), _by_hand(namespace)
    most = sum(_points.get(e.id, e.points) for e in here) + sum(by_hand.values())
    score = sum(_latest[e.id].score for e in here if e.id in _latest)
    line = _("So far in this session: {points} points.").format(points=points(score, most))
    to_do = [e.id for e in here if e.id not in _latest or not _latest[e.id].full]
    following = next_exercise(to_do)
    link = section_of(guide(following)) if following else None
    about = (" ({link})" if link else "") + optional_mark(following or "")
    coming = what_is_next(to_do, by_hand, _("Next: `{name}`") + about)
    return [*notes, Note(f"{line} {coming}", link)]


class Report:
    """Results that Jupyter shows as cards, with notes below each."""

    def __init__(self, told: Sequence[tuple[ExerciseResult, Sequence[Note]]]) -> None:
        self._told = tuple(told)

    @property
    def result(self) -> ExerciseResult:
        """The first result."""
        return self._told[0][0]

    def __repr__(self) -> str:
        return "\n\n".join(exercise_text(result, notes=notes) for result, notes in self._told)

    def _repr_html_(self) -> str:
        return "".join(exercise_html(result, notes) for result, notes in self._told)


class Overview:
    """The progress in all exercises, which Jupyter shows as a card."""

    def __init__(self, results: Sequence[ExerciseResult], by_hand: Mapping[str, float]) -> None:
        self.results, self.by_hand = tuple(results), by_hand

    def __repr__(self) -> str:
        return overview_text(self.results, self.by_hand)

    def _repr_html_(self) -> str:
        return overview_html(self.results, self.by_hand)


def _in_nbgrader() -> bool:
    return "NBGRADER_EXECUTION" in os.environ


def _exercises_of(namespace: dict[str, Any]) -> list[Exercise]:
    """The exercises of the notebook, in the order of the lesson."""
    return [e for e in in_lesson_order(_assignment_of(namespace)) if _is_here(e)]


def _assignment_of(namespace: dict[str, Any]) -> str:
    """The assignment that the notebook names, or that most of its names belong to."""
    if _assignment:
        return _assignment
    defined = {a: sum(e.defines in namespace for e in exercises) for a, exercises in assignments().items()}
    return max(defined, key=defined.__getitem__)


def _by_hand(namespace: dict[str, Any]) -> dict[str, float]:
    """The points of this notebook's hand-graded cells."""
    if not _points:
        return hand_graded(_assignment_of(namespace))
    in_kit = {exercise.id for exercise in every_exercise()}
    return {name: worth for name, worth in _points.items() if name not in in_kit}


def _is_here(candidate: Exercise) -> bool:
    """Whether this notebook contains the exercise."""
    return not _points or candidate.id in _points


def _is_by_hand(name: Any, namespace: dict[str, Any]) -> bool:
    """Whether this is a cell that a person grades."""
    return isinstance(name, str) and name in _by_hand(namespace)


def _by_hand_in_words(name: str, namespace: dict[str, Any]) -> str:
    text = _("A person grades {name} ({worth:.6g} points): there is nothing to check here.")
    return text.format(name=name, worth=_by_hand(namespace)[name])
