"""BatchNorm: batch normalisation (Ioffe & Szegedy 2015), training forward, backward, and inference.

An upstream gradient of ones, or a gamma of ones, hides most mistakes of a backward pass: the columns of the true dx
then sum to nothing. So upstream gradients are random, gamma has both signs, beta is not zero, N differs from D, and
the columns' spreads range from 3e-3, where eps matters, to 5, where it does not.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.exercises.exercise import Exercise, Failed, Implementation, Observation
from autograder.exercises.expect import array, close, is_close, unchanged
from autograder.i18n import _
from autograder.layers import Layer
from autograder.numeric import central_differences

WIDE = (2.0, 3.0, 5.0)
"""Spreads at which eps = 1e-5 cannot be seen: it moves the output by 1.3e-6 of its scale at most."""

MIXED = (3e-3, 1e-2, 0.3, 1.0, 5.0)
"""Spreads at which a misplaced or forgotten eps moves the output by 0.4 of its scale in the first column."""

RELATIVE_STEP = 1e-5
"""Half width of a central difference, as a share of a column's spread (eps included)."""

OWN_FORWARD_SHARE = 0.75
"""What a backward earns that fits a wrong forward of the student's own: the forward has lost its points already."""


@dataclass(frozen=True)
class Batch:
    """One training or prediction step.

    Attributes:
        x: the input (N, D).
        dout: the upstream gradient (N, D).
        gamma, beta: parameters (D,) to set before the forward.
    """

    x: np.ndarray
    dout: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray


@dataclass(frozen=True)
class Forward:
    """Batches given one after the other to one layer in training mode."""

    title: str
    aspect: str
    batches: list[dict[str, np.ndarray]]
    eps: float = 1e-5
    momentum: float = 0.9


@dataclass(frozen=True)
class Backward:
    """A batch and, after it, another of a different size for the same layer.

    Attributes:
        step: half width (D,) of the differences for the numerical gradient with respect to x.
    """

    title: str
    first: dict[str, np.ndarray]
    second: dict[str, np.ndarray]
    step: np.ndarray
    eps: float = 1e-5
    momentum: float = 0.9


@dataclass(frozen=True)
class Inference:
    """Training batches, then a batch to predict.

    Attributes:
        running_mean, running_var: statistics (D,) loaded into a second layer, as from a saved model.
    """

    title: str
    training: list[dict[str, np.ndarray]]
    prediction: dict[str, np.ndarray]
    running_mean: np.ndarray
    running_var: np.ndarray
    step: np.ndarray
    eps: float = 1e-5
    momentum: float = 0.9


def _batch(rng: np.random.Generator, n: int, spreads: tuple[float, ...], affine: bool = True) -> dict[str, np.ndarray]:
    d = len(spreads)
    center, noise = rng.uniform(-2, 2, d), rng.standard_normal((n, d))
    if n > 1:  # a column that is nearly constant by chance would leave float32 few digits
        noise = (noise - noise.mean(axis=0)) / noise.std(axis=0)
    gamma = rng.uniform(0.5, 2, d) * rng.choice([-1.0, 1.0], d)
    gamma[0] = -abs(gamma[0])
    return {
        "x": (center + noise) * spreads,
        "dout": rng.standard_normal((n, d)),
        "gamma": gamma if affine else np.ones(d),
        "beta": rng.normal(0.5, 1, d) if affine else np.zeros(d),
    }


def _layer(implementation: Implementation, case: Any, width: int) -> Layer:
    return implementation.BatchNorm(width, eps=case.eps, momentum=case.momentum)


def _forward(layer: Layer, batch: dict[str, np.ndarray], x: np.ndarray) -> Any:
    """The output for `x` with new arrays as parameters, as after an optimiser's step."""
    layer.params["gamma"], layer.params["beta"] = batch["gamma"].copy(), batch["beta"].copy()
    return layer.forward(x)


# --- training forward -------------------------------------------------------------------------------------------------


