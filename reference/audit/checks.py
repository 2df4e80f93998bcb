"""Tests the checks: every known mistake must lose points in the checks it names, and right solutions must lose none.

The mistakes and the right but unusual variants are in `reference/`. Each is judged on cases from many seeds, as are the
reference and an empty notebook.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Implementation, keep_random_state
from autograder.checks.judge import Trial, falls_short, judge
from autograder.checks.numeric import watch
from autograder.checks.results import ExerciseResult, Outcome
from autograder.exercises import every_exercise
from autograder.exercises.recorded import Expectation, trials
from autograder.grading.reference import Reference
from autograder.locale import choose_language
from reference import bank

Check = str
"""A check's full name, "exercise.check"."""

MATRIX_SEEDS = 10
"""The number of seeds on which every exercise of its cell judges a mistake; on the others, only those that it names,
which decide. So the matrix costs little."""


MOST = {"detail": 1 / 3, "core": 2 / 3, "all": 1.0}
"""The share of an exercise's points that one mistake may cost, by what it touches."""


@dataclass(frozen=True)
class Survivor:
    """A known mistake that passed a check that it names."""

    mistake: str
    check: Check
    seed: int


@dataclass(frozen=True)
class FalseReject:
    """A right implementation that lost points."""

    implementation: str
    check: Check
    seed: int
    message: str


@dataclass
class Audit:
    """What an audit found.

    Attributes:
        checks: the full names of all checks.
        catches: by mistake, on how many of the first `MATRIX_SEEDS` seeds each check took points from it.
        named: by mistake, the checks it names.
        touches: by mistake, what of its exercise it touches; see `MOST`. Two mistakes at once are left out.
        costs: by mistake, the largest share of the points that it lost, by exercise.
        caught_by: by mistake, the cases that caught it, seed by seed.
        cases: all cases, as "exercise: title".
        smallest_wrong: the smallest error by which a numeric check caught a mistake, as a multiple of the tolerance.
        largest_right: the largest error of a right implementation, likewise.
        right: how many right implementations took part, the reference included.
    """

    seeds: int = 0
    checks: list[Check] = field(default_factory=list)
    named: dict[str, tuple[Check, ...]] = field(default_factory=dict)
    catches: dict[str, dict[Check, int]] = field(default_factory=dict)
    touches: dict[str, str] = field(default_factory=dict)
    costs: dict[str, dict[str, float]] = field(default_factory=dict)
    caught_by: dict[str, list[set[str]]] = field(default_factory=dict)
    cases: list[str] = field(default_factory=list)
    survivors: list[Survivor] = field(default_factory=list)
    false_rejects: list[FalseReject] = field(default_factory=list)
    smallest_wrong: tuple[float, str] = (math.inf, "")
    largest_right: tuple[float, str] = (0.0, "")
    right: int = 0

    @property
    def passed(self) -> bool:
        """Whether no mistake survived or costs too much, no right solution was rejected, and every check is named."""
        wrong = self.survivors or self.false_rejects or self.idle_checks() or self.too_costly() or self.caught_once()
        return not wrong

    def idle_checks(self) -> list[Check]:
        """Checks that no mistake names."""
        return [check for check in self.checks if not any(check in named for named in self.named.values())]

    def only_caught_by(self, check: Check) -> list[str]:
        """Mistakes that no other check ever catches."""
        return [mistake for mistake, caught in self.catches.items() if set(caught) == {check}]

    def too_costly(self) -> list[tuple[str, str, float]]:
        """(mistake, exercise, share) of every mistake that costs more of an exercise than allowed."""
        return [
            (mistake, exercise, share)
            for mistake, touched in self.touches.items()
            for exercise, share in self.costs.get(mistake, {}).items()
            if share > MOST[touched] + 1e-9
        ]

    def caught_once(self) -> dict[str, str]:
        """Mistake -> the case that alone caught it, on some seed."""
        return {
            mistake: case
            for mistake in self.touches
            for cases in self.caught_by.get(mistake, [])
            if len(cases) == 1
            for case in cases
        }

    def spare_cases(self) -> list[str]:
        """Cases that could each be removed: on every seed two others catch every mistake."""
        needed = {case for every in self.caught_by.values() for cases in every if len(cases) < 3 for case in cases}
        return [case for case in self.cases if case not in needed]

    def add(self, other: Audit) -> None:
        """Add the findings on other seeds."""
        self.seeds += other.seeds
        for mistake, caught in other.catches.items():
            mine = self.catches.setdefault(mistake, {})
            for check, times in caught.items():
                mine[check] = mine.get(check, 0) + times
        for mistake, shares in other.costs.items():
            costs = self.costs.setdefault(mistake, {})
            for exercise, share in shares.items():
                costs[exercise] = max(costs.get(exercise, 0.0), share)
        for mistake, cases in other.caught_by.items():
            self.caught_by.setdefault(mistake, []).extend(cases)
        self.cases = list(dict.fromkeys(self.cases + other.cases))
        self.survivors += other.survivors
        self.false_rejects += other.false_rejects
        self.smallest_wrong = min(self.smallest_wrong, other.smallest_wrong)
        self.largest_right = max(self.largest_right, other.largest_right)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "passed": self.passed,
            "seeds": self.seeds,
            "mistakes": len(self.named),
            "right": self.right,
            "survivors": [vars(survivor) for survivor in self.survivors],
            "false_rejects": [vars(reject) for reject in self.false_rejects],
            "idle_checks": self.idle_checks(),
            "only_caught_by": {check: self.only_caught_by(check) for check in self.checks},
            "catches": self.catches,
            "costs": self.costs,
            "too_costly": self.too_costly(),
            "caught_once": self.caught_once(),
            "spare_cases": self.spare_cases(),
            "smallest_wrong": {"error": self.smallest_wrong[0], "mistake": self.smallest_wrong[1]},
            "largest_right": {"error": self.largest_right[0], "implementation": self.largest_right[1]},
        }


