"""The cases, and what is seen of a study: its generators, how its networks were trained, and its result."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Implementation, attempt
from autograder.checks.values import Raised, simplify
from autograder.exercises.gradient_pathology.depth_study.training import Training, parameters
from autograder.layers import Layer, build_deep_network

DEFAULTS: dict[str, Any] = {"lr": 0.1, "steps": 200, "seed": 0}


@dataclass(frozen=True)
class Study:
    """One call of `depth_study`.

    Attributes:
        network: keyword arguments of `build_deep_network`.
        weights: the seed of the networks' weights. They don't come from the generator that is handed over, so that a
            wrong one costs its own promise alone.
        normalised: whether a layer with gamma and beta stands before each activation.
        given: those of lr, steps and seed that are passed; `steps` always is, since 200 take their time.
    """

    title: str
    depths: list[int]
    X: np.ndarray
    t: np.ndarray
    network: dict[str, Any]
    weights: int
    normalised: bool
    given: dict[str, Any]

    @property
    def steps(self) -> int:
        """How many updates the call asks for."""
        return self.given["steps"]

    def build(self, depth: int) -> list[Layer]:
        """The untrained network of that depth."""
        rng = np.random.default_rng([self.weights, depth])
        return build_deep_network(depth, norm=Scale if self.normalised else None, rng=rng, **self.network)


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
    rng: np.random.Generator, title: str, depths: list[int], outputs: int = 1, normalised: bool = False, **options: Any
) -> Study:
    """A small task that can be learnt; the `options` that are no settings are the network's, and a seed follows lr."""
    given: dict[str, Any] = {name: options.pop(name) for name in ("lr", "steps") if name in options}
    weights, seed = map(int, rng.integers(1, 1000, 2))
    given |= {"seed": seed} if "lr" in given else {}
    X = rng.uniform(-1, 1, (20 * outputs, 2))
    # Neither centred nor of spread 1: whoever rescales them computes another loss.
    t = np.sin(np.pi * X[:, :1]) + rng.uniform(0.3, 1, outputs) * X[:, 1:] ** 2
    network: dict[str, Any] = {"width": 4, "out_features": outputs, "activation": "tanh"} | options
    return Study(title, depths, X, t, network, weights, normalised, given)


def draw_training(rng: np.random.Generator) -> list[Study]:
    """One depth at a time."""
    return [
        study(rng, "four layers, lr and seed left at their defaults", [4], steps=6),
        study(rng, "three layers, two outputs, many examples", [3], outputs=2, lr=0.05, steps=5),
        study(rng, "six layers, two outputs, many examples", [6], outputs=2, lr=0.2, steps=4),
    ]


def draw_depths(rng: np.random.Generator) -> list[Study]:
    """Several depths in one call, in networks with layers that have parameters and are not Linear."""
    return [
        study(rng, "two depths, with normalization layers", [2, 4], normalised=True, lr=0.05, steps=5),
        study(rng, "the deeper network first, with normalization layers", [5, 3], normalised=True, lr=0.03, steps=4),
    ]


def draw_small(rng: np.random.Generator) -> list[Study]:
    """A learning rate far too small: whoever stops where the loss hardly changes stops at once."""
    options: dict[str, Any] = {"lr": 1e-11, "steps": 5}
    return [
        study(rng, "a learning rate far too small", [2], **options),
        study(rng, "a learning rate far too small, three layers", [3], **options),
    ]


def draw_overflow(rng: np.random.Generator) -> list[Study]:
    """A learning rate far too large."""
    # A plain ReLU network would die of one such step and stay finite.
    options: dict[str, Any] = {"activation": "leaky_relu", "init": "he", "lr": 50.0, "steps": 8}
    return [
        study(rng, "training that overflows", [5], **options),
        study(rng, "a deeper network overflows", [6], **options),
    ]


