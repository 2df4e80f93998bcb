"""Comparisons for checks: type, then shape, then values, each with its own message.

All functions take the `name` by which a student knows the value, and raise `Failed` with a message for the student.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.checks.exercise import Failed, StudentError
from autograder.checks.numeric import TOLERANCE, Mismatch, compare, errors_of
from autograder.checks.values import Opaque, Raised, numbers
from autograder.locale import _


def kind_of(value: Any) -> str:
    """What `value` is, in words a student knows, such as "an array of shape (3, 2)"."""
    if value is None:
        return "None"
    if type(value) is Opaque:
        return _("an array of texts") if value.type.startswith("ndarray of <U") else value.type
    if isinstance(value, np.ndarray):
        return _("an array of shape {shape}").format(shape=value.shape)
    if type(value) in (list, tuple):
        texts = any(type(item) is str for item in value)
        about = _("a {type} of length {n} that holds texts") if texts else _("a {type} of length {n}")
        return about.format(type=type(value).__name__, n=len(value))
    if type(value) in (bool, np.bool_):
        return str(value)
    if type(value) in (int, float) or isinstance(value, np.number):
        return _("one number, {value:.6g}").format(value=value + 0.0)
    if type(value) is str:
        return _("the text {text}").format(text=f"{value!r:.60}")
    if type(value) is dict:
        keys = ", ".join(f"{key!r:.30}" for key in list(value)[:8])
        return _("a dict with the keys {keys}").format(keys=keys) if value else _("an empty dict")
    return type(value).__name__


def returned(function: str, value: Any, ending: str) -> None:
    """Require that `function` did not return None; `ending` is the line that it should end with.

    >>> returned("gradient_slope", seen["slope"], "return slope")
    """
    if value is None:
        raise Failed(
            _("{function} returned None: is there a `{ending}`?").format(function=function, ending=ending),
            unwritten=True,
        )


def refused(what: str, raised: Raised | None, *accepted: str) -> None:
    """Require that `what` raised one of the exceptions `accepted`, of which the specification names the first.

    >>> refused("NaN", seen.raised("slope"), "ValueError")
    """
    if raised is None:
        text = _("For {what} no exception was raised; the specification asks for {wanted}.")
        raise Failed(text.format(what=what, wanted=accepted[0]), overlooked=True)
    if raised.is_a("NotImplementedError", "NotDefined"):
        raise StudentError(raised)
    if not raised.is_a(*accepted):
        text = _("For {what} your code raised {type} ({message}); the specification asks for {wanted}.")
        raise Failed(text.format(what=what, type=raised.type, message=raised.message or "-", wanted=accepted[0]))


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


def pair(function: str, value: Any, ending: str) -> None:
    """Require that `function` returned two values: a tuple, a list, or an array of shape (2,).

    >>> pair("clip_gradients", seen["result"], "return total_norm, clip_coef")
    """
    returned(function, value, ending)
    if not is_pair(value):
        kind = _("one number") if type(value) in (int, float) or isinstance(value, np.number) else kind_of(value)
        text = _("{function} returned {kind}; two values are asked for: `{ending}`.")
        raise Failed(text.format(function=function, kind=kind, ending=ending), unwritten=True)


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
    return _array(name, value, shape).astype(float)


def _array(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """As `array`, but of its own kind of numbers: cut off decimals are told by that."""
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
    return got


def close(name: str, got: Any, expected: Any, scale: Any = None, words: Callable[[], str] = str) -> None:
    """Require that `got` has the type and shape of `expected` and is within the tolerance.

    Args:
        expected: a number or an array.
        scale: the natural scale, broadcast against `expected`; by default the largest |expected|.
        words: what is told of another value, as far as it shows how that came about; a cause takes its place.

    Raises:
        Failed: it is not; the message says where and how they differ, and `picture` shows it.

    >>> close("forward(x)", seen["y"], expected["y"])
    """
    wanted = np.asarray(expected, dtype=float)
    values = _array(name, got, wanted.shape) if wanted.ndim else np.asarray(number(name, got))
    mismatch = compare(values, wanted, scale)
    if mismatch is not None:
        raise Failed(describe(name, mismatch), picture=mismatch.picture, compared=True, words=words())


def in_words(words: Callable[[], str], judge: Callable[..., None], *args: Any) -> None:
    """`judge`, whose failure is told in these words before its numbers, if there are any, also beside a cause."""
    try:
        judge(*args)
    except Failed as failed:
        if not failed.unwritten and (said := words()):
            failed.reason, failed.compared = f"{said} {failed.reason}", False
        raise


def is_close(got: Any, expected: Any, scale: Any = None) -> bool:
    """Whether `close` accepts `got`; much faster where it does not."""
    wanted = np.asarray(expected, dtype=float)
    try:
        values = array("", got, wanted.shape) if wanted.ndim else np.asarray(number("", got))
    except Failed:
        return False
    return wanted.size == 0 or bool(np.max(errors_of(values, wanted, scale)) <= TOLERANCE)  # False for NaN


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
    if isinstance(one, float) and isinstance(other, float):  # the usual case, fifty times as fast
        return bool(one == other or (one != one and other != other))
    kinds = (int, float, np.number, np.ndarray)
    if isinstance(one, kinds) and isinstance(other, kinds):
        return np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind in "fc")
    return type(one) is type(other) and one == other


def describe(name: str, mismatch: Mismatch) -> str:
    """A mismatch in words: where, the value, the expected value, by how much, the count, and any pattern."""
    where = f"{name}[{', '.join(map(str, mismatch.index))}]" if mismatch.index else name
    got, expected = _told_apart(mismatch.got, mismatch.expected)
    if got == expected:
        parts = [_("{where} is {got}").format(where=where, got=got)]
    else:
        parts = [_("{where} is {got}, but {expected} was expected").format(where=where, got=got, expected=expected)]
    wrong = round(mismatch.share * mismatch.size)
    statements = [mismatch.pattern]
    if not mismatch.pattern or wrong < mismatch.size:  # else the pattern says it all
        some = _some_are_off(wrong, mismatch.size) if mismatch.index and mismatch.size > 1 else ""
        statements = [size_of_error(mismatch), some, mismatch.pattern]
    return _("{statements}.").format(statements=_("; ").join([*parts, *filter(None, statements)]))


def _told_apart(got: float, expected: float) -> tuple[str, str]:
    """Both numbers, with as many digits as their difference needs; equal texts only for equal numbers."""
    for digits in (6, 10, 17):
        # + 0.0: of two zeros one may be negative.
        one, other = f"{got + 0.0:.{digits}g}", f"{expected + 0.0:.{digits}g}"
        if one != other and (digits > 6 or not abs(got - expected) <= 1e-3 * abs(expected)):
            break
    return one, other


MOST_TIMES = 10
"""Numbers further apart are of two kinds, and their ratio helps nobody."""


def size_of_error(mismatch: Mismatch) -> str:
    """By how much a value, or the size of a negative one, is too large or too small, in words; "" where these say no
    more than both numbers.

    >>> size_of_error(compare(0.89, 1.0))
    '11 % too small'
    """
    got, expected = mismatch.got, mismatch.expected
    scale = abs(got - expected) / mismatch.error if mismatch.error > 0 else np.nan
    if not np.isfinite(scale) or abs(expected) < 0.01 * scale or got * expected <= 0:
        return ""
    words = _ratio_in_words(got / expected)
    return _("its absolute value is {words}").format(words=words) if words and expected < 0 else words


def _ratio_in_words(ratio: float) -> str:
    if not 1 / MOST_TIMES <= ratio <= MOST_TIMES:
        return ""
    if ratio >= 2:
        return _("{factor:.2g} times too large").format(factor=ratio)
    if ratio <= 0.5:
        return _("{factor:.2g} times too small").format(factor=1 / ratio)
    percent = f"{float(f'{100 * abs(ratio - 1):.2g}'):g}"  # 100, not 1e+02
    if float(percent) < 0.01:
        return ""
    return (_("{percent} % too large") if ratio > 1 else _("{percent} % too small")).format(percent=percent)


def _some_are_off(wrong: int, n: int) -> str:
    if wrong == n:
        return _("all {n} elements are off").format(n=n)
    if wrong == 1:
        return _("1 of {n} elements is off").format(n=n)
    return _("{wrong} of {n} elements are off").format(wrong=wrong, n=n)
