"""Makes a course's private cases: `python -m reference.audit.draws`, in the course folder.

A draw is used only if it catches every known mistake in every check that the mistake names, and lets every right
implementation pass.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path

from autograder.checks.exercise import Exercise, Implementation, keep_random_state
from autograder.checks.judge import Trial, falls_short
from autograder.exercises import every_exercise, exercise
from autograder.exercises.recorded import Series
from autograder.grading.private import DISAGREEMENT, Disagreement, kept_series, make
from autograder.grading.reference import Reference
from autograder.locale import choose_language
from autograder.sandbox.client import CORES
from reference import bank
from reference.audit.checks import Material

MEASURES = 3
"""The number of right variants that the solution itself is held to."""


def main(only: Collection[str]) -> None:
    """Make the series of all exercises, or `only` some, for which there are none."""
    reference = Reference(bank.FOLDER.parent)
    ours = [e for e in every_exercise() if any(bank.FOLDER.glob(f"*/{e.solution}/solution.py"))]
    ours = [e for e in ours if not only or e.id in only]
    missing = [e.id for e in ours if kept_series(reference, e) is None]
    with multiprocessing.get_context("spawn").Pool(min(CORES, len(missing) or 1)) as pool:
        try:
            pool.map(_make, missing, chunksize=1)
        except (Disagreement, bank.Disagreement) as error:
            print(error, file=sys.stderr)
            sys.exit(DISAGREEMENT)


def _make(exercise_id: str) -> None:
    choose_language("en")
    with keep_random_state():
        make(_material().reference, exercise(exercise_id), fault)


@cache
def _material(course: Path = bank.FOLDER.parent) -> Material:
    return Material(course)


def fault(exercise: Exercise, series: Series) -> str:
    """Which implementation of the bank a draw of `exercise` misjudges, and in which check; "" for a good draw."""
    for right in _material().variants:
        if right.solution == exercise.solution:
            wrongly = _caught(
                exercise, right.implementation, series, {check.id for check in exercise.checks}, first=True
            )
            if wrongly:
                return f"{right.id}, which the bank lists as right, fails {', '.join(sorted(wrongly))}"
    wrong = _solution_fails(exercise, series)
    if wrong:
        return f"the solution fails {', '.join(sorted(wrong))} where right variants of it are the measure"
    for mistake in _material().mistakes:
        named = {name.partition(".")[2] for name in mistake.fails if name.partition(".")[0] == exercise.id}
        missed = named - _caught(exercise, mistake.implementation, series, named)
        if missed:
            return f"{mistake.id}, a known mistake, passes {', '.join(sorted(missed))}"
    return ""


def _solution_fails(exercise: Exercise, series: Series) -> set[str]:
    """The checks that the solution fails beside each of some right variants, with the roles exchanged.

    A check may accept what is right in itself, whatever the solution shows; then right variants tell nothing of it.
    """
    rights = [right for right in _material().variants if right.solution == exercise.solution][:MEASURES]
    found = []
    for right in rights:
        trials = [
            Trial(one.group, one.case, one.expected, exercise.observe(right.implementation, one.case), one.public)
            for one in series
        ]
        found.append(
            {
                check.id
                for check in exercise.checks
                for trial in trials
                if trial.group in check.on and falls_short(check, trial)
            }
        )
    return set.intersection(*found) if found else set()


def _caught(
    exercise: Exercise, implementation: Implementation, series: Series, checks: set[str], first: bool = False
) -> set[str]:
    """Which of `checks` the implementation fails; no more cases are looked at than this takes."""
    caught: set[str] = set()
    for expectation in series:
        asked = [c for c in exercise.checks if c.id in checks - caught and expectation.group in c.on]
        if asked and not (first and caught):
            seen = exercise.observe(implementation, expectation.case)
            trial = Trial(expectation.group, expectation.case, seen, expectation.expected, expectation.public)
            caught |= {check.id for check in asked if falls_short(check, trial)}
    return caught


if __name__ == "__main__":
    main(sys.argv[1:])
