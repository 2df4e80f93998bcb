"""The words every exercise is written in: case, probe, observation, check.

    observations = probe(implementation, case)

A case holds inputs; a probe exercises an implementation on a case and yields `(name, value)` pairs of what it saw; a
check is a test over one case and two observations of it, the student's and the reference's. Cases come in groups, and
a check is judged on its own groups only. Nothing here knows whether the implementation is a student's, the reference
or a known wrong one.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.values import Raised, simplify
from autograder.locale import _

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
            raise Failed(_("Your code gave no value for {name}.").format(name=name))
        return self.values[name]

    def raised(self, name: str) -> Raised | None:
        """The exception that stands where the value `name` should, or None."""
        self.read.add(name)
        if name not in self.values:
            return self.stopped
        return self.values[name] if type(self.values[name]) is Raised else None

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
        picture: where in an array the error sits, see `autograder.checks.numeric.Mismatch`.
    """

    def __init__(self, reason: str, share: float = 0.0, picture: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.share = share
        self.picture = picture


@dataclass(frozen=True)
class Check:
    """One promise an implementation must keep; `test(case, seen, expected)` raises where it does not.

    Attributes:
        id: unique within the exercise.
        sentence: what a student reads, in English (the test's docstring).
        points: what it is worth.
        on: the groups of cases it is judged on.
        needs: ids of checks of the same exercise without which this one says nothing.
    """

    id: str
    sentence: str
    points: float
    on: tuple[str, ...]
    needs: tuple[str, ...]
    test: Callable[[Any, Observation, Observation], None]


Probe = Callable[[Implementation, Any], Iterator[tuple[str, Any]]]
Draw = Callable[[np.random.Generator], Sequence[Any]]


@dataclass(eq=False)
class Exercise:
    """What one test cell of the notebook judges.

    Attributes:
        id: the name in `check("...")`; the test cell's grade_id is `check_<id>`.
        case: the frozen dataclass of inputs; its `title` says what is special about it.
        groups: name -> what draws the cases of that group from a random generator.
        probe: yields `(name, value)` pairs; it holds no secret and gives no verdict.
        title: what students read beside the id, in English; the catalogue holds the translation.
        solution: grade_id of the cell the student fills in; the exercise's own id by default.
        defines: the name that cell must define; that of the cell by default.
        checks: in the order students see them.
    """

    id: str
    case: type
    groups: Mapping[str, Draw]
    probe: Probe
    title: str = ""
    solution: str = ""
    defines: str = ""
    checks: list[Check] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.solution = self.solution or self.id
        self.defines = self.defines or self.solution

    def check(
        self, points: float, on: str | tuple[str, ...], needs: tuple[str, ...] = ()
    ) -> Callable[[Callable], Callable]:
        """Register a test function `test_<id>`, whose docstring is the sentence a student reads.

        Args:
            points: what it is worth.
            on: the group or groups of cases it is judged on.
            needs: ids of checks above it without which it says nothing; it is then reported as waiting.

        Raises:
            ValueError: there is no such group, or no such check above.
        """
        groups = (on,) if isinstance(on, str) else on

        def register(test: Callable) -> Callable:
            name = test.__name__.removeprefix("test_")
            self._require_known("group", groups, self.groups)
            self._require_known("check", needs, [check.id for check in self.checks])
            if not groups:
                raise ValueError(f"{self.id}.{name} is judged on no group of cases")
            self.checks.append(Check(name, inspect.getdoc(test) or name, points, groups, needs, test))
            return test

        return register

    def _require_known(self, what: str, names: Sequence[str], known: Collection[str]) -> None:
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f"{self.id} has no {what} {unknown[0]!r}; there are: {', '.join(known)}")

    def require_complete(self) -> None:
        """Raise ValueError where a group has no cases, or no check is judged on it."""
        judged = {group for check in self.checks for group in check.on}
        idle = [group for group in self.groups if group not in judged]
        if idle:
            raise ValueError(f"no check of {self.id} is judged on the group {idle[0]!r}")
        self.draw(np.random.default_rng(0))

    def draw(self, rng: np.random.Generator) -> list[tuple[str, Any]]:
        """(group, case) of every case of one run.

        Raises:
            ValueError: a group has no cases.
        """
        drawn: list[tuple[str, Any]] = []
        for group, cases_of in self.groups.items():
            cases = cases_of(rng)
            if not cases:
                raise ValueError(f"the group {group!r} of {self.id} has no cases")
            drawn += [(group, case) for case in cases]
        return drawn

    @property
    def points(self) -> float:
        """What all checks are worth together."""
        return sum(check.points for check in self.checks)

    def observe(self, implementation: Implementation, case: Any) -> Observation:
        """What `probe` sees of `implementation` on `case`.

        Values are copied as they are yielded, so that code which reuses its arrays cannot change them later. What the
        code prints or warns is dropped, and the global random state is put back, see `keep_random_state`.
        """
        values: dict[str, Any] = {}
        with _quiet(), keep_random_state():
            np.random.seed(RANDOM_STATE)
            try:
                for name, value in self.probe(implementation, case):
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
