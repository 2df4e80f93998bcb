"""depth_study: the same training at several depths, with its losses and gradient norms.

The reference repeats every run on the same data, so invented, relabelled or smoothed curves fail. No claim about what
depth does to the loss is checked here: with plain gradient descent a deeper network is not always the worse one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, attempt
from autograder.checks.expect import array, close, kind_of
from autograder.checks.numeric import TOLERANCE
from autograder.checks.values import Raised, simplify
from autograder.layers import Layer, Linear, build_deep_network
from autograder.locale import _


@dataclass(frozen=True)
class Study:
    """One call of `depth_study`.

    Attributes:
        network: keyword arguments of `build_deep_network`; a network of depth 1 is a single Linear.
        normalised: whether a layer with gamma and beta stands before each activation.
        settings: those of lr, steps and seed that are passed; `steps` always is, since 200 take their time.
    """

    title: str
    depths: list[int]
    X: np.ndarray
    t: np.ndarray
    network: dict[str, Any]
    normalised: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many updates the call asks for."""
        return self.settings["steps"]


class Scale(Layer):
    """y = gamma x + beta for each feature, a normalisation layer as far as training is concerned.

    As BatchNorm does, it computes something else when it predicts: x.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.params = {"gamma": np.full(n_features, 1.1), "beta": np.full(n_features, -0.1)}
        self.grads = {"gamma": None, "beta": None}

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.cache["x"] = x
        return x * self.params["gamma"] + self.params["beta"] if self.training else x

    def backward(self, dout: np.ndarray) -> np.ndarray:
        self.grads = {"gamma": (dout * self.cache["x"]).sum(axis=0), "beta": dout.sum(axis=0)}
        return dout * self.params["gamma"]


def study(
    rng: np.random.Generator,
    title: str,
    depths: list[int],
    n: int = 20,
    outputs: int = 1,
    normalised: bool = False,
    network: dict[str, Any] | None = None,
    **settings: Any,
) -> Study:
    """A small task that can be learnt."""
    X = rng.uniform(-1, 1, (n, 2))
    # Neither centred nor of spread 1: whoever rescales them computes another loss.
    t = np.sin(np.pi * X[:, :1]) + rng.uniform(0.3, 1, outputs) * X[:, 1:] ** 2
    network = {"width": 6, "out_features": outputs, "activation": "tanh"} | (network or {})
    return Study(title, depths, X, t, network, normalised, settings)


def any_seed(rng: np.random.Generator) -> int:
    """A seed that is not the default."""
    return int(rng.integers(1, 1000))


def draw_training(rng: np.random.Generator) -> list[Study]:
    """One depth at a time, settings passed."""
    return [
        study(rng, "four layers", [4], lr=0.1, steps=8, seed=any_seed(rng)),
        study(rng, "many examples", [2], n=150, lr=0.1, steps=4, seed=any_seed(rng)),
        study(rng, "ten layers", [10], network={"activation": "sigmoid"}, lr=0.5, steps=6, seed=any_seed(rng)),
    ]


def draw_settings(rng: np.random.Generator) -> list[Study]:
    """Defaults, and settings that are easily taken for something else."""
    return [
        study(rng, "lr and seed left at their defaults", [3], steps=3),
        study(rng, "lr is 0", [3], lr=0.0, steps=3, seed=any_seed(rng)),
        study(rng, "a tiny learning rate", [2], lr=1e-6, steps=30, seed=any_seed(rng)),
        study(rng, "two outputs, another learning rate", [3], outputs=2, lr=0.05, steps=5, seed=any_seed(rng)),
    ]


def draw_depths(rng: np.random.Generator) -> list[Study]:
    """Several depths in one call, and another call that differs in nothing but the network and the data."""
    single: dict[str, Any] = {"lr": 0.1, "steps": 1, "seed": any_seed(rng)}
    return [
        study(rng, "two depths", [2, 4], lr=0.1, steps=5, seed=any_seed(rng)),
        study(rng, "a single step", [5, 3], network={"activation": "relu", "init": "he"}, **single),
        study(rng, "the same call with another network and other data", [5, 3], **single),
    ]


def draw_normalised(rng: np.random.Generator) -> list[Study]:
    """Networks with layers that have parameters and are not Linear."""
    title = "normalisation layers before the activations"
    return [study(rng, title, [4], normalised=True, lr=0.05, steps=8, seed=any_seed(rng))]


def draw_overflow(rng: np.random.Generator) -> list[Study]:
    """A learning rate far too large."""
    # A plain ReLU network would die of one such step and stay finite.
    network = {"activation": "leaky_relu", "init": "large"}
    return [study(rng, "training that overflows", [5], network=network, lr=50.0, steps=8, seed=any_seed(rng))]


DEFAULT_STEPS = 200


def probe(implementation: Implementation, case: Study) -> Iterator[tuple[str, Any]]:
    """Runs the study on copies of the data, and a single step of it once more."""

    def build_network(depth: int, rng: np.random.Generator) -> list[Layer]:
        if depth == 1:
            return [Linear(case.X.shape[1], case.network["out_features"], rng=rng)]
        norm = Scale if case.normalised else None
        return build_deep_network(depth, norm=norm, rng=rng, **case.network)

    def call(depths: list[int], **settings: Any) -> Any:
        data = case.X.copy(), case.t.copy()
        return simplify(implementation.depth_study(list(depths), build_network, *data, **settings))

    result = call(case.depths, **case.settings)
    again = attempt(call, case.depths, **{**case.settings, "steps": 1})
    # Before "result": what is drawn without the seed never shows the same twice, and only this tells it from the rest.
    yield "starts alike", again if type(again) is Raised else _start_alike(case.depths, result, again)
    yield "result", result
    if "lr" not in case.settings:
        yield "default steps", _default_steps(implementation.depth_study, partial(call, [1]))


def _default_steps(function: Any, call: Callable[[], Any]) -> int | Raised:
    """How many steps are taken where none are asked for: by the signature or, where that says nothing, by trying."""
    try:
        default = inspect.signature(function).parameters["steps"].default
    except (TypeError, ValueError, KeyError):
        default = None
    if type(default) is int and default == DEFAULT_STEPS:
        return default
    return attempt(lambda: len(call()[1]["loss"]))


def _start_alike(depths: list[int], one: Any, other: Any) -> bool:
    """Whether two results begin with the same losses; True where one of them has no such form."""
    try:
        first, second = ([result[depth]["loss"][0] for depth in depths] for result in (one, other))
        return bool(np.allclose(first, second, rtol=TOLERANCE, atol=0, equal_nan=True))
    except (TypeError, LookupError, ValueError):
        return True


depth_study = Exercise(
    "depth_study",
    Study,
    {
        "training": draw_training,
        "settings": draw_settings,
        "depths": draw_depths,
        "normalised": draw_normalised,
        "overflow": draw_overflow,
    },
    probe,
    title="A study of depth",
)


CURVES = ("loss", "grad_norms")


def _runs(
    case: Study, seen: Observation, expected: Observation, curves: Collection[str] = CURVES
) -> Iterator[tuple[int, str, np.ndarray, np.ndarray]]:
    """(depth, what, got, wanted) of every record of `curves`, both of shape (steps, ...), their shapes checked."""
    result = seen["result"]
    if type(result) is not dict:
        raise Failed(_("depth_study should return a dict, but it is {kind}.").format(kind=kind_of(result)))
    for depth in case.depths:
        if depth not in result:
            raise Failed(
                _("The result has no entry for depth {depth}; its keys are {keys}.").format(
                    depth=depth, keys=", ".join(repr(key) for key in list(result)[:8]) or "-"
                )
            )
        run = result[depth]
        for what in curves:
            shape = (case.steps,) if what == "loss" else (case.steps, depth)
            name = f'result[{depth}]["{what}"]'
            if type(run) is not dict or what not in run:
                raise Failed(_("{name} is missing.").format(name=name))
            yield depth, what, array(name, run[what], shape), expected["result"][depth][what]


def _compare(case: Study, seen: Observation, expected: Observation, which: str, rows: slice) -> None:
    """The curves `which` agree in `rows`, up to the first step that is not finite."""
    if seen["starts alike"] is False:
        raise Failed(_("Two calls with the same seed begin with different losses."))
    for depth, what, got, wanted in _runs(case, seen, expected, (which,)):
        compared = np.zeros(case.steps, dtype=bool)
        compared[rows] = True
        compared &= _before_overflow(wanted)
        # Rows that are not compared are set alike, so that the index in a message stays the step's number.
        compared = compared.reshape(-1, *[1] * (wanted.ndim - 1))
        wanted = np.where(compared, wanted, 0.0)
        # The scale of a value is the largest of its curve so far: where gradients vanish, all layers but the last have
        # small ones, and where they explode, so do the first steps.
        scale = np.maximum.accumulate(np.abs(wanted), axis=0)
        close(f'result[{depth}]["{what}"]', np.where(compared, got, 0.0), wanted, scale)


def _compare_all(case: Study, seen: Observation, expected: Observation) -> None:
    for curves in CURVES:
        _compare(case, seen, expected, curves, ALL)


def _before_overflow(wanted: np.ndarray) -> np.ndarray:
    """Which steps (steps,) come before the first value that is not finite, or would not be in a float32 record."""
    fits = np.abs(wanted.reshape(len(wanted), -1)) < np.finfo(np.float32).max
    return np.logical_and.accumulate(fits.all(axis=1))


FIRST, LATER, ALL = slice(0, 1), slice(1, None), slice(None)


@depth_study.check(points=0.75, on="training")
def test_initial_loss(case: Study, seen: Observation, expected: Observation) -> None:
    """The first loss is that of the untrained network which `build_network` makes from the seed."""
    _compare(case, seen, expected, "loss", FIRST)


@depth_study.check(points=1.0, on="training")
def test_initial_gradients(case: Study, seen: Observation, expected: Observation) -> None:
    """The first gradient norms are those of its Linear layers' weights, input side first."""
    _compare(case, seen, expected, "grad_norms", FIRST)


