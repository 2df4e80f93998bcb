"""Puts what causes.toml says of a group into the bank of known mistakes, as an entry of a mistakes.toml in reference/.

The entry's code is the cell of one student of the group. Whatever reads the bank executes it, without isolation. So it
may only import and define, see `definitions`; what its functions do is for the instructor to read before the entry is
written. A worker runs it first, alone, as the bank will.
"""

from __future__ import annotations

import ast
import json
import os
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from autograder.checks.diagnosis import Cause
from autograder.checks.exercise import Exercise
from autograder.checks.judge import FAILURES, Trial, falls_short
from autograder.checks.results import ExerciseResult
from autograder.exercises import exercise
from autograder.exercises.recorded import Series, recorded
from autograder.grading.course import Course, CourseError, guarded_folders
from autograder.grading.definitions import first_that_acts
from autograder.grading.grade_submission import grade_submission
from autograder.grading.own_causes import FILE_NAME, in_bank, read_causes
from autograder.grading.private import alone
from autograder.grading.read_class import read_people
from autograder.grading.reference import CELL, Reference
from autograder.grading.result_file import stored_results
from autograder.locale import _
from autograder.notebooks.submission import Cell, Submission, submission_of
from autograder.report.class_record import Person
from autograder.sandbox.client import run_submission
from autograder.sandbox.fork_server import Host, HostBroken, shared_host, too_weak
from autograder.sandbox.isolation import Level

MOST_TRIED = 5
"""Students of a group whose code is tried as its example."""

TOUCHES = {"detail": 1 / 3, "core": 2 / 3}
"""What a mistake touches, by the largest share of an exercise that it costs; more is "all"."""


@dataclass(frozen=True)
class Entry:
    """An entry for the bank, the file that it belongs into, and the student whose code it holds."""

    group: str
    path: Path
    text: str
    student: str
    exercises: tuple[str, ...]


class NoExample(Exception):
    """A student's code cannot stand for its group; the message says why."""


def entry_for(course: Course, assignment: str, group: str, *, allow_basic: bool = False) -> Entry:
    """The entry that tells the cause of `group`. Nothing is written yet.

    Args:
        allow_basic: whether students' code may run where it can read and change files.

    Raises:
        CourseError: there can be none.
        HostBroken: students' code cannot be isolated.
    """
    if not (course.folder / "reference").is_dir():
        raise CourseError(
            _("{folder} has no folder reference/, so it has no bank of known mistakes.").format(folder=course.folder)
        )
    cause = read_causes(course.folder).get(group)
    if cause is None:
        raise CourseError(
            _("{file} says nothing of the group {group}. First write a cause and a question under [{group}].").format(
                file=FILE_NAME, group=group
            )
        )
    reference = Reference(course.folder)
    _refuse_known(course.folder, group)
    students, solution = _members(course, assignment, group)
    host = shared_host(guarded_folders(course.folder), own_code=False)
    if host.level is Level.BASIC and not allow_basic:
        raise HostBroken(too_weak(host, "--allow-basic"))
    people = read_people(course.directory)
    names = {name for student in students for name in _names(people.get(student, Person(student)))}
    reasons = []
    for student in students[:MOST_TRIED]:
        try:
            submission = _handed_in(course, assignment, student)
            text, exercises = _entry(host, reference, submission, solution, cause, names)
        except NoExample as reason:
            reasons.append(f"{student}: {reason}")
            continue
        return Entry(group, reference.cell(exercise(exercises[0])) / "mistakes.toml", text, student, exercises)
    raise CourseError(
        _("The group {group} was not saved: no student's code can stand for it. {reasons}").format(
            group=group, reasons=" ".join(reasons)
        )
    )


def write_entry(course: Path, entry: Entry) -> None:
    """Add `entry` to the bank, at once and as a whole; of two processes, one waits for the other.

    Raises:
        CourseError: the bank cannot be used, or has an entry for this group; nothing has been written.
    """
    try:
        with alone(course / "reference" / "private"):
            _refuse_known(course, entry.group)
            _append(entry.path, entry.text)
    except (OSError, ValueError) as error:
        raise CourseError(_("{file} cannot be used: {reason}").format(file=entry.path, reason=error)) from error


def nameless(code: str, names: Collection[str]) -> str:
    """`code` without comments, docstrings, annotations of functions, `names` in strings, and the module's expressions.

    Raises:
        NoExample: it is not Python.
    """
    try:
        text = ast.unparse(ast.fix_missing_locations(_Nameless(names).visit(ast.parse(code))))
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise NoExample(_("Python cannot read the cell ({reason}).").format(reason=error)) from error
    return text


class _Nameless(ast.NodeTransformer):
    def __init__(self, names: Collection[str]) -> None:
        self._names = re.compile("|".join(map(_as_a_word, sorted(names, key=len, reverse=True))), re.IGNORECASE)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node.body = [statement for statement in node.body if not isinstance(statement, ast.Expr)]
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_FunctionDef(self, node: Any) -> ast.AST:
        node.returns = None  # it is executed with the definition
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: Any) -> ast.AST:
        return self.visit_FunctionDef(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if self._names.pattern and isinstance(node.value, str):
            node.value = self._names.sub("", node.value)
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        needed = [] if isinstance(node, ast.Module) else [n for n in ("body", "finalbody") if getattr(node, n, None)]
        super().generic_visit(node)
        for name in needed:
            setattr(node, name, getattr(node, name) or [ast.Pass()])
        return node


def _as_a_word(name: str) -> str:
    """A pattern for `name`: not as a part of another word, in a script that puts spaces between words."""
    return rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])" if name.isascii() else re.escape(name)


