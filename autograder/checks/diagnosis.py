"""Finds known mistakes that explain an observation, by comparing fingerprints, without any code of the mistakes.

A fingerprint holds a sketch of every value that a known mistake gives on the public cases: its form and a few random
projections of its numbers. Values with equal sketches are equal within rounding, but nobody can recover values or code
from a sketch. Students' machines have the fingerprints.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
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

MAX_CAUSES = 2
"""The largest number of equally good causes to show; more would be guessing."""

MAX_NUMBERS = 10_000
"""Public cases ask for no larger arrays."""

MAX_PARTS = 1000
"""The largest number of parts of a value that is looked at part by part: right answers have far fewer."""

Sketches = Sequence[dict[str, Any]]
"""For each public case, key -> sketch."""


@dataclass(frozen=True)
class Fingerprint:
    """What a known mistake shows on the public cases of one exercise.

    Attributes:
        cause, hint: a sentence and a question, by language.
        pair: whether it combines two mistakes.
        departures: where it differs from the reference, see `departures`.
    """

    id: str
    cause: dict[str, str]
    hint: dict[str, str]
    pair: bool
    departures: Sketches


def sketch(value: Any) -> Any:
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


def sketches_of(observations: Iterable[Observation]) -> list[dict[str, Any]]:
    """The sketches of all observed values, and of the exception that ended each observation."""
    return [{**{name: _bounded(value) for name, value in seen.values.items()}, **_end(seen)} for seen in observations]


def _bounded(value: Any) -> Any:
    return sketch(value) if _parts(value, MAX_PARTS) >= 0 else ["large"]


def _parts(value: Any, left: int) -> int:
    """What is left after all parts of `value` are counted; negative if they are too many."""
    left -= 1
    for part in value.values() if type(value) is dict else value if type(value) in (list, tuple) else ():
        if left < 0:
            break
        left = _parts(part, left)
    return left


def departures(sketches: Sketches, reference: Sketches) -> list[dict[str, Any]]:
    """Where `sketches` differ from the reference's, one dict per case; missing values are None."""
    return [
        {
            key: s.get(key)
            for key in dict.fromkeys([*r, *s])
            if key not in s or key not in r or not alike(s[key], r[key])
        }
        for s, r in zip(sketches, reference, strict=True)
    ]


def alike(one: Any, other: Any) -> bool:
    """Whether two sketches belong to values that are equal within rounding."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        if len(one) != len(other):
            return False
        if one and one[0] == "numbers" == other[0]:
            return _alike_numbers(one, other)
        return all(alike(a, b) for a, b in zip(one, other, strict=True))
    return one == other


def explain(reads: Sequence[set[str]], student: Sketches, bank: Sequence[Fingerprint]) -> list[Fingerprint]:
    """The known mistakes that explain the student's departures in the places `reads`; at most `MAX_CAUSES`, or none.

    Best are mistakes that agree with the student on all observed values, then those whose own departures all appear,
    then those that explain a part; single mistakes come before pairs. Several remain if no observed value separates
    them.
    """
    found = [mistake for mistake in bank if explains(reads, student, mistake.departures)]
    whole = [mistake for mistake in found if explains(_all_places(student, mistake), student, mistake.departures)]
    shown = [mistake for mistake in found if explains(_own_places(mistake), student, mistake.departures)]
    best = whole or shown or found
    best = [mistake for mistake in best if not mistake.pair] or best
    return best if len(best) <= MAX_CAUSES else []


def explains(places: Sequence[Set[str]], student: Sketches, mistake: Sketches) -> bool:
    """Whether `mistake` departs as the student does in `places`, and departs at all."""
    departs = False
    for keys, s, m in zip(places, student, mistake, strict=True):
        for key in keys & (s.keys() | m.keys()):
            if key not in s or key not in m or not alike(_value(s, key), _value(m, key)):
                return False
            departs = True
    return departs


def _all_places(student: Sketches, mistake: Fingerprint) -> list[Set[str]]:
    return [s.keys() | m.keys() for s, m in zip(student, mistake.departures, strict=True)]


def _own_places(mistake: Fingerprint) -> list[Set[str]]:
    return [departed.keys() for departed in mistake.departures]


def _value(departed: dict[str, Any], key: str) -> Any:
    """The sketch of a value, or of the exception that came before it."""
    return departed.get(END) if departed[key] is None else departed[key]


END = "the end"


def _end(seen: Observation) -> dict[str, Any]:
    return {} if seen.stopped is None else {END: sketch(seen.stopped)}


def _real(value: Any) -> np.ndarray | None:
    array = numbers(value)
    if array is None or array.dtype.kind == "c" or not 0 < array.size <= MAX_NUMBERS:
        return None
    return array.astype(float)


def _project(array: np.ndarray) -> list[Any]:
    flat = array.ravel()
    odd = [int(np.isnan(flat).sum()), int(np.isposinf(flat).sum()), int(np.isneginf(flat).sum())]
    flat = np.where(np.isfinite(flat), flat, 0.0)
    size = float(np.max(np.abs(flat)))
    with np.errstate(under="ignore"):
        unit = flat / size if size > 0 else flat
    return ["numbers", list(array.shape), odd, size, (_directions(len(flat)) @ unit).tolist()]


@cache
def _directions(n: int) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(b"%d" % n)).standard_normal((PROJECTIONS, n)) / np.sqrt(n)


def _alike_numbers(one: Sequence[Any], other: Sequence[Any]) -> bool:
    _tag, shape, odd, size, projections = one
    _tag, other_shape, other_odd, other_size, other_projections = other
    if shape != other_shape or odd != other_odd:
        return False
    if abs(size - other_size) > ROUNDING * max(size, other_size):
        return False
    return bool(np.all(np.abs(np.subtract(projections, other_projections)) <= ROUNDING))
