"""Fingerprints of known mistakes: what they show on the public cases of one exercise, and which checks they fail."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checks import encoding
from autograder.checks.diagnosis import ANY, Place
from autograder.checks.exercise import Exercise, Implementation, Observation, keep_random_state
from autograder.checks.judge import FAILURES, judge
from autograder.checks.results import Item, Outcome
from autograder.checks.sketches import (
    END,
    PROJECTIONS,
    Sketch,
    Sketches,
    alike,
    departures,
    digest_of,
    holds_numbers,
    inputs_in,
    is_exception,
    noise_between,
    says_little,
    sketches_of,
)
from autograder.exercises import every_exercise
from autograder.exercises.recorded import recorded, trials
from reference.bank import Variant, variants

TEXTS = ("id", "cause", "hint", "pair")

SMALL = 1e-9
"""Where right solutions differ, numbers below this are what rounding left of 0."""


@dataclass(frozen=True)
class Behaviour:
    """What an implementation shows on the public cases of an exercise.

    Attributes:
        shows: (case, key) -> the number of a sketch in the book's pool of that place, or `ANY`.
        fails: the checks that it fails.
        digest: of all that it shows; "" if it shows nothing.
        only_raises: whether it shows nothing but exceptions, and what they left out.
        says: the sentences that a student reads of it where no cause is known.
        says_much: whether it shows more than exceptions and None, as code without a guard may do.
    """

    shows: dict[Place, int]
    fails: tuple[str, ...]
    says_much: bool
    digest: str = ""
    only_raises: bool = False
    says: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[tuple[Place, int], ...]:
        """The same for all implementations that show the same."""
        return tuple(sorted(self.shows.items()))


class Book:
    """The fingerprints of known mistakes in `exercise`.

    Args:
        right: right solutions; what they differ in is rounding noise.
    """

    def __init__(self, exercise: Exercise, right: Iterable[Variant]) -> None:
        self._exercise = exercise
        self._expected = sketches_of(expectation.expected for expectation in recorded(exercise))
        self._noise = self._noise_of(sketches_of(self._look_at(variant.implementation)) for variant in right)
        self._inputs = [inputs_in(expectation.case) for expectation in recorded(exercise)]
        self._pools: dict[Place, list[Sketch]] = {}
        self._are_inputs: dict[Place, list[bool]] = {}

    def observe(self, implementation: Implementation, steady: bool = False) -> Behaviour:
        """The behaviour of `implementation`; one that is not known to be `steady` is looked at twice."""
        seen = self._look_at(implementation)
        departed = departures(sketches_of(seen), self._expected, self._noise)
        if not any(departed):
            return Behaviour({}, (), says_much=False)
        result = judge(self._exercise, trials(recorded(self._exercise), seen))
        again = departed if steady else sketches_of(self._look_at(implementation))
        shows = {
            (case, key): self._number((case, key), value, again[case].get(key, again[case].get(END)))
            for case, here in enumerate(departed)
            for key, value in here.items()
        }
        fails = tuple(item.id for item in result.items if item.outcome in FAILURES)
        values = [value for here in departed for value in here.values()]
        only_raises = all(value is None or value[0] == "raised" for value in values)
        says = frozenset(sentence for item in result.items for sentence in sentences(item))
        return Behaviour(shows, fails, not all(map(says_little, values)), self._digest(departed), only_raises, says)

    def digest(self, implementation: Implementation) -> str:
        """The digest of all that `implementation` shows; "" if it shows nothing, or exceptions: these hide much."""
        departed = departures(sketches_of(self._look_at(implementation)), self._expected, self._noise)
        return (
            "" if any(is_exception(value) for here in departed for value in here.values()) else self._digest(departed)
        )

    def _digest(self, departed: Sketches) -> str:
        return digest_of(self._exercise.id, departed, self._expected)

    def to_bytes(
        self,
        told: Iterable[tuple[Any, Behaviour]],
        at_once: Mapping[str, Sequence[tuple[Any, Sequence[str]]]] | None = None,
        made_of: str = "",
    ) -> bytes:
        """What `autograder.exercises.recorded.known_mistakes` reads.

        Args:
            told: texts, and the behaviour that they are told of. What shows nothing on the public cases is left out.
            at_once: digest -> texts that are told together, each with the checks that it is about.
            made_of: a digest of the sources.
        """
        rows = [(cause, behaviour) for cause, behaviour in told if behaviour.shows]
        places = sorted({place for _cause, behaviour in rows for place in behaviour.shows})
        pools = [self._pools.get(place, []) for place in places]
        shows = np.full((len(rows), len(places)), -1, dtype=np.int16)
        for row, (_cause, behaviour) in enumerate(rows):
            for column, place in enumerate(places):
                shows[row, column] = behaviour.shows.get(place, -1)
        sketches = [sketch for pool in pools for sketch in pool]
        of_each = [sketch[:3] if holds_numbers(sketch) else sketch for sketch in sketches]
        forms = {json.dumps(form): form for form in of_each}
        numbered = {form: number for number, form in enumerate(forms)}
        numbers = np.array([[size, *rest] for _tag, _shape, _odd, size, rest in filter(holds_numbers, sketches)])
        numbers = numbers.reshape(-1, 1 + PROJECTIONS)
        at_once = at_once or {}
        told_causes = [cause for cause, _behaviour in rows]
        told_causes += [cause for pair in at_once.values() for cause, _fails in pair]
        texts = {cause.id: {name: getattr(cause, name) for name in TEXTS} for cause in told_causes}
        numbers_of = {id: number for number, id in enumerate(texts)}
        data = {
            "made_of": made_of,
            "causes": list(texts.values()),
            "cause_of": [numbers_of[cause.id] for cause, _behaviour in rows],
            "at_once": {
                digest: [[numbers_of[cause.id], list(fails)] for cause, fails in pair]
                for digest, pair in at_once.items()
            },
            "fails": [list(behaviour.fails) for _cause, behaviour in rows],
            "places": [list(place) for place in places],
            "pool_sizes": [len(pool) for pool in pools],
            "forms": list(forms.values()),
            "form_of": np.array([numbered[json.dumps(form)] for form in of_each], dtype=np.int32),
            "sizes": numbers[:, 0].copy(),
            "projections": numbers[:, 1:].astype(np.float32),
            "shows": shows,
            "inputs": np.array([one for place in places for one in self._are_inputs.get(place, [])], dtype=bool),
            "noise": [[case, key, size] for (case, key), size in self._noise.items()],
        }
        return zlib.compress(encoding.pack(data), 9)

    def _look_at(self, implementation: Implementation) -> list[Observation]:
        with keep_random_state():
            return [self._exercise.observe(implementation, e.case) for e in recorded(self._exercise)]

    def _number(self, place: Place, value: Sketch, again: Sketch) -> int:
        """The number of a sketch in the pool of its place."""
        if not alike(value, again):
            return ANY
        pool = self._pools.setdefault(place, [])
        for number, other in enumerate(pool):
            if alike(value, other):
                return number
        pool.append(value)
        given = not says_little(value) and any(alike(value, one) for one in self._inputs[place[0]])
        self._are_inputs.setdefault(place, []).append(given)
        return len(pool) - 1

    def _noise_of(self, right: Iterable[list[dict[str, Sketch]]]) -> dict[Place, float]:
        noise: dict[Place, float] = {}
        for sketches in right:
            for case, (one, other) in enumerate(zip(sketches, self._expected, strict=True)):
                for key, value in one.items():
                    size = noise_between(value, other.get(key))
                    if 0 < size < SMALL:
                        noise[case, key] = max(noise.get((case, key), 0.0), 10 * size)
        return noise


def sentences(item: Item) -> list[str]:
    """What the student reads of a failed check in sentences: not the numbers that differ, and no exception."""
    if item.outcome is not Outcome.FAILED or item.compared:
        return []
    return re.split(r"(?<=[.?!])\s+", item.words or item.seen.rpartition("\n")[0])


def new_books(solution: str) -> dict[str, Book]:
    """An empty book for each exercise of a cell."""
    right = [variant for variant in variants() if variant.solution == solution]
    return {e.id: Book(e, right) for e in every_exercise() if e.solution == solution}
