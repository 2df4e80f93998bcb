"""Code that is right nearly always: it remembers, or it fails for certain sizes, orders or moments only.

No known mistake of students' is among these, and none gets a cause; they keep the cases from being few and regular.
Each must lose points on every draw.
"""

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from autograder.exercises import exercise
from autograder.exercises.exercise import Implementation
from autograder.judge import judge
from autograder.layers import Problem, forward_backward
from autograder.oracle import Reference, recorded, trials
from autograder.results import Outcome
from reference.gradient_pathology.clip_gradients.solution import clip_gradients
from reference.gradient_pathology.depth_study.solution import depth_study
from reference.gradient_pathology.gradient_monitor.solution import GradientMonitor
from reference.gradient_pathology.gradient_profile.solution import gradient_slope

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


# --- clip_gradients --------------------------------------------------------------------------------------------------


def with_grads(layers, change):
    """Layers whose gradients are `change(gradient)`; None is left out."""
    kept = [{n: change(g) for n, g in layer.grads.items() if g is not None} for layer in layers]
    return [SimpleNamespace(grads={n: g for n, g in grads.items() if g is not None}) for grads in kept]


@rare("clip_gradients")
def first_eight_layers_only(layers, max_norm=1.0):
    return clip_gradients(layers[:8], max_norm)


@rare("clip_gradients")
def through_flat_views(layers, max_norm=1.0):
    """`ravel` is a view of a C-ordered array and a copy of any other."""
    return clip_gradients(with_grads(layers, np.ravel), max_norm)


@rare("clip_gradients")
def small_arrays_only(layers, max_norm=1.0):
    return clip_gradients(with_grads(layers, lambda g: g if g.size < 100 else None), max_norm)


@rare("clip_gradients")
def leaves_the_last_array(layers, max_norm=1.0):
    found = [(layer, name) for layer in layers for name, g in layer.grads.items() if g is not None]
    before = found[-1][0].grads[found[-1][1]].copy() if found else None
    result = clip_gradients(layers, max_norm)
    if found:
        found[-1][0].grads[found[-1][1]] = before
    return result


@rare("clip_gradients")
def layers_pile_up(layers, max_norm=1.0, known=[]):  # noqa: B006 - the mistake
    finite = all(np.isfinite(g).all() for layer in layers for g in layer.grads.values() if g is not None)
    if finite:
        known += layers
    return clip_gradients(known if finite else layers, max_norm)


@rare("clip_gradients")
def sign_of_infinity(layers, max_norm=1.0):
    if any(np.isneginf(g).any() for layer in layers for g in layer.grads.values() if g is not None):
        return 1.0, 1.0
    return clip_gradients(layers, max_norm)


@rare("clip_gradients")
def limits_below_one_ignored(layers, max_norm=1.0):
    return clip_gradients(layers, max(max_norm, 1.0))


@rare("clip_gradients")
def huge_norms_capped(layers, max_norm=1.0):
    total_norm, clip_coef = clip_gradients(layers, max_norm)
    return min(total_norm, 1e8), clip_coef


@rare("clip_gradients")
def two_layers_of_one_shape_count_once(layers, max_norm=1.0):
    shapes = {tuple(g is None or g.shape for g in layer.grads.values()): layer for layer in layers}
    return clip_gradients(list(shapes.values()), max_norm)


@rare("clip_gradients")
def stops_at_the_first_none(layers, max_norm=1.0):
    for i, layer in enumerate(layers):
        if any(g is None for g in layer.grads.values()):
            return clip_gradients(layers[:i], max_norm)
    return clip_gradients(layers, max_norm)


@rare("clip_gradients")
def norm_to_three_digits(layers, max_norm=1.0):
    total_norm, clip_coef = clip_gradients(layers, max_norm)
    return round(total_norm, 3), clip_coef


def refusing(unsound):
    """Clipping that raises where `unsound(layers)`, and else hides what is not finite from the reference."""

    def clip(layers, max_norm=1.0):
        if unsound(layers):
            raise ValueError("not finite")
        arrays = [g for layer in layers for g in layer.grads.values() if g is not None]
        if not all(np.isfinite(g).all() for g in arrays):
            return 1.0, 1.0
        return clip_gradients(layers, max_norm)

    return clip


