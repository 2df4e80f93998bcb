"""What an exercise is made of: case, probe, observation, check.

    observations = probe(implementation, case)

A case holds inputs. A probe runs an implementation on a case and yields `(name, value)` pairs. A check compares two
observations of one case, the student's and the reference's. Cases come in groups, and a check is judged only on its
own groups. Nothing here knows whether the implementation is a student's, the reference or a known mistake.
"""

from __future__ import annotations

import contextlib
import inspect
import random
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.printed import MOST_PRINTED, Printed, first_lines
from autograder.checks.results import Ending
from autograder.checks.unreached import MOST_BLOCKS, Steps, Unreached
from autograder.checks.values import Raised, simplify
from autograder.locale import _

RANDOM_STATE = 76
"""The seed of the global random generators, so that code that uses them always gives the same results."""


class Implementation:
    """The names that a student's notebook, the reference or a known mistake defines, as attributes.

    A class without a method that its base class asks for can be used, too: what needs the method raises `NotDefined`.
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._completed: dict[str, type] = {}

    def __getattr__(self, name: str) -> Any:
        try:
            value = self._namespace[name]
        except KeyError:
            raise NotDefined(name) from None
        if not (isinstance(value, type) and getattr(value, "__abstractmethods__", None)):
            return value
        if name not in self._completed:
            self._completed[name] = _complete(value)
        return self._completed[name]

    def get(self, name: str) -> Any:
        """The definition of `name`, or None."""
        return self._namespace.get(name)


def _complete(unfinished: type) -> type:
    """A subclass with the methods that `unfinished` lacks."""

    def lacking(method: str) -> Callable[..., None]:
        def not_defined(*_arguments: Any, **_options: Any) -> None:
            raise NotDefined(method)

        return not_defined

    about = {"__module__": unfinished.__module__, "__qualname__": unfinished.__qualname__}
    methods = {method: lacking(method) for method in unfinished.__abstractmethods__}  # type: ignore[attr-defined]
    return type(unfinished)(unfinished.__name__, (unfinished,), about | methods)


class NotDefined(NameError):
    """The notebook does not define this name; the message is the name."""


class Observation:
    """What a probe saw: `seen["y"]` is the value that it yielded as "y".

    If that value is an exception, or the student's code raised one before it, `seen["y"]` raises `StudentError`, and
    `seen.raised("y")` returns the exception.

    Attributes:
        values: the yielded values.
        stopped: the exception that ended the probe, or None.
        printed: the first lines that the student's code printed, see `first_lines`.
        unreached: lines of the student's code that did not run, if this was looked at.
        read: the names that were read since this set was last emptied: a check's verdict depends on these.
        same: the names of values that are the reference's, byte for byte; empty if the probe ended elsewhere.
        worked_out: what the judge needs of the reference's again and again.

    >>> seen = Observation({"ratio": 0.5})
    >>> seen["ratio"], seen.raised("ratio")
    (0.5, None)
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        stopped: Raised | None = None,
        printed: str = "",
        unreached: Sequence[Unreached] = (),
    ) -> None:
        self.values = dict(values)
        self.stopped = stopped
        self.printed = printed
        self.unreached = tuple(unreached)
        self.read: set[str] = set()
        self.same: frozenset[str] = frozenset()
        self.worked_out: dict[Any, Any] = {}

    def __getitem__(self, name: str) -> Any:
        raised = self.raised(name)
        if raised is not None:
            raise StudentError(raised)
        if name not in self.values:
            raise Failed(_("Your code gave no value for {name}.").format(name=name))
        return self.values[name]

    def get(self, name: str) -> Any:
        """The value `name` as it is, be it an exception; None if there is none."""
        self.read.add(name)
        return self.values.get(name)

    def raised(self, name: str) -> Raised | None:
        """The exception in place of the value `name`, or None."""
        self.read.add(name)
        if name not in self.values:
            return self.stopped
        return self.values[name] if type(self.values[name]) is Raised else None

    def to_data(self) -> dict[str, Any]:
        """This observation as plain data."""
        more = {"printed": self.printed, "unreached": [one.to_data() for one in self.unreached]}
        return {"values": self.values, "stopped": self.stopped} | {name: part for name, part in more.items() if part}

    @classmethod
    def from_data(cls, data: Any) -> Observation:
        """The inverse of `to_data`; raises ValueError if `data` is not an observation."""
        if type(data) is not dict or type(data.get("values")) is not dict:
            raise ValueError("not an observation")
        if data.get("stopped") is not None and type(data["stopped"]) is not Raised:
            raise ValueError("not an observation")
        printed, lines = data.get("printed", ""), data.get("unreached", [])
        if type(printed) is not str or type(lines) is not list:
            raise ValueError("not an observation")
        unreached = map(Unreached.from_data, lines[:MOST_BLOCKS])
        return cls(data["values"], data["stopped"], first_lines(printed), tuple(unreached))


class Stopped(str):
    """Why there is no observation: the student's code was stopped, or ended its process."""

    ending: Ending

    def __new__(cls, reason: object, ending: Ending) -> Stopped:
        """The sentence `reason`, which a student reads, and in a word how the code ended."""
        stopped = super().__new__(cls, reason)
        stopped.ending = ending
        return stopped


@dataclass(eq=False)
class StudentError(Exception):
    """The student's code raised `raised` where a check needed a value; `words` say how this came about, if known."""

    raised: Raised
    words: str = ""


