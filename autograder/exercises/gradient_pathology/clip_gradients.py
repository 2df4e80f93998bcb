"""clip_gradients: gradient clipping by the global norm (Pascanu, Mikolov & Bengio 2013)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, attempt
from autograder.checks.expect import array, close, in_words, is_close, is_pair, number, pair, refused, same, unchanged
from autograder.checks.values import Raised, simplify
from autograder.layers import Layer, Linear, ReLU
from autograder.locale import _

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


def _answer(seen: Observation, name: str) -> Any:
    """The part of the answer that is called `name`."""
    if name not in seen.values:
        pair("clip_gradients", seen["result"], "return total_norm, clip_coef")
    return seen[name]


def _each(what: str, before: Network, after: Network) -> Iterator[tuple[str, Any, Any]]:
    """(name, before, after) of every array."""
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        for key in old:
            name = f'layers[{i}].{what}["{key}"]'
            if type(new) is not dict or key not in new:
                raise Failed(_("{name} is gone after clipping.").format(name=name))
            yield name, old[key], new[key]


def _each_gradient(case: Clipping, seen: Observation, note: str = "") -> Iterator[tuple[str, Any, Any]]:
    seen["exception" + note]
    return _each("grads", case.others if note else case.grads, seen["grads" + note])


def _factors(case: Clipping, seen: Observation, note: str = "") -> dict[str, float]:
    """By name, the number that every gradient was multiplied by, or the nearest one."""
    return {
        name: float(np.sum(array(name, after, before.shape) * before) / np.sum(before**2))
        for name, before, after in _each_gradient(case, seen, note)
    }


def _own(seen: Observation, name: str) -> float | None:
    """The number that came back as `name`, if it depends on the network: what rests on it is judged against it."""
    answers = []
    for key in (name, name + OTHERS):
        with contextlib.suppress(Failed):
            answers.append(number(name, seen[key] if key in seen.values else None))
    return answers[0] if len(answers) == 2 and np.all(np.isfinite(answers)) and _differ(*answers) else None


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > 1e-3 * max(abs(one), abs(other))


def _right_coefficients(case: Clipping, seen: Observation, expected: Observation) -> list[float]:
    """The right coefficient, and that which belongs to the own `total_norm`."""
    own = _own(seen, "total_norm")
    return [expected["clip_coef"]] + ([] if own is None else [case.max_norm / max(own, case.max_norm)])


def _require_something_scaled(case: Clipping, seen: Observation) -> None:
    """Where gradients are too long, in this network and in the other one."""
    gradients = [*_each_gradient(case, seen), *_each_gradient(case, seen, OTHERS)]
    if all(same(before, after) for _name, before, after in gradients):
        text = _(
            "After the call the gradients are unchanged: nothing has been scaled yet, or the result was not put into "
            "layer.grads."
        )
        raise Failed(text, unwritten=True)


def _require_as_in_the_other(case: Clipping, seen: Observation) -> None:
    """The answer is that for the other network, and so are the gradients, except that None stays None."""
    others = [after for _name, _before, after in _each_gradient(case, seen, OTHERS)]
    otherwise = _("With the same gradients in Linear layers, and zeros for None, your code gives another answer.")
    for name in ("total_norm", "clip_coef"):
        if {name, name + OTHERS} <= seen.values.keys() and not same(seen[name], seen[name + OTHERS]):
            in_words(lambda: otherwise, close, name, seen[name], number(name, seen[name + OTHERS]))
    for (name, before, after), other in zip(_each_gradient(case, seen), others, strict=True):
        if before is not None:
            close(name, after, array(name, other, before.shape))
        elif after is not None:
            raise Failed(_("{name} was None and should stay None.").format(name=name))


@clip_gradients.check(points=0.25, on="long")
def test_clips(case: Clipping, seen: Observation, expected: Observation) -> None:
    """For gradients that are too long, the function measures their length or scales them down."""
    factors = _factors(case, seen)
    name, factor = next(iter(factors.items()))
    measured = any(_own(seen, part) for part in ("total_norm", "clip_coef"))
    if measured or _differ(factor, _factors(case, seen, OTHERS)[name]):
        return
    total = number("total_norm", _answer(seen, "total_norm"))
    text = _(
        "total_norm is {total:.6g} for every network, and {name} is multiplied by {factor:.6g}: nothing is measured."
    )
    raise Failed(text.format(total=total, name=name, factor=factor), unwritten=True)


@clip_gradients.check(points=1.0, on=("long", "small"), needs=("clips",))
def test_total_norm(case: Clipping, seen: Observation, expected: Observation) -> None:
    """`total_norm` is the length of all gradients taken as one vector, before clipping."""
    close("total_norm", _answer(seen, "total_norm"), expected["total_norm"])


@clip_gradients.check(points=0.75, on=("long", "small"))
def test_factor(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are too long are multiplied by `max_norm / total_norm`."""
    factors = _factors(case, seen)
    right = _right_coefficients(case, seen, expected)
    # One gradient is enough: whether all are scaled alike is the next promise.
    if not any(is_close(factor, wanted) for factor in factors.values() for wanted in right):
        _require_something_scaled(case, seen)
        name, factor = next(iter(factors.items()))
        close(_("The factor of {name}").format(name=name), factor, right[-1])


