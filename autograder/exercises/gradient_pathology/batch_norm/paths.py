"""How dx is put together: dout handed on, and what comes through the mean and through the variance.

Where a path is not summed over the batch, or along the rows, it hides what the others give. In every column dx is then
a sum of dout and two other vectors, which show how each path was summed; the others are judged without that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, product

import numpy as np

from autograder.checks.expect import is_close
from autograder.exercises.gradient_pathology.batch_norm.shared import Batch
from autograder.locale import _

NEARLY = 1e-3
"""What fits better than this is looked at more closely."""

MEAN, VARIANCE = "mean", "variance"
UNSUMMED, CANCELLED, ALONG_ROWS, BATCH = "unsummed", "cancelled", "along rows", "over the batch"


@dataclass(frozen=True)
class Reading:
    """One way of reading a dx.

    Attributes:
        factor: how many times it hands dout on, by column.
        dx: what is left of it without the paths that are summed the wrong way.
        wrong: these paths, and how each is summed.
        certain: whether no other reading makes as much of it.
    """

    factor: np.ndarray
    dx: np.ndarray
    wrong: Mapping[str, str] = field(default_factory=dict)
    certain: bool = True


def readings(dx: np.ndarray, batch: Batch, x_hat: np.ndarray, root: np.ndarray) -> list[Reading]:
    """All ways of reading `dx`, the likeliest first; none if it is made of other things."""
    scale = np.abs(dx).max(axis=0)
    if not scale.all():
        return []
    pairs = list(product(_means(batch, x_hat, root), _variances(batch, x_hat, root)))
    usual, unusual = pairs[:1], pairs[1:]
    for (by_mean, mean), (by_variance, variance) in chain(usual, _fitting(dx, batch["dout"], unusual)):
        direct, through_mean, through_variance = parts = _parts(dx, np.stack([(batch["dout"], mean, variance)]))[0]
        if not is_close(dx, sum(parts), scale):
            continue
        ways = ((MEAN, by_mean, through_mean), (VARIANCE, by_variance, through_variance))
        wrong = {way: how for way, how, _part in ways if how != BATCH}
        rest = sum((part for _way, how, part in ways if how == BATCH), direct)
        slope = batch["gamma"] / root
        handed_on = not is_close(direct, np.zeros_like(dx), np.abs(slope * batch["dout"]).max(axis=0))
        factor = (direct * batch["dout"]).sum(axis=0) / np.square(batch["dout"]).sum(axis=0)
        found = [Reading(factor, rest, wrong)] if handed_on else []
        if VARIANCE in wrong:  # what it should not have given may have gone on through the mean
            found += [replace(one, dx=one.dx + through_variance.mean(axis=0)) for one in found]
        if by_mean == BATCH and is_close(through_mean, np.zeros_like(dx), scale):
            # Each dout may have taken its own share of the mean alone: 1 / N of it is missing then, or all of it.
            whole, how = (factor * len(dx) / (len(dx) - 1), UNSUMMED) if handed_on else (slope, CANCELLED)
            found.append(Reading(whole, rest - direct + whole * batch["dout"], {MEAN: how, **wrong}, certain=False))
        return found
    return []


def factor_of(dx: np.ndarray, batch: Batch, x_hat: np.ndarray) -> np.ndarray:
    """How many times a `dx` that is summed over the batch hands dout on, by column."""
    dout = batch["dout"]
    return _parts(dx, np.stack([(dout, np.ones_like(dx), x_hat)]))[0][0][0] / dout[0]


def _parts(dx: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """The multiples of `terms` (ways, 3, N, D), by column, whose sum comes nearest to `dx`: for all ways at once."""
    units = terms / np.abs(terms).max(axis=2, keepdims=True)
    shares = np.linalg.pinv(units.transpose(0, 3, 2, 1)) @ dx.T[:, :, None]  # (ways, D, 3, 1)
    return units * shares.transpose(0, 2, 3, 1)


def _fitting(dx: np.ndarray, dout: np.ndarray, pairs: list) -> Iterator:
    """The `pairs` of vectors with which dx is nearly a sum of dout and both: asked only if it is no usual one."""
    terms = np.stack([(dout, mean, variance) for (_how, mean), (_other, variance) in pairs])
    errors = np.abs(_parts(dx, terms).sum(axis=1) - dx).max(axis=1) / np.abs(dx).max(axis=0)
    yield from (pair for pair, error in zip(pairs, errors, strict=True) if error.max() < NEARLY)


def _means(batch: Batch, x_hat: np.ndarray, root: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """What comes through the mean is a multiple of, in a column: of ones where it is summed over the batch."""
    dx_hat = batch["dout"] * batch["gamma"]
    centred = dx_hat - x_hat * (dx_hat * x_hat).mean(axis=0)  # what comes through the variance may go on here
    by_row = (dx_hat / root, dx_hat, batch["dout"] / root, batch["dout"], centred / root)
    return [(BATCH, np.ones_like(x_hat)), *((ALONG_ROWS, _over_rows(values)) for values in by_row)]


def _variances(batch: Batch, x_hat: np.ndarray, root: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """What comes through the variance is a multiple of: of x_hat where it is summed over the batch."""
    along = batch["dout"] * x_hat
    by_row = (along * batch["gamma"] / root**power for power in (0, 2, 1, -1))  # the roots may stand inside the sum
    rows = ((ALONG_ROWS, x_hat * _over_rows(values)) for values in (*by_row, along))
    return [(BATCH, x_hat), (UNSUMMED, x_hat * along), *rows]


def _over_rows(values: np.ndarray) -> np.ndarray:
    return np.broadcast_to(values.sum(axis=1, keepdims=True), values.shape)


def name_of(way: str) -> str:
    """What students know a path by."""
    return {MEAN: _("the mean"), VARIANCE: _("the variance")}[way]


def wrong_way_in_words(way: str, how: str) -> str:
    """How a path is summed, where that is not over the batch."""
    text = {
        CANCELLED: _(
            "dout itself is not in backward(dout): it is missing, or it is taken off again element by element, where "
            "its mean over the batch should be."
        ),
        UNSUMMED: _("What comes through {way} is not summed over the batch."),
        ALONG_ROWS: _("What comes through {way} is summed within each row, not over the batch."),
    }[how]
    return text.format(way=name_of(way))
