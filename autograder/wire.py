"""Plain data, and nothing else, between students' code and whoever judges it.

`simplify` makes a copy of any value in terms of the data model: None, bool, int, float, complex, str, list, tuple,
dict, NumPy scalars and numeric arrays, and two records: `Raised` for an exception and `Opaque` for what is no data.
`pack` and `unpack` carry that model as msgpack. Nothing that arrives can run code: there is no pickle, arrays are
rebuilt from bytes after dtype, shape and size were looked at, and every size has a cap.
"""

from __future__ import annotations

import linecache
import math
import os
import struct
import traceback
from array import array as TypedArray
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from typing import Any

import msgpack
import numpy as np

MAX_BYTES = 16 * 2**20
MAX_ITEMS = 100_000
MAX_TEXT = 20_000
MAX_DEPTH = 16
MAX_NAME = 200
MAX_MESSAGE = 2000
MAX_LINE = 300
MAX_NUMBER_KEYS = 1000
"""How many numbers a dict may have as keys. Unlike those of texts their hashes can be chosen, so that all of them are
one another's neighbours, and every key is compared with all before it."""

_BYTES_PER_ITEM = MAX_BYTES // MAX_ITEMS  # more than any item takes on the wire besides its text or its array's bytes
_DTYPE_KINDS = "biufc"
_DTYPES = {
    code.encode().ljust(4, b"\0"): np.dtype(code)
    for code in "|b1 |i1 <i2 <i4 <i8 |u1 <u2 <u4 <u8 <f2 <f4 <f8 <c8 <c16".split()
}


class WireError(ValueError):
    """A message that does not keep to the data model or its caps."""


@dataclass(frozen=True)
class Opaque:
    """Stands for a value that is no data; `type` names what it was."""

    type: str


@dataclass(frozen=True)
class Raised:
    """An exception as data.

    Attributes:
        type: the exception's class name.
        bases: the names of its class and all base classes.
        message: its text.
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
        """`error` as data, with the last line of its traceback that stands in no file: the student's own."""
        line, source = 0, ""
        for frame, number in traceback.walk_tb(error.__traceback__):
            name = frame.f_code.co_filename
            if not os.path.exists(name):
                text = linecache.getline(name, number).strip()
                if text or not source:  # compiled libraries name files that are not there either
                    line, source = number, text
        try:
            message = str.__str__(str(error))
        except (Exception, SystemExit):  # a student's __str__ may itself be broken
            message = ""
        names = tuple(_class_name(base) for base in type(error).__mro__ if base is not object)
        return cls(names[0], names, message[:MAX_MESSAGE], line, source[:MAX_LINE])

    def is_a(self, *names: str) -> bool:
        """Whether the exception is of one of the named classes or derived from it."""
        return any(name in self.bases for name in names)


def simplify(value: Any) -> Any:
    """A copy of `value` in the data model; what does not fit becomes `Opaque`.

    A class of the student's own is looked at through its base type, so that none of its methods runs.
    """
    return _Copy().of(value)


class _Copy:
    """A copy in the making. It keeps count: a few lists that hold one another many times would grow without end."""

    def __init__(self) -> None:
        self._bytes_left = MAX_BYTES

    def of(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)  # not isinstance, which asks the value; nor == and sets, which ask its class
        if not self._afford(_BYTES_PER_ITEM):
            return Opaque(_class_name(kind))
        if value is None or kind is float or kind is bool or kind is complex or kind is Raised or kind is Opaque:
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
                plain = {self._key(key): self.of(item, depth + 1) for key, item in dict.items(value)}
                return plain if _number_keys(plain) <= MAX_NUMBER_KEYS else Opaque(_class_name(kind))
            if issubclass(kind, list) and list.__len__(value) <= MAX_ITEMS:
                return [self.of(item, depth + 1) for item in list.__iter__(value)]
            if issubclass(kind, tuple) and tuple.__len__(value) <= MAX_ITEMS:
                return tuple([self.of(item, depth + 1) for item in tuple.__iter__(value)])
        return Opaque(_class_name(kind))

    def _array(self, array: np.ndarray) -> np.ndarray | Opaque:
        if array.dtype.kind == "O" and array.size <= MAX_ITEMS and all(map(_is_real_number, array.flat)):
            with suppress(OverflowError):  # an int that no float holds
                array = array.astype(float)
        if array.dtype.kind not in _DTYPE_KINDS:
            return Opaque(f"ndarray of {array.dtype}"[:MAX_NAME])
        if array.ndim > MAX_DEPTH or not self._afford(array.nbytes):
            return Opaque(f"ndarray of shape {array.shape}")
        if array.dtype.itemsize > 16 or array.dtype.char in "gG":  # long double differs between machines
            return array.astype(complex if array.dtype.kind == "c" else float)
        return array.copy()

    def _key(self, key: Any) -> Any:
        if type(key) is str and len(key) <= MAX_NAME and self._afford(_BYTES_PER_ITEM + 4 * len(key)):
            return key
        plain = self.of(key, depth=MAX_DEPTH)
        if isinstance(plain, np.generic):
            plain = plain.item()
        return plain if type(plain) in _KEY_TYPES else f"<{_class_name(type(key))}>"

    def _afford(self, size: int) -> bool:
        if size > self._bytes_left:
            return False
        self._bytes_left -= size
        return True