def draw_forward(rng: np.random.Generator) -> list[Forward]:
    """Cases that isolate normalisation, gamma and beta, eps, and the degenerate batches."""
    constant = _batch(rng, 6, MIXED[2:])
    # Small, since eps magnifies the rounding of a constant column's mean: float32 inside must pass.
    constant["x"][:, 1] = rng.uniform(0.05, 0.1)
    return [
        Forward("gamma is 1 and beta is 0", "standardise", [_batch(rng, 8, WIDE, affine=False)]),
        Forward("gamma and beta are set", "affine", [_batch(rng, 7, WIDE)]),
        Forward(
            "two batches of different size, parameters replaced in between",
            "affine",
            [_batch(rng, 5, WIDE), _batch(rng, 9, WIDE)],
        ),
        Forward("columns of very different spread", "eps", [_batch(rng, 7, MIXED)]),
        Forward("another eps", "eps", [_batch(rng, 8, (0.1, 0.3, 1.0))], eps=float(rng.uniform(0.01, 0.05))),
        Forward("one column is constant", "eps", [constant]),
        Forward("a batch of two", "eps", [_batch(rng, 2, MIXED[1:4])]),
    ]


def probe_forward(implementation: Implementation, case: Forward) -> Iterator[tuple[str, Any]]:
    """Runs the batches through one layer, and the first once more through another that came in between."""
    width = case.batches[0]["x"].shape[1]
    layer, bystander = _layer(implementation, case, width), _layer(implementation, case, width)
    for i, batch in enumerate(case.batches):
        x = batch["x"].copy()
        yield f"y{i}", _forward(layer, batch, x)
        yield f"x{i}", x
    yield "y_of_another_layer", _forward(bystander, case.batches[0], case.batches[0]["x"].copy())


batch_norm_forward = Exercise("batch_norm_forward", "batch_norm", "BatchNorm", Forward, draw_forward, probe_forward)


def _close_outputs(case: Forward, seen: Observation, expected: Observation) -> None:
    for i in range(len(case.batches)):
        _close_by_column("forward(x)", seen[f"y{i}"], expected[f"y{i}"], case.batches[i])


def _close_by_column(name: str, got: Any, expected: np.ndarray, batch: dict[str, np.ndarray]) -> None:
    """`close`, where each column is measured against its own largest value, or gamma where that is larger.

    For gamma is the size of what beta is added to, which a single value of the sum may hide.
    """
    close(name, got, expected, scale=np.maximum(np.abs(expected).max(axis=0), np.abs(batch["gamma"])))


@batch_norm_forward.check(points=1.25)
def test_standardises(case: Forward, seen: Observation, expected: Observation) -> None:
    """Every column of the output has mean 0 and variance 1 while gamma is 1 and beta is 0."""
    if case.aspect == "standardise":
        _close_outputs(case, seen, expected)


@batch_norm_forward.check(points=1.0)
def test_gamma_and_beta(case: Forward, seen: Observation, expected: Observation) -> None:
    """Then gamma scales and beta shifts every column, with the values the layer holds at that moment."""
    if case.aspect == "affine":
        _close_outputs(case, seen, expected)


@batch_norm_forward.check(points=1.25)
def test_small_spread(case: Forward, seen: Observation, expected: Observation) -> None:
    """eps does its work: columns with a tiny spread come out as the formula says, constant ones as beta."""
    if case.aspect == "eps":
        _close_outputs(case, seen, expected)


@batch_norm_forward.check(points=0.5)
def test_input_stays(case: Forward, seen: Observation, expected: Observation) -> None:
    """The caller's x stays unchanged, and layers do not disturb each other."""
    for i, batch in enumerate(case.batches):
        y = array("forward(x)", seen[f"y{i}"], batch["x"].shape)
        unchanged("x", batch["x"], seen[f"x{i}"])
        if np.array_equal(y, batch["x"]):
            raise Failed(_("forward(x) is x itself: nothing was normalised."))
        if not np.ptp(y, axis=0).any():
            raise Failed(_("forward(x) is the same for every example: it does not depend on x."))
    if case.aspect != "eps":
        first = array("forward(x)", seen["y0"], case.batches[0]["x"].shape)
        _close_by_column(_("In another new layer, forward(x)"), seen["y_of_another_layer"], first, case.batches[0])


# --- backward ---------------------------------------------------------------------------------------------------------


def draw_backward(rng: np.random.Generator) -> list[Backward]:
    """Batches with N different from D, wide and mixed spreads, another eps, and a second batch of another size."""

    def case(title: str, n: int, spreads: tuple[float, ...], eps: float = 1e-5) -> Backward:
        second = _batch(rng, n + 2, spreads)
        return Backward(title, _batch(rng, n, spreads), second, _step(spreads, eps), eps)

    return [
        case("columns of moderate spread", 6, WIDE),
        case("columns of very different spread", 7, MIXED),
        case("another eps", 8, (0.1, 0.3, 1.0), eps=float(rng.uniform(0.01, 0.05))),
    ]