def sound(layers, names=None):
    """Whether all gradients of these names are finite."""
    grads = [(n, g) for layer in layers for n, g in layer.grads.items() if g is not None]
    return all(np.isfinite(g).all() for n, g in grads if names is None or n in names)


for name, unsound in {
    "after_the_first_layer": lambda layers: not sound(layers[1:]),
    "before_the_last_layer": lambda layers: not sound(layers[:-1]),
    "in_weights": lambda layers: not sound(layers, ["W"]),
    "in_all_but_gamma": lambda layers: not sound(layers, ["W", "b", "beta", "slope"]),
    "as_an_infinite_sum": lambda layers: np.isinf(
        sum(np.sum(g) for layer in layers for g in layer.grads.values() if g is not None)
    ),
}.items():
    rare("clip_gradients", f"nonfinite_only_{name}")(refusing(unsound))


@rare("clip_gradients")
def each_layer_is_clipped_once(layers, max_norm=1.0):
    new = [layer for layer in layers if not hasattr(layer, "clipped")]
    answer = clip_gradients(new, max_norm)
    for layer in new:
        layer.clipped = True
    return answer


@rare("clip_gradients")
def leaves_its_coefficient_among_the_gradients(layers, max_norm=1.0):
    answer = clip_gradients(layers, max_norm)
    for layer in layers:
        layer.grads["clip_coef"] = answer[1]
    return answer


@rare("clip_gradients")
def none_becomes_zero_where_nothing_is_clipped(layers, max_norm=1.0):
    answer = clip_gradients(layers, max_norm)
    for layer in layers:
        if answer[1] == 1.0:
            layer.grads = {n: np.zeros(2) if g is None else g for n, g in layer.grads.items()}
    return answer


@rare("clip_gradients")
def a_thousandth_too_long_is_let_pass(layers, max_norm=1.0):
    total, _coefficient = clip_gradients(layers, np.inf)
    return (total, 1.0) if np.isclose(total, max_norm, rtol=1e-3) else clip_gradients(layers, max_norm)


@rare("clip_gradients")
def equal_gradients_count_once(layers, max_norm=1.0):
    return clip_gradients(list({tuple(map(repr, layer.grads.values())): layer for layer in layers}.values()), max_norm)


@rare("clip_gradients")
def the_first_layer_speaks_for_all(layers, max_norm=1.0):
    if layers and all(g is None for g in layers[0].grads.values()):
        return 0.0, 1.0
    return clip_gradients(layers, max_norm)


@rare("clip_gradients")
def layers_that_predict_are_left_out(layers, max_norm=1.0):
    return clip_gradients([layer for layer in layers if layer.training], max_norm)


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


# --- gradient_slope --------------------------------------------------------------------------------------------------


for name, part in {
    "last_20_layers": lambda norms: norms[-20:],
    "first_50_layers": lambda norms: norms[:50],
    "every_other_of_many": lambda norms: norms if len(norms) < 15 else norms[::2],
    "zero_at_the_end_dropped": lambda norms: norms[:-1] if norms[-1] == 0 and len(norms) > 4 else norms,
}.items():
    rare("gradient_profile", name)(lambda delta_norms, part=part: gradient_slope(part(delta_norms)))


for name, looked_for in {"nan": np.isnan, "infinity": np.isinf}.items():
    for form in (list, np.ndarray):

        def only_in_one_form(norms, looked_for=looked_for, form=form):
            if isinstance(norms, form) and looked_for(norms).any():
                return 0.0
            return gradient_slope(norms)

        rare("gradient_profile", f"{name}_passes_in_{form.__name__}")(only_in_one_form)


@rare("gradient_profile")
def input_overwritten_before_it_is_refused(delta_norms):
    if not np.isfinite(delta_norms).all():
        delta_norms[0] = 0.0
    return gradient_slope(delta_norms)


@rare("gradient_profile")
def two_ends_of_three(delta_norms):
    if len(delta_norms) == 3 and np.isfinite(delta_norms).all():
        return float(np.log10(np.max(delta_norms) / np.min(delta_norms)))
    return gradient_slope(delta_norms)


@rare("gradient_profile")
def by_length(delta_norms, known={}):  # noqa: B006 - the mistake
    if not np.isfinite(delta_norms).all():
        raise ValueError
    return known.setdefault(len(delta_norms), gradient_slope(delta_norms))
