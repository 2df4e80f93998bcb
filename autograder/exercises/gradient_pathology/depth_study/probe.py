"""The cases, and what is seen of a study: its result, and every state of the networks that it trained."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Implementation, attempt
from autograder.checks.values import Raised, simplify
from autograder.layers import Layer, build_deep_network


@dataclass(frozen=True)
class Study:
    """One call of `depth_study`.

    Attributes:
        network: keyword arguments of `build_deep_network`.
        weights: the seed of the networks' weights. They don't come from the generator that is handed over, so that a
            wrong one costs its own promise alone.
        normalised: whether a layer with gamma and beta stands before each activation.
        settings: those of lr, steps and seed that are passed; `steps` always is, since 200 take their time.
    """

    title: str
    depths: list[int]
    X: np.ndarray
    t: np.ndarray
    network: dict[str, Any]
    weights: int
    normalised: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many updates the call asks for."""
        return self.settings["steps"]

    @property
    def lr(self) -> float:
        """The learning rate that the call asks for, or leaves at its default."""
        return self.settings.get("lr", 0.1)


class Scale(Layer):
    """y = gamma x + beta for each feature, a normalisation layer as far as training is concerned."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.params = {"gamma": np.full(n_features, 1.1), "beta": np.full(n_features, -0.1)}
        self.grads = {"gamma": None, "beta": None}

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.cache["x"] = x
        return x * self.params["gamma"] + self.params["beta"]

    def backward(self, dout: np.ndarray) -> np.ndarray:
        self.grads = {"gamma": (dout * self.cache["x"]).sum(axis=0), "beta": dout.sum(axis=0)}
        return dout * self.params["gamma"]


def study(
    rng: np.random.Generator, title: str, depths: list[int], n: int = 20, normalised: bool = False, **options: Any
) -> Study:
    """A small task that can be learnt; the `options` that are no settings are the network's."""
    settings: dict[str, Any] = {name: options.pop(name) for name in ("lr", "steps", "seed") if name in options}
    network: dict[str, Any] = {"width": 5, "out_features": 1, "activation": "tanh"} | options
    X = rng.uniform(-1, 1, (n, 2))
    # Neither centred nor of spread 1: whoever rescales them computes another loss.
    t = np.sin(np.pi * X[:, :1]) + rng.uniform(0.3, 1, network["out_features"]) * X[:, 1:] ** 2
    return Study(title, depths, X, t, network, any_seed(rng), normalised, settings)


def any_seed(rng: np.random.Generator) -> int:
    """A seed that is not the default."""
    return int(rng.integers(1, 1000))


def draw_training(rng: np.random.Generator) -> list[Study]:
    """One depth at a time."""
    many: dict[str, Any] = {"n": 60, "out_features": 2}
    return [
        study(rng, "four layers, lr and seed left at their defaults", [4], steps=8),
        study(rng, "three layers, two outputs, many examples", [3], lr=0.05, steps=5, seed=any_seed(rng), **many),
        study(rng, "ten layers, two outputs, many examples", [10], lr=0.2, steps=6, seed=any_seed(rng), **many),
    ]


def draw_depths(rng: np.random.Generator) -> list[Study]:
    """Several depths in one call, in networks with layers that have parameters and are not Linear."""
    again: dict[str, Any] = {"activation": "relu", "init": "he", "lr": 0.1, "steps": 4, "seed": any_seed(rng)}
    return [
        study(
            rng, "two depths, with normalisation layers", [2, 4], normalised=True, lr=0.05, steps=5, seed=any_seed(rng)
        ),
        study(rng, "the deeper network first, with normalisation layers", [5, 3], normalised=True, **again),
    ]


def draw_overflow(rng: np.random.Generator) -> list[Study]:
    """A learning rate far too large."""
    # A plain ReLU network would die of one such step and stay finite.
    options: dict[str, Any] = {"activation": "leaky_relu", "init": "large", "lr": 50.0, "steps": 8}
    return [
        study(rng, "training that overflows", [5], seed=any_seed(rng), **options),
        study(rng, "both depths overflow", [4, 6], seed=any_seed(rng), **options),
    ]


DEFAULT_STEPS = 200