def _names(person: Person) -> Iterator[str]:
    """What may stand for a person in a text."""
    parts = (person.id, person.first_name, person.last_name, person.email, person.email.partition("@")[0])
    return (part for part in map(str.strip, parts) if part)


def _refuse_known(course: Path, group: str) -> None:
    for id, path in in_bank(course, [group]).values():
        raise CourseError(
            _("The group {group} is saved already: {path} has [{id}].").format(group=group, path=path, id=id)
        )


def _members(course: Course, assignment: str, group: str) -> tuple[list[str], str]:
    """The students of a group, those first whose code shows no other cause; and the solution cell."""
    found: list[tuple[int, str]] = []
    solution = ""
    for student, stored in stored_results(course, assignment, done=True):
        items = {name: check["items"] for name, check in stored.result["checks"].items()}
        mine = [name for name in items for item in items[name] if item.get("behaviour") == group]
        if mine:
            solution = exercise(mine[0]).solution
            others = {cause for name in items for item in items[name] for cause in item["causes"]} - {group}
            found.append((len(others), student))
    if not found:
        raise CourseError(
            _(
                "No graded submission of {name} shows the group {group}. Since it was last graded, a known mistake may "
                "explain it. The class report lists the groups."
            ).format(name=assignment, group=group)
        )
    return [student for _others, student in sorted(found)], solution


def _handed_in(course: Course, assignment: str, student: str) -> Submission:
    """What is in the student's executed notebook. Raises NoExample."""
    folder = Path(course.directory.format_path(course.directory.autograded_directory, student, assignment))
    path = next(folder.glob("*.ipynb"), None)
    if path is None:
        raise NoExample(_("There is no executed notebook."))
    return submission_of(json.loads(path.read_text(encoding="utf-8")), path.name)


def _entry(
    host: Host, reference: Reference, submission: Submission, solution: str, cause: Cause, names: Collection[str]
) -> tuple[str, tuple[str, ...]]:
    """The text of the entry, and the exercises that it concerns. Raises NoExample."""
    own = tuple(e for e in submission.exercises if e.solution == solution)
    source = next((cell.source for cell in submission.cells if cell.grade_id == solution), "")
    code = nameless(source, names)
    if acts := first_that_acts(ast.parse(code)):
        line = ast.unparse(acts).partition("\n")[0]
        raise NoExample(
            _("Outside functions, the cell does more than import, define, and set constants: {line}").format(line=line)
        )
    head = (reference.cell(own[0]) / "solution.py").read_text(encoding="utf-8").partition(CELL)[0]
    alone = replace(
        submission, exercises=own, missing=(), cells=(Cell(0, head, None, False), Cell(1, code, solution, False))
    )
    checks = grade_submission(alone, host=host).result.checks
    items = [item for found in checks.values() for item in found.items]
    known = sorted({id for item in items for id in item.causes})
    if known:
        raise NoExample(_("Known mistakes explain what the code does: {ids}.").format(ids=", ".join(known)))
    if {item.behaviour for item in items} - {""} != {cause.id}:
        raise NoExample(_("The cell alone does something else; it may use names of other cells."))
    fails = _always_failed(alone, checks, reference, host)
    if not fails:
        raise NoExample(_("No check fails for it on all cases."))
    id = f"{solution.replace('_', '-')}-{cause.id}"
    return _text(id, code, fails, _touches(checks.values()), cause), tuple(e.id for e in own)


def _always_failed(
    alone: Submission, checks: Mapping[str, ExerciseResult], reference: Reference, host: Host
) -> list[str]:
    """Those of the failed `checks` that fail on every series of private cases, too: the audit asks for others."""
    series = {e.id: (recorded(e), *reference.series(e)) for e in alone.exercises}
    run = run_submission(alone, series, host=host)
    fails = []
    for one in alone.exercises:
        trials = run.trials[one.id]
        always = set() if isinstance(trials, str) else _in_each(one, trials, series[one.id])
        failed = (item.id for item in checks[one.id].items if item.outcome in FAILURES)
        fails += [f"{one.id}.{check}" for check in failed if check in always]
    return fails


def _in_each(exercise: Exercise, trials: Iterable[Trial], series: Iterable[Series]) -> set[str]:
    """The checks that fail in each series; `trials` end after the first in which none does."""
    left = iter(trials)
    failed = [
        {
            check.id
            for check in exercise.checks
            for trial in part
            if trial.group in check.on and falls_short(check, trial)
        }
        for one in series
        for part in [list(islice(left, len(one)))]
    ]
    return set.intersection(*failed)


def _touches(checks: Iterable[ExerciseResult]) -> str:
    cost = max(1 - found.share for found in checks)
    return next((word for word, most in TOUCHES.items() if cost <= most + 1e-9), "all")


def _text(id: str, code: str, fails: list[str], touches: str, cause: Cause) -> str:
    block = f"'''\n{code}\n'''" if "'''" not in code else _quoted(f"{code}\n")
    lines = [f"[{id}]", f"code = {block}", f"fails = [{', '.join(map(_quoted, fails))}]"]
    lines += [f'touches = "{touches}"'] if touches != "detail" else []
    for name, texts in (("cause", cause.cause), ("hint", cause.hint)):
        lines += [f"{name}.{language} = {_quoted(text)}" for language, text in sorted(texts.items())]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A string in TOML, whose escapes are JSON's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _append(path: Path, entry: str) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        before = path.read_text(encoding="utf-8").rstrip("\n") + "\n\n" if path.exists() else ""
        tomllib.loads(before + entry)
        draft.write_text(before + entry, encoding="utf-8", newline="\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
