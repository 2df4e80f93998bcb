"""batch_norm_backward: the derivative of the training forward.

Two promises: the gradients are those of the formula, and they are the derivatives of the student's own forward. A
backward that fits a wrong forward keeps the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation
from autograder.checks.expect import array, close, is_close, unchanged
from autograder.checks.numeric import central_differences
from autograder.exercises.gradient_pathology.batch_norm.shared import (
    GRADIENTS,
    MIXED,
    WIDE,
    Batch,
    difference_step,
    natural_scale,
    new_layer,
    output_scale,
    random_batches,
    run_forward,
)
from autograder.layers import Layer
from autograder.locale import _

ANOTHER_BATCH = 1e-3
"""By how much of the natural scale a gradient that belongs to another batch differs at least. An error in the formula
itself that just passes on the first batch, as a misplaced eps may, can be a few times as large on the second."""

NORMALISES = 1e-2
"""How far, as a share of its largest value, the gradient of a forward may be from a multiple of the formula's for the
forward to count as one that normalises."""


@dataclass(frozen=True)
class Backward:
    """A batch and, after it, another for the same layer; one of the same size is written into the first's arrays.

    Attributes:
        order: the memory order of the upstream gradients, "C" or "F".
        step: half width (D,) of the differences for a numerical gradient with respect to x.
        differences: whether the forward is differentiated numerically on the first batch.
    """

    title: str
    first: Batch
    second: Batch
    step: np.ndarray
    eps: float = 1e-5
    momentum: float = 0.9
    order: str = "C"
    differences: bool = False


def backward(
    rng: np.random.Generator,
    title: str,
    sizes: tuple[int, int],
    spreads: tuple[float, ...],
    eps: float = 1e-5,
    outlier: bool = False,
    **traits: Any,
) -> Backward:
    """Two batches of these sizes and column spreads."""
    first, second = random_batches(rng, sizes, spreads, outlier)
    return Backward(title, first, second, difference_step(spreads, eps), eps, **traits)


def draw_batches(rng: np.random.Generator) -> list[Backward]:
    """Batches of few and many examples and columns, each followed by another of the same or another size.

    N differs from D but in one. It is never 2 in the first batch: dx is then eps alone.
    """
    vanished = backward(rng, "few examples, a gradient that has nearly vanished", (4, 5), WIDE)
    for batch in (vanished.first, vanished.second):
        batch["dout"] *= 1e-12
    return [
        backward(rng, "columns of moderate spread", (6, 6), WIDE),
        backward(rng, "columns of very different spread", (7, 4), MIXED),
        backward(rng, "another eps", (8, 2), (0.1, 0.3, 1.0), eps=float(rng.uniform(0.01, 0.05))),
        vanished,
        backward(rng, "three examples", (3, 3), WIDE[:2]),
        backward(rng, "as many examples as columns", (3, 5), WIDE),
        backward(rng, "many examples, one of them far out", (40, 9), WIDE[:2], outlier=True),
        backward(rng, "many columns, in Fortran order", (5, 8), WIDE * 4, order="F"),
    ]


def draw_differences(rng: np.random.Generator) -> list[Backward]:
    """A small batch of wide columns: eps does not count, and normalising stretches the formula's gradient alone."""
    return [backward(rng, "a small batch, and small steps away from it", (6, 5), WIDE, differences=True)]


def probe_backward(implementation: Implementation, case: Backward) -> Iterator[tuple[str, Any]]:
    """Forward and backward, backward again for another upstream gradient, then two forwards and a backward.

    Another layer runs between a forward and its backward, as in every network.
    """
    first, second = case.first, case.second
    width = first["x"].shape[1]
    layer, bystander = new_layer(implementation, case, width), new_layer(implementation, case, width)
    x, dout = first["x"].copy(), first["dout"].copy(case.order)
    yield "y", run_forward(layer, first, x)
    yield "x after forward", x
    yield "dx", layer.backward(dout)
    yield "dgamma", layer.grads.get("gamma")
    yield "dbeta", layer.grads.get("beta")
    yield "dout", dout
    yield "x after backward", x
    yield "dx again", layer.backward(2 * first["dout"])
    yield "dgamma again", layer.grads.get("gamma")
    yield "dbeta again", layer.grads.get("beta")
    if case.differences:
        yield from _numerical_gradients(new_layer(implementation, case, width), case)
        return
    run_forward(layer, first, first["x"][::-1].copy())  # backward belongs to the last forward, not to this one
    in_place = second["x"].shape == x.shape
    if in_place:
        x[...], dout[...] = second["x"], second["dout"]
    else:
        x, dout = second["x"].copy(), second["dout"].copy(case.order)
    run_forward(layer, second, x, in_place)
    run_forward(bystander, second, second["x"][::-1].copy())  # layers are independent of each other
    yield "dx second", layer.backward(dout)
    bystander.backward(second["dout"].copy())
    yield "dgamma second", layer.grads.get("gamma")
    yield "dbeta second", layer.grads.get("beta")


