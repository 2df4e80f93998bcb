"""Silence around a student's code: what libraries write past Python would stand between them and their card."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def libraries_silent() -> Iterator[None]:
    """Drop what libraries write without Python, such as LAPACK's complaints about each NaN: Jupyter would show it."""
    kept = {}
    for stream in (1, 2):
        with suppress(OSError):  # a process may have none
            kept[stream] = os.dup(stream)
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in kept:
        os.dup2(nothing, stream)
    os.close(nothing)
    try:
        yield
    finally:
        for stream, copy in kept.items():
            os.dup2(copy, stream)
            os.close(copy)
