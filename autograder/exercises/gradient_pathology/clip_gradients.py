"""clip_gradients: gradient clipping by the global norm (Pascanu, Mikolov & Bengio 2013)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, StudentError, attempt
from autograder.checks.expect import array, close, is_pair, pair, unchanged
from autograder.checks.values import Raised, simplify
from autograder.layers import Layer, Linear, ReLU
from autograder.locale import _


@dataclass(frozen=True)
class Clipping:
    """A network's gradients and the norm they may have.

    Attributes:
        grads: for each layer, name -> gradient or None; a layer without parameters has none.
        params: for each layer, name -> parameter of the same shape.
        max_norm: the limit; None leaves it at the default, 1.0.
        order: the memory order of the gradients: "C", "F" (as a transposed product leaves them), or "strided" for every
            second number of a larger array.
        clipped_before: whether the same layers were clipped once before, with other gradients, as in training.
        in_prediction: whether the layers are in prediction mode, in which they have gradients all the same.
    """

    title: str
    grads: list[dict[str, np.ndarray | None]]
    params: list[dict[str, np.ndarray]]
    max_norm: float | None = None
    order: str = "C"
    clipped_before: bool = False
    in_prediction: bool = False


Shapes = list[dict[str, tuple[int, ...]]]

LINEAR = {"W": (3, 4), "b": (4,)}
NORM = {"gamma": (4,), "beta": (4,)}
NET: Shapes = [LINEAR, {}, {"W": (4, 4), "b": (4,)}, NORM, {}, {"W": (4, 2), "b": (2,)}]
"""Linear, activation, Linear, normalisation, activation, Linear."""


def clipping(
    rng: np.random.Generator,
    title: str,
    shapes: Shapes,
    total: float,
    max_norm: float | None = None,
    missing: Collection[tuple[int, str]] = (),
    **traits: Any,
) -> Clipping:
    """A case whose gradients have the global norm `total`; those that are `missing`, by layer and name, are None."""
    params = [{name: rng.standard_normal(shape) for name, shape in layer.items()} for layer in shapes]
    # Each array gets a weight of its own, so that none can be left out unseen.
    grads = [
        {
            name: rng.uniform(0.5, 2) * rng.standard_normal(shape) / np.sqrt(np.prod(shape))
            for name, shape in layer.items()
        }
        for layer in shapes
    ]
    for i, name in missing:
        grads[i][name] = None
    size = np.sqrt(sum(np.sum(np.square(g)) for layer in grads for g in layer.values() if g is not None))
    grads = [{k: None if g is None else g * (total / size) for k, g in layer.items()} for layer in grads]
    return Clipping(title, grads, params, max_norm, **traits)


def draw_plain(rng: np.random.Generator) -> list[Clipping]:
    """So much too long that all but what never clips does clip."""
    return [clipping(rng, "exploding gradients", NET, total=10 ** rng.uniform(9, 12))]


def draw_above(rng: np.random.Generator) -> list[Clipping]:
    """Networks of Linear, activation and normalisation layers whose gradients are too long."""
    limit = rng.uniform(2, 6)
    equal = clipping(
        rng,
        "layers with equal gradients, all views of every second number",
        [LINEAR, LINEAR, NORM],
        total=rng.uniform(2, 9),
        order="strided",
    )
    equal.grads[1] = dict(equal.grads[0])
    return [
        clipping(rng, "one layer, gradients too large", [LINEAR], total=rng.uniform(3, 9)),
        clipping(
            rng, "a deep network with many kinds of parameters", NET, total=limit * rng.uniform(1.5, 9), max_norm=limit
        ),
        clipping(rng, "a norm just above a small limit", NET, total=0.8, max_norm=0.7),
        clipping(rng, "many layers, one of them wide", [*NET, {"W": (12, 20)}, *NET], total=rng.uniform(2, 9)),
        clipping(rng, "layers in prediction mode", [{}, LINEAR, NORM], total=rng.uniform(2, 9), in_prediction=True),
        clipping(rng, "gradients that are transposed views", NET, total=rng.uniform(2, 9), order="F"),
        equal,
        clipping(rng, "layers that were clipped before", NET, total=rng.uniform(2, 9), clipped_before=True),
        clipping(rng, "a norm a little above the limit", NET, total=1.0002 * limit, max_norm=limit),
    ]


def draw_below(rng: np.random.Generator) -> list[Clipping]:
    """Gradients that are short enough."""
    limit = rng.uniform(2, 6)
    return [
        clipping(rng, "gradients well below the limit", NET, total=rng.uniform(0.2, 0.6)),
        clipping(rng, "a norm below a limit greater than 1", NET, total=1.5, max_norm=2.0),
        clipping(rng, "a norm a little below the limit", NET, total=0.9998 * limit, max_norm=limit),
    ]


def draw_missing(rng: np.random.Generator) -> list[Clipping]:
    """Some gradients are None, above the limit and below it."""
    return [
        clipping(
            rng,
            "some gradients are None, all of the first layer among them",
            NET,
            total=rng.uniform(2, 5),
            max_norm=0.5,
            missing=[(0, "W"), (0, "b"), (3, "gamma"), (5, "W")],
        ),
        clipping(
            rng, "a gradient is None, the others are short enough", NET, total=1.5, max_norm=2.0, missing=[(2, "W")]
        ),
    ]


def draw_empty(rng: np.random.Generator) -> list[Clipping]:
    """Nothing to clip."""
    return [
        clipping(rng, "every gradient is zero", [LINEAR], total=0.0),
        Clipping("no layers at all", [], []),
        Clipping("no gradients yet", [{"W": None, "b": None}, {}], [{"W": np.ones((2, 2)), "b": np.ones(2)}, {}]),
    ]


def draw_nonfinite(rng: np.random.Generator) -> list[Clipping]:
    """Every kind of value in every kind of place, so that the one is not taken for the other."""

    def spoiled(title: str, *places: tuple[int, str, float]) -> Clipping:
        healthy = clipping(rng, title, NET, total=rng.uniform(2, 4))
        for layer, name, value in places:
            values = healthy.grads[layer][name].flat
            values[rng.integers(len(values))] = value
        return healthy

    return [
        spoiled("a weight gradient of the first layer holds NaN", (0, "W", np.nan)),
        spoiled("a bias gradient holds NaN", (2, "b", np.nan)),
        spoiled("a gradient with respect to beta holds NaN", (3, "beta", np.nan)),
        spoiled("a weight gradient of the last layer is infinite", (5, "W", np.inf)),
        spoiled("a bias gradient is infinite", (5, "b", np.inf)),
        spoiled("a weight gradient is minus infinity", (2, "W", -np.inf)),
        spoiled("a gradient with respect to gamma is minus infinity", (3, "gamma", -np.inf)),
        spoiled("infinity and minus infinity in one gradient", (0, "b", np.inf), (5, "W", np.inf), (5, "W", -np.inf)),
    ]


class Norm(Layer):
    """A normalisation layer after its backward pass."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return dout


