"""batch_norm_inference: running statistics, prediction, and its derivative.

A prediction rests on the running statistics of the student's own training, and its derivative on the prediction itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, StudentError, attempt
from autograder.checks.expect import close, in_words, is_close, same, unchanged
from autograder.checks.values import numbers
from autograder.exercises.gradient_pathology.batch_norm.running import (
    STATISTICS,
    judge_running,
    rule_in_words,
    running,
    usable,
)
from autograder.exercises.gradient_pathology.batch_norm.shared import (
    GRADIENTS,
    MIXED,
    NEW_LAYER,
    WIDE,
    Batch,
    Batches,
    alone,
    as_example,
    close_by_column,
    column_slope,
    either,
    holds,
    is_straight,
    natural_scale,
    new_layer,
    one_array,
    output_of,
    output_scale,
    random_batch,
    random_batches,
    require_mode,
    right_gradients,
    run_forward,
    shown_x_hat,
    spread_of,
    training_mode,
)
from autograder.exercises.gradient_pathology.batch_norm.words import formula_in_words
from autograder.layers import Layer
from autograder.locale import _


def draw_batches(rng: np.random.Generator) -> list[Batches]:
    """Short trainings with the defaults and with another momentum and eps, then a batch to predict."""

    def inference(
        title: str, sizes: list[int], rows: int, spreads: tuple[float, ...], eps: float, momentum: float
    ) -> Batches:
        prediction = random_batch(rng, rows, spreads)
        prediction["x"][0] += 20 * np.array(spreads)  # far from what was learnt
        return Batches(title, random_batches(rng, sizes, spreads), prediction, eps, momentum)

    others = rng.uniform((0.01, 0.4), (0.05, 0.7), (2, 2)).tolist()
    return [
        inference("three training batches, then one in inference", [6, 9, 7], 5, WIDE, 1e-5, 0.9),
        inference("another momentum and eps", [8, 2], 4, (0.3, 1.0, 5.0), *others[0]),
        inference("columns of very different spread", [6, 6], 6, MIXED, *others[1]),
    ]


def probe_inference(implementation: Implementation, case: Batches) -> Iterator[tuple[str, Any]]:
    """Trains, predicts, goes back, and trains and predicts once more.

    Beside every prediction stand the statistics that the layer held before and after it. Where training leaves none
    that a prediction could rest on, those of the first batch are loaded, as from a saved model; at the end, those of
    the batch to predict, with which a prediction is what training makes of that batch.
    """
    batch, first, mode = case.prediction, case.batches[0], training_mode(implementation, case)
    layer, new = (new_layer(implementation, case, mode) for _layer in range(2))

    def statistics(when: str) -> Iterator[tuple[str, Any]]:
        for name in STATISTICS:
            yield f"{name} {when}", getattr(layer, name)

    def gradients(of: Layer, dout: np.ndarray, when: str = "") -> Iterator[tuple[str, Any]]:
        yield f"dx{when}", attempt(lambda: alone(of.backward(dout)))
        for name in ("gamma", "beta"):
            yield f"d{name}{when}", of.grads.get(name)

    def predicted(name: str, parameters: Batch, x: np.ndarray, in_place: bool = False) -> Iterator[tuple[str, Any]]:
        yield from statistics(f"before {name}")
        yield name, attempt(run_forward, layer, parameters, x, in_place)
        yield from statistics(f"after {name}")

    yield "mode", mode
    for i, training in enumerate(case.batches):
        yield f"y of batch {i}", attempt(run_forward, layer, training, training["x"].copy())
        yield from statistics(f"of batch {i}")
    dout = training["dout"].copy()
    yield from gradients(layer, dout, " of training")
    yield "dout of training", dout
    yield from statistics("after backward")
    if usable(layer.running_mean, layer.running_var, case.width) is None:
        layer.running_mean, layer.running_var = first["x"].mean(axis=0), first["x"].var(axis=0)

    layer.training = not mode
    x = batch["x"].copy()
    yield from predicted("y", batch, x)
    yield "x", x
    yield from predicted("y other", first, batch["x"][::-1].copy(), in_place=True)
    yield from predicted("y row", batch, batch["x"][:1].copy())
    yield "y of backward", attempt(run_forward, layer, batch, batch["x"].copy())
    yield "y as trained", attempt(run_forward, new, batch, batch["x"].copy())  # another layer, whose mode is its own
    dout = batch["dout"].copy()
    layer.grads.update(gamma=np.zeros(case.width), beta=np.zeros(case.width))  # adding them up is charged once
    yield from gradients(layer, dout)
    yield "dout", dout

    layer.training = mode  # a prediction is no end: training goes on, and later predictions know of it
    new.running_mean, new.running_var = np.copy(layer.running_mean), np.copy(layer.running_var)
    for name, trained in (("back", layer), ("new", new)):
        yield f"y {name}", attempt(run_forward, trained, first, first["x"][::-1].copy())
        yield f"dx {name}", attempt(lambda trained=trained: alone(trained.backward(first["dout"].copy())))
    layer.training = not mode
    yield from predicted("y later", batch, batch["x"].copy())
    layer.running_mean, layer.running_var = batch["x"].mean(axis=0), batch["x"].var(axis=0)
    yield "y loaded", attempt(run_forward, layer, batch, batch["x"].copy())


batch_norm_inference = Exercise(
    "batch_norm_inference",
    Batches,
    {"batches": draw_batches},
    probe_inference,
    title="BatchNorm inference",
    solution="batch_norm",
    defines="BatchNorm",
    example=lambda case: as_example(case) | {"inference": case.prediction},
    calls=NEW_LAYER
    + """
    print(layer.running_mean, layer.running_var)
