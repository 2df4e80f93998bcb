"""Course folders for tests of whole-class grading, and what is in their gradebooks."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from source.release import COURSE, NOTEBOOK, nbgrader_environment
from tests.sample_class import CODE, Student, write_class

ASSIGNMENT = "gradient-pathology"


def make_course(folder: Path, students: tuple[Student, ...], assignment: str = ASSIGNMENT) -> Path:
    """A course folder in which `students` have handed in."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(COURSE / "nbgrader_config.py", folder)
    shutil.copytree(COURSE / "source" / assignment, folder / "source" / assignment)
    shutil.copytree(COURSE / "reference", folder / "reference", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "reference" / "secret.txt").write_text("0" * 64, encoding="ascii")
    if students:
        write_class(COURSE / "release" / assignment / NOTEBOOK, folder / "submitted", students)
    return folder


def many(number: int, **answers: str) -> tuple[Student, ...]:
    """`number` students with right answers, no two alike, and nothing to draw."""
    return tuple(
        Student(f"s{i:05}", "", answers={**CODE, **answers, "clip_gradients": CODE["clip_gradients"] + f"\n# {i}"})
        for i in range(number)
    )


def environment(course: Path) -> dict[str, str]:
    """For commands in `course`."""
    return nbgrader_environment(course) | {"AUTOGRADER_LANG": "en"}


def grade(
    course: Path, *options: str, check: bool = True, assignment: str = ASSIGNMENT
) -> subprocess.CompletedProcess[str]:
    """`autograder grade` there."""
    return subprocess.run(
        [sys.executable, "-m", "autograder", "grade", assignment, "--course", str(course), *options],
        env=environment(course),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=check,
        cwd=os.path.sep,
    )


def nbgrader(course: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of nbgrader's own commands there."""
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env=environment(course),
        capture_output=True,
        text=True,
        check=True,
    )


def run(course: Path, *arguments: str, check: bool = True) -> str:
    """What one of our commands prints there, errors included."""
    command = [sys.executable, "-m", "autograder", *arguments]
    return subprocess.run(
        command,
        cwd=course,
        env=environment(course),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=check,
    ).stdout


def executed(course: Path, student: str) -> dict[str, Any]:
    """The student's executed notebook."""
    path = course / "autograded" / student / ASSIGNMENT / NOTEBOOK
    return json.loads(path.read_text(encoding="utf-8"))


def grades_in(gradebook: Path) -> dict[str, dict[str, tuple[float | None, float | None, bool]]]:
    """Student -> cell -> (automatic score, score by hand, whether it waits for a person)."""
    query = """
        SELECT student.id, base_cell.name, grade.auto_score, grade.manual_score, grade.needs_manual_grade
        FROM grade
        JOIN base_cell ON base_cell.id = grade.cell_id
        JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
        JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
        JOIN student ON student.id = submitted_assignment.student_id
    """
    found: dict[str, dict[str, tuple]] = {}
    with sqlite3.connect(gradebook) as database:
        for student, cell, auto, manual, waits in database.execute(query):
            assert cell not in found.setdefault(student, {}), "a grade is there twice"
            found[student][cell] = (auto, manual, bool(waits))
    return found


def comments_in(gradebook: Path) -> dict[str, dict[str, str | None]]:
    """Student -> cell -> automatic comment."""
    query = """
        SELECT student.id, base_cell.name, comment.auto_comment
        FROM comment
        JOIN base_cell ON base_cell.id = comment.cell_id
        JOIN submitted_notebook ON submitted_notebook.id = comment.notebook_id
        JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
        JOIN student ON student.id = submitted_assignment.student_id
    """
    found: dict[str, dict[str, str | None]] = {}
    with sqlite3.connect(gradebook) as database:
        for student, cell, comment in database.execute(query):
            found.setdefault(student, {})[cell] = comment
    return found


def total(grades: dict[str, tuple[float | None, float | None, bool]]) -> float:
    """The automatic points in all."""
    return sum(auto or 0.0 for auto, _manual, _waits in grades.values())
