"""Any observations: they are judged and reported without an error, and no check breaks on them."""

from __future__ import annotations

import sys
from typing import Any

import atheris
import numpy as np

with atheris.instrument_imports(include=["autograder"]):
    from autograder.checks import encoding, values
    from autograder.checks.exercise import Observation
    from autograder.checks.judge import judge
    from autograder.checks.results import Outcome
    from autograder.exercises import assignments
    from autograder.exercises.recorded import known_mistakes, recorded, trials
    from autograder.report.html import exercise_html
    from autograder.report.text import exercise_text
from tests.fuzz.start import fuzz

EXERCISES = assignments()["gradient-pathology"]


class Forger:
    """Makes of what the reference shows something else, as the bytes of the fuzzer say."""

    def __init__(self, data: bytes) -> None:
        self._choices = atheris.FuzzedDataProvider(data)

    def exercise(self) -> Any:
        """Any exercise."""
        return EXERCISES[self._choices.ConsumeIntInRange(0, len(EXERCISES) - 1)]

    def forged(self, value: Any) -> Any:
        """`value`, or something in its place, or something in it."""
        match self._choices.ConsumeIntInRange(0, 7):
            case 0:
                return self._any()
            case 1 if type(value) is np.ndarray and value.size:
                value = value.copy()
                value.flat[self._choices.ConsumeIntInRange(0, value.size - 1)] = self._choices.ConsumeFloat()
            case 2 if type(value) is np.ndarray:
                return value.reshape(-1)[: self._choices.ConsumeIntInRange(0, 3)]
        if type(value) is dict:
            return {key: self.forged(item) for key, item in value.items()}
        return type(value)(map(self.forged, value)) if type(value) in (list, tuple) else value

    def _any(self) -> Any:
        size = self._choices.ConsumeIntInRange(0, 4)
        some: list[Any] = [None, True, {}, [], (), np.nan, np.inf, 2**62, 1j, np.zeros((0, 3)), np.float64(1e300)]
        some += [self._choices.ConsumeUnicodeNoSurrogates(size), self._choices.ConsumeFloat(), values.Opaque("set")]
        some += [values.Raised("E", ("NotDefined",)[: size % 2], "x"), np.full((size,) * size, True), {1: 2, "a": []}]
        return some[self._choices.ConsumeIntInRange(0, len(some) - 1)]


def one_input(data: bytes) -> None:
    forger = Forger(data)
    exercise = forger.exercise()
    expectations = recorded(exercise)
    replies = [forger.forged(expectation.expected.to_data()) for expectation in expectations]
    try:
        seen = [Observation.from_data(reply) for reply in encoding.unpack(encoding.pack(values.simplify(replies)))]
    except (ValueError, KeyError):
        return
    result = judge(exercise, trials(expectations, seen), lambda: known_mistakes(exercise))
    assert 0 <= result.score <= result.max
    assert all(item.outcome is not Outcome.GRADER_ERROR for item in result.items)
    exercise_html(result).encode()
    exercise_text(result).encode()


if __name__ == "__main__":
    fuzz(sys.argv, one_input, [bytes(range(i, i + 100)) for i in range(100)])
