"""depth_study: the same training at several depths, with its losses and gradient norms.

The reference repeats every run on the same data, so invented, relabelled or smoothed curves fail. No claim about what
depth does to the loss is checked here: with plain gradient descent a deeper network is not always the worse one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.exercises.exercise import Exercise, Failed, Implementation, Observation, attempt
from autograder.exercises.expect import array, close, kind_of
from autograder.i18n import _
from autograder.layers import Layer, Linear, build_deep_network
from autograder.numeric import TOLERANCE
from autograder.wire import Raised, simplify


@dataclass(frozen=True)
class Study:
    """One call of `depth_study`.

    Attributes:
        aspect: "training", "settings" or "overflow".
        network: keyword arguments of `build_deep_network`; a network of depth 1 is a single Linear.
        shared_scale: whether a layer with parameters of its own, which is no Linear, stands before each activation.
        settings: those of lr, steps and seed that are passed.
    """

    title: str
    aspect: str
    depths: list[int]
    X: np.ndarray
    t: np.ndarray
    network: dict[str, Any]
    shared_scale: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many updates the call asks for."""
        return self.settings.get("steps", 200)


class SharedScale(Layer):
    """y = W x + shift, one factor and one shift for all features: a layer with a parameter `W` that is not Linear.

    As BatchNorm does, it computes something else, x, when it predicts.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.params = {"W": np.array([1.1]), "shift": np.array([-0.1])}
        self.grads = {"W": None, "shift": None}

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.cache["x"] = x
        return x * self.params["W"] + self.params["shift"] if self.training else x

    def backward(self, dout: np.ndarray) -> np.ndarray:
        self.grads = {"W": np.array([np.vdot(dout, self.cache["x"])]), "shift": np.array([dout.sum()])}
        return dout * self.params["W"]


def draw(rng: np.random.Generator) -> list[Study]:
    """Small studies: a learnable task, settings away from their defaults, and a run that overflows."""

    def case(
        title: str,
        aspect: str,
        depths: list[int],
        n: int = 20,
        shared_scale: bool = False,
        outputs: int = 1,
        settings: dict[str, Any] | None = None,
        **network: Any,
    ) -> Study:
        X = rng.uniform(-1, 1, (n, 2))
        # Neither centred nor of spread 1: whoever rescales them computes another loss.
        t = np.sin(np.pi * X[:, :1]) + rng.uniform(0.3, 1, outputs) * X[:, 1:] ** 2
        network = {"width": 6, "out_features": outputs, **network}
        return Study(title, aspect, depths, X, t, network, shared_scale, settings or {})

    def seed() -> int:
        return int(rng.integers(1, 1000))

    single = {"steps": 1, "seed": seed()}
    return [
        case("two depths", "training", [2, 4], activation="tanh", settings={"lr": 0.1, "steps": 8, "seed": seed()}),
        case("lr, steps and seed left at their defaults", "training", [1]),  # 200 steps: of as little as can be
        case(
            "layers that have parameters and are not Linear",
            "settings",
            [5, 3],
            shared_scale=True,
            outputs=2,
            activation="tanh",
            settings={"lr": 0.05, "steps": 10, "seed": seed()},
        ),
        case("many examples", "training", [2], n=150, activation="tanh", settings={"steps": 4, "seed": seed()}),
        case("ten layers", "training", [10], activation="sigmoid", settings={"lr": 0.5, "steps": 6, "seed": seed()}),
        case("lr is 0", "settings", [3], activation="tanh", settings={"lr": 0.0, "steps": 3, "seed": seed()}),
        case(
            "a tiny learning rate",
            "settings",
            [2],
            activation="tanh",
            settings={"lr": 1e-6, "steps": 30, "seed": seed()},
        ),
        case("a single step", "settings", [4, 2], activation="relu", init="he", settings=single),
        case(
            "the same call with another network and other data", "settings", [4, 2], activation="tanh", settings=single
        ),
        case(  # a plain ReLU network would die of one such step and stay finite
            "training that overflows",
            "overflow",
            [5],
            activation="leaky_relu",
            init="large",
            settings={"lr": 50.0, "steps": 8, "seed": seed()},
        ),
    ]


def probe(implementation: Implementation, case: Study) -> Iterator[tuple[str, Any]]:
    """Runs the study on copies of the data, and a single step of it once more."""

    def build_network(depth: int, rng: np.random.Generator) -> list[Layer]:
        if depth == 1:
            return [Linear(case.X.shape[1], case.network["out_features"], rng=rng)]
        norm = SharedScale if case.shared_scale else None
        return build_deep_network(depth, norm=norm, rng=rng, **case.network)

    def study(**settings: Any) -> Any:
        data = case.X.copy(), case.t.copy()
        return simplify(implementation.depth_study(list(case.depths), build_network, *data, **settings))

    result = study(**case.settings)
    again = attempt(study, **{**case.settings, "steps": 1})
    # Before "result": what is drawn without the seed never shows the same twice, and only this tells it from the rest.
    yield "starts alike", again if type(again) is Raised else _start_alike(case.depths, result, again)
    yield "result", result


def _start_alike(depths: list[int], one: Any, other: Any) -> bool:
    """Whether two results begin with the same losses; True where one of them has no such form."""
    try:
        first, second = ([result[depth]["loss"][0] for depth in depths] for result in (one, other))
        return bool(np.allclose(first, second, rtol=TOLERANCE, atol=0, equal_nan=True))
    except (TypeError, LookupError, ValueError):
        return True


depth_study = Exercise("depth_study", "depth_study", "depth_study", Study, draw, probe, title="A study of depth")


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


def _before_overflow(wanted: np.ndarray) -> np.ndarray:
    """Which steps (steps,) come before the first value that is not finite, or would not be in a float32 record."""
    fits = np.abs(wanted.reshape(len(wanted), -1)) < np.finfo(np.float32).max
    return np.logical_and.accumulate(fits.all(axis=1))


FIRST, LATER, ALL = slice(0, 1), slice(1, None), slice(None)


@depth_study.check(points=0.5)
def test_structure(case: Study, seen: Observation, expected: Observation) -> None:
    """For every depth there are a loss of shape (steps,) and gradient norms of shape (steps, depth)."""
    for _run in _runs(case, seen, expected):
        pass


@depth_study.check(points=0.75)
def test_initial_loss(case: Study, seen: Observation, expected: Observation) -> None:
    """The first loss is that of the untrained network which `build_network` makes from the seed."""
    if case.aspect != "overflow":
        _compare(case, seen, expected, "loss", FIRST)


@depth_study.check(points=1.0)
def test_initial_gradients(case: Study, seen: Observation, expected: Observation) -> None:
    """The first gradient norms are those of its Linear layers' weights, input side first."""
    if case.aspect != "overflow":
        _compare(case, seen, expected, "grad_norms", FIRST)


