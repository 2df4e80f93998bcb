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
    return dict(zip(depths, depth_study(sorted(depths), *args, **settings).values()))


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
