"""What the exercises promise: right code has full marks however it is written, wrong code loses the points it should.

Each wrong implementation changes one thing of a right one, and its table names the checks that must take points for it.
"""

import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import SOLUTIONS

from autograder.checks import encoding, values
from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, Stopped, StudentError
from autograder.checks.expect import same
from autograder.checks.judge import MOST_REASON, Trial, interrupted, judge
from autograder.checks.numeric import central_differences
from autograder.checks.results import Outcome
from autograder.checks.values import Opaque, Raised
from autograder.exercises import assignments
from autograder.exercises.recorded import RECORDINGS, recorded, trials
from autograder.grading.reference import Reference
from autograder.layers import Layer, Linear, MSELoss, Problem, forward_backward
from autograder.locale import speaking

EXERCISES = {exercise.id: exercise for exercise in assignments()["gradient-pathology"]}
REFERENCE = Reference(Path(__file__).parents[1])
POINTS = {
    "clip_gradients": 6,
    "batch_norm_forward": 4,
    "batch_norm_backward": 8,
    "batch_norm_inference": 4,
    "depth_study": 6,
    "gradient_monitor": 4,
    "gradient_profile": 4,
}
"""As the contract with students says; another 4 of its 40 are given by hand."""

SEEDS = range(100, 102)
"""Private draws."""

pytestmark = pytest.mark.filterwarnings("error")
"""Checking exploded or missing values must not add warnings of its own to a student's notebook."""

CHECKS = [(exercise.id, check.id) for exercise in EXERCISES.values() for check in exercise.checks]


@pytest.fixture(autouse=True)
def english():
    with speaking("en"):
        yield


@cache
def expectations(exercise_id, seed):
    """The public cases (seed None), or private ones."""
    exercise = EXERCISES[exercise_id]
    if seed is None:
        return recorded(exercise)
    return tuple(REFERENCE.expect(exercise, np.random.default_rng(seed)))


def grade(exercise_id, names, seed=None):
    """The result of an implementation with these names."""
    exercise, implementation = EXERCISES[exercise_id], Implementation(names)
    wanted = expectations(exercise_id, seed)
    return judge(exercise, trials(wanted, [exercise.observe(implementation, e.case) for e in wanted]))


def item(result, check):
    return next(item for item in result.items if item.id == check)


def lost(result):
    """Check id -> message, of every check that took points."""
    return {item.id: item.message for item in result.items if item.points < item.max}


def solution(exercise_id):
    """What the reference defines for an exercise."""
    exercise = EXERCISES[exercise_id]
    return getattr(REFERENCE.implementation(exercise), exercise.defines)


# --- every exercise --------------------------------------------------------------------------------------------------

each_exercise = pytest.mark.parametrize("name", EXERCISES)


def test_points_are_those_of_the_contract():
    assert {name: exercise.points for name, exercise in EXERCISES.items()} == POINTS
    assert sum(POINTS.values()) + 4 == 40


@each_exercise
@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_the_reference_has_full_marks(name, seed):
    result = grade(name, {EXERCISES[name].defines: solution(name)}, seed)
    assert lost(result) == {} and result.full


@each_exercise
def test_an_empty_notebook_has_attempted_nothing(name):
    result = grade(name, {})
    assert {(item.outcome, item.points) for item in result.items} == {(Outcome.NOT_ATTEMPTED, 0.0)}
    assert result.items[0].message == f"`{EXERCISES[name].defines}` is not defined: write its cell and run it."


def stub(*_args, **_kwargs):
    raise NotImplementedError


@each_exercise
def test_the_stub_has_attempted_nothing(name):
    result = grade(name, {EXERCISES[name].defines: stub})
    assert {(item.outcome, item.points, item.message) for item in result.items} == {
        (Outcome.NOT_ATTEMPTED, 0.0, "Not written yet.")
    }


@each_exercise
@pytest.mark.parametrize("value", [None, 3, "code", print, Layer])
def test_a_name_that_means_something_else_earns_nothing(name, value):
    assert grade(name, {EXERCISES[name].defines: value}).score == 0


def test_a_message_quotes_only_so_much_of_what_an_answer_holds():
    monitor = type("Monitor", (solution("gradient_monitor"),), {})
    monitor.detect_problems = lambda self, **_thresholds: [Problem("A" * 19_000, "B", 1.0, 1)] * 100
    study = {"depth_study": lambda *_arguments, **_settings: {"k" * 19_000: 1}}
    messages = [*lost(grade("gradient_monitor", {"GradientMonitor": monitor})).values()]
    messages += lost(grade("depth_study", study)).values()
    assert messages and all(len(message) < MOST_REASON + 500 for message in messages)
    assert any(" ..." in message for message in messages)


@each_exercise
def test_the_recording_is_what_the_reference_shows(name):
    """Numerically: another processor may round another way."""
    stored, fresh = (
        encoding.unpack(data) for data in (recording_file(name).read_bytes(), REFERENCE.record(EXERCISES[name]))
    )
    assert_same_numbers(stored, fresh)


def recording_file(name):
    return RECORDINGS / f"{name}.msgpack"


