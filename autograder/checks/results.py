"""The results of checks: every report shows them, and they are written as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from autograder.checks.unreached import Unreached
from autograder.checks.values import Raised


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ATTEMPTED = "not attempted"
    RAISED = "raised"
    STOPPED = "stopped"
    BLOCKED = "blocked"
    GRADER_ERROR = "grader error"


class Ending(StrEnum):
    """How code ended that left nothing to judge, and no error to show."""

    OUT_OF_TIME = "out of time"
    PROCESS_ENDED = "process ended"
    UNREADABLE = "unreadable reply"


@dataclass(frozen=True)
class Item:
    """The result of one check.

    Attributes:
        sentence: the requirement, in the student's language.
        points, max: earned and possible.
        seen: what was seen, in words; "" if the check passed.
        causes: ids of the known mistakes that explain it equally well; usually none or one.
        picture: where in an array the error is, see `autograder.checks.numeric.Mismatch`.
        cause, question: the likely cause, and a question about it, or "".
        words: how it came about as far as this shows, or "".
        printed: the first lines that the student's code printed in the case that failed.
        unwritten: whether the failure says that a part is not written yet, which is a cause of its own.
        overlooked: whether the failure says that what is not finite went unnoticed.
        unreached: a line of the student's code that does not run, if `words` tell of it.
        compared: whether the failure says no more than two numbers that differ.
        behaviour: if no known mistake explains the failure, a digest of what was observed, equal for equal behaviour.
        case: the case that failed, if it is a public one; it is in no file.
        raised: the exception of the student's code that ended the case, if one did; it is in no file either.
    """

    id: str
    sentence: str
    outcome: Outcome
    points: float
    max: float
    seen: str = ""
    causes: tuple[str, ...] = ()
    picture: tuple[str, ...] = ()
    cause: str = ""
    question: str = ""
    words: str = ""
    printed: str = ""
    unwritten: bool = False
    overlooked: bool = False
    unreached: Unreached | None = None
    compared: bool = False
    behaviour: str = ""
    case: Any = field(default=None, compare=False, repr=False)
    raised: Raised | None = field(default=None, compare=False, repr=False)

    @property
    def full(self) -> bool:
        """Whether all points are earned; a crash of the checker costs nothing."""
        return self.outcome in (Outcome.PASSED, Outcome.GRADER_ERROR)

    @property
    def told(self) -> str:
        """What was seen, and how it came about."""
        return " ".join(filter(None, (self.words, self.seen)))

    @property
    def message(self) -> str:
        """What a student is told: the cause, what was seen, the question."""
        return "\n".join(filter(None, (self.cause, self.told, self.question)))

    def to_json(self) -> dict[str, Any]:
        """The item as in a results file."""
        return {
            "id": self.id,
            "outcome": self.outcome.value,
            "points": self.points,
            "max": self.max,
            "message": self.message,
            "cause": self.causes[0] if self.causes else None,
            "causes": list(self.causes),
            "behaviour": self.behaviour,
        }


@dataclass(frozen=True)
class ExerciseResult:
    """The results of all checks of one exercise.

    Attributes:
        worth: the points of the exercise in the notebook; None means the sum of its items.
        ending: how the student's code ended, if it was stopped or died before it could be judged; otherwise None.
    """

    id: str
    items: tuple[Item, ...]
    worth: float | None = None
    ending: Ending | None = None

    @property
    def score(self) -> float:
        """Points earned, at least 0 and at most `max`."""
        return self.max if self.full else min(float(sum(item.points for item in self.items)), self.max)

    @property
    def max(self) -> float:
        """Points possible."""
        return float(sum(item.max for item in self.items)) if self.worth is None else self.worth

    @property
    def full(self) -> bool:
        """Whether every check earned all points."""
        return all(item.full for item in self.items)

    @property
    def untouched(self) -> bool:
        """Whether nothing is written yet."""
        return bool(self.items) and all(item.outcome is Outcome.NOT_ATTEMPTED for item in self.items)

    @property
    def share(self) -> float:
        """The earned share of the points."""
        return self.score / self.max if self.max else float(self.full)

    def scaled_to(self, points: float) -> ExerciseResult:
        """The same results with `points` as the points of the exercise."""
        if points == self.max:
            return self
        scale = points / self.max
        items = (replace(item, points=item.points * scale, max=item.max * scale) for item in self.items)
        return replace(self, items=tuple(items), worth=points)

    def to_json(self) -> dict[str, Any]:
        """The exercise as in a results file."""
        return {
            "score": self.score,
            "max": self.max,
            "ending": self.ending and self.ending.value,
            "items": [item.to_json() for item in self.items],
        }


@dataclass(frozen=True)
class SubmissionResult:
    """The result of one notebook.

    Attributes:
        checks: by exercise id; empty if the notebook could not be judged.
        message: why it could not be judged, or "".
        mended: repairs to the notebook before it was judged.
        looks: why a person should look at it, although it was judged.
    """

    checks: dict[str, ExerciseResult] = field(default_factory=dict)
    message: str = ""
    mended: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """ "graded", or "failed" if the notebook could not be judged."""
        return "graded" if self.checks else "failed"

    @property
    def score(self) -> float:
        """Points earned."""
        return sum(result.score for result in self.checks.values())

    @property
    def max(self) -> float:
        """Points possible."""
        return sum(result.max for result in self.checks.values())

    def to_json(self) -> dict[str, Any]:
        """The submission as in a results file."""
        return {
            "status": self.status,
            "message": self.message,
            "mended": list(self.mended),
            "looks": list(self.looks),
            "score": self.score,
            "max": self.max,
            "checks": {name: result.to_json() for name, result in self.checks.items()},
        }


def results_file(assignment: str, isolation: str, submissions: dict[str, SubmissionResult]) -> dict[str, Any]:
    """The content of a results file: every submission by student."""
    from autograder import __version__

    return {
        "assignment": assignment,
        "kit": __version__,
        "isolation": isolation,
        "submissions": {student: result.to_json() for student, result in submissions.items()},
    }