def _step(spreads: tuple[float, ...], eps: float) -> np.ndarray:
    """Steps that keep the numerical gradient near 1e-10 of its scale at any spread."""
    return RELATIVE_STEP * np.hypot(spreads, eps**0.5)


def probe_backward(implementation: Implementation, case: Backward) -> Iterator[tuple[str, Any]]:
    """Forward and backward, backward again, then a second batch; last the numerical gradient of the own forward."""
    first, second = case.first, case.second
    width = first["x"].shape[1]
    layer, bystander = _layer(implementation, case, width), _layer(implementation, case, width)
    x, dout = first["x"].copy(), first["dout"].copy()
    _forward(layer, first, x)
    yield "x after forward", x
    yield "dx", layer.backward(dout)
    yield "dgamma", layer.grads.get("gamma")
    yield "dbeta", layer.grads.get("beta")
    yield "dout", dout
    yield "x after backward", x
    yield "dx again", layer.backward(first["dout"].copy())
    yield "dgamma again", layer.grads.get("gamma")
    yield "dbeta again", layer.grads.get("beta")
    _forward(layer, second, second["x"].copy())
    _forward(bystander, second, second["x"][::-1].copy())  # layers are independent of each other
    layer.training = False  # backward belongs to the last forward, which was training
    yield "dx second", layer.backward(second["dout"].copy())
    yield "dgamma second", layer.grads.get("gamma")
    yield "dbeta second", layer.grads.get("beta")
    yield from _numerical_gradients(_layer(implementation, case, width), first, case.step)


def _numerical_gradients(layer: Layer, batch: dict[str, np.ndarray], step: np.ndarray) -> Iterator[tuple[str, Any]]:
    """Central differences of the layer's own forward with respect to x, gamma and beta."""

    def with_parameter(name: str) -> Any:
        return lambda value: _forward(layer, {**batch, name: value}, batch["x"].copy())

    dout = batch["dout"]
    yield "numerical dx", central_differences(lambda x: _forward(layer, batch, x), batch["x"], dout, step)
    for name in ("gamma", "beta"):
        yield f"numerical d{name}", central_differences(with_parameter(name), batch[name], dout, 1e-5)


batch_norm_backward = Exercise(
    "batch_norm_backward", "batch_norm", "BatchNorm", Backward, draw_backward, probe_backward
)

GRADIENTS = {"dx": "backward(dout)", "dgamma": 'grads["gamma"]', "dbeta": 'grads["beta"]'}


def _scale(gradient: str, batch: dict[str, np.ndarray], expected: np.ndarray, step: np.ndarray = np.inf) -> np.ndarray:
    """The natural scale of a gradient, by column, which does not shrink where a sum cancels.

    For dx it is at least what dx would be if mean and variance were constants; `step` holds the columns' spreads.
    """
    if gradient != "dx":
        return np.abs(batch["dout"]).sum(axis=0)
    constant = np.abs(batch["gamma"] * batch["dout"]).max(axis=0) * RELATIVE_STEP / step
    return np.maximum(np.abs(expected).max(axis=0), constant)


def _right_or_consistent(
    gradient: str, case: Backward, seen: Observation, expected: Observation, fair_forward: bool
) -> None:
    """`gradient` is the formula's, or, for a part of the points, that of the student's own wrong forward.

    Args:
        fair_forward: whether the student's forward, if wrong, is enough of a normalisation for its own derivative to
            be worth something.
    """
    name = GRADIENTS[gradient]
    wanted = expected[gradient]
    array(name, seen[gradient], wanted.shape)
    scale = _scale(gradient, case.first, wanted, case.step)
    if is_close(name, seen[gradient], wanted, scale):
        return
    if fair_forward:
        own = array("", seen[f"numerical {gradient}"], wanted.shape)
        if np.isfinite(own).all() and is_close(name, seen[gradient], own, _scale(gradient, case.first, own, case.step)):
            raise Failed(
                _("{name} fits your own forward: the backward is right, the forward is not the formula's.").format(
                    name=name
                ),
                share=OWN_FORWARD_SHARE,
            )
    close(name, seen[gradient], wanted, scale)


