"""Lines of a student's code that do not run, and the line that keeps them from it; or that run for nothing.

This is seen while the code runs, so it is true however the code is written: a condition that is never true, a loop
without rounds and the line that made what it goes through, a `return` that comes first. What a loop goes through stays
as it is where its variable only gets a new value, and a loop that returns in every round has one round.
"""

from __future__ import annotations

import ast
import linecache
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import FrameType, FunctionType
from typing import Any, TypeVar

from autograder.checks.values import MAX_LINE
from autograder.locale import _

T = TypeVar("T")

MOST_STEPS = 10_000
"""Lines that are followed in one case; right answers take a few hundred, and longer ones are told nothing."""

MOST_WRAPPERS = 10
"""The largest number of decorators around a function."""

MOST_BLOCKS = 50
"""The largest number of blocks that are told of one case."""

IDLE = (ast.Raise, ast.Return, ast.Continue, ast.Break, ast.Pass, ast.Assert, ast.Global, ast.Nonlocal)
"""Statements that may well never run: what is for bad input only, say."""

NEVER, ALWAYS, NO_ROUNDS = "never", "always", "no rounds"
RENAMED, ONE_ROUND, WITH_NAN = "renamed", "one round", "with NaN"
RUNS = (RENAMED, ONE_ROUND, WITH_NAN)
REASONS = (NEVER, ALWAYS, NO_ROUNDS, "return", "continue", "break", *RUNS)
"""Why a block does not run: the condition around it, the loop around it, or the word that comes before it. Or what is
wrong with a line that runs: it gives a loop's variable a new value, which nobody reads, returns in every round, or asks
whether something equals NaN."""


@dataclass(frozen=True)
class Unreached:
    """A line that did not run, and if this is seen, the line `by` which it was not reached; or that ran for nothing.

    Attributes:
        why: one of `REASONS`, or "".
        refuses: whether an exception is raised, for what is not finite, among the lines that do not run with it.
        works: whether anything else is done there.
        from_line, from_source: of a loop, the line that made what it goes through, if this is one line.

    >>> Unreached(4, "y = x", NEVER, 3, "if norm < 0:").told
    'In this case, line 4, `y = x`, does not run: the condition in line 3, `if norm < 0:`, is never true.'
    """

    line: int
    source: str
    why: str = ""
    by_line: int = 0
    by_source: str = ""
    from_line: int = 0
    from_source: str = ""
    refuses: bool = False
    works: bool = True

    @property
    def told(self) -> str:
        """The sentence that a student reads."""
        if self.why == RENAMED:
            text = _(
                "Line {line}, `{source}`, gives the name `{name}` a new value, which nothing reads: what the loop in "
                "line {by} goes through stays as it is."
            )
            name = self.source.split("=")[0].split(":")[0].strip()
            return text.format(line=self.line, source=self.source, name=name, by=self.by_line)
        if self.why == ONE_ROUND:
            text = _("Line {line}, `{source}`, ends the loop in line {by} in its first round.")
            return text.format(line=self.line, source=self.source, by=self.by_line)
        if self.why == WITH_NAN:
            text = _("Line {line}, `{source}`, compares with NaN, which is equal to nothing, not even to itself.")
            return text.format(line=self.line, source=self.source)
        reasons = {
            NEVER: _("the condition in line {line}, `{source}`, is never true"),
            ALWAYS: _("the condition in line {line}, `{source}`, is always true"),
            NO_ROUNDS: _("the loop in line {line}, `{source}`, has no rounds"),
        }
        why = reasons.get(self.why, _("`{source}` in line {line} comes first"))
        text = _("In this case, line {line}, `{source}`, does not run: {why}.")
        told = text.format(line=self.line, source=self.source, why=why.format(line=self.by_line, source=self.by_source))
        if not self.from_source:
            return told
        made = _("What it goes through is made in line {line}, `{source}`.")
        return f"{told} {made.format(line=self.from_line, source=self.from_source)}"

    def to_data(self) -> list[Any]:
        """This line as plain data."""
        return list(vars(self).values())

    @classmethod
    def from_data(cls, data: Any) -> Unreached:
        """The inverse of `to_data`; raises ValueError if `data` is something else."""
        types = [int, str, str, int, str, int, str, bool, bool]
        if type(data) is not list or [type(part) for part in data] != types:
            raise ValueError("not a line")
        if data[2] not in (*REASONS, ""):
            raise ValueError("not a reason")
        parts: Any = (part[:MAX_LINE] if type(part) is str else part for part in data)
        return cls(*parts)


