"""batch_norm_forward: the output of a layer in training, and the caller's data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation
from autograder.checks.expect import array, unchanged
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
from autograder.locale import _


@dataclass(frozen=True)
class Forward:
    """Batches given one after the other to one layer in training mode.

    Attributes:
        in_place: whether the caller writes all parameters, and later batches, all of one size, into the first arrays.
        order: the memory order of the inputs, "C" or "F" (as a transposed product leaves them).
    """

    title: str
    batches: list[Batch]
    eps: float = 1e-5
    momentum: float = 0.9
    in_place: bool = False
    order: str = "C"


def draw_plain(rng: np.random.Generator) -> list[Forward]:
    """gamma is 1 and beta 0: normalisation alone."""
    far = random_batch(rng, 128, WIDE, affine=False, outlier=True)
    return [
        Forward("gamma is 1 and beta is 0", [random_batch(rng, 8, WIDE, affine=False)]),
        Forward("as many examples as columns", [random_batch(rng, 3, WIDE, affine=False)]),
        Forward("many examples, one of them far out", [far]),
    ]


def draw_affine(rng: np.random.Generator) -> list[Forward]:
    """gamma and beta are set, once or before every batch."""
    return [
        Forward("gamma and beta are set", [random_batch(rng, 7, WIDE)]),
        Forward("two batches of different size, parameters replaced in between", random_batches(rng, [5, 9], WIDE)),
        Forward("batches of one size, written into the same arrays", random_batches(rng, [6, 6], WIDE), in_place=True),
        Forward("many columns, in Fortran order", [random_batch(rng, 9, WIDE * 4)], order="F"),
    ]


def draw_small(rng: np.random.Generator) -> list[Forward]:
    """Columns whose spread is so small that eps counts."""
    return [
        Forward("columns of very different spread", [random_batch(rng, 7, MIXED)]),
        Forward("columns of extreme spread", [random_batch(rng, 8, (1e-4, 1e3))]),
        Forward("another eps", [random_batch(rng, 8, (0.1, 0.3, 1.0))], eps=float(rng.uniform(0.01, 0.05))),
        Forward("a batch of two", [random_batch(rng, 2, MIXED[1:4])]),
    ]


def draw_constant(rng: np.random.Generator) -> list[Forward]:
    """Columns without any spread."""
    constant = random_batch(rng, 6, MIXED[2:])
    # Small, since eps magnifies the rounding of a constant column's mean: float32 inside must pass.
    constant["x"][:, 1] = rng.uniform(0.05, 0.1)
    constant["x"][:, 0] = rng.integers(50, 100) / 1024  # its mean is exact: without eps this is 0 / 0, never a rest
    return [Forward("two columns are constant", [constant])]


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
    Forward,
    {"plain": draw_plain, "affine": draw_affine, "small": draw_small, "constant": draw_constant},
    probe_forward,
    title="BatchNorm forward pass",
    solution="batch_norm",
    defines="BatchNorm",
)


def _close_outputs(case: Forward, seen: Observation, expected: Observation) -> None:
    for i in range(len(case.batches)):
        close_by_column("forward(x)", seen[f"y{i}"], expected[f"y{i}"], case.batches[i])


@batch_norm_forward.check(points=1.25, on="plain")
def test_standardises(case: Forward, seen: Observation, expected: Observation) -> None:
    """Every column of the output has mean 0 and variance 1 while gamma is 1 and beta is 0."""
    _close_outputs(case, seen, expected)


@batch_norm_forward.check(points=1.0, on="affine")
def test_gamma_and_beta(case: Forward, seen: Observation, expected: Observation) -> None:
    """Then gamma scales and beta shifts every column, with the values the layer holds at that moment."""
    _close_outputs(case, seen, expected)


@batch_norm_forward.check(points=1.0, on="small")
def test_small_spread(case: Forward, seen: Observation, expected: Observation) -> None:
    """eps does its work: columns with a tiny spread come out as the formula says."""
    _close_outputs(case, seen, expected)


@batch_norm_forward.check(points=0.25, on="constant")
def test_constant_columns(case: Forward, seen: Observation, expected: Observation) -> None:
    """Constant columns come out as beta, never as NaN."""
    _close_outputs(case, seen, expected)


@batch_norm_forward.check(points=0.5, on=("plain", "affine"))
def test_input_stays(case: Forward, seen: Observation, expected: Observation) -> None:
    """The caller's x stays unchanged, and layers do not disturb each other."""
    for i, batch in enumerate(case.batches):
        y = array("forward(x)", seen[f"y{i}"], batch["x"].shape)
        unchanged("x", batch["x"], seen[f"x{i}"])
        if np.array_equal(y, batch["x"]):
            raise Failed(_("forward(x) is x itself: nothing was normalised."))
        if not np.ptp(y, axis=0).any():
            raise Failed(_("forward(x) is the same for every example: it does not depend on x."))
    first = array("forward(x)", seen["y0"], case.batches[0]["x"].shape)
    close_by_column(_("In another new layer, forward(x)"), seen["y_of_another_layer"], first, case.batches[0])
