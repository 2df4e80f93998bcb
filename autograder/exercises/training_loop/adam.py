"""Adam: steps of a length that the gradient's scale does not change."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Implementation, Observation
from autograder.checks.expect import is_close
from autograder.exercises.training_loop.descent import (
    CALLS,
    Arrays,
    Descent,
    arrays_are_own,
    as_if_alone,
    descent,
    example,
    none_stay,
    probe_ways,
    same_steps,
    steps_of,
    walked,
    without_gradients,
)
from autograder.locale import _

SETTLED = 40
"""Steps after which 1 - beta^t is 1, but for 1e-8, for every beta of the cases that look at the averages."""

LAST = 3
"""So many steps are looked at then."""


def settled(rng: np.random.Generator) -> dict[str, float]:
    """Settings with which the averages forget their beginning within `SETTLED` steps."""
    return {"lr": rng.uniform(0.05, 0.2), "beta1": rng.uniform(0.2, 0.4), "beta2": rng.uniform(0.5, 0.6), "eps": 1e-8}


def sized(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Gradients that are not small, so that what is done with eps does not matter."""
    return rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape)


def draw_beginning(rng: np.random.Generator) -> list[Descent]:
    """The same gradient at each step: then the two corrected averages are the gradient and its square."""
    draw = partial(sized, rng)
    return [
        descent(rng, "the first steps, with the usual settings", {}, gradient=draw, constant=True),
        descent(
            rng,
            "the first steps, with other settings",
            {"lr": 0.1, "beta1": rng.uniform(0.5, 0.8), "beta2": rng.uniform(0.85, 0.95), "eps": 1e-7},
            steps=4,
            gradient=draw,
            constant=True,
        ),
    ]


def late(rng: np.random.Generator, title: str, **about: Any) -> Descent:
    """The last steps of many."""
    usual: dict[str, Any] = {"settings": settled(rng), "gradient": partial(sized, rng)}
    return descent(rng, title, steps=SETTLED, unseen=SETTLED - LAST, **usual | about)


def draw_averages(rng: np.random.Generator) -> list[Descent]:
    """So many changing gradients that the correction does nothing any more."""
    return [
        late(rng, "after many steps"),
        late(rng, "after many steps with large gradients", gradient=lambda shape: 100 * sized(rng, shape)),
    ]


def draw_tiny(rng: np.random.Generator) -> list[Descent]:
    """Gradients of the size of eps, and none at all."""

    def tiny(shape: tuple[int, ...]) -> np.ndarray:
        return 1e-3 * sized(rng, shape)

    def partly_zero(shape: tuple[int, ...]) -> np.ndarray:
        drawn = tiny(shape)
        drawn.flat[::2] = 0.0
        return drawn

    one, other = (settled(rng) | {"eps": 1e-3} for _case in range(2))
    return [
        late(rng, "gradients as small as eps", settings=one, gradient=tiny, constant=True),
        late(rng, "gradients that stay zero", settings=other, gradient=partly_zero, constant=True),
    ]


def draw_network(rng: np.random.Generator) -> list[Descent]:
    """Layers whose parameters have the same names, some of them the same shapes."""
    settings = {"lr": 0.1, "beta1": rng.uniform(0.6, 0.8), "beta2": rng.uniform(0.8, 0.9)}
    return [
        descent(rng, "layers of one shape", settings, sizes=(3, 3, 3)),
        descent(rng, "layers of several shapes", settings, sizes=(2, 4, 3, 1)),
    ]


def draw_none(rng: np.random.Generator) -> list[Descent]:
    """Parameters without a gradient."""
    return without_gradients(rng, {"lr": 0.1})


def probe(implementation: Implementation, case: Descent) -> Iterator[tuple[str, Any]]:
    """Walks as the case says."""
    yield from probe_ways(lambda **settings: implementation.Adam(**settings), case)


adam = Exercise(
    "adam",
    Descent,
    {
        "beginning": draw_beginning,
        "averages": draw_averages,
        "tiny": draw_tiny,
        "network": draw_network,
        "none": draw_none,
    },
    probe,
    title="Steps of Adam",
    defines="Adam",
    example=example,
    calls=CALLS.format(name="Adam"),
)