def probe(implementation: Implementation, case: Study) -> Iterator[tuple[str, Any]]:
    """Runs the study on copies of the data; an exception ends this only where no network was built before it.

    Where nothing is built for a depth, it is asked for twice.

    "generators" holds what was handed to `build_network`, see `origin`, "parameters" the names of each network's, and
    "trained" what became of the networks of each depth, see `Training.facts`.
    """
    function = implementation.depth_study
    generators: list[Any] = []
    trainings: dict[int, Training] = {}

    def build_network(depth: int, rng: Any = None) -> list[Layer]:
        generators.append(attempt(origin, rng))
        layers = case.build(depth)
        trainings.setdefault(int(depth), Training(case.steps)).watch(layers)
        return list(layers)

    def study_of(depths: list[int]) -> Any:
        return simplify(function(list(depths), build_network, case.X.copy(), case.t.copy(), **case.given))

    try:
        result = study_of(case.depths)
        if not generators:  # that one of several depths is left out is charged where there are several
            result = study_of(2 * case.depths)
    except Exception as error:
        if not generators:
            raise
        result = Raised.of(error)
    networks = {depth: case.build(depth) for depth in trainings}
    yield "generators", generators
    yield "parameters", {depth: [name for name, _size in parameters(layers)] for depth, layers in networks.items()}
    facts = {depth: attempt(trainings[depth].facts, layers, case.X, case.t) for depth, layers in networks.items()}
    yield "trained", {depth: seen for depth, seen in facts.items() if type(seen) is dict and seen}
    yield "result", result
    yield "default steps", default_steps(function, case)


def origin(rng: Any) -> dict[str, Any]:
    """The type of a generator, the seed that it was made with, if any, and whether nothing was drawn from it yet.

    Of anything else the type alone: neither a seed nor whether it was used before says anything of it.
    """
    if not isinstance(rng, np.random.Generator):
        return {"type": type(rng).__name__}
    seed = getattr(getattr(getattr(rng, "bit_generator", None), "seed_seq", None), "entropy", None)
    drawn, anew = attempt(lambda: rng.standard_normal()), attempt(lambda: np.random.default_rng(seed).standard_normal())
    given = seed is not None and not (type(seed) is int and seed >= 2**63)  # without a seed, 128 bits are drawn
    return {
        "type": type(rng).__name__,
        "seed": str(seed) if given else None,
        "new": type(drawn) is float and drawn == anew,
    }


def default_steps(function: Callable, case: Study) -> int:
    """The default of `steps`: that of the signature, or, where it says none, the number of updates that are made.

    Where nothing is updated it is taken to be right.
    """
    with suppress(TypeError, ValueError, KeyError):
        default = inspect.signature(function).parameters["steps"].default
        if type(default) is int:
            return default
    training, rng = Training(2 * DEFAULTS["steps"]), np.random.default_rng(0)
    layers = build_deep_network(2, "tanh", rng=rng, width=2, in_features=case.X.shape[1])

    def build_network(depth: int, rng: Any = None) -> list[Layer]:
        training.watch(layers)
        return list(layers)

    attempt(function, [2], build_network, case.X.copy(), case.t[:, :1].copy())
    return training.updates or DEFAULTS["steps"]


depth_study = Exercise(
    "depth_study",
    Study,
    {"training": draw_training, "depths": draw_depths, "small": draw_small, "overflow": draw_overflow},
    probe,
    title="A study of depth",
    example=lambda case: {
        "depths": case.depths,
        "build_network": lambda depth, rng=None: case.build(depth),
        "X": case.X,
        "t": case.t,
        "options": case.given,
    },
    expects=lambda seen: seen["result"],
    calls="""\
mine = depth_study(given.depths, given.build_network, given.X, given.t, **given.options)
for depth, right in given.expected.items():
    plt.plot(right["loss"], "o", label=f"expected, depth {depth}")
    plt.plot(mine[depth]["loss"], label=f"mine, depth {depth}")
plt.legend()""",
)
