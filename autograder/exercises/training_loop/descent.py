"""What the exercises on optimizers share: networks, the gradients of each step, and an optimizer's way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from autograder.checks.exercise import Failed, Observation, attempt
from autograder.checks.expect import close, is_close, unchanged
from autograder.layers import Layer, Linear, Tanh
from autograder.locale import _

Arrays = list[dict[str, np.ndarray]]
"""For each layer, arrays by their names."""


@dataclass(frozen=True)
class Descent:
    """Parameters of a network, and their gradients at each step.

    Attributes:
        settings: what the optimizer is made with.
        params: of each Linear layer; a Tanh stands between two of them.
        grads: of each step and each Linear layer; None for a parameter that has none.
        unseen: so many steps are taken before somebody looks.
    """

    title: str
    settings: dict[str, float]
    params: Arrays
    grads: list[list[dict[str, Any]]]
    unseen: int = 0


def descent(
    rng: np.random.Generator,
    title: str,
    settings: dict[str, float],
    sizes: Sequence[int] = (3, 2),
    steps: int = 3,
    gradient: Callable[[tuple[int, ...]], np.ndarray] | None = None,
    constant: bool = False,
    unseen: int = 0,
) -> Descent:
    """A network with layers of these sizes; `gradient` draws an array of a shape, by default normal numbers."""
    shapes = [{"W": (n, m), "b": (m,)} for n, m in pairwise(sizes)]
    draw = gradient or rng.standard_normal

    def arrays(drawn: Callable[[tuple[int, ...]], np.ndarray]) -> Arrays:
        return [{name: drawn(shape) for name, shape in layer.items()} for layer in shapes]

    params, first = arrays(rng.standard_normal), arrays(draw)
    return Descent(title, settings, params, [first if constant else arrays(draw) for _step in range(steps)], unseen)


def network(params: Arrays) -> list[Layer]:
    """New layers with copies of these parameters."""
    layers: list[Layer] = []
    for own in params:
        layers += [Tanh()] * bool(layers)
        n, m = own["W"].shape
        layers.append(Linear(n, m, rng=np.random.default_rng(0)))
        layers[-1].params = {name: array.copy() for name, array in own.items()}
    return layers


def give(layers: list[Layer], grads: Sequence[dict[str, Any]]) -> None:
    """Put new gradients into the layers, as a backward pass does."""
    linear = (layer for layer in layers if layer.params)
    for layer, own in zip(linear, grads, strict=True):
        layer.grads = {name: None if g is None else g.copy() for name, g in own.items()}


def parameters(layers: list[Layer]) -> Arrays:
    """Copies of the parameters of the layers that have some."""
    return [
        {name: np.array(array, copy=True) for name, array in layer.params.items()} for layer in layers if layer.params
    ]


def way(walker: Any, layers: list[Layer], case: Descent) -> list[Arrays]:
    """The parameters before the first step that is looked at, and after this and each further one."""
    found = []
    for number, grads in enumerate(case.grads):
        if number >= case.unseen:
            found.append(parameters(layers))
        give(layers, grads)
        walker.step(layers)
    return [*found, parameters(layers)]


def alone(case: Descent) -> Iterator[Descent]:
    """The same descent, for each Linear layer by itself."""
    for number, params in enumerate(case.params):
        yield Descent(case.title, case.settings, [params], [[grads[number]] for grads in case.grads])


def probe_ways(make: Callable[..., Any], case: Descent) -> Iterator[tuple[str, Any]]:
    """Walks once with the whole network, and looks at the caller's arrays.

    Where there are several layers, then with each by itself; and takes the last step again with a new optimizer.
    """
    layers = network(case.params)
    own = [dict(layer.params) for layer in layers if layer.params]
    yield "way", attempt(lambda: way(make(**case.settings), layers, case))
    yield "own", own
    if len(case.params) > 1:
        yield "alone", attempt(lambda: [way(make(**part.settings), network(part.params), part) for part in alone(case)])
        yield "fresh", attempt(lambda: way(make(**case.settings), layers, replace(case, grads=case.grads[-1:])))


def example(case: Descent) -> dict[str, Any]:
    """What a student needs to take the steps by hand."""
    return {"settings": dict(case.settings), "layers": network(case.params), "grads_of_each_step": case.grads}


CALLS = """\
optimizer = {name}(**given.settings)
linear = [layer for layer in given.layers if layer.params]
for grads in given.grads_of_each_step:
    for layer, own in zip(linear, grads):
        layer.grads = own
    optimizer.step(given.layers)
    print([layer.params for layer in linear])"""
"""The lines that take the steps of an example."""


def walked(case: Descent, seen: Observation, key: str = "way") -> list[Arrays]:
    """The way that was seen.

    Raises:
        Failed: no step has changed anything, or a parameter is no longer an array of its shape.
    """
    found = seen[key]
    for step, arrays in enumerate(found, start=case.unseen):
        for number, (layer, before) in enumerate(zip(arrays, case.params, strict=True)):
            for name, array in before.items():
                if np.shape(layer.get(name)) != array.shape:
                    text = _("{name} should keep its shape {shape}, but it has shape {got}.")
                    where = name_of(number, name, step)
                    raise Failed(text.format(name=where, shape=array.shape, got=np.shape(layer.get(name))))
    pairs = zip(found[-1], case.params, strict=True)
    if all(np.array_equal(now[name], own[name]) for now, own in pairs for name in own):
        text = _(
            "`step(layers)` changes no parameter yet. Is there a line that does, is it reached for every layer, and is "
            "the gradient in it? (`p = p - ...` only gives the name `p` to a new array; `p -= ...` changes the array "
            "that the layer has.)"
        )
        raise Failed(text, unwritten=True)
    return found


def steps_of(path: list[Arrays]) -> list[Arrays]:
    """How far each step went: the differences along `path`."""
    with np.errstate(all="ignore"):  # of what has exploded
        return [
            [{name: here[name] - there[name] for name in here} for here, there in zip(after, before, strict=True)]
            for before, after in pairwise(path)
        ]


def same_steps(
    case: Descent,
    path: list[Arrays],
    wanted: Callable[[int, int, str], np.ndarray],
    scaled: bool = False,
    words: Callable[[], str] = str,
) -> None:
    """Require that each step along `path` goes as far as `wanted(step, layer, name)`; the steps count from 0.

    Args:
        scaled: leave one factor for all of them free: a wrong sign or learning rate is another check's affair.
        words: what is told of another step, as far as it shows how that came about.

    Raises:
        Failed: one does not; the message says which.
    """
    found = steps_of(path)
    places = [(s, n, name) for s, layers in enumerate(found) for n, arrays in enumerate(layers) for name in arrays]
    pairs = [(found[step][number][name], wanted(step, number, name)) for step, number, name in places]
    factor = _factor(pairs) if scaled else 1.0
    for (step, number, name), (moved, right) in zip(places, pairs, strict=True):
        if not np.array_equal(moved, right, equal_nan=True):
            where = _("The change of {name}").format(name=name_of(number, name, case.unseen + step + 1))
            close(where, moved, factor * right, words=words)


def _factor(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """The factor that brings the second of each pair nearest to the first; 1 where there is none."""
    with np.errstate(all="ignore"):
        factor = sum(np.vdot(moved, right) for moved, right in pairs) / sum(np.vdot(right, right) for _, right in pairs)
    return float(factor) if np.isfinite(factor) and factor else 1.0


def name_of(layer: int, name: str, step: int) -> str:
    """How a student knows a parameter after that many steps; layers count as in `layers`, with a Tanh between two."""
    return _('layers[{layer}].params["{name}"] in step {step}').format(layer=2 * layer, name=name, step=step)


def as_if_alone(case: Descent, seen: Observation) -> None:
    """Require that each layer moves as it does in a network of its own, by more than what its last gradient tells.

    Raises:
        Failed: it does not, or nothing is kept from one step to the next.
    """
    path = walked(case, seen)
    each = [steps_of(layer) for layer in seen["alone"]]
    (fresh,), last = steps_of(seen["fresh"]), steps_of(path)[-1]
    if all(is_close(now[name], own[name]) for now, own in zip(last, fresh, strict=True) for name in own):
        text = _("A step depends on its own gradient alone: nothing is kept from the steps before.")
        raise Failed(text, unwritten=True)
    same_steps(case, path, lambda step, layer, name: each[layer][step][0][name])


def arrays_are_own(case: Descent, seen: Observation) -> None:
    """Require that the caller's own arrays have moved, and not new ones in their place."""
    last = walked(case, seen)[-1]
    for number, (own, now) in enumerate(zip(seen["own"], last, strict=True)):
        for name, array in own.items():
            if not np.array_equal(array, now[name], equal_nan=True):
                text = _(
                    "{name} is a new array, and the array that the caller has is not the one that moves. Change its "
                    "elements: `p -= ...`, not `p = p - ...`."
                )
                raise Failed(text.format(name=name_of(number, name, len(case.grads))))


def without_gradients(rng: np.random.Generator, settings: dict[str, float]) -> list[Descent]:
    """Two descents of one network, whose second layer lacks some gradients."""
    case = descent(rng, "", settings, sizes=(3, 3, 3, 3), steps=2)

    def lacking(title: str, *names: str) -> Descent:
        return replace(case, title=title, grads=[[g, h | dict.fromkeys(names), *more] for g, h, *more in case.grads])

    return [
        lacking("a layer has no gradients", "W", "b"),
        lacking("the weights of a layer have no gradient", "W"),
    ]


def none_stay(case: Descent, seen: Observation) -> None:
    """Require that exactly those parameters have moved that have a gradient."""
    last = walked(case, seen)[-1]
    for number, (own, now, grads) in enumerate(zip(case.params, last, case.grads[0], strict=True)):
        for name, array in own.items():
            where = name_of(number, name, len(case.grads))
            if grads[name] is None:
                unchanged(where, array, now[name])
            elif np.array_equal(array, now[name]):
                raise Failed(_("{name} has a gradient, but it has not moved.").format(name=where))
