"""clip_gradients: gradient clipping by the global norm (Pascanu, Mikolov & Bengio 2013)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.exercises.exercise import Exercise, Failed, Implementation, Observation, Waits, attempt
from autograder.exercises.expect import close, is_pair, pair, unchanged
from autograder.i18n import _
from autograder.layers import Layer
from autograder.wire import Raised, simplify


@dataclass(frozen=True)
class Clipping:
    """A network's gradients and the norm they may have.

    Attributes:
        grads: for each layer, name -> gradient or None.
        params: for each layer, name -> parameter of the same shape.
        max_norm: the limit; None leaves it at the default, 1.0.
        kind: "above" or "below" the limit, "empty" (no gradient at all), or "nonfinite".
        order: the memory order of the gradients: "C", "F" (as a transposed product leaves them), or "strided" for every
            second number of a larger array.
        clipped_before: whether the same layers were clipped once before, with other gradients, as in training.
        in_prediction: whether the layers are in prediction mode, in which they have gradients all the same.
        plain: whether nothing here is special, so that all but what never clips does clip.
    """

    title: str
    kind: str
    grads: list[dict[str, np.ndarray | None]]
    params: list[dict[str, np.ndarray]]
    max_norm: float | None = None
    order: str = "C"
    clipped_before: bool = False
    in_prediction: bool = False
    plain: bool = False


class GivenGradients(Layer):
    """A layer after its backward pass."""

    def __init__(self, params: dict[str, np.ndarray], grads: dict[str, np.ndarray | None], order: str) -> None:
        super().__init__()
        self.params = {name: value.copy() for name, value in params.items()}
        self.grads = {name: None if value is None else _laid_out(value, order) for name, value in grads.items()}

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return dout


def _laid_out(value: np.ndarray, order: str) -> np.ndarray:
    return np.repeat(value, 2, axis=-1)[..., ::2] if order == "strided" else value.copy(order)


def draw(rng: np.random.Generator) -> list[Clipping]:
    """Networks of Linear, activation and normalisation layers, with the norm on either side of the limit."""
    linear = {"W": (3, 4), "b": (4,)}
    norm = {"gamma": (4,), "beta": (4,)}
    # A layer whose parameter has a name that no one would list: every name counts.
    net = [linear, {}, {"W": (4, 4), "b": (4,)}, norm, {"slope": (4,)}, {"W": (4, 2), "b": (2,)}]

    def case(
        title: str, kind: str, shapes: list[dict], total: float, max_norm: float | None = None, missing=(), **traits
    ) -> Clipping:
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
        return Clipping(title, kind, grads, params, max_norm, **traits)

    def spoiled(title: str, *places: tuple[int, str, float]) -> Clipping:
        healthy = case(title, "nonfinite", net, total=rng.uniform(2, 4))
        for layer, name, value in places:
            values = healthy.grads[layer][name].flat
            values[rng.integers(len(values))] = value
        return healthy

    def with_twins(healthy: Clipping) -> Clipping:
        healthy.grads[1] = dict(healthy.grads[0])
        return healthy

    limit = rng.uniform(2, 6)
    return [
        case("one layer, gradients too large", "above", [linear], total=rng.uniform(3, 9)),
        case(
            "a deep network with many kinds of parameters",
            "above",
            net,
            total=limit * rng.uniform(1.5, 9),
            max_norm=limit,
        ),
        case(
            "some gradients are None, all of the first layer among them",
            "above",
            net,
            rng.uniform(2, 5),
            0.5,
            missing=[(0, "W"), (0, "b"), (3, "gamma"), (5, "W")],
        ),
        case("a norm just above a small limit", "above", net, total=0.8, max_norm=0.7),
        case("exploding gradients", "above", net, total=10 ** rng.uniform(9, 12), plain=True),
        case("many layers, one of them wide", "above", [*net, {"W": (12, 20)}, *net], total=rng.uniform(2, 9)),
        case("layers in prediction mode", "above", [{}, linear, norm], total=rng.uniform(2, 9), in_prediction=True),
        case("gradients that are transposed views", "above", net, total=rng.uniform(2, 9), order="F"),
        with_twins(
            case(
                "layers with equal gradients, one of three dimensions, all views of every second number",
                "above",
                [linear, linear, {"kernel": (2, 3, 2)}],
                total=rng.uniform(2, 9),
                order="strided",
            )
        ),
        case("layers that were clipped before", "above", net, total=rng.uniform(2, 9), clipped_before=True),
        case("gradients well below the limit", "below", net, total=rng.uniform(0.2, 0.6)),
        case("a norm below a limit greater than 1", "below", net, total=1.5, max_norm=2.0, missing=[(2, "W")]),
        case("a norm a little above the limit", "above", net, total=1.0002 * limit, max_norm=limit),
        case("a norm a little below the limit", "below", net, total=0.9998 * limit, max_norm=limit),
        case("every gradient is zero", "below", [linear], total=0.0),
        Clipping("no layers at all", "empty", [], []),
        Clipping(
            "no gradients yet", "empty", [{"W": None, "b": None}, {}], [{"W": np.ones((2, 2)), "b": np.ones(2)}, {}]
        ),
        # Every kind of value in every kind of place, so that the one is not taken for the other.
        spoiled("a weight gradient of the first layer holds NaN", (0, "W", np.nan)),
        spoiled("a bias gradient holds NaN", (2, "b", np.nan)),
        spoiled("a gradient with respect to beta holds NaN", (3, "beta", np.nan)),
        spoiled("a weight gradient of the last layer is infinite", (5, "W", np.inf)),
        spoiled("a bias gradient is infinite", (5, "b", np.inf)),
        spoiled("a gradient of another name is infinite", (4, "slope", np.inf)),
        spoiled("a weight gradient is minus infinity", (2, "W", -np.inf)),
        spoiled("a gradient with respect to gamma is minus infinity", (3, "gamma", -np.inf)),
        spoiled("infinity and minus infinity in one gradient", (0, "b", np.inf), (5, "W", np.inf), (5, "W", -np.inf)),
    ]


def probe(implementation: Implementation, case: Clipping) -> Iterator[tuple[str, Any]]:
    """Clips once and looks at what was returned and at the layers afterwards."""
    layers = [GivenGradients(*arrays, case.order) for arrays in zip(case.params, case.grads, strict=True)]
    for layer in layers:
        layer.training = not case.in_prediction
    limit = {} if case.max_norm is None else {"max_norm": case.max_norm}
    if case.clipped_before:
        for layer, grads in zip(layers, case.grads, strict=True):
            layer.grads = {name: 3 * value for name, value in grads.items()}
        implementation.clip_gradients(list(layers), **limit)
        for layer, grads in zip(layers, case.grads, strict=True):
            layer.grads = {name: value.copy() for name, value in grads.items()}
    result = simplify(attempt(lambda: implementation.clip_gradients(list(layers), **limit)))
    yield "result", result
    # What a check does not read cannot hide a cause from the diagnosis: each part of the answer has a name of its own.
    yield "exception", result if type(result) is Raised else None
    if is_pair(result):
        yield "total_norm", result[0]
        yield "clip_coef", result[1]
    yield "grads", [layer.grads for layer in layers]
    yield "params", [layer.params for layer in layers]


clip_gradients = Exercise(
    "clip_gradients", "clip_gradients", "clip_gradients", Clipping, draw, probe, title="Gradient clipping"
)

RESULT = "clip_gradients(...)"


@clip_gradients.check(points=1.5)
def test_total_norm(case: Clipping, seen: Observation, expected: Observation) -> None:
    """`total_norm` is the length of all gradients taken as one vector, before clipping."""
    if case.kind in ("above", "below"):
        close("total_norm", _returned(seen, "total_norm"), expected["total_norm"])


@clip_gradients.check(points=2.0)
def test_scales_all_alike(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are too long are all scaled by one factor, and together end at `max_norm`."""
    if case.kind == "above":
        seen["exception"]
        for name, before, after, wanted in _each_gradient(case, seen, expected):
            if before is None:
                if after is not None:
                    raise Failed(_("{name} was None and should stay None.").format(name=name))
            else:
                close(name, after, wanted)


