"""Plain data, and nothing else, between students' code and whoever judges it.

`simplify` makes a copy of any value in terms of the data model: None, bool, int, float, complex, str, list, tuple, dict,
NumPy scalars and numeric arrays, and two records: `Raised` for an exception and `Opaque` for what is no data. `pack`
and `unpack` carry that model as msgpack. Nothing that arrives can run code: there is no pickle, arrays are rebuilt
from bytes after dtype, shape and size were looked at, and every size has a cap.
"""
from __future__ import annotations

import linecache
import math
import os
import traceback
from dataclasses import astuple, dataclass, fields
from typing import Any

import msgpack
import numpy as np

MAX_BYTES = 16 * 2**20
MAX_ITEMS = 100_000
MAX_TEXT = 20_000
MAX_DEPTH = 16
_DTYPE_KINDS = "biufc"


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
                line, source = number, linecache.getline(name, number).strip()
        try:
            message = str(error)
        except Exception:  # a student's __str__ may itself be broken
            message = ""
        names = tuple(base.__name__ for base in type(error).__mro__ if base is not object)
        return cls(type(error).__name__, names, message[:2000], line, source[:300])

    def is_a(self, *names: str) -> bool:
        """Whether the exception is of one of the named classes or derived from it."""
        return any(name in self.bases for name in names)


def simplify(value: Any, depth: int = 0) -> Any:
    """A copy of `value` in the data model; what does not fit becomes `Opaque`."""
    if value is None or type(value) in (bool, float, complex, Raised, Opaque):
        return value
    if type(value) is int:
        return value if abs(value) < 2**63 else Opaque("int")
    if isinstance(value, np.ndarray):
        return _plain_array(value)
    if isinstance(value, np.generic):
        return _plain_array(np.asarray(value))[()] if value.dtype.kind in _DTYPE_KINDS else Opaque(type(value).__name__)
    if isinstance(value, str):
        return str(value)[:MAX_TEXT]
    # bool has no subclasses; other subclasses of numbers count as the number they are.
    if isinstance(value, int):
        return simplify(int(value))
    if isinstance(value, float):
        return float(value)
    if depth < MAX_DEPTH:
        if isinstance(value, dict) and len(value) <= MAX_ITEMS:
            return {_plain_key(key): simplify(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)) and len(value) <= MAX_ITEMS:
            items = [simplify(item, depth + 1) for item in value]
            return items if isinstance(value, list) else tuple(items)
    return Opaque(type(value).__name__)


def _plain_array(array: np.ndarray) -> np.ndarray | Opaque:
    array = np.array(array, copy=True, subok=False)
    if array.dtype.kind not in _DTYPE_KINDS:
        return Opaque(f"ndarray of {array.dtype}")
    if array.nbytes > MAX_BYTES:
        return Opaque(f"ndarray of shape {array.shape}")
    if array.dtype.itemsize > 16 or array.dtype.char in "gG":  # long double differs between machines
        return array.astype(complex if array.dtype.kind == "c" else float)
    return array


def _plain_key(key: Any) -> Any:
    plain = simplify(key, depth=MAX_DEPTH)
    return plain.item() if isinstance(plain, np.generic) else plain if _is_key(plain) else repr(type(key))


def _is_key(key: Any) -> bool:
    return key is None or type(key) in (bool, int, float, str)


# --- msgpack ---------------------------------------------------------------------------------------------------------

_ARRAY, _SCALAR, _TUPLE, _RAISED, _OPAQUE, _COMPLEX = range(1, 7)


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


def unpack(data: bytes) -> Any:
    """The value that `pack` made `data` from.

    Raises:
        WireError: `data` is malformed or exceeds a cap. Nothing else is raised, whatever `data` holds.
    """
    if len(data) > MAX_BYTES:
        raise WireError(f"a message of {len(data)} bytes is too large")
    return _unpack(data, depth=0)


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
    return pack([little.dtype.str, list(little.shape), little.tobytes()])


def _unpack(data: bytes, depth: int) -> Any:
    if depth > 2 * MAX_DEPTH:
        raise WireError("nested too deeply")
    try:
        return msgpack.unpackb(
            data,
            ext_hook=lambda code, payload: _from_extension(code, payload, depth + 1),
            strict_map_key=False,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
        )
    except WireError:
        raise
    except Exception as error:
        raise WireError(f"malformed message: {error}") from error


def _from_extension(code: int, payload: bytes, depth: int) -> Any:
    parts = _unpack(payload, depth)
    if type(parts) is not list:
        raise WireError("malformed extension")
    if code == _TUPLE:
        return tuple(parts)
    if code in (_ARRAY, _SCALAR):
        array = _array_from(parts)
        if code == _ARRAY:
            return array
        if array.shape != ():
            raise WireError("a scalar with a shape")
        return array[()]
    if code == _COMPLEX and [type(part) for part in parts] == [float, float]:
        return complex(*parts)
    if code == _OPAQUE and [type(part) for part in parts] == [str]:
        return Opaque(parts[0][:200])
    if code == _RAISED and [type(part) for part in parts] == [str, tuple, str, int, str]:
        if all(type(name) is str for name in parts[1]):
            return Raised(*parts)
    raise WireError(f"malformed extension {code}")


def _array_from(parts: list) -> np.ndarray:
    if [type(part) for part in parts] != [str, list, bytes]:
        raise WireError("malformed array")
    code, shape, data = parts
    try:
        dtype = np.dtype(code)
    except Exception as error:
        raise WireError(f"unknown dtype {code[:20]!r}") from error
    if dtype.kind not in _DTYPE_KINDS or dtype.itemsize > 16 or dtype.subdtype is not None:
        raise WireError(f"dtype {code[:20]!r} is not numeric")
    if len(shape) > MAX_DEPTH or any(type(n) is not int or n < 0 for n in shape):
        raise WireError("malformed shape")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise WireError("an array whose size does not fit its shape")
    return np.frombuffer(data, dtype=dtype).reshape(shape).copy()


def to_record(instance: Any) -> dict[str, Any]:
    """A dataclass instance as {field: plain data}; `type(instance)(**unpacked)` makes it again."""
    return {field.name: simplify(getattr(instance, field.name)) for field in fields(instance)}
