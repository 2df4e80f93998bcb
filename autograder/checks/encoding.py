"""Writes the data model of `values` as msgpack.

Nothing that arrives can run code: there is no pickle, arrays are rebuilt from bytes only after dtype, shape and size
were checked, and every size has a limit.
"""

from __future__ import annotations

import math
import struct
from dataclasses import astuple
from functools import partial
from typing import Any

import msgpack
import numpy as np

from autograder.checks.values import (
    KEY_TYPES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_LINE,
    MAX_MESSAGE,
    MAX_NAME,
    MAX_NUMBER_KEYS,
    Opaque,
    Raised,
    number_keys,
)

_DTYPES = {
    code.encode().ljust(4, b"\0"): np.dtype(code)
    for code in "|b1 |i1 <i2 <i4 <i8 |u1 <u2 <u4 <u8 <f2 <f4 <f8 <c8 <c16".split()
}

_CODES = {dtype: code for code, dtype in _DTYPES.items()}


class WireError(ValueError):
    """A message is outside the data model or its limits."""


_KEY_TYPES = frozenset(KEY_TYPES)
_ARRAY, _SCALAR, _TUPLE, _RAISED, _OPAQUE, _COMPLEX = range(1, 7)
_ARRAY_HEAD = struct.Struct("<4sB")
"""An array begins with its dtype code and its number of dimensions; then follow the shape and the elements."""


_Packer = partial(msgpack.Packer, strict_types=True, unicode_errors="replace", buf_size=2**12)
_packers: list[msgpack.Packer] = []
"""Those that pack nothing now: most values are small, and a new packer takes longer than these."""

_MOST_KEPT = 2**20
"""After a longer message a packer is dropped with its buffer."""


def pack(value: Any) -> bytes:
    """`value`, which `simplify` made, as bytes.

    Raises:
        WireError: it is outside the data model, or too large.
    """
    packer = _packers.pop() if _packers else _Packer(default=_to_extension)
    try:
        data = packer.pack(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError(f"cannot be sent: {error}") from error
    if len(data) <= _MOST_KEPT:
        _packers.append(packer)
    if len(data) > MAX_BYTES:
        raise WireError(f"a message of {len(data)} bytes is too large")
    return data


def unpack(data: bytes, most_text: int = MAX_BYTES) -> Any:
    """The inverse of `pack`.

    Args:
        most_text: the longest text that may be in it.

    Raises:
        WireError: `data` is malformed or exceeds a limit. Nothing else is raised, whatever `data` is.
    """
    return Parts(most_text).unpack(data)


def unpack_own(data: bytes) -> Any:
    """As `unpack`, for what this kit has packed: no limit is looked after, which takes a third of the time."""
    return _Own()._read(data)


def pack_observation(seen: dict[str, Any]) -> dict[str, Any]:
    """An observation as data, each value packed by itself: whoever knows how one must look need not read it.

    Raises:
        WireError: as `pack`.
    """
    end = {name: part for name, part in seen.items() if name != "values"}
    return {"values": {name: pack(value) for name, value in seen["values"].items()}, "end": pack(end)}


def _look_through(value: Any, most_text: int, depth: int) -> None:
    kind = type(value)
    if kind is str or kind is bytes:
        if len(value) > most_text:
            raise WireError("a text is too long")
    elif kind in (list, tuple, dict):
        if depth == 0:
            raise WireError("nested too deeply")
        for item in (*value, *value.values()) if kind is dict else value:
            if type(item) not in _LEAVES:
                _look_through(item, most_text, depth - 1)
    elif kind is Raised:
        for item in (value.type, value.bases, value.message, value.source):
            _look_through(item, most_text, depth)
    elif kind not in _LEAVES and not issubclass(kind, np.generic):
        raise WireError("a value outside the data model")  # msgpack would make its own objects from time stamps


_LEAVES = frozenset((type(None), bool, int, float, complex, Opaque, np.ndarray))


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
    code = _CODES.get(array.dtype)
    if code is None:
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        code = array.dtype.str.encode()
    head = _ARRAY_HEAD.pack(code, array.ndim)
    return head + struct.pack(f"<{array.ndim}q", *array.shape) + array.tobytes()


class Parts:
    """Reads messages that came as parts of one, and that together must not exceed its limits.

    It counts, since a byte or two can stand for an object a hundred times as large, and an extension in an extension
    copies its content once more.
    """

    def __init__(self, most_text: int = MAX_BYTES) -> None:
        """`most_text` as in `unpack`."""
        self._most_text = most_text
        self._items_left = 10 * MAX_ITEMS
        self._bytes_left = 8 * MAX_BYTES

    def unpack(self, data: bytes) -> Any:
        """The value in `data`. Raises WireError, as `unpack` does."""
        if len(data) > MAX_BYTES:
            raise WireError(f"a message of {len(data)} bytes is too large")
        value = self._read(data)
        _look_through(value, self._most_text, 2 * MAX_DEPTH)
        return value

    def _read(self, data: bytes, depth: int = 0) -> Any:
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
        found, keys = self._count(pairs), [key for key, _value in pairs]
        if not _KEY_TYPES.issuperset(map(type, keys)):
            raise WireError("a key that is no plain value")
        if number_keys(keys) > MAX_NUMBER_KEYS:
            raise WireError("too many numbers as keys")
        return dict(found)

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
        parts = self._read(payload, depth)
        if type(parts) is not list:
            raise WireError("malformed extension")
        if code == _TUPLE:
            return tuple(parts)
        if code == _COMPLEX and [type(part) for part in parts] == [float, float]:
            return complex(*parts)
        if code == _OPAQUE and [type(part) for part in parts] == [str]:
            return Opaque(parts[0][:MAX_NAME])
        if code == _RAISED and [type(part) for part in parts] == [str, tuple, str, int, str]:
            kind, bases, message, line, source = parts
            if all(type(name) is str for name in bases):
                return Raised(kind[:MAX_NAME], bases, message[:MAX_MESSAGE], line, source[:MAX_LINE])
        raise WireError(f"malformed extension {code}")


class _Own(Parts):
    """Reads messages that nobody else has made."""

    def _read(self, data: bytes, depth: int = 0) -> Any:
        return msgpack.unpackb(
            data, ext_hook=lambda code, payload: self._extension(code, payload, depth), strict_map_key=False
        )


def _skip(data: bytes) -> None:
    """Scan a message without building objects: lists that claim more items than there are fail here."""
    unpacker = msgpack.Unpacker(max_buffer_size=MAX_BYTES)
    unpacker.feed(data)
    unpacker.skip()


def _array_from(payload: bytes) -> np.ndarray:
    try:
        code, dimensions = _ARRAY_HEAD.unpack_from(payload)
        shape = struct.unpack_from(f"<{dimensions}q", payload, _ARRAY_HEAD.size)
    except struct.error:
        raise WireError("an array cut short") from None
    dtype = _DTYPES.get(code)  # looked up, not parsed: NumPy's dtype syntax is large and can be slow
    if dtype is None:
        raise WireError(f"unknown dtype {code!r}")
    if dimensions > MAX_DEPTH or min(shape, default=0) < 0:
        raise WireError("malformed shape")
    start = _ARRAY_HEAD.size + 8 * dimensions
    if math.prod(shape) * dtype.itemsize != len(payload) - start:
        raise WireError("an array whose size does not fit its shape")
    return np.ndarray(shape, dtype, payload, start).copy()
