"""Comparisons for checks: type, then shape, then values, each with its own message.

All functions take the `name` by which a student knows the value, and raise `Failed` with a message for the student.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.checks.exercise import Failed
from autograder.checks.numeric import TOLERANCE, Mismatch, compare
from autograder.checks.values import Opaque, numbers
from autograder.locale import _


def kind_of(value: Any) -> str:
    """What `value` is, in words a student knows, such as "an array of shape (3, 2)"."""
    if value is None:
        return "None"
    if type(value) is Opaque:
        return value.type
    if isinstance(value, np.ndarray):
        return _("an array of shape {shape}").format(shape=value.shape)
    if type(value) in (list, tuple):
        return _("a {type} of length {n}").format(type=type(value).__name__, n=len(value))
    if type(value) in (int, float, bool, str):
        return f"{type(value).__name__} {value!r:.60}"
    return type(value).__name__


def number(name: str, value: Any) -> float:
    """`value` as a float.

    Args:
        value: a real number, a NumPy scalar, or an array with one element.

    Raises:
        Failed: it is something else.

    >>> number("total_norm", np.array([2.5]))
    2.5
    """
    if type(value) in (int, float) or isinstance(value, (np.number, np.ndarray)):
        array = np.asarray(value)
        if array.size == 1 and array.dtype.kind in "iuf":
            return float(array.reshape(())[()])
    raise Failed(_("{name} should be a number, but it is {kind}.").format(name=name, kind=kind_of(value)))


def is_pair(value: Any) -> bool:
    """Whether `pair` accepts `value`."""
    return (type(value) in (tuple, list) or isinstance(value, np.ndarray) and value.ndim == 1) and len(value) == 2


def pair(name: str, value: Any) -> tuple[Any, Any]:
    """The two items of `value`, a tuple, a list, or an array of shape (2,).

    Raises:
        Failed: it is something else.

    >>> pair("clip_gradients(...)", (2.5, 0.4))
    (2.5, 0.4)
    """
    if is_pair(value):
        return value[0], value[1]
    raise Failed(_("{name} should be a pair of values, but it is {kind}.").format(name=name, kind=kind_of(value)))


def array(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`value` as a float array.

    Args:
        value: an array, a number, or nested lists or tuples of numbers.
        shape: the required shape.

    Raises:
        Failed: it is not numeric, or has another shape.

    >>> array("norms", [1, 2], shape=(2,))
    array([1., 2.])
    """
    if value is None:
        raise Failed(_("{name} is None: nothing was returned or set.").format(name=name))
    got = numbers(value)
    if got is None or got.dtype.kind not in "iuf":
        raise Failed(
            _("{name} should be an array of shape {shape}, but it is {kind}.").format(
                name=name, shape=shape, kind=kind_of(value)
            )
        )
    if got.shape != shape:
        raise Failed(
            _("{name} should have shape {shape}, but it has shape {got}.").format(name=name, shape=shape, got=got.shape)
        )
    return got.astype(float)


def close(name: str, got: Any, expected: Any, scale: Any = None, tolerance: float = TOLERANCE) -> None:
    """Require that `got` has the type and shape of `expected` and is within the tolerance.

    Args:
        expected: a number or an array.
        scale: the natural scale, broadcast against `expected`; by default the largest |expected|.
        tolerance: the largest accepted error, as a share of the scale.

    Raises:
        Failed: it is not; the message says where and how they differ, and `picture` shows it.

    >>> close("forward(x)", seen["y"], expected["y"])
    """
    wanted = np.asarray(expected, dtype=float)
    values = array(name, got, wanted.shape) if wanted.ndim else np.asarray(number(name, got))
    mismatch = compare(values, wanted, scale, tolerance)
    if mismatch is not None:
        raise Failed(describe(name, mismatch), picture=mismatch.picture)


def is_close(name: str, got: Any, expected: Any, scale: Any = None) -> bool:
    """Whether `close` accepts `got`."""
    try:
        close(name, got, expected, scale)
    except Failed:
        return False
    return True


def unchanged(name: str, before: np.ndarray, after: Any) -> None:
    """Require that the array `after` equals `before` exactly (NaN equals NaN).

    Raises:
        Failed: it was changed.

    >>> unchanged("x", case.x, seen["x"])
    """
    if not isinstance(after, np.ndarray) or not _equal(before, after):
        raise Failed(_("{name} should stay as it was, but it was changed.").format(name=name))


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    if (one.dtype, one.shape) == (other.dtype, other.shape) and one.tobytes() == other.tobytes():
        return True  # the usual case, ten times as fast
    return np.array_equal(one, other, equal_nan=True)


def same(one: Any, other: Any) -> bool:
    """Whether two pieces of plain data have equal values: NaN equals NaN, and NumPy numbers equal Python numbers."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    kinds = (int, float, np.number, np.ndarray)
    if isinstance(one, kinds) and isinstance(other, kinds):
        return np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind in "fc")
    return type(one) is type(other) and one == other


def describe(name: str, mismatch: Mismatch) -> str:
    """A mismatch in words: where, the value, the expected value, the error, the count, and any pattern."""
    where = f"{name}[{', '.join(map(str, mismatch.index))}]" if mismatch.index else name
    digits = 6 if mismatch.error > 1e-3 else 10  # enough to show the difference
    got, expected = f"{mismatch.got:.{digits}g}", f"{mismatch.expected:.{digits}g}"
    parts = [_("{where} is {got}, but {expected} was expected").format(where=where, got=got, expected=expected)]
    if np.isfinite(mismatch.error):
        parts.append(_("the error is {error:.2g} times the natural scale").format(error=mismatch.error))
    if mismatch.index:
        wrong = round(mismatch.share * mismatch.size)
        parts.append(_("{wrong} of {n} elements are off").format(wrong=wrong, n=mismatch.size))
    if mismatch.pattern:
        parts.append(mismatch.pattern)
    return _("{statements}.").format(statements=_("; ").join(parts))