def _numerical_gradients(layer: Layer, case: Backward) -> Iterator[tuple[str, Any]]:
    """Central differences of the layer's own forward with respect to x, gamma and beta.

    Whole rows move at a time: in a forward that normalises, no column depends on another.
    """
    batch, dout = case.first, case.first["dout"]

    def with_parameter(name: str) -> Any:
        return lambda value: run_forward(layer, {**batch, name: value}, batch["x"].copy())

    def with_input(x: np.ndarray) -> Any:
        return run_forward(layer, batch, x)

    yield "numerical dx", central_differences(with_input, batch["x"], dout, case.step, by_row=True)
    for name in ("gamma", "beta"):
        yield f"numerical d{name}", central_differences(with_parameter(name), batch[name], dout, 1e-5, by_row=True)


batch_norm_backward = Exercise(
    "batch_norm_backward",
    Backward,
    {"batches": draw_batches, "differences": draw_differences},
    probe_backward,
    title="BatchNorm backward pass",
    solution="batch_norm",
    defines="BatchNorm",
)


def _judge_gradient(gradient: str, case: Backward, seen: Observation, wanted: np.ndarray) -> None:
    close(GRADIENTS[gradient], seen[gradient], wanted, natural_scale(gradient, case.first, wanted, case.step))


@batch_norm_backward.check(points=1.0, on="batches")
def test_dbeta(case: Backward, seen: Observation, expected: Observation) -> None:
    """`grads["beta"]` is the gradient with respect to beta, of shape (D,)."""
    _judge_gradient("dbeta", case, seen, expected["dbeta"])


@batch_norm_backward.check(points=1.5, on="batches")
def test_dgamma(case: Backward, seen: Observation, expected: Observation) -> None:
    """`grads["gamma"]` is the gradient with respect to gamma, of shape (D,)."""
    _judge_gradient("dgamma", case, seen, expected["dgamma"])


@batch_norm_backward.check(points=3.5, on="batches")
def test_dx(case: Backward, seen: Observation, expected: Observation) -> None:
    """`backward(dout)` is the gradient with respect to x, through the batch's mean and variance too."""
    _judge_gradient("dx", case, seen, expected["dx"])


@batch_norm_backward.check(points=1.0, on="differences")
def test_own_forward(case: Backward, seen: Observation, expected: Observation) -> None:
    """All three gradients are the derivatives of your own forward, as small steps of x, gamma and beta show them."""
    # What a process says of its own numerical gradient is not simply believed, and where the output is the formula's,
    # so is the derivative, also of a forward in float32, which shows none in steps as small.
    right = is_close("forward(x)", seen["y"], expected["y"], output_scale(expected["y"], case.first))
    if not right and not _normalises(seen["numerical dx"], expected["dx"]):
        raise Failed(_("forward(x) does not normalise its columns yet, so there is no derivative to compare with."))
    for gradient in GRADIENTS:
        wanted = expected[gradient] if right else seen[f"numerical {gradient}"]
        _judge_gradient(gradient, case, seen, array(gradient, wanted, expected[gradient].shape))


@np.errstate(all="ignore")
def _normalises(own: Any, right: np.ndarray) -> bool:
    """Whether the gradient `own` (N, D) of a forward is, column by column, a multiple of the formula's, `right`.

    So it is in every forward that takes off the mean and divides by a multiple of the deviation, and in no other.
    """
    own = array("", own, right.shape)
    factor = (own * right).sum(axis=0) / np.square(right).sum(axis=0)
    return bool((np.abs(own - factor * right).max(axis=0) < NORMALISES * np.abs(own).max(axis=0)).all())


@batch_norm_backward.check(points=1.0, on="batches")
def test_repeatable(case: Backward, seen: Observation, expected: Observation) -> None:
    """Gradients are overwritten, not added up; backward belongs to the layer's last forward; x and dout stay."""
    for gradient, name in GRADIENTS.items():
        wanted = expected[gradient]
        first = array(name, seen[gradient], wanted.shape)
        # Exactly twice, since nothing is lost in doubling; neither a sum nor what was kept of the first call is that.
        again = _("On a second call after one forward, with twice the dout, {name}").format(name=name)
        close(again, seen[f"{gradient} again"], 2 * first, natural_scale(gradient, case.first, 2 * first, case.step))
        array(name, seen[f"{gradient} second"], expected[f"{gradient} second"].shape)
        # Where the gradient of the first batch is wrong anyway, that of the second tells nothing new.
        if is_close(name, first, wanted, natural_scale(gradient, case.first, wanted, case.step)):
            wanted = expected[f"{gradient} second"]
            later = _("After a forward with another batch, {name}").format(name=name)
            scale = natural_scale(gradient, case.second, wanted, case.step)
            close(later, seen[f"{gradient} second"], wanted, scale, ANOTHER_BATCH)
    unchanged("dout", case.first["dout"], seen["dout"])
    unchanged("x", seen["x after forward"], seen["x after backward"])
    if not np.any(seen["dx"]):
        raise Failed(_("backward(dout) is zero everywhere."))
