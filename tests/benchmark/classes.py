"""The classes that are graded, and the course folders that they are graded in."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def answers_to(cell: str) -> list[str | None]:
    """What the sample students wrote in a solution cell, right and wrong; None for nothing."""
    students = [student for student in CLASS if student.id not in LEFT_OUT]
    answers = dict.fromkeys(student.answers.get(cell) for student in students)
    return [answer for answer in answers if answer is not None or cell in OPTIONAL]


def students(number: int, drawn: bool, demonstrations: bool = True) -> tuple[Student, ...]:
    """`number` students with answers drawn from the sample students', no two alike.

    The first of a class are the same students whatever its size, and with the same mistakes whether they drew or not.

    Args:
        drawn: whether everybody drew the plot and wrote the findings, or nobody.
        demonstrations: whether the lesson's own cells that nothing depends on are still in the notebooks.
    """
    choices = {cell: answers_to(cell) for cell in CODE}
    plots = [{cell: hand_in[cell] for cell in BY_HAND} for hand_in in (STAGED, TERSE)]
    mishap: Callable[[Notebook], Notebook] = as_it_is if demonstrations else without_demonstrations

    def student(i: int) -> Student:
        draw = random.Random(i)
        answers = {cell: answer for cell, texts in choices.items() if (answer := draw.choice(texts)) is not None}
        answers["clip_gradients"] += f"\n# s{i:05}"
        return Student(f"s{i:05}", "", answers | draw.choice(plots) if drawn else answers, mishap=mishap)

    return tuple(map(student, range(number)))


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