DEFAULTS = {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def _first_step_in_words(step: Arrays, grads: Arrays, settings: dict[str, float]) -> str:
    """How a wrong first step depends on the gradient; "" if by no power of it.

    The corrected averages are g and g ** 2 then, so that g / sqrt(g ** 2) is left of their sizes.
    """
    flat = [
        np.concatenate([np.abs(arrays[name]).ravel() for arrays in layers for name in arrays])
        for layers in (step, grads)
    ]
    with np.errstate(all="ignore"):
        lengths, sizes = np.log(flat)
    if not np.isfinite(lengths).all():
        return ""
    power, height = np.polyfit(sizes, lengths, 1)
    if not np.allclose(power * sizes + height, lengths, rtol=0, atol=1e-4):
        return ""
    if abs(power) > 1e-3:
        text = _(
            "Where the gradient is twice as large, your first step is {times:.3g} times as long. In Adam it is as long "
            "as before: m grows like the gradient, and so does the root of v."
        )
        return text.format(times=2**power)
    length, lr, beta1, beta2 = np.exp(height), settings["lr"], settings["beta1"], settings["beta2"]
    if abs(length / lr - 1) < 1e-3:
        return ""
    formulas = {
        "lr * (1 - beta1) / sqrt(1 - beta2)": lr * (1 - beta1) / np.sqrt(1 - beta2),
        "lr * (1 - beta1)": lr * (1 - beta1),
        "lr / sqrt(1 - beta2)": lr / np.sqrt(1 - beta2),
    }
    formula = next((f" = {name}" for name, value in formulas.items() if is_close(length, value)), "")
    text = _(
        "Your first step is as long for every gradient, as it should be, but its length is {length:.4g}{formula}, not "
        "lr = {lr:.4g}. Which numbers do m, v and their corrections have there?"
    )
    return text.format(length=length, formula=formula, lr=lr)


@adam.check(points=2.0, on="beginning")
def test_first_steps(case: Descent, seen: Observation, expected: Observation) -> None:
    """While the gradient g stays the same, every step from the first on is `-lr * g / (|g| + eps)`."""
    settings = DEFAULTS | case.settings

    def wanted(step: int, layer: int, name: str) -> np.ndarray:
        g = case.grads[step][layer][name]
        return -settings["lr"] * g / (np.abs(g) + settings["eps"])

    path = walked(case, seen)
    same_steps(case, path, wanted, words=lambda: _first_step_in_words(steps_of(path)[0], case.grads[0], settings))


@adam.check(points=2.0, on="averages")
def test_averages(case: Descent, seen: Observation, expected: Observation) -> None:
    """After many steps, `m` averages the gradients and `v` their squares, and a step is `-lr * m / (sqrt(v) + eps)`."""
    right = steps_of(expected["way"])
    path = walked(case, seen)
    same_steps(case, path, lambda step, layer, name: right[step][layer][name], scaled=True)


@adam.check(points=1.0, on="tiny")
def test_eps(case: Descent, seen: Observation, expected: Observation) -> None:
    """`eps` is added to the root: small gradients give shorter steps, and a gradient that stays zero gives none."""
    path = walked(case, seen)

    def wanted(step: int, layer: int, name: str) -> np.ndarray:
        g = case.grads[case.unseen + step][layer][name]
        return -case.settings["lr"] * g / (np.abs(g) + case.settings["eps"])

    same_steps(case, path, wanted, scaled=True)


@adam.check(points=1.0, on="network")
def test_own_averages(case: Descent, seen: Observation, expected: Observation) -> None:
    """Every parameter has averages of its own: each layer moves as it would without the others."""
    as_if_alone(case, seen)


@adam.check(points=1.0, on="beginning")
def test_in_place(case: Descent, seen: Observation, expected: Observation) -> None:
    """The parameters change in place: the arrays in `params` stay the same arrays."""
    arrays_are_own(case, seen)


@adam.check(points=1.0, on="none")
def test_skips_none(case: Descent, seen: Observation, expected: Observation) -> None:
    """A parameter whose gradient is `None` stays as it is, and all others move."""
    none_stay(case, seen)
