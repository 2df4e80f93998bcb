"""clip_gradients: gradient clipping by the global norm (Pascanu, Mikolov & Bengio 2013)."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, StudentError, attempt
from autograder.checks.expect import array, close, is_close, is_pair, number, pair, unchanged
from autograder.checks.values import Raised, simplify
from autograder.layers import Layer, Linear, ReLU
from autograder.locale import _


@dataclass(frozen=True)
class Clipping:
    """A network's gradients and the norm they may have.

    Attributes:
        grads: for each layer, name -> gradient or None; a layer without parameters has none.
        params: for each layer, name -> parameter of the same shape.
        max_norm: the limit; 1.0 is the default, and not passed.
    """

    title: str
    grads: list[dict[str, Any]]
    params: list[dict[str, np.ndarray]]
    max_norm: float = 1.0


Shapes = dict[str, tuple[int, ...]]

LINEAR: Shapes = {"W": (3, 4), "b": (4,)}
HIDDEN: Shapes = {"W": (4, 4), "b": (4,)}
NORM: Shapes = {"gamma": (4,), "beta": (4,)}
OUT: Shapes = {"W": (4, 2), "b": (2,)}
DEEP = [LINEAR, HIDDEN, HIDDEN, OUT]
NET = [LINEAR, {}, HIDDEN, NORM, {}, OUT]
"""Linear, activation, Linear, normalisation, activation, Linear."""


def clipping(
    rng: np.random.Generator,
    title: str,
    shapes: list[Shapes],
    total: float,
    max_norm: float = 1.0,
    missing: Collection[tuple[int, str]] = (),
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
    return Clipping(title, grads, params, max_norm)


def draw_plain(rng: np.random.Generator) -> list[Clipping]:
    """Linear layers alone, with gradients so long that whatever is taken for their norm is long, too."""
    return [clipping(rng, "exploding gradients", DEEP, total=10 ** rng.uniform(9, 12), max_norm=rng.uniform(2, 6))]


def draw_small(rng: np.random.Generator) -> list[Clipping]:
    """Too long, although the norm is below 1 and its square below the limit."""
    limit = rng.uniform(0.65, 0.75)
    return [clipping(rng, "a norm just above a small limit", [LINEAR, OUT], total=1.1 * limit, max_norm=limit)]


def draw_network(rng: np.random.Generator) -> list[Clipping]:
    """Every kind of layer that the lesson has."""
    return [clipping(rng, "a network with activation and normalisation layers", NET, total=rng.uniform(20, 60))]


def draw_below(rng: np.random.Generator) -> list[Clipping]:
    """Gradients that are short enough."""
    return [
        clipping(rng, "gradients well below the limit", NET, total=rng.uniform(0.2, 0.4)),
        clipping(rng, "a norm below a limit greater than 1", NET, total=1.5, max_norm=2.0),
    ]


def draw_missing(rng: np.random.Generator) -> list[Clipping]:
    """Some gradients are None."""
    return [
        clipping(
            rng,
            "some gradients are None, all of the first layer among them",
            NET,
            total=rng.uniform(20, 60),
            missing=[(0, "W"), (0, "b"), (3, "gamma"), (5, "W")],
        )
    ]


def draw_first(rng: np.random.Generator) -> list[Clipping]:
    """As before the first backward."""
    return [clipping(rng, "no gradients yet", [LINEAR, {}], total=0.0, missing=[(0, "W"), (0, "b")])]


def draw_empty(rng: np.random.Generator) -> list[Clipping]:
    """Nothing to clip."""
    return [
        Clipping("no layer has parameters", [{}, {}], [{}, {}]),
        clipping(rng, "every gradient is zero, as in a network of dead ReLUs", [LINEAR, {}], total=0.0),
    ]


def draw_nonfinite(rng: np.random.Generator) -> list[Clipping]:
    """NaN and infinity, each in a weight gradient and in another one."""

    def spoiled(title: str, layer: int, name: str, value: float) -> Clipping:
        healthy = clipping(rng, title, DEEP, total=rng.uniform(2, 4))
        values = healthy.grads[layer][name].flat
        values[rng.integers(len(values))] = value
        return healthy

    return [
        spoiled("a weight gradient of the first layer holds NaN", 0, "W", np.nan),
        spoiled("a bias gradient holds NaN", 1, "b", np.nan),
        spoiled("a weight gradient of the last layer is infinite", 3, "W", np.inf),
        spoiled("a bias gradient is infinite", 2, "b", -np.inf),
    ]


class Norm(Layer):
    """A normalisation layer after its backward pass."""

    forward: Any = None
    backward: Any = None


def _layer(params: dict[str, np.ndarray], grads: dict[str, Any]) -> Layer:
    """A layer of the lesson after its backward pass."""
    layer = Linear(1, 1) if "W" in params else Norm() if params else ReLU()
    layer.params = {name: value.copy() for name, value in params.items()}
    layer.grads = {name: None if value is None else value.copy() for name, value in grads.items()}
    return layer


def probe(implementation: Implementation, case: Clipping) -> Iterator[tuple[str, Any]]:
    """Clips once and looks at what was returned and at the layers afterwards.

    Where gradients are None, the same layers are clipped once more without those entries.
    """
    limit = {} if case.max_norm == 1.0 else {"max_norm": case.max_norm}

    def clipped(grads: list[dict[str, Any]], note: str = "") -> Iterator[tuple[str, Any]]:
        layers = [_layer(*arrays) for arrays in zip(case.params, grads, strict=True)]
        result = simplify(attempt(lambda: implementation.clip_gradients(list(layers), **limit)))
        yield f"result{note}", result
        # What a check does not read cannot hide a cause from the diagnosis: each part of the answer has its own name.
        yield f"exception{note}", result if type(result) is Raised else None
        if is_pair(result):
            yield f"total_norm{note}", result[0]
            yield f"clip_coef{note}", result[1]
        yield f"grads{note}", [layer.grads for layer in layers]
        yield f"params{note}", [layer.params for layer in layers]

    yield from clipped(case.grads)
    there = [{name: g for name, g in grads.items() if g is not None} for grads in case.grads]
    if any(len(some) < len(every) for some, every in zip(there, case.grads, strict=True)):
        yield from clipped(there, WITHOUT_NONE)


WITHOUT_NONE = " without None"

clip_gradients = Exercise(
    "clip_gradients",
    Clipping,
    {
        "plain": draw_plain,
        "small": draw_small,
        "network": draw_network,
        "below": draw_below,
        "missing": draw_missing,
        "first": draw_first,
        "empty": draw_empty,
        "nonfinite": draw_nonfinite,
    },
    probe,
    title="Gradient clipping",
    example=lambda case: {"layers": list(map(_layer, case.params, case.grads)), "max_norm": case.max_norm},
)

RESULT = "clip_gradients(...)"


@clip_gradients.check(points=0.25, on=("plain", "small"))
def test_clips(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are too long are measured or shortened."""
    factors = _factors(case, seen)
    shortened = any(factor < 0.99 and _is_sensible_factor(factor, case, expected) for factor in factors.values())
    if not shortened and not _own_total(seen, expected):
        name, factor = next(iter(factors.items()))
        text = _("{name} is multiplied by {factor:.6g}, and total_norm is nothing like the norm.")
        raise Failed(text.format(name=name, factor=factor))


