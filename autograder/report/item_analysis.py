"""The item analysis of a class: points, outcomes and causes of every check, and failures that no cause explains.

The facility of an item is the mean share of its points that was earned, 1 if everybody has full points. Its
discrimination is the corrected item-total correlation, Pearson's correlation over students between the points of the
item and the rest of the score, which leaves the item itself out:

    facility_j       = mean_i(x_ij) / max_j
    discrimination_j = cov(x_j, r_j) / (sd(x_j) sd(r_j)),   r_ij = sum_{k != j} x_ik

Sources: Crocker and Algina, Introduction to Classical and Modern Test Theory, 1986, chapter 14;
https://docs.moodle.org/dev/Quiz_statistics_calculations (facility index, discrimination index);
https://easystats.github.io/performance/reference/item_discrimination.html (which also says what is usual: above 0.2).

One mistake is one row: what a student's card calls the likely cause counts for each check that it fails, and once for
the solution cell, which may have several exercises. Where there is no known cause, students whose code behaved equally
are a group, see `Item.behaviour`.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.diagnosis import Cause
from autograder.checks.results import Item, Outcome, SubmissionResult
from autograder.exercises import UnknownExercise, exercise
from autograder.notebooks.submission import CHECK_PREFIX
from autograder.report.class_record import ClassRecord, sentences_of
from autograder.report.class_words import cause_in_words
from autograder.report.words import WRONG

FEWEST = 3
"""Between two students every correlation is 1 or -1."""

NO_SPREAD = 1e-9
"""Points that differ by less differ only by rounding."""


@dataclass(frozen=True)
class ItemStatistics:
    """The results of a class in one check or one exercise.

    Attributes:
        students: the number of students with a result for it.
        discrimination: None if undefined: too few students, or no spread in the item or in the rest.
    """

    max: float
    students: int
    facility: float
    discrimination: float | None


def discrimination(item: np.ndarray, rest: np.ndarray) -> float | None:
    """The correlation of two columns of points; None if undefined."""
    if len(item) < FEWEST or min(np.ptp(item), np.ptp(rest)) < NO_SPREAD:
        return None
    return float(np.corrcoef(item, rest)[0, 1])


class ItemPoints:
    """The points of a class in every check and exercise: all that the analysis needs of results, in little memory."""

    def __init__(self) -> None:
        self._columns: dict[tuple[str, str | None], array[float]] = defaultdict(lambda: array("d"))

    def add(self, result: SubmissionResult) -> None:
        """Count one student's result."""
        for name, found in result.checks.items():
            self._columns[name, None].extend((found.score, found.max, result.score))
            for item in found.items:
                self._columns[name, item.id].extend((item.points, item.max, result.score))

    def statistics(self, exercise: str, check: str | None = None) -> ItemStatistics:
        """Facility and discrimination of a check, or of a whole exercise, among students with a result for it.

        Raises:
            ValueError: nobody has a result.
        """
        if (exercise, check) not in self._columns:
            raise ValueError(f"nobody has a result for {exercise}, {check}")
        item, maxima, scores = np.reshape(self._columns[exercise, check], (-1, 3)).T
        shares = np.divide(item, maxima, out=np.zeros(len(item)), where=maxima > 0)  # an exercise may have no points
        return ItemStatistics(float(maxima[-1]), len(item), float(np.mean(shares)), discrimination(item, scores - item))


@dataclass
class Group:
    """Students whose code departs equally from the right one in a solution cell.

    Attributes:
        checks: exercise -> its checks that failed for it.
        students: their ids.
        seen: what the first of them was told.
    """

    checks: dict[str, list[str]]
    seen: str
    students: list[str] = field(default_factory=list)