def nowhere(here: Sequence[Unreached], elsewhere: Iterable[Sequence[Unreached]]) -> Unreached | None:
    """The first line that runs for nothing, or is not reached `here`, and in no other case for another reason."""
    for one in here:
        if one.why in (RENAMED, ONE_ROUND):
            return one
    found = {one.line: one for one in here if one.works and one.why not in (*RUNS, "")}
    for case in elsewhere:
        others = {one.line: one for one in case if one.why not in RUNS}
        found = {line: one for line, one in found.items() if line in others and others[line].why in (one.why, "")}
    return next(iter(found.values()), None)


def overlooking(here: Sequence[Unreached]) -> Unreached | None:
    """The line by which NaN, say, goes unnoticed: a comparison, or the one that alone keeps the code from a `raise`."""
    for one in here:
        if one.why == WITH_NAN:
            return one
    found = [one for one in here if one.refuses and one.why]
    return found[0] if len(found) == 1 else None


class Steps:
    """Follows the lines of the cell that defines `function`.

    Where another program follows them already, such as a debugger, nothing is seen.
    """

    def __init__(self, function: Any) -> None:
        self._file = _cell_of(function) if sys.gettrace() is None else ""
        self._ran: set[int] = set()
        self._raised: set[int] = set()
        self._trace = self._tracer() if self._file else None

    def of(self, work: Iterable[T]) -> Iterator[T]:
        """What `work` gives, followed while it makes it."""
        parts = iter(work)
        while True:
            if self._file:
                sys.settrace(self._trace)
            try:
                part = next(parts)
            except StopIteration:
                return
            finally:
                if self._file:
                    sys.settrace(None)
            yield part

    def _tracer(self) -> Callable:
        """A trace function; it has no `self` to look things up in, for it is called at every line."""
        file, ran, raised, left = self._file, self._ran.add, self._raised.add, MOST_STEPS

        def call(frame: FrameType, _event: str, _about: Any) -> Callable | None:
            return line if frame.f_code.co_filename == file else None

        def line(frame: FrameType, event: str, about: Any) -> Callable | None:
            nonlocal left
            if event == "line":
                ran(frame.f_lineno)
                left -= 1
                if left < 0:
                    sys.settrace(None)
                    self._file = ""
                    return None
            elif event == "exception" and not issubclass(about[0], StopIteration):
                raised(frame.f_lineno)
            return line

        return call

    @property
    def unreached(self) -> tuple[Unreached, ...]:
        """The first lines of all blocks that did not run, or raised an exception."""
        if not self._file:
            return ()
        found = []
        for block in _blocks("".join(linecache.getlines(self._file))):
            ran, may_run = not self._ran.isdisjoint(block.lines), block.reasons[0].why in RUNS
            if not may_run and not (self._ran - self._raised).isdisjoint(block.lines):
                continue
            about: list[Any] = [self._at(block.lines.start)]
            for reason in block.reasons if ran == may_run else ():
                if not self._ran.isdisjoint(reason.lines) and self._raised.isdisjoint(reason.lines):
                    about += [[reason.why], self._at(reason.lines.start), self._at(reason.made_in)]
                    break
            one = Unreached(*(part for parts in about for part in parts))
            found.append(replace(one, refuses=block.refuses, works=block.works))
        return tuple(found[:MOST_BLOCKS])

    def _at(self, line: int) -> tuple[int, str]:
        return line, linecache.getline(self._file, line).strip()[:MAX_LINE] if line else ""


@dataclass(frozen=True)
class _Reason:
    """What may keep a block from running: the `lines` of a condition, a loop or a word, and where that is `made_in`."""

    why: str
    lines: range
    made_in: int = 0


