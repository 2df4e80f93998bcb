"""batch_norm_inference: running statistics, prediction, and its derivative.

A prediction rests on the running statistics of the student's own training, and its derivative on the prediction itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, StudentError, attempt
from autograder.checks.expect import close, unchanged
from autograder.checks.values import numbers
from autograder.exercises.gradient_pathology.batch_norm.shared import (
    GRADIENTS,
    MIXED,
    WIDE,
    Batch,
    close_by_column,
    column_slope,
    either,
    natural_scale,
    new_layer,
    output_of,
    output_scale,
    random_batch,
    random_batches,
    run_forward,
    shown_x_hat,
    spread_of,
)
from autograder.locale import _

STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class Inference:
    """Training batches, then a batch to predict."""

    title: str
    training: list[Batch]
    prediction: Batch
    eps: float = 1e-5
    momentum: float = 0.9


def draw_batches(rng: np.random.Generator) -> list[Inference]:
    """Short trainings with the defaults and with another momentum and eps, then a batch to predict."""

    def inference(
        title: str, sizes: list[int], rows: int, spreads: tuple[float, ...], eps: float, momentum: float
    ) -> Inference:
        prediction = random_batch(rng, rows, spreads)
        prediction["x"][0] += 20 * np.array(spreads)  # far from what was learnt
        return Inference(title, random_batches(rng, sizes, spreads), prediction, eps, momentum)

    others = rng.uniform((0.01, 0.4), (0.05, 0.7), (2, 2)).tolist()
    return [
        inference("three training batches, then a batch", [6, 9, 7], 5, WIDE, 1e-5, 0.9),
        inference("another momentum and eps", [8, 2], 4, (0.3, 1.0, 5.0), *others[0]),
        inference("columns of very different spread", [6, 6], 6, MIXED, *others[1]),
    ]


def probe_inference(implementation: Implementation, case: Inference) -> Iterator[tuple[str, Any]]:
    """Trains, predicts, goes back, and trains and predicts once more.

    Beside every prediction stand the statistics that the layer held before it. Where training leaves none that a
    prediction could rest on, those of the first batch are loaded, as from a saved model.
    """
    batch, first = case.prediction, case.training[0]
    layer, new = (new_layer(implementation, case, first["x"].shape[1]) for _layer in range(2))

    def statistics(when: str) -> Iterator[tuple[str, Any]]:
        for name in STATISTICS:
            yield f"{name} {when}", getattr(layer, name)

    for i, training in enumerate(case.training):
        yield f"y of batch {i}", attempt(run_forward, layer, training, training["x"].copy())
        yield from statistics(f"of batch {i}")
    attempt(layer.backward, training["dout"].copy())
    yield from statistics("after backward")
    if usable(layer.running_mean, layer.running_var, first["x"].shape[1]) is None:
        layer.running_mean, layer.running_var = first["x"].mean(axis=0), first["x"].var(axis=0)

    layer.training = False
    x = batch["x"].copy()
    yield from statistics("before y")
    yield "y", run_forward(layer, batch, x)
    yield "x", x
    yield from statistics("before y other")
    yield "y other", run_forward(layer, first, batch["x"][::-1].copy(), in_place=True)
    yield from statistics("after")
    yield "y row", attempt(run_forward, layer, batch, batch["x"][:1].copy())
    run_forward(layer, batch, batch["x"].copy())
    attempt(run_forward, new, first, first["x"].copy())  # another layer, whose mode is its own
    dout = batch["dout"].copy()
    yield "dx", attempt(layer.backward, dout)
    yield "dout", dout
    yield "dgamma", layer.grads.get("gamma")
    yield "dbeta", layer.grads.get("beta")

    layer.training = True  # a prediction is no end: training goes on, and later predictions know of it
    new.running_mean, new.running_var = np.copy(layer.running_mean), np.copy(layer.running_var)
    for name, trained in (("back", layer), ("new", new)):
        yield f"y {name}", attempt(run_forward, trained, first, first["x"][::-1].copy())
        yield f"dx {name}", attempt(trained.backward, first["dout"].copy())
    layer.training = False
    yield from statistics("before y later")
    yield "y later", attempt(run_forward, layer, batch, batch["x"].copy())


def usable(mean: Any, var: Any, width: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Both statistics with one finite number for each column, whatever their shape; None if they are nothing such."""
    mean, var = numbers(mean), numbers(var)
    if any(a is None or a.size != width or a.dtype.kind not in "iuf" for a in (mean, var)):
        return None
    mean, var = mean.reshape(width).astype(float), var.reshape(width).astype(float)
    return (mean, var) if np.isfinite([mean, var]).all() and (var >= 0).all() else None


batch_norm_inference = Exercise(
    "batch_norm_inference",
    Inference,
    {"batches": draw_batches},
    probe_inference,
    title="BatchNorm inference",
    solution="batch_norm",
    defines="BatchNorm",
)


@batch_norm_inference.check(points=1.25, on="batches")
def test_running_statistics(case: Inference, seen: Observation, expected: Observation) -> None:
    """Every training forward, and nothing else, moves `running_mean` and `running_var` by the share momentum leaves."""
    for i, batch in enumerate(case.training):
        seen[f"y of batch {i}"]  # told, if it raised; what it gave is another exercise
        spread = np.ptp(batch["x"], axis=0)
        for name, scale in (("running_mean", spread), ("running_var", spread**2)):
            label = _("After training batch {n}, {name}").format(name=name, n=i + 1)
            wanted = expected[f"{name} of batch {i}"]
            close(label, seen[f"{name} of batch {i}"], wanted, scale=np.maximum(scale, np.abs(wanted)))
    for name in STATISTICS:
        before, after = seen[f"{name} of batch {len(case.training) - 1}"], seen[f"{name} after backward"]
        unchanged(_("In a backward, {name}").format(name=name), before, after)