@dataclass
class ItemAnalysis:
    """What is counted, one student after the other.

    Attributes:
        own: what the instructor wrote in causes.toml.
        outcomes: exercise -> check -> how often it ended how.
        causes: (exercise, check) -> cause in words -> the number of students; "" for those without one.
        mistakes: (solution cell, cause in words) -> the number of students.
        either: the same, of those students for whom there is another cause that is as likely, in every check.
        where: the same, and the exercises of that cell in which it was found.
        groups: digest of a behaviour -> students, without those for whom there is a cause.
    """

    own: Mapping[str, Cause] = field(default_factory=dict)
    judged: int = 0
    points: ItemPoints = field(default_factory=ItemPoints)
    outcomes: dict[str, dict[str, Counter[Outcome]]] = field(default_factory=dict)
    causes: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    mistakes: Counter[tuple[str, str]] = field(default_factory=Counter)
    either: Counter[tuple[str, str]] = field(default_factory=Counter)
    where: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    groups: dict[str, Group] = field(default_factory=dict)

    def add(self, student: str, result: SubmissionResult) -> None:
        """Count the result of one student whose code was judged."""
        self.judged += 1
        self.points.add(result)
        told: dict[tuple[str, str], bool] = {}
        for name, found in result.checks.items():
            checks = self.outcomes.setdefault(name, {})
            for item in found.items:
                checks.setdefault(item.id, Counter())[item.outcome] += 1
                words = self._words(name, item)
                if item.outcome in WRONG:
                    self.causes[name, item.id].update(words or {""})
                for mistake in [(_solution_of(name), cause) for cause in words]:
                    told[mistake] = told.get(mistake, True) and len(words) > 1
                    self.where[mistake].add(name)
        self._group(student, result)
        self.mistakes.update(told.keys())
        self.either.update(mistake for mistake, doubtful in told.items() if doubtful)

    def failed(self, exercise: str, check: str) -> int:
        """How many students failed a check."""
        return sum(self.outcomes[exercise][check][outcome] for outcome in WRONG)

    def shares(self, exercise: str, check: str) -> list[tuple[str, int, float]]:
        """Cause in words, number of students, and share of those who failed the check; "", no cause, is the last."""
        failed = self.failed(exercise, check)
        ranked = sorted(self.causes[exercise, check].items(), key=lambda entry: (not entry[0], -entry[1], entry[0]))
        return [(cause, n, n / failed) for cause, n in ranked]

    def largest(self) -> list[tuple[str, Group]]:
        """The groups, the largest first."""
        return sorted(self.groups.items(), key=lambda entry: (-len(entry[1].students), *entry[1].checks, entry[0]))

    def to_json(self, exercises: Iterable[str]) -> dict[str, Any]:
        """All of it, with the exercises in this order."""
        order = list(exercises)
        return {
            "judged": self.judged,
            "causes": [
                {
                    "cause": mistake[1],
                    "exercises": [name for name in order if name in self.where[mistake]],
                    "students": n,
                    "or another": self.either[mistake],
                }
                for mistake, n in self.mistakes.most_common()
            ],
            "exercises": {name: self._exercise(name) for name in order},
            "groups": [
                {"behaviour": digest, "size": len(group.students), "example": group.students[0], **vars(group)}
                for digest, group in self.largest()
            ],
        }

    def _exercise(self, name: str) -> dict[str, Any]:
        sentences = sentences_of(name)
        return {
            **vars(self.points.statistics(name)),
            "checks": {
                check: {
                    "sentence": sentences.get(check, check),
                    **vars(self.points.statistics(name, check)),
                    "outcomes": {str(outcome): n for outcome, n in counts.items()},
                    "causes": [
                        {"cause": cause or None, "students": n, "share": share}
                        for cause, n, share in self.shares(name, check)
                    ],
                }
                for check, counts in self.outcomes[name].items()
            },
        }

    def _words(self, exercise: str, item: Item) -> set[str]:
        return {cause_in_words(exercise, cause, self.own) for cause in item.causes}

    def _group(self, student: str, result: SubmissionResult) -> None:
        alike: dict[str, Group] = {}
        for name, found in result.checks.items():
            for item in found.items:
                if item.behaviour and not item.causes:
                    group = alike.setdefault(item.behaviour, Group({}, item.message))
                    group.checks.setdefault(name, []).append(item.id)
        for digest, group in alike.items():
            self.groups.setdefault(digest, group).students.append(student)


def _solution_of(name: str) -> str:
    """The solution cell of an exercise; an older kit's stands for itself."""
    try:
        return exercise(name).solution
    except UnknownExercise:
        return name


def in_order(record: ClassRecord, names: Iterable[str]) -> list[str]:
    """The exercises in the order of the gradebook, which is that of the notebook; unknown ones last."""
    places = {cell.removeprefix(CHECK_PREFIX): place for place, cell in enumerate(record.cells)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


def analysis_json(record: ClassRecord) -> str:
    """The item analysis as JSON, in the current language."""
    found = ItemAnalysis(record.causes)
    for student in record.students:
        result = student.result
        if result and result.checks:
            found.add(student.id, result)
    data = {"assignment": record.assignment, **found.to_json(in_order(record, found.outcomes))}
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