@dataclass(frozen=True)
class _Block:
    """Statements that run together: the `lines` of the first, and whether one raises for what is not finite, or does
    anything else.
    """

    lines: range
    reasons: Sequence[_Reason]
    refuses: bool = False
    works: bool = True


def _cell_of(definition: Any) -> str:
    """The name of the cell that defines a function or a class; "" if there is none, as for code in a file.

    Nothing of the student's is asked: any attribute may be made by their code.
    """
    is_class = issubclass(type(definition), type)
    found = type.__getattribute__(definition, "__dict__").values() if is_class else [definition]
    function = next((one for one in found if type(one) is FunctionType), None)
    for _layer in range(MOST_WRAPPERS):
        inner = function.__dict__.get("__wrapped__") if function else None
        function = inner if type(inner) is FunctionType else function
    name = function.__code__.co_filename if function else ""
    return "" if os.path.exists(name) else name


@lru_cache(maxsize=64)
def _blocks(source: str) -> list[_Block]:
    try:
        functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        found = [block for function in functions for block in _in(function.body, _made(function))]
        found += [block for function in functions for block in _renamed(function)]
        found += list(_comparisons_with_nan(functions))
        return sorted(found, key=lambda block: block.reasons[0].why not in RUNS)  # what is wrong with a line tells more
    except (SyntaxError, ValueError, RecursionError):  # a cell with a line of the notebook's own, such as %time
        return []


def _comparisons_with_nan(functions: Iterable[ast.FunctionDef]) -> Iterator[_Block]:
    inside = dict.fromkeys(node for function in functions for node in ast.walk(function))
    for node in inside:
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
            lines = range(node.lineno, node.lineno + 1)
            if any(map(_is_nan, (node.left, node.comparators[0]))):
                yield _Block(lines, [_Reason(WITH_NAN, lines)])


def _is_nan(node: ast.expr) -> bool:
    """Whether this is `np.nan`, `math.nan`, or `float("nan")`."""
    return ast.unparse(node).lower() in ("np.nan", "numpy.nan", "math.nan", "float('nan')")


