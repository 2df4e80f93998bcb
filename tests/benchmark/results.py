"""What was measured, as it stands in docs/benchmark.json, and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmark.inside import Samples, Spent
from tests.benchmark.measure import Usage

STOCK, STOCK_BARE, PLUGIN, GRADE = "nbgrader", "nbgrader-bare", "nbgrader-with-kit", "autograder-grade"
"""The ways to grade a class: stock nbgrader on the notebooks as they are, and with the lesson's demonstrations deleted;
nbgrader with this folder's nbgrader_config.py; and `autograder grade`."""

PROJECTED = (STOCK, STOCK_BARE, PLUGIN)
"""What works through a class one after the other, so that a large class takes what a small one tells."""


@dataclass(frozen=True)
class Spread:
    """The median of what was measured, the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of at least one value."""
        values = list(values)
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Run:
    """A class that was graded once.

    Attributes:
        way: one of the ways above.
        drawn: whether everybody had drawn the plot, or nobody.
        size: how many students.
        usage: what it cost.
        mean_score: of the automatic points.
        right: how many of the exercises had full points, from 0 to 1; None in older measurements.
    """

    way: str
    drawn: bool
    size: int
    usage: Usage
    mean_score: float
    right: float | None = None


@dataclass
class Results:
    """All that one benchmark has measured so far.

    Attributes:
        complete: whether it came to its end.
        small: the sizes of the two classes from which the cost of a further submission follows.
        runs: whole classes.
        commands: by name, single commands on one notebook, each as often as it was run.
        checks: right or wrong answers -> exercise -> milliseconds of each `check(...)` in an open notebook.
        isolation: level -> milliseconds of a worker that does nothing, and of a whole submission.
        phases: whether everybody drew -> what each phase took, submission by submission.
    """

    machine: dict[str, Any]
    quick: bool = False
    complete: bool = False
    small: tuple[int, int] = (1, 10)
    runs: list[Run] = field(default_factory=list)
    commands: dict[str, list[Usage]] = field(default_factory=dict)
    checks: dict[str, Samples] = field(default_factory=dict)
    isolation: dict[str, Samples] = field(default_factory=dict)
    phases: dict[str, list[dict[str, Spent]]] = field(default_factory=dict)

    # --- what follows ---

    def usages(self, way: str, drawn: bool, size: int) -> list[Usage]:
        """Of every time that such a class was graded."""
        return [run.usage for run in self.runs if (run.way, run.drawn, run.size) == (way, drawn, size)]

    def sizes(self, way: str, drawn: bool) -> list[int]:
        """Of the classes that were graded so, in order."""
        return sorted({run.size for run in self.runs if (run.way, run.drawn) == (way, drawn)})

    def measured(self, way: str, drawn: bool, size: int, what: str) -> Spread | None:
        """`what` of a class, one of the attributes of `Usage`; None if it was not measured."""
        values = [getattr(usage, what) for usage in self.usages(way, drawn, size)]
        values = [value for value in values if value is not None]
        return Spread.of(values) if values else None

    def further(self, way: str, drawn: bool, what: str) -> float | None:
        """`what` each further submission adds, from the small classes."""
        few, many = (self.measured(way, drawn, size, what) for size in self.small)
        if few is None or many is None:
            return None
        return (many.median - few.median) / (self.small[1] - self.small[0])

    def projected(self, way: str, drawn: bool, size: int, what: str) -> float | None:
        """`what` a class takes if every further submission adds the same."""
        further = self.further(way, drawn, what)
        if further is None:
            return None
        return self.measured(way, drawn, self.small[0], what).median + (size - self.small[0]) * further

    def ratio(self, way: str, drawn: bool, size: int, what: str) -> float | None:
        """How many times as much `way` takes as `autograder grade`, measured or else projected."""
        ours, theirs = self.measured(GRADE, drawn, size, what), self.measured(way, drawn, size, what)
        other = theirs.median if theirs else self.projected(way, drawn, size, what)
        return other / ours.median if ours and other else None

    # --- the file ---

    def save(self, path: Path) -> None:
        """Write everything, whole or not at all."""
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(_rounded(asdict(self)), indent=1) + "\n", encoding="utf-8", newline="\n")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Results:
        """What `save` wrote."""
        data = json.loads(path.read_text(encoding="utf-8"))
        data["small"] = tuple(data["small"])
        data["runs"] = [Run(**{**run, "usage": Usage(**run["usage"])}) for run in data["runs"]]
        data["commands"] = {name: [Usage(**usage) for usage in usages] for name, usages in data["commands"].items()}
        data["phases"] = {
            who: [{phase: Spent(**spent) for phase, spent in one.items()} for one in submissions]
            for who, submissions in data["phases"].items()
        }
        return cls(**data)


def paired(values: Sequence[float], others: Sequence[float]) -> Spread:
    """The differences of what was measured in turns, round by round."""
    return Spread.of(value - other for value, other in zip(values, others, strict=True))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