class Material:
    """What a course folder provides for an audit of its checks.

    Args:
        only: ids of exercises; all exercises of the same solution cells are included. Empty means all.

    Raises:
        NoReference: the folder has no reference.
    """

    def __init__(self, course: Path, only: Collection[str] = ()) -> None:
        self.reference = Reference(course)
        every = every_exercise()
        self._cells = {exercise.solution for exercise in every if not only or exercise.id in only}
        self.mistakes = self._taking_part(bank.mistakes())
        self.variants = self._taking_part(bank.variants())

    def _taking_part(self, candidates: Iterable[Any]) -> list[Any]:
        return [candidate for candidate in candidates if candidate.solution in self._cells]

    def by_solution(self) -> dict[str, list[Exercise]]:
        """Solution cell -> its exercises."""
        found: dict[str, list[Exercise]] = {}
        for exercise in self._taking_part(every_exercise()):
            found.setdefault(exercise.solution, []).append(exercise)
        return found


def audit_checks(
    course: Path,
    seeds: int,
    jobs: int = 1,
    on_progress: Callable[[int], None] = lambda done: None,
    only: Collection[str] = (),
) -> Audit:
    """Audit the checks of `course`, or of `only` some exercises, on the seeds 0 ... seeds - 1, in `jobs` processes."""
    material = Material(course, only)
    total = Audit(
        checks=[f"{e.id}.{c.id}" for exercises in material.by_solution().values() for e in exercises for c in e.checks],
        named={mistake.id: mistake.fails for mistake in material.mistakes},
        catches={mistake.id: {} for mistake in material.mistakes},
        touches={mistake.id: mistake.touches for mistake in material.mistakes if not mistake.pair},
        right=len(material.variants) + len(material.by_solution()),
    )
    for done, part in enumerate(_each_seed(course, only, material, seeds, jobs), start=1):
        total.add(part)
        on_progress(done)
    return total


def _each_seed(course: Path, only: Collection[str], material: Material, seeds: int, jobs: int) -> Iterable[Audit]:
    if jobs == 1:
        yield from (audit_seed(material, seed) for seed in range(seeds))
        return
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=_start_process, initargs=(course, only)) as pool:
        yield from pool.imap_unordered(_audit_seed_here, range(seeds))


_material: Material


def _start_process(course: Path, only: Collection[str]) -> None:
    global _material
    _material = Material(course, only)


def _audit_seed_here(seed: int) -> Audit:
    return audit_seed(_material, seed)