def _held_before(name: str, seen: Observation, width: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The statistics that the layer held before the prediction `name`, where one can rest on them."""
    mean, var = (seen[f"{statistic} before {name}"] for statistic in STATISTICS)
    return usable(mean, var, width)


def _judge_prediction(
    label: str, name: str, parameters: Batch, x: np.ndarray, case: Inference, seen: Observation, expected: Observation
) -> None:
    """An output is that of the statistics which the layer held before, or that of the reference."""
    candidates = [expected[name]]
    held = _held_before(name, seen, x.shape[1])
    if held is not None:
        x_hat = (x - held[0]) / np.sqrt(held[1] + case.eps)
        candidates.insert(0, parameters["gamma"] * x_hat + parameters["beta"])
    y = output_of(seen[name], x)
    either(candidates, lambda wanted: close(label, y, wanted, output_scale(wanted, parameters)))


@batch_norm_inference.check(points=1.25, on="batches")
def test_prediction(case: Inference, seen: Observation, expected: Observation) -> None:
    """With `training = False` the output comes from the running statistics, gamma, beta and eps."""
    batch, first = case.prediction, case.training[0]
    label = _("With training = False, forward(x)")
    _judge_prediction(label, "y", batch, batch["x"], case, seen, expected)
    label = _("With training = False, after gamma and beta were changed, forward(x)")
    _judge_prediction(label, "y other", first, batch["x"][::-1], case, seen, expected)
    if _held_before("y later", seen, batch["x"].shape[1]) is not None:
        label = _("With training = False, after more training, forward(x)")
        _judge_prediction(label, "y later", batch, batch["x"], case, seen, expected)


@batch_norm_inference.check(points=0.25, on="batches")
def test_single_row(case: Inference, seen: Observation, expected: Observation) -> None:
    """A single row is predicted like any other."""
    among_others = output_of(seen["y"], case.prediction["x"])[:1]
    label = _("With training = False, forward(x) of a single row")
    close_by_column(label, seen["y row"], among_others, case.prediction)


@batch_norm_inference.check(points=0.25, on="batches")
def test_prediction_learns_nothing(case: Inference, seen: Observation, expected: Observation) -> None:
    """Predicting changes neither running statistic, nor x."""
    before, after = ([numbers(seen[f"{name} {when}"]) for name in STATISTICS] for when in ("before y", "after"))
    if not _have_moved(seen):
        raise Failed(_("The running statistics have not moved in training, so there was nothing to keep."))
    for name, old, new in zip(STATISTICS, before, after, strict=True):
        if old is not None:  # what it should be is asked elsewhere
            unchanged(name, old, new)
    unchanged("x", case.prediction["x"], seen["x"])


def _have_moved(seen: Observation) -> bool:
    statistics = [
        (numbers(seen[f"{name} after backward"]), start) for name, start in zip(STATISTICS, (0, 1), strict=True)
    ]
    return any(np.any(np.isfinite(a) & (a != start)) for a, start in statistics if a is not None)


@batch_norm_inference.check(points=0.5, on="batches")
def test_backward_of_prediction(case: Inference, seen: Observation, expected: Observation) -> None:
    """Backward after a prediction is the derivative of that forward; there alone the statistics are constants."""
    candidates = [expected, *_own_gradients(case, seen)]
    for gradient, label in GRADIENTS.items():

        def judge(right: Any, gradient: str = gradient, label: str = label) -> None:
            close(label, seen[gradient], right[gradient], natural_scale(gradient, case.prediction, right[gradient]))

        either(candidates, judge)
    unchanged("dout", case.prediction["dout"], seen["dout"])


def _own_gradients(case: Inference, seen: Observation) -> list[dict[str, np.ndarray]]:
    """The derivative of the own prediction, if it shows that a row does not depend on the others."""
    batch, dout = case.prediction, case.prediction["dout"]
    try:
        test_single_row(case, seen, seen)
        x_hat = shown_x_hat(seen["y"], batch)
    except (Failed, StudentError):
        return []
    slope = column_slope(batch["x"], x_hat)
    return [{"dx": dout * batch["gamma"] * slope, "dgamma": (dout * x_hat).sum(axis=0), "dbeta": dout.sum(axis=0)}]


@batch_norm_inference.check(points=0.5, on="batches")
def test_back_in_training(case: Inference, seen: Observation, expected: Observation) -> None:
    """After a prediction training goes on as if there had been none."""
    if not _have_moved(seen):  # so there is no other mode to come back from, unless it predicts
        test_prediction(case, seen, expected)
    first = case.training[0]
    # What a training step gives is another exercise: it need only be what it is in a layer that has never predicted.
    label, new = _("Back in training after a prediction, {name}"), seen.values.get("dx new")
    close_by_column(label.format(name="forward(x)"), seen["y back"], output_of(seen["y new"], first["x"][::-1]), first)
    if isinstance(new, np.ndarray) and new.shape == first["x"].shape and np.isfinite(new).all():
        close(
            label.format(name="backward(dout)"),
            seen["dx back"],
            new,
            natural_scale("dx", first, new, spread_of(first, case.eps)),
        )