_REAL_NUMBERS = (float, int, np.float64, np.float32)
_KEY_TYPES = (str, int, float, bool, type(None))


def _is_real_number(value: Any) -> bool:
    return any(type(value) is kind for kind in _REAL_NUMBERS)


def _number_keys(keys: Iterable[Any]) -> int:
    return sum(type(key) in (int, float) for key in keys)


def _class_name(kind: type) -> str:
    # A metaclass may define a __name__ of its own; this is the one of `type`.
    return type.__dict__["__name__"].__get__(kind)[:MAX_NAME]


# --- msgpack ---------------------------------------------------------------------------------------------------------

_ARRAY, _SCALAR, _TUPLE, _RAISED, _OPAQUE, _COMPLEX = range(1, 7)
_ARRAY_HEAD = struct.Struct("<4sB")
"""An array begins with its dtype's code and the number of its dimensions; the shape and the elements follow."""


def pack(value: Any) -> bytes:
    """`value`, which `simplify` made, as bytes.

    Raises:
        WireError: it is outside the data model, or too large.
    """
    try:
        data = msgpack.packb(value, default=_to_extension, strict_types=True, unicode_errors="replace")
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError(f"cannot be sent: {error}") from error
    if len(data) > MAX_BYTES:
        raise WireError(f"a message of {len(data)} bytes is too large")
    return data


def unpack(data: bytes, most_text: int = MAX_BYTES) -> Any:
    """The value that `pack` made `data` from.

    Args:
        most_text: the longest text that may be in it.

    Raises:
        WireError: `data` is malformed or exceeds a cap. Nothing else is raised, whatever `data` holds.
    """
    if len(data) > MAX_BYTES:
        raise WireError(f"a message of {len(data)} bytes is too large")
    value = _Message().read(data)
    _look_through(value, most_text, 2 * MAX_DEPTH)
    return value


def _look_through(value: Any, most_text: int, depth: int) -> None:
    kind = type(value)
    if kind is str or kind is bytes:
        if len(value) > most_text:
            raise WireError("a text is too long")
    elif kind in (list, tuple, dict):
        if depth == 0:
            raise WireError("nested too deeply")
        for item in value:
            _look_through(item, most_text, depth - 1)
        if kind is dict:
            for item in value.values():
                _look_through(item, most_text, depth - 1)
    elif kind is Raised:
        for item in (value.type, value.bases, value.message, value.source):
            _look_through(item, most_text, depth)
    elif kind not in _LEAVES and not issubclass(kind, np.generic):
        raise WireError("a value outside the data model")  # msgpack makes objects of its own of time stamps


_LEAVES = (type(None), bool, int, float, complex, Opaque, np.ndarray)


def _to_extension(value: Any) -> msgpack.ExtType:
    if isinstance(value, np.ndarray):
        return msgpack.ExtType(_ARRAY, _array_bytes(value))
    if isinstance(value, np.generic):
        return msgpack.ExtType(_SCALAR, _array_bytes(np.asarray(value)))
    if type(value) is tuple:
        return msgpack.ExtType(_TUPLE, pack(list(value)))
    if type(value) is complex:
        return msgpack.ExtType(_COMPLEX, pack([value.real, value.imag]))
    if type(value) is Raised:
        return msgpack.ExtType(_RAISED, pack([*astuple(value)]))
    if type(value) is Opaque:
        return msgpack.ExtType(_OPAQUE, pack([value.type]))
    raise TypeError(f"{type(value).__name__} is no data")