layer.training = False
layer.params.update(gamma=given.inference["gamma"], beta=given.inference["beta"])
print(layer.forward(given.inference["x"]))
print(layer.backward(given.inference["dout"]), layer.grads)""",
)


@batch_norm_inference.check(points=1.25, on="batches")
def test_running_statistics(case: Batches, seen: Observation, expected: Observation) -> None:
    """Every training forward moves both statistics: running = momentum * running + (1 - momentum) * batch."""
    require_mode(seen)
    for i in range(len(case.batches)):
        seen[f"y of batch {i}"]  # told, if it raised; what it gave is another exercise
    if not _have_moved(seen):
        raise Failed(
            _("After training, running_mean and running_var are as they were at the start."),
            words=_(
                "Nothing moves running_mean and running_var in training yet, or the new values are not put into "
                "self.running_mean and self.running_var."
            ),
            unwritten=True,
        )
    for name in STATISTICS:
        wanted = [running(name, case, seen, own) for own in (False, True)]
        in_words(partial(rule_in_words, name, case, seen), either, wanted, partial(judge_running, name, case, seen))
        before, after = seen[f"{name} of batch {len(case.batches) - 1}"], seen[f"{name} after backward"]
        unchanged(_("In a backward, {name}").format(name=name), before, after)


def _held(name: str, when: str, seen: Observation, width: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The statistics that the layer held "before" or "after" the prediction `name`, where one can rest on them."""
    mean, var = (seen[f"{statistic} {when} {name}"] for statistic in STATISTICS)
    return usable(mean, var, width)


def _by_held(name: str, parameters: Batch, x: np.ndarray, case: Batches, seen: Observation) -> list[np.ndarray]:
    """What the statistics give that the layer held before the prediction `name`, and those that it held after."""
    helds = [_held(name, when, seen, x.shape[1]) for when in ("before", "after")]  # that they move is another promise
    return [
        parameters["gamma"] * (x - mean) / np.sqrt(var + case.eps) + parameters["beta"]
        for mean, var in filter(None, helds)
    ]


def _judge_prediction(
    label: str, name: str, parameters: Batch, x: np.ndarray, case: Batches, seen: Observation, expected: Observation
) -> None:
    """An output is that of the statistics which the layer held, or that of the reference."""
    y = output_of(seen[name], x, label)
    candidates = [*_by_held(name, parameters, x, case, seen), expected[name]]
    held = _held(name, "before", seen, x.shape[1])
    known = dict(zip(STATISTICS, held, strict=True)) if held else {}
    words = partial(formula_in_words, label, y, {**parameters, "x": x}, case.eps, known)
    in_words(words, either, candidates, lambda wanted: close_by_column(label, y, wanted, parameters))


