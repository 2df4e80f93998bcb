"""The words every exercise is written in: case, probe, observation, check.

    observations = probe(implementation, case)

A case holds inputs; a probe exercises an implementation on a case and yields `(name, value)` pairs of what it saw; a
check is a test over one case and two observations of it, the student's and the reference's. Nothing here knows
whether the implementation is a student's, the reference or a known wrong one.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.i18n import _
from autograder.wire import Raised, simplify

RANDOM_STATE = 76
"""Where the global random generators start, so that code that uses them comes out the same every time."""


class Implementation:
    """The names that a student's notebook, the reference or a misconception defines, as attributes."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace

    def __getattr__(self, name: str) -> Any:
        try:
            return self._namespace[name]
        except KeyError:
            raise NotDefined(name) from None


class NotDefined(NameError):
    """The notebook defines no such name; the message is the name alone."""


class Observation:
    """What a probe saw: `seen["y"]` is the value it yielded as "y".

    Where the value is an exception, or was never reached because the student's code raised one before, reading it
    raises `StudentError`. `raised(name)` looks at such an exception instead.

    Attributes:
        values: what was yielded.
        stopped: the exception that ended the probe, or None.
        read: the names that were asked for, since it was last emptied: what a check's verdict rests on.
    """

    def __init__(self, values: Mapping[str, Any], stopped: Raised | None = None) -> None:
        self.values = dict(values)
        self.stopped = stopped
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        raised = self.raised(name)
        if raised is not None:
            raise StudentError(raised)
        if name not in self.values:
            raise Failed(_("Nothing was observed for {name}.").format(name=name))
        return self.values[name]

    def raised(self, name: str) -> Raised | None:
        """The exception that stands where the value `name` should, or None."""
        self.read.add(name)
        if name not in self.values:
            return self.stopped
        return self.values[name] if type(self.values[name]) is Raised else None

    def joined(self, further: Observation) -> Observation:
        """This observation with what `further` adds; nothing that is here already changes, in value or order.

        One that an exception ended stays as it is.
        """
        return self if self.stopped else Observation({**self.values, **further.values, **self.values}, further.stopped)

    def to_data(self) -> dict[str, Any]:
        """This observation for the wire."""
        return {"values": self.values, "stopped": self.stopped}

    @classmethod
    def from_data(cls, data: Any) -> Observation:
        """The observation that `to_data` made `data` from; ValueError if it is nothing of the kind."""
        if type(data) is not dict or type(data.get("values")) is not dict:
            raise ValueError("not an observation")
        if data.get("stopped") is not None and type(data["stopped"]) is not Raised:
            raise ValueError("not an observation")
        return cls(data["values"], data["stopped"])


class Stopped(str):
    """Why nothing was observed: the student's code was stopped, or ended its process, without an error to show."""


class StudentError(Exception):
    """The student's code raised `raised` where a check wanted a value."""

    def __init__(self, raised: Raised) -> None:
        super().__init__(raised.type)
        self.raised = raised


class Failed(AssertionError):
    """What a check demands does not hold.

    Attributes:
        reason: what was seen and what should hold, in the student's language.
        share: the part of the points that is earned all the same.
        picture: where in an array the error sits, see `autograder.numeric.Mismatch`.
    """

    def __init__(self, reason: str, share: float = 0.0, picture: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.share = share
        self.picture = picture


class Waits(Exception):
    """A check says nothing yet: what it rests on does not hold. The message says what that is."""


@dataclass(frozen=True)
class Check:
    """One promise an implementation must keep; `test(case, seen, expected)` raises where it does not.

    Attributes:
        id: unique within the exercise.
        sentence: what a student reads, in English (the test's docstring).
        points: what it is worth.
        needs: ids of checks of the same exercise without which this one says nothing.
    """

    id: str
    sentence: str
    points: float
    needs: tuple[str, ...]
    test: Callable[[Any, Observation, Observation], None]


Probe = Callable[[Implementation, Any], Iterator[tuple[str, Any]]]


@dataclass(eq=False)
class Exercise:
    """What one test cell of the notebook judges.

    Attributes:
        id: the name in `check("...")`; the test cell's grade_id is `check_<id>`.
        solution: grade_id of the cell the student fills in.
        defines: the name that cell must define.
        case: the frozen dataclass of inputs; its `title` says what is special about it.
        draw: makes all cases of one run from a random generator.
        probe: yields `(name, value)` pairs; it holds no secret and gives no verdict.
        title: what students read beside the id, in English; the catalogue holds the translation.
        probe_further: a second part of the probe, for what a check compares with nothing of the reference's and wants
            to know only of an implementation that is not right.
        checks: in the order students see them.
    """

    id: str
    solution: str
    defines: str
    case: type
    draw: Callable[[np.random.Generator], list[Any]]
    probe: Probe
    title: str = ""
    probe_further: Probe | None = None
    checks: list[Check] = field(default_factory=list)

    def check(self, points: float, needs: tuple[str, ...] = ()) -> Callable[[Callable], Callable]:
        """Register a test function `test_<id>`, whose docstring is the sentence a student reads."""

        def register(test: Callable) -> Callable:
            name = test.__name__.removeprefix("test_")
            self.checks.append(Check(name, inspect.getdoc(test) or name, points, needs, test))
            return test

        return register

    @property
    def points(self) -> float:
        """What all checks are worth together."""
        return sum(check.points for check in self.checks)

    def observe(self, implementation: Implementation, case: Any, further: bool = True) -> Observation:
        """What `probe` and, with `further`, `probe_further` see of `implementation` on `case`.

        Values are copied as they are yielded, so that code which reuses its arrays cannot change them later. What the
        code prints or warns is dropped, and the global random state is put back, see `keep_random_state`.
        """
        seen = _look(self.probe, implementation, case)
        return seen.joined(self.observe_further(implementation, case)) if further and not seen.stopped else seen

    def observe_further(self, implementation: Implementation, case: Any) -> Observation:
        """What `probe_further` alone sees; nothing where there is none."""
        return _look(self.probe_further, implementation, case) if self.probe_further else Observation({})


def _look(probe: Probe, implementation: Implementation, case: Any) -> Observation:
    values: dict[str, Any] = {}
    with _quiet(), keep_random_state():
        np.random.seed(RANDOM_STATE)
        try:
            for name, value in probe(implementation, case):
                values[name] = simplify(value)
        except (Exception, SystemExit, GeneratorExit) as error:
            return Observation(values, Raised.of(error))
    return Observation(values)


def attempt(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What `function` returns, or the exception it raises as `Raised`, for probes that go on after one."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return Raised.of(error)


class _Void(io.TextIOBase):
    """Takes any text and keeps none of it."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with (
        contextlib.redirect_stdout(_Void()),
        contextlib.redirect_stderr(_Void()),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield


_is_kept = False


@contextlib.contextmanager
def keep_random_state() -> Iterator[None]:
    """Put NumPy's global random state back after the body. That takes as long as many a probe: around a series of
    observations, it is done once."""
    global _is_kept
    if _is_kept:
        yield
        return
    state, _is_kept = np.random.get_state(), True
    try:
        yield
    finally:
        _is_kept = False
        np.random.set_state(state)
