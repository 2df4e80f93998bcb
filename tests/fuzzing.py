"""What tests that draw their input share."""

from __future__ import annotations

import tracemalloc

from conftest import draws
from hypothesis import HealthCheck
from hypothesis import strategies as st


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
