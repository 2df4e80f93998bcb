"""Plain data: the only thing that passes between students' code and the judge.

`simplify` copies any value into the data model: None, bool, int, float, complex, str, list, tuple, dict, NumPy scalars
and numeric arrays, and two records: `Raised` for an exception and `Opaque` for anything else. `encoding` writes the
model as bytes.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import re
import sys
import traceback
from array import array as TypedArray
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

MAX_BYTES = 16 * 2**20
MAX_ITEMS = 100_000
MAX_TEXT = 20_000
MAX_DEPTH = 16
MAX_NAME = 200
MAX_MESSAGE = 2000
MAX_LINE = 300
MAX_NUMBER_KEYS = 1000
"""The largest number of numeric keys in a dict. Unlike hashes of texts, theirs can be chosen to collide, so that every
key is compared with all before it."""

_BYTES_PER_ITEM = MAX_BYTES // MAX_ITEMS  # more than any item takes on the wire, without its text or its array's bytes
NUMERIC_KINDS = "biufc"


@dataclass(frozen=True)
class Opaque:
    """A placeholder for a value outside the data model; `type` names its class."""

    type: str


@dataclass(frozen=True)
class Raised:
    """An exception as data.

    Attributes:
        type: the exception's class name.
        bases: the names of its class and all base classes.
        message: its text, with what Python suggests instead of an unknown name.
        line: the line number in the student's cell, 0 if unknown.
        source: that line, "" if unknown.
    """

    type: str
    bases: tuple[str, ...]
    message: str
    line: int = 0
    source: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Raised:
        """`error` as data, with the last line of its traceback in the cell of the student's that was called.

        What that line called in another cell, such as a function that is given, is told beside it.
        """
        found, number = [], 0
        for frame, number_here in traceback.walk_tb(error.__traceback__):
            name = frame.f_code.co_filename
            if not os.path.exists(name):  # as cells; compiled libraries name files that are not there either
                number = number_here
                if text := linecache.getline(name, number).strip():
                    found.append((name, number, text))
        own = [(number, text) for name, number, text in found if name == found[0][0]]
        line, source = own[-1] if own else (number, "")
        if found and found[-1][0] != found[0][0]:
            source += f"  →  {found[-1][2]}"
        try:
            message = str.__str__(str(error))
        except (Exception, SystemExit):  # a student's __str__ may itself be broken
            message = ""
        message += _suggestion(error, message)
        names = tuple(_class_name(base) for base in type(error).__mro__ if base is not object)
        return cls(names[0], names, message[:MAX_MESSAGE], line, source[:MAX_LINE])

    @property
    def on_purpose(self) -> str:
        """ "raise" or "assert", if the student's code raised it with that statement; else ""."""
        statement = re.search(r"(?:^|:|→)\s*(raise|assert)\b", self.source)
        word = statement[1] if statement else ""
        slip = self.is_a("NameError", "TypeError", "AttributeError", "LookupError") and self.type not in self.source
        return word if (not slip if word == "raise" else self.is_a("AssertionError")) else ""

    def is_a(self, *names: str) -> bool:
        """Whether the exception is one of the named classes or derived from one."""
        return any(name in self.bases for name in names)


def _suggestion(error: BaseException, message: str) -> str:
    """Python's ". Did you mean: 'x'?", which it adds only where it prints an uncaught error; "" if there is none."""
    if not isinstance(error, (AttributeError, NameError, ImportError)):
        return ""
    printed = io.StringIO()
    with suppress(Exception, SystemExit), contextlib.redirect_stderr(printed):
        sys.__excepthook__(type(error), error, error.__traceback__)
    found = re.search(r"\. Did you (?:mean|forget)\b[^\n]{1,200}\?\s*\Z", printed.getvalue())
    return found[0].rstrip() if found and found[0].rstrip() not in message else ""


def simplify(value: Any) -> Any:
    """A copy of `value` in the data model; anything else becomes `Opaque`.

    Instances of a student's class are read through their base type, so that none of their methods runs.
    """
    return _Copy().of(value)