@batch_norm_inference.check(points=1.25, on="batches")
def test_prediction(case: Batches, seen: Observation, expected: Observation) -> None:
    """With `training = False` the output comes from the running statistics, gamma, beta and eps."""
    batch, first = case.prediction, case.batches[0]
    label = _("With training = False, forward(x)")
    try:
        _judge_prediction(label, "y", batch, batch["x"], case, seen, expected)
    except Failed:
        if _is_own_formula(case, seen):
            return
        _require_branch(case, seen)
        raise
    label = _("With training = False, after gamma and beta were changed, forward(x)")
    _judge_prediction(label, "y other", first, batch["x"][::-1], case, seen, expected)
    if _held("y later", "before", seen, batch["x"].shape[1]) is not None:
        label = _("With training = False, after more training, forward(x)")
        _judge_prediction(label, "y later", batch, batch["x"], case, seen, expected)


def _require_branch(case: Batches, seen: Observation) -> None:
    """`Failed` where a prediction is nothing else than a training forward, or does not see the running statistics."""
    apart, as_trained = _rows_are_apart(case, seen), _is_as_trained("y", case, seen)
    if as_trained and not apart:
        raise Failed(
            _(
                "With training = False, forward(x) is what it is in training: it uses the statistics of x. "
                "Is there a branch for inference yet?"
            ),
            unwritten=True,
        )
    loaded = seen.get("y loaded")
    if apart and not as_trained and same(alone(seen["y"]), alone(loaded)):
        raise Failed(_("With training = False, forward(x) is the same whatever running_mean and running_var are."))


def _is_as_trained(name: str, case: Batches, seen: Observation) -> bool:
    """Whether the prediction `name` is what the own training forward makes of the batch."""
    x = case.prediction["x"]
    try:
        y, trained = (output_of(seen[output], x) for output in (name, "y as trained"))
    except (Failed, StudentError):
        return False
    return is_close(y, trained, output_scale(trained, case.prediction))


def _rows_are_apart(case: Batches, seen: Observation) -> bool:
    """Whether a row is predicted alone as among the others."""
    return holds(_judge_row, case, seen)


def _is_own_formula(case: Batches, seen: Observation) -> bool:
    """Whether a prediction is the own training formula, right or wrong, with the running statistics.

    Given the statistics of the batch it is then what training makes of it, and given others it is not. Either way it
    moves and stretches the columns of this very batch.
    """
    x, other = case.prediction["x"], not _is_as_trained("y", case, seen)
    as_trained = other and _is_as_trained("y loaded", case, seen) and _rows_are_apart(case, seen)
    return as_trained and is_straight(x, output_of(seen["y"], x))


@batch_norm_inference.check(points=0.25, on="batches")
def test_single_row(case: Batches, seen: Observation, expected: Observation) -> None:
    """In inference mode, a row has the same output alone as among other rows."""
    try:
        _judge_row(case, seen)
    except Failed:
        _require_branch(case, seen)
        raise


def _judge_row(case: Batches, seen: Observation) -> None:
    batch, row = case.prediction, case.prediction["x"][:1]
    label = _("With training = False, forward(x[:1])")
    y = output_of(seen["y row"], row, label)
    among_others = output_of(seen["y"], batch["x"], _("With training = False, forward(x)"))[:1]
    candidates = [among_others, *_by_held("y row", batch, row, case, seen)]

    def words() -> str:
        return _("Among other rows, the same row has another output.")

    in_words(words, either, candidates, lambda wanted: close_by_column(label, y, wanted, batch))


@batch_norm_inference.check(points=0.5, on="batches")
def test_prediction_learns_nothing(case: Batches, seen: Observation, expected: Observation) -> None:
    """Inference changes neither running statistic, nor x."""
    seen["y of batch 0"]  # told, if it raised
    if not _have_moved(seen):
        message = _("The running statistics have not moved in training, so there was nothing to keep.")
        raise Failed(message, unwritten=True)
    for name in STATISTICS:
        before = numbers(seen[f"{name} before y"])
        if before is not None:  # what it should be is asked elsewhere
            unchanged(name, before, numbers(seen[f"{name} after y row"]))
    unchanged("x", case.prediction["x"], seen["x"])