@np.errstate(all="ignore")
def _is_fair_forward(case: Backward, seen: Observation) -> bool:
    """Whether the student's forward, right or wrong, ignores shifts and stretches of a column.

    Both are properties of any normalisation over the batch, and leave a mark on its numerical gradient: every column
    of dx sums to 0, and so does dx * x (Euler's theorem), but for what eps adds.
    """
    if "numerical dx" not in seen.values:
        return False
    x = case.first["x"]
    dx = array("", seen["numerical dx"], x.shape)
    wide = np.square(case.step / RELATIVE_STEP) > 1e3 * case.eps  # in narrower columns eps takes part
    size = np.abs(dx).sum(axis=0)
    shift = np.abs(dx.sum(axis=0))
    stretch = np.abs((dx * (x - x.mean(axis=0))).sum(axis=0)) / np.ptp(x, axis=0)
    return bool(np.all(((shift < 1e-3 * size) & (stretch < 0.1 * size))[wide])) and bool(size[wide].all())


def _judge_gradient(gradient: str, case: Backward, seen: Observation, expected: Observation) -> None:
    fair = seen.raised(gradient) is None and _is_fair_forward(case, seen)
    _right_or_consistent(gradient, case, seen, expected, fair)


@batch_norm_backward.check(points=1.0)
def test_dbeta(case: Backward, seen: Observation, expected: Observation) -> None:
    """`grads["beta"]` is the gradient with respect to beta, of shape (D,)."""
    _judge_gradient("dbeta", case, seen, expected)


@batch_norm_backward.check(points=2.0)
def test_dgamma(case: Backward, seen: Observation, expected: Observation) -> None:
    """`grads["gamma"]` is the gradient with respect to gamma, of shape (D,)."""
    _judge_gradient("dgamma", case, seen, expected)


@batch_norm_backward.check(points=4.0)
def test_dx(case: Backward, seen: Observation, expected: Observation) -> None:
    """`backward(dout)` is the gradient with respect to x, through the batch's mean and variance too."""
    _judge_gradient("dx", case, seen, expected)


@batch_norm_backward.check(points=1.0)
def test_repeatable(case: Backward, seen: Observation, expected: Observation) -> None:
    """Gradients are overwritten, not added up; backward belongs to the layer's last forward; x and dout stay."""
    for gradient, name in GRADIENTS.items():
        first = array(name, seen[gradient], expected[gradient].shape)
        again = _("On a second call after one forward, {name}").format(name=name)
        close(again, seen[f"{gradient} again"], first, _scale(gradient, case.first, first, case.step))
        array(name, seen[f"{gradient} second"], expected[f"{gradient} second"].shape)
        # Where the gradient of the first batch is wrong anyway, that of the second tells nothing new.
        if is_close(name, first, expected[gradient], _scale(gradient, case.first, expected[gradient], case.step)):
            wanted = expected[f"{gradient} second"]
            later = _("After a forward with another batch, {name}").format(name=name)
            close(later, seen[f"{gradient} second"], wanted, _scale(gradient, case.second, wanted, case.step))
    unchanged("dout", case.first["dout"], seen["dout"])
    unchanged("x", seen["x after forward"], seen["x after backward"])
    if not np.any(seen["dx"]):
        raise Failed(_("backward(dout) is zero everywhere."))


# --- inference --------------------------------------------------------------------------------------------------------


def draw_inference(rng: np.random.Generator) -> list[Inference]:
    """Short trainings with the default and with another momentum, then a batch or a single row to predict."""

    def case(title: str, sizes: list[int], rows: int, spreads: tuple[float, ...], momentum: float, eps: float = 1e-5):
        d = len(spreads)
        return Inference(
            title,
            [_batch(rng, n, spreads) for n in sizes],
            _batch(rng, rows, spreads),
            running_mean=rng.uniform(-2, 2, d) * spreads,
            running_var=rng.uniform(0.5, 2, d) * np.square(spreads),
            step=_step(spreads, eps),
            eps=eps,
            momentum=momentum,
        )

    return [
        case("three training batches, then a batch", [6, 9, 7], 5, WIDE, momentum=0.9),
        case("another momentum, then a single row", [8, 5], 1, (0.3, 1.0, 5.0), momentum=float(rng.uniform(0.4, 0.7))),
        case("columns of very different spread", [7], 4, MIXED, momentum=0.1),
        case("another eps", [6, 6], 5, (0.1, 0.3, 1.0), momentum=0.5, eps=float(rng.uniform(0.01, 0.05))),
    ]


