"""The kinds of mistakes that were seen in real code and with newcomers: what each costs, and what is said of it first.

Each is written here in a way of its own, by somebody who reads neither the bank nor its fingerprints.
"""

import re
import textwrap
from dataclasses import dataclass

import numpy as np
import pytest
from conftest import BATCH_NORM_START

from autograder.exercises import assignments, guide
from autograder.layers import Layer, Linear, MSELoss, Problem, forward_backward
from autograder.locale import speaking
from autograder.report.words import Story
from autograder.student.hints import hints_for
from reference import bank
from tests.judging import edited, judged

EXERCISES = {exercise.id: exercise for exercise in assignments()["gradient-pathology"]}


@dataclass(frozen=True)
class Kind:
    """A way of being wrong.

    Attributes:
        exercise: whose card is looked at.
        code: the text of the cell, or what is replaced in the right one.
        says: how the box of the card begins, without "Likely cause: ".
        share: the largest share of the points of this exercise that it may cost.
    """

    exercise: str
    code: str | dict
    says: str
    share: float = 1 / 3


CLIP = """
def clip_gradients(layers, max_norm=1.0):
    squares, arrays = 0.0, []
    for layer in layers:
        for key in layer.grads:
            g = layer.grads[key]
            if g is None:
                continue
            if np.isnan(g).any() or np.isinf(g).any():
                raise ValueError("not finite")
            squares += float((g * g).sum())
            arrays.append((layer, key))
    total = squares ** 0.5
    if total <= max_norm:
        return total, 1.0
    scale = max_norm / total
    for layer, key in arrays:
        layer.grads[key] = layer.grads[key] * scale
    return total, scale
"""

NORM = (
    BATCH_NORM_START
    + """
    def forward(self, x):
        if self.training:
            m = np.sum(x, axis=0) / len(x)
            centred = x - m
            v = np.sum(centred * centred, axis=0) / len(x)
            keep = self.momentum
            self.running_mean = keep * self.running_mean + (1 - keep) * m
            self.running_var = keep * self.running_var + (1 - keep) * v
        else:
            centred = x - self.running_mean
            v = self.running_var
        self.scale = (v + self.eps) ** -0.5
        self.z = centred * self.scale
        self.trained = self.training
        return self.z * self.params["gamma"] + self.params["beta"]

    def backward(self, dout):
        self.grads["beta"] = np.einsum("ij->j", dout)
        self.grads["gamma"] = np.einsum("ij,ij->j", dout, self.z)
        dz = self.params["gamma"] * dout
        if not self.trained:
            return dz * self.scale
        dv = np.sum(dz * self.z, axis=0) / len(dout)
        dm = np.sum(dz, axis=0) / len(dout)
        return (dz - dm - self.z * dv) * self.scale
"""
)

STUDY = """
def depth_study(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    out = {}
    for n in depths:
        model, lossfn = build_network(n, np.random.default_rng(seed)), MSELoss()
        L, G = [], []
        for i in range(steps):
            h = X
            for part in model:
                h = part.forward(h)
            L.append(lossfn.forward(h, t))
            d = lossfn.backward()
            for part in reversed(model):
                d = part.backward(d)
            G.append([np.sqrt(np.sum(part.grads["W"] ** 2)) for part in model if "W" in part.params])
            for part in model:
                for key, value in part.grads.items():
                    part.params[key] = part.params[key] - lr * value
        out[n] = {"loss": L, "grad_norms": G}
    return out
"""

MONITOR = """
class GradientMonitor(Given):
    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        if len(self.history) == 0:
            return []
        when, values = self.history[-1]
        result = []
        for name in values:
            v = values[name]
            kind = None
            if np.isnan(v) or np.isinf(v):
                kind = "nonfinite"
            elif v < vanish_threshold:
                kind = "vanishing"
            elif v > explode_threshold:
                kind = "exploding"
            if kind is not None:
                result.append(Problem(name, kind, v, when))
        return result
"""