@clip_gradients.check(points=0.5, on="long", needs=("clips",))
def test_scales_all_alike(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Where gradients are too long, all are multiplied by the same factor."""
    _require_something_scaled(case, seen)
    factors = _factors(case, seen)
    touched = {name: before for name, before, _after in _each_gradient(case, seen) if _differ(factors[name], 1.0)}
    length = np.sqrt(sum(np.sum(before**2) for before in touched.values()))
    # Whose norm leaves some gradients out, and who therefore leaves them alone, has broken the first promise only.
    left_out = is_close(_own(seen, "total_norm"), length)
    first = next(iter(touched or factors))
    for name, before, after in _each_gradient(case, seen):
        if not is_close(after, factors[name] * before):
            raise Failed(_("The elements of {name} are multiplied by different numbers.").format(name=name))
        if not is_close(factors[name], factors[first]) and not (left_out and name not in touched):
            text = _("{first} is multiplied by {factor:.6g}, but {name} by {other:.6g}.")
            raise Failed(text.format(first=first, factor=factors[first], name=name, other=factors[name]))


@clip_gradients.check(points=0.5, on=("long", "below"), needs=("clips",))
def test_coefficient(case: Clipping, seen: Observation, expected: Observation) -> None:
    """`clip_coef` is the factor that was applied, never above 1."""
    coefficient = number("clip_coef", _answer(seen, "clip_coef"))
    right = _right_coefficients(case, seen, expected)
    applied = [factor for factor in _factors(case, seen).values() if 0 < factor < 1]
    if not any(is_close(coefficient, wanted) for wanted in right + applied):
        if expected["clip_coef"] < 1:
            _require_something_scaled(case, seen)
        close("clip_coef", coefficient, right[-1])


@clip_gradients.check(points=0.75, on=("long", "below"), needs=("clips",))
def test_small_stay(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Only gradients that are short enough stay exactly as they were."""
    if expected["clip_coef"] < 1:
        _require_something_scaled(case, seen)
        return
    own = _right_coefficients(case, seen, expected)[-1]
    for name, before, after in _each_gradient(case, seen):
        if own == 1 or not is_close(after, own * before):
            unchanged(name, before, after)


@clip_gradients.check(points=0.5, on="network", needs=("clips",))
def test_every_layer(case: Clipping, seen: Observation, expected: Observation) -> None:
    """In normalization layers `gamma` and `beta` count like `W` and `b`; layers without gradients are skipped."""
    _require_as_in_the_other(case, seen)


@clip_gradients.check(points=0.75, on="missing", needs=("clips",))
def test_none_skipped(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are None stay None, and everything else is as if they were zero."""
    _require_as_in_the_other(case, seen)


@clip_gradients.check(points=0.25, on="nothing", needs=("clips",))
def test_nothing_to_clip(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Without any gradient the answer is `(0.0, 1.0)`."""
    close("total_norm", _answer(seen, "total_norm"), 0.0)
    close("clip_coef", _answer(seen, "clip_coef"), 1.0)


@clip_gradients.check(points=0.5, on="nonfinite", needs=("clips",))
def test_nonfinite(case: Clipping, seen: Observation, expected: Observation) -> None:
    """A NaN or infinite gradient raises `ValueError` and leaves every gradient as it was."""
    what, raised = _("a gradient that is not finite"), seen.raised("exception")
    refused(what, raised, "ValueError", "ArithmeticError", "RuntimeError")
    for name, before, after in _each("grads", case.grads, seen["grads"]):
        unchanged(name, before, after)


@clip_gradients.check(points=0.25, on=("long", "small"), needs=("clips",))
def test_parameters_stay(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Parameters are not touched, and no gradient is added."""
    seen["exception"]
    for i, (before, after) in enumerate(zip(case.grads, seen["grads"], strict=True)):
        for name in set(after if type(after) is dict else ()) - before.keys():
            raise Failed(_("layers[{i}].grads has the new name {name!r}.").format(i=i, name=name))
    for name, before, after in _each("params", case.params, seen["params"]):
        unchanged(name, before, after)
