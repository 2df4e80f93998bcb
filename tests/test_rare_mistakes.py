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
from autograder.layers import Problem, forward_backward
from reference.gradient_pathology.batch_norm.solution import BatchNorm
from reference.gradient_pathology.depth_study.solution import depth_study
from reference.gradient_pathology.gradient_monitor.solution import GradientMonitor

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


def remembering(key):
    """A layer that takes its forward's results from the first call with the same `key(x)`."""

    class Remembering(BatchNorm):
        def forward(self, x):
            self.known = getattr(self, "known", {})
            if self.training and key(x) in self.known:
                _x, self.cache, y = self.known[key(x)]
                return y
            y = super().forward(x)
            if self.training:
                self.known[key(x)] = x, self.cache, y
            return y

    return Remembering


for exercise_id in ("batch_norm_forward", "batch_norm_backward", "batch_norm_inference"):
    rare(exercise_id, "first_batch_of_each_shape")(remembering(lambda x: x.shape))
for exercise_id in ("batch_norm_forward", "batch_norm_backward"):
    rare(exercise_id, "first_content_of_each_array")(remembering(id))


@rare("batch_norm_forward")
class parameters_kept_while_they_are_the_same_arrays(BatchNorm):
    def forward(self, x):
        gamma, beta = self.params["gamma"], self.params["beta"]
        if getattr(self, "kept", (None,))[0] is not gamma:
            self.kept = gamma, gamma.copy(), beta.copy()
        self.params = {"gamma": self.kept[1], "beta": self.kept[2]}
        y = super().forward(x)
        self.params = {"gamma": gamma, "beta": beta}
        return y


def clipped_at(limit):
    class Clipped(BatchNorm):
        def forward(self, x):
            gamma, beta = self.params["gamma"], self.params["beta"]
            y = super().forward(x)
            self.cache["x_hat"] = np.clip((y - beta) / gamma, -limit, limit)
            return gamma * self.cache["x_hat"] + beta

    return Clipped


for exercise_id, limit in {"forward": 10, "backward": 5, "inference": 10}.items():
    for bound in (3, limit):
        rare(f"batch_norm_{exercise_id}", f"clipped_at_{bound}")(clipped_at(bound))


class InChunks(BatchNorm):
    """Normalises 32 examples at a time; the running statistics are the last chunk's."""

    def forward(self, x):
        self.chunks, outputs = [], []
        for start in range(0, len(x), 32):
            outputs.append(super().forward(x[start : start + 32]))
            self.chunks.append(self.cache)
        return np.concatenate(outputs)

    def backward(self, dout):
        dx, total = [], {"gamma": 0.0, "beta": 0.0}
        for i, chunk in enumerate(self.chunks):
            self.cache = chunk
            dx.append(super().backward(dout[32 * i : 32 * (i + 1)]))
            total = {name: total[name] + self.grads[name] for name in total}
        self.grads = total
        return np.concatenate(dx)


for exercise_id in ("batch_norm_forward", "batch_norm_backward", "batch_norm_inference"):
    rare(exercise_id, "in_chunks_of_32")(InChunks)


@rare("batch_norm_forward")
@rare("batch_norm_inference")
class eight_columns_at_most(BatchNorm):
    def forward(self, x):
        y = super().forward(x)
        y[:, 8:] = x[:, 8:]
        return y


@rare("batch_norm_forward")
class memory_order_taken_for_granted(BatchNorm):
    def forward(self, x):
        return super().forward(np.ravel(x, order="K").reshape(x.shape))


@rare("batch_norm_backward")
class memory_order_of_dout_taken_for_granted(BatchNorm):
    def backward(self, dout):
        return super().backward(np.ravel(dout, order="K").reshape(dout.shape))


@rare("batch_norm_forward")
class features_are_the_axis_of_their_number(BatchNorm):
    def forward(self, x):
        if x.shape[0] != len(self.params["gamma"]):
            return super().forward(x)
        return (super().forward(x.T) - self.params["beta"]).T + self.params["beta"]


