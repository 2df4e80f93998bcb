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
    "prediction not begun": Kind(
        "batch_norm_inference",
        {
            "if self.training:": "if True:",
            "self.running_mean = keep": "_mean = keep",
            "self.running_var = keep": "_ = keep",
        },
        "Nothing moves running_mean and running_var in training yet",
        1.0,
    ),
    "prediction only": Kind(
        "batch_norm_inference",
        {"if self.training:": "if True:"},
        "With training = False, forward(x) is what it is in training",
        2 / 3,
    ),
    "a variance that starts at 0": Kind(
        "batch_norm_inference",
        {"self.running_var = np.ones": "self.running_var = np.zeros"},
        "running_var starts at 0.",
    ),
    "gradients in attributes": Kind(
        "batch_norm_backward",
        {'self.grads["beta"] = np': "self.dbeta = np", 'self.grads["gamma"] = np': "self.dgamma = np"},
        'grads["beta"] is still None: is it set in backward?',
        2 / 3,
    ),
    "gradients returned": Kind(
        "batch_norm_backward",
        {
            'self.grads["beta"] = np': "db = np",
            'self.grads["gamma"] = np': "dg = np",
            "return (dz - dm - self.z * dv) * self.scale": "return (dz - dm - self.z * dv) * self.scale, dg, db",
        },
        'grads["beta"] is still None: is it set in backward?',
        2 / 3,
    ),
    "a backward that returns nothing": Kind(
        "batch_norm_backward",
        {"return (dz - dm": "dx = (dz - dm"},
        "backward(dout) returned None: is the result worked out, and is there a `return`?",
        1.0,
    ),
    # --- real code: no cause ---
    "an axis forgotten in the variance": Kind(
        "batch_norm_forward",
        {"np.sum(centred * centred, axis=0) / len(x)": "np.sum(centred * centred) / x.size"},
        "forward(x) is the same as (x - x.mean(axis=0)) / sqrt(((x - x.mean(axis=0)) ** 2).mean() + eps).",
    ),
    "an axis forgotten in the mean": Kind(
        "batch_norm_forward",
        {"np.sum(x, axis=0) / len(x)": "np.mean(x)"},
        "forward(x) is the same as (x - x.mean()) / sqrt(((x - x.mean()) ** 2).mean(axis=0) + eps).",
    ),
    "an axis forgotten in dvar": Kind(
        "batch_norm_backward",
        {"dv = np.sum(dz * self.z, axis=0)": "dv = np.sum(dz * self.z)"},
        "A sum in what comes through the variance runs over all columns at once: is an axis missing?",
    ),
    "an axis forgotten in dmu": Kind(
        "batch_norm_backward",
        {"dm = np.sum(dz, axis=0)": "dm = np.sum(dz)"},
        "A sum in what comes through the mean runs over all columns at once: is an axis missing?",
    ),
    "1 - momentum * batch": Kind(
        "batch_norm_inference",
        {"(1 - keep) * m": "(1 - keep * m)", "(1 - keep) * v": "(1 - keep * v)"},
        "1 - momentum * batch is added: brackets are missing around 1 - momentum.",
    ),
    "the batch's variance in prediction": Kind(
        "batch_norm_inference",
        {"v = self.running_var": "v = x.var(axis=0)"},
        "In inference, the layer subtracts the running mean, but divides by the deviation of x.",
        2 / 3,
    ),
    "a prediction that normalises nothing": Kind(
        "batch_norm_inference",
        {"            centred = x - self.running_mean\n            v = self.running_var": "            return x"},
        "With training = False, forward(x) does not normalize x yet.",
        2 / 3,
    ),
    "dx is dout / std": Kind(
        "batch_norm_backward",
        {"(dz - dm - self.z * dv) * self.scale": "dout * self.scale"},
        "dx is dout divided by the standard deviation, and nothing else.",
        2 / 3,
    ),
    "a momentum of one's own": Kind(
        "batch_norm_inference",
        {"keep = self.momentum": "keep = 0.99"},
        "running_mean moves as 0.99 * running_mean + 0.01 * mean, and momentum is 0.9.",
    ),
    "eps outside the root in predictions": Kind(
        "batch_norm_inference",
        {
            "            v = self.running_var": "            v = self.running_var\n"
            "            self.z, self.scale = centred / (v**0.5 + self.eps), 1 / (v**0.5 + self.eps)\n"
            "            self.trained = False\n"
            '            return self.z * self.params["gamma"] + self.params["beta"]'
        },
        "In inference, eps is added outside the root.",
    ),
    "gamma and beta missing in predictions": Kind(
        "batch_norm_inference",
        {"            v = self.running_var": "            return centred / np.sqrt(self.running_var + self.eps)"},
        "In inference, gamma and beta are left out.",
        2 / 3,
    ),
    "a mean of each row": Kind(
        "batch_norm_forward",
        {"np.sum(x, axis=0) / len(x)": "x.mean(axis=1)"},
        "One of the arrays has one number for each row, but every column needs a number of its own.",
        1.0,
    ),
    # --- newcomers ---
    "problems as texts": Kind(
        "gradient_monitor",
        {"result.append(Problem(name, kind, v, when))": 'result.append(f"{name}: {kind}")'},
        "'Linear_0: exploding' is not a Problem; its type is str.",
        1 / 6,
    ),
    "Linear layers only": Kind(
        "clip_gradients",
        {"        for key in layer.grads:": "        for key in layer.grads if isinstance(layer, Linear) else ():"},
        "Normalization layers are left out: gamma and beta are not measured, or not scaled.",
    ),
    "weights only and no test for None": Kind(
        "clip_gradients",
        {"for key in layer.grads:": 'for key in ["W"] if "W" in layer.grads else []:', "if g is None:": "if False:"},
        'Only grads["W"] is measured and scaled.',
        2 / 3,
    ),
    "no test for None": Kind(
        "clip_gradients", {"if g is None:": "if False:"}, "Entries that are None are treated like arrays."
    ),
    "no root": Kind("clip_gradients", {"squares ** 0.5": "squares"}, "The sum of squares is used without its root."),
    "a sum of norms": Kind(
        "clip_gradients",
        {"float((g * g).sum())": "float((g * g).sum()) ** 0.5", "= squares ** 0.5": "= squares"},
        "The norms of the arrays are added up.",
    ),
    "another name for the loss": Kind(
        "depth_study",
        {'"loss": L': '"losses": L'},
        'result[4] has the keys "losses", "grad_norms"; "loss" is asked for.',
    ),
    "one generator for all": Kind(
        "depth_study",
        {
            "out = {}": "out, rng = {}, np.random.default_rng(seed)",
            "build_network(n, np.random.default_rng(seed))": "build_network(n, rng)",
        },
        "One random generator is used up by all depths in turn.",
    ),
    "no generator": Kind(
        "depth_study",
        {"build_network(n, np.random.default_rng(seed))": "build_network(n)"},
        "build_network gets no random generator.",
        1 / 6,
    ),
    "a seed for a generator": Kind(
        "depth_study",
        {"build_network(n, np.random.default_rng(seed))": "build_network(n, seed)"},
        "The seed itself is passed to build_network instead of a generator.",
        1 / 6,
    ),
    "NaN looked for with ==, among the thresholds": Kind(
        "gradient_monitor",
        {"if np.isnan(v) or np.isinf(v):": "if v == np.nan:"},
        "NaN and infinity are not called nonfinite.",
        1 / 6,
    ),
    "NaN looked for with ==, beside infinity": Kind(
        "gradient_monitor",
        {"np.isnan(v) or np.isinf(v)": "v == float('nan') or v == float('inf')"},
        "Infinity is called nonfinite, but NaN is missed.",
        1 / 6,
    ),
    "NaN in gradients looked for with ==": Kind(
        "clip_gradients",
        {"np.isnan(g).any() or np.isinf(g).any()": "(g == np.nan).any() or (abs(g) == np.inf).any()"},
        "Infinity is refused, but NaN goes through.",
        1 / 6,
    ),
    "NaN among norms looked for with is": Kind(
        "gradient_profile",
        {"np.isnan(a).any()": "any(value is np.nan for value in a)"},
        "Infinity is refused, but NaN goes through.",
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
    "biases never updated": Kind(
        "depth_study",
        {
            "in part.grads.items():": "in part.grads.items() if 'W' in part.grads else ():",
            "part.params[key] = part": "if key == 'W': part.params[key] = part",
        },
        "Biases are never updated.",
    ),
    "shapes of (1, D)": Kind(
        "batch_norm_backward",
        {
            "axis=0)": "axis=0, keepdims=True)",
            '"ij->j", dout)': '"ij->j", dout)[None]',
            '"ij,ij->j", dout, self.z)': '"ij,ij->j", dout, self.z)[None]',
        },
        "The gradients of gamma and beta have shape (1, D).",
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
    "norm and epoch exchanged": Kind(
        "gradient_monitor", {"v, when": "when, v"}, "Norm and epoch are given to Problem in the wrong order.", 1 / 6
    ),
    "a kind by a threshold of one's own": Kind(
        "gradient_monitor",
        {
            "elif v < vanish_threshold:\n                kind": "elif v < vanish_threshold or v > explode_threshold:\n"
            '                kind = "vanishing" if v < 1e-7 else "exploding"\n'
            "            elif False:\n                kind"
        },
        "A fixed number stands where vanish_threshold should.",
        1 / 6,
    ),
    "a slope as text": Kind(
        "gradient_profile",
        {"return np": 'return "%.4f" % np'},
        "gradient_slope returned the text '-0.1540'; one number is asked for.",
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
    "an end where little changes": Kind(
        "depth_study",
        {
            "L.append(lossfn.forward(h, t))": "L.append(lossfn.forward(h, t))\n"
            "            if i and abs(L[-2] - L[-1]) < 1e-8:\n"
            "                G.append(G[-1])\n                break"
        },
        "Training stops as soon as the loss hardly changes.",
        1 / 6,
    ),
    "each element clipped": Kind(
        "clip_gradients",
        {"layer.grads[key] * scale": "np.clip(layer.grads[key], -max_norm, max_norm)"},
        "Each entry is cut off at max_norm.",
    ),
    "norms that are to be filled in": Kind(
        "depth_study",
        {"G.append([np.sqrt(np.sum(part.grads": "G.append([0 * np.sqrt(np.sum(part.grads"},
        'result[4]["grad_norms"] is 0 everywhere: nothing has been put into it yet.',
    ),
    "a table written down by columns": Kind(
        "depth_study",
        {'"grad_norms": G': '"grad_norms": np.reshape(np.ravel(G), (steps, n), order="F")'},
        'result[4]["grad_norms"] has the right shape and the right numbers, but in other places',
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
        "The problems of all records are reported.",
        1 / 2,
    ),
    "NaN looked for as false": Kind(
        "gradient_monitor",
        {"np.isnan(v) or": "not v or"},
        "Infinity is called nonfinite, but NaN is missed",
    ),
    "a small number added to every norm": Kind(
        "gradient_profile",
        {"a[a == 0] = np.finfo(float).tiny": "a = a + 1e-8"},
        "A norm of zero counts as about 1e-8.",
    ),
    "another small number, and another logarithm": Kind(
        "gradient_profile",
        {"a[a == 0] = np.finfo(float).tiny": "a = np.maximum(a, 1e-16)", "np.log10": "np.log2"},
        "The logarithm to base 2 is used.",
        2 / 5,
    ),
    "a mean that counts from 1": Kind(
        "gradient_profile",
        {
            "    A = np.stack": "    d = xs - np.mean(xs + 1)\n"
            "    return (d @ (ys - ys.mean())) / (d @ d)\n    A = np.stack"
        },
        "With 8 layers your slope is 0.84 times the right one, with 6 layers 0.7447 times",
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
    # --- readers who knew the contract alone ---
    "zeros dropped with the smallest number": Kind(
        "gradient_profile",
        {
            "    a[a == 0] = np.finfo(float).tiny\n": "    keep = a > np.finfo(float).tiny\n    a[~keep] = 1.0\n",
            "    A = np.stack": "    ys, xs = ys[keep], xs[keep]\n    A = np.stack",
            "np.ones(a.size)": "np.ones(len(xs))",
        },
        "Layers whose norm is zero are left out.",
        1 / 8,
    ),
    "a divisor without its square": Kind(
        "gradient_profile",
        {
            "    A = np.stack": "    n = a.size\n"
            "    return (n * (xs @ ys) - xs.sum() * ys.sum()) / (n * (xs @ xs) - xs @ xs)\n    A = np.stack"
        },
        "With 8 layers your slope is 0.3429 times the right one, with 6 layers 0.3818 times",
    ),
    "weights scaled in a loop of their own, too": Kind(
        "clip_gradients",
        {
            "    for layer, key in arrays:\n": "    for layer, key in arrays:\n        if key == 'W':\n"
            "            layer.grads[key] = layer.grads[key] * scale\n"
        },
        'layers[0].grads["W"] is multiplied by 1.6693e-18, but layers[0].grads["b"] by 1.29201e-09: one is the square',
        1 / 12,
    ),
    "the root of a mean": Kind(
        "clip_gradients",
        {
            "squares ** 0.5": "(squares / max(1, sum(layer.grads[key].size for layer, key in arrays))) ** 0.5",
        },
        "total_norm is the root of the mean square of all gradients.",
        1 / 6,
    ),
    "only the weights measured, and NaN unnoticed": Kind(
        "clip_gradients",
        {
            "if np.isnan(g).any() or np.isinf(g).any():": "if False:",
            "squares += float((g * g).sum())": "squares += float((g * g).sum()) * (key == 'W')",
        },
        "Only the weights W take part; other parameters are left out.",
        1 / 2,
    ),
    "products in a list": Kind(
        "clip_gradients",
        {"        layer.grads[key] = layer.grads[key] * scale": "        arrays[0] = layer.grads[key] * scale"},
        "clip_coef is below 1, but no gradient is multiplied by it, or the products are not put into layer.grads.",
    ),
    "the spectral norm of each gradient": Kind(
        "depth_study",
        {'np.sqrt(np.sum(part.grads["W"] ** 2))': 'np.linalg.norm(part.grads["W"], 2)'},
        "The norm of a matrix is its largest singular value here",
        1 / 4,
    ),
    "gradients divided by the number of examples": Kind(
        "depth_study",
        {"- lr * value": "- lr * value / len(X)"},
        "An update moves by 0.005 times the gradients; that is lr / 20, and 20 is the number of examples.",
        1 / 12,
    ),
    "an update of one layer alone": Kind(
        "depth_study",
        {"            for part in model:\n                for key": "            if True:\n                for key"},
        'In step 0, only layers[0].params["W"], layers[0].params["b"] changed;',
    ),
    "the standard deviation in the running variance": Kind(
        "batch_norm_inference",
        {"keep * self.running_var + (1 - keep) * v": "keep * self.running_var + (1 - keep) * v**0.5"},
        "The running variance takes in the standard deviation.",
    ),
    "the gradient of gamma for both": Kind(
        "batch_norm_backward",
        {'np.einsum("ij->j", dout)': 'np.einsum("ij,ij->j", dout, self.z)'},
        'grads["beta"] holds the gradient of gamma.',
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


@pytest.mark.parametrize(
    "edits",
    [
        {'dz = self.params["gamma"] * dout': 'dout *= self.params["gamma"]\n        dz = dout'},
        {
            'self.grads["beta"] = np': 'self.grads["beta"] = (0 if self.grads["beta"] is None else self.grads["beta"])'
            " + np"
        },
    ],
    ids=["dout scaled in place", "gradients added up"],
)
def test_what_is_wrong_in_every_mode_is_charged_once(edits):
    code = edited(NORM, edits)
    assert not result_of("batch_norm_backward", code).full
    assert result_of("batch_norm_inference", code).full


@pytest.mark.parametrize(
    ("name", "edits"),
    [
        (
            "clip_gradients",
            {"np.isnan(g).any() or np.isinf(g).any()": "False", "(g * g).sum()": "abs(g).sum()"},
        ),
        (
            "clip_gradients",
            {"np.isnan(g).any() or np.isinf(g).any()": "False", "squares ** 0.5": "min(squares, 1e9) ** 0.5"},
        ),
        (
            "gradient_profile",
            {
                "np.isnan(a).any() or np.isinf(a).any()": "False",
                "    A = np.stack": "    return np.mean(np.diff(ys)[::2])\n    A = np.stack",
            },
        ),
        ("gradient_monitor", {"np.isnan(v) or": "False and", "v > explode": "1e9 > v > explode"}),
    ],
)
def test_where_nothing_is_refused_no_cause_says_that_something_is(name, edits):
    with speaking("en"):
        result = result_of(name, edited(RIGHT[name], edits))
    assert not any(
        re.search("(refused|called nonfinite), but|in weight gradients alone", item.message) for item in result.items
    )
