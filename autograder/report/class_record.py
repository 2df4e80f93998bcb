"""What reports show of everybody in a class: points, and the result of each check."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from autograder.checks.results import SubmissionResult
from autograder.exercises import UnknownExercise, exercise
from autograder.locale import _


class Standing(StrEnum):
    """The state of a student's submission."""

    JUDGED = "judged"
    UNREADABLE = "unreadable"
    WITHOUT_RESULT = "graded, but without results"
    NOT_GRADED = "handed in, not graded"
    ABSENT = "not handed in"


@dataclass(frozen=True)
class CellGrade:
    """What the gradebook has for one cell; `waits` is true if a person has to look at it."""

    score: float
    auto: float | None
    manual: float | None
    waits: bool


@dataclass(frozen=True)
class Person:
    """A student in the gradebook, by nbgrader's names; `lms_user_id` is a learning management system's number."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""

    @property
    def details(self) -> dict[str, str]:
        """What is known beside the id."""
        return {name: text for name, text in vars(self).items() if text and name != "id"}

    @property
    def name(self) -> str:
        """ "Last, First", or as much of it as is known."""
        return ", ".join(part for part in (self.last_name, self.first_name) if part)


@dataclass(frozen=True)
class StudentRecord:
    """One student and their submission.

    Attributes:
        result: the results of the checks, or None if there are none.
        isolation: the level at which the code ran, or "".
        grades: cell -> grade; empty if the gradebook has no submission.
        penalty: the late penalty in the gradebook.
        handed_in: whether there is a folder in submitted/.
    """

    person: Person
    result: SubmissionResult | None = None
    isolation: str = ""
    grades: dict[str, CellGrade] = field(default_factory=dict)
    penalty: float = 0.0
    handed_in: bool = False

    @property
    def id(self) -> str:
        """The student's id."""
        return self.person.id

    @property
    def booked(self) -> bool:
        """Whether the gradebook has points for the submission."""
        return any(grade.auto is not None or grade.manual is not None for grade in self.grades.values())

    @property
    def score(self) -> float | None:
        """Total points, as in `nbgrader export`; the automatic points if the gradebook has none."""
        if self.booked:
            return max(0.0, sum(grade.score for grade in self.grades.values()) - self.penalty)
        return None if self.result is None else self.result.score

    @property
    def waiting(self) -> tuple[str, ...]:
        """The cells that a person has to grade."""
        return tuple(name for name, grade in self.grades.items() if grade.waits) if self.booked else ()

    @property
    def standing(self) -> Standing:
        """The submission's state."""
        if self.result is not None:
            return Standing.JUDGED if self.result.checks else Standing.UNREADABLE
        if self.booked:
            return Standing.WITHOUT_RESULT
        return Standing.NOT_GRADED if self.handed_in else Standing.ABSENT


@dataclass(frozen=True)
class ClassRecord:
    """Everybody who is in the gradebook, has handed in, or has a result; by id.

    Attributes:
        max: the points of the assignment.
        cells: graded cell -> its points, in the gradebook's order; empty if the gradebook does not know them.
        language: the language of the students and of the sentences in their results; None if unknown.
    """

    assignment: str
    max: float
    cells: dict[str, float]
    students: tuple[StudentRecord, ...]
    language: str | None = None

    def having(self, *standings: Standing) -> list[StudentRecord]:
        """The students whose submissions are in this state."""
        return [student for student in self.students if student.standing in standings]


def sentences_of(exercise_id: str) -> dict[str, str]:
    """Check -> its sentence in the current language; empty for an older kit's exercise."""
    try:
        return {check.id: _(check.sentence) for check in exercise(exercise_id).checks}
    except UnknownExercise:
        return {}