def _array_bytes(array: np.ndarray) -> bytes:
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    head = _ARRAY_HEAD.pack(little.dtype.str.encode(), little.ndim)
    return head + struct.pack(f"<{little.ndim}q", *little.shape) + little.tobytes()


class _Message:
    """A message being read. It keeps count, since a byte or two can stand for an object a hundred times as large, and
    an extension in an extension is one more copy of what is in it."""

    def __init__(self) -> None:
        self._items_left = 10 * MAX_ITEMS
        self._bytes_left = 8 * MAX_BYTES

    def read(self, data: bytes, depth: int = 0) -> Any:
        self._bytes_left -= len(data)
        if depth > 2 * MAX_DEPTH or self._bytes_left < 0:
            raise WireError("nested too deeply")
        try:
            _skip(data)
            return msgpack.unpackb(
                data,
                ext_hook=lambda code, payload: self._extension(code, payload, depth + 1),
                list_hook=self._count,
                object_pairs_hook=self._dict,
                strict_map_key=False,
                max_array_len=MAX_ITEMS,
                max_map_len=MAX_ITEMS,
            )
        except WireError:
            raise
        except Exception as error:
            raise WireError(f"malformed message: {error}") from error

    def _count(self, container: list) -> list:
        self._items_left -= 1 + len(container)
        if self._items_left < 0:
            raise WireError("too many items")
        return container

    def _dict(self, pairs: list[tuple[Any, Any]]) -> dict:
        keys = [key for key, _value in self._count(pairs)]
        if any(type(key) not in _KEY_TYPES for key in keys):
            raise WireError("a key that is no plain value")
        if _number_keys(keys) > MAX_NUMBER_KEYS:
            raise WireError("too many numbers as keys")
        return dict(pairs)

    def _extension(self, code: int, payload: bytes, depth: int) -> Any:
        if code in (_ARRAY, _SCALAR):
            self._items_left -= 4  # it takes as much memory as a few plain values
            self._bytes_left -= len(payload)
            if self._items_left < 0 or self._bytes_left < 0:
                raise WireError("too many arrays")
            array = _array_from(payload)
            if code == _ARRAY:
                return array
            if array.shape != ():
                raise WireError("a scalar with a shape")
            return array[()]
        parts = self.read(payload, depth)
        if type(parts) is not list:
            raise WireError("malformed extension")
        if code == _TUPLE:
            return tuple(parts)
        if code == _COMPLEX and [type(part) for part in parts] == [float, float]:
            return complex(*parts)
        if code == _OPAQUE and [type(part) for part in parts] == [str]:
            return Opaque(parts[0][:MAX_NAME])
        if code == _RAISED and [type(part) for part in parts] == [str, tuple, str, int, str]:
            if all(type(name) is str for name in parts[1]):
                kind, bases, message, line, source = parts
                return Raised(kind[:MAX_NAME], bases, message[:MAX_MESSAGE], line, source[:MAX_LINE])
        raise WireError(f"malformed extension {code}")


def _skip(data: bytes) -> None:
    """Go through a message without building anything of it: lists that claim more items than there are do not pass."""
    unpacker = msgpack.Unpacker(max_buffer_size=MAX_BYTES)
    unpacker.feed(data)
    unpacker.skip()


def _array_from(payload: bytes) -> np.ndarray:
    try:
        code, dimensions = _ARRAY_HEAD.unpack_from(payload)
        shape = struct.unpack_from(f"<{dimensions}q", payload, _ARRAY_HEAD.size)
    except struct.error:
        raise WireError("an array cut short") from None
    dtype = _DTYPES.get(code)  # looked up, not parsed: NumPy's language of dtypes is large and can take long
    if dtype is None:
        raise WireError(f"unknown dtype {code!r}")
    if dimensions > MAX_DEPTH or any(n < 0 for n in shape):
        raise WireError("malformed shape")
    start = _ARRAY_HEAD.size + 8 * dimensions
    if math.prod(shape) * dtype.itemsize != len(payload) - start:
        raise WireError("an array whose size does not fit its shape")
    return np.frombuffer(payload, dtype, offset=start).reshape(shape).copy()


def to_record(instance: Any) -> dict[str, Any]:
    """A dataclass instance as {field: plain data}; `type(instance)(**unpacked)` makes it again."""
    return {field.name: simplify(getattr(instance, field.name)) for field in fields(instance)}
