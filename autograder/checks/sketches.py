"""Sketches of observed values, and where two observations differ.

A sketch holds a value's form and a few random projections of its numbers. Values with equal sketches are equal within
rounding, but nobody can recover values or code from a sketch. Students' machines have sketches of known mistakes.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from autograder.checks.exercise import Observation
from autograder.checks.numeric import TOLERANCE
from autograder.checks.values import Opaque, Raised, numbers

PROJECTIONS = 2
ROUNDING = TOLERANCE
"""How far projections may differ, as a share of the value's size: the same as in checks, so that accepted differences
(float32, another eps in a coefficient) do not hide a mistake."""

MAX_NUMBERS = 10_000
"""Public cases ask for no larger arrays."""

MAX_PARTS = 1000
"""The largest number of parts of a value that is looked at part by part: right answers have far fewer."""

END = "the end"
"""The key of the exception that ended an observation."""

Sketch = Any
Sketches = Sequence[dict[str, Sketch]]
"""For each public case, key -> sketch."""

Noise = Mapping[tuple[int, str], float]
"""(case, key) -> by how much right solutions differ there, where this is more than rounding: what should be 0, say."""


def sketch(value: Any) -> Sketch:
    """A short summary of plain data; values that are equal within rounding have equal sketches."""
    if type(value) is Raised:
        return ["raised", value.type]
    if type(value) is Opaque:
        return ["opaque", value.type]
    if type(value) is dict:
        return {f"{type(key).__name__} {key}": sketch(item) for key, item in value.items()}
    if type(value) in (list, tuple, int, float) or isinstance(value, (np.ndarray, np.number)):
        array = _real(value)
        if array is not None:
            return _project(array)
    if type(value) in (list, tuple):
        return ["list", *map(sketch, value)]
    return ["word", str(value)[:100]]


def sketches_of(observations: Iterable[Observation], expected: Sketches | None = None) -> list[dict[str, Sketch]]:
    """The sketches of all observed values, and of the exception that ended each observation.

    Args:
        expected: the reference's, which are those of values that are the same.
    """
    known = expected or itertools.repeat({})
    return [
        {
            **{name: right[name] if name in seen.same else _bounded(value) for name, value in seen.values.items()},
            **_end(seen),
        }
        for seen, right in zip(observations, known, strict=False)
    ]


def _bounded(value: Any) -> Sketch:
    return sketch(value) if _parts(value, MAX_PARTS) >= 0 else ["large"]


def _parts(value: Any, left: int) -> int:
    """What is left after all parts of `value` are counted; negative if they are too many."""
    left -= 1
    for part in value.values() if type(value) is dict else value if type(value) in (list, tuple) else ():
        if left < 0:
            break
        left = _parts(part, left)
    return left


def departures(sketches: Sketches, reference: Sketches, noise: Noise | None = None) -> list[dict[str, Sketch]]:
    """Where `sketches` differ from the reference's, one dict per case.

    In place of a missing value is the exception that came before it, or None.
    """
    noise = noise or {}
    return [
        {
            key: s.get(key, s.get(END))
            for key in dict.fromkeys([*r, *s])
            if key not in s or key not in r or not alike(s[key], r[key], noise.get((case, key), 0.0))
        }
        for case, (s, r) in enumerate(zip(sketches, reference, strict=True))
    ]


def alike(one: Sketch, other: Sketch, noise: float = 0.0) -> bool:
    """Whether two sketches belong to values that are equal within rounding, or within `noise`."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key], noise) for key in one)
    if isinstance(one, (list, tuple)):
        if len(one) != len(other):
            return False
        if one and one[0] == "numbers" == other[0]:
            return _alike_numbers(one, other, noise)
        return all(alike(a, b, noise) for a, b in zip(one, other, strict=True))
    return one == other


def noise_between(one: Sketch, other: Sketch) -> float:
    """How large those numbers are in which the sketches of one value by two right solutions differ; 0 where none do."""
    if isinstance(one, dict) and isinstance(other, dict):
        return max((noise_between(one[key], other[key]) for key in one.keys() & other.keys()), default=0.0)
    if not isinstance(one, (list, tuple)) or not isinstance(other, (list, tuple)) or len(one) != len(other):
        return 0.0
    if one and one[0] == "numbers" == other[0]:
        same_form = list(one[1:3]) == list(other[1:3])
        return max(one[3], other[3]) if same_form and not _alike_numbers(one, other, 0.0) else 0.0
    return max((noise_between(a, b) for a, b in zip(one, other, strict=True)), default=0.0)


def without_numbers(value: Sketch) -> tuple[Sketch, list[list[float]]]:
    """The form of a sketch, and its numbers: the size and the projections of every array in it."""
    if isinstance(value, dict):
        parts = [without_numbers(item) for item in value.values()]
        return dict(zip(value, (form for form, _numbers in parts), strict=True)), [n for _f, ns in parts for n in ns]
    if value and value[0] == "numbers":
        return value[:3], [[value[3], *value[4]]]
    if value and value[0] == "list":
        parts = [without_numbers(item) for item in value[1:]]
        return ["list", *(form for form, _numbers in parts)], [n for _f, ns in parts for n in ns]
    return value, []


def with_numbers(form: Sketch, numbers: Iterator[tuple[float, list[float]]]) -> Sketch:
    """The inverse of `without_numbers`, with the next of `numbers` in every array's place."""
    if isinstance(form, dict):
        return {key: with_numbers(item, numbers) for key, item in form.items()}
    if form and form[0] == "numbers":
        size, projections = next(numbers)
        return [*form, size, projections]
    if form and form[0] == "list":
        return ["list", *(with_numbers(item, numbers) for item in form[1:])]
    return form


def holds_numbers(value: Sketch) -> bool:
    """Whether there are numbers in a sketch, and not only words, exceptions or None."""
    return bool(without_numbers(value)[1])


def _end(seen: Observation) -> dict[str, Sketch]:
    return {} if seen.stopped is None else {END: sketch(seen.stopped)}


def _real(value: Any) -> np.ndarray | None:
    array = numbers(value)
    if array is None or array.dtype.kind == "c" or not 0 < array.size <= MAX_NUMBERS:
        return None
    return array.astype(float)


def _project(array: np.ndarray) -> list[Any]:
    flat, odd = array.ravel(), [0, 0, 0]
    finite = np.isfinite(flat)
    if not finite.all():
        odd = [int(np.isnan(flat).sum()), int(np.isposinf(flat).sum()), int(np.isneginf(flat).sum())]
        flat = np.where(finite, flat, 0.0)
    size = float(np.abs(flat).max())
    with np.errstate(under="ignore"):
        unit = flat / size if size > 0 else flat
    return ["numbers", list(array.shape), odd, size, (_directions(len(flat)) @ unit).tolist()]


@cache
def _directions(n: int) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(b"%d" % n)).standard_normal((PROJECTIONS, n)) / np.sqrt(n)


def _alike_numbers(one: Sequence[Any], other: Sequence[Any], noise: float) -> bool:
    _tag, shape, odd, size, projections = one
    _tag, other_shape, other_odd, other_size, other_projections = other
    if shape != other_shape or odd != other_odd:
        return False
    if max(size, other_size) <= noise:
        return True
    if abs(size - other_size) > ROUNDING * max(size, other_size):
        return False
    return bool(np.all(np.abs(np.subtract(projections, other_projections)) <= ROUNDING))
