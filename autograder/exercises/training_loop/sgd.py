"""SGD: plain gradient descent, and with momentum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Implementation, Observation, attempt
from autograder.exercises.training_loop.descent import (
    CALLS,
    Descent,
    arrays_are_own,
    as_if_alone,
    descent,
    example,
    network,
    none_stay,
    probe_ways,
    same_steps,
    steps_of,
    walked,
    way,
    without_gradients,
)


def draw_plain(rng: np.random.Generator) -> list[Descent]:
    """Without momentum."""
    return [
        descent(rng, "one layer without momentum", {"lr": 0.01}, steps=2),
        descent(rng, "two layers without momentum", {"lr": rng.uniform(0.2, 0.5)}, sizes=(3, 3, 3), steps=2),
    ]


def draw_momentum(rng: np.random.Generator) -> list[Descent]:
    """One layer, so that nothing is to be kept apart but W and b."""
    return [
        descent(rng, "one layer with momentum 0.9", {"lr": 0.1, "momentum": 0.9}, steps=4),
        descent(rng, "another momentum", {"lr": rng.uniform(0.2, 0.5), "momentum": rng.uniform(0.4, 0.6)}, steps=4),
    ]


def draw_network(rng: np.random.Generator) -> list[Descent]:
    """Layers whose parameters have the same names, some of them the same shapes."""
    settings = {"lr": 0.1, "momentum": rng.uniform(0.7, 0.9)}
    return [
        descent(rng, "layers of one shape", settings, sizes=(3, 3, 3)),
        descent(rng, "layers of several shapes", settings, sizes=(2, 4, 3, 1)),
    ]


def draw_none(rng: np.random.Generator) -> list[Descent]:
    """Parameters without a gradient."""
    return without_gradients(rng, {"lr": 0.1, "momentum": 0.5})


def probe(implementation: Implementation, case: Descent) -> Iterator[tuple[str, Any]]:
    """Walks as the case says, and without momentum."""
    yield from probe_ways(lambda **settings: implementation.SGD(**settings), case)
    if case.settings.get("momentum"):
        plain = {"lr": case.settings["lr"]}
        yield "plain", attempt(lambda: way(implementation.SGD(**plain), network(case.params), case))


sgd = Exercise(
    "sgd",
    Descent,
    {"plain": draw_plain, "momentum": draw_momentum, "network": draw_network, "none": draw_none},
    probe,
    title="Steps of SGD, with and without momentum",
    defines="SGD",
    example=example,
    calls=CALLS.format(name="SGD"),
)


@sgd.check(points=1.5, on="plain")
def test_plain_step(case: Descent, seen: Observation, expected: Observation) -> None:
    """Without momentum, every parameter changes by `-lr` times its gradient."""
    same_steps(case, walked(case, seen), lambda step, layer, name: -case.settings["lr"] * case.grads[step][layer][name])


@sgd.check(points=1.5, on="momentum")
def test_momentum(case: Descent, seen: Observation, expected: Observation) -> None:
    """With momentum, every step is `momentum` times the step before plus a step without momentum."""
    plain = steps_of(walked(case, seen, "plain"))
    moved = steps_of(walked(case, seen))

    def wanted(step: int, layer: int, name: str) -> np.ndarray:
        before = moved[step - 1][layer][name] if step else 0.0
        return case.settings["momentum"] * before + plain[step][layer][name]

    same_steps(case, walked(case, seen), wanted)


@sgd.check(points=0.75, on="network")
def test_own_velocity(case: Descent, seen: Observation, expected: Observation) -> None:
    """Every parameter has a velocity of its own: each layer moves as it would without the others."""
    as_if_alone(case, seen)


@sgd.check(points=0.75, on="plain")
def test_in_place(case: Descent, seen: Observation, expected: Observation) -> None:
    """The parameters change in place: the arrays in `params` stay the same arrays."""
    arrays_are_own(case, seen)


@sgd.check(points=0.5, on="none")
def test_skips_none(case: Descent, seen: Observation, expected: Observation) -> None:
    """A parameter whose gradient is `None` stays as it is, and all others move."""
    none_stay(case, seen)
