"""batch_norm_backward: the derivative of the training forward.

Each gradient is held against the formula's and, where it differs, against the numerical gradient of the student's own
forward, so that a right backward does not pay for a wrong forward.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.exercises.exercise import Exercise, Failed, Implementation, Observation
from autograder.exercises.expect import array, close, is_close, unchanged
from autograder.exercises.gradient_pathology.batch_norm.shared import (
    GRADIENTS,
    MIXED,
    RELATIVE_STEP,
    WIDE,
    Batch,
    difference_step,
    natural_scale,
    new_layer,
    output_scale,
    random_batches,
    run_forward,
)
from autograder.i18n import _
from autograder.numeric import central_differences

OWN_FORWARD_SHARE = 0.75
"""What a backward earns that fits a wrong forward of the student's own: the forward has lost its points already."""

ANOTHER_BATCH = 1e-3
"""By how much of the natural scale a gradient that belongs to another batch differs at least. An error in the formula
itself that just passes on the first batch, as a misplaced eps may, can be a few times as large on the second."""


@dataclass(frozen=True)
class Backward:
    """A batch and, after it, another for the same layer; one of the same size is written into the first's arrays.

    Attributes:
        order: the memory order of the upstream gradients, "C" or "F".
        step: half width (D,) of the differences for the numerical gradient with respect to x.
    """

    title: str
    first: Batch
    second: Batch
    step: np.ndarray
    eps: float = 1e-5
    momentum: float = 0.9
    order: str = "C"


def draw_backward(rng: np.random.Generator) -> list[Backward]:
    """Batches of few and many examples and columns, each followed by another of the same or another size.

    N differs from D but in one. It is never 2 in the first batch: dx is then eps alone, which tells nothing of a wrong
    forward.
    """

    def case(
        title: str, sizes: tuple[int, int], spreads: tuple[float, ...], eps: float = 1e-5, order="C", outlier=False
    ) -> Backward:
        first, second = random_batches(rng, sizes, spreads, outlier)
        return Backward(title, first, second, difference_step(spreads, eps), eps, order=order)

    def vanished(case: Backward) -> Backward:
        for batch in (case.first, case.second):
            batch["dout"] *= 1e-12
        return case

    return [
        case("columns of moderate spread", (6, 6), WIDE),
        case("columns of very different spread", (7, 4), MIXED),
        case("another eps", (8, 2), (0.1, 0.3, 1.0), eps=float(rng.uniform(0.01, 0.05))),
        vanished(case("few examples, a gradient that has nearly vanished", (4, 5), WIDE)),
        case("three examples", (3, 3), WIDE[:2]),
        case("as many examples as columns", (3, 5), WIDE),
        case("many examples, one of them far out", (40, 9), WIDE[:2], outlier=True),
        case("many columns, in Fortran order", (5, 8), WIDE * 4, order="F"),
    ]


def probe_backward(implementation: Implementation, case: Backward) -> Iterator[tuple[str, Any]]:
    """Forward and backward, backward again for another upstream gradient, then two forwards and a backward."""
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
    run_forward(layer, first, first["x"][::-1].copy())  # backward belongs to the last forward, not to this one
    in_place = second["x"].shape == x.shape
    if in_place:
        x[...], dout[...] = second["x"], second["dout"]
    else:
        x, dout = second["x"].copy(), second["dout"].copy(case.order)
    run_forward(layer, second, x, in_place)
    run_forward(bystander, second, second["x"][::-1].copy())  # layers are independent of each other
    layer.training = False  # the last forward was training
    yield "dx second", layer.backward(dout)
    bystander.backward(second["dout"].copy())
    yield "dgamma second", layer.grads.get("gamma")
    yield "dbeta second", layer.grads.get("beta")


def probe_numerical_gradients(implementation: Implementation, case: Backward) -> Iterator[tuple[str, Any]]:
    """Central differences of the own forward with respect to x, gamma and beta."""
    batch, dout = case.first, case.first["dout"]
    layer = new_layer(implementation, case, batch["x"].shape[1])

    def with_parameter(name: str) -> Any:
        return lambda value: run_forward(layer, {**batch, name: value}, batch["x"].copy())

    yield "numerical dx", central_differences(lambda x: run_forward(layer, batch, x), batch["x"], dout, case.step)
    for name in ("gamma", "beta"):
        yield f"numerical d{name}", central_differences(with_parameter(name), batch[name], dout, 1e-5)


batch_norm_backward = Exercise(
    "batch_norm_backward",
    "batch_norm",
    "BatchNorm",
    Backward,
    draw_backward,
    probe_backward,
    probe_further=probe_numerical_gradients,
    title="BatchNorm backward pass",
)


@np.errstate(all="ignore")
def _stretch(case: Backward, seen: Observation, expected: Observation) -> np.ndarray | None:
    """The factor (D,) by which each column of a wrong forward is the right one stretched; None if that is no excuse.

    A right forward leaves none. Nor does one that is no normalisation: in every column that is wide beside eps, the
    output must be the right one but for a factor and a shift. Its gradient is then the right one times that factor, so
    what a process says of its own numerical gradient is never simply believed.
    """
    y, wanted = seen.values.get("y"), expected["y"]
    if is_close("", y, wanted, output_scale(wanted, case.first)):
        return None
    y = array("", y, wanted.shape)
    own, right = (values - values.mean(axis=0) for values in (y, wanted))
    factor = (own * right).sum(axis=0) / np.square(right).sum(axis=0)
    wide = _is_wide(case)
    unlike = np.abs(own - factor * right).max(axis=0) > 1e-3 * np.abs(own).max(axis=0)
    return None if (unlike | ~np.isfinite(factor) | (factor == 0))[wide].any() else factor


def _is_wide(case: Backward) -> np.ndarray:
    """Which columns (D,) are so wide that eps changes nothing that matters here; in others it takes part."""
    return np.square(case.step / RELATIVE_STEP) > 1e3 * case.eps


@np.errstate(all="ignore")
def _own_gradient(gradient: str, case: Backward, seen: Observation, expected: Observation) -> np.ndarray | None:
    """The numerical gradient of a wrong forward, where that excuses a backward that fits it."""
    factor = _stretch(case, seen, expected) if gradient in ("dx", "dgamma") else None
    if factor is None or f"numerical {gradient}" not in seen.values:
        return None
    likely = factor * expected[gradient]
    own = array("", seen[f"numerical {gradient}"], likely.shape)
    far = np.abs(own - likely) > 0.05 * np.abs(likely).max(axis=0)
    return own if np.isfinite(own).all() and not far[..., _is_wide(case)].any() else None


def _judge_gradient(gradient: str, case: Backward, seen: Observation, expected: Observation) -> None:
    """`gradient` is the formula's or, for a part of the points, that of the student's own wrong forward."""
    name, wanted = GRADIENTS[gradient], expected[gradient]
    got = array(name, seen[gradient], wanted.shape)

    def fits(other: np.ndarray) -> bool:
        return is_close(name, got, other, natural_scale(gradient, case.first, other, case.step))

    if not fits(wanted):
        own = _own_gradient(gradient, case, seen, expected)
        if own is not None and fits(own):
            message = _("{name} fits your own forward: the backward is right, the forward is not the formula's.")
            raise Failed(message.format(name=name), share=OWN_FORWARD_SHARE)
    close(name, got, wanted, natural_scale(gradient, case.first, wanted, case.step))


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
