"""What the reference showed on the public cases, and the fingerprints of known mistakes: in the package, so that every
student's machine has them, with no line of the reference.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from autograder.checks import encoding
from autograder.checks.diagnosis import Cause, Fingerprints
from autograder.checks.exercise import Exercise, Observation
from autograder.checks.judge import Trial
from autograder.checks.sketches import holds_numbers
from autograder.checks.values import to_record

RECORDINGS = Path(__file__).parent / "recordings"


@dataclass(frozen=True)
class Expectation:
    """A case of `group` and what the reference showed on it."""

    group: str
    case: Any
    expected: Observation
    public: bool

    @cached_property
    def packed_case(self) -> bytes:
        """The case for the wire."""
        return encoding.pack(to_record(self.case))

    @cached_property
    def _packed(self) -> dict[str, Any]:
        return encoding.pack_observation(self.expected.to_data())

    def read(self, seen: dict[str, Any], parts: encoding.Parts) -> Observation:
        """What was seen, as `pack_observation` made it elsewhere. What is expected, byte for byte, is not unpacked.

        Raises:
            KeyError, TypeError, ValueError: it is not an observation.
        """
        if type(seen) is not dict or type(packed := seen["values"]) is not dict:
            raise TypeError("not an observation")
        known, values = self._packed["values"], self.expected.values
        same = frozenset(name for name, value in packed.items() if type(value) is bytes and value == known.get(name))
        found = {name: values[name] if name in same else parts.unpack(value) for name, value in packed.items()}
        observation = Observation.from_data({**parts.unpack(seen["end"]), "values": found})
        if found.keys() == values.keys() and not (observation.stopped or self.expected.stopped):
            observation.same = same
        return observation


Series = tuple[Expectation, ...]
"""What one draw of all cases of an exercise shows."""


@cache
def recorded(exercise: Exercise) -> Series:
    """The public cases of `exercise`."""
    return series_from(exercise, (RECORDINGS / f"{exercise.id}.msgpack").read_bytes(), public=True)


def series_from(exercise: Exercise, content: bytes, public: bool) -> Series:
    """The series in the `content` of a recording."""
    data = encoding.unpack(content)
    return tuple(
        Expectation(group, exercise.case(**case), Observation.from_data(expected), public)
        for group, case, expected in zip(data["groups"], data["cases"], data["expected"], strict=True)
    )


def series_to_bytes(series: Iterable[Expectation]) -> bytes:
    """The inverse of `series_from`."""
    series = list(series)
    return encoding.pack(
        {
            "groups": [e.group for e in series],
            "cases": [to_record(e.case) for e in series],
            "expected": [e.expected.to_data() for e in series],
        }
    )


@cache
def known_mistakes(exercise: Exercise) -> Fingerprints:
    """Fingerprints of the known mistakes in `exercise`, on its public cases."""
    return known_from((RECORDINGS / f"{exercise.id}.mistakes.msgpack").read_bytes())


def made_of(exercise: Exercise) -> str:
    """The digest of the sources that its recordings were made of; "" where there are none."""
    path = RECORDINGS / f"{exercise.id}.mistakes.msgpack"
    return encoding.unpack(zlib.decompress(path.read_bytes())).get("made_of", "") if path.is_file() else ""


def known_from(content: bytes) -> Fingerprints:
    """The fingerprints in a recording's `content`."""
    data = encoding.unpack(zlib.decompress(content))
    causes = [Cause(**texts) for texts in data["causes"]]
    sizes = zip(data["sizes"].tolist(), data["projections"].tolist(), strict=True)
    forms = (data["forms"][form] for form in data["form_of"].tolist())
    sketches = iter([[*form, *next(sizes)] if holds_numbers(form) else form for form in forms])
    return Fingerprints(
        causes=[causes[number] for number in data["cause_of"]],
        fails=[frozenset(checks) for checks in data["fails"]],
        places=[(case, key) for case, key in data["places"]],
        pools=[list(islice(sketches, size)) for size in data["pool_sizes"]],
        shows=data["shows"],
        inputs=data["inputs"],
        noise={(case, key): size for case, key, size in data["noise"]},
        at_once={
            digest: [(causes[number], frozenset(fails)) for number, fails in pair]
            for digest, pair in data["at_once"].items()
        },
    )


def trials(expectations: Iterable[Expectation], seen: Iterable[Observation]) -> list[Trial]:
    """Each expectation with what was seen of the student's implementation."""
    return [Trial(e.group, e.case, s, e.expected, e.public) for e, s in zip(expectations, seen, strict=True)]