class _Copy:
    """A copy in progress. It counts items: a few lists that contain each other many times would grow endlessly."""

    def __init__(self) -> None:
        self._bytes_left = MAX_BYTES

    def of(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)  # not isinstance, == or sets, which run the student's methods
        if self._bytes_left < _BYTES_PER_ITEM:
            return Opaque(_class_name(kind))
        self._bytes_left -= _BYTES_PER_ITEM
        if kind is float or value is None or kind is bool or kind is complex or kind is Raised or kind is Opaque:
            return value
        if issubclass(kind, np.ndarray):
            return self._array(np.asarray(value))
        if issubclass(kind, str):
            text = str.__str__(value)[:MAX_TEXT]
            return text if self._afford(4 * len(text)) else Opaque("str")
        if issubclass(kind, np.generic):
            plain = self._array(np.asarray(value))
            return plain[()] if isinstance(plain, np.ndarray) else Opaque(_class_name(kind))
        if kind is TypedArray and value.typecode not in "uw":  # those are texts
            return self._array(np.asarray(value))
        # bool has no subclasses; other subclasses of numbers count as the number they are.
        if issubclass(kind, int):
            number = int.__int__(value)
            return number if abs(number) < 2**63 else Opaque("int")
        if issubclass(kind, float):
            return float.__float__(value)
        if depth < MAX_DEPTH:
            if issubclass(kind, dict) and dict.__len__(value) <= MAX_ITEMS:
                copied = {self._key(key): self.of(item, depth + 1) for key, item in dict.items(value)}
                return copied if number_keys(copied) <= MAX_NUMBER_KEYS else Opaque(_class_name(kind))
            if issubclass(kind, list) and list.__len__(value) <= MAX_ITEMS:
                return [self.of(item, depth + 1) for item in list.__iter__(value)]
            if issubclass(kind, tuple) and tuple.__len__(value) <= MAX_ITEMS:
                return tuple([self.of(item, depth + 1) for item in tuple.__iter__(value)])
        return Opaque(_class_name(kind))

    def _array(self, array: np.ndarray) -> np.ndarray | Opaque:
        if array.dtype.kind == "O" and array.size <= MAX_ITEMS and all(map(_is_real_number, array.flat)):
            with suppress(OverflowError):  # an int too large for a float
                array = array.astype(float)
        kind = array.dtype.kind
        if kind not in NUMERIC_KINDS:
            return Opaque(f"ndarray of {array.dtype}"[:MAX_NAME])
        if array.ndim > MAX_DEPTH or not self._afford(array.nbytes):
            return Opaque(f"ndarray of shape {array.shape}")
        if array.dtype.itemsize > 16 or array.dtype.char in "gG":  # long double differs between machines
            return array.astype(complex if kind == "c" else float)
        return array.copy()

    def _key(self, key: Any) -> Any:
        if type(key) is str and len(key) <= MAX_NAME and self._afford(_BYTES_PER_ITEM + 4 * len(key)):
            return key
        plain = self.of(key, depth=MAX_DEPTH)
        if isinstance(plain, np.generic):
            plain = plain.item()
        return plain if type(plain) in KEY_TYPES else f"<{_class_name(type(key))}>"

    def _afford(self, size: int) -> bool:
        if size > self._bytes_left:
            return False
        self._bytes_left -= size
        return True


_REAL_NUMBERS = (float, int, np.float64, np.float32)
KEY_TYPES = (str, int, float, bool, type(None))


def _is_real_number(value: Any) -> bool:
    return any(type(value) is kind for kind in _REAL_NUMBERS)


def number_keys(keys: Iterable[Any]) -> int:
    kinds = list(map(type, keys))
    return kinds.count(int) + kinds.count(float)


def _class_name(kind: type) -> str:
    # A metaclass may define a __name__ of its own; this is the one of `type`.
    return type.__dict__["__name__"].__get__(kind)[:MAX_NAME]


def numbers(value: Any) -> np.ndarray | None:
    """The array that plain data holds: a number, an array, or nested lists or tuples of them; None if it holds another
    value, or parts that do not fit together.

    NumPy is never handed a text: it would give every item of a list the width of the longest.

    >>> numbers([[1, 2], (3.0, 4.0)])
    array([[1., 2.],
           [3., 4.]])
    >>> numbers([1, "two"]) is None
    True
    """
    with suppress(ValueError):  # ragged
        if _holds_numbers(value):
            return np.asarray(value)
    return None


def _holds_numbers(value: Any) -> bool:
    if type(value) in (list, tuple):
        return all(map(_holds_numbers, value))
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.kind in NUMERIC_KINDS
    return type(value) in (bool, int, float, complex)


def to_record(instance: Any) -> dict[str, Any]:
    """A dataclass instance as {field: plain data}; `type(instance)(**unpacked)` restores it."""
    return {field.name: simplify(getattr(instance, field.name)) for field in fields(instance)}