@depth_study.check(points=1.25)
def test_loss_curve(case: Study, seen: Observation, expected: Observation) -> None:
    """Every loss is taken before its update, and every update is one step of gradient descent."""
    if case.aspect == "training":
        _compare(case, seen, expected, "loss", LATER)


@depth_study.check(points=1.0)
def test_gradient_curves(case: Study, seen: Observation, expected: Observation) -> None:
    """Gradient norms are taken at the same weights as the loss of that step."""
    if case.aspect == "training":
        _compare(case, seen, expected, "grad_norms", LATER)


@depth_study.check(points=1.0)
def test_settings(case: Study, seen: Observation, expected: Observation) -> None:
    """lr, steps and seed count, each depth starts anew, and every parameter of every layer is updated."""
    if case.aspect == "settings":
        _compare(case, seen, expected, "loss", ALL)
        _compare(case, seen, expected, "grad_norms", ALL)


@depth_study.check(points=0.5)
def test_overflow(case: Study, seen: Observation, expected: Observation) -> None:
    """A training that overflows goes on and records what it sees."""
    if case.aspect == "overflow":
        _compare(case, seen, expected, "loss", ALL)
        _compare(case, seen, expected, "grad_norms", ALL)
        for depth, what, got, wanted in _runs(case, seen, expected):
            if np.any(np.isfinite(got[-1]) & np.isnan(wanted[-1])):
                raise Failed(
                    _(
                        'By its last step, the run of depth {depth} has overflowed, but result[{depth}]["{what}"] ends '
                        "with a finite value."
                    ).format(depth=depth, what=what)
                )
