"""What checks say about values: a ladder of type, shape and numbers, each rung with its own sentence.

All take the `name` that a student knows the value by, and raise `Failed`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.checks.exercise import Failed
from autograder.checks.numeric import TOLERANCE, Mismatch, compare
from autograder.checks.values import Opaque
from autograder.locale import _


def kind_of(value: Any) -> str:
    """What `value` is, in words a student knows."""
    if value is None:
        return "None"
    if type(value) is Opaque:
        return value.type
    if isinstance(value, np.ndarray):
        return _("an array of shape {shape}").format(shape=value.shape)
    if type(value) in (list, tuple):
        return _("a {type} of {n} items").format(type=type(value).__name__, n=len(value))
    if type(value) in (int, float, bool, str):
        return f"{type(value).__name__} {value!r:.60}"
    return type(value).__name__


def number(name: str, value: Any) -> float:
    """`value` as a float; any real number will do, a NumPy scalar or an array of one element too."""
    if type(value) in (int, float) or isinstance(value, (np.number, np.ndarray)):
        array = np.asarray(value)
        if array.size == 1 and array.dtype.kind in "iuf":
            return float(array.reshape(())[()])
    raise Failed(_("{name} should be a number, but it is {kind}.").format(name=name, kind=kind_of(value)))


def is_pair(value: Any) -> bool:
    """Whether `pair` would be content."""
    return (type(value) in (tuple, list) or isinstance(value, np.ndarray) and value.ndim == 1) and len(value) == 2


def pair(name: str, value: Any) -> tuple[Any, Any]:
    """The two items of `value`."""
    if is_pair(value):
        return value[0], value[1]
    raise Failed(_("{name} should be a pair of values, but it is {kind}.").format(name=name, kind=kind_of(value)))


def array(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`value` as a float array of `shape`; nested lists or tuples of numbers will do."""
    if value is None:
        raise Failed(_("{name} is None: nothing was returned or set.").format(name=name))
    numbers = None
    if isinstance(value, (np.ndarray, np.number, list, tuple, int, float)) and type(value) is not bool:
        try:
            numbers = np.asarray(value)
        except ValueError:  # ragged
            pass
    if numbers is None or numbers.dtype.kind not in "iuf":
        raise Failed(
            _("{name} should be an array of shape {shape}, but it is {kind}.").format(
                name=name, shape=shape, kind=kind_of(value)
            )
        )
    if numbers.shape != shape:
        raise Failed(
            _("{name} should have shape {shape}, but it has shape {got}.").format(
                name=name, shape=shape, got=numbers.shape
            )
        )
    return numbers.astype(float)


def close(name: str, got: Any, expected: Any, scale: Any = None, tolerance: float = TOLERANCE) -> None:
    """`got` has the type and shape of `expected` and differs by at most `tolerance` of the natural `scale`."""
    wanted = np.asarray(expected, dtype=float)
    numbers = array(name, got, wanted.shape) if wanted.ndim else np.asarray(number(name, got))
    mismatch = compare(numbers, wanted, scale, tolerance)
    if mismatch is not None:
        raise Failed(describe(name, mismatch), picture=mismatch.picture)


def is_close(name: str, got: Any, expected: Any, scale: Any = None) -> bool:
    """Whether `close` would be content."""
    try:
        close(name, got, expected, scale)
    except Failed:
        return False
    return True


def unchanged(name: str, before: np.ndarray, after: Any) -> None:
    """The array `after` is `before`, bit for bit (NaN equals NaN)."""
    if not isinstance(after, np.ndarray) or not _equal(before, after):
        raise Failed(_("{name} should stay as it was, but it was changed.").format(name=name))


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    if (one.dtype, one.shape) == (other.dtype, other.shape) and one.tobytes() == other.tobytes():
        return True  # as nearly always, and told ten times as fast
    return np.array_equal(one, other, equal_nan=True)


def same(one: Any, other: Any) -> bool:
    """Whether two pieces of plain data are equal by value: NaN equals NaN, and a NumPy number equals a Python one."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    numbers = (int, float, np.number, np.ndarray)
    if isinstance(one, numbers) and isinstance(other, numbers):
        return np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind in "fc")
    return type(one) is type(other) and one == other


def describe(name: str, mismatch: Mismatch) -> str:
    """A mismatch in words: where, what was seen and expected, how far off, how many, and any regularity."""
    where = f"{name}[{', '.join(map(str, mismatch.index))}]" if mismatch.index else name
    digits = 6 if mismatch.error > 1e-3 else 10  # enough to tell the two apart
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
