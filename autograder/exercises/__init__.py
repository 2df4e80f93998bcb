"""The exercises, found by looking through the packages in this folder: one package an assignment.

A new exercise is a new module that makes an `Exercise`; nothing else needs to know.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from autograder.exercises.exercise import Exercise


class UnknownExercise(KeyError):
    """No exercise has this id."""


@cache
def assignments() -> dict[str, tuple[Exercise, ...]]:
    """Assignment name ("gradient-pathology") -> its exercises, in the order of their modules."""
    found = {}
    for package in pkgutil.iter_modules(__path__):
        if package.ispkg:
            found[package.name.replace("_", "-")] = tuple(_exercises_in(f"{__name__}.{package.name}"))
    return found


@cache
def exercise(exercise_id: str) -> Exercise:
    """The exercise of that id.

    Raises:
        UnknownExercise: there is none.
    """
    for exercises in assignments().values():
        for candidate in exercises:
            if candidate.id == exercise_id:
                return candidate
    raise UnknownExercise(exercise_id)


def hand_graded(assignment: str) -> tuple[str, ...]:
    """grade_ids of the assignment's cells that a person grades."""
    package = importlib.import_module(f"{__name__}.{assignment.replace('-', '_')}")
    return getattr(package, "HAND_GRADED", ())


def _exercises_in(package_name: str) -> list[Exercise]:
    package = importlib.import_module(package_name)
    found: list[Exercise] = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package_name}.{info.name}")
        found += [value for value in vars(module).values() if isinstance(value, Exercise)]
    return found
