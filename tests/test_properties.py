"""Laws that hold for any draw, any scale and any observation, however strange."""

import copy

import numpy as np
import pytest
from conftest import EXERCISES, draws
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.checks import numeric, values
from autograder.checks.exercise import Implementation, Observation
from autograder.checks.judge import judge
from autograder.checks.sketches import alike, sketch
from autograder.checks.values import simplify
from autograder.exercises import every_exercise
from autograder.exercises.recorded import recorded, trials
from tests.fuzzing import fuzz, judge_and_report, odd_data

BY_ID = {exercise.id: exercise for exercise in EXERCISES}
quick = draws(25, suppress=(HealthCheck.function_scoped_fixture,))


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
@quick
@given(seed=st.integers(0, 2**63))
def test_the_reference_keeps_every_promise_on_any_seed(exercise, reference, seed):
    expectations = reference.expect(exercise, np.random.default_rng(seed))
    implementation = reference.implementation(exercise)
    seen = [exercise.observe(implementation, expectation.case) for expectation in expectations]
    assert judge(exercise, trials(expectations, seen)).full


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
@quick
@given(seed=st.integers(0, 2**63))
def test_nothing_drawn_is_outside_what_the_notebook_promises(exercise, seed):
    """N >= 2 in training, gamma never 0, |mean| / sd at most 100, max_norm positive and finite, steps >= 1."""
    for _group, case in exercise.draw(np.random.default_rng(seed)):
        batches = [*getattr(case, "batches", []), *getattr(case, "training", [])]
        batches += [getattr(case, name) for name in ("first", "second") if hasattr(case, name)]
        for batch in batches:
            assert len(batch["x"]) >= 2 and np.all(batch["gamma"] != 0) and batch["x"].dtype == np.float64
            spread = batch["x"].std(axis=0)
            varied = spread > 1e-12  # constant columns are a promise of their own
            assert np.all(np.abs(batch["x"].mean(axis=0))[varied] <= 100 * spread[varied])
        assert 0 < (getattr(case, "max_norm", None) or 1.0) < np.inf
        assert getattr(case, "steps", 1) >= 1


# --- strange observations ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exercise", every_exercise(), ids=lambda exercise: exercise.id)
@fuzz(25)
@given(st.data())
def test_observations_of_garbage_are_judged_and_earn_nothing(exercise, data):
    """Every value that a probe yields is garbage: no check may hold."""
    expected = recorded(exercise)
    seen = [Observation({name: data.draw(odd_data) for name in e.expected.values}) for e in expected]
    assert judge_and_report(exercise, expected, seen).score == 0


@pytest.mark.parametrize("exercise", every_exercise(), ids=lambda exercise: exercise.id)
@fuzz(120)
@given(st.data())
def test_right_observations_with_garbage_in_them_are_judged(exercise, data):
    """In one case or in all of them: other values, values that are not there, and probes that were ended."""
    expected = recorded(exercise)
    names = st.sampled_from(sorted({name for e in expected for name in e.expected.values}))
    spoiled, gone = data.draw(st.dictionaries(names, odd_data, max_size=3)), data.draw(st.sets(names, max_size=2))
    stopped = data.draw(st.sampled_from([None, values.Raised("E", (), "x"), values.Raised("N", ("NotDefined",), "x")]))
    place = data.draw(st.one_of(st.none(), st.integers(0, len(expected) - 1)))
    seen = [Observation(copy.deepcopy(e.expected.values), e.expected.stopped) for e in expected]
    for observation in seen if place is None else [seen[place]]:
        kept = {name: spoiled.get(name, value) for name, value in observation.values.items() if name not in gone}
        observation.values, observation.stopped = kept, stopped
    judge_and_report(exercise, expected, seen)


# --- laws of the comparison -------------------------------------------------------------------------------------------

matrices = hnp.arrays(np.float64, (4, 3), elements=st.floats(-10, 10, width=32))


@quick
@given(expected=matrices, error=matrices, factor=st.sampled_from([1e-9, 0.1, 3.0, 1e12]))
def test_scaling_everything_changes_no_verdict(expected, error, factor):
    once = numeric.compare(expected + error, expected, scale=1.0)
    scaled = numeric.compare(factor * (expected + error), factor * expected, scale=factor)
    assert (once is None) == (scaled is None) or np.isclose(np.abs(error).max(), numeric.TOLERANCE, rtol=1e-3)


@quick
@given(expected=matrices, error=matrices, order=st.permutations(range(4)))
def test_the_order_of_the_rows_changes_no_verdict(expected, error, order):
    one = numeric.compare(expected + error, expected, scale=1.0)
    other = numeric.compare((expected + error)[order], expected[order], scale=1.0)
    assert (one is None) == (other is None)
    assert one is None or (one.error, one.share) == (other.error, other.share)


@pytest.mark.parametrize("name", ["batch_norm_forward", "batch_norm_backward"])
@quick
@given(shift=st.floats(-5, 5), stretch=st.floats(0.5, 20), seed=st.integers(0, 99))
def test_batch_norm_ignores_where_its_input_lies(name, reference, shift, stretch, seed):
    """y(a x + b) = y(x) up to eps, a law that no grader wrote into the reference."""
    layer = reference.implementation(BY_ID[name]).BatchNorm(3, eps=1e-12)
    x, dout = np.random.default_rng(seed).standard_normal((2, 7, 3))
    y, dx = layer.forward(x), layer.backward(dout)
    np.testing.assert_allclose(layer.forward(stretch * x + shift), y, atol=1e-7)
    np.testing.assert_allclose(layer.backward(dout) * stretch, dx, atol=1e-6)


@quick
@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 99))
def test_clipping_scales_with_its_limit(reference, scale, seed):
    """clip(c g, c max_norm) = c clip(g, max_norm)."""
    clip = reference.implementation(BY_ID["clip_gradients"]).clip_gradients

    class Given:
        def __init__(self, gradient):
            self.grads = {"W": gradient}

    gradient = np.random.default_rng(seed).standard_normal((3, 4))
    one, other = Given(gradient.copy()), Given(scale * gradient)
    clip([one], 1.5), clip([other], scale * 1.5)
    np.testing.assert_allclose(other.grads["W"], scale * one.grads["W"], rtol=1e-9)


def test_equal_values_have_equal_sketches_and_different_ones_do_not():
    x = np.random.default_rng(0).standard_normal((5, 4))
    assert alike(sketch(x), sketch((x * 3) / 3)) and alike(sketch(x), sketch(x.tolist()))
    for other in (x.T, -x, x * (1 + 1e-4), x[::-1], x[:4], np.where(x > 1, np.nan, x)):
        assert not alike(sketch(x), sketch(other))
    assert alike(sketch(simplify(Implementation)), sketch(simplify(Implementation)))