def probe_inference(implementation: Implementation, case: Inference) -> Iterator[tuple[str, Any]]:
    """Trains, predicts and goes back; then the same prediction from statistics that were loaded, not trained."""
    width = case.running_mean.shape[0]
    batch = case.prediction
    trained = _layer(implementation, case, width)
    for i, training in enumerate(case.training):
        _forward(trained, training, training["x"].copy())
        yield f"running_mean{i}", trained.running_mean
        yield f"running_var{i}", trained.running_var

    loaded = _layer(implementation, case, width)
    loaded.running_mean, loaded.running_var = case.running_mean.copy(), case.running_var.copy()
    for name, layer in (("trained", trained), ("loaded", loaded)):
        layer.training = False
        x = batch["x"].copy()
        yield f"y {name}", _forward(layer, batch, x)
        yield f"x {name}", x
        yield f"first row {name}", _forward(layer, batch, batch["x"][:1].copy())
        yield f"running_mean {name}", layer.running_mean
        yield f"running_var {name}", layer.running_var

    trained.training = True  # a prediction is no end: training goes on, and later predictions know of it
    _forward(trained, case.training[0], case.training[0]["x"].copy())
    trained.training = False
    yield "later y trained", _forward(trained, batch, batch["x"].copy())
    for name, layer in (("trained", trained), ("loaded", loaded)):
        _forward(layer, batch, batch["x"].copy())
        layer.training = True  # backward belongs to the last forward, which was a prediction
        dout = batch["dout"].copy()
        yield f"dx {name}", layer.backward(dout)
        yield f"dout {name}", dout
        yield f"dgamma {name}", layer.grads.get("gamma")
        yield f"dbeta {name}", layer.grads.get("beta")


batch_norm_inference = Exercise(
    "batch_norm_inference", "batch_norm", "BatchNorm", Inference, draw_inference, probe_inference
)


@batch_norm_inference.check(points=1.5)
def test_running_statistics(case: Inference, seen: Observation, expected: Observation) -> None:
    """Every training forward moves `running_mean` and `running_var` by the share that momentum leaves."""
    _judge_statistics(case, seen, expected)


def _judge_statistics(case: Inference, seen: Observation, expected: Observation) -> None:
    for i, batch in enumerate(case.training):
        spread = np.ptp(batch["x"], axis=0)
        for name, scale in (("running_mean", spread), ("running_var", spread**2)):
            label = _("After training batch {n}, {name}").format(name=name, n=i + 1)
            close(label, seen[f"{name}{i}"], expected[f"{name}{i}"], scale=np.maximum(scale, np.abs(expected[f"{name}{i}"])))


def _either(case: Inference, seen: Observation, expected: Observation, judge: Callable[[str], None]) -> None:
    """`judge(name)` is content with the trained layer or, where its statistics are wrong, with the loaded one."""
    try:
        judge("trained")
    except Failed:
        try:
            _judge_statistics(case, seen, expected)
        except Failed:
            judge("loaded")
        else:
            raise


@batch_norm_inference.check(points=1.0)
def test_prediction(case: Inference, seen: Observation, expected: Observation) -> None:
    """With `training = False` the output comes from the running statistics, with gamma, beta and eps; one row is enough."""

    def judge(name: str) -> None:
        for key in (f"y {name}", f"first row {name}", f"later y {name}"):
            if key in expected.values:
                _close_by_column(_("With training = False, forward(x)"), seen[key], expected[key], case.prediction)

    _either(case, seen, expected, judge)


@batch_norm_inference.check(points=0.5)
def test_prediction_learns_nothing(case: Inference, seen: Observation, expected: Observation) -> None:
    """Predicting changes neither running statistic."""
    last = len(case.training) - 1
    for name in ("running_mean", "running_var"):
        shape = case.running_mean.shape
        after_training = array(name, seen[f"{name}{last}"], shape)
        if np.array_equal(after_training, np.zeros(shape) if name == "running_mean" else np.ones(shape)):
            raise Failed(_("{name} has not moved in training, so there was nothing to keep.").format(name=name))
        unchanged(name, after_training, array(name, seen[f"{name} trained"], shape))
    unchanged("x", case.prediction["x"], seen["x trained"])


@batch_norm_inference.check(points=1.0)
def test_backward_of_prediction(case: Inference, seen: Observation, expected: Observation) -> None:
    """Backward after a prediction is the derivative of that forward: the statistics are constants there."""

    def judge(name: str) -> None:
        for gradient, label in GRADIENTS.items():
            key = f"{gradient} {name}"
            close(label, seen[key], expected[key], _scale(gradient, case.prediction, expected[key]))

    _either(case, seen, expected, judge)
    unchanged("dout", case.prediction["dout"], seen["dout trained"])
