"""Fingerprints of known mistakes: what they show on the public cases of one exercise, and which checks they fail."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from autograder.checks import encoding
from autograder.checks.diagnosis import ANY
from autograder.checks.exercise import Exercise, Implementation, Observation, keep_random_state
from autograder.checks.judge import FAILURES, judge
from autograder.checks.sketches import END, Sketch, alike, departures, noise_between, sketches_of, without_numbers
from autograder.exercises.recorded import recorded, trials
from reference.bank import Mistake, Variant

SMALL = 1e-9
"""Where right solutions differ, numbers below this are what rounding left of 0."""


class Book:
    """The fingerprints of the known mistakes of `exercise`.

    Args:
        right: right solutions; what they differ in is rounding noise.
    """

    def __init__(self, exercise: Exercise, right: Iterable[Variant] = ()) -> None:
        self._exercise = exercise
        self._expected = sketches_of(expectation.expected for expectation in recorded(exercise))
        self._noise = self._noise_of(sketches_of(self._observe(variant.implementation)) for variant in right)
        self._causes: dict[str, dict[str, Any]] = {}
        self._rows: list[tuple[str, list[str], dict[tuple[int, str], int]]] = []
        self._pools: dict[tuple[int, str], list[Sketch]] = {}

    def add(self, mistake: Mistake) -> None:
        """Add a mistake that has a cause; one that shows nothing on the public cases is left out."""
        seen = self._observe(mistake.implementation)
        departed = departures(sketches_of(seen), self._expected, self._noise)
        if not any(departed):
            return
        result = judge(self._exercise, trials(recorded(self._exercise), seen))
        fails = [item.id for item in result.items if item.outcome in FAILURES]
        again = sketches_of(self._observe(mistake.implementation))
        shows = {
            (case, key): self._number((case, key), value)
            if alike(value, again[case].get(key, again[case].get(END)))
            else ANY
            for case, here in enumerate(departed)
            for key, value in here.items()
        }
        self._causes[mistake.id] = {name: getattr(mistake, name) for name in ("id", "cause", "hint", "pair")}
        self._rows.append((mistake.id, fails, shows))

    def to_bytes(self) -> bytes:
        """What `autograder.exercises.recorded.known_mistakes` reads."""
        places = sorted({place for _id, _fails, shown in self._rows for place in shown})
        for place in places:
            self._pools.setdefault(place, [])
        shows = np.full((len(self._rows), len(places)), -1, dtype=np.int16)
        for row, (_id, _fails, shown) in enumerate(self._rows):
            for column, place in enumerate(places):
                shows[row, column] = shown.get(place, -1)
        split = [without_numbers(sketch) for place in places for sketch in self._pools[place]]
        forms = {json.dumps(form): form for form, _numbers in split}
        numbers = np.array([row for _form, rows in split for row in rows]).reshape(-1, 3)
        ids = list(self._causes)
        data = {
            "causes": list(self._causes.values()),
            "cause_of": [ids.index(id) for id, _fails, _shows in self._rows],
            "fails": [fails for _id, fails, _shows in self._rows],
            "places": [list(place) for place in places],
            "pool_sizes": [len(self._pools[place]) for place in places],
            "forms": list(forms.values()),
            "form_of": np.array([list(forms).index(json.dumps(form)) for form, _numbers in split], dtype=np.int32),
            "sizes": numbers[:, 0].copy(),
            "projections": numbers[:, 1:].astype(np.float32),
            "shows": shows,
            "noise": [[case, key, size] for (case, key), size in self._noise.items()],
        }
        return zlib.compress(encoding.pack(data), 9)

    def _observe(self, implementation: Implementation) -> list[Observation]:
        with keep_random_state():
            return [self._exercise.observe(implementation, e.case) for e in recorded(self._exercise)]

    def _number(self, place: tuple[int, str], value: Sketch) -> int:
        """The number of a sketch in the pool of its place."""
        pool = self._pools.setdefault(place, [])
        for number, other in enumerate(pool):
            if alike(value, other):
                return number
        pool.append(value)
        return len(pool) - 1

    def _noise_of(self, right: Iterable[list[dict[str, Sketch]]]) -> dict[tuple[int, str], float]:
        noise: dict[tuple[int, str], float] = {}
        for sketches in right:
            for case, (one, other) in enumerate(zip(sketches, self._expected, strict=True)):
                for key in one.keys() & other.keys():
                    size = noise_between(one[key], other[key])
                    if 0 < size < SMALL:
                        noise[case, key] = max(noise.get((case, key), 0.0), 10 * size)
        return noise