def probe(implementation: Implementation, case: Study) -> Iterator[tuple[str, Any]]:
    """Runs the study on copies of the data, and a single step of it once more.

    "draws" holds one number from every generator that was handed over; "states" what became of the networks, by depth:
    an array (steps + 1, 2, parameters) of the parameters before each update, and the gradients found in the layers.
    """

    def call(**settings: Any) -> tuple[Any, list[Any], dict[int, Any]]:
        draws: list[Any] = []
        networks: dict[int, list[Layer]] = {}
        states: dict[int, Any] = {}

        def build_network(depth: int, rng: Any = None) -> list[Layer]:
            draws.append(attempt(lambda: float(rng.standard_normal())))
            layers = networks[int(depth)] = network(case, depth)
            rows = states.setdefault(int(depth), [])
            _watch(next(layer for layer in layers if not layer.params), lambda: _note(layers, rows, case.steps))
            return list(layers)

        data = case.X.copy(), case.t.copy()
        result = simplify(implementation.depth_study(list(case.depths), build_network, *data, **settings))
        used = {depth: rows for depth, rows in states.items() if rows}
        for depth, rows in used.items():
            _note(networks[depth], rows, case.steps)
        return result, draws, {depth: np.array(rows) for depth, rows in used.items()}

    result, draws, states = call(**case.settings)
    again = attempt(lambda: call(**{**case.settings, "steps": 1})[1])
    # Before "draws": what is drawn without the seed never shows the same twice, and only this tells it from the rest.
    yield "starts alike", again if type(again) is Raised else again == draws
    yield "draws", draws
    yield "result", result
    yield "states", states
    if "lr" not in case.settings:
        yield "default steps", _default_steps(implementation.depth_study, lambda: call()[0])


def network(case: Study, depth: int) -> list[Layer]:
    """The untrained network of that depth."""
    rng = np.random.default_rng([case.weights, depth])
    return build_deep_network(depth, norm=Scale if case.normalised else None, rng=rng, **case.network)


def _watch(layer: Layer, note: Callable[[], None]) -> None:
    """Let `layer`, and copies of it, call `note` whenever data pass; it stays of its class."""
    kind = type(layer)

    def forward(self: Layer, x: np.ndarray) -> np.ndarray:
        note()
        return kind.forward(self, x)

    layer.__class__ = type(kind.__name__, (kind,), {"forward": forward})


def _note(layers: list[Layer], states: list[np.ndarray], steps: int) -> None:
    """Adds the network's parameters where they are new; the gradients that are there now belong to those before."""
    with suppress(Exception):  # odd things that a student may put into a layer
        params, grads = flat(layers, "params"), flat(layers, "grads")
        if states and len(states) <= steps:
            states[-1] = np.array([states[-1][0], grads])
        if not states or len(states) <= steps and not np.array_equal(params, states[-1][0], equal_nan=True):
            states.append(np.array([params, np.full_like(params, np.nan)]))


def flat(layers: list[Layer], what: str) -> np.ndarray:
    """All parameters, or gradients, of a network in one row; NaN for a gradient that is not there."""
    parts = [
        np.full(p.size, np.nan) if (value := getattr(layer, what)[name]) is None else np.ravel(value).astype(float)
        for layer in layers
        for name, p in layer.params.items()
    ]
    return np.concatenate(parts)


def _default_steps(function: Any, run: Callable[[], Any]) -> int | Raised:
    """How many steps are taken where none are asked for: by the signature or, where that says nothing, by trying."""
    try:
        default = inspect.signature(function).parameters["steps"].default
    except (TypeError, ValueError, KeyError):
        default = None
    if type(default) is int and default == DEFAULT_STEPS:
        return default
    return attempt(lambda: _length_of_any_curve(run()))


def _length_of_any_curve(result: Any) -> int:
    run = next(iter(result.values() if type(result) is dict else result))
    return max(len(curve) for curve in run.values() if np.ndim(curve))


depth_study = Exercise(
    "depth_study",
    Study,
    {"training": draw_training, "depths": draw_depths, "overflow": draw_overflow},
    probe,
    title="A study of depth",
    example=lambda case: {
        "depths": case.depths,
        "build_network": lambda depth, rng=None: network(case, depth),
        "X": case.X,
        "t": case.t,
        **case.settings,
    },
)
