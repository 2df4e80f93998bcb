"""The exercises, found by looking through the packages in this folder: one package an assignment.

A new exercise is a new module, or package, that makes an `Exercise`; nothing else needs to know.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from autograder.checks.exercise import Exercise


class UnknownExercise(KeyError):
    """No exercise has this id."""


Words = dict[str, str]
"""The same words in each language."""


@dataclass(frozen=True)
class Guide:
    """What helps with an exercise.

    Attributes:
        section: the heading under which the lesson treats it; empty where nobody has said so.
        further: whether it is further reading, beside the core path of the lesson.
        begin: hints for who has not written anything yet.
        hints: check id -> hints, from the vaguest to the clearest. A hint that names `causes`, by their ids, is for
            these alone; one marked `unwritten` is for the part that the check finds not written yet.
    """

    section: Words = field(default_factory=dict)
    further: bool = False
    begin: list[Words] = field(default_factory=list)
    hints: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@cache
def assignments() -> dict[str, tuple[Exercise, ...]]:
    """Assignment name ("gradient-pathology") -> its exercises, in the order of their modules."""
    found = {}
    for package in pkgutil.iter_modules(__path__):
        if package.ispkg:
            found[package.name.replace("_", "-")] = tuple(_exercises_in(f"{__name__}.{package.name}"))
    return found


def every_exercise() -> list[Exercise]:
    """The exercises of all assignments."""
    return [exercise for exercises in assignments().values() for exercise in exercises]


@cache
def exercise(exercise_id: str) -> Exercise:
    """The exercise of that id.

    Raises:
        UnknownExercise: there is none.
    """
    for candidate in every_exercise():
        if candidate.id == exercise_id:
            return candidate
    raise UnknownExercise(exercise_id)


def hand_graded(assignment: str) -> dict[str, float]:
    """grade_id -> points of the assignment's cells that a person grades."""
    package = importlib.import_module(f"{__name__}.{assignment.replace('-', '_')}")
    return getattr(package, "HAND_GRADED", {})


@cache
def releases(assignment: str) -> dict[str, dict[str, Any]]:
    """Edition ("gradient-pathology-en") -> a notebook of nothing but the marked cells that its students get.

    `python source/release.py` writes them, into the folder `released` of the assignment.
    """
    files = resources.files(f"{__name__}.{assignment.replace('-', '_')}").joinpath("released")
    found = sorted(files.iterdir(), key=lambda file: file.name) if files.is_dir() else []
    return {file.name.removesuffix(".json"): json.loads(file.read_text(encoding="utf-8")) for file in found}


@cache
def guides(assignment: str) -> dict[str, Guide]:
    """Exercise id -> guide, in the order of the lesson: what the assignment's hints.toml says, if it has one."""
    file = resources.files(f"{__name__}.{assignment.replace('-', '_')}").joinpath("hints.toml")
    entries = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {name: Guide(**entry) for name, entry in entries.items()}


def guide(exercise_id: str) -> Guide:
    """The guide to an exercise; an empty one where its author wrote none."""
    found = (guides(assignment).get(exercise_id) for assignment in assignments())
    return next((guide for guide in found if guide is not None), Guide())


def in_lesson_order(assignment: str) -> list[Exercise]:
    """The exercises of `assignment` as they come in the lesson; those without a guide last."""
    places = {name: place for place, name in enumerate(guides(assignment))}
    return sorted(assignments()[assignment], key=lambda exercise: places.get(exercise.id, len(places)))


def _exercises_in(package_name: str) -> list[Exercise]:
    found: dict[Exercise, None] = {}
    for info in pkgutil.walk_packages(importlib.import_module(package_name).__path__, f"{package_name}."):
        values = vars(importlib.import_module(info.name)).values()
        found |= dict.fromkeys(value for value in values if isinstance(value, Exercise))
    for exercise in found:
        exercise.require_complete()
    return list(found)
