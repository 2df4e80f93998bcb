"""The cases, and what is seen of a study: its generators, how its networks were trained, and its result."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Implementation, attempt
from autograder.checks.values import Raised, simplify
from autograder.layers import Layer, build_deep_network, forward_backward


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
    network: dict[str, Any] = {"width": 4, "out_features": 1, "activation": "tanh"} | options
    X = rng.uniform(-1, 1, (n, 2))
    # Neither centred nor of spread 1: whoever rescales them computes another loss.
    t = np.sin(np.pi * X[:, :1]) + rng.uniform(0.3, 1, network["out_features"]) * X[:, 1:] ** 2
    return Study(title, depths, X, t, network, any_seed(rng), normalised, settings)


def any_seed(rng: np.random.Generator) -> int:
    """A seed that is not the default."""
    return int(rng.integers(1, 1000))


def draw_training(rng: np.random.Generator) -> list[Study]:
    """One depth at a time."""
    many: dict[str, Any] = {"n": 40, "out_features": 2}
    return [
        study(rng, "four layers, lr and seed left at their defaults", [4], steps=6),
        study(rng, "three layers, two outputs, many examples", [3], lr=0.05, steps=5, seed=any_seed(rng), **many),
        study(rng, "six layers, two outputs, many examples", [6], lr=0.2, steps=4, seed=any_seed(rng), **many),
    ]


def draw_depths(rng: np.random.Generator) -> list[Study]:
    """Several depths in one call, in networks with layers that have parameters and are not Linear."""
    first: dict[str, Any] = {"lr": 0.05, "steps": 5, "seed": any_seed(rng)}
    again: dict[str, Any] = {"activation": "leaky_relu", "init": "he", "lr": 0.1, "steps": 4, "seed": any_seed(rng)}
    return [
        study(rng, "two depths, with normalisation layers", [2, 4], normalised=True, **first),
        study(rng, "the deeper network first, with normalisation layers", [5, 3], normalised=True, **again),
    ]


def draw_overflow(rng: np.random.Generator) -> list[Study]:
    """A learning rate far too large."""
    # A plain ReLU network would die of one such step and stay finite.
    options: dict[str, Any] = {"activation": "leaky_relu", "init": "large", "lr": 50.0, "steps": 8}
    return [
        study(rng, "training that overflows", [5], seed=any_seed(rng), **options),
        study(rng, "a deeper network overflows", [6], seed=any_seed(rng), **options),
    ]


DEFAULT_STEPS = 200


def probe(implementation: Implementation, case: Study) -> Iterator[tuple[str, Any]]:
    """Runs the study on copies of the data, which an exception ends only where no network was built before it.

    "generators" holds what was handed to `build_network`, see `_origin`, and "trained" what became of the networks of
    each depth, see `Training.facts`.
    """
    function, generators, trainings = implementation.depth_study, [], {}

    def build_network(depth: int, rng: Any = None) -> list[Layer]:
        generators.append(attempt(_origin, rng))
        layers = network(case, depth)
        trainings.setdefault(int(depth), Training(case, int(depth))).watch(layers)
        return list(layers)

    try:
        result = simplify(function(list(case.depths), build_network, case.X.copy(), case.t.copy(), **case.settings))
    except Exception as error:
        if not generators:
            raise
        result = Raised.of(error)
    yield "parameters", {depth: [name for name, _size in _parameters(network(case, depth))] for depth in trainings}
    yield "generators", generators
    yield "trained", [attempt(training.facts) for training in trainings.values() if training.states]
    yield "result", result
    if "lr" not in case.settings:
        yield "default steps", attempt(_default_steps, function, case)


def network(case: Study, depth: int) -> list[Layer]:
    """The untrained network of that depth."""
    rng = np.random.default_rng([case.weights, depth])
    return build_deep_network(depth, norm=Scale if case.normalised else None, rng=rng, **case.network)


def _origin(rng: Any) -> dict[str, Any]:
    """The type of a generator, the seed that it was made with, if any, and whether nothing was drawn from it yet."""
    seed = getattr(getattr(getattr(rng, "bit_generator", None), "seed_seq", None), "entropy", None)
    seeded = isinstance(seed, (int, np.integer)) and seed < 2**63  # without a seed, 128 bits are drawn
    drawn = attempt(lambda: float(rng.standard_normal()))
    return {
        "type": type(rng).__name__,
        "seed": int(seed) if seeded else None,
        "new": seeded and drawn == np.random.default_rng(seed).standard_normal(),
    }


class Training:
    """The states of the networks of one depth: (parameters, gradients found before the next state), each in one row."""

    def __init__(self, case: Study, depth: int) -> None:
        self.case, self.depth = case, depth
        self.built = 0
        self.states: list[tuple[np.ndarray, np.ndarray]] = []

    def watch(self, layers: list[Layer]) -> None:
        """Note the state of `layers`, or of a copy of them, whenever data pass."""
        self.built += 1
        watched = next(layer for layer in layers if not layer.params)
        kind = type(watched)

        def forward(layer: Any, x: np.ndarray) -> np.ndarray:
            self._note(layer.network)
            return kind.forward(layer, x)

        watched.network = layers  # of a copied layer, this is the copied network
        watched.__class__ = type(kind.__name__, (kind,), {"forward": forward})

    def _note(self, layers: list[Layer]) -> None:
        self._last = layers
        with suppress(Exception):  # odd things that a student may put into a layer
            params, grads = _flat(layers, "params"), _flat(layers, "grads")
            if len(self.states) <= self.case.steps:
                self.states[-1:] = [(before, grads) for before, _grads in self.states[-1:]]
                if not self.states or not np.array_equal(params, self.states[-1][0], equal_nan=True):
                    self.states.append((params, np.full_like(params, np.nan)))

    def facts(self) -> dict[str, Any]:
        """What the record of this depth rests on.

        "built" counts the networks; "loss" and "grad_norms" are those of the first `steps` states that data went
        through, the norms being of the gradients that were found; "derivative" says how many times those of the loss
        the first ones are, and how large the rest is. For each update and each parameter: "factors", how many times its gradient
        was subtracted, NaN where that is too small to be seen; "astray", the part of the move that is not along the
        gradient.
        """
        passed = min(len(self.states), self.case.steps)
        self._note(self._last)
        params, grads = (np.array(rows) for rows in zip(*self.states, strict=True))
        layers = network(self.case, self.depth)
        names, sizes = zip(*_parameters(layers), strict=True)
        starts = np.cumsum((0, *sizes[:-1]))
        with np.errstate(all="ignore"):
            losses = []
            for row in params[:passed]:
                _fill(layers, row)
                losses.append(forward_backward(layers, self.case.X, self.case.t)[0])
                if len(losses) == 1:
                    true = _flat(layers, "grads")
            squares = np.add.reduceat(grads**2, starts, axis=1)
            moves, along, of = params[:-1] - params[1:], grads[:-1], squares[:-1]
            factors = np.add.reduceat(moves * along, starts, axis=1) / np.where(of > 0, of, 1.0)
            rest = moves - np.repeat(factors, sizes, axis=1) * along
            astray = np.sqrt(np.add.reduceat(rest**2, starts, axis=1).T / np.sum(moves**2, axis=1)).T
            seen = of > TOO_SMALL**2 * of.max(axis=1, keepdims=True)
            times = np.dot(grads[0], true) / np.dot(true, true)
            return {
                "depth": self.depth,
                "built": self.built,
                "loss": np.array(losses),
                "grad_norms": np.sqrt(squares[:passed, [name.endswith('["W"]') for name in names]]),
                "derivative": np.array([times, np.linalg.norm(grads[0] - times * true) / np.linalg.norm(true)]),
                "factors": np.where(seen, factors, np.nan),
                "astray": astray,
            }


TOO_SMALL = 1e-5
"""A gradient this small beside the others of its step moves its parameter by too few digits to be judged."""


def _parameters(layers: list[Layer]) -> Iterator[tuple[str, int]]:
    """Name and size of every parameter, in the order of `_flat`."""
    for i, layer in enumerate(layers):
        for name, p in layer.params.items():
            yield f'layers[{i}].params["{name}"]', p.size


def _flat(layers: list[Layer], what: str) -> np.ndarray:
    """All parameters, or gradients, of a network in one row; NaN for a gradient that is not there."""
    parts = [
        np.full(p.size, np.nan) if (value := getattr(layer, what)[name]) is None else np.ravel(value).astype(float)
        for layer in layers
        for name, p in layer.params.items()
    ]
    return np.concatenate(parts)


def _fill(layers: list[Layer], row: np.ndarray) -> None:
    """Put the parameters in `row` into the layers."""
    for layer in layers:
        for name, p in layer.params.items():
            layer.params[name], row = row[: p.size].reshape(p.shape), row[p.size :]


def _default_steps(function: Callable, case: Study) -> int:
    """How many steps are taken where none are asked for: by the signature or, where that says nothing, by trying."""
    with suppress(TypeError, ValueError, KeyError):
        default = inspect.signature(function).parameters["steps"].default
        if type(default) is int:
            return default
    result = function(list(case.depths), lambda depth, rng=None: network(case, depth), case.X.copy(), case.t.copy())
    run = next(iter(result.values() if type(result) is dict else result))
    return max(len(curve) for curve in run.values() if np.ndim(curve))


depth_study = Exercise(
    "depth_study",
    Study,
    {"training": draw_training, "depths": draw_depths, "overflow": draw_overflow},
    probe,
    title="A study of depth",
)