def _layer(params: dict[str, np.ndarray], grads: dict[str, np.ndarray | None], order: str) -> Layer:
    """A layer of the lesson after its backward pass."""
    layer = Linear(1, 1) if "W" in params else Norm() if params else ReLU()
    layer.params = {name: value.copy() for name, value in params.items()}
    layer.grads = {name: None if value is None else _laid_out(value, order) for name, value in grads.items()}
    return layer


def _laid_out(value: np.ndarray, order: str) -> np.ndarray:
    return np.repeat(value, 2, axis=-1)[..., ::2] if order == "strided" else value.copy(order)


def probe(implementation: Implementation, case: Clipping) -> Iterator[tuple[str, Any]]:
    """Clips once and looks at what was returned and at the layers afterwards.

    Where gradients are None, the same layers are clipped once more without those entries.
    """
    limit = {} if case.max_norm is None else {"max_norm": case.max_norm}

    def new_layers(grads: list[dict[str, np.ndarray | None]]) -> list[Layer]:
        layers = [_layer(*arrays, case.order) for arrays in zip(case.params, grads, strict=True)]
        for layer in layers:
            layer.training = not case.in_prediction
        return layers

    def clip(layers: list[Layer]) -> Any:
        return simplify(attempt(lambda: implementation.clip_gradients(list(layers), **limit)))

    layers = new_layers(case.grads)
    if case.clipped_before:
        for layer, grads in zip(layers, case.grads, strict=True):
            layer.grads = {name: 3 * value for name, value in grads.items()}
        implementation.clip_gradients(list(layers), **limit)
        for layer, grads in zip(layers, case.grads, strict=True):
            layer.grads = {name: value.copy() for name, value in grads.items()}
    result = clip(layers)
    yield "result", result
    # What a check does not read cannot hide a cause from the diagnosis: each part of the answer has a name of its own.
    yield "exception", result if type(result) is Raised else None
    if is_pair(result):
        yield "total_norm", result[0]
        yield "clip_coef", result[1]
    yield "grads", [layer.grads for layer in layers]
    yield "params", [layer.params for layer in layers]
    there = [{name: g for name, g in grads.items() if g is not None} for grads in case.grads]
    if any(len(some) < len(every) for some, every in zip(there, case.grads)):
        layers = new_layers(there)
        yield "result without None", clip(layers)
        yield "grads without None", [layer.grads for layer in layers]


clip_gradients = Exercise(
    "clip_gradients",
    Clipping,
    {
        "plain": draw_plain,
        "above": draw_above,
        "below": draw_below,
        "missing": draw_missing,
        "empty": draw_empty,
        "nonfinite": draw_nonfinite,
    },
    probe,
    title="Gradient clipping",
)

