"""Real messages of the wire, for tests that vary them, and what may come out of any."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.checks import values
from autograder.checks.encoding import pack
from autograder.checks.values import Opaque, Raised, simplify

VALUES = (
    None,
    {"observations": [{"values": {"y": np.eye(3), "loss": np.float64(0.5)}, "stopped": None}]},
    {
        "observations": [
            {"values": {}, "stopped": Raised("ValueError", ("ValueError", "Exception"), "説明", 3, "x = 1")}
        ]
    },
    {"outputs": [{"output_type": "stream", "name": "stdout", "text": "a\n" * 20}]},
    {"out_of_time": True},
    {"broke": "KeyboardInterrupt"},
    {1: (1, 2.5, 1j, "b"), None: [True, False], -0.5: Opaque("set")},
    [np.arange(6, dtype=">i4").reshape(2, 3), np.zeros((0, 2), np.float32), np.array(1j), np.bool_(True)],
    [[[[[[[(1, (2, (3, (4, (5,)))))]]]]]]],
)
MESSAGES = tuple(pack(simplify(value)) for value in VALUES)

PLAIN = (type(None), bool, int, float, complex, str, bytes, Raised, Opaque, np.ndarray)


def is_plain(value: Any, depth: int = 2 * values.MAX_DEPTH) -> bool:
    """Whether `value` is in the data model and within its caps."""
    kind = type(value)
    if kind in (list, tuple, dict):
        inner = [*value, *value.values()] if kind is dict else value
        return depth > 0 and len(value) <= values.MAX_ITEMS and all(is_plain(item, depth - 1) for item in inner)
    if kind is np.ndarray:
        return value.dtype.kind in "biufc" and value.nbytes <= values.MAX_BYTES
    if kind is Raised:
        return len(value.type) <= values.MAX_NAME and len(value.message) <= 2000 and len(value.source) <= 300
    return kind in PLAIN or isinstance(value, np.number | np.bool_)