def _made(function: ast.FunctionDef) -> dict[str, int]:
    """Variable -> the line that makes it, of those that one line makes."""
    lines: dict[str, list[int]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            lines.setdefault(node.id, []).append(node.lineno)
    return {name: found[0] for name, found in lines.items() if len(found) == 1}


def _in(body: Sequence[ast.stmt], made: dict[str, int]) -> Iterator[_Block]:
    """The blocks within a list of statements that do some work."""
    for i, statement in enumerate(body):
        if reasons := list(_before(body[i - 1])) if i else []:
            yield from _block(body[i:], reasons)
        if isinstance(statement, ast.If):
            yield from _block(statement.body, [_Reason(NEVER, _head(statement))], statement.test)
            yield from _block(statement.orelse, [_Reason(ALWAYS, _head(statement))])
        elif isinstance(statement, (ast.While, ast.For)):
            why, through = (NEVER, statement.test) if isinstance(statement, ast.While) else (NO_ROUNDS, statement.iter)
            names = {node.id for node in ast.walk(through) if isinstance(node, ast.Name)} & made.keys()
            made_in = made[names.pop()] if len(names) == 1 else 0
            yield from _block(statement.body, [_Reason(why, _head(statement), made_in)])
            if isinstance(statement, ast.For) and _returns_at_once(statement):
                yield _Block(_head(statement.body[-1]), [_Reason(ONE_ROUND, _head(statement))])
        for inner in ("body", "orelse", "finalbody"):
            if not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                yield from _in(getattr(statement, inner, []), made)


def _returns_at_once(loop: ast.For) -> bool:
    """Whether a loop does something, and ends with a `return`, in its first round."""
    ends = len(loop.body) > 1 and isinstance(loop.body[-1], ast.Return)
    return ends and not any(isinstance(node, ast.Continue) for node in _inside(loop))


def _renamed(function: ast.FunctionDef) -> Iterator[_Block]:
    """Lines that give a variable of a loop a new value made of the old one, and that nothing reads."""
    loops = [node for node in ast.walk(function) if isinstance(node, ast.For)]
    for loop in loops:
        variables = _names(loop.target)
        for node in _inside(loop):
            if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
                continue
            name, own = node.targets[0].id, set(ast.walk(node.value))
            if name in variables and own & set(_reads(name, loop)) and not _is_read(name, node, own, loop, function):
                yield _Block(_head(node), [_Reason(RENAMED, _head(loop))])


def _is_read(name: str, made: ast.stmt, own: set[ast.AST], loop: ast.For, function: ast.FunctionDef) -> bool:
    """Whether the value that the statement `made` in `loop` gives to `name` may be read by another one."""
    last, within = made.end_lineno or made.lineno, set(_inside(loop))
    loops = [inner for inner in within if isinstance(inner, (ast.For, ast.While)) and made in _inside(inner)]
    again = {node for inner in loops for node in _inside(inner)}
    others = [other for other in ast.walk(function) if other is not loop and name in _bound(other)]
    of_others = {node for other in others for node in ast.walk(other)}
    read = [node for node in _reads(name, function) if node not in own]
    return any(node in again or node.lineno > last and (node in within or node not in of_others) for node in read)


def _bound(node: ast.AST) -> set[str]:
    """The variables of a loop or a comprehension."""
    targets = [node.target] if isinstance(node, ast.For) else [one.target for one in getattr(node, "generators", ())]
    return {name for target in targets for name in _names(target)}


def _inside(loop: ast.AST) -> list[ast.AST]:
    return [node for statement in getattr(loop, "body", []) for node in ast.walk(statement)]


def _names(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _reads(name: str, where: ast.AST) -> list[ast.Name]:
    return [
        node
        for node in ast.walk(where)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]


def _before(statement: ast.stmt) -> Iterator[_Reason]:
    """What in a statement keeps those after it from running."""
    leaving = list(_leaving(statement))
    if isinstance(statement, ast.If) and not statement.orelse and statement.body[-1] in leaving:
        yield _Reason(ALWAYS, _head(statement))
    yield from (_Reason(type(one).__name__.lower(), _head(one)) for one in leaving)


def _block(body: Sequence[ast.stmt], reasons: Sequence[_Reason], condition: ast.expr | None = None) -> Iterator[_Block]:
    works = any(not isinstance(one, IDLE) and not _says(one) for one in body)
    asked = [condition, *(node.test for one in body for node in ast.walk(one) if isinstance(node, ast.If))]
    refuses = any(isinstance(node, ast.Raise) for one in body for node in ast.walk(one)) and any(map(_is_finite, asked))
    if (works or refuses) and all(reason.lines.stop <= body[0].lineno for reason in reasons):  # not in one line
        yield _Block(_head(body[0]), reasons, refuses, works)


def _is_finite(condition: ast.expr | None) -> bool:
    """Whether a condition asks for NaN or infinity."""
    itself = isinstance(condition, ast.Compare) and ast.dump(condition.left) == ast.dump(condition.comparators[0])
    return itself or condition is not None and bool(re.search("nan|inf|finite", ast.unparse(condition).lower()))


def _says(statement: ast.stmt) -> bool:
    """Whether a statement is a text, or prints."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    prints = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "print"
    return prints or isinstance(value, ast.Constant)


def _head(statement: ast.stmt) -> range:
    """The lines of a statement without what is within it."""
    body = getattr(statement, "body", None)
    return range(statement.lineno, body[0].lineno if body else (statement.end_lineno or statement.lineno) + 1)


def _leaving(statement: ast.stmt, in_loop: bool = False) -> Iterator[ast.stmt]:
    """What leaves the block of `statement` from within it."""
    if isinstance(statement, ast.Return if in_loop else (ast.Return, ast.Continue, ast.Break)):
        yield statement
    if not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        in_loop = in_loop or isinstance(statement, (ast.For, ast.While))
        for inner in ("body", "orelse", "finalbody"):
            for one in getattr(statement, inner, []):
                yield from _leaving(one, in_loop)