def audit_seed(material: Material, seed: int) -> Audit:
    """The audit on one seed."""
    choose_language("en")  # an audit is for authors; looking up the language thousands of times costs, too
    found = Audit(seeds=1)
    in_matrix = seed < MATRIX_SEEDS
    for solution, exercises in material.by_solution().items():
        rng = np.random.default_rng(seed)
        expected = {e.id: material.reference.expect(e, rng) for e in exercises}
        found.cases += [_case_name(e, expectation) for e in exercises for expectation in expected[e.id]]
        for mistake in material.mistakes:
            if mistake.solution == solution:
                named = {check.split(".")[0] for check in mistake.fails}
                judged = [exercise for exercise in exercises if in_matrix or exercise.id in named]
                caught = _audit_mistake(found, mistake, judged, expected, seed)
                found.catches[mistake.id] = dict.fromkeys(caught, 1) if in_matrix else {}
        right = {variant.id: variant.implementation for variant in material.variants if variant.solution == solution}
        right[f"reference {solution}"] = material.reference.implementation(exercises[0])
        for name, implementation in right.items():
            for exercise in exercises:
                _audit_right(found, name, implementation, exercise, expected[exercise.id], seed)
        for exercise in exercises:
            _audit_stub(found, exercise, expected[exercise.id], seed)
    return found


def _audit_mistake(
    found: Audit, mistake: Any, exercises: list[Exercise], expected: dict[str, list[Expectation]], seed: int
) -> set[Check]:
    """The checks that `mistake` failed."""
    caught: set[Check] = set()
    cases: set[str] = set()
    costs = found.costs[mistake.id] = {}
    for exercise in exercises:
        result, errors, judged = _judge(exercise, mistake.implementation, expected[exercise.id])
        short = [item for item in result.items if item.points < item.max]
        caught |= {f"{exercise.id}.{item.id}" for item in short}
        cases |= _cases_that_catch(exercise, mistake.fails, judged)
        costs[exercise.id] = 1 - result.score / result.max
        worst = max(errors, default=math.inf)
        if worst > 1 and any(name in mistake.fails for name in caught if name.startswith(f"{exercise.id}.")):
            found.smallest_wrong = min(found.smallest_wrong, (worst, mistake.id))
    found.caught_by[mistake.id] = [cases]
    found.survivors += [Survivor(mistake.id, check, seed) for check in mistake.fails if check not in caught]
    return caught


def _cases_that_catch(exercise: Exercise, checks: Collection[Check], judged: list[Trial]) -> set[str]:
    return {
        _case_name(exercise, trial)
        for check in exercise.checks
        if f"{exercise.id}.{check.id}" in checks
        for trial in judged
        if trial.group in check.on and falls_short(check, trial)
    }


def _case_name(exercise: Exercise, of: Trial | Expectation) -> str:
    return f"{exercise.id}: {of.case.title}"


def _audit_right(
    found: Audit, name: str, implementation: Implementation, exercise: Exercise, expected: list[Expectation], seed: int
) -> None:
    result, errors, _trials = _judge(exercise, implementation, expected)
    found.false_rejects += [
        FalseReject(name, f"{exercise.id}.{item.id}", seed, item.message)
        for item in result.items
        if item.outcome is not Outcome.PASSED
    ]
    found.largest_right = max(found.largest_right, (max(errors, default=0.0), name))


def _audit_stub(found: Audit, exercise: Exercise, expected: list[Expectation], seed: int) -> None:
    """An empty notebook must earn nothing."""
    result, _errors, _trials = _judge(exercise, Implementation({}), expected)
    found.survivors += [
        Survivor("an empty notebook", f"{exercise.id}.{item.id}", seed)
        for item in result.items
        if item.outcome is not Outcome.NOT_ATTEMPTED
    ]


def _judge(
    exercise: Exercise, implementation: Implementation, expected: list[Expectation]
) -> tuple[ExerciseResult, list[float], list[Trial]]:
    """The result, the largest error of every comparison as a multiple of the tolerance, and what was judged."""
    with keep_random_state():
        seen = [exercise.observe(implementation, expectation.case) for expectation in expected]
    judged = trials(expected, seen)
    with watch() as errors:
        return judge(exercise, judged), errors, judged
