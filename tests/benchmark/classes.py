"""The classes that are graded, and the course folders that they are graded in."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from autograder.exercises import assignments
from source.release import COURSE, nbgrader_command
from tests.class_folder import ASSIGNMENT, environment, make_course
from tests.sample_class import BY_HAND, CLASS, CODE, NOTEBOOK, STAGED, TERSE, Notebook, Student, write_class

LEFT_OUT = {"ono", "oshima", "sato"}
"""Sample students whose code never ends, ends the process, or cannot be plotted."""

OPTIONAL = {"gradient_monitor", "gradient_profile"}
"""What some of the class have not written; the plot needs everything else."""

STOCK_CONFIG = """\
import os
import sys
from pathlib import Path

c = get_config()
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # for alembic
c.CourseDirectory.course_id = "gradient-pathology"
"""
"""The settings of a course folder that knows nothing of the kit."""


RIGHT_SHARE = 0.7
"""How many of a class's exercises are right: about as many as in a course, and what the target of speed is for."""


@dataclass(frozen=True)
class Answer:
    """What somebody wrote in a solution cell (None: nothing), and the exercises that it loses points in."""

    text: str | None
    loses: frozenset[str] = frozenset()


def answers_to(cell: str) -> list[Answer]:
    """What the sample students wrote in a solution cell, right and wrong."""
    own = {exercise.id for exercise in assignments()[ASSIGNMENT] if exercise.solution == cell}
    found: dict[str | None, frozenset[str]] = {}
    for student in CLASS:
        text = student.answers.get(cell)
        if student.id not in LEFT_OUT and (text is not None or cell in OPTIONAL):
            # What else happened to a notebook loses points, too: only what all lose who wrote this is the answer's.
            found[text] = found.get(text, student.loses) & student.loses & own
    return [Answer(text, loses) for text, loses in found.items()]


def right_odds(choices: Mapping[str, Sequence[Answer]]) -> float:
    """How often a solution cell must be right so that `RIGHT_SHARE` of the exercises are.

    A cell may be that of several exercises, of which a wrong answer loses some.
    """
    wrong = [[len(answer.loses) for answer in answers if answer.loses] for answers in choices.values()]
    return 1 - (1 - RIGHT_SHARE) * len(assignments()[ASSIGNMENT]) / sum(map(mean, wrong))


def students(
    number: int,
    drawn: bool,
    demonstrations: bool = True,
    choices: Mapping[str, Sequence[Answer]] | None = None,
) -> tuple[Student, ...]:
    """`number` students, no two alike; about `RIGHT_SHARE` of their exercises are right.

    For each solution cell, a biased coin says whether the answer is right, and it is then drawn among the right ones or
    among the wrong ones. The first of a class are the same students whatever its size, and with the same mistakes
    whether they drew or not.

    Args:
        drawn: whether everybody drew the plot and wrote the findings, or nobody.
        demonstrations: whether the lesson's own cells that nothing depends on are still in the notebooks.
        choices: solution cell -> the answers to draw from; None for those of the sample students.
    """
    choices = choices or {cell: answers_to(cell) for cell in CODE}
    odds = right_odds(choices)
    plots = [{cell: hand_in[cell] for cell in BY_HAND} for hand_in in (STAGED, TERSE)]
    mishap: Callable[[Notebook], Notebook] = as_it_is if demonstrations else without_demonstrations

    def student(i: int) -> Student:
        draw = random.Random(i)
        chosen = {cell: _one_of(answers, draw.random() < odds, draw) for cell, answers in choices.items()}
        answers = {cell: answer.text for cell, answer in chosen.items() if answer.text is not None}
        answers["clip_gradients"] += f"\n# s{i:05}"
        loses = frozenset().union(*(answer.loses for answer in chosen.values()))
        return Student(f"s{i:05}", "", answers | draw.choice(plots) if drawn else answers, loses, mishap=mishap)

    return tuple(map(student, range(number)))


def _one_of(answers: Sequence[Answer], right: bool, draw: random.Random) -> Answer:
    return draw.choice([answer for answer in answers if bool(answer.loses) != right])


def as_it_is(notebook: Notebook) -> Notebook:
    """The notebook."""
    return notebook


def without_demonstrations(notebook: Notebook) -> Notebook:
    """The notebook without the cells of the lesson that the kit does not run either."""
    kept = [cell for cell in notebook["cells"] if "experiment" not in cell["metadata"].get("autograder", {})]
    return notebook | {"cells": kept}


class Folders:
    """Makes course folders, each for one class and gone after use."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._ready: dict[bool, Path] = {}

    @contextmanager
    def course(self, own: bool, class_: tuple[Student, ...]) -> Any:
        """A course folder in which the class has handed in and the gradebook knows the assignment.

        Args:
            own: whether nbgrader_config.py is the kit's; otherwise the kit is only what the notebooks import.
        """
        folder = self._scratch / "course"
        shutil.copytree(self._template(own), folder)
        try:
            write_class(COURSE / "release" / ASSIGNMENT / NOTEBOOK, folder / "submitted", class_)
            yield folder
        finally:
            shutil.rmtree(folder)

    def _template(self, own: bool) -> Path:
        if own not in self._ready:
            folder = make_course(self._scratch / ("ours" if own else "stock"), ())
            if not own:
                (folder / "nbgrader_config.py").write_text(STOCK_CONFIG, encoding="utf-8")
            line = nbgrader_command("generate_assignment", ASSIGNMENT)
            subprocess.run(line, cwd=folder, env=environment(folder), capture_output=True, check=True)
            self._ready[own] = folder
        return self._ready[own]