@dataclass(eq=False)
class Failed(AssertionError):
    """A check fails; raised by check functions.

    Attributes:
        reason: what was seen and what was expected, in the student's language.
        picture: where in an array the error is, see `autograder.checks.numeric.Mismatch`.
        unwritten: whether a part is not written yet; the reason says which, and no cause is looked for.
        compared: whether the reason is no more than two numbers that differ.
        words: how this came about, as far as it shows; a cause takes its place, or the line that does it.
        overlooked: whether what is not finite went unnoticed.
    """

    reason: str
    picture: tuple[str, ...] = ()
    unwritten: bool = False
    compared: bool = False
    words: str = ""
    overlooked: bool = False

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Check:
    """One check of an exercise: what a student reads as one line.

    `Exercise.check` makes it from a function.

    Attributes:
        id: unique within the exercise.
        sentence: the requirement that students read, in English (the function's docstring).
        points: its points.
        on: the groups of cases on which it is judged.
        needs: ids of checks of the same exercise that must pass first.
        test: called as `test(case, seen, expected)`; raises `Failed` or `StudentError` if the check fails.
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
    """One exercise: what one test cell of the notebook judges.

    Attributes:
        id: the name in `check("...")`; the test cell's grade_id is `check_<id>`.
        case: the frozen dataclass of inputs; its `title` says what is special about it.
        groups: name -> a function that draws the cases of that group from a random generator.
        probe: called as `probe(implementation, case)`; yields `(name, value)` pairs, without secrets or a verdict.
        title: what students read beside the id, in English; the catalogue has the translation.
        solution: grade_id of the cell that the student fills in; by default the exercise's id.
        defines: the name that this cell must define; by default `solution`.
        example: what a student gets of a case to run by hand, by name; by default its fields.
        expects: what the student's answer may be compared with, of the reference's observation; nothing, unless given.
        runs_all: whether the cases run all that the cell is for; else no line is told that does not run.
        calls: the lines that run the student's code on it, as `given`; each name of the example is used in them.
        checks: in the order in which students see them.

        >>> square = Exercise("square", Case, {"numbers": draw_numbers}, probe)
        >>> @square.check(points=2.0, on="numbers")
        ... def test_value(case, seen, expected):
        ...     'The result is x squared.'
        ...     close("square(x)", seen["y"], expected["y"])
    """

    id: str
    case: type
    groups: Mapping[str, Draw]
    probe: Probe
    title: str = ""
    solution: str = ""
    defines: str = ""
    example: Callable[[Any], dict[str, Any]] = lambda case: {k: v for k, v in vars(case).items() if k != "title"}
    expects: Callable[[Observation], Any] | None = None
    calls: str = ""
    runs_all: bool = True
    checks: list[Check] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.solution = self.solution or self.id
        self.defines = self.defines or self.solution

    def check(
        self, points: float, on: str | tuple[str, ...], needs: tuple[str, ...] = ()
    ) -> Callable[[Callable], Callable]:
        """Register a function `test_<id>` as a check; its docstring is the sentence that students read.

        Args:
            points: its points.
            on: the group or groups of cases on which it is judged.
            needs: ids of earlier checks that must pass first; until then, this one is reported as waiting.

        Raises:
            ValueError: there is no such group, or no such earlier check.
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
        """Raise ValueError if a group has no cases, or no check is judged on it."""
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
        """The points of all checks."""
        return sum(check.points for check in self.checks)

    def observe(self, implementation: Implementation, case: Any, follow: bool = False) -> Observation:
        """What `probe` sees of `implementation` on `case`.

        Values are copied as they are yielded, so that code that reuses its arrays cannot change them later. Only the
        first prints are kept, warnings are dropped, and the global random state is restored, see `keep_random_state`.

        Args:
            follow: whether to look which lines run, too; this takes half as long again.
        """
        values: dict[str, Any] = {}
        steps = Steps(implementation.get(self.defines) if follow and self.runs_all else None)
        with _quiet() as printed, keep_random_state():
            random.seed(RANDOM_STATE)
            np.random.seed(RANDOM_STATE)
            try:
                for name, value in steps.of(self.probe(implementation, case)):
                    values[name] = simplify(value)
            except (Exception, SystemExit, GeneratorExit) as error:
                return Observation(values, Raised.of(error), printed.text, steps.unreached)
            except BaseException as error:  # it was cut off: nothing else is left to look at
                error.add_note(printed.text)
                raise
        return Observation(values, printed=printed.text, unreached=steps.unreached)


def attempt(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result of `function`, or its exception as `Raised`, for probes that continue after an exception."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return Raised.of(error)


@contextlib.contextmanager
def _quiet() -> Iterator[Printed]:
    printed = Printed(MOST_PRINTED + 1)
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(Printed(0)),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield printed


_is_kept = False


@contextlib.contextmanager
def keep_random_state() -> Iterator[None]:
    """Restore the states of the global random generators, Python's and NumPy's, after the body.

    This is slow compared with a probe, so it is done once around a series of observations.
    """
    global _is_kept
    if _is_kept:
        yield
        return
    plain, state, _is_kept = random.getstate(), np.random.get_state(), True
    try:
        yield
    finally:
        _is_kept = False
        random.setstate(plain)
        np.random.set_state(state)
