"""Any bytes: `unpack` gives data within its caps or raises WireError, and what it gives can be packed again."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["autograder"]):
    from autograder.checks import encoding, values
from tests.fuzz.start import fuzz
from tests.wire_samples import MESSAGES, is_plain


def one_input(data: bytes) -> None:
    try:
        value = encoding.unpack(data)
    except encoding.WireError:
        return
    assert is_plain(value)
    plain = values.simplify(value)
    assert encoding.pack(values.simplify(encoding.unpack(encoding.pack(plain)))) == encoding.pack(plain)


if __name__ == "__main__":
    fuzz(sys.argv, one_input, MESSAGES)
