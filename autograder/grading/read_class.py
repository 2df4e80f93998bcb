"""What is known of everybody in a class: their results and nbgrader's gradebook, read together.

Grades come from the gradebook, which knows what people gave by hand; what each check found comes from the results.
Nothing is written, and who is in one of the two alone is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbgrader.api import BaseCell, Grade, Gradebook, MissingEntry, Student, SubmittedAssignment, SubmittedNotebook
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from autograder.grading.course import Course, CourseError, refuse_elsewhere, unusable_gradebook
from autograder.grading.late import Rules, lateness_of, read_extensions
from autograder.grading.own_causes import read_causes
from autograder.grading.result_file import stored_results
from autograder.locale import _
from autograder.notebooks.load import as_text
from autograder.report.class_record import CellGrade, ClassRecord, KeptResult, Person, StudentRecord


def read_class(course: Course, assignment: str) -> ClassRecord:
    """Everything known of `assignment`.

    Raises:
        CourseError: there is no such assignment, nobody has been graded for it, or the gradebook cannot be read.
    """
    handed_in = {as_text(handed.student) for handed in course.handed_in(assignment)}
    language = course.language(assignment)
    stored: dict[str, dict[str, Any]] = {
        student: {"kept": KeptResult.of(found.result, language), "isolation": found.isolation}
        for student, found in stored_results(course, assignment, done=True)
    }
    with _gradebook(course.directory) as gradebook:
        cells, booked = _read(gradebook, course, assignment) if gradebook else (None, {})
    if not (stored or cells is not None or handed_in or course.source(assignment).is_dir()):
        raise course.unknown(assignment)
    students = tuple(
        replace(
            booked.get(student, StudentRecord(Person(student))),
            handed_in=student in handed_in,
            **stored.get(student, {}),
        )
        for student in sorted({*booked, *stored, *handed_in})
    )
    if all(student.score is None for student in students):
        raise CourseError(
            _("No submission of {name} has been graded yet. First run: autograder grade {name}").format(name=assignment)
        )
    cells = cells or {}
    most = sum(cells.values()) or max((student.kept.max for student in students if student.kept), default=0.0)
    return ClassRecord(assignment, most, cells, students, language, read_causes(course.folder))


def read_people(directory: Any) -> dict[str, Person]:
    """id -> everybody in the gradebook; empty where there is none yet.

    Args:
        directory: nbgrader's CourseDirectory.

    Raises:
        CourseError: the gradebook cannot be read.
    """
    with _gradebook(directory) as gradebook:
        return _people(gradebook) if gradebook else {}


@contextmanager
def _gradebook(directory: Any) -> Iterator[Gradebook | None]:
    """nbgrader's gradebook, or None where there is none yet."""
    refuse_elsewhere(directory)
    url = make_url(directory.db_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():  # opening would make it
        yield None
        return
    try:
        with Gradebook(directory.db_url, directory.course_id) as gradebook:
            yield gradebook
    except DBAPIError as error:
        raise unusable_gradebook(error.orig) from error


def _people(gradebook: Gradebook) -> dict[str, Person]:
    people = {}
    for student in gradebook.db.query(Student):
        names = (student.first_name, student.last_name, student.email, student.lms_user_id)
        people[student.id] = Person(student.id, *(text or "" for text in names))
    return people


def _read(
    gradebook: Gradebook, course: Course, assignment: str
) -> tuple[dict[str, float] | None, dict[str, StudentRecord]]:
    """The graded cells with their points, None if the assignment is unknown; and everybody, with what is booked."""
    booked = {id: StudentRecord(person) for id, person in _people(gradebook).items()}
    try:
        entry = gradebook.find_assignment(assignment)
    except MissingEntry:
        return None, booked
    graded = (cell for notebook in entry.notebooks for cell in (*notebook.grade_cells, *notebook.task_cells))
    cells = {cell.name: cell.max_score for cell in graded}
    mine = SubmittedAssignment.assignment_id == entry.id
    given, rules = read_extensions(course, assignment) or {}, Rules(course.config)
    columns = ("student_id", "late_submission_penalty", "extension", "timestamp")
    query = gradebook.db.query(*(getattr(SubmittedAssignment, column) for column in columns))
    for student, penalty, extension, handed_in in query.filter(mine):
        reason = given[student].reason if student in given else ""
        lateness = lateness_of(entry.duedate, extension, handed_in, rules, reason)
        record = booked.get(student, StudentRecord(Person(student)))
        booked[student] = replace(record, penalty=penalty or 0.0, lateness=lateness)
    grades: dict[str, dict[str, CellGrade]] = defaultdict(dict)
    columns = ("score", "auto_score", "manual_score", "needs_manual_grade")
    query = (
        gradebook.db.query(SubmittedAssignment.student_id, BaseCell.name, *(getattr(Grade, name) for name in columns))
        .select_from(Grade)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
    )
    for student, cell, *grade in query.filter(mine):
        grades[student][cell] = CellGrade(*grade)
    for student, found in grades.items():  # a database gives rows in any order: in the notebook's
        booked[student] = replace(booked[student], grades={cell: found[cell] for cell in cells if cell in found})
    return cells, booked
