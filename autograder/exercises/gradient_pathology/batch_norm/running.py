"""What the running statistics should be after each training batch, and by which rule they move.

A batch's statistics are its own, or those with which the student's forward has normalised it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from autograder.checks.exercise import Failed, Observation
from autograder.checks.expect import close, is_close
from autograder.checks.values import numbers
from autograder.exercises.gradient_pathology.batch_norm.shared import (
    Batch,
    Batches,
    column_slope,
    is_straight,
    shown_x_hat,
)
from autograder.exercises.gradient_pathology.batch_norm.words import reductions, variances
from autograder.locale import _

STATISTICS = ("running_mean", "running_var")


def usable(mean: Any, var: Any, width: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Both statistics with one finite number for each column, whatever their shape; None if they are nothing such."""
    mean, var = numbers(mean), numbers(var)
    if any(a is None or a.size != width or a.dtype.kind not in "iuf" for a in (mean, var)):
        return None
    mean, var = mean.reshape(width).astype(float), var.reshape(width).astype(float)
    return (mean, var) if np.isfinite([mean, var]).all() and (var >= 0).all() else None


def running(name: str, case: Batches, seen: Observation, own: bool) -> list[np.ndarray]:
    """The running statistic after each batch, of the batches' statistics or of those that the own forward used."""
    values = [_start(name, case)]
    for statistic in _of_batches(name, case, seen, own):
        values.append(case.momentum * values[-1] + (1 - case.momentum) * statistic)
    return values[1:]


def _start(name: str, case: Batches) -> np.ndarray:
    return np.full(case.width, float(name == "running_var"))


def _of_batches(name: str, case: Batches, seen: Observation, own: bool) -> list[np.ndarray]:
    """The mean or the variance of each batch, or those that the own forward used."""
    statistics = []
    for i, batch in enumerate(case.batches):
        moments = batch["x"].mean(axis=0), batch["x"].var(axis=0)
        if own:
            moments = _used_statistics(seen[f"y of batch {i}"], batch, case.eps) or moments
        statistics.append(moments[STATISTICS.index(name)])
    return statistics


def _after_batches(name: str, case: Batches, seen: Observation) -> list[np.ndarray] | None:
    """The running statistic after each batch, if it is one finite number for each column."""
    shape = (case.width,)
    after = []
    for i in range(len(case.batches)):
        value = numbers(seen[f"{name} of batch {i}"])
        if value is None or value.shape != shape or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
            return None
        after.append(value)
    return after


def rule_in_words(name: str, case: Batches, seen: Observation) -> str:
    """By which rule a running statistic moves, if it is like the right one; else ""."""
    start, after = _start(name, case), _after_batches(name, case, seen)
    if after is None:
        return ""
    if all(np.array_equal(value, start) for value in after):
        return _("{name} never moves.").format(name=name)
    message = _("{name} moves as {rule}, and momentum is {momentum:.4g}.")
    takes_in = _what_it_takes_in([start, *after], case)
    if takes_in:
        rule = f"{case.momentum:.4g} * {name} + {1 - case.momentum:.4g} * {takes_in}"
        return message.format(name=name, rule=rule, momentum=case.momentum)
    for own in (False, True):
        taken_in = _of_batches(name, case, seen, own)
        weights = _weights([start, *after[:-1]], taken_in, after)
        if weights is not None:
            old, new = weights.round(6) + 0.0
            rule = f"{old:.4g} * {name} + {new:.4g} * {name.removeprefix('running_')}"
            return message.format(name=name, rule=rule, momentum=case.momentum)
        first = (after[0] - (1 - case.momentum) * taken_in[0]) / case.momentum
        moved = [case.momentum * old + (1 - case.momentum) * new for old, new in zip(after, taken_in[1:], strict=False)]
        goes_on = all(is_close(got, right, np.abs(right).max()) for got, right in zip(after[1:], moved, strict=True))
        if goes_on and is_close(first, np.full_like(first, first[0]), 1.0) and not is_close(first, start):
            message = _("{name} starts at {start:.4g}; __init__ is given with {right:.4g}.")
            return message.format(name=name, start=first[0] + 0.0, right=start[0])
    return ""


def _what_it_takes_in(values: list[np.ndarray], case: Batches) -> str:
    """What of each batch is taken in with the right weights, if it is neither its mean nor its variance."""
    taken = [(new - case.momentum * old) / (1 - case.momentum) for old, new in pairwise(values)]
    named = [
        variances(batch["x"]) | reductions("x", batch["x"]) | {"x.std(axis=0)": batch["x"].std(axis=0)}
        for batch in case.batches
    ]
    for words in named[0]:
        wanted = (np.broadcast_to(batch[words], got.shape) for batch, got in zip(named, taken, strict=True))
        same = all(is_close(got, one, np.abs(got).max()) for got, one in zip(taken, wanted, strict=True))
        if same and words not in ("x.mean(axis=0)", "x.var(axis=0)"):
            return words
    return ""


def _weights(before: list[np.ndarray], taken_in: list[np.ndarray], after: list[np.ndarray]) -> np.ndarray | None:
    """How many times the statistic before each batch, and what it takes in there, make it up; None if they do not."""
    parts, wanted = np.stack([np.concatenate(before), np.concatenate(taken_in)], axis=1), np.concatenate(after)
    weights, _residuals, rank, _values = np.linalg.lstsq(parts, wanted, rcond=None)
    if len(wanted) < 6 or rank < 2:  # a few numbers fit nearly anything
        return None
    return weights if is_close(parts @ weights, wanted, np.abs(wanted).max()) else None


def _used_statistics(y: Any, batch: Batch, eps: float) -> tuple[np.ndarray, np.ndarray] | None:
    """The mean and the variance with which a forward has normalised its batch; None if it did something else."""
    x = batch["x"]
    try:
        x_hat = shown_x_hat(y, batch)
    except Failed:
        return None
    slope = column_slope(x, x_hat)
    if not slope.all() or not is_straight(x, x_hat):
        return None
    return x.mean(axis=0) - x_hat.mean(axis=0) / slope, slope**-2.0 - eps


def judge_running(name: str, case: Batches, seen: Observation, wanted: list[np.ndarray]) -> None:
    """The running statistic is the one wanted after each batch."""
    for i, (batch, right) in enumerate(zip(case.batches, wanted, strict=True)):
        spread = np.ptp(batch["x"], axis=0) ** (2 if name == "running_var" else 1)
        label = _("After training batch {n}, {name}").format(name=name, n=i + 1)
        close(label, seen[f"{name} of batch {i}"], right, scale=np.maximum(spread, np.abs(right)))