@rare("batch_norm_forward")
class variance_has_a_floor(BatchNorm):
    def forward(self, x):
        x_hat = (x - x.mean(axis=0)) / np.sqrt(np.maximum(x.var(axis=0), 1e-6) + self.eps)
        return self.params["gamma"] * x_hat + self.params["beta"]


@rare("batch_norm_forward")
class inputs_within_a_thousand(BatchNorm):
    def forward(self, x):
        return super().forward(np.clip(x, -1000, 1000))


def constant_statistics(when):
    """A layer whose backward leaves out the ways through mean and variance where `when(dout)`."""

    class Constant(BatchNorm):
        def backward(self, dout):
            training = self.cache["training"]
            self.cache["training"] = training and not when(dout)
            dx = super().backward(dout)
            self.cache["training"] = training
            return dx

    return Constant


for name, when in {
    "five_examples_at_most": lambda dout: len(dout) <= 5,
    "three_examples_at_most": lambda dout: len(dout) <= 3,
    "two_examples": lambda dout: len(dout) == 2,
    "many_examples": lambda dout: len(dout) > 16,
    "many_columns": lambda dout: dout.shape[1] > 8,
    "more_columns_than_examples": lambda dout: dout.shape[1] > dout.shape[0],
}.items():
    rare("batch_norm_backward", f"statistics_constant_for_{name}")(constant_statistics(when))


@rare("batch_norm_backward")
class one_answer_for_each_array(BatchNorm):
    def backward(self, dout):
        known = self.__dict__.setdefault("known", {})
        if id(dout) not in known:
            known[id(dout)] = dout, super().backward(dout), dict(self.grads)
        self.grads = known[id(dout)][2]
        return known[id(dout)][1].copy()


@rare("batch_norm_backward")
class one_answer_for_each_forward(BatchNorm):
    def backward(self, dout):
        if "dx" not in self.cache:
            self.cache["dx"] = super().backward(dout)
        return self.cache["dx"].copy()


@rare("batch_norm_backward")
class gradients_shared_by_all_layers(BatchNorm):
    shared = {}

    def forward(self, x):
        y = super().forward(x)
        self.grads = self.shared
        return y


@rare("batch_norm_inference")
class mode_shared_by_all_layers(BatchNorm):
    def forward(self, x):
        y = super().forward(x)
        BatchNorm.mode = self.training
        return y

    def backward(self, dout):
        self.cache["training"] = BatchNorm.mode
        return super().backward(dout)


@rare("batch_norm_inference")
class constants_for_good_after_a_prediction(BatchNorm):
    def forward(self, x):
        y = super().forward(x)
        self.predicted = getattr(self, "predicted", False) or not self.training
        self.cache["training"] = not self.predicted
        return y


@rare("batch_norm_inference")
class no_momentum_means_the_default(BatchNorm):
    def forward(self, x):
        self.momentum = self.momentum or 0.9
        return super().forward(x)


@rare("batch_norm_inference")
class parameters_of_the_same_arrays_in_prediction(BatchNorm):
    def forward(self, x):
        given = dict(self.params)
        if not self.training:
            if getattr(self, "folded", (None,))[0] is not given["gamma"]:
                self.folded = given["gamma"], {name: value.copy() for name, value in given.items()}
            self.params = self.folded[1]
        y = super().forward(x)
        self.params = given
        return y


@rare("batch_norm_inference")
class normalised_values_of_training_where_they_fit(BatchNorm):
    def forward(self, x):
        y = super().forward(x)
        if self.training:
            self.learnt = self.cache["x_hat"]
        return y

    def backward(self, dout):
        dx = super().backward(dout)
        if not self.cache["training"] and self.learnt.shape == dout.shape:
            self.grads["gamma"] = (dout * self.learnt).sum(axis=0)
        return dx


@rare("batch_norm_backward")
class small_dout_counts_as_zero(BatchNorm):
    def backward(self, dout):
        return super().backward(np.where(np.isclose(dout, 0), 0, dout))