def assert_same_numbers(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same_numbers(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_same_numbers(x, y)
    elif isinstance(a, (float, np.ndarray, np.floating)):
        # 1e-9 of the largest value: numerical gradients keep that many digits; a slope of equal norms is zero, but for
        # what rounding leaves.
        largest = np.max(np.abs(a), initial=0.0, where=np.isfinite(a))
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * float(largest) + 1e-12)
    else:
        assert a == b


@each_exercise
def test_a_recording_holds_no_line_of_the_reference(name):
    text = recording_file(name).read_bytes()
    assert b"self." not in text and b"raise " not in text and "勾配".encode() not in text


@pytest.mark.parametrize("name, check", CHECKS)
def test_a_check_has_a_sentence_points_and_known_needs(name, check):
    known = EXERCISES[name].checks
    here = next(c for c in known if c.id == check)
    assert here.sentence.endswith(".") and "\n\n" not in here.sentence and not here.sentence.startswith(check)
    assert here.points > 0
    assert set(here.needs) <= {c.id for c in known[: known.index(here)]}
    assert here.on and set(here.on) <= EXERCISES[name].groups.keys()


@each_exercise
def test_drawing_depends_on_the_seed_alone(name):
    draw = EXERCISES[name].draw
    drawn = (draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    one, same, other = ([values.to_record(case) for _group, case in cases] for cases in drawn)
    assert encoding.pack(one) == encoding.pack(same) != encoding.pack(other)
    assert [case["title"] for case in one] == [case["title"] for case in other]


@each_exercise
def test_titles_are_unique_within_an_exercise(name):
    titles = [e.case.title for e in expectations(name, None)]
    assert len(set(titles)) == len(titles)


# --- BatchNorm, taken apart ------------------------------------------------------------------------------------------


class Parts(Layer):
    """A right BatchNorm in parts, so that a variant can change one of them."""

    def __init__(self, n_features, eps=1e-5, momentum=0.9):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.params = {"gamma": np.ones(n_features), "beta": np.zeros(n_features)}
        self.grads = {"gamma": None, "beta": None}
        self.running_mean, self.running_var = np.zeros(n_features), np.ones(n_features)

    gamma = property(lambda self: self.params["gamma"])
    beta = property(lambda self: self.params["beta"])

    # the forward
    def mean(self, x):
        return x.mean(axis=0)

    def var(self, x):
        return x.var(axis=0)

    def std(self, var):
        return np.sqrt(var + self.eps)

    def normalise(self, x, mean, std):
        return (x - mean) / std

    def affine(self, x_hat):
        return self.gamma * x_hat + self.beta

    def affine_predicting(self, x_hat):
        return self.affine(x_hat)

    def std_predicting(self, var):
        return self.std(var)

    # the running statistics
    def moved(self, old, new):
        return self.momentum * old + (1 - self.momentum) * new

    def learned_var(self, x, var):
        return var

    def learn(self, x, mean, var):
        self.running_mean = self.moved(self.running_mean, mean)
        self.running_var = self.moved(self.running_var, self.learned_var(x, var))

    def statistics_predicting(self, x):
        return self.running_mean, self.running_var

    def training_forward(self, x):
        mean, var = self.mean(x), self.var(x)
        self.learn(x, mean, var)
        self.x, self.mu, self.v, self.sd, self.trained = x, mean, var, self.std(var), True
        self.x_hat = self.normalise(x, mean, self.sd)
        return self.affine(self.x_hat)

    def forward(self, x):
        if self.training:
            return self.training_forward(x)
        mean, var = self.statistics_predicting(x)
        self.x, self.mu, self.v, self.sd, self.trained = x, mean, var, self.std_predicting(var), False
        self.x_hat = self.normalise(x, mean, self.sd)
        return self.affine_predicting(self.x_hat)

    # the backward
    def dgamma(self, dout):
        return (dout * self.x_hat).sum(axis=0)

    def dbeta(self, dout):
        return dout.sum(axis=0)

    def sd_backward(self):
        return self.sd

    def mean_term(self, dx_hat):
        return dx_hat.mean(axis=0)

    def variance_term(self, dx_hat):
        return self.x_hat * (dx_hat * self.x_hat).mean(axis=0)

    def dx(self, dout):
        dx_hat = dout * self.gamma
        return (dx_hat - self.mean_term(dx_hat) - self.variance_term(dx_hat)) / self.sd_backward()

    def dx_predicting(self, dout):
        return dout * self.gamma / self.sd

    def from_training(self):
        return self.trained

    def keep(self, dgamma, dbeta):
        self.grads["gamma"], self.grads["beta"] = dgamma, dbeta

    def backward(self, dout):
        self.keep(self.dgamma(dout), self.dbeta(dout))
        return self.dx(dout) if self.from_training() else self.dx_predicting(dout)


def parts(**changed):
    """`Parts` with some of its methods changed."""
    return {"BatchNorm": type("BatchNorm", (Parts,), changed)}


def in_place_x(self, x):
    x -= x.mean(axis=0)
    return Parts.forward(self, x)


def in_place_dout(self, dout):
    self.keep(self.dgamma(dout), self.dbeta(dout))
    dout *= self.gamma
    return (dout - self.mean_term(dout) - self.variance_term(dout)) / self.sd


def frozen_gamma(self, x_hat):
    if not hasattr(self, "frozen"):
        self.frozen = self.gamma
    return self.frozen * x_hat + self.beta


def added_up(self, dgamma, dbeta):
    for name, new in (("gamma", dgamma), ("beta", dbeta)):
        self.grads[name] = new if self.grads[name] is None else self.grads[name] + new


def first_batch_only(self, x):
    y = Parts.forward(self, x)
    if not hasattr(self, "kept"):
        self.kept = self.x_hat, self.sd
    else:
        self.x_hat, self.sd = self.kept
    return y


def predicts_in_place(self, x):
    x -= self.running_mean
    return np.zeros_like(self.running_mean), self.running_var


def newest_layer(self, *args, **kwargs):
    Parts.__init__(self, *args, **kwargs)
    type(self).newest = self  # and `affine` below reads its parameters


FORWARD_MISTAKES = {
    # mistake: (changes, checks of batch_norm_forward that take points for it)
    "eps forgotten": (dict(std=lambda self, var: np.sqrt(var)), {"small_spread", "constant_columns"}),
    "eps outside the root": (dict(std=lambda self, var: np.sqrt(var) + self.eps), {"small_spread"}),
    "eps squared": (dict(std=lambda self, var: np.sqrt(var + self.eps**2)), {"small_spread"}),
    "eps added twice": (dict(std=lambda self, var: np.sqrt(var + 2 * self.eps)), {"small_spread"}),
    "eps a constant": (dict(std=lambda self, var: np.sqrt(var + 1e-5)), {"small_spread"}),
    "a guard hides the missing eps": (
        dict(normalise=lambda self, x, m, s: np.nan_to_num((x - m) / np.sqrt(self.v))),
        {"small_spread"},
    ),
    "variance clamped at eps": (dict(std=lambda self, var: np.sqrt(np.maximum(var, self.eps))), {"small_spread"}),
    "variance with N - 1": (dict(var=lambda self, x: x.var(axis=0, ddof=1)), {"standardises", "gamma_and_beta"}),
    "divided by the variance": (dict(std=lambda self, var: var + self.eps), {"standardises", "gamma_and_beta"}),
    "statistics of each row": (
        dict(
            mean=lambda self, x: x.mean(axis=1, keepdims=True),
            var=lambda self, x: x.var(axis=1, keepdims=True),
            learn=lambda *_: None,
        ),
        {"standardises"},
    ),
    "one statistic for everything": (
        dict(mean=lambda self, x: x.mean(), var=lambda self, x: x.var()),
        {"standardises", "small_spread"},
    ),
    "mean not subtracted": (dict(normalise=lambda self, x, m, s: x / s), {"standardises"}),
    "precedence": (dict(normalise=lambda self, x, m, s: x - m / s), {"standardises"}),
    "variance about zero": (dict(var=lambda self, x: (x**2).mean(axis=0)), {"standardises"}),
    "mean absolute deviation": (dict(std=lambda self, var: np.abs(self.x - self.mu).mean(axis=0)), {"standardises"}),
    "sum for the variance": (dict(var=lambda self, x: ((x - x.mean(axis=0)) ** 2).sum(axis=0)), {"standardises"}),
    "D for N": (dict(mean=lambda self, x: x.sum(axis=0) / x.shape[1]), {"standardises"}),
    "gamma and beta ignored": (dict(affine=lambda self, x_hat: x_hat), {"gamma_and_beta"}),
    "gamma and beta swapped": (dict(affine=lambda self, x_hat: self.beta * x_hat + self.gamma), {"gamma_and_beta"}),
    "beta inside": (dict(affine=lambda self, x_hat: self.gamma * (x_hat + self.beta)), {"gamma_and_beta"}),
    "size of gamma": (dict(affine=lambda self, x_hat: np.abs(self.gamma) * x_hat + self.beta), {"gamma_and_beta"}),
    "gamma a single number": (
        dict(affine=lambda self, x_hat: self.gamma.mean() * x_hat + self.beta),
        {"gamma_and_beta"},
    ),
    "gamma kept from before": (dict(affine=frozen_gamma), {"gamma_and_beta"}),
    "x changed in place": (dict(forward=in_place_x), {"input_stays"}),
    "output is the input": (dict(forward=lambda self, x: x), {"input_stays", "standardises"}),
    "layers share a state": (
        dict(__init__=newest_layer, affine=lambda self, x_hat: Parts.affine(type(self).newest, x_hat)),
        {"input_stays"},
    ),
    "returns a cache too": (dict(affine=lambda self, x_hat: (x_hat, {})), {"standardises", "input_stays"}),
    "returns nothing": (dict(affine=lambda self, x_hat: None), {"standardises", "gamma_and_beta", "small_spread"}),
    "rounded": (dict(affine=lambda self, x_hat: np.round(self.gamma * x_hat + self.beta, 3)), {"standardises"}),
    "half precision": (
        dict(affine=lambda self, x_hat: (self.gamma * x_hat + self.beta).astype(np.float16)),
        {"standardises"},
    ),
    "running statistics in training": (
        dict(normalise=lambda self, x, m, s: (x - self.running_mean) / self.std(self.running_var)),
        {"standardises"},
    ),
}

ALL_GRADIENTS = {"dx", "dgamma", "dbeta"}
BACKWARD_MISTAKES = {
    "statistics as constants": (dict(dx=Parts.dx_predicting), {"dx"}),
    "mean term dropped": (dict(mean_term=lambda self, d: 0), {"dx", "own_forward"}),
    "variance term dropped": (dict(variance_term=lambda self, d: 0), {"dx"}),
    "gamma missing": (dict(dx=lambda self, dout: Parts.dx(self, dout / self.gamma)), {"dx"}),
    "gamma a single number": (
        dict(dx=lambda self, dout: Parts.dx(self, dout / self.gamma) * self.gamma.mean()),
        {"dx"},
    ),
    "gamma missing in the mean term": (dict(mean_term=lambda self, d: (d / self.gamma).mean(axis=0)), {"dx"}),
    "eps missing": (dict(sd_backward=lambda self: np.sqrt(self.v)), {"dx"}),
    "eps added twice": (dict(sd_backward=lambda self: np.sqrt(self.v + 2 * self.eps)), {"dx"}),
    "eps missing in the variance term": (
        dict(variance_term=lambda self, d: (c := self.x - self.mu) * (d * c).mean(axis=0) / self.v),
        {"dx"},
    ),
    "N - 1 in the variance term": (
        dict(variance_term=lambda self, d: self.x_hat * (d * self.x_hat).sum(axis=0) / (len(d) - 1)),
        {"dx"},
    ),
    "N - 1 in the deviation": (dict(sd_backward=lambda self: self.x.std(axis=0, ddof=1)), {"dx"}),
    "D for N": (dict(mean_term=lambda self, d: d.sum(axis=0) / d.shape[1]), {"dx"}),
    "mean term summed": (dict(mean_term=lambda self, d: d.sum(axis=0)), {"dx"}),
    "final 1/N forgotten": (dict(dx=lambda self, dout: len(dout) * Parts.dx(self, dout)), {"dx"}),
    "sign of the variance term": (dict(variance_term=lambda self, d: -Parts.variance_term(self, d)), {"dx"}),
    "factor 2 in the variance term": (dict(variance_term=lambda self, d: 2 * Parts.variance_term(self, d)), {"dx"}),
    "variance term not summed": (dict(variance_term=lambda self, d: self.x_hat * d * self.x_hat), {"dx"}),
    "variance for deviation": (dict(sd_backward=lambda self: self.v + self.eps), {"dx"}),
    "centred x for x_hat": (dict(variance_term=lambda self, d: (c := self.x - self.mu) * (d * c).mean(axis=0)), {"dx"}),
    "summed too early": (dict(dx=lambda self, dout: Parts.dx(self, dout).sum(axis=0)), {"dx"}),
    "sign": (dict(dx=lambda self, dout: -Parts.dx(self, dout)), {"dx"}),
    "transposed": (dict(dx=lambda self, dout: Parts.dx(self, dout).T), {"dx"}),
    "zero": (
        dict(dx=lambda self, dout: 0 * dout, dgamma=lambda self, d: 0 * d[0], dbeta=lambda self, d: 0 * d[0]),
        ALL_GRADIENTS | {"repeatable"},
    ),
    "hands dout on": (dict(dx=lambda self, dout: dout), {"dx"}),
    "x for x_hat in dgamma": (dict(dgamma=lambda self, dout: (dout * self.x).sum(axis=0)), {"dgamma"}),
    "centred x in dgamma": (dict(dgamma=lambda self, dout: (dout * (self.x - self.mu)).sum(axis=0)), {"dgamma"}),
    "dout missing in dgamma": (dict(dgamma=lambda self, dout: self.x_hat.sum(axis=0)), {"dgamma"}),
    "gamma left in dgamma": (dict(dgamma=lambda self, dout: self.gamma * Parts.dgamma(self, dout)), {"dgamma"}),
    "mean for sum in dgamma": (dict(dgamma=lambda self, dout: (dout * self.x_hat).mean(axis=0)), {"dgamma"}),
    "dgamma not summed": (dict(dgamma=lambda self, dout: dout * self.x_hat), {"dgamma"}),
    "dgamma summed over everything": (dict(dgamma=lambda self, dout: np.sum(dout * self.x_hat)), {"dgamma"}),
    "dgamma keeps its dimension": (
        dict(dgamma=lambda self, dout: (dout * self.x_hat).sum(axis=0, keepdims=True)),
        {"dgamma"},
    ),
    "dbeta a count": (dict(dbeta=lambda self, dout: np.full(dout.shape[1], len(dout))), {"dbeta"}),
    "dbeta summed over everything": (dict(dbeta=np.sum), {"dbeta"}),
    "dbeta summed over the features": (dict(dbeta=lambda self, dout: dout.sum(axis=1)), {"dbeta"}),
    "mean for sum in dbeta": (dict(dbeta=lambda self, dout: dout.mean(axis=0)), {"dbeta"}),
    "dgamma and dbeta swapped": (dict(keep=lambda self, g, b: Parts.keep(self, b, g)), {"dgamma", "dbeta"}),
    "gradients under other names": (dict(keep=lambda self, g, b: self.grads.update(W=g, b=b)), {"dgamma", "dbeta"}),
    "gradients returned, not set": (
        dict(backward=lambda self, dout: (self.dx(dout), self.dgamma(dout), self.dbeta(dout))),
        ALL_GRADIENTS,
    ),
    "gradients added up": (dict(keep=added_up), {"repeatable"}),
    "dout changed in place": (dict(backward=in_place_dout), {"repeatable"}),
    "keeps the first batch": (dict(forward=first_batch_only), {"repeatable"}),
    "running statistics in backward": (dict(sd_backward=lambda self: self.std(self.running_var)), {"dx"}),
}

INFERENCE_MISTAKES = {
    "batch statistics": (
        dict(statistics_predicting=lambda self, x: (x.mean(axis=0), x.var(axis=0))),
        {"prediction", "backward_of_prediction"},
    ),
    "ignores training = False": (
        dict(forward=Parts.training_forward),
        {"prediction", "prediction_learns_nothing", "backward_of_prediction"},
    ),
    "momentum the other way round": (
        dict(moved=lambda self, old, new: (1 - self.momentum) * old + self.momentum * new),
        {"running_statistics"},
    ),
    "momentum a constant": (dict(moved=lambda self, old, new: 0.9 * old + 0.1 * new), {"running_statistics"}),
    "running value is the last batch": (dict(moved=lambda self, old, new: new), {"running_statistics"}),
    "running value never moves": (dict(learn=lambda *_: None), {"running_statistics", "prediction_learns_nothing"}),
    "unbiased running variance": (dict(learned_var=lambda self, x, var: x.var(axis=0, ddof=1)), {"running_statistics"}),
    "running deviation": (dict(learned_var=lambda self, x, var: np.sqrt(var)), {"running_statistics"}),
    "running variance with eps": (dict(learned_var=lambda self, x, var: var + self.eps), {"running_statistics"}),
    "running variance from the mean": (dict(learned_var=lambda self, x, var: x.mean(axis=0)), {"running_statistics"}),
    "keeps a dimension": (
        dict(mean=lambda self, x: x.mean(axis=0, keepdims=True), var=lambda self, x: x.var(axis=0, keepdims=True)),
        {"running_statistics"},
    ),
    "learns while it predicts": (
        dict(
            statistics_predicting=lambda self, x: (
                (self.running_mean, self.running_var),
                self.learn(x, x.mean(axis=0), x.var(axis=0)),
            )[0]
        ),
        {"prediction_learns_nothing"},
    ),
    "forgets gamma and beta": (dict(affine_predicting=lambda self, x_hat: x_hat), {"prediction"}),
    "eps outside the root": (dict(std_predicting=lambda self, var: np.sqrt(var) + self.eps), {"prediction"}),
    "eps absent": (dict(std_predicting=lambda self, var: np.sqrt(var)), {"prediction"}),
    "divides by the variance": (dict(std_predicting=lambda self, var: var + self.eps), {"prediction"}),
    "backward of training": (dict(dx_predicting=Parts.dx), {"backward_of_prediction"}),
    "branches of backward exchanged": (dict(from_training=lambda self: not self.trained), {"backward_of_prediction"}),
    "exchanged, and asks for the mode": (
        dict(from_training=lambda self: not self.training),
        {"backward_of_prediction"},
    ),
    "x changed in place": (dict(statistics_predicting=predicts_in_place), {"prediction_learns_nothing"}),
    "dout changed in place": (
        dict(dx_predicting=lambda self, dout: np.multiply(dout, self.gamma / self.sd, out=dout)),
        {"backward_of_prediction"},
    ),
    "backward without gamma": (dict(dx_predicting=lambda self, dout: dout / self.sd), {"backward_of_prediction"}),
    "no gradients for parameters": (
        dict(backward=lambda self, dout: Parts.backward(self, dout) if self.trained else self.dx_predicting(dout)),
        {"backward_of_prediction"},
    ),
    "refuses a single row": (
        dict(statistics_predicting=lambda self, x: (self.running_mean, self.running_var) if len(x) > 1 else 1 / 0),
        {"single_row"},
    ),
}

# --- the other exercises: wrong ones ---------------------------------------------------------------------------------

clip = solution("clip_gradients")
study = solution("depth_study")
Monitor = solution("gradient_monitor")
slope = solution("gradient_profile")


def gradients(layers):
    return [g for layer in layers for g in layer.grads.values() if g is not None]


def length(arrays):
    return float(np.sqrt(sum(np.sum(g**2) for g in arrays)))


def scale(layers, factor):
    for g in gradients(layers):
        g *= factor


def clipping(
    norm=length,
    scaled=scale,
    too_long=lambda norm, limit: norm > limit,
    factor=lambda norm, limit: limit / norm,
    result=lambda norm, factor, layers: (norm, factor),
    finite=True,
):
    """clip_gradients in parts: what is measured, what is done to the layers, when, by how much, what is returned."""

    def clip_gradients(layers, max_norm=1.0):
        if finite and not all(np.isfinite(g).all() for g in gradients(layers)):
            raise ValueError("not finite")
        total = norm(gradients(layers))
        if not too_long(total, max_norm):
            return result(total, 1.0, layers)
        coefficient = factor(total, max_norm)
        scaled(layers, coefficient)
        return result(total, coefficient, layers)

    return {"clip_gradients": clip_gradients}


def each_layer_alone(layers, max_norm=1.0):
    for layer in layers:
        clip([layer], max_norm)
    return length(gradients(layers)), 1.0


def by_value(layers, max_norm=1.0):
    norm = length(gradients(layers))
    for g in gradients(layers):
        np.clip(g, -max_norm, max_norm, out=g)
    return norm, min(1.0, max_norm / max(norm, 1e-300))


def weights_only(layers, max_norm=1.0):
    """Measures and scales `W` alone."""
    weights = [layer.grads["W"] for layer in layers if layer.grads.get("W") is not None]
    norm = length(weights)
    if norm > max_norm:
        for g in weights:
            g *= max_norm / norm
    return norm, min(1.0, max_norm / norm) if norm else 1.0


def known_names_only(layers, max_norm=1.0):
    names = ("W", "b", "gamma", "beta")
    known = [type("", (), {"grads": {k: g for k, g in layer.grads.items() if k in names}}) for layer in layers]
    return clip(known, max_norm)


def scale_params(layers, factor):
    for layer in layers:
        for value in layer.params.values():
            value *= factor


def scale_both(layers, factor):
    scale(layers, factor)
    scale_params(layers, factor)


def scale_loop_variable(layers, factor):
    for g in gradients(layers):
        g = g * factor


def none_becomes_zero(layers, max_norm=1.0):
    for layer in layers:
        for name, g in layer.grads.items():
            layer.grads[name] = np.zeros(1) if g is None else g
    return clip(layers, max_norm)


def crashes_on_none(layers, max_norm=1.0):
    float(sum(np.sum(g**2) for layer in layers for g in layer.grads.values()))
    return clip(layers, max_norm)


def nan_becomes_zero(layers, max_norm=1.0):
    for g in gradients(layers):
        g[~np.isfinite(g)] = 0.0
    return clip(layers, max_norm)


def raises_too_late(layers, max_norm=1.0):
    norm = length(gradients(layers))
    scale(layers, min(1.0, max_norm / norm) if norm else 1.0)
    if not np.isfinite(norm):
        raise ValueError("not finite")
    return norm, min(1.0, max_norm / norm) if norm else 1.0


def raises_another_error(layers, max_norm=1.0):
    try:
        return clip(layers, max_norm)
    except ValueError:
        raise KeyError("not finite") from None


CLIP_MISTAKES = {
    "each layer alone": ({"clip_gradients": each_layer_alone}, {"scales_all_alike"}),
    "each array alone": (
        clipping(scaled=lambda layers, _: [np.multiply(g, 1 / length([g]), out=g) for g in gradients(layers)]),
        {"scales_all_alike"},
    ),
    "by value": ({"clip_gradients": by_value}, {"scales_all_alike"}),
    "always to the limit": (clipping(too_long=lambda norm, limit: norm > 0), {"small_stay", "coefficient"}),
    "sum of norms": (clipping(norm=lambda gs: float(sum(length([g]) for g in gs))), {"total_norm", "scales_all_alike"}),
    "root forgotten": (clipping(norm=lambda gs: length(gs) ** 2), {"total_norm", "scales_all_alike"}),
    "largest norm": (clipping(norm=lambda gs: max(map(length, ([g] for g in gs)), default=0.0)), {"total_norm"}),
    "root mean square": (
        clipping(norm=lambda gs: length(gs) / np.sqrt(max(1, sum(g.size for g in gs)))),
        {"total_norm", "scales_all_alike"},
    ),
    "spectral norm": (
        clipping(norm=lambda gs: float(np.sqrt(sum(np.linalg.norm(g, 2) ** 2 for g in gs)))),
        {"total_norm", "scales_all_alike"},
    ),
    "norm of ones": (clipping(norm=lambda gs: float(sum(np.abs(g).sum() for g in gs))), {"total_norm"}),
    "returns the new norm": (clipping(result=lambda norm, c, layers: (length(gradients(layers)), c)), {"total_norm"}),
    "returns the norm alone": (clipping(result=lambda norm, c, layers: norm), {"total_norm", "coefficient"}),
    "returns nothing": (clipping(result=lambda *_: None), {"total_norm", "coefficient", "nothing_to_clip"}),
    "returns them the other way round": (
        clipping(result=lambda norm, c, layers: (c, norm)),
        {"total_norm", "coefficient"},
    ),
    "changes nothing": (
        clipping(scaled=scale_loop_variable),
        {"clips", "scales_all_alike", "small_stay", "nothing_to_clip", "parameters_stay"},
    ),
    "weights alone": ({"clip_gradients": weights_only}, {"total_norm", "scales_all_alike"}),
    "factor upside down": (clipping(factor=lambda norm, limit: norm / limit), {"scales_all_alike", "coefficient"}),
    "limit ignored": (
        clipping(too_long=lambda norm, limit: norm > 1, factor=lambda norm, limit: 1 / norm),
        {"scales_all_alike"},
    ),
    "squared norm compared": (
        clipping(too_long=lambda norm, limit: norm**2 > limit),
        {"small_stay", "scales_all_alike"},
    ),
    "large epsilon": (clipping(factor=lambda norm, limit: limit / (norm + 1e-2)), {"scales_all_alike", "coefficient"}),
    "factor above 1": (
        clipping(result=lambda norm, c, layers: (norm, 1.7 if c == 1 else c)),
        {"coefficient", "nothing_to_clip"},
    ),
    "forgets the last layer": (clipping(scaled=lambda layers, c: scale(layers[:-1], c)), {"scales_all_alike"}),
    "scales parameters": (clipping(scaled=scale_params), {"scales_all_alike", "parameters_stay"}),
    "scales parameters too": (clipping(scaled=scale_both), {"parameters_stay"}),
    "None becomes zero": ({"clip_gradients": none_becomes_zero}, {"none_skipped"}),
    "crashes on None": ({"clip_gradients": crashes_on_none}, {"none_skipped", "nothing_to_clip"}),
    "crashes without gradients": (
        clipping(norm=lambda gs: float(np.linalg.norm(np.concatenate([g.ravel() for g in gs])))),
        {"nothing_to_clip"},
    ),
    "NaN goes through": (clipping(finite=False), {"nonfinite"}),
    "NaN becomes zero": ({"clip_gradients": nan_becomes_zero}, {"nonfinite"}),
    "raises after scaling": ({"clip_gradients": raises_too_late}, {"nonfinite"}),
    "raises something else": ({"clip_gradients": raises_another_error}, {"nonfinite"}),
    "raises whatever comes": ({"clip_gradients": lambda layers, max_norm=1.0: [][0]}, {"total_norm", "nonfinite"}),
}


def update(layers, lr):
    for layer in layers:
        for name in layer.params:
            layer.params[name] = layer.params[name] - lr * layer.grads[name]


def training(
    step=update,
    record=forward_backward,
    made=lambda build, depth, seed: build(depth, np.random.default_rng(seed)),
    recorded_after=False,
    options=lambda **kw: kw,
    finish=lambda results: results,
):
    """depth_study in parts: how a network is made, what is recorded of a step, the update, the settings, the result."""

    def depth_study(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
        results, o = {}, options(lr=lr, steps=steps, seed=seed)
        for depth in depths:
            layers, rows = made(build_network, depth, o["seed"]), []
            for _ in range(o["steps"]):
                row = record(layers, X, t)
                step(layers, o["lr"])
                rows.append(record(layers, X, t) if recorded_after else row)
            loss, norms = zip(*rows)
            results[depth] = {"loss": np.array(loss), "grad_norms": np.array(norms)}
        return finish(results)

    return {"depth_study": depth_study}


def one_network(build, depth, _seed, made=[]):
    """The first network, for every depth."""
    return made[0] if made else made.append(build(depth, np.random.default_rng(0))) or made[0]


def one_generator():
    """The generator is made once and not anew for each depth."""
    rngs = {}
    return lambda build, depth, seed: build(depth, rngs.setdefault(seed, np.random.default_rng(seed)))


def recording(change):
    """What `forward_backward` gives, changed."""
    return lambda layers, X, t: change(*forward_backward(layers, X, t), layers)


def all_norms(_loss, _norms, layers):
    return _loss, [length(gradients([layer])) for layer in layers if isinstance(layer, Linear)]


def update_linear(layers, lr):
    update([layer for layer in layers if isinstance(layer, Linear)], lr)


def update_known_names(layers, lr):
    for layer in layers:
        for name in ("W", "b", "gamma", "beta"):
            if name in layer.params:
                layer.params[name] = layer.params[name] - lr * layer.grads[name]


def momentum_update(layers, lr):
    for layer in layers:
        layer.velocity = {k: 0.9 * getattr(layer, "velocity", {}).get(k, 0.0) + g for k, g in layer.grads.items()}
        for name, v in layer.velocity.items():
            layer.params[name] = layer.params[name] - lr * v


def clipped_update(layers, lr):
    clip(layers, 0.1)
    update(layers, lr)


def relabelled(results):
    """The first depth's curves under every name."""
    first = next(iter(results.values()))
    return {
        depth: {"loss": first["loss"], "grad_norms": np.resize(first["grad_norms"], run["grad_norms"].shape)}
        for depth, run in results.items()
    }


def mapped(change):
    return lambda results: {depth: change(run) for depth, run in results.items()}


def invented(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    return {
        d: {"loss": 1 / (1 + np.arange(steps)), "grad_norms": np.full((steps, d), 0.25) ** np.arange(d, 0, -1)}
        for d in depths
    }


def stops_at_overflow(layers, X, t):
    loss, norms = forward_backward(layers, X, t)
    if not np.isfinite(loss) or not np.isfinite(norms).all():
        raise OverflowError
    return loss, norms


def without_first_step(run):
    return {k: np.vstack([v[1:], v[-1:]]) if v.ndim == 2 else np.append(v[1:], v[-1]) for k, v in run.items()}


STUDY_MISTAKES = {
    "one network for all": (training(made=lambda *a: one_network(*a)), {"depths"}),
    "generator not made anew": (training(made=one_generator()), {"depths"}),
    "global random numbers": (
        training(made=lambda build, depth, seed: build(depth, np.random.default_rng(np.random.randint(10**6)))),
        {"initial_loss", "settings"},
    ),
    "output side first": (
        training(record=recording(lambda loss, norms, _: (loss, norms[::-1]))),
        {"initial_gradients"},
    ),
    "norms sorted": (training(record=recording(lambda loss, norms, _: (loss, sorted(norms)))), {"initial_gradients"}),
    "bias in the norm": (training(record=recording(all_norms)), {"initial_gradients", "gradient_curves"}),
    "squared norms": (
        training(record=recording(lambda loss, norms, _: (loss, np.square(norms)))),
        {"initial_gradients"},
    ),
    "norms of the weights": (
        training(
            record=recording(lambda loss, _, ls: (loss, [length([x.params["W"]]) for x in ls if isinstance(x, Linear)]))
        ),
        {"initial_gradients"},
    ),
    "activations counted": (
        training(record=recording(lambda loss, norms, ls: (loss, [0.0 if not x.params else 1.0 for x in ls]))),
        {"initial_gradients"},
    ),
    "loss after the update": (training(recorded_after=True), {"initial_loss", "loss_curve", "initial_gradients"}),
    "first step left out": (training(finish=mapped(without_first_step)), {"initial_loss", "loss_curve"}),
    "norms after the update": (
        training(finish=mapped(lambda run: run | {"grad_norms": without_first_step(run)["grad_norms"]})),
        {"gradient_curves"},
    ),
    "half the loss": (
        training(record=recording(lambda loss, norms, _: (loss / 2, norms))),
        {"initial_loss", "loss_curve"},
    ),
    "biases not updated": (
        training(
            step=lambda layers, lr: [
                x.params.update(W=x.params["W"] - lr * x.grads["W"]) for x in layers if "W" in x.params
            ]
        ),
        {"loss_curve", "gradient_curves"},
    ),
    "Linear alone updated": (training(step=update_linear), {"all_parameters"}),
    "uphill": (training(step=lambda layers, lr: update(layers, -lr)), {"loss_curve"}),
    "with momentum": (training(step=momentum_update), {"loss_curve", "gradient_curves"}),
    "with clipping": (training(step=clipped_update), {"loss_curve"}),
    "lr ignored": (training(options=lambda **kw: kw | {"lr": 0.1}), {"settings"}),
    "seed ignored": (training(options=lambda **kw: kw | {"seed": 0}), {"initial_loss", "settings"}),
    "steps ignored": (training(options=lambda **kw: kw | {"steps": 200}), {"initial_loss", "initial_gradients"}),
    "updates once too often": (
        training(step=lambda layers, lr: (update(layers, lr), update(layers, lr))),
        {"loss_curve"},
    ),
    "first depth relabelled": (training(finish=relabelled), {"depths"}),
    "keys as text": (
        training(finish=lambda results: {str(k): v for k, v in results.items()}),
        {"initial_loss", "initial_gradients"},
    ),
    "a list of runs": (training(finish=lambda results: list(results.values())), {"initial_loss", "initial_gradients"}),
    "loss alone": (training(finish=mapped(lambda run: {"loss": run["loss"]})), {"initial_gradients"}),
    "last values alone": (
        training(finish=mapped(lambda run: {k: v[-1] for k, v in run.items()})),
        {"initial_loss", "initial_gradients"},
    ),
    "smoothed": (
        training(finish=mapped(lambda run: run | {"loss": np.convolve(run["loss"], [0.5, 0.5])[: len(run["loss"])]})),
        {"loss_curve"},
    ),
    "invented curves": ({"depth_study": invented}, {"initial_loss", "initial_gradients", "loss_curve", "settings"}),
    "stops at overflow": (training(record=stops_at_overflow), {"overflow"}),
    "NaN becomes zero": (
        training(finish=mapped(lambda run: {k: np.where(np.abs(v) < 1e6, v, 0.0) for k, v in run.items()})),
        {"overflow"},
    ),
}


def monitoring(find=None, records=lambda history: history[-1:], problem=Problem, result=lambda found: found):
    """GradientMonitor.detect_problems in parts: the illness of a norm, the records that count, the answer."""

    def right(norm, low, high):
        return (
            "nonfinite"
            if not np.isfinite(norm)
            else "vanishing"
            if norm < low
            else "exploding"
            if norm > high
            else None
        )

    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        found = []
        for epoch, norms in records(self.history):
            for layer, norm in norms.items():
                kind = (find or right)(norm, vanish_threshold, explode_threshold)
                if kind:
                    found.append(problem(layer, kind, norm, epoch))
        return result(found)

    return {"GradientMonitor": type("GradientMonitor", (Monitor,), {"detect_problems": detect_problems})}


def seen_by(**rules):
    """An illness by the first rule that holds."""
    return lambda norm, low, high: next((kind for kind, rule in rules.items() if rule(norm, low, high)), None)


BELOW, ABOVE, ODD = (lambda n, low, _: n < low), (lambda n, _, high: n > high), (lambda n, *_: not np.isfinite(n))
MONITOR_MISTAKES = {
    "NaN not seen": (monitoring(seen_by(vanishing=BELOW, exploding=ABOVE)), {"nonfinite"}),
    "infinite explodes": (monitoring(seen_by(exploding=ABOVE, vanishing=BELOW, nonfinite=ODD)), {"nonfinite"}),
    "only NaN": (
        monitoring(seen_by(nonfinite=lambda n, *_: n != n, vanishing=BELOW, exploding=lambda n, _, h: h < n < np.inf)),
        {"nonfinite"},
    ),
    "explosions not seen": (monitoring(seen_by(nonfinite=ODD, vanishing=BELOW)), {"kinds", "thresholds"}),
    "kinds swapped": (monitoring(seen_by(nonfinite=ODD, exploding=BELOW, vanishing=ABOVE)), {"kinds"}),
    "thresholds swapped": (
        monitoring(lambda n, low, high: seen_by(nonfinite=ODD, vanishing=BELOW, exploding=ABOVE)(n, high, low)),
        {"kinds"},
    ),
    "thresholds ignored": (
        monitoring(seen_by(nonfinite=ODD, vanishing=lambda n, *_: n < 1e-7, exploding=lambda n, *_: n > 1e3)),
        {"thresholds"},
    ),
    "one threshold ignored": (
        monitoring(seen_by(nonfinite=ODD, vanishing=BELOW, exploding=lambda n, *_: n > 1e3)),
        {"thresholds"},
    ),
    "zero is healthy": (
        monitoring(seen_by(nonfinite=ODD, vanishing=lambda n, low, _: 0 < n < low, exploding=ABOVE)),
        {"kinds"},
    ),
    "first record": (monitoring(records=lambda history: history[:1]), {"newest"}),
    "all records": (monitoring(records=lambda history: history), {"newest"}),
    "highest epoch": (
        monitoring(records=lambda history: [max(history, key=lambda r: r[0])] if history else []),
        {"newest"},
    ),
    "crashes without a record": (monitoring(records=lambda history: [history[-1]]), {"healthy"}),
    "sorted": (monitoring(result=lambda found: sorted(found, key=lambda p: p.layer)), {"newest"}),
    "first problem alone": (monitoring(result=lambda found: found[:1]), {"kinds"}),
    "None where healthy": (monitoring(result=lambda found: found or None), {"healthy"}),
    "sentences": (monitoring(result=lambda found: [str(p) for p in found]), {"kinds"}),
    "a count": (monitoring(result=len), {"kinds", "newest"}),
    "prints": (monitoring(result=lambda found: print(*found)), {"kinds", "newest", "history_stays"}),
    "number of the layer": (monitoring(problem=lambda layer, *rest: Problem(int(layer[-1]), *rest)), {"kinds"}),
    "epoch missing": (monitoring(problem=lambda layer, kind, norm, epoch: Problem(layer, kind, norm, 0)), {"kinds"}),
    "norm missing": (monitoring(problem=lambda layer, kind, norm, epoch: Problem(layer, kind, None, epoch)), {"kinds"}),
    "norm and epoch swapped": (
        monitoring(problem=lambda layer, kind, norm, epoch: Problem(layer, kind, epoch, norm)),
        {"kinds"},
    ),
}


def sloping(
    logs=np.log10,
    fit=lambda n, y: np.polyfit(n, y, 1)[0],
    numbers=np.arange,
    zero=np.finfo(float).tiny,
    clean=lambda norms: np.array(norms, dtype=float),
    finite=True,
):
    """gradient_slope in parts: the copy of the norms, what a zero becomes, the logarithm, the line."""

    def gradient_slope(delta_norms):
        norms = clean(delta_norms)
        if finite and not np.isfinite(norms).all():
            raise ValueError("not finite")
        if zero is not None:
            norms[norms == 0] = zero
        return fit(numbers(len(norms)), logs(norms))

    return {"gradient_slope": gradient_slope}


def theil_sen(n, y):
    return np.median([(y[j] - y[i]) / (j - i) for i in range(len(y)) for j in range(i + 1, len(y))])


def changes_a_list(delta_norms):
    for i, norm in enumerate(delta_norms):
        delta_norms[i] = norm or np.finfo(float).tiny
    return slope(delta_norms)


def drops_zeros(delta_norms):
    return slope([norm for norm in delta_norms if norm != 0] or [1, 1])


SLOPE_MISTAKES = {
    "a constant": ({"gradient_slope": lambda delta_norms: 1.0}, {"depends_on_norms", "nonfinite", "input_stays"}),
    "natural logarithm": (sloping(logs=np.log), {"line", "scatter"}),
    "no logarithm": (sloping(logs=lambda y: y), {"line", "scatter"}),
    "sign": (sloping(fit=lambda n, y: -np.polyfit(n, y, 1)[0]), {"line", "scatter"}),
    "output side first": (sloping(numbers=lambda n: np.arange(n)[::-1]), {"line"}),
    "ends alone": (sloping(fit=lambda n, y: (y[-1] - y[0]) / (len(y) - 1)), {"scatter"}),
    "mean of differences": (sloping(fit=lambda n, y: np.diff(y).mean()), {"scatter"}),
    "median of slopes": (sloping(fit=theil_sen), {"scatter"}),
    "line through the origin": (sloping(fit=lambda n, y: n @ y / (n @ n)), {"line", "scatter"}),
    "through the first point": (sloping(fit=lambda n, y: n @ (y - y[0]) / (n @ n)), {"scatter"}),
    "axes swapped": (sloping(fit=lambda n, y: 1 / np.polyfit(y, n, 1)[0]), {"scatter"}),
    "correlation": (sloping(fit=lambda n, y: np.corrcoef(n, y)[0, 1]), {"line"}),
    "total, not per layer": (sloping(fit=lambda n, y: np.polyfit(n, y, 1)[0] * (len(y) - 1)), {"line"}),
    "intercept": (sloping(fit=lambda n, y: np.polyfit(n, y, 1)[1]), {"line"}),
    "both coefficients": (sloping(fit=lambda n, y: np.polyfit(n, y, 1)), {"line", "depends_on_norms"}),
    "layers scaled to 1": (sloping(numbers=lambda n: np.linspace(0, 1, n)), {"line"}),
    "zeros left": (sloping(zero=None), {"zeros"}),
    "zeros dropped": ({"gradient_slope": drops_zeros}, {"zeros"}),
    "zeros are 1e-300": (sloping(zero=1e-300), {"zeros"}),
    "zeros are machine epsilon": (sloping(zero=np.finfo(float).eps), {"zeros"}),
    "NaN goes through": (sloping(finite=False), {"nonfinite"}),
    "NaN becomes zero": (sloping(clean=lambda norms: np.nan_to_num(np.array(norms, float))), {"nonfinite"}),
    "array changed": (sloping(clean=np.asarray), {"input_stays"}),
    "list changed": ({"gradient_slope": changes_a_list}, {"input_stays"}),
    "raises whatever comes": ({"gradient_slope": lambda delta_norms: int("x")}, {"line", "nonfinite"}),
}


def table(exercise_id, mistakes, made=lambda names: names):
    return [
        pytest.param(exercise_id, made(names), checks, id=f"{exercise_id}: {m}")
        for m, (names, checks) in mistakes.items()
    ]


MISTAKES = [
    *table("batch_norm_forward", FORWARD_MISTAKES, lambda changes: parts(**changes)),
    *table("batch_norm_backward", BACKWARD_MISTAKES, lambda changes: parts(**changes)),
    *table("batch_norm_inference", INFERENCE_MISTAKES, lambda changes: parts(**changes)),
    *table("clip_gradients", CLIP_MISTAKES),
    *table("depth_study", STUDY_MISTAKES),
    *table("gradient_monitor", MONITOR_MISTAKES),
    *table("gradient_profile", SLOPE_MISTAKES),
]


@pytest.mark.parametrize("exercise_id, names, checks", MISTAKES)
def test_a_mistake_costs_points_where_it_should(exercise_id, names, checks):
    for seed in (None, *SEEDS[:2]):
        assert checks <= lost(grade(exercise_id, names, seed)).keys()


@pytest.mark.parametrize("name, check", CHECKS)
def test_every_check_can_fail(name, check):
    assert any(exercise_id == name and check in checks for exercise_id, _, checks in (p.values for p in MISTAKES))


# --- right implementations, written in unusual ways ------------------------------------------------------------------


def once(method):
    """A method of `Parts` that computes what `method(x, dout, gamma, std, x_hat)` says."""
    return lambda self, dout: method(self.x, dout, self.gamma, self.sd, self.x_hat)


def staged(x, dout, gamma, std, x_hat):
    """The backward of a graph with a node for each operation, sums written as products with ones."""
    n, d = x.shape
    centred = x - x.mean(axis=0)
    dx_hat = dout * gamma
    dinverse = np.sum(dx_hat * centred, axis=0)
    dcentred = dx_hat / std
    dstd = -dinverse / std**2
    dvar = 0.5 * dstd / std
    dsquares = np.ones((n, d)) * dvar / n
    dcentred = dcentred + 2 * centred * dsquares
    dmean = -np.sum(dcentred, axis=0)
    return dcentred + np.ones((n, d)) * dmean / n


def compact(x, dout, gamma, std, x_hat):
    n = len(x)
    return gamma / (n * std) * (n * dout - dout.sum(axis=0) - x_hat * (dout * x_hat).sum(axis=0))


def three_terms(x, dout, gamma, std, x_hat):
    n, centred, dx_hat = len(x), x - x.mean(axis=0), dout * gamma
    dvar = np.sum(dx_hat * centred * -0.5 * (std**2) ** -1.5, axis=0)
    dmean = np.sum(-dx_hat / std, axis=0) + dvar * np.mean(-2 * centred, axis=0)
    return dx_hat / std + dvar * 2 * centred / n + dmean / n


def projector(x, dout, gamma, std, x_hat):
    """One explicit Jacobian a column."""
    n, columns = len(x), []
    for j in range(x.shape[1]):
        jacobian = (np.eye(n) - 1 / n - np.outer(x_hat[:, j], x_hat[:, j]) / n) / std[j]
        columns.append(gamma[j] * jacobian @ dout[:, j])
    return np.array(columns).T  # in Fortran order


def loops(x, dout, gamma, std, x_hat):
    n, d = x.shape
    dx = np.zeros((n, d))
    for j in range(d):
        total = sum(dout[i, j] for i in range(n))
        weighted = sum(dout[i, j] * x_hat[i, j] for i in range(n))
        for i in range(n):
            dx[i, j] = gamma[j] / std[j] * (dout[i, j] - total / n - x_hat[i, j] * weighted / n)
    return dx


def with_einsum(x, dout, gamma, std, x_hat):
    n = len(x)
    weighted = np.einsum("nd,nd->d", dout, x_hat)
    return np.einsum(
        "d,nd->nd", gamma / std, dout - np.einsum("nd->d", dout) / n - np.einsum("nd,d->nd", x_hat, weighted) / n
    )


class Folded(Parts):
    """y = a x + c, and x_hat found again from y."""

    def forward(self, x):
        self.x, self.n = x, len(x)
        mean, var = (x.mean(axis=0), x.var(axis=0)) if self.training else (self.running_mean, self.running_var)
        if self.training:
            self.learn(x, mean, var)
        self.trained, self.sd = self.training, np.power(var + self.eps, 0.5)
        a = self.gamma / self.sd
        y = a * x + (self.beta - a * mean)
        self.x_hat = (y - self.beta) / self.gamma
        return y


class InPlace(Parts):
    """Everything that may be kept is written in place."""

    def learn(self, x, mean, var):
        self.running_mean *= self.momentum
        self.running_mean += (1 - self.momentum) * mean
        self.running_var[...] = self.momentum * self.running_var + (1 - self.momentum) * var

    def keep(self, dgamma, dbeta):
        for name, new in (("gamma", dgamma), ("beta", dbeta)):
            if self.grads[name] is None:
                self.grads[name] = np.empty_like(new)
            self.grads[name][...] = new


class Single(Parts):
    """float32 inside."""

    def forward(self, x):
        return super().forward(x.astype(np.float32))

    def backward(self, dout):
        return super().backward(dout.astype(np.float32))

    gamma = property(lambda self: self.params["gamma"].astype(np.float32))
    beta = property(lambda self: self.params["beta"].astype(np.float32))


class SingleDifference(Single):
    """float32 inside, and E[x^2] - mean^2."""

    def var(self, x):
        return (x**2).mean(axis=0) - x.mean(axis=0) ** 2


class OwnBuffers(Parts):
    """Hands out the same buffers at every call."""

    def forward(self, x):
        y = super().forward(x)
        if getattr(self, "buffer", None) is None or self.buffer.shape != y.shape:
            self.buffer = np.empty_like(y)
        self.buffer[...] = y
        return self.buffer


class Recomputing(Parts):
    """Keeps x alone and computes everything again in backward."""

    def forward(self, x):
        y = super().forward(x)
        self.cache = {"x": x, "mode": self.training, "running": (self.running_mean.copy(), self.running_var.copy())}
        del self.x_hat, self.sd
        return y

    def backward(self, dout):
        x = self.cache["x"]
        mean, var = (x.mean(axis=0), x.var(axis=0)) if self.cache["mode"] else self.cache["running"]
        self.x_hat, self.sd = (x - mean) / np.sqrt(var + self.eps), np.sqrt(var + self.eps)
        return super().backward(dout)


def numerical_dx(self, dout, step=None):
    """The numerical gradient of the own forward, whatever that is."""

    def forward(x):
        return self.affine(self.normalise(x, self.mean(x), self.std(self.var(x))))

    return central_differences(forward, self.x, dout, 1e-5 * self.sd if step is None else step)


BATCH_NORM_VARIANTS = {
    "the parts themselves": {},
    "backward asks for the mode": dict(from_training=lambda self: self.training),
    "staged": dict(dx=once(staged)),
    "compact": dict(dx=once(compact)),
    "three terms of the paper": dict(dx=once(three_terms)),
    "projector": dict(dx=once(projector)),
    "loops": dict(dx=once(loops)),
    "einsum": dict(dx=once(with_einsum)),
    "numerical gradient": dict(dx=numerical_dx),
    "E[x^2] - mean^2": dict(var=lambda self, x: (x**2).mean(axis=0) - x.mean(axis=0) ** 2),
    "np.std and np.average": dict(
        mean=lambda self, x: np.average(x, axis=0), var=lambda self, x: np.std(x, axis=0) ** 2
    ),
    "exponential of a logarithm": dict(std=lambda self, var: np.exp(0.5 * np.log(var + self.eps))),
    "two-pass mean": dict(mean=lambda self, x: x.mean(axis=0) + (x - x.mean(axis=0)).mean(axis=0)),
    "dimensions kept inside": dict(
        normalise=lambda self, x, m, s: (x - m[None, :]) * (1 / s[None, :]),
        dgamma=lambda self, dout: (dout * self.x_hat).sum(axis=0, keepdims=True).squeeze(0),
    ),
    "diagonal of a product": dict(
        dgamma=lambda self, dout: np.diag(dout.T @ self.x_hat), dbeta=lambda self, dout: np.ones(len(dout)) @ dout
    ),
    "gradients as lists": dict(keep=lambda self, g, b: Parts.keep(self, g.tolist(), tuple(b))),
    "output in Fortran order": dict(affine=lambda self, x_hat: np.asfortranarray(Parts.affine(self, x_hat))),
    "output a matrix": dict(affine=lambda self, x_hat: Parts.affine(self, x_hat).view(np.matrix)),
    "running values by a difference": dict(moved=lambda self, old, new: old - (1 - self.momentum) * (old - new)),
    "new gradient dictionary": dict(keep=lambda self, g, b: setattr(self, "grads", {"gamma": g, "beta": b})),
    "prints and warns": dict(dbeta=lambda self, dout: (print("dbeta"), np.sqrt([-1.0]), dout.sum(axis=0))[2]),
}


def batch_norm_variants():
    named = {name: parts(**changes)["BatchNorm"] for name, changes in BATCH_NORM_VARIANTS.items()}
    return named | {kind.__doc__: kind for kind in (Folded, InPlace, Single, SingleDifference, OwnBuffers, Recomputing)}


def rebind(layers, factor):
    for layer in layers:
        for name in list(layer.grads):
            if layer.grads[name] is not None:
                layer.grads[name] = layer.grads[name] * factor


def new_dictionaries(layers, factor):
    for layer in layers:
        layer.grads = {name: g if g is None else factor * g for name, g in layer.grads.items()}


def multiply_always(layers, max_norm=1.0):
    norm = length(gradients(layers))
    if not np.isfinite(norm):
        raise FloatingPointError
    factor = min(1.0, max_norm / (norm + 1e-6))
    scale(layers, factor)
    return norm, factor


def concatenated(gs):
    return np.linalg.norm(np.concatenate([np.zeros(0), *(g.ravel() for g in gs)]))


CLIP_VARIANTS = {
    "the lesson's names alone": {"clip_gradients": known_names_only},
    "small epsilon": clipping(factor=lambda norm, limit: limit / (norm + 1e-6)),
    "multiplies always": {"clip_gradients": multiply_always},
    "one long vector": clipping(norm=concatenated),
    "hypot": clipping(norm=lambda gs: math.hypot(*(v for g in gs for v in g.flat))),
    "fsum": clipping(norm=lambda gs: math.sqrt(math.fsum(v * v for g in gs for v in g.flat))),
    "norm of norms": clipping(norm=lambda gs: np.linalg.norm([np.linalg.norm(g) for g in gs])),
    "dot products": clipping(norm=lambda gs: sum(np.dot(g.ravel(), g.ravel()) for g in gs) ** 0.5),
    "binds new arrays": clipping(scaled=rebind),
    "new dictionaries": clipping(scaled=new_dictionaries),
    "at the limit too": clipping(too_long=lambda norm, limit: norm >= limit),
    "a list": clipping(result=lambda norm, c, layers: [norm, c]),
    "an array": clipping(result=lambda norm, c, layers: np.array([norm, c])),
    "0-d arrays": clipping(result=lambda norm, c, layers: (np.array(norm), np.array([c]))),
    "single precision": clipping(norm=lambda gs: np.float32(length(gs))),
}


class Recorder:
    """A study written as a class, with its own loss and loops, in-place updates, and more keys than asked."""

    def __init__(self, layers, X, t):
        self.layers, self.X, self.t = layers, X, t

    def step(self, lr):
        h, loss = self.X, MSELoss()
        for layer in self.layers:
            h = layer.forward(h)
        value, dout = loss.forward(h, self.t), loss.backward()
        for layer in self.layers[::-1]:
            dout = layer.backward(dout)
        norms = [math.sqrt(np.sum(x.grads["W"] ** 2)) for x in self.layers if type(x).__name__ == "Linear"]
        for layer in self.layers:
            for name, g in layer.grads.items():
                layer.params[name] -= lr * g
        return float(value), norms


def own_loop(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    results = {}
    for depth in map(np.int64, sorted(depths, reverse=True)):
        recorder = Recorder(build_network(depth, np.random.default_rng(seed)), X, t)
        rows = [recorder.step(lr) for _ in range(steps)]
        last, _ = forward_backward(recorder.layers, X, t)
        results[depth] = {"loss": [r[0] for r in rows], "grad_norms": [r[1] for r in rows], "final_loss": last}
    return results


STUDY_VARIANTS = {
    "every layer with a W": training(
        record=recording(lambda loss, _, ls: (loss, [length([x.grads["W"]]) for x in ls if "W" in x.params]))
    ),
    "the lesson's names updated": training(step=update_known_names),
    "own loop, lists, more keys": {"depth_study": own_loop},
    "tuples": training(finish=mapped(lambda run: {k: tuple(v.tolist()) for k, v in run.items()})),
    "more forward passes": training(record=lambda ls, X, t: [forward_backward(ls, X, t) for _ in range(3)][-1]),
    "more depths than asked": {
        "depth_study": lambda depths, *args, **kw: training()["depth_study"]([*depths, 6], *args, **kw)
    },
    "a key for the settings": training(finish=lambda results: results | {"settings": object()}),
    "copies of every parameter in place": training(
        step=lambda layers, lr: [np.copyto(v, v - lr * x.grads[k]) for x in layers for k, v in x.params.items()]
    ),
    "transposed in memory": training(
        finish=mapped(lambda run: run | {"grad_norms": np.asfortranarray(run["grad_norms"])})
    ),
}


class Finding:
    """A problem of the student's own class, with one more field."""

    def __init__(self, layer, kind, norm, epoch):
        self.layer, self.kind, self.norm, self.epoch, self.advice = (
            np.str_(layer),
            kind,
            np.float32(norm),
            np.int64(epoch),
            "!",
        )


def with_arrays(self, vanish_threshold=1e-7, explode_threshold=1e3):
    """Everything at once: names and norms as arrays."""
    if not self.history:
        return []
    epoch, record = self.history[-1]
    names, norms = np.array(list(record)), np.array(list(record.values()))
    kinds = np.select(
        [~np.isfinite(norms), norms <= vanish_threshold, norms >= explode_threshold],
        ["nonfinite", "vanishing", "exploding"],
        "",
    )
    return [Problem(name, kind, norm, epoch) for name, kind, norm in zip(names, kinds, norms) if kind]


MONITOR_VARIANTS = {
    "arrays, and thresholds that count": {"GradientMonitor": type("M", (Monitor,), {"detect_problems": with_arrays})},
    "own class": monitoring(problem=Finding),
    "math.isnan": monitoring(
        lambda n, low, high: (
            "nonfinite"
            if math.isnan(n) or math.isinf(n)
            else "vanishing"
            if n < low
            else "exploding"
            if high < n
            else ""
        )
    ),
    "a list of a class": monitoring(result=type("Problems", (list,), {})),
}

SLOPE_VARIANTS = {
    "lstsq": sloping(fit=lambda n, y: np.linalg.lstsq(np.vander(n, 2), y, rcond=None)[0][0]),
    "covariance": sloping(fit=lambda n, y: np.cov(n, y)[0, 1] / np.var(n, ddof=1)),
    "normal equations": sloping(
        fit=lambda n, y: (len(n) * (n @ y) - n.sum() * y.sum()) / (len(n) * (n @ n) - n.sum() ** 2)
    ),
    "Polynomial.fit": sloping(
        fit=lambda n, y: np.polynomial.Polynomial.fit(n, y, 1).convert(window=[-1, 1]).coef[-1] if np.ptp(y) else 0.0
    ),
    "centred sums": sloping(fit=lambda n, y: sum((n - n.mean()) * (y - y.mean())) / sum((n - n.mean()) ** 2)),
    "layers from 1": sloping(numbers=lambda n: np.arange(1, n + 1)),
    "logarithm of two": sloping(logs=lambda y: np.log2(y) / np.log2(10)),
    "maximum": sloping(clean=lambda norms: np.maximum(np.array(norms, float), np.finfo(float).tiny), zero=None),
    "array of one": sloping(fit=lambda n, y: np.polyfit(n, y, 1)[:1]),
}


def variants():
    for name, kind in batch_norm_variants().items():
        for exercise_id in ("batch_norm_forward", "batch_norm_backward", "batch_norm_inference"):
            yield exercise_id, name, {"BatchNorm": kind}
    for exercise_id, table in (
        ("clip_gradients", CLIP_VARIANTS),
        ("depth_study", STUDY_VARIANTS),
        ("gradient_monitor", MONITOR_VARIANTS),
        ("gradient_profile", SLOPE_VARIANTS),
    ):
        for name, names in table.items():
            yield exercise_id, name, names


RIGHT = [pytest.param(exercise_id, names, id=f"{exercise_id}: {name}") for exercise_id, name, names in variants()]


@pytest.mark.parametrize("exercise_id, names", RIGHT)
def test_right_code_has_full_marks_however_it_is_written(exercise_id, names):
    for seed in (None, *SEEDS):
        assert lost(grade(exercise_id, names, seed)) == {}


# --- a backward that fits a wrong forward ----------------------------------------------------------------------------


NEARLY = {
    "variance with N - 1": dict(var=lambda self, x: x.var(axis=0, ddof=1)),
    "eps outside the root": dict(std=lambda self, var: np.sqrt(var) + self.eps),
    "eps a constant": dict(std=lambda self, var: np.sqrt(var + 1e-3)),
    "gamma forgotten": dict(affine=lambda self, x_hat: x_hat + self.beta, dgamma=lambda self, dout: 0 * dout[0]),
    "beta forgotten": dict(affine=lambda self, x_hat: self.gamma * x_hat, dbeta=lambda self, dout: 0 * dout[0]),
}


@pytest.mark.parametrize("changes", NEARLY.values(), ids=NEARLY)
@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_a_backward_that_fits_a_wrong_normalisation_keeps_that_promise_alone(changes, seed):
    result = grade("batch_norm_backward", parts(**changes, dx=numerical_dx), seed)
    assert item(result, "own_forward").outcome is Outcome.PASSED
    assert not result.full


TRIVIAL = {
    "identity": dict(normalise=lambda self, x, m, s: x),
    "centring alone": dict(normalise=lambda self, x, m, s: x - m),
    "scaling alone": dict(normalise=lambda self, x, m, s: x / s),
    "a constant": dict(normalise=lambda self, x, m, s: 0 * x),
    "statistics of each row": dict(
        mean=lambda self, x: x.mean(axis=1, keepdims=True),
        var=lambda self, x: x.var(axis=1, keepdims=True),
        learn=lambda *_: None,
    ),
    "one statistic for everything": dict(
        mean=lambda self, x: x.mean(), var=lambda self, x: x.var(), learn=lambda *_: None
    ),
    "signs": dict(normalise=lambda self, x, m, s: np.sign(x - m)),
    "divided by the variance": dict(std=lambda self, var: var + self.eps),
}


@pytest.mark.parametrize("changes", TRIVIAL.values(), ids=TRIVIAL)
@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_a_backward_that_fits_no_normalisation_earns_nothing_for_it(changes, seed):
    names = parts(**changes, dx=lambda self, dout: numerical_dx(self, dout, 1e-5))
    result = grade("batch_norm_backward", names, seed)
    assert item(result, "own_forward").points == item(result, "dx").points == 0
    assert seed is not None or "does not normalise its columns yet" in item(result, "own_forward").message


@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_a_wrong_backward_of_a_wrong_forward_earns_nothing_for_dx(seed):
    result = grade("batch_norm_backward", parts(**NEARLY["variance with N - 1"], mean_term=lambda self, d: 0), seed)
    assert item(result, "own_forward").points == item(result, "dx").points == 0


@pytest.mark.parametrize("changes", [NEARLY["variance with N - 1"], dict(affine=lambda self, x_hat: None)])
def test_a_backward_that_fits_the_formula_and_not_the_own_forward_keeps_the_other_promise(changes):
    right = solution("batch_norm_backward")

    def backward(self, dout):
        layer = right(len(self.gamma), self.eps)
        layer.params = self.params
        layer.forward(self.x)
        dx = layer.backward(dout)
        self.grads = layer.grads
        return dx

    assert set(lost(grade("batch_norm_backward", parts(**changes, backward=backward)))) == {"own_forward"}


# --- the judge -------------------------------------------------------------------------------------------------------


@pytest.fixture
def exercise():
    """Three checks: of a value, of what needs it, and of another value."""
    made = Exercise("made", dict, {"one": lambda rng: [{}], "two": lambda rng: [{}]}, lambda *_: iter(()))

    @made.check(points=1.0, on="one")
    def test_value(case, seen, expected):
        """The value is the expected one."""
        if seen["value"] != expected["value"]:
            raise Failed(f"it is {seen['value']}", share=0.5 if seen["value"] == "nearly" else 0.0)

    @made.check(points=2.0, on="one", needs=("value",))
    def test_more(case, seen, expected):
        """More is at least ten."""
        if seen["more"] < 10:
            raise Failed("it is less")

    @made.check(points=4.0, on=("one", "two"))
    def test_broken(case, seen, expected):
        """This check cannot be kept."""
        if expected["value"] == "breaks":
            raise ZeroDivisionError

    return made


class Titled:
    title = "a title"


def trial(seen, expected=None, public=True, group="one"):
    return Trial(group, Titled(), Observation(seen), Observation(expected or {"value": 1, "more": 20}), public)


def outcomes(result):
    return [(item.outcome.value, item.points) for item in result.items]


def test_what_needs_a_failed_check_is_blocked_whatever_it_would_say(exercise):
    result = judge(exercise, [trial({"value": 2, "more": 3})])
    assert outcomes(result) == [("failed", 0.0), ("blocked", 0.0), ("passed", 4.0)]
    assert result.items[1].message == 'First: "The value is the expected one."'
    assert outcomes(judge(exercise, [trial({"value": 2, "more": 10})]))[1] == ("blocked", 0.0)


def test_a_share_of_the_points_is_that_of_the_worst_case(exercise):
    right, nearly, wrong = ({"value": value, "more": 10} for value in (1, "nearly", 2))
    assert judge(exercise, [trial(right), trial(nearly)]).items[0].points == 0.5
    assert judge(exercise, [trial(nearly), trial(wrong)]).items[0].points == 0.0
    assert judge(exercise, [trial(nearly), trial(wrong)]).items[0].message == "it is 2\n(case: a title)"


def test_an_exception_of_the_students_is_told_with_its_line(exercise):
    error = Raised("KeyError", ("KeyError", "Exception"), "'W'", 3, "x['W']")
    for public, hint in ((True, "(case: a title)"), (False, "It fails on a hidden case: a title.")):
        found = judge(exercise, [trial({"value": error, "more": 10}, public=public)]).items[0]
        assert (found.outcome, found.points) == (Outcome.RAISED, 0.0)
        assert found.message == f"Your code raised KeyError: 'W'\nin line 3 of the cell: x['W']\n{hint}"


def test_a_hidden_case_is_named_by_its_title_alone(exercise):
    found = judge(exercise, [trial({"value": "secret", "more": 10}, public=False)]).items[0]
    assert found.message == "It fails on a hidden case: a title."


def test_a_public_case_is_told_before_a_hidden_one(exercise):
    wrong = {"value": 2, "more": 10}
    assert judge(exercise, [trial(wrong), trial(wrong, public=False)]).items[0].message.startswith("it is 2")


def test_a_check_that_breaks_on_the_reference_too_costs_nothing(exercise):
    breaks = {"value": "breaks", "more": 20}
    found = judge(exercise, [trial(breaks, breaks)]).items[2]
    assert (found.outcome, found.points) == (Outcome.GRADER_ERROR, 4.0)
    assert "ZeroDivisionError" in found.message and "You lose no points" in found.message


def test_a_check_that_breaks_on_the_students_data_alone_has_failed(exercise):
    found = judge(exercise, [trial({"value": 1, "more": "text"})]).items[1]
    assert (found.outcome, found.points) == (Outcome.FAILED, 0.0)
    assert found.message.startswith("The result has an unexpected type or shape.")


def test_a_missing_value_has_failed_and_an_exception_before_it_is_told(exercise):
    assert outcomes(judge(exercise, [trial({"more": 10})]))[0] == ("failed", 0.0)
    raised = Observation({}, Raised("E", ("E",), "text"))
    stopped = Trial("one", Titled(), raised, Observation({"value": 1, "more": 20}))
    assert outcomes(judge(exercise, [stopped]))[:2] == [("raised", 0.0), ("blocked", 0.0)]


def test_one_case_that_was_attempted_makes_the_check_attempted(exercise):
    stub = {"value": Raised("NotImplementedError", ("NotImplementedError",), ""), "more": 10}
    assert outcomes(judge(exercise, [trial(stub)]))[0] == ("not attempted", 0.0)
    assert outcomes(judge(exercise, [trial(stub), trial({"value": 2, "more": 10})]))[0] == ("failed", 0.0)


def test_what_needs_something_that_was_not_attempted_is_not_attempted_either(exercise):
    stub = {"value": Raised("NotImplementedError", ("NotImplementedError",), ""), "more": 10}
    found = judge(exercise, [trial(stub)]).items[1]
    assert (found.outcome, found.points, found.message) == (Outcome.NOT_ATTEMPTED, 0.0, "Not written yet.")


def test_a_check_is_judged_on_its_own_groups_alone(exercise):
    result = judge(exercise, [trial({"value": 1, "more": 20}), trial({"value": 2, "more": 3}, group="two")])
    assert result.full
    breaks = {"value": "breaks", "more": 20}
    result = judge(exercise, [trial({"value": 1, "more": 20}), trial(breaks, breaks, group="two")])
    assert [i.outcome for i in result.items] == [Outcome.PASSED, Outcome.PASSED, Outcome.GRADER_ERROR]


def test_a_check_without_a_case_is_an_error_and_not_full_marks(exercise):
    with pytest.raises(ValueError, match="nothing to judge in made: no trial for value"):
        judge(exercise, [trial({"value": 1, "more": 20}, group="two")])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(on="tow"), "made has no group 'tow'; there are: one, two"),
        (dict(on=()), "made.new is judged on no group of cases"),
        (dict(on="one", needs=("valeu",)), "made has no check 'valeu'; there are: value, more, broken"),
    ],
)
def test_a_misspelt_group_or_need_is_an_error_where_it_is_written(exercise, settings, message):
    def test_new(case, seen, expected):
        """Nothing."""

    with pytest.raises(ValueError, match=re.escape(message)):
        exercise.check(points=1.0, **settings)(test_new)


def test_a_group_without_cases_or_without_a_check_is_an_error(exercise):
    exercise.require_complete()
    with pytest.raises(ValueError, match="the group 'two' of made has no cases"):
        replace(exercise, groups={**exercise.groups, "two": lambda rng: []}).require_complete()
    with pytest.raises(ValueError, match="no check of made is judged on the group 'three'"):
        replace(exercise, groups={**exercise.groups, "three": lambda rng: [{}]}).require_complete()


def test_the_registry_refuses_an_exercise_that_is_not_complete(monkeypatch):
    chosen = EXERCISES["gradient_profile"]
    monkeypatch.setattr(chosen, "groups", {**chosen.groups, "forgotten": lambda rng: [None]})
    with pytest.raises(ValueError, match="gradient_profile is judged on the group 'forgotten'"):
        assignments.__wrapped__()


@pytest.mark.parametrize("change", [{"checks": []}, {}])
def test_nothing_to_judge_is_an_error_and_not_full_marks(exercise, change):
    with pytest.raises(ValueError, match="nothing to judge in made"):
        judge(replace(exercise, **change), [trial({})] if change else [])


@pytest.mark.parametrize(("kind", "outcome"), [(Stopped, Outcome.STOPPED), (str, Outcome.RAISED)])
def test_what_was_interrupted_earns_nothing_and_says_why(exercise, kind, outcome):
    result = interrupted(exercise, kind("it took too long"))
    assert {(i.outcome, i.points, i.message) for i in result.items} == {(outcome, 0.0, "it took too long")}
    assert result.max == 7.0


STRANGE = {
    "None": None,
    "text": "1.0",
    "empty list": [],
    "ragged list": [[1.0], [2.0, 3.0]],
    "list of None": [None, None],
    "empty dictionary": {},
    "wrong dictionary": {"loss": 1, 3: {"loss": [], "grad_norms": {}}},
    "not finite": np.full((3, 2), np.nan),
    "huge": 1e308,
    "huge integer": 2**62,
    "huge array": np.full((7, 5), 1e308),
    "empty array": np.zeros((0, 5)),
    "truth": True,
    "complex": 1j,
    "array of truths": np.ones((7, 5), dtype=bool),
    "complex array": np.ones((7, 5), dtype=complex),
    "many dimensions": np.ones((1,) * 16),
    "no data": Opaque("Module"),
    "pair of None": (None, None),
    "list of dictionaries": [{"layer": None, "kind": {}, "norm": [], "epoch": ""}],
    "list of wrong dictionaries": [{}, {"grads": 1}],
    "an exception": Raised("TypeError", ("TypeError",), "text"),
}


@each_exercise
@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE)
def test_strange_observations_earn_nothing(name, value):
    wanted = expectations(name, None)
    everywhere = [Observation(dict.fromkeys(e.expected.values, value)) for e in wanted]
    result = judge(EXERCISES[name], trials(wanted, everywhere))
    assert result.score == 0 and all(i.message for i in result.items)
    assert Outcome.GRADER_ERROR not in {i.outcome for i in result.items}


@each_exercise
@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE)
def test_a_strange_value_among_right_ones_breaks_nothing(name, value):
    wanted = expectations(name, None)
    for key in wanted[0].expected.values:
        seen = [Observation(e.expected.values | {key: value}) for e in wanted]
        result = judge(EXERCISES[name], trials(wanted, seen))
        assert 0 <= result.score <= result.max
        assert Outcome.GRADER_ERROR not in {i.outcome for i in result.items}