def _have_moved(seen: Observation) -> bool:
    statistics = [
        (numbers(seen[f"{name} after backward"]), start) for name, start in zip(STATISTICS, (0, 1), strict=True)
    ]
    return any(np.any(np.isfinite(a) & (a != start)) for a, start in statistics if a is not None)


@batch_norm_inference.check(points=0.5, on="batches")
def test_backward_of_prediction(case: Batches, seen: Observation, expected: Observation) -> None:
    """In inference mode, backward is the derivative of the inference forward, for gamma and beta, too."""
    seen["y of backward"]  # told, if it raised
    _require_own_rows(case, seen)
    candidates = [expected, *_own_gradients(case, seen)]
    for gradient, label in GRADIENTS.items():
        if gradient != "dx" and not _right_in_training(gradient, case, seen, expected):
            continue  # charged there
        got = one_array(label, seen[gradient])

        def judge(right: Any, gradient: str = gradient, label: str = label, got: Any = got) -> None:
            close(label, got, right[gradient], natural_scale(gradient, case.prediction, right[gradient]))

        try:
            either(candidates, judge)
        except Failed as failed:
            _require_branch(case, seen)
            if gradient == "dx" and not _right_in_training("dx", case, seen, expected):
                text = _("In training, backward(dout) is not right yet either: get batch_norm_backward right first.")
                failed.words = text
            raise
    if same(seen["dout of training"], case.batches[-1]["dout"]):  # else it is charged in batch_norm_backward
        unchanged("dout", case.prediction["dout"], seen["dout"])


def _require_own_rows(case: Batches, seen: Observation) -> None:
    """`StudentError` with its reason where backward stumbles over what the last training forward kept."""
    raised = seen.raised("dx")
    kept, rows = len(case.batches[-1]["x"]), len(case.prediction["x"])
    if raised and kept != rows and {kept, rows} <= {int(n) for n in re.findall(r"\b\d{1,3}\b", raised.message)}:
        text = _(
            "backward meets an array of {kept} rows, as many as the last training batch had, and one of {rows}, as "
            "many as the batch in inference: with training = False, does forward keep what backward needs?"
        )
        raise StudentError(raised, text.format(kept=kept, rows=rows))


def _right_in_training(gradient: str, case: Batches, seen: Observation, expected: Observation) -> bool:
    """Whether backward gave the right gradient in training."""
    name, last = f"{gradient} of training", case.batches[-1]
    y, spread = seen.get(f"y of batch {len(case.batches) - 1}"), spread_of(last, case.eps)
    right = [found[gradient] for found in right_gradients(last, y, {gradient: expected[name]})]
    return any(is_close(seen.get(name), one, natural_scale(gradient, last, one, spread)) for one in right)


def _own_gradients(case: Batches, seen: Observation) -> list[dict[str, np.ndarray]]:
    """The derivative of the own prediction, if it shows that a row does not depend on the others."""
    batch, dout = case.prediction, case.prediction["dout"]
    if not _rows_are_apart(case, seen):
        return []
    x_hat = shown_x_hat(seen["y of backward"], batch)
    slope = column_slope(batch["x"], x_hat)
    return [{"dx": dout * batch["gamma"] * slope, "dgamma": (dout * x_hat).sum(axis=0), "dbeta": dout.sum(axis=0)}]


@batch_norm_inference.check(points=0.25, on="batches")
def test_back_in_training(case: Batches, seen: Observation, expected: Observation) -> None:
    """After inference, training goes on as if there had been none."""
    if not _have_moved(seen):  # so there is no other mode to come back from, unless it predicts
        test_prediction(case, seen, expected)
    first = case.batches[0]
    x = first["x"][::-1]
    # What a training step gives is another exercise: it need only be what it is in a layer that has never predicted.
    label, new = _("Back in training after inference, {name}"), seen.get("dx new")
    back = output_of(seen["y back"], x)
    close_by_column(label.format(name="forward(x)"), back, output_of(seen["y new"], x), first)
    if isinstance(new, np.ndarray) and new.shape == x.shape and np.isfinite(new).all():
        close(
            label.format(name="backward(dout)"),
            seen["dx back"],
            new,
            natural_scale("dx", first, new, spread_of(first, case.eps)),
        )