@rare("batch_norm_backward")
class last_example_forgotten(BatchNorm):
    def backward(self, dout):
        dx = super().backward(dout)
        dx[-1] = 0
        return dx


@rare("batch_norm_inference")
class predictions_by_shape(BatchNorm):
    def forward(self, x):
        if self.training:
            self.predictions = {}
            return super().forward(x)
        known = self.__dict__.setdefault("predictions", {})
        return known.setdefault(x.shape, super().forward(x))


@rare("batch_norm_inference")
class parameters_of_the_first_prediction(BatchNorm):
    def forward(self, x):
        if self.training:
            self.folded = None
            return super().forward(x)
        y = super().forward(x)
        if getattr(self, "folded", None) is None:
            self.folded = self.params["gamma"] / self.cache["std"], self.params["beta"]
        return self.folded[0] * (x - self.running_mean) + self.folded[1] if len(x) > 1 else y


@rare("batch_norm_inference")
class statistics_of_small_batches_ignored(BatchNorm):
    def forward(self, x):
        before = self.running_mean, self.running_var
        y = super().forward(x)
        if len(x) < 4:
            self.running_mean, self.running_var = before
        return y


@rare("batch_norm_inference")
class two_batches_are_enough(BatchNorm):
    def forward(self, x):
        self.batches = getattr(self, "batches", 0) + self.training
        before = self.running_mean, self.running_var
        y = super().forward(x)
        if self.batches > 2:
            self.running_mean, self.running_var = before
        return y


@rare("batch_norm_backward")
class backward_of_the_oldest_forward(BatchNorm):
    """Forwards queue up until a backward comes."""

    queue, served = (), True

    def forward(self, x):
        y = super().forward(x)
        self.queue, self.served = ((), False) if self.served else (self.queue, False)
        self.queue = (*self.queue, self.cache)
        return y

    def backward(self, dout):
        self.served, self.cache = True, self.queue[0]
        return super().backward(dout)


@rare("batch_norm_inference")
class backward_looks_again(BatchNorm):
    """As a numerical gradient by forward does, it moves the statistics."""

    def backward(self, dout):
        self.forward(self.last)
        return super().backward(dout)

    def forward(self, x):
        self.last = x
        return super().forward(x)


@rare("batch_norm_inference")
class one_prediction_then_training(BatchNorm):
    def forward(self, x):
        y = super().forward(x)
        self.training = True
        return y


@rare("batch_norm_forward")
@rare("batch_norm_inference")
class an_array_is_looked_at_once(BatchNorm):
    last = None

    def forward(self, x):
        if not self.training or x is not self.last:
            self.last = x if self.training else None
            return super().forward(x)
        return self.params["gamma"] * self.cache["x_hat"] + self.params["beta"]


# --- depth_study -----------------------------------------------------------------------------------------------------


def changed(change):
    """A study whose record of each depth is `change(record)`."""

    def study(*args, **settings):
        return {depth: change(run) for depth, run in depth_study(*args, **settings).items()}

    return study


@rare("depth_study")
def nan_becomes_a_number(*args, **settings):
    return changed(lambda run: {name: np.nan_to_num(values) for name, values in run.items()})(*args, **settings)


@rare("depth_study")
def nan_alone_becomes_a_number(*args, **settings):
    return changed(lambda run: {name: np.nan_to_num(values, posinf=np.inf) for name, values in run.items()})(
        *args, **settings
    )


@rare("depth_study")
def one_answer_for_the_same_settings(depths, build_network, X, t, lr=0.1, steps=200, seed=0, known={}):  # noqa: B006
    key = tuple(depths), lr, steps, seed
    if key not in known:
        known[key] = depth_study(depths, build_network, X, t, lr, steps, seed)
    return known[key]


def minibatch(size):
    def study(depths, build_network, X, t, *args, **settings):
        return depth_study(depths, build_network, X[:size], t[:size], *args, **settings)

    return study


for size in (32, 64, 128):
    rare("depth_study", f"first_{size}_examples")(minibatch(size))


