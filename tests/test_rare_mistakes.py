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
from autograder.oracle import Reference, recorded, trials
from autograder.results import Outcome
from reference.gradient_pathology.batch_norm.solution import BatchNorm
from reference.gradient_pathology.clip_gradients.solution import clip_gradients
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
        for i, self.cache in enumerate(self.chunks):
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
