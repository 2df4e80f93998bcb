"""What tests that draw their input share."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
from conftest import draws
from hypothesis import HealthCheck
from hypothesis import strategies as st

from autograder.checks.judge import judge
from autograder.checks.results import Outcome
from autograder.checks.values import Opaque, Raised
from autograder.exercises.recorded import known_mistakes, trials
from autograder.report.html import exercise_html
from autograder.report.text import exercise_text


def fuzz(examples):
    """Draw about so many, however slow or odd the drawing is."""
    return draws(examples, suppress=tuple(HealthCheck))


def peak_of(function, *arguments):
    """What came of it, or the exception, and the most memory that Python held meanwhile."""
    tracemalloc.start()
    try:
        try:
            result = function(*arguments)
        except Exception as error:
            result = error
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([b"x", 1j, (), [], {}, (None, None), [1, "a", None], [[1.0], [2.0, 3.0]], {"W": np.zeros(2)}]),
    st.sampled_from([np.array(1.0), np.array(True), np.float64("nan"), np.bool_(True)]),
    st.sampled_from([np.zeros(2), np.zeros((0, 3)), np.ones((1,) * 16), np.full((7, 5), 1e308)]),
    st.sampled_from([np.full((3, 4), np.inf), np.array([1j, np.nan]), np.zeros(3, bool), np.arange(5, dtype=np.uint8)]),
    st.sampled_from([{"loss": 1, 3: {"loss": [], "grad_norms": {}}}, [{"layer": None, "kind": {}, "norm": []}]]),
    st.sampled_from([Opaque("set"), Raised("E", (), "x"), Raised("N", ("NotDefined",), "x")]),
)
"""What no exercise asks for."""

odd_data = st.recursive(
    odd,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(-(2**63), 2**63 - 1), st.none()), inner, max_size=4),
    ),
    max_leaves=6,
)


def judge_and_report(exercise, expected, seen):
    """The result, which is reported without an error."""
    start = time.process_time()
    result = judge(exercise, trials(expected, seen), lambda: known_mistakes(exercise))
    assert time.process_time() - start < 5  # measured: 0.1 s
    for item in result.items:
        assert item.outcome is not Outcome.GRADER_ERROR and 0 <= item.points <= item.max
        assert item.outcome is Outcome.PASSED or item.message
    exercise_html(result).encode("utf-8")
    exercise_text(result).encode("utf-8")
    return result


@st.composite
def mutated(draw, originals, tokens):
    """Bytes that `originals` draws, with pieces changed, cut out, doubled and mixed with another's."""
    content = bytearray(draw(originals))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 1, 4, 50, 1000])))
        match draw(st.integers(0, 4)):
            case 0:
                content[start:end] = draw(st.binary(max_size=8))
            case 1:
                content[start:end] = draw(st.sampled_from(tokens))
            case 2:
                content[start:start] = content[start:end] * draw(st.sampled_from([1, 2, 100]))
            case 3:
                other = draw(originals)
                place = draw(st.integers(0, len(other)))
                content[start:end] = other[place : place + draw(st.integers(0, 200))]
            case 4:
                del content[start:end]
    return bytes(content)
