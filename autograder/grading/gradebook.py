"""nbgrader's gradebook: the released cells of an assignment, and the scores of submissions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from time import monotonic, sleep
from typing import Any

from nbformat.v4 import new_notebook
from nbgrader.api import (
    Assignment,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    new_uuid,
)
from sqlalchemy import insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SAWarning, SQLAlchemyError

from autograder.grading.changes import Booked, differ
from autograder.grading.course import Course, CourseError, Handed, is_of_another_version, unusable_gradebook
from autograder.grading.job import GradedFolder
from autograder.grading.late import doubts_on, late_policy, read_extensions
from autograder.grading.timestamp import read_timestamp
from autograder.locale import _
from autograder.notebooks.mend import ReleasedCell

LOCKED_TRIES = 10
"""How often to try a gradebook that another program has locked, or whose server is away for a moment."""

LONGEST_PAUSE = 1.0
"""In seconds, from one try to the next."""


class LatePolicyError(Exception):
    """The course's late policy failed; the message says how."""


def silence_link_warnings() -> None:
    """Hide a SQLAlchemy warning about the order in which nbgrader links objects; it is harmless."""
    warnings.filterwarnings("ignore", message=".*not in session, add operation along", category=SAWarning)


def released_cells(notebook: Notebook) -> dict[str, ReleasedCell]:
    """grade_id -> the released cell, in the order of the gradebook, which is the notebook's.

    Args:
        notebook: of an assignment, as `Gradebook.find_notebook` gives it.
    """
    found = {
        cell.name: ReleasedCell(
            cell.name, cell.cell_type, cell.source or "", locked=cell.locked, checksum=cell.checksum
        )
        for cell in notebook.source_cells
    }
    changes = [
        *((cell.name, {"grade": True, "points": cell.max_score}) for cell in notebook.grade_cells),
        *((cell.name, {"solution": True}) for cell in notebook.solution_cells),
        *((cell.name, {"task": True, "points": cell.max_score}) for cell in notebook.task_cells),
    ]
    for name, change in changes:
        found[name] = replace(found[name], **change)
    return found


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    """Retry while another program locks the gradebook, after a lost connection, or where another one booked first.

    SQLite waits for a lock by itself, 5 seconds at every try. What fails at once, such as a connection to a server that
    restarts, is tried again after a pause, which grows; another program's booking is there already.

    Then raise an error: the database's own where it may be one submission's fault.
    """

    @wraps(method)
    def wrapper(self: ClassGradebook, *arguments: Any) -> Any:
        for number in range(1, LOCKED_TRIES + 1):
            started = monotonic()
            try:
                return method(self, *arguments)
            except DBAPIError as caught:
                error = caught
                self.forget()
                if isinstance(error, (DataError, ProgrammingError)) or is_of_another_version(error.orig):
                    break  # waiting does not help
                if number < LOCKED_TRIES and not isinstance(error, IntegrityError):
                    sleep(max(0.0, min(LONGEST_PAUSE, number / 4) - (monotonic() - started)))
        if isinstance(error, (DataError, IntegrityError)):
            raise error
        raise unusable_gradebook(error.orig)

    return wrapper