@each_exercise
def test_an_observation_survives_the_wire(name):
    for e in expectations(name, SEEDS[0]):
        data = e.expected.to_data()
        assert_same_numbers(Observation.from_data(encoding.unpack(encoding.pack(data))).to_data(), data)


@pytest.mark.parametrize("data", [None, [], {}, {"values": []}, {"values": {}, "stopped": "KeyError"}])
def test_what_is_no_observation_is_refused(data):
    with pytest.raises(ValueError, match="not an observation"):
        Observation.from_data(data)


def test_reading_what_raised_raises():
    raised = Raised("KeyError", ("KeyError",), "'W'")
    seen = Observation({"a": 1, "b": raised}, stopped=raised)
    assert seen["a"] == 1 and seen.raised("a") is None
    for name in ("b", "never reached"):
        assert seen.raised(name) is raised
        with pytest.raises(StudentError):
            seen[name]


SAME = [
    (float("nan"), np.float64("nan")),
    ([(1, {"a": np.float64(0.5)})], [[1, {"a": 0.5}]]),
    (np.arange(3), np.arange(3.0)),
    ("a", "a"),
    (None, None),
    ([], ()),
]
DIFFERENT = [(0.5, 0.25), (0.5, "0.5"), ({"a": 1}, {"b": 1}), ([1], [1, 1]), (None, []), (1.0, None), ({}, [])]


