"""Course folders for tests of whole-class grading, and what is in their gradebooks."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import nbgrader.api
import pytest
from nbgrader.apps.nbgraderapp import NbGraderApp
from sqlalchemy import URL, NullPool, Select, create_engine, text
from traitlets.config import Application

from autograder import cli
from autograder.checks.judge import interrupted
from autograder.checks.results import SubmissionResult
from autograder.exercises import every_exercise
from autograder.grading import job
from autograder.grading.course import Course
from autograder.grading.grade_submission import Graded
from autograder.grading.job import Grader
from autograder.grading.private import make
from autograder.grading.reference import Reference
from autograder.grading.result_file import stored_results
from autograder.locale import choose_language, speaking, use_language
from autograder.sandbox.isolation import Level
from source.release import COURSE, nbgrader_environment, notebook_of
from tests.sample_class import ASSIGNMENT, CODE, Student, write_class

nbgrader.api.get_alembic_version = cache(nbgrader.api.get_alembic_version)  # it asks a program, for seconds

OWN_NOTEBOOKS = "c.RunInWorker.allow_basic = True\n"
"""They are known, and may be graded where a machine has no better level of isolation."""


def make_course(folder: Path, students: tuple[Student, ...], assignment: str = ASSIGNMENT) -> Path:
    """A course folder in which `students` have handed in."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = (COURSE / "nbgrader_config.py").read_text(encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(settings + OWN_NOTEBOOKS, encoding="utf-8")
    shutil.copytree(COURSE / "source" / assignment, folder / "source" / assignment)
    ignored = shutil.ignore_patterns("__pycache__", "private")
    shutil.copytree(COURSE / "reference", folder / "reference", ignore=ignored)
    (folder / "reference" / "secret.txt").write_text("0" * 64, encoding="ascii")
    give_private_cases(Reference(folder))
    if students:
        write_class(COURSE / "release" / assignment / notebook_of(assignment), folder / "submitted", students)
    return folder


_private: dict[str, bytes] = {}


def give_private_cases(reference: Reference) -> Reference:
    """Make the private cases without the audit of them, which takes longest. All these courses have one secret, and
    begin with one reference, so that they are made once."""
    folder = reference.folder / "private"
    folder.mkdir()
    if not _private:
        for exercise in every_exercise():
            make(reference, exercise)
        _private.update({path.name: path.read_bytes() for path in folder.glob("*.msgpack")})
    for name, content in _private.items():
        (folder / name).write_bytes(content)
    return reference


def many(number: int, **answers: str) -> tuple[Student, ...]:
    """`number` students with right answers, no two alike, and nothing to draw."""
    return tuple(
        Student(f"s{i:05}", "", answers={**CODE, **answers, "clip_gradients": CODE["clip_gradients"] + f"\n# {i}"})
        for i in range(number)
    )


def environment(course: Path) -> dict[str, str]:
    """For commands in `course`."""
    return nbgrader_environment(course) | {"AUTOGRADER_LANG": "en"}


@dataclass(frozen=True)
class Done:
    """What a command ended with, and what it said."""

    returncode: int
    stdout: str
    stderr: str


def run_here(main: Callable[[], None], folder: str | Path, environment: Mapping[str, str]) -> Done:
    """What a command ends with and says in this process: one of its own takes seconds to start."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    with (
        mock.patch.dict(os.environ, dict(environment), clear=True),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(streams[0]),
        contextlib.redirect_stderr(streams[1]),
        speaking(None),  # puts back the language that was spoken before
        pytest.raises(SystemExit) as ending,
    ):
        choose_language(None)
        use_language(None)
        main()
        sys.exit(0)
    return Done(ending.value.code, *(stream.buffer.getvalue().decode("utf-8") for stream in streams))


def command(*arguments: str, environment: Mapping[str, str] = os.environ) -> Done:
    """One of our commands."""
    return run_here(lambda: cli.main([str(argument) for argument in arguments]), os.path.sep, environment)


def grade(course: Path, *options: str, check: bool = True, assignment: str = ASSIGNMENT) -> Done:
    """`autograder grade` there."""
    line = ("grade", assignment, "--course", str(course), "--allow-basic", *options)
    done = command(*line, environment=environment(course))
    assert not check or done.returncode == 0, done
    return done


def run_nothing(monkeypatch: pytest.MonkeyPatch, note: Callable[[Any], None] = lambda submission: None) -> Any:
    """Grade without running any code: every check is not run. The stand-in for the host of workers is returned."""

    def unrun(submission, *_arguments):
        note(submission)
        checks = {exercise.id: interrupted(exercise, "not run") for exercise in submission.exercises}
        return Graded(SubmissionResult(checks), SimpleNamespace(outputs={}, observations={}), Level.STRONG)

    host = SimpleNamespace(level=Level.STRONG, unavailable={}, close=lambda: None)
    monkeypatch.setattr(job, "grade_submission", unrun)
    monkeypatch.setattr(job, "Host", lambda *_arguments, **_options: host)
    return host


class Inline:
    """In the place of the pool: one grader in this process, whose exceptions are results as there."""

    def __init__(self, _jobs, _seconds, _scratch, _prepare, settings, assignment, *_more):
        self._grader = Grader(settings, assignment)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def map(self, _function, items):
        for handed in items:
            try:
                yield handed, self._grader.grade(handed)
            except (Exception, SystemExit) as error:
                yield handed, error


def nbgrader(course: Path, *arguments: str) -> Done:
    """One of nbgrader's own commands there."""

    def main() -> None:
        try:
            NbGraderApp.launch_instance(list(arguments))
        finally:
            type(Application.instance()).clear_instance()  # the command's own application

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(course)
        done = run_here(main, course, environment(course))
    assert not done.returncode, done
    return done


