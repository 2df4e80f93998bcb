"""batch_norm_forward: the output of a layer in training, and the caller's data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.exercises.exercise import Exercise, Failed, Implementation, Observation
from autograder.exercises.expect import array, unchanged
from autograder.exercises.gradient_pathology.batch_norm.shared import (
    MIXED,
    WIDE,
    Batch,
    close_by_column,
    new_layer,
    random_batch,
    random_batches,
    run_forward,
)
from autograder.i18n import _


@dataclass(frozen=True)
class Forward:
    """Batches given one after the other to one layer in training mode.

    Attributes:
        aspect: "standardise", "affine" or "eps".
        in_place: whether the caller writes all parameters, and later batches, all of one size, into the first arrays.
        order: the memory order of the inputs, "C" or "F" (as a transposed product leaves them).
    """

    title: str
    aspect: str
    batches: list[Batch]
    eps: float = 1e-5
    momentum: float = 0.9
    in_place: bool = False
    order: str = "C"


def draw_forward(rng: np.random.Generator) -> list[Forward]:
    """Cases that isolate normalisation, gamma and beta, eps, and the degenerate batches."""
    constant = random_batch(rng, 6, MIXED[2:])
    # Small, since eps magnifies the rounding of a constant column's mean: float32 inside must pass.
    constant["x"][:, 1] = rng.uniform(0.05, 0.1)
    constant["x"][:, 0] = rng.integers(50, 100) / 1024  # its mean is exact: without eps this is 0 / 0, never a rest
    return [
        Forward("gamma is 1 and beta is 0", "standardise", [random_batch(rng, 8, WIDE, affine=False)]),
        Forward("gamma and beta are set", "affine", [random_batch(rng, 7, WIDE)]),
        Forward(
            "two batches of different size, parameters replaced in between",
            "affine",
            random_batches(rng, [5, 9], WIDE),
        ),
        Forward(
            "batches of one size, written into the same arrays",
            "affine",
            random_batches(rng, [6, 6], WIDE),
            in_place=True,
        ),
        Forward("as many examples as columns", "standardise", [random_batch(rng, 3, WIDE, affine=False)]),
        Forward(
            "many examples, one of them far out", "standardise", [random_batch(rng, 128, WIDE, False, outlier=True)]
        ),
        Forward("many columns, in Fortran order", "affine", [random_batch(rng, 9, WIDE * 4)], order="F"),
        Forward("columns of very different spread", "eps", [random_batch(rng, 7, MIXED)]),
        Forward("columns of extreme spread", "eps", [random_batch(rng, 8, (1e-4, 1e3))]),
        Forward("another eps", "eps", [random_batch(rng, 8, (0.1, 0.3, 1.0))], eps=float(rng.uniform(0.01, 0.05))),
        Forward("two columns are constant", "eps", [constant]),
        Forward("a batch of two", "eps", [random_batch(rng, 2, MIXED[1:4])]),
    ]


def probe_forward(implementation: Implementation, case: Forward) -> Iterator[tuple[str, Any]]:
    """Runs the batches through one layer, and the first once more through another that came in between."""
    width = case.batches[0]["x"].shape[1]
    layer, bystander = new_layer(implementation, case, width), new_layer(implementation, case, width)
    x = np.empty(0)
    for i, batch in enumerate(case.batches):
        if case.in_place and i > 0:
            x[...] = batch["x"]
        else:
            x = batch["x"].copy(case.order)
        yield f"y{i}", run_forward(layer, batch, x, case.in_place)
        yield f"x{i}", x
    yield "y_of_another_layer", run_forward(bystander, case.batches[0], case.batches[0]["x"].copy())


batch_norm_forward = Exercise(
    "batch_norm_forward",
    "batch_norm",
    "BatchNorm",
    Forward,
    draw_forward,
    probe_forward,
    title="BatchNorm forward pass",
)


def _close_outputs(case: Forward, seen: Observation, expected: Observation) -> None:
    for i in range(len(case.batches)):
        close_by_column("forward(x)", seen[f"y{i}"], expected[f"y{i}"], case.batches[i])


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
        close_by_column(_("In another new layer, forward(x)"), seen["y_of_another_layer"], first, case.batches[0])
