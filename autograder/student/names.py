"""What students call an exercise: its id, what it asks for, or the cell that they write."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from traceback import walk_tb
from typing import Any

from autograder.checks.exercise import Exercise
from autograder.exercises import assignments, in_lesson_order, releases
from autograder.locale import _
from autograder.notebooks.cells import grade_id_of, source_of


class UnknownName(ValueError):
    """There is no such exercise. Jupyter shows the message alone."""

    def _render_traceback_(self) -> list[str]:
        return [f"ValueError: {self}"]


def known(name: Any, here: Sequence[Exercise]) -> list[Exercise]:
    """The exercises of this name, in the order of the lesson; `UnknownName`, with those `here`, if there is none."""
    __tracebackhide__ = True
    text = str(getattr(name, "__name__", name))
    found = named(text)
    if not found:
        raise UnknownName(_unknown(text, here))
    return found


def _all_exercises() -> list[Exercise]:
    return [exercise for assignment in assignments() for exercise in in_lesson_order(assignment)]


def named(name: str) -> list[Exercise]:
    """The exercise with this id, otherwise those that ask for this name, in the order of the lesson."""
    known = _all_exercises()
    return [e for e in known if e.id == name] or [e for e in known if name in (e.defines, e.solution)]


def _unknown(name: str, exercises: Sequence[Exercise]) -> str:
    known = [exercise.id for exercise in exercises]
    names = [*known, *(name for exercise in exercises for name in (exercise.defines, exercise.solution))]
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return _('There is no check "{name}". Did you mean "{close}"?').format(name=name, close=close[0])
    return _('There is no check "{name}". Choose one of these: {known}.').format(name=name, known=", ".join(known))


def stub_of(error: NotImplementedError) -> str:
    """The exercise's function or class that raised it, "" if none did: a cell may wait for several."""
    frames = [frame for frame, _line in walk_tb(error.__traceback__)]
    raised_in = [frame.f_code.co_qualname.partition(".")[0] for frame in reversed(frames)]
    defined = {exercise.defines for exercise in _all_exercises()}
    return next((name for name in raised_in if name in defined), "")


def stubs(exercise: Exercise) -> list[str]:
    """The solution cell of `exercise` as students get it, in each edition; none where nothing is released."""
    names = [name for name, exercises in assignments().items() if exercise in exercises]
    cells = [cell for name in names for release in releases(name).values() for cell in release["cells"]]
    return [source_of(cell) for cell in cells if grade_id_of(cell) == exercise.solution]