@clip_gradients.check(points=0.5)
def test_coefficient(case: Clipping, seen: Observation, expected: Observation) -> None:
    """`clip_coef` is the factor that was applied, never above 1."""
    if case.kind in ("above", "below"):
        close("clip_coef", _returned(seen, "clip_coef"), expected["clip_coef"])


@clip_gradients.check(points=0.75)
def test_small_stay(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are short enough stay exactly as they were."""
    if case.kind == "below":
        seen["exception"]
        for name, before, after, _wanted in _each_gradient(case, seen, expected):
            if before is not None:
                unchanged(name, before, after)
    _require_clipping(case, seen)


@clip_gradients.check(points=0.25)
def test_nothing_to_clip(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Without any gradient the answer is `(0.0, 1.0)`."""
    if case.kind == "empty":
        close("total_norm", _returned(seen, "total_norm"), 0.0)
        close("clip_coef", _returned(seen, "clip_coef"), 1.0)
    _require_clipping(case, seen)


@clip_gradients.check(points=0.75)
def test_nonfinite(case: Clipping, seen: Observation, expected: Observation) -> None:
    """A NaN or infinite gradient raises `ValueError` and leaves every gradient as it was."""
    if case.kind != "nonfinite":
        if case.plain:
            seen["exception"]  # an exception here is none that was asked for
        return
    raised = seen.raised("exception")
    if raised is None:
        raise Failed(_("A gradient is NaN or infinite, and nothing was raised: who would notice?"))
    if raised.is_a("NotImplementedError") or not raised.is_a("ValueError", "ArithmeticError", "RuntimeError"):
        seen["exception"]
    for name, before, after, _wanted in _each_gradient(case, seen, expected):
        unchanged(name, before, after)


@clip_gradients.check(points=0.25)
def test_parameters_stay(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Parameters are not touched, no gradient is added, and where nothing is clipped, None stays None."""
    _require_clipping(case, seen)
    if case.kind == "nonfinite" or seen.raised("exception"):
        return
    for i, (before, after) in enumerate(zip(case.grads, seen["grads"], strict=True)):
        for name, value in after.items() if type(after) is dict else ():
            where = f'layers[{i}].grads["{name}"]'
            if name not in before:
                raise Failed(_("{name} was not there before clipping.").format(name=where))
            if case.kind != "above" and before[name] is None and value is not None:
                raise Failed(_("{name} was None and should stay None.").format(name=where))
    for i, (before, after) in enumerate(zip(case.params, seen["params"], strict=True)):
        for name, value in before.items():
            unchanged(f'layers[{i}].params["{name}"]', value, after.get(name))


def _returned(seen: Observation, name: str) -> Any:
    """The part of the answer that is called `name`."""
    if name not in seen.values:
        pair(RESULT, seen["result"])  # says what is wrong with it
    return seen[name]


def _each_gradient(case: Clipping, seen: Observation, expected: Observation) -> Iterator[tuple[str, Any, Any, Any]]:
    """(name, before, after, wanted) of every gradient."""
    for i, (before, after, wanted) in enumerate(zip(case.grads, seen["grads"], expected["grads"], strict=True)):
        for key in before:
            name = f'layers[{i}].grads["{key}"]'
            if type(after) is not dict or key not in after:
                raise Failed(_("{name} is gone after clipping.").format(name=name))
            yield name, before[key], after[key], wanted[key]


def _require_clipping(case: Clipping, seen: Observation) -> None:
    """A function that never does anything keeps no promise about what it leaves alone: the promise waits.

    Asked of the plain case alone: what clips there, and not in a special case, has lost its points for that one.
    """
    if not case.plain:
        return
    seen["exception"]
    for before, after in zip(case.grads, seen["grads"], strict=True):
        if type(after) is not dict or any(
            not np.array_equal(g, after.get(k)) for k, g in before.items() if g is not None
        ):
            return
    raise Waits(_("This counts as soon as gradients that are too long are clipped."))
