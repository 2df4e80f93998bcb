"""The item analysis of a class: points, outcomes and causes of every check, and failures that no cause explains.

One mistake is one row: what a student's card calls the likely cause counts for each check that it fails, and once for
the solution cell, which may have several exercises. Where there is no known cause, students whose code behaved equally
are a group, see `Item.behaviour`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autograder.checks.diagnosis import Cause
from autograder.checks.results import Item, Outcome, SubmissionResult
from autograder.exercises import UnknownExercise, exercise
from autograder.notebooks.submission import CHECK_PREFIX
from autograder.report.class_record import ClassRecord, sentences_of
from autograder.report.class_words import cause_in_words
from autograder.report.statistics import ItemPoints
from autograder.report.words import WRONG


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


def analysis_of(record: ClassRecord) -> ItemAnalysis:
    """The item analysis of everybody whose code was judged."""
    found = ItemAnalysis(record.causes)
    for student in record.students:
        result = student.result
        if result and result.checks:
            found.add(student.id, result)
    return found


def analysis_json(record: ClassRecord) -> str:
    """The item analysis as JSON, in the current language."""
    found = analysis_of(record)
    data = {"assignment": record.assignment, **found.to_json(in_order(record, found.outcomes))}
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