@pytest.mark.parametrize(("one", "other"), [*SAME, *DIFFERENT])
def test_plain_data_is_compared_by_value(one, other):
    assert same(one, other) == same(other, one) == any(one is a and other is b for a, b in SAME)


# --- observing -------------------------------------------------------------------------------------------------------


def observed(function):
    """What is seen of a `gradient_slope` on the first public case."""
    return EXERCISES["gradient_profile"].observe(
        Implementation({"gradient_slope": function}), expectations("gradient_profile", None)[0].case
    )


def test_observing_prints_nothing_and_keeps_the_random_state(capsys, recwarn):
    def noisy(delta_norms):
        print("noise")
        np.random.seed(0)
        np.log(np.zeros(1))
        return np.random.random()

    np.random.seed(5)
    expected = np.random.RandomState(5).random()
    one, two = observed(noisy)["slope"], observed(noisy)["slope"]
    assert one == two and np.random.random() == expected
    assert capsys.readouterr() == ("", "") and not list(recwarn)


@pytest.mark.parametrize("error", [ValueError("text"), SystemExit(1), RecursionError(), MemoryError()])
def test_an_exception_is_observed_and_not_raised(error):
    def raises(delta_norms):
        raise error

    assert (observed(raises).raised("slope") or observed(raises).stopped).type == type(error).__name__


@pytest.mark.parametrize(
    ("exercise", "check", "value", "used", "kept"),
    [
        ("forward", "gamma_and_beta", "mean", "(x - mean)", "(x - kept)"),
        ("forward", "gamma_and_beta", "var", "(var + self.eps)", "(kept + self.eps)"),
        ("inference", "running_statistics", "mean", "self.momentum) * mean", "self.momentum) * kept"),
        ("inference", "running_statistics", "var", "self.momentum) * var", "self.momentum) * kept"),
        ("backward", "repeatable", "var", "dx_hat / std", "dx_hat / np.sqrt(self.kept + self.eps)"),
    ],
)
def test_what_is_kept_of_the_first_batch_is_noticed(exercise, check, value, used, kept):
    moments = "mean, var = x.mean(axis=0), x.var(axis=0)"
    keeping = f"{moments}; kept = self.kept = getattr(self, 'kept', {value})"
    names = {"np": np, "Layer": Layer}
    exec(SOLUTIONS["batch_norm"].replace(used, kept).replace(moments, keeping), names)
    for seed in (None, *SEEDS):
        assert check in lost(grade(f"batch_norm_{exercise}", names, seed))
