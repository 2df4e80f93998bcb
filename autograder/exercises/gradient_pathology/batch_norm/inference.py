"""batch_norm_inference: running statistics, prediction, and its derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, attempt
from autograder.checks.expect import array, close, unchanged
from autograder.exercises.gradient_pathology.batch_norm.shared import (
    GRADIENTS,
    MIXED,
    WIDE,
    Batch,
    close_by_column,
    difference_step,
    natural_scale,
    new_layer,
    random_batch,
    random_batches,
    run_forward,
)
from autograder.layers import Layer
from autograder.locale import _


@dataclass(frozen=True)
class Inference:
    """Training batches, then a batch to predict.

    Attributes:
        running_mean, running_var: statistics (D,) loaded into a second layer, as from a saved model.
    """

    title: str
    training: list[Batch]
    prediction: Batch
    running_mean: np.ndarray
    running_var: np.ndarray
    step: np.ndarray
    eps: float = 1e-5
    momentum: float = 0.9


def inference(
    rng: np.random.Generator,
    title: str,
    sizes: list[int],
    rows: int,
    spreads: tuple[float, ...],
    momentum: float,
    eps: float = 1e-5,
) -> Inference:
    """Training batches of these sizes, then `rows` to predict, the first of which lies far from what was learnt."""
    d = len(spreads)
    prediction = random_batch(rng, rows, spreads)
    prediction["x"][0] += 20 * np.array(spreads)
    return Inference(
        title,
        random_batches(rng, sizes, spreads),
        prediction,
        running_mean=rng.uniform(-2, 2, d) * spreads,
        running_var=rng.uniform(0.5, 2, d) * np.square(spreads),
        step=difference_step(spreads, eps),
        eps=eps,
        momentum=momentum,
    )


def draw_batches(rng: np.random.Generator) -> list[Inference]:
    """Short trainings with the default and with another momentum, then a batch to predict."""
    return [
        inference(rng, "three training batches, then a batch", [6, 9, 7], 5, WIDE, momentum=0.9),
        inference(rng, "another momentum", [8, 2], 4, (0.3, 1.0, 5.0), momentum=float(rng.uniform(0.4, 0.7))),
        inference(rng, "columns of very different spread", [7], 4, MIXED, momentum=0.1),
        inference(rng, "momentum is 0", [9, 5], 4, WIDE, momentum=0.0),
        inference(rng, "many columns", [9, 40], 7, WIDE * 4, momentum=0.8),
        # As many rows as in training: what is kept of it fits in shape.
        inference(rng, "another eps", [6, 6], 6, (0.1, 0.3, 1.0), momentum=0.5, eps=float(rng.uniform(0.01, 0.05))),
    ]


def draw_row(rng: np.random.Generator) -> list[Inference]:
    """A single row to predict."""
    return [inference(rng, "a single row", [8, 5], 1, (0.3, 1.0, 5.0), momentum=float(rng.uniform(0.4, 0.7)))]


def probe_inference(implementation: Implementation, case: Inference) -> Iterator[tuple[str, Any]]:
    """Trains, predicts and goes back; then the same prediction from statistics that were loaded, not trained.

    The mode is set once for several predictions, and a batch of the size of the one before comes in the same array.
    """
    width = case.running_mean.shape[0]
    batch, first = case.prediction, case.training[0]
    trained, loaded, new = (new_layer(implementation, case, width) for _layer in range(3))
    x = first["x"].copy()
    for i, training in enumerate(case.training):
        if training["x"].shape == x.shape:
            x[...] = training["x"]
        else:
            x = training["x"].copy()
        run_forward(trained, training, x)
        yield f"running_mean{i}", trained.running_mean
        yield f"running_var{i}", trained.running_var
    attempt(trained.backward, training["dout"].copy())
    yield "running_mean after backward", trained.running_mean
    yield "running_var after backward", trained.running_var

    def predict(layer: Layer, parameters: Batch, x: np.ndarray, in_place: bool = False) -> Any:
        if layer is loaded:  # anew: a prediction that moves the statistics is noticed in the other layer
            loaded.running_mean, loaded.running_var = case.running_mean.copy(), case.running_var.copy()
        return run_forward(layer, parameters, x, in_place)

    for name, layer in (("trained", trained), ("loaded", loaded)):
        layer.training = False
        x = batch["x"].copy()
        yield f"y {name}", predict(layer, batch, x)
        yield f"x {name}", x
        yield f"other parameters {name}", predict(layer, first, batch["x"][::-1].copy(), in_place=True)
        yield f"running_mean {name}", layer.running_mean
        yield f"running_var {name}", layer.running_var

    trained.training = True  # a prediction is no end: training goes on, and later predictions know of it
    run_forward(trained, first, first["x"][::-1].copy())
    trained.training = False
    yield "later y trained", predict(trained, batch, batch["x"].copy())
    for name, layer in (("trained", trained), ("loaded", loaded)):
        predict(layer, batch, batch["x"].copy())
        run_forward(new, first, first["x"][::-1].copy())  # another layer, whose mode is its own
        dout = batch["dout"].copy()
        yield f"dx {name}", layer.backward(dout)
        yield f"dout {name}", dout
        yield f"dgamma {name}", layer.grads.get("gamma")
        yield f"dbeta {name}", layer.grads.get("beta")
    for name, layer in (("trained", trained), ("new", new)):
        layer.training = True
        run_forward(layer, first, first["x"].copy())
        yield f"dx in training, {name}", attempt(layer.backward, first["dout"].copy())


batch_norm_inference = Exercise(
    "batch_norm_inference",
    Inference,
    {"batches": draw_batches, "row": draw_row},
    probe_inference,
    title="BatchNorm inference",
    solution="batch_norm",
    defines="BatchNorm",
)


@batch_norm_inference.check(points=1.5, on="batches")
def test_running_statistics(case: Inference, seen: Observation, expected: Observation) -> None:
    """Every training forward, and nothing else, moves `running_mean` and `running_var` by the share momentum leaves."""
    _judge_statistics(case, seen, expected)


def _judge_statistics(case: Inference, seen: Observation, expected: Observation) -> None:
    for i, batch in enumerate(case.training):
        spread = np.ptp(batch["x"], axis=0)
        for name, scale in (("running_mean", spread), ("running_var", spread**2)):
            label = _("After training batch {n}, {name}").format(name=name, n=i + 1)
            wanted = expected[f"{name}{i}"]
            close(label, seen[f"{name}{i}"], wanted, scale=np.maximum(scale, np.abs(wanted)))
    for name in ("running_mean", "running_var"):
        label = _("In a backward, {name}").format(name=name)
        before, after = seen[f"{name}{len(case.training) - 1}"], seen[f"{name} after backward"]
        unchanged(label, *(array(name, value, case.running_mean.shape) for value in (before, after)))


def _holds(judge: Callable[..., None], *args: Any) -> bool:
    try:
        judge(*args)
    except Failed:
        return False
    return True


def _either(case: Inference, seen: Observation, expected: Observation, judge: Callable[[str], None]) -> None:
    """`judge(name)` is content with the trained layer or, where its statistics are wrong, with the loaded one.

    Wrong they are, too, where a prediction moves them: that is a promise of its own.
    """
    try:
        judge("trained")
    except Failed:
        if _holds(_judge_statistics, case, seen, expected) and _holds(_judge_what_stays, case, seen):
            raise
        judge("loaded")


@batch_norm_inference.check(points=1.0, on="batches")
def test_prediction(case: Inference, seen: Observation, expected: Observation) -> None:
    """With `training = False` the output comes from the running statistics, gamma, beta and eps."""

    if _holds(_judge_statistics, case, seen, expected):  # before the first prediction none can have moved them
        first = _("With training = False, forward(x)")
        close_by_column(first, seen["y trained"], expected["y trained"], case.prediction)

    def judge(name: str) -> None:
        labels = {
            f"y {name}": _("With training = False, forward(x)"),
            f"other parameters {name}": _("With training = False, after gamma and beta were changed, forward(x)"),
        }
        if name == "trained":
            labels["later y trained"] = _("With training = False, after more training, forward(x)")
        for key, label in labels.items():
            close_by_column(label, seen[key], expected[key], case.prediction)

    _either(case, seen, expected, judge)


@batch_norm_inference.check(points=0.25, on="row")
def test_single_row(case: Inference, seen: Observation, expected: Observation) -> None:
    """A single row is predicted like any other."""

    def judge(name: str) -> None:
        label = _("With training = False, forward(x) of a single row")
        close_by_column(label, seen[f"y {name}"], expected[f"y {name}"], case.prediction)

    _either(case, seen, expected, judge)


@batch_norm_inference.check(points=0.5, on="batches")
def test_prediction_learns_nothing(case: Inference, seen: Observation, expected: Observation) -> None:
    """Predicting changes neither running statistic."""
    _judge_what_stays(case, seen)
    unchanged("x", case.prediction["x"], seen["x trained"])


def _judge_what_stays(case: Inference, seen: Observation) -> None:
    for name in ("running_mean", "running_var"):
        shape = case.running_mean.shape
        after_training = array(name, seen[f"{name} after backward"], shape)
        if not np.isfinite(after_training).all():
            raise Failed(_("After training, {name} is not finite.").format(name=name))
        if np.array_equal(after_training, np.zeros(shape) if name == "running_mean" else np.ones(shape)):
            raise Failed(_("{name} has not moved in training, so there was nothing to keep.").format(name=name))
        unchanged(name, after_training, array(name, seen[f"{name} trained"], shape))


@batch_norm_inference.check(points=0.75, on="batches")
def test_backward_of_prediction(case: Inference, seen: Observation, expected: Observation) -> None:
    """Backward after a prediction is the derivative of that forward; there alone the statistics are constants."""

    def judge(name: str) -> None:
        for gradient, label in GRADIENTS.items():
            key = f"{gradient} {name}"
            close(label, seen[key], expected[key], natural_scale(gradient, case.prediction, expected[key]))

    _either(case, seen, expected, judge)
    unchanged("dout", case.prediction["dout"], seen["dout trained"])
    # The training backward itself is another exercise: it need only be what it is without any prediction before.
    new, first = seen.values.get("dx in training, new"), case.training[0]
    if isinstance(new, np.ndarray) and new.shape == first["x"].shape and np.isfinite(new).all():
        label = _("Back in training after a prediction, backward(dout)")
        close(label, seen["dx in training, trained"], new, natural_scale("dx", first, new, case.step))