@clip_gradients.check(points=1.0, on=("plain", "small", "network", "below"))
def test_total_norm(case: Clipping, seen: Observation, expected: Observation) -> None:
    """`total_norm` is the length of all gradients taken as one vector, before clipping."""
    close("total_norm", _returned(seen, "total_norm"), expected["total_norm"])


@clip_gradients.check(points=0.75, on=("plain", "small", "network"))
def test_factor(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are too long are multiplied by `max_norm / total_norm`."""
    factors = _factors(case, seen)
    right = expected["clip_coef"], _own_coefficient(case, seen, expected)
    # One gradient is enough: whether all are scaled alike is the next promise.
    if not any(is_close("", factor, wanted) for factor in factors.values() for wanted in right):
        name, factor = next(iter(factors.items()))
        close(_("The factor of {name}").format(name=name), factor, expected["clip_coef"])


@clip_gradients.check(points=0.5, on=("plain", "network"))
def test_scales_all_alike(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Where gradients are too long, all are multiplied by the same factor."""
    factors = _factors(case, seen)
    (first, factor), *_others = factors.items()
    for name, before, after in _each_gradient(case, seen):
        if not is_close(name, after, factors[name] * before):
            raise Failed(_("{name} does not point where it pointed before.").format(name=name))
        if not is_close(name, factors[name], factor):
            text = _("{first} is multiplied by {factor:.6g}, but {name} by {other:.6g}.")
            raise Failed(text.format(first=first, factor=factor, name=name, other=factors[name]))
    if not _is_sensible_factor(factor, case, expected):
        text = _("Every gradient is multiplied by {factor:.6g}, but {wanted:.6g} was expected.")
        raise Failed(text.format(factor=factor, wanted=_own_coefficient(case, seen, expected)))


@clip_gradients.check(points=0.5, on=("plain", "small", "below"))
def test_coefficient(case: Clipping, seen: Observation, expected: Observation) -> None:
    """`clip_coef` is the factor that was applied, never above 1."""
    coefficient = _returned(seen, "clip_coef")
    right = [expected["clip_coef"], _own_coefficient(case, seen, expected)]
    right += [min(f, 1.0) for f in _factors(case, seen).values() if _is_sensible_factor(f, case, expected)]
    if not any(is_close("", coefficient, wanted) for wanted in right):
        close("clip_coef", coefficient, expected["clip_coef"])


@clip_gradients.check(points=0.75, on=("plain", "below"), needs=("clips",))
def test_small_stay(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are short enough, and they alone, stay exactly as they were."""
    seen["exception"]
    if expected["clip_coef"] < 1:
        if all(np.array_equal(before, after) for _name, before, after in _each_gradient(case, seen)):
            raise Failed(_("Every gradient is as long as it was before."))
        return
    own = _own_coefficient(case, seen, expected)
    for name, before, after in _each_gradient(case, seen):
        if own == 1 or not is_close(name, after, own * before):
            unchanged(name, before, after)


@clip_gradients.check(points=0.75, on=("missing", "first"), needs=("clips",))
def test_none_skipped(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are None stay None, and everything else is as if they were not there."""
    if seen.raised("exception" + WITHOUT_NONE) is None:
        seen["exception"]
    for name in ("total_norm", "clip_coef"):
        if name + WITHOUT_NONE in seen.values:
            close(name, _returned(seen, name), seen[name + WITHOUT_NONE])
    layers = enumerate(seen["grads" + WITHOUT_NONE])
    scaled = {_name(i, key): value for i, grads in layers for key, value in grads.items()}
    for name, before, after in _each_gradient(case, seen):
        if before is not None:
            close(name, after, scaled.get(name))
        elif after is not None:
            raise Failed(_("{name} was None and should stay None.").format(name=name))


@clip_gradients.check(points=0.5, on=("first", "empty"), needs=("clips",))
def test_nothing_to_clip(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Without any gradient, or where all are zero, the answer is `(0.0, 1.0)`."""
    close("total_norm", _returned(seen, "total_norm"), 0.0)
    close("clip_coef", _returned(seen, "clip_coef"), 1.0)


@clip_gradients.check(points=0.5, on="nonfinite", needs=("clips",))
def test_nonfinite(case: Clipping, seen: Observation, expected: Observation) -> None:
    """A NaN or infinite gradient raises `ValueError` and leaves every gradient as it was."""
    raised = seen.raised("exception")
    if raised is None:
        raise Failed(_("A gradient is NaN or infinite, and nothing was raised: who would notice?"))
    if raised.is_a("NotImplementedError") or not raised.is_a("ValueError", "ArithmeticError", "RuntimeError"):
        raise StudentError(raised)
    for name, before, after in _each_gradient(case, seen):
        unchanged(name, before, after)


@clip_gradients.check(points=0.5, on=("plain", "small"), needs=("clips",))
def test_parameters_stay(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Parameters are not touched, and no gradient is added."""
    seen["exception"]
    for i, (before, after) in enumerate(zip(case.grads, seen["grads"], strict=True)):
        for name in after if type(after) is dict else ():
            if name not in before:
                raise Failed(_("{name} was not there before clipping.").format(name=_name(i, name)))
    for i, (before, after) in enumerate(zip(case.params, seen["params"], strict=True)):
        for name, value in before.items():
            unchanged(f'layers[{i}].params["{name}"]', value, after.get(name))


def _returned(seen: Observation, name: str) -> Any:
    """The part of the answer that is called `name`."""
    if name not in seen.values:
        pair(RESULT, seen["result"])  # says what is wrong with it
    return seen[name]


def _each_gradient(case: Clipping, seen: Observation) -> Iterator[tuple[str, Any, Any]]:
    """(name, before, after) of every gradient."""
    for i, (before, after) in enumerate(zip(case.grads, seen["grads"], strict=True)):
        for key in before:
            if type(after) is not dict or key not in after:
                raise Failed(_("{name} is gone after clipping.").format(name=_name(i, key)))
            yield _name(i, key), before[key], after[key]


def _name(i: int, key: str) -> str:
    return f'layers[{i}].grads["{key}"]'


def _factors(case: Clipping, seen: Observation) -> dict[str, float]:
    """By name, the number that every gradient was multiplied by, or the nearest one."""
    seen["exception"]
    return {
        name: float(np.sum(array(name, after, before.shape) * before) / np.sum(before**2))
        for name, before, after in _each_gradient(case, seen)
    }


def _is_sensible(total: float, expected: Observation) -> bool:
    """Whether `total` may be somebody's idea of the norm: the largest entry, or a sum that lacks its root.

    The cases differ so much in length that no constant is sensible in all of them.
    """
    right = expected["total_norm"]
    return right / 100 <= total <= 100 * max(right, right**2)


def _is_sensible_factor(factor: float, case: Clipping, expected: Observation) -> bool:
    """Whether it comes of a sensible norm."""
    return factor > 0 and _is_sensible(case.max_norm / factor, expected)


def _own_total(seen: Observation, expected: Observation) -> float:
    """The `total_norm` that came back, or 0 if it is not sensible: what rests on it is judged against it."""
    with contextlib.suppress(Failed):
        total = number("total_norm", seen["total_norm"])
        if _is_sensible(total, expected):
            return total
    return 0.0


def _own_coefficient(case: Clipping, seen: Observation, expected: Observation) -> float:
    """The coefficient that belongs to the `total_norm` that came back, or the right one."""
    total = _own_total(seen, expected)
    return case.max_norm / max(total, case.max_norm) if total else expected["clip_coef"]
