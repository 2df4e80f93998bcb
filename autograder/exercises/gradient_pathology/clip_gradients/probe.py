"""How `clip_gradients` is tried: networks with gradients, and what is left of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Implementation, attempt
from autograder.checks.expect import is_pair
from autograder.checks.values import Raised, simplify
from autograder.layers import Layer, Linear, ReLU

Network = list[dict[str, Any]]
"""For each layer, name -> array or None; a layer without parameters has none."""


@dataclass(frozen=True)
class Clipping:
    """A network's gradients and the norm they may have.

    Attributes:
        params: of the same names and shapes as the gradients.
        max_norm: the limit; 1.0 is the default, and not passed.
        others, other_params: a second network, whose answer a promise compares with that of the first; [] if none.
    """

    title: str
    grads: Network
    params: Network
    max_norm: float = 1.0
    others: Network = field(default_factory=list)
    other_params: Network = field(default_factory=list)


Shapes = dict[str, tuple[int, ...]]

LINEAR: Shapes = {"W": (3, 4), "b": (4,)}
HIDDEN: Shapes = {"W": (4, 4), "b": (4,)}
NORM: Shapes = {"gamma": (4,), "beta": (4,)}
OUT: Shapes = {"W": (4, 2), "b": (2,)}
DEEP = [LINEAR, HIDDEN, HIDDEN, OUT]
NET = [LINEAR, {}, HIDDEN, NORM, {}, OUT]
"""Linear, activation, Linear, normalisation, activation, Linear."""


def doubled(network: Network) -> Network:
    """Whatever measures arrays has another answer for it."""
    return [{name: 2 * array for name, array in layer.items()} for layer in network]


def in_linear_layers(network: Network) -> Network:
    """The same arrays in Linear layers alone."""
    return [dict(zip("Wb", layer.values(), strict=True)) for layer in network if layer]


def clipping(
    rng: np.random.Generator,
    title: str,
    shapes: list[Shapes],
    total: float,
    max_norm: float = 1.0,
    missing: Collection[tuple[int, str]] = (),
    other: Callable[[Network], Network] = lambda network: [],
) -> Clipping:
    """A case whose gradients have the global norm `total`; beside it an `other` network that is made of it.

    Gradients that are `missing`, by layer and name, are None here and zeros in the other network.
    """
    params = [{name: rng.standard_normal(shape) for name, shape in layer.items()} for layer in shapes]
    # Each array gets a weight of its own, so that none can be left out unseen.
    grads: Network = [
        {name: rng.uniform(0.5, 2) * rng.standard_normal(p.shape) / np.sqrt(p.size) for name, p in layer.items()}
        for layer in params
    ]
    for i, name in missing:
        grads[i][name] *= 0
    size = np.sqrt(sum(np.sum(g**2) for layer in grads for g in layer.values())) or 1.0
    grads = [{name: g * (total / size) for name, g in layer.items()} for layer in grads]
    others = other(grads)
    for i, name in missing:
        grads[i][name] = None
    return Clipping(title, grads, params, max_norm, others, other(params))


def draw_long(rng: np.random.Generator) -> list[Clipping]:
    """Linear layers alone, with gradients so long that whatever is taken for their norm is long, too."""
    exploding, long = 10 ** rng.uniform(9, 12), rng.uniform(20, 60)
    return [
        clipping(rng, "exploding gradients", DEEP, exploding, max_norm=rng.uniform(2, 6), other=doubled),
        clipping(rng, "long gradients, a low limit", DEEP, long, max_norm=rng.uniform(0.1, 0.5), other=doubled),
    ]


def draw_small(rng: np.random.Generator) -> list[Clipping]:
    """Too long, although the norm is below 1 and its square below the limit."""
    limit = rng.uniform(0.65, 0.75)
    return [clipping(rng, "a norm just above a small limit", [LINEAR, OUT], 1.1 * limit, limit, other=doubled)]


def draw_below(rng: np.random.Generator) -> list[Clipping]:
    """Gradients that are short enough."""
    return [
        clipping(rng, "gradients well below the limit", DEEP, rng.uniform(0.2, 0.4), other=doubled),
        clipping(rng, "a norm below a limit greater than 1", DEEP, 1.5, max_norm=2.0, other=doubled),
    ]


def draw_network(rng: np.random.Generator) -> list[Clipping]:
    """Every kind of layer that the lesson has."""
    titles = {
        "a network with activation and normalization layers": rng.uniform(20, 60),
        "activation and normalization layers, short gradients": rng.uniform(0.2, 0.4),
    }
    return [clipping(rng, title, NET, total, other=in_linear_layers) for title, total in titles.items()]


def draw_missing(rng: np.random.Generator) -> list[Clipping]:
    """Some gradients are None."""
    titles = {"a layer has no gradients yet": [(0, "W"), (0, "b")], "some gradients are None": [(1, "b"), (3, "W")]}
    total = rng.uniform(20, 60)
    return [clipping(rng, title, DEEP, total, 1.0, none, in_linear_layers) for title, none in titles.items()]


def draw_nothing(rng: np.random.Generator) -> list[Clipping]:
    """Nothing to clip."""
    return [
        clipping(rng, "no gradients yet", [LINEAR, {}], total=0.0, missing=[(0, "W"), (0, "b")]),
        Clipping("no layer has parameters", [{}, {}], [{}, {}]),
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


_ANY = np.random.default_rng(0)
"""For weights that are replaced at once: a generator of its own takes a layer ten times as long."""


def _layer(params: dict[str, np.ndarray], grads: dict[str, Any]) -> Layer:
    """A layer of the lesson after its backward pass."""
    layer = Linear(1, 1, rng=_ANY) if "W" in params else Norm() if params else ReLU()
    layer.params = {name: value.copy() for name, value in params.items()}
    layer.grads = {name: None if value is None else value.copy() for name, value in grads.items()}
    return layer


def probe(implementation: Implementation, case: Clipping) -> Iterator[tuple[str, Any]]:
    """Clips once and looks at what was returned and at the layers afterwards; then the same with the other network."""
    limit = {} if case.max_norm == 1.0 else {"max_norm": case.max_norm}

    def clipped(params: Network, grads: Network, note: str) -> Iterator[tuple[str, Any]]:
        layers = [_layer(*arrays) for arrays in zip(params, grads, strict=True)]
        result = simplify(attempt(lambda: implementation.clip_gradients(list(layers), **limit)))
        yield f"result{note}", result
        # What a check does not read cannot hide a cause from the diagnosis: each part of the answer has its own name.
        yield f"exception{note}", result if type(result) is Raised else None
        if is_pair(result):
            yield f"total_norm{note}", result[0]
            yield f"clip_coef{note}", result[1]
        yield f"grads{note}", [layer.grads for layer in layers]
        yield f"params{note}", [layer.params for layer in layers]

    yield from clipped(case.params, case.grads, "")
    if case.others:
        yield from clipped(case.other_params, case.others, OTHERS)


OTHERS = " of the other network"

clip_gradients = Exercise(
    "clip_gradients",
    Clipping,
    {
        "long": draw_long,
        "small": draw_small,
        "below": draw_below,
        "network": draw_network,
        "missing": draw_missing,
        "nothing": draw_nothing,
        "nonfinite": draw_nonfinite,
    },
    probe,
    title="Gradient clipping",
    example=lambda case: {"layers": list(map(_layer, case.params, case.grads)), "max_norm": case.max_norm},
    calls="clip_gradients(given.layers, given.max_norm)",
)
