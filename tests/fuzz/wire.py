"""Any bytes: `unpack` gives data within its caps or raises WireError, and what it gives can be packed again."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["autograder"]):
    from autograder import wire
from tests.fuzz.start import fuzz
from tests.wire_samples import MESSAGES, is_plain


def one_input(data: bytes) -> None:
    try:
        value = wire.unpack(data)
    except wire.WireError:
        return
    assert is_plain(value)
    plain = wire.simplify(value)
    assert wire.pack(wire.simplify(wire.unpack(wire.pack(plain)))) == wire.pack(plain)


if __name__ == "__main__":
    fuzz(sys.argv, one_input, MESSAGES)