def nbgrader_alone(course: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own, whose warnings and time are its own, too."""
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env=environment(course),
        capture_output=True,
        text=True,
        check=True,
    )


def hand_in(course: Path, student: str, files: Mapping[str, bytes | None | Callable[[Path], None]]) -> None:
    """Put `files` in place of what the student handed in: name -> content, None for a folder, or what makes it."""
    folder = course / "submitted" / student / ASSIGNMENT
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        elif callable(content):
            content(path)
        else:
            path.write_bytes(content)


def executed(course: Path, student: str, assignment: str = ASSIGNMENT) -> dict[str, Any]:
    """The student's executed notebook."""
    path = course / "autograded" / student / assignment / notebook_of(assignment)
    return json.loads(path.read_text(encoding="utf-8"))


Database = Path | str
"""A gradebook: a file, or the URL of a database."""


def rows(gradebook: Database, query: str | Select) -> list[Any]:
    """What `query` finds in a gradebook."""
    url = gradebook if isinstance(gradebook, str) else URL.create("sqlite", database=str(gradebook))
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return list(connection.execute(text(query) if isinstance(query, str) else query))


def grades_in(gradebook: Database) -> dict[str, dict[str, tuple[float | None, float | None, bool]]]:
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
    for student, cell, auto, manual, waits in rows(gradebook, query):
        assert cell not in found.setdefault(student, {}), "a grade is there twice"
        found[student][cell] = (auto, manual, bool(waits))
    return found


def times_in(course: Path) -> dict[str, str | None]:
    """Student -> when they handed in, in UTC."""
    with sqlite3.connect(course / "gradebook.db") as database:
        return dict(database.execute("SELECT student_id, timestamp FROM submitted_assignment"))


def comments_in(gradebook: Database) -> dict[str, dict[str, str | None]]:
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
    for student, cell, comment in rows(gradebook, query):
        found.setdefault(student, {})[cell] = comment
    return found


def differences(one: Path, other: Path, notebooks: bool = False) -> list[str]:
    """Who came out in another way in another course, and in what: "student: comments".

    Results hold points, promises, causes and messages. Everybody counts whom either of the courses knows.

    Args:
        notebooks: whether executed notebooks and the names of files beside them have to be equal, too.
    """

    def seen(course: Path) -> dict[str, dict[str, Any]]:
        whats: dict[str, dict[str, Any]] = {
            "result": dict(stored_results(Course(course), ASSIGNMENT)),
            "grades": grades_in(course / "gradebook.db"),
            "comments": comments_in(course / "gradebook.db"),
        }
        if notebooks:
            folders = {student: course / "autograded" / student / ASSIGNMENT for student in whats["result"]}
            whats["notebook"] = {student: executed(course, student) for student in folders}
            whats["files"] = {student: sorted(os.listdir(folder)) for student, folder in folders.items()}
        return whats

    ours, theirs = seen(one), seen(other)
    return [
        f"{student}: {what}"
        for what in ours
        for student in sorted({*ours[what], *theirs[what]})
        if ours[what].get(student) != theirs[what].get(student)
    ]


def total(grades: dict[str, tuple[float | None, float | None, bool]]) -> float:
    """The automatic points in all."""
    return sum(auto or 0.0 for auto, _manual, _waits in grades.values())
