"""The bank of BatchNorm mistakes and its right variants meet the checks: the ones lose points, the others lose none."""

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from autograder.exercises import assignments
from autograder.exercises.exercise import Implementation
from autograder.judge import judge
from autograder.oracle import Reference, trials
from reference.misconceptions.batch_norm import bank
from tests.variants.batch_norm import DEFINES, VARIANTS

REFERENCE = Reference(Path(__file__).parents[1])
EXERCISES = {e.id: e for e in assignments()["gradient-pathology"] if e.solution == "batch_norm"}
SEEDS = (11,)
"""Private draws; the public cases are left out, so that each draw must notice every mistake by itself."""

judges_one_by_one = pytest.mark.slow  # what the audit judges too (tests/test_audit.py), on another draw

MISTAKES = [pytest.param(mistake, id=mistake.id) for mistake in bank.misconceptions]


@cache
def expectations(exercise_id, seed):
    exercise = EXERCISES[exercise_id]
    return REFERENCE.expect(exercise, np.random.default_rng(seed))


def result(exercise_id, implementation, seed):
    """The judgement of one exercise on one private draw."""
    exercise, expected = EXERCISES[exercise_id], expectations(exercise_id, seed)
    return judge(exercise, trials(expected, [exercise.observe(implementation, e.case) for e in expected]))


@judges_one_by_one
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_loses_points_in_every_check_it_names(mistake, seed):
    lost = set()
    for exercise_id in {name.split(".")[0] for name in mistake.fails}:
        items = result(exercise_id, mistake.implementation, seed).items
        lost |= {f"{exercise_id}.{item.id}" for item in items if item.points < item.max}
    assert set(mistake.fails) <= lost


@judges_one_by_one
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", VARIANTS)
def test_a_right_variant_has_full_marks(name, seed):
    for exercise_id in EXERCISES:
        judged = result(exercise_id, Implementation({DEFINES: VARIANTS[name]}), seed)
        assert judged.full, [item.message for item in judged.items if item.message]


def test_every_check_is_named_by_a_mistake():
    named = {name for mistake in bank.misconceptions for name in mistake.fails}
    assert named == {f"{e.id}.{check.id}" for e in EXERCISES.values() for check in e.checks}


def test_ids_are_unique():
    assert {n for n in Counter(mistake.id for mistake in bank.misconceptions).values()} == {1}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_texts_are_there_in_both_languages_and_hints_ask(mistake):
    assert 1 <= len(mistake.fails) <= 3
    assert mistake.cause["en"].endswith(".") and mistake.cause["ja"].endswith("。")
    assert mistake.hint["en"].endswith("?") and mistake.hint["ja"].endswith("？")
