"""Mistakes and right variants of clip_gradients, depth_study, GradientMonitor and gradient_slope meet the checks."""

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from autograder.exercises import assignments
from autograder.exercises.exercise import Implementation
from autograder.judge import judge
from autograder.oracle import Reference, trials
from reference.misconceptions import clip_gradients, depth_study, gradient_monitor, gradient_profile, misconceptions
from tests import variants

REFERENCE = Reference(Path(__file__).parents[1])
BANKS = [module.bank for module in (clip_gradients, depth_study, gradient_monitor, gradient_profile)]
EXERCISES = {e.solution: e for e in assignments()["gradient-pathology"] if e.solution in {b.solution for b in BANKS}}
SEEDS = (21,)
"""Private draws; the public cases are left out, so that each draw must notice every mistake by itself."""

judges_one_by_one = pytest.mark.slow  # what the audit judges too (tests/test_audit.py), on another draw

MISTAKES = [mistake for bank in BANKS for mistake in bank.misconceptions]
VARIANTS = [variant for variant in variants.variants() if variant.solution in EXERCISES]


def by_id(implementations):
    return pytest.mark.parametrize("candidate", implementations, ids=[i.id for i in implementations])


@cache
def expectations(solution, seed):
    exercise = EXERCISES[solution]
    return REFERENCE.expect(exercise, np.random.default_rng(seed))


def judged(candidate, seed):
    """The judgement of a misconception or variant on one private draw."""
    exercise, expected = EXERCISES[candidate.solution], expectations(candidate.solution, seed)
    return judge(exercise, trials(expected, [exercise.observe(candidate.implementation, e.case) for e in expected]))


@judges_one_by_one
@pytest.mark.parametrize("seed", SEEDS)
@by_id(MISTAKES)
def test_a_mistake_loses_points_in_every_check_it_names(candidate, seed):
    result = judged(candidate, seed)
    lost = {f"{result.id}.{item.id}" for item in result.items if item.points < item.max}
    assert set(candidate.fails) <= lost


@judges_one_by_one
@pytest.mark.parametrize("seed", SEEDS)
@by_id(VARIANTS)
def test_a_right_variant_has_full_marks(candidate, seed):
    result = judged(candidate, seed)
    assert result.full, [item.message for item in result.items if item.message]


@pytest.mark.parametrize("bank", BANKS, ids=[bank.solution for bank in BANKS])
def test_a_base_with_no_step_replaced_is_right(bank):
    bases = {
        "clip_gradients": clip_gradients.clip,
        "depth_study": depth_study.study,
        "gradient_monitor": gradient_monitor.Steps,
        "gradient_profile": gradient_profile.slope,
    }
    base = variants.Variant("base", bank.solution, Implementation({bank.defines: bases[bank.solution]}))
    assert judged(base, SEEDS[0]).full


def test_every_check_is_named_by_a_mistake():
    named = {name for mistake in MISTAKES for name in mistake.fails}
    assert named == {f"{e.id}.{check.id}" for e in EXERCISES.values() for check in e.checks}


def test_ids_are_unique():
    assert set(Counter(mistake.id for mistake in misconceptions()).values()) == {1}


@by_id(MISTAKES)
def test_a_mistake_has_a_cause_and_a_question_in_both_languages(candidate):
    texts = [candidate.cause, candidate.hint]
    assert all(text.keys() == {"en", "ja"} and all(text.values()) for text in texts)
    assert candidate.hint["en"].endswith("?")
    assert candidate.hint["ja"].endswith("？")
