"""What the reference showed on the public cases, and the fingerprints of known mistakes: in the package, so that every
student's machine has them, with no line of the reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from autograder.checks import encoding
from autograder.checks.diagnosis import Fingerprint
from autograder.checks.exercise import Exercise, Observation
from autograder.checks.judge import Trial

RECORDINGS = Path(__file__).parent / "recordings"


@dataclass(frozen=True)
class Expectation:
    """A case of `group` and what the reference showed on it."""

    group: str
    case: Any
    expected: Observation
    public: bool


@cache
def recorded(exercise: Exercise) -> tuple[Expectation, ...]:
    """The public cases of `exercise`."""
    data = encoding.unpack((RECORDINGS / f"{exercise.id}.msgpack").read_bytes())
    return tuple(
        Expectation(group, exercise.case(**case), Observation.from_data(expected), public=True)
        for group, case, expected in zip(data["groups"], data["cases"], data["expected"], strict=True)
    )


@cache
def known_mistakes(exercise: Exercise) -> tuple[Fingerprint, ...]:
    """Fingerprints of the known mistakes in `exercise`, on its public cases."""
    data = encoding.unpack((RECORDINGS / f"{exercise.id}.mistakes.msgpack").read_bytes())
    return tuple(Fingerprint(**entry) for entry in data)


def trials(expectations: Iterable[Expectation], seen: Iterable[Observation]) -> list[Trial]:
    """Each expectation with what was seen of the student's implementation."""
    return [Trial(e.group, e.case, s, e.expected, e.public) for e, s in zip(expectations, seen, strict=True)]