SLOPE = """
def gradient_slope(delta_norms):
    a = np.asarray(delta_norms, dtype=float).copy()
    if np.isnan(a).any() or np.isinf(a).any():
        raise ValueError("not finite")
    a[a == 0] = np.finfo(float).tiny
    ys = np.log10(a)
    xs = np.arange(a.size)
    A = np.stack([xs, np.ones(a.size)], axis=1)
    return np.linalg.lstsq(A, ys, rcond=None)[0][0]
"""

RIGHT = {
    "clip_gradients": CLIP,
    "batch_norm_forward": NORM,
    "batch_norm_backward": NORM,
    "batch_norm_inference": NORM,
    "depth_study": STUDY,
    "gradient_monitor": MONITOR,
    "gradient_profile": SLOPE,
}

KINDS = {
    # --- real code: false or misplaced causes ---
    # --- real code: no cause ---
    "an axis forgotten in the variance": Kind(
        "batch_norm_forward",
        {"np.sum(centred * centred, axis=0) / len(x)": "np.sum(centred * centred) / x.size"},
        "forward(x) is the same as (x - x.mean(axis=0)) / sqrt(((x - x.mean(axis=0)) ** 2).mean() + eps).",
    ),
    "the batch's variance in prediction": Kind(
        "batch_norm_inference",
        {"v = self.running_var": "v = x.var(axis=0)"},
        "In inference, the layer subtracts the running mean, but divides by the deviation of x.",
        2 / 3,
    ),
    # --- newcomers ---
    "weights only and no test for None": Kind(
        "clip_gradients",
        {"for key in layer.grads:": 'for key in ["W"] if "W" in layer.grads else []:', "if g is None:": "if False:"},
        'Only grads["W"] is measured and scaled.',
        2 / 3,
    ),
    "no root": Kind("clip_gradients", {"squares ** 0.5": "squares"}, "The sum of squares is used without its root."),
    "one generator for all": Kind(
        "depth_study",
        {
            "out = {}": "out, rng = {}, np.random.default_rng(seed)",
            "build_network(n, np.random.default_rng(seed))": "build_network(n, rng)",
        },
        "One random generator is used up by all depths in turn.",
    ),
    "NaN looked for with ==, among the thresholds": Kind(
        "gradient_monitor",
        {"if np.isnan(v) or np.isinf(v):": "if v == np.nan:"},
        "NaN and infinity are not called nonfinite: your code does not test for them, or its test is never true.",
        1 / 6,
    ),
    "NaN among norms looked for with is": Kind(
        "gradient_profile",
        {"np.isnan(a).any()": "any(value is np.nan for value in a)"},
        "Infinity is refused, but NaN goes through: your code does not test for it, or its test is never true.",
        1 / 4,
    ),
    "the natural logarithm": Kind(
        "gradient_profile", {"np.log10(a)": "np.log(a)"}, "The natural logarithm is used.\ngradient_slope(...) is"
    ),
    "inference backward, where that of training is wrong too": Kind(
        "batch_norm_inference",
        {
            "if not self.trained:\n            return dz * self.scale\n        ": "",
            "- self.z * dv": "- 3.7 * self.z ** 3 * dv",
        },
        "In training, backward(dout) is not right yet either: get batch_norm_backward right first. backward(dout)[",
        1 / 6,
    ),
    # --- one slip that cost too much ---
    "one healthy layer ends all": Kind(
        "gradient_monitor",
        {
            "            if kind is not None:\n": "            if kind is None:\n                return []\n"
            "            if kind:\n"
        },
        "Layers that are vanishing are found where all are, but not among others: does one of these end the loop",
        2 / 3,
    ),
    "one kind empties the list": Kind(
        "gradient_monitor", {'kind = "nonfinite"': "result = []"}, "A norm that is not finite empties the list.", 1 / 6
    ),
    "every second step": Kind(
        "depth_study",
        {
            "            h = X\n": "            before, h = len(L), X\n",
            "            for part in model:\n                for key": "            if i % 2:\n"
            "                del L[before:], G[before:]\n"
            "            for part in model:\n                for key",
        },
        "Only some of the steps are recorded.",
        1 / 6,
    ),
    "gradients collected once": Kind(
        "depth_study",
        {
            "            for part in model:\n"
            "                for key, value in part.grads.items():\n": "            if i == 0:\n"
            "                kept = [dict(part.grads) for part in model]\n"
            "            for part, old in zip(model, kept):\n                for key, value in old.items():\n"
        },
        "In step 0 every parameter follows its gradient, but in step 1 ",
    ),
    "all records, and fields exchanged": Kind(
        "gradient_monitor",
        {
            "        when, values = self.history[-1]\n": "",
            "        for name in values:\n            v = values[name]\n": "        for when, name, v in "
            "[(e, k, x) for e, norms in self.history for k, x in norms.items()]:\n",
            "v, when))": "when, v))",
        },
        "The newest record alone has another answer: does your code also look at the records before it?",
        1 / 2,
    ),
    "a mean that counts from 1": Kind(
        "gradient_profile",
        {
            "    A = np.stack": "    d = xs - np.mean(xs + 1)\n"
            "    return (d @ (ys - ys.mean())) / (d @ d)\n    A = np.stack"
        },
        "With 8 layers your slope is 0.84 times the right one, for other norms, too",
    ),
    "a line through the first point": Kind(
        "gradient_profile",
        {"    A = np.stack": "    return (xs @ (ys - ys[0])) / (xs @ xs)\n    A = np.stack"},
        "Where all points lie on one line your slope is right, and elsewhere not.",
    ),
    "the intercept of a line from layer 1": Kind(
        "gradient_profile",
        {"xs = np.arange(a.size)": "xs = np.arange(1, a.size + 1)", "rcond=None)[0][0]": "rcond=None)[0][1]"},
        "That is the height at which the line begins, its intercept; the slope is the other number.",
        2 / 3,
    ),
}