@depth_study.check(points=1.25, on="training")
def test_loss_curve(case: Study, seen: Observation, expected: Observation) -> None:
    """Every loss is taken before its update, and every update is one step of gradient descent."""
    _compare(case, seen, expected, "loss", LATER)


@depth_study.check(points=0.75, on="training")
def test_gradient_curves(case: Study, seen: Observation, expected: Observation) -> None:
    """Gradient norms are taken at the same weights as the loss of that step."""
    _compare(case, seen, expected, "grad_norms", LATER)


@depth_study.check(points=0.5, on="settings")
def test_settings(case: Study, seen: Observation, expected: Observation) -> None:
    """lr, steps and seed count, and where they are left out they are 0.1, 200 and 0."""
    _compare_all(case, seen, expected)
    if "default steps" in expected.values and seen["default steps"] != expected["default steps"]:
        raise Failed(
            _("Without `steps`, {got} steps are taken, and not {wanted}.").format(
                got=kind_of(seen["default steps"]), wanted=expected["default steps"]
            )
        )


@depth_study.check(points=0.75, on="depths")
def test_depths(case: Study, seen: Observation, expected: Observation) -> None:
    """Each depth starts anew from the seed, and has its own record under its own key."""
    _compare_all(case, seen, expected)


@depth_study.check(points=0.5, on="normalised")
def test_all_parameters(case: Study, seen: Observation, expected: Observation) -> None:
    """Every parameter of every layer is updated, gamma and beta too."""
    _compare_all(case, seen, expected)


@depth_study.check(points=0.5, on="overflow")
def test_overflow(case: Study, seen: Observation, expected: Observation) -> None:
    """A training that overflows goes on and records what it sees."""
    _compare_all(case, seen, expected)
    for depth, what, got, wanted in _runs(case, seen, expected):
        if np.any(np.isfinite(got[-1]) & np.isnan(wanted[-1])):
            raise Failed(
                _(
                    'By its last step, the run of depth {depth} has overflowed, but result[{depth}]["{what}"] ends '
                    "with a finite value."
                ).format(depth=depth, what=what)
            )
