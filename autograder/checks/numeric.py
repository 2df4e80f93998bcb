"""Numbers for checks: central differences, comparison on a natural scale, and words for patterns of errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.locale import _

TOLERANCE = 1e-5
"""The largest accepted error, as a share of the natural scale. The weakest known mistake is 250 times above it (10
draws); float32 reaches half of it (400 draws), for a prediction 20 standard deviations from the mean."""


def written(value: float, digits: int = 6) -> str:
    """A number as people write it.

    >>> written(1e-7)
    '1e-7'
    """
    return re.sub(r"(e[-+])0", r"\1", f"{value:.{digits}g}")


def central_differences(
    f: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    upstream: np.ndarray,
    step: np.ndarray | float,
    by_row: bool = False,
) -> np.ndarray:
    """The gradient of sum(upstream * f(x)) with respect to x, by central differences.

    Args:
        f: maps an array like `x` to one like `upstream`; it may keep or change its argument.
        x: the point, of any shape; not changed.
        upstream: dL/df, of the shape of f(x).
        step: half the width of each difference, broadcast against `x`. 1e-5 times the spread of a column keeps the
            error of a float64 function near 1e-10 of the gradient's scale.
        by_row: move all elements of a row together, for functions whose columns do not depend on each other. The last
            axis of `x` and of f(x) is then that of the columns.

    Returns:
        An array of `x`'s shape. Outputs are subtracted before they are weighted, which loses fewer digits than
        subtracting two losses.

    >>> central_differences(np.square, np.array([1.0, 3.0]), upstream=np.ones(2), step=1e-5).round(6)
    array([2., 6.])
    """
    gradient = np.zeros(x.shape)
    steps = np.broadcast_to(step, x.shape)
    summed = tuple(range(upstream.ndim - 1)) if by_row else None
    for index in np.ndindex(x.shape[:-1] if by_row else x.shape):
        above, below = x.copy(), x.copy()
        above[index] += steps[index]
        below[index] -= steps[index]
        width = above[index] - below[index]
        # Copies: f may return the same buffer every time.
        difference = np.array(f(above), dtype=float) - np.array(f(below), dtype=float)
        gradient[index] = np.sum(upstream * difference, axis=summed) / width
    return gradient


@dataclass(frozen=True)
class Mismatch:
    """How `got` differs from `expected`, which has the same shape, measured against `scale`.

    Attributes:
        index: where the error is largest; () for a number.
        got, expected: the values there.
        error: the error there, as a share of the natural scale (inf if `got` is not finite).
        share: the share of elements beyond the tolerance.
        size: the number of elements.
        pattern: words for a pattern of the error, or "".
        picture: the errors, one string per row of the array, in the characters of `SHADES`; empty if they have no
            pattern.
    """

    index: tuple[int, ...]
    got: float
    expected: float
    error: float
    share: float
    size: int
    pattern: str
    picture: tuple[str, ...] = ()


SHADES = "·░▒▓█"
"""An element within the tolerance, and errors up to 1e-3, 0.1, 1 and more of the natural scale."""

MAX_PICTURE = 12
"""The largest number of rows and columns of a picture."""


@np.errstate(all="ignore")  # gradients may have exploded
def errors_of(got: np.ndarray, expected: np.ndarray, scale: Any) -> np.ndarray:
    """|got - expected| as a share of the natural scale, see `compare`."""
    return np.abs(got - expected) / _natural(scale, expected)


def _natural(scale: Any, expected: np.ndarray) -> np.ndarray:
    scale = np.max(np.abs(expected)) if scale is None else np.asarray(scale)
    return np.where(scale > 0, scale, 1.0)


def compare(got: np.ndarray, expected: np.ndarray, scale: np.ndarray | float | None = None) -> Mismatch | None:
    """None if every |got - expected| is within `TOLERANCE * scale`, otherwise where and how they differ.

    Args:
        got, expected: arrays of one shape, or numbers.
        scale: the natural scale of each element, broadcast against `expected`; by default the largest |expected|.
            Zeros count as 1.

    >>> compare([1.0, -2.0], [1.0, 2.0]).index
    (1,)
    """
    integers = np.asarray(got).dtype.kind in "iu"
    got, expected = np.asarray(got, dtype=float), np.asarray(expected, dtype=float)
    if expected.size == 0:
        return None
    error = errors_of(got, expected, scale)
    largest = float(error.max())
    for errors in _watching:
        errors.append((largest if np.isfinite(largest) else np.inf) / TOLERANCE)
    if largest <= TOLERANCE:  # False for NaN
        return None
    error = np.where(np.isfinite(error), error, np.inf)
    wrong = error > TOLERANCE
    # Where both are NaN nobody can see a difference: any other place says more.
    index = np.unravel_index(np.argmax(np.where(np.isnan(got) & np.isnan(expected), TOLERANCE, error)), error.shape)
    return Mismatch(
        index=tuple(int(i) for i in index),
        got=float(got[index]),
        expected=float(expected[index]),
        error=float(error[index]),
        share=float(wrong.mean()),
        size=error.size,
        pattern=_cut_off(got, expected, integers) or _pattern(got, expected, _natural(scale, expected), wrong),
        picture=_picture(error, wrong),
    )


_watching: list[list[float]] = []


@contextmanager
def watch() -> Iterator[list[float]]:
    """Collect the largest error of every comparison in the body, as a multiple of the tolerance."""
    errors: list[float] = []
    _watching.append(errors)
    try:
        yield errors
    finally:
        _watching.remove(errors)


def _picture(error: np.ndarray, wrong: np.ndarray) -> tuple[str, ...]:
    """Where some lines of the array are right and others are not, a picture of which; none if it would lie beyond."""
    if error.ndim != 2 or wrong.sum() < 2 or not (_some(wrong, axis=0) or _some(wrong, axis=1)):
        return ()
    shades = np.where(wrong, 1 + np.searchsorted([1e-3, 0.1, 1.0], error), 0)[:MAX_PICTURE, :MAX_PICTURE]
    return tuple("".join(SHADES[shade] for shade in row) for row in shades) if shades.any() else ()


def _some(wrong: np.ndarray, axis: int) -> list[int]:
    """The lines across `axis` that have a wrong element; empty if every line has one."""
    bad = wrong.any(axis=axis)
    return [] if bad.all() else [int(i) for i in np.flatnonzero(bad)]


@np.errstate(all="ignore")
def _cut_off(got: np.ndarray, expected: np.ndarray, integers: bool) -> str:
    """Words for the right values without their decimals; "" if these are not they.

    Zeros alone may as well be values that nobody has computed, unless they are integers.
    """
    cuts = (cut(expected) for cut in (np.trunc, np.floor, np.rint))
    fractions = np.any(expected != np.rint(expected))
    if got.size < 2 or not fractions or not any(np.array_equal(got, cut) for cut in cuts):
        return ""
    if got.any():
        return _(
            "these are the right values without their decimals, as an array of integers keeps them (see its dtype)"
        )
    return _("everything is zero, and an integer, which keeps no decimals (see the dtype)") if integers else ""


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) <= TOLERANCE * abs(value)


@np.errstate(all="ignore")
def _pattern(got: np.ndarray, expected: np.ndarray, scale: np.ndarray, wrong: np.ndarray) -> str:
    """Words for a pattern that explains the error; "" if there is none."""
    if got.size > 1 and np.isnan(got).any():
        return _("it contains NaN, as the root of a negative number is, or 0 divided by 0")
    if got.size > 1 and np.isinf(got).any():
        return _("it contains infinite values")

    def explains(candidate: np.ndarray) -> bool:
        rest = np.abs(got - candidate)
        return bool(np.all((rest <= 100 * TOLERANCE * scale) & ((rest <= 0.01 * np.abs(got - expected)) | ~wrong)))

    if got.size > 1 and not got.any():
        return _("everything is zero")
    if wrong.all() and expected.any() and explains(-expected):
        return _("the sign is wrong everywhere")
    if got.size > 1 and wrong.all():
        unit = expected / scale
        factor = float(np.sum(got / scale * unit) / max(np.sum(unit**2), np.finfo(float).tiny))
        if abs(factor) > 1e-3 and abs(factor - 1) > 1e-3 and explains(factor * expected):
            times = f"1/{1 / factor:.0f}" if 0 < factor < 0.6 and _is_whole(1 / factor) else f"{factor:.4g}"
            return _("every element is {factor} times the right value").format(factor=times)
    if got.ndim == 2:
        rows, columns = got.shape
        if rows == columns and rows > 1 and explains(expected.T):
            return _("it is the transpose of the right array")
        if wrong.sum() > 1 and (bad := _some(wrong, axis=0)):
            return _("only some columns are wrong: {columns}").format(columns=", ".join(map(str, bad)))
        if wrong.sum() > 1 and (bad := _some(wrong, axis=1)):
            return _("only some rows are wrong: {rows}").format(rows=", ".join(map(str, bad)))
    return ""