RESULT = "clip_gradients(...)"


@clip_gradients.check(points=0.25, on="plain")
def test_clips(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are too long do not stay as they were, nor do they vanish."""
    seen["exception"]
    gradients = list(_each_gradient(case, seen, expected["grads"]))
    if all(np.array_equal(before, after) for _name, before, after, _wanted in gradients):
        raise Failed(_("Every gradient is as long as it was before."))
    for name, before, after, _wanted in gradients:
        if not 0 < np.linalg.norm(array(name, after, before.shape)) < np.inf:
            raise Failed(_("Nothing finite is left of {name}.").format(name=name))


@clip_gradients.check(points=1.25, on=("plain", "above", "below"))
def test_total_norm(case: Clipping, seen: Observation, expected: Observation) -> None:
    """`total_norm` is the length of all gradients taken as one vector, before clipping."""
    close("total_norm", _returned(seen, "total_norm"), expected["total_norm"])


@clip_gradients.check(points=1.75, on=("plain", "above"))
def test_scales_all_alike(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are too long are all scaled by one factor, and together end at `max_norm`."""
    seen["exception"]
    for name, _before, after, wanted in _each_gradient(case, seen, expected["grads"]):
        close(name, after, wanted)


@clip_gradients.check(points=0.5, on=("plain", "above", "below"))
def test_coefficient(case: Clipping, seen: Observation, expected: Observation) -> None:
    """`clip_coef` is the factor that was applied, never above 1."""
    close("clip_coef", _returned(seen, "clip_coef"), expected["clip_coef"])


@clip_gradients.check(points=0.75, on="below", needs=("clips",))
def test_small_stay(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are short enough stay exactly as they were."""
    seen["exception"]
    for name, before, after, _wanted in _each_gradient(case, seen, expected["grads"]):
        unchanged(name, before, after)


@clip_gradients.check(points=0.25, on="missing", needs=("clips",))
def test_none_skipped(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are None stay None, and everything else is as if they were not there."""
    result, without = seen["result"], seen["result without None"]
    if is_pair(without):
        for name, got, wanted in zip(("total_norm", "clip_coef"), pair(RESULT, result), without, strict=True):
            close(name, got, wanted)
    for name, before, after, wanted in _each_gradient(case, seen, seen["grads without None"]):
        if before is not None:
            close(name, after, wanted)
        elif after is not None:
            raise Failed(_("{name} was None and should stay None.").format(name=name))


@clip_gradients.check(points=0.25, on="empty", needs=("clips",))
def test_nothing_to_clip(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Without any gradient, or where all are zero, the answer is `(0.0, 1.0)`."""
    close("total_norm", _returned(seen, "total_norm"), 0.0)
    close("clip_coef", _returned(seen, "clip_coef"), 1.0)


@clip_gradients.check(points=0.75, on="nonfinite", needs=("clips",))
def test_nonfinite(case: Clipping, seen: Observation, expected: Observation) -> None:
    """A NaN or infinite gradient raises `ValueError` and leaves every gradient as it was."""
    raised = seen.raised("exception")
    if raised is None:
        raise Failed(_("A gradient is NaN or infinite, and nothing was raised: who would notice?"))
    if raised.is_a("NotImplementedError") or not raised.is_a("ValueError", "ArithmeticError", "RuntimeError"):
        raise StudentError(raised)
    for name, before, after, _wanted in _each_gradient(case, seen, expected["grads"]):
        unchanged(name, before, after)


@clip_gradients.check(points=0.25, on=("plain", "above"), needs=("clips",))
def test_parameters_stay(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Parameters are not touched, and no gradient is added."""
    seen["exception"]
    for i, (before, after) in enumerate(zip(case.grads, seen["grads"], strict=True)):
        for name in after if type(after) is dict else ():
            if name not in before:
                raise Failed(_("{name} was not there before clipping.").format(name=f'layers[{i}].grads["{name}"]'))
    for i, (before, after) in enumerate(zip(case.params, seen["params"], strict=True)):
        for name, value in before.items():
            unchanged(f'layers[{i}].params["{name}"]', value, after.get(name))


def _returned(seen: Observation, name: str) -> Any:
    """The part of the answer that is called `name`."""
    if name not in seen.values:
        pair(RESULT, seen["result"])  # says what is wrong with it
    return seen[name]


def _each_gradient(
    case: Clipping, seen: Observation, wanted: list[dict[str, Any]]
) -> Iterator[tuple[str, Any, Any, Any]]:
    """(name, before, after, wanted) of every gradient."""
    for i, (before, after, right) in enumerate(zip(case.grads, seen["grads"], wanted, strict=True)):
        for key in before:
            name = f'layers[{i}].grads["{key}"]'
            if type(after) is not dict or key not in after:
                raise Failed(_("{name} is gone after clipping.").format(name=name))
            yield name, before[key], after[key], right.get(key)
