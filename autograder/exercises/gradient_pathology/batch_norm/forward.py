"""batch_norm_forward: the output of a layer in training, and the caller's data.

Each promise is about one step, and is judged on what the student's own other steps make: gamma and beta on the own
x_hat, eps on the own output for columns so wide that eps does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation
from autograder.checks.expect import array, in_words, is_close, unchanged
from autograder.exercises.gradient_pathology.batch_norm.shared import (
    MIXED,
    NEW_LAYER,
    WIDE,
    Batch,
    Batches,
    as_example,
    close_by_column,
    new_layer,
    one_array,
    output_of,
    output_scale,
    random_batch,
    random_batches,
    require_change,
    require_mode,
    run_forward,
    training_mode,
)
from autograder.exercises.gradient_pathology.batch_norm.words import formula_in_words
from autograder.locale import _

WIDER = 1e4
"""So many times as wide, no column of the cases shows an eps."""


def draw_plain(rng: np.random.Generator) -> list[Batches]:
    """gamma is 1 and beta 0: normalisation alone."""
    wide = [1e3 * spread for spread in WIDE]  # here not even the root of eps can be seen
    many = random_batch(rng, 40, [1.5 * spread for spread in wide], affine=False, outlier=True)
    return [
        Batches("gamma is 1 and beta is 0", [random_batch(rng, 12, wide, affine=False, outlier=True)]),
        Batches("a few examples, then many with one of them far out", [random_batch(rng, 5, wide, affine=False), many]),
    ]


def draw_affine(rng: np.random.Generator) -> list[Batches]:
    """gamma and beta are set, or changed before every batch."""
    return [
        Batches("gamma and beta are set", [random_batch(rng, 7, WIDE)]),
        Batches("parameters replaced, then changed in place, as optimizers do", random_batches(rng, [9, 9, 9], WIDE)),
    ]


def draw_small(rng: np.random.Generator) -> list[Batches]:
    """Columns whose spread is so small that eps counts. With a beta of 1, exchanged parameters are another matter."""
    mixed, small = random_batch(rng, 7, MIXED, affine=False), random_batch(rng, 8, (0.1, 0.3, 1.0), affine=False)
    for batch in (mixed, small):
        batch["beta"] += 1
    return [
        Batches("columns of very different spread", [mixed], eps=float(rng.uniform(2e-5, 4e-5))),
        Batches("another eps", [small], eps=float(rng.uniform(0.01, 0.05))),
    ]


def draw_constant(rng: np.random.Generator) -> list[Batches]:
    """Columns without any spread."""
    constant = random_batch(rng, 6, MIXED[2:], affine=False)
    # Small, since eps magnifies the rounding of a constant column's mean: float32 inside must pass.
    constant["x"][:, 1] = rng.uniform(0.05, 0.1)
    constant["x"][:, 0] = rng.integers(50, 100) / 1024  # its mean is exact: without eps this is 0 / 0, never a rest
    return [Batches("two columns are constant", [constant])]


def probe_forward(implementation: Implementation, case: Batches) -> Iterator[tuple[str, Any]]:
    """Runs the batches through one layer, and through another with gamma 1 and beta 0; then the first, wider.

    Each comes with new parameters, those of the third in place.
    """
    first, mode = case.batches[0], training_mode(implementation, case)
    layer, plain, other, wide = (new_layer(implementation, case, mode) for _layer in range(4))
    unscaled = {"gamma": np.ones(case.width), "beta": np.zeros(case.width)}
    yield "mode", mode
    for i, batch in enumerate(case.batches):
        x = batch["x"].copy()
        yield f"y{i}", run_forward(layer, batch, x, in_place=i > 1)
        yield f"x{i}", x
        yield f"x_hat{i}", run_forward(plain, unscaled, batch["x"].copy())
    yield "y_of_another_layer", run_forward(other, first, first["x"].copy())
    yield "y_wide", run_forward(wide, first, WIDER * first["x"])


batch_norm_forward = Exercise(
    "batch_norm_forward",
    Batches,
    {"plain": draw_plain, "affine": draw_affine, "small": draw_small, "constant": draw_constant},
    probe_forward,
    title="BatchNorm forward pass",
    solution="batch_norm",
    runs_all=False,  # in training alone
    defines="BatchNorm",
    example=as_example,
    calls=NEW_LAYER,
)


@batch_norm_forward.check(points=1.0, on="plain")
def test_standardises(case: Batches, seen: Observation, expected: Observation) -> None:
    """Every column of the output has mean 0 and variance 1 while gamma is 1 and beta is 0."""
    require_mode(seen)
    for i, batch in enumerate(case.batches):
        y = output_of(one_array("forward(x)", seen[f"y{i}"], strictly=True), batch["x"])
        _judge(y, expected[f"y{i}"], batch, case.eps)


def _judge(y: np.ndarray, wanted: np.ndarray, batch: Batch, eps: float) -> None:
    words = partial(formula_in_words, "forward(x)", y, batch, eps, {})
    in_words(words, close_by_column, "forward(x)", y, wanted, batch)


@batch_norm_forward.check(points=1.25, on="affine")
def test_gamma_and_beta(case: Batches, seen: Observation, expected: Observation) -> None:
    """gamma scales and beta shifts every column, with the values that the layer holds at that moment."""
    for i, batch in enumerate(case.batches):
        y = output_of(seen[f"y{i}"], batch["x"])
        x_hat = output_of(seen[f"x_hat{i}"], batch["x"])
        if is_close(y, x_hat):
            raise Failed(
                _(
                    'forward(x) is the same whatever params["gamma"] and params["beta"] are: it does not use them, or '
                    "has kept earlier ones."
                ),
                unwritten=True,
            )
        close_by_column("forward(x)", y, batch["gamma"] * x_hat + batch["beta"], batch)


@batch_norm_forward.check(points=1.0, on="small")
@np.errstate(all="ignore")
def test_small_spread(case: Batches, seen: Observation, expected: Observation) -> None:
    """eps is added to the variance, under the root: columns of tiny spread come out as the formula says."""
    batch = case.batches[0]
    y, wide = output_of(seen["y0"], batch["x"]), output_of(seen["y_wide"], WIDER * batch["x"])
    scale = output_scale(expected["y0"], batch)
    require_change(y - batch["beta"], batch["x"])
    # eps narrows what comes out without it, by as much as the deviation says, the own or the true one.
    deviations = np.ptp(batch["x"], axis=0) / np.ptp(wide, axis=0), batch["x"].std(axis=0)
    narrowed = [(wide - wide.mean(axis=0)) * std / np.hypot(std, case.eps**0.5) for std in deviations]
    if not any(is_close(y - y.mean(axis=0), wanted, scale) for wanted in narrowed):
        _judge(y, expected["y0"], batch, case.eps)


@batch_norm_forward.check(points=0.25, on="constant")
def test_constant_columns(case: Batches, seen: Observation, expected: Observation) -> None:
    """Constant columns come out as beta, never as NaN."""
    batch, constant = case.batches[0], np.ptp(case.batches[0]["x"], axis=0) == 0
    y = array("forward(x)", one_array("forward(x)", seen["y0"]), batch["x"].shape)
    output_of(y[:, ~constant], batch["x"][:, ~constant])
    close_by_column("forward(x)", y, np.where(constant, batch["beta"], y), batch)


@batch_norm_forward.check(points=0.5, on="affine")
def test_input_stays(case: Batches, seen: Observation, expected: Observation) -> None:
    """The caller's x stays unchanged, and layers do not disturb each other."""
    for i, batch in enumerate(case.batches):
        unchanged("x", batch["x"], seen[f"x{i}"])
        output_of(seen[f"y{i}"], batch["x"])
    x = case.batches[0]["x"]
    other = output_of(seen["y_of_another_layer"], x)
    close_by_column(_("In another new layer, forward(x)"), other, output_of(seen["y0"], x), case.batches[0])