class ClassGradebook(AbstractContextManager["ClassGradebook"]):
    """nbgrader's gradebook, opened to save the submissions of one assignment.

    Attributes:
        notebook: the name of the assignment's notebook.
        released: its cells, as in `released_cells`.
    """

    def __init__(self, course: Course, assignment: str) -> None:
        """Open the gradebook; an unknown assignment is generated first.

        Raises:
            CourseError: the assignment is missing or does not belong to this kit, or the late policy or extensions.csv
                cannot be used.
        """
        self._course, self._assignment = course, assignment
        self._gradebook: Any = None  # until it is open: opening it is tried again, too
        silence_link_warnings()
        self._late_policy = late_policy(course.config)
        self._extensions = read_extensions(course, assignment)
        self._gradebook = self._open()

    def __exit__(self, *_error: Any) -> None:
        self._gradebook.close()

    @_patient
    def has(self, handed: Handed) -> bool:
        """Whether the gradebook knows the submission, and its executed notebook is there."""
        return (handed.target / f"{self.notebook}.ipynb").is_file() and self._submission(handed) is not None

    @_patient
    def save(self, handed: Handed, graded: GradedFolder) -> None:
        """Save a submission's scores and comments as nbgrader's autograde does; what people gave by hand stays."""
        submission, gradebook = self._submission(handed), self._gradebook
        if submission is None:
            self._add(handed, graded)
        else:
            (notebook,) = submission.notebooks
            for grade in notebook.grades:
                grade.auto_score = graded.scores.get(self._name_of(grade))
                grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
            for comment in notebook.comments:
                comment.auto_comment = graded.comments.get(self._name_of(comment))
        gradebook.db.commit()
        gradebook.db.expunge_all()  # what is saved need not stay in memory

    def _add(self, handed: Handed, graded: GradedFolder) -> None:
        """Insert what nbgrader's `add_student` and `add_submission` make, which commit and ask for it step by step."""
        db, (submission, notebook) = self._gradebook.db, (new_uuid(), new_uuid())
        if db.get(Student, handed.student) is None:
            db.execute(insert(Student).values(id=handed.student))
        owner = {"assignment_id": self._assignment_id, "student_id": handed.student}
        when = read_timestamp(handed.folder)[0]  # so that `penalise` has nothing to write for who is in time
        db.execute(insert(SubmittedAssignment).values(id=submission, timestamp=when, **owner))
        mirrored = {"assignment_id": submission, "notebook_id": self._notebook_id}
        db.execute(insert(SubmittedNotebook).values(id=notebook, **mirrored))
        scores = {id: graded.scores.get(name) for id, name in self._graded.items()}
        grades = [{"cell_id": id, "auto_score": s, "needs_manual_grade": s is None} for id, s in scores.items()]
        texts = {id: graded.comments.get(name) for id, name in self._commented.items()}
        comments = [{"cell_id": id, "auto_comment": text} for id, text in texts.items()]
        for table, rows in ((Grade, grades), (Comment, comments)):
            if rows:
                db.execute(insert(table), [{"notebook_id": notebook, **row} for row in rows])

    @_patient
    def penalise(self, handed: Handed) -> tuple[Booked, Booked] | None:
        """Save the submission time, the extension, and the penalty by the current due date and policy.

        Returns:
            The state before and after, if the time or the penalty has changed.

        Raises:
            LatePolicyError: the policy failed; the penalty is unchanged.
        """
        gradebook = self._gradebook
        submission = gradebook.find_submission(self._assignment, handed.student)
        (notebook,) = submission.notebooks
        before = submission.timestamp, notebook.late_submission_penalty or 0.0
        submission.timestamp = read_timestamp(handed.folder)[0]
        submission.extension = self._extension(submission)
        late = submission.total_seconds_late > 0
        if not late:
            notebook.late_submission_penalty = None
        gradebook.db.commit()
        try:
            if late:
                self._apply_policy(handed)
                gradebook.db.refresh(notebook)
            after = submission.timestamp, notebook.late_submission_penalty or 0.0
            if before[0] == after[0] and not differ(before[1], after[1]):
                return None
            return _booked(submission, before[1]), _booked(submission, after[1])
        finally:
            gradebook.db.expunge_all()

    def _extension(self, submission: SubmittedAssignment) -> timedelta | None:
        """The extension by extensions.csv, which takes no time away; without such a file, the gradebook's own."""
        due = submission.assignment.duedate
        if due is None:
            return None
        if self._extensions is None:
            return submission.extension
        given = self._extensions.get(submission.student_id)
        return given.due - due if given and given.due > due else None

    @_patient
    def doubts(self, here: set[str]) -> dict[str, str]:
        """Student -> why their extension changes nothing; `here`: who has submitted."""
        due = self._gradebook.find_assignment(self._assignment).duedate
        return dict(doubts_on(self._extensions or {}, here | self.students(), due))

    @_patient
    def booked(self, handed: Handed) -> Booked:
        """The submission's points, with hand-given ones and the late penalty; 0 where there is none."""
        submission = self._submission(handed)
        return _booked(submission, submission.late_submission_penalty) if submission else Booked(0.0)

    @_patient
    def given(self, handed: Handed) -> set[str]:
        """The cells of a submission that have points by hand."""
        submission = self._submission(handed)
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades] if submission else []
        return {self._name_of(grade) for grade in grades if grade.manual_score is not None}

    def forget(self) -> None:
        """Roll back what `save` could not finish."""
        if self._gradebook is not None:
            with suppress(DBAPIError):  # no connection: the server has rolled back
                self._gradebook.db.rollback()
            self._gradebook.db.expunge_all()

    @_patient
    def students(self) -> set[str]:
        """The ids of everybody in the gradebook."""
        return {id for (id,) in self._gradebook.db.query(Student.id)}

    @_patient
    def submitters(self) -> set[str]:
        """The ids of those whose submission has been graded."""
        query = self._gradebook.db.query(SubmittedAssignment.student_id)
        own = query.join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        return {id for (id,) in own.filter(Assignment.name == self._assignment)}

    def _submission(self, handed: Handed) -> SubmittedAssignment | None:
        with suppress(MissingEntry):
            return self._gradebook.find_submission(self._assignment, handed.student)
        return None

    def _name_of(self, entry: Grade | Comment) -> str:
        """The cell of an entry. Asking the entry itself takes one query per cell and student."""
        return self._graded.get(entry.cell_id) or self._commented.get(entry.cell_id) or entry.name

    def _apply_policy(self, handed: Handed) -> None:
        names = {
            "notebook": self.notebook,
            "assignment": self._assignment,
            "student": handed.student,
            "db_url": self._course.database,
        }
        try:
            self._late_policy.preprocess(new_notebook(), {"nbgrader": names})
        except SQLAlchemyError:
            raise
        except Exception as error:  # an instructor's own plug-in
            reason = f"{type(error).__name__}: {error}"
            raise LatePolicyError(_("The late policy ended with an error: {reason}").format(reason=reason)) from error

    @_patient
    def _open(self) -> Gradebook:
        gradebook, notebooks = self._opened()
        if not notebooks:
            gradebook.close()
            self._course.generate(self._assignment)
            gradebook, notebooks = self._opened()
        if len(notebooks) != 1:
            gradebook.close()
            raise CourseError(
                _("{name} has {n} notebooks; this command grades only assignments with one notebook.").format(
                    name=self._assignment, n=len(notebooks)
                )
            )
        (notebook,) = notebooks
        self.notebook, self.released = notebook.name, released_cells(notebook)
        self._assignment_id, self._notebook_id = notebook.assignment_id, notebook.id
        self._graded = {cell.id: cell.name for cell in (*notebook.grade_cells, *notebook.task_cells)}
        self._commented = {cell.id: cell.name for cell in (*notebook.solution_cells, *notebook.task_cells)}
        gradebook.db().expire_on_commit = False  # `save` reads nothing that it has committed
        return gradebook

    def _opened(self) -> tuple[Gradebook, list[Notebook]]:
        """The gradebook, and what it knows of the assignment's notebooks: none if it has a due date at the most."""
        gradebook = Gradebook(self._course.database, self._course.directory.course_id)
        with suppress(MissingEntry):
            return gradebook, gradebook.find_assignment(self._assignment).notebooks
        return gradebook, []


def _booked(submission: SubmittedAssignment, penalty: float) -> Booked:
    return Booked(max(0.0, submission.score - penalty), penalty)