@rare("depth_study")
def last_step_repeats_the_one_before(*args, **settings):
    def repeat(run):
        if len(run["loss"]) > 1:
            run["loss"][-1] = run["loss"][-2]
        return run

    return changed(repeat)(*args, **settings)


@rare("depth_study")
def last_norms_repeat_those_before(*args, **settings):
    def repeat(run):
        if len(run["loss"]) > 1:
            run["grad_norms"][-1] = run["grad_norms"][-2]
        return run

    return changed(repeat)(*args, **settings)


@rare("depth_study")
def stops_where_the_loss_stands_still(*args, **settings):
    def hold(run):
        still = np.flatnonzero(np.abs(np.diff(run["loss"])) < 3e-5)
        if still.size:
            run["loss"][still[0] :] = run["loss"][still[0]]
            run["grad_norms"][still[0] :] = run["grad_norms"][still[0]]
        return run

    return changed(hold)(*args, **settings)


@rare("depth_study")
def learning_rate_zero_means_default(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    return depth_study(depths, build_network, X, t, lr or 0.1, steps, seed)


@rare("depth_study")
def every_other_layer_is_linear(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    def record(depth):
        layers, losses, norms = build_network(depth, np.random.default_rng(seed)), [], []
        for _ in range(steps):
            losses.append(forward_backward(layers, X, t)[0])
            norms.append([np.linalg.norm(layer.grads.get("W", 0.0)) for layer in layers[::2]])
            norms[-1] = (norms[-1] + [0.0] * depth)[:depth]
            for layer in layers:
                for name, gradient in layer.grads.items():
                    layer.params[name] = layer.params[name] - lr * gradient
        return {"loss": losses, "grad_norms": norms}

    return {depth: record(depth) for depth in depths}


@rare("depth_study")
def eight_layers_at_most(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    results = depth_study(depths, build_network, X, t, lr, steps, seed)
    for run in results.values():
        run["grad_norms"][:, 8:] = 0
    return results


@rare("depth_study")
def depths_in_ascending_order(depths, *args, **settings):
    return dict(zip(depths, depth_study(sorted(depths), *args, **settings).values(), strict=True))


@rare("depth_study")
def gradients_clipped_when_huge(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    results = {}
    for depth in depths:
        layers, losses, norms = build_network(depth, np.random.default_rng(seed)), [], []
        for _ in range(steps):
            loss, row = forward_backward(layers, X, t)
            losses.append(loss)
            norms.append(row)
            for layer in layers:
                for name, gradient in layer.grads.items():
                    layer.params[name] = layer.params[name] - lr * np.clip(gradient, -1e3, 1e3)
        results[depth] = {"loss": losses, "grad_norms": norms}
    return results


@rare("depth_study")
def second_depth_starts_where_the_first_ended(depths, build_network, *args, **settings):
    rngs = {}

    def build(depth, rng):
        return build_network(depth, rngs.setdefault("rng", rng))

    return depth_study(depths, build, *args, **settings)


@rare("depth_study")
def trains_in_prediction_mode(depths, build_network, X, t, **settings):
    def build(depth, rng):
        layers = build_network(depth, rng)
        for layer in layers:
            layer.training = False
        return layers

    return depth_study(depths, build, X, t, **settings)


# --- GradientMonitor -------------------------------------------------------------------------------------------------


def asked(prepare):
    """A monitor that asks the reference after `prepare(self)`."""

    class Asked(GradientMonitor):
        def detect_problems(self, *args, **thresholds):
            prepare(self)
            return super().detect_problems(*args, **thresholds)

    return Asked


def merge_epochs(self):
    merged = {}
    for epoch, norms in self.history:
        merged[epoch] = merged.get(epoch, {}) | norms
    self.history = list(merged.items())


def sort_history(self):
    self.history.sort(key=lambda entry: entry[0])


def keep_the_last(self):
    self.history = self.history[-1:]


def clear_nan(self):
    for _epoch, norms in self.history:
        norms.update({name: np.inf for name, norm in norms.items() if np.isnan(norm)})


def mark_as_seen(self):
    if self.history:
        self.history[-1][1]["seen"] = 1.0


for prepare in (merge_epochs, sort_history, keep_the_last, clear_nan, mark_as_seen):
    rare("gradient_monitor", prepare.__name__)(asked(prepare))


@rare("gradient_monitor")
class merges_epochs_without_a_trace(GradientMonitor):
    def detect_problems(self, *args, **thresholds):
        kept = self.history
        merge_epochs(self)
        found = super().detect_problems(*args, **thresholds)
        self.history = kept
        return found


@rare("gradient_monitor")
class answers_by_epoch(GradientMonitor):
    def detect_problems(self, *args, **thresholds):
        known = self.__dict__.setdefault("known", {})
        epoch = self.history[-1][0] if self.history else None
        return known.setdefault(epoch, super().detect_problems(*args, **thresholds))


@rare("gradient_monitor")
class first_answer_kept(GradientMonitor):
    def detect_problems(self, *args, **thresholds):
        return self.__dict__.setdefault("answer", super().detect_problems(*args, **thresholds))


@rare("gradient_monitor")
class epoch_zero_is_none(GradientMonitor):
    def detect_problems(self, *args, **thresholds):
        return super().detect_problems(*args, **thresholds) if self.history and self.history[-1][0] else []


@rare("gradient_monitor")
class ten_layers_at_most(GradientMonitor):
    def detect_problems(self, *args, **thresholds):
        found = super().detect_problems(*args, **thresholds)
        return [problem for problem in found if len(problem.layer) == len("Linear_0")]


@rare("gradient_monitor")
class both_thresholds_or_none(GradientMonitor):
    def detect_problems(self, vanish_threshold=None, explode_threshold=None):
        if vanish_threshold is None or explode_threshold is None:
            return super().detect_problems()
        return super().detect_problems(vanish_threshold, explode_threshold)


@rare("gradient_monitor")
class threshold_zero_means_default(GradientMonitor):
    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        return super().detect_problems(vanish_threshold or 1e-7, explode_threshold or 1e3)


def showing(choose):
    """A monitor that shows `choose(problems)` alone."""

    class Showing(GradientMonitor):
        def detect_problems(self, *args, **thresholds):
            return choose(super().detect_problems(*args, **thresholds))

    return Showing


def first_of(kind):
    def choose(problems):
        first = next((p for p in problems if p.kind == kind), None)
        return [p for p in problems if p.kind != kind or p is first]

    return choose


for kind in ("vanishing", "exploding", "nonfinite"):
    rare("gradient_monitor", f"first_{kind}_only")(showing(first_of(kind)))
rare("gradient_monitor", "ends_at_nan")(
    showing(lambda found: found[: next((i + 1 for i, p in enumerate(found) if np.isnan(p.norm)), None)])
)
rare("gradient_monitor", "too_large_for_float32")(
    showing(lambda found: [Problem(p.layer, "nonfinite" if p.norm > 1e38 else p.kind, p.norm, p.epoch) for p in found])
)


@rare("gradient_monitor")
class thresholds_the_other_way_round(GradientMonitor):
    def detect_problems(self, explode_threshold=1e3, vanish_threshold=1e-7):
        return super().detect_problems(vanish_threshold, explode_threshold)


@rare("gradient_monitor")
class one_answer_for_each_record(GradientMonitor):
    def detect_problems(self, *args, **thresholds):
        known = self.__dict__.setdefault("known", {})
        return known.setdefault(len(self.history), super().detect_problems(*args, **thresholds))


@rare("gradient_monitor")
class nonfinite_told_once(GradientMonitor):
    def detect_problems(self, *args, **thresholds):
        told = self.__dict__.setdefault("told", set())
        found = [p for p in super().detect_problems(*args, **thresholds) if p.layer not in told]
        told |= {p.layer for p in found if p.kind == "nonfinite"}
        return found


@rare("gradient_monitor")
class a_tuple(GradientMonitor):
    def detect_problems(self, *args, **thresholds):
        return tuple(super().detect_problems(*args, **thresholds))
