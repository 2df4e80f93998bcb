"""What reports show of everybody in a class: points, and the result of each check."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from autograder.checks.diagnosis import Cause
from autograder.checks.results import Ending, ExerciseResult, Item, Outcome, SubmissionResult
from autograder.exercises import UnknownExercise, exercise
from autograder.locale import _, speaking


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
class Lateness:
    """A submission that is late, or whose student has an extension; times are in UTC.

    Attributes:
        due: the student's own due date.
        seconds: how late it is; 0 if it is not.
        rule: what the late policy says of that, in words.
    """

    due: datetime
    handed_in: datetime | None
    seconds: float
    extended: bool
    reason: str
    rule: str


@dataclass(frozen=True)
class KeptResult:
    """A result in little memory, because a class may have thousands: unpacked, it takes ten times as much.

    Attributes:
        language: of its sentences; None for the current one.
    """

    score: float
    max: float
    status: str
    packed: bytes
    language: str | None

    @classmethod
    def of(cls, data: dict[str, Any], language: str | None) -> KeptResult:
        """Keep what `SubmissionResult.to_json` wrote."""
        packed = zlib.compress(json.dumps(data).encode())
        return cls(data["score"], data["max"], data["status"], packed, language)

    def unpack(self) -> SubmissionResult:
        """The result."""
        with speaking(self.language):
            return result_of(json.loads(zlib.decompress(self.packed)))


@dataclass(frozen=True)
class StudentRecord:
    """One student and their submission.

    Attributes:
        kept: the results of the checks, or None if there are none.
        isolation: the level at which the code ran, or "".
        grades: cell -> grade; empty if the gradebook has no submission.
        penalty: the late penalty in the gradebook.
        handed_in: whether there is a folder in submitted/.
        lateness: None if it is in time, without an extension.
    """

    person: Person
    kept: KeptResult | SubmissionResult | None = None
    isolation: str = ""
    grades: dict[str, CellGrade] = field(default_factory=dict)
    penalty: float = 0.0
    handed_in: bool = False
    lateness: Lateness | None = None

    @property
    def id(self) -> str:
        """The student's id."""
        return self.person.id

    @property
    def result(self) -> SubmissionResult | None:
        """The results of the checks, unpacked anew."""
        return self.kept.unpack() if isinstance(self.kept, KeptResult) else self.kept

    def opened(self) -> StudentRecord:
        """The same student with an unpacked result, for who looks at it more than once."""
        return replace(self, kept=self.result)

    @property
    def booked(self) -> bool:
        """Whether the gradebook has points for the submission."""
        return any(grade.auto is not None or grade.manual is not None for grade in self.grades.values())

    @property
    def score(self) -> float | None:
        """Total points, as in `nbgrader export`; the automatic points if the gradebook has none."""
        if self.booked:
            return max(0.0, sum(grade.score for grade in self.grades.values()) - self.penalty)
        return None if self.kept is None else self.kept.score

    @property
    def waiting(self) -> tuple[str, ...]:
        """The cells that a person has to grade."""
        return tuple(name for name, grade in self.grades.items() if grade.waits) if self.booked else ()

    @property
    def unscored(self) -> tuple[str, ...]:
        """Those of `waiting` that nobody has given points: the others keep theirs, and wait for another look."""
        return tuple(name for name in self.waiting if self.grades[name].manual is None)

    @property
    def standing(self) -> Standing:
        """The submission's state."""
        if self.kept is not None:
            return Standing.JUDGED if self.kept.status == "graded" else Standing.UNREADABLE
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
        causes: what the instructor wrote in causes.toml, by the digest of a behaviour.
    """

    assignment: str
    max: float
    cells: dict[str, float]
    students: tuple[StudentRecord, ...]
    language: str | None = None
    causes: Mapping[str, Cause] = field(default_factory=dict)

    def having(self, *standings: Standing) -> list[StudentRecord]:
        """The students whose submissions are in this state."""
        return [student for student in self.students if student.standing in standings]


def sentences_of(exercise_id: str) -> dict[str, str]:
    """Check -> its sentence in the current language; empty for an older kit's exercise."""
    try:
        return {check.id: _(check.sentence) for check in exercise(exercise_id).checks}
    except UnknownExercise:
        return {}


def result_of(data: dict[str, Any]) -> SubmissionResult:
    """The result that `SubmissionResult.to_json` wrote, with the sentences of today's checks."""
    checks = {
        name: ExerciseResult(
            name, _items(name, entry["items"]), entry["max"], Ending(entry["ending"]) if entry["ending"] else None
        )
        for name, entry in data["checks"].items()
    }
    return SubmissionResult(checks, data["message"], tuple(data["mended"]), tuple(data["looks"]))


def _items(name: str, entries: list[dict[str, Any]]) -> tuple[Item, ...]:
    sentences = sentences_of(name)
    return tuple(
        Item(
            entry["id"],
            sentences.get(entry["id"], entry["id"]),
            Outcome(entry["outcome"]),
            entry["points"],
            entry["max"],
            entry["message"],
            tuple(entry["causes"]),
            behaviour=entry.get("behaviour", ""),  # an older kit's result has none
        )
        for entry in entries
    )