def names_of(exercise, code):
    names = {"np": np, "Layer": Layer, "Linear": Linear, "MSELoss": MSELoss, "Problem": Problem}
    names |= {"forward_backward": forward_backward, "Given": bank.slip("gradient_monitor", {}).GradientMonitor}
    exec(textwrap.dedent(code), names)
    return names


def result_of(name, code):
    exercise = EXERCISES[name]
    return judged(exercise, {exercise.defines: names_of(exercise, code)[exercise.defines]})


@pytest.mark.parametrize(
    "test", ["np.isnan(g).any() or np.isinf(g).any()", "(g != g).any() or np.abs(g).max() > 1e300"]
)
@pytest.mark.parametrize(("language", "says"), [("en", "is one of them None"), ("ja", "None になって")])
def test_where_a_gradient_is_none_the_hints_are_about_none(language, says, test):
    code = edited(
        RIGHT["clip_gradients"], {"if g is None:": "if False:", "np.isnan(g).any() or np.isinf(g).any()": test}
    )
    with speaking(language):
        result = result_of("clip_gradients", code)
        (item, *_others) = [item for item in result.items if item.raised]
        hints = hints_for(item, guide("clip_gradients"))
    assert says in hints[0].text and "None" in hints[0].text
    assert not any("Ask a person" in note.text or "`example`" in note.text for note in hints)


@pytest.mark.parametrize("name", RIGHT)
def test_each_style_is_right(name):
    with speaking("en"):
        assert result_of(name, RIGHT[name]).full


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_of_mistake_costs_no_more_than_it_breaks_and_is_told_first(kind):
    code = edited(RIGHT[kind.exercise], kind.code)
    with speaking("en"):
        result = result_of(kind.exercise, code)
        first = Story.of(result).first
        sentence = first.message.removeprefix("Likely cause: ")
    assert kind.says and sentence.startswith(kind.says)
    assert result.score >= (1 - kind.share) * result.max - 1e-9
    with speaking("ja"):
        told = Story.of(result_of(kind.exercise, code)).first.message
    assert re.search("[ぁ-ん]", told.split("\n")[0])
