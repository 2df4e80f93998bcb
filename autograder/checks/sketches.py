"""Sketches of observed values, and where two observations differ.

A sketch holds a value's form and a few random projections of its numbers. Values with equal sketches are equal within
rounding, but nobody can recover values or code from a sketch. Students' machines have sketches of known mistakes.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
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

_SHAPES = re.compile("has a mismatch|enough dimensions|could not be broadcast|not aligned")
"""How shapes do not fit, in NumPy's words. Other messages depend on how code is written, or on a language."""

NOTHING = 1e-12
"""A value this small, as a share of the right one, is what rounding left of 0."""

END = "the end"
"""The name of the exception that ended an observation."""

WITHIN = "/"
"""Between the name of a value and that of a part in it, as in "grads/0/W"."""

Sketch = Any
Sketches = Sequence[dict[str, Sketch]]
"""For each public case, the sketches of all parts of all values, by name."""

Noise = Mapping[tuple[int, str], float]
"""(case, name) -> by how much right solutions differ there, where this is more than rounding: what should be 0, say."""


def sketch(value: Any) -> Sketch:
    """A short summary of a value without parts; values that are equal within rounding have equal sketches."""
    if type(value) is Raised:
        return ["raised", value.type, *_SHAPES.findall(value.message)[:1]]
    if type(value) is Opaque:
        return ["opaque", value.type]
    array = _real(value)
    return ["word", str(value)[:100]] if array is None else _project(array)


def sketches_of(observations: Iterable[Observation], right: Sketches | None = None) -> list[dict[str, Sketch]]:
    """The sketches of all observed values, part by part, and of the exception that ended each observation.

    Args:
        right: the reference's, which are those of values that are the same.
    """
    return [_sketches(seen, known) for seen, known in zip(observations, right or itertools.repeat({}), strict=False)]


def _sketches(seen: Observation, right: dict[str, Sketch]) -> dict[str, Sketch]:
    found = {name: part for name, part in right.items() if value_of(name) in seen.same}
    for key, value in seen.values.items():
        if key not in seen.same:
            found |= sketches_in(key, value)
    return found | ({} if seen.stopped is None else {END: sketch(seen.stopped)})


def sketches_in(name: str, value: Any) -> dict[str, Sketch]:
    """The sketches of all parts of a value: of what is in dicts and lists, but arrays stay whole."""
    found: dict[str, Sketch] = {}
    waiting = [(name, value)]
    while waiting:
        part, value = waiting.pop()
        if type(value) not in (dict, list, tuple) or not value or _real(value) is not None:
            found[part] = sketch(value)
            continue
        if len(found) + len(waiting) + len(value) > MAX_PARTS:
            return {name: ["large"]}
        if type(value) is dict:
            waiting += [(f"{part}{WITHIN}{type(key).__name__} {str(key)[:100]}", item) for key, item in value.items()]
        else:  # with the length: in a shorter list the items are others
            waiting += [(f"{part}{WITHIN}{i} of {len(value)}", item) for i, item in enumerate(value)]
    return found


def inputs_in(case: Any) -> list[Sketch]:
    """The sketches of all parts of the fields of a case."""
    return [part for field in vars(case).values() for part in sketches_in("", field).values()]


def value_of(name: str) -> str:
    """The name of the value that a part belongs to."""
    return name.split(WITHIN)[0]


def departures(sketches: Sketches, reference: Sketches, noise: Noise | None = None) -> list[dict[str, Sketch]]:
    """Where `sketches` differ from the reference's, one dict per case.

    In place of a missing value is the exception that came before it, or None.
    """
    noise = noise or {}
    return [
        {
            name: s.get(name, s.get(END))
            for name in dict.fromkeys([*r, *s])
            if name not in s or name not in r or not alike(s[name], r[name], noise.get((case, name), 0.0))
        }
        for case, (s, r) in enumerate(zip(sketches, reference, strict=True))
    ]


def digest_of(of: str, departed: Sketches, right: Sketches, places: Collection[tuple[int, str]] | None = None) -> str:
    """A short digest that is equal for observations that depart equally, but for rounding; "" if nothing departs.

    Args:
        of: what was observed; other digests for other things.
        right: the sketches of the reference.
        places: (case, name) of the values that count; None means all.
    """
    shown = [
        [case, name, _rounded(value, right[case].get(name))]
        for case, here in enumerate(departed)
        for name, value in sorted(here.items())
        if places is None or (case, value_of(name)) in places
    ]
    return hashlib.sha256(json.dumps([of, shown]).encode()).hexdigest()[:12] if shown else ""


def _rounded(value: Sketch, right: Sketch) -> Sketch:
    """A sketch without the digits in which equal behaviour may differ: what is nothing beside the right value is 0."""
    if not holds_numbers(value):
        return value
    _tag, shape, odd, size, projections = value
    if size == 0 or holds_numbers(right) and size < NOTHING * right[3]:
        return [shape, odd, 0]
    # Steps of 0.01 % on a scale on which no round number lies between two steps.
    return [shape, odd, round(math.log(size) * 1e4), [round(1e3 * projection) for projection in projections]]


def alike(one: Sketch, other: Sketch, noise: float = 0.0) -> bool:
    """Whether two sketches belong to values that are equal within rounding, or within `noise`."""
    if one is other:
        return True
    if holds_numbers(one) and holds_numbers(other):
        return _alike_numbers(one, other, noise)
    return one == other


def noise_between(one: Sketch, other: Sketch) -> float:
    """How large those numbers are in which the sketches of one value by two right solutions differ; 0 if they don't."""
    if not (holds_numbers(one) and holds_numbers(other)) or one[1:3] != other[1:3] or _alike_numbers(one, other, 0.0):
        return 0.0
    return max(one[3], other[3])


def holds_numbers(value: Sketch) -> bool:
    """Whether there are numbers in a sketch, and not a word, an exception or None."""
    return bool(value) and value[0] == "numbers"


def is_exception(value: Sketch) -> bool:
    """Whether a sketch is of an exception."""
    return isinstance(value, list) and value[:1] == ["raised"]


def says_little(value: Sketch) -> bool:
    """Whether a sketch is of an exception, None, or what is empty or missing, which have many reasons."""
    return value is None or value[0] == "raised" or value[0] == "word" and value[1] in ("None", "{}", "[]", "()")


def _real(value: Any) -> np.ndarray | None:
    if not (type(value) in (list, tuple, int, float) or isinstance(value, (np.ndarray, np.number))):
        return None
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
