"""Code that is right nearly always: it remembers, or it fails for certain sizes, orders or moments only.

No known mistake of students' is among these, and none gets a cause; they keep the cases from being few and regular.
Each must lose points on every draw.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from autograder.checks.exercise import Implementation
from autograder.checks.judge import judge
from autograder.checks.results import Outcome
from autograder.exercises import exercise
from autograder.exercises.recorded import recorded, trials
from autograder.grading.reference import Reference

REFERENCE = Reference(Path(__file__).parents[1])
SEEDS = (31,)
"""Private draws, besides the public one: each must notice by itself."""

RARE = []


def rare(exercise_id, name=None):
    """A decorator for code that must lose points in this exercise."""

    def register(code):
        RARE.append(pytest.param(exercise_id, code, id=f"{exercise_id}-{name or code.__name__}"))
        return code

    return register


@cache
def expectations(exercise_id, seed):
    wanted = exercise(exercise_id)
    if seed is None:
        return list(recorded(wanted))
    return REFERENCE.expect(wanted, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", [None, *SEEDS])
@pytest.mark.parametrize(("exercise_id", "code"), RARE)
def test_it_loses_points(exercise_id, code, seed):
    judged_by, expected = exercise(exercise_id), expectations(exercise_id, seed)
    implementation = Implementation({judged_by.defines: code})
    result = judge(judged_by, trials(expected, [judged_by.observe(implementation, e.case) for e in expected]))
    assert not result.full
    assert not any(item.outcome is Outcome.RAISED for item in result.items), "it runs, and is wrong"


# --- BatchNorm -------------------------------------------------------------------------------------------------------
