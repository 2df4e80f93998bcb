"""What stands around a student's code in a notebook: libraries are silent, and code that was stopped for its time is
remembered, so that `check` and `hint` wait only once for an endless loop.
"""

from __future__ import annotations

import builtins
import dis
import os
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import numpy as np

from autograder.checks.judge import with_line
from autograder.checks.values import Raised
from autograder.locale import _
from autograder.sandbox.limits import Limits, OutOfTime, less_than_usual, time_limit

Parts = list[tuple[str, Any]]
"""The parts of code: code objects and constants, by name. Code with equal parts behaves the same."""

LIBRARIES = {"numpy", "matplotlib", "autograder", "builtins", *sys.stdlib_module_names}
"""Code that students do not change."""

MOST_PARTS = 1000

_CONSTANTS = (type(None), bool, int, float, complex, str, bytes)
_WRAPPERS: dict[type, tuple[str, ...]] = {
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    types.MethodType: ("__func__", "__self__"),
    property: ("fget", "fset", "fdel"),
    cached_property: ("func",),
}


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


class _Unknown(Exception):
    """The code uses something that may have changed unnoticed."""


def parts_of(namespace: dict[str, Any], name: str) -> Parts | None:
    """The parts of the code of `namespace[name]`, helpers included.

    Returns:
        None if equal parts would not mean equal code: it is not defined, or uses data that can change in place.
    """
    if name not in namespace:
        return None
    walk = _Walk()
    try:
        walk.visit(name, namespace[name])
    except Exception:  # _Unknown, or an odd object of the student's that raises when it is looked at
        return None
    return walk.parts


class _Walk:
    """Visits a function or class and everything that it uses."""

    def __init__(self) -> None:
        self.parts: Parts = []
        self._seen: dict[int, Any] = {}  # keeps the objects alive, so that their ids stay unique

    def visit(self, name: str, value: Any) -> None:
        """Add the parts of `value`, which the code uses under `name`."""
        if id(value) in self._seen:
            return
        if len(self.parts) >= MOST_PARTS:
            raise _Unknown
        if type(value) in _CONSTANTS:
            self.parts.append((name, (type(value), value)))
            return
        self._seen[id(value)] = value
        if type(value) in (tuple, frozenset):
            self.parts.append((name, (type(value), len(value))))
            for item in value:
                self.visit(name, item)
        elif _is_of_a_library(value):
            self.parts.append((name, value))
        elif type(value) is types.FunctionType:
            self._function(name, value)
        elif isinstance(value, type):
            self._class(name, value)
        elif type(value) in _WRAPPERS:
            for part in _WRAPPERS[type(value)]:
                self.visit(name, getattr(value, part))
        else:
            raise _Unknown

    def _function(self, name: str, function: types.FunctionType) -> None:
        self.parts.append((name, function.__code__))
        self.visit(f"{name} defaults", function.__defaults__)
        self.visit(f"{name} defaults", tuple((function.__kwdefaults__ or {}).items()))
        for free, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                content = cell.cell_contents
            except ValueError as error:
                raise _Unknown from error
            self.visit(free, content)
        for used in _globals_in(function.__code__):
            if used in function.__globals__:
                self.visit(used, function.__globals__[used])
            else:
                self.parts.append((used, getattr(builtins, used, None)))

    def _class(self, name: str, made: type) -> None:
        self.parts.append((name, made.__qualname__))
        for base in (type(made), *made.__bases__):
            self.visit(f"{name} base", base)
        for key, value in vars(made).items():
            is_internal = key == "_abc_impl" or (key.startswith("__") and not _is_code(value))
            if not is_internal:
                self.visit(f"{name}.{key}", value)


def _is_code(value: Any) -> bool:
    return isinstance(value, (types.FunctionType, staticmethod, classmethod, property))


def _globals_in(code: types.CodeType) -> list[str]:
    """The global names that `code`, or a function in it, reads."""
    used = {i.argval: None for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for constant in code.co_consts:
        if type(constant) is types.CodeType:
            used |= dict.fromkeys(_globals_in(constant))
    return list(used)


def _is_of_a_library(value: Any) -> bool:
    """Whether `value` is a module, class or function of one of LIBRARIES, under its own name there."""
    if type(value) is types.ModuleType:
        return value.__name__.partition(".")[0] in LIBRARIES
    if type(value) is np.ufunc:
        return True
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if type(module) is not str or type(name) is not str or module.partition(".")[0] not in LIBRARIES:
        return False
    return getattr(sys.modules.get(module), name, None) is value


class Stops:
    """Remembers which code was stopped for its time in this session."""

    def __init__(self) -> None:
        self._stopped: dict[str, tuple[Parts, str, list[str]]] = {}

    @contextmanager
    def limited(self, what: str, parts: Callable[[], Parts | None], limits: Limits) -> Iterator[None]:
        """Limit the time of the body, which does `what` with code that consists of `parts`.

        Raises:
            OutOfTime: it was stopped, now or earlier with the same code; the message is for the student, and its notes
                are what the code printed.
        """
        now = parts() if self._stopped else None
        known, reason, printed = self._stopped.get(what, (None, "", []))
        if now is not None and now == known:
            raise _stop(f"{reason}\n" + _("It was not run again, because the code has not changed."), printed)
        again = now is not None and any(all(part in now for part in seen) for seen, *_more in self._stopped.values())
        try:
            with time_limit((limits.after_a_stop() if again else limits).probe_seconds):
                yield
        except OutOfTime as error:
            reason = f"{error}\n{less_than_usual()}" if again else str(error)
            reason = with_line(reason, Raised.of(error))
            now, printed = parts(), list(getattr(error, "__notes__", []))
            if now is not None:
                self._stopped[what] = now, reason, printed
            raise _stop(reason, printed) from None


def _stop(reason: str, printed: list[str]) -> OutOfTime:
    error = OutOfTime(reason)
    for text in printed:
        error.add_note(text)
    return error
