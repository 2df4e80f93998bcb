"""Late work: due dates of single students, from extensions.csv, and the late policy in nbgrader_config.py.

Both are nbgrader's: its gradebook stores the extensions, its plug-in takes the points. Whatever is wrong with a row of
the file is said of all rows at once, before anybody is graded: a row passed over would cost a student points.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from autograder.grading.course import Course, CourseError
from autograder.grading.lookalike import lookalikes
from autograder.grading.table import UnusableTable, fault_of_id, fields_in, heading_of, read_text, records, rows_of
from autograder.grading.timestamp import EXAMPLE, time_of
from autograder.locale import _
from autograder.report.class_record import Lateness

FILE_NAME = "extensions.csv"

HEADINGS = {
    "student": ("学籍番号", "学生", "student id", "id", "student"),
    "assignment": ("課題", "assignment"),
    "due": ("締切", "提出期限", "期限", "duedate", "due", "due date"),
    "reason": ("理由", "reason"),
}
"""Field -> the headings of its column, as in `roster`; the last column may be missing."""

_YEAR_FIRST = re.compile(
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}[T ]\d{1,2}:\d{2}(:\d{2})? ?(Z|[+-]\d{2}:?\d{2}|[A-Za-z][\w/+-]*)"
)
"""Nothing has to be guessed: which number is the month, when on a day, and in which time zone."""


@dataclass(frozen=True)
class Extension:
    """A student's own due date, in UTC, and the row that it stands in."""

    due: datetime
    reason: str
    row: int


def read_extensions(course: Course, assignment: str) -> dict[str, Extension] | None:
    """Student -> extension for `assignment`; None if the course has no such file.

    Raises:
        CourseError: the file, or a row of it for any assignment, cannot be used; it names all such rows.
    """
    path = course.folder / FILE_NAME
    if not path.exists():
        return None
    try:
        return _read(rows_of(read_text(path, "")[0]), {*course.assignments(), assignment}, assignment)
    except UnusableTable as error:
        lines = "\n".join(f"  {line}" for line in error.lines)
        raise CourseError(_("{file} cannot be used:\n{lines}").format(file=FILE_NAME, lines=lines)) from error


def doubts_on(
    extensions: Mapping[str, Extension], known: Collection[str], due: datetime | None
) -> Iterator[tuple[str, str]]:
    """Students with why their extension changes nothing.

    Args:
        known: the ids of everybody in the gradebook and in submitted/.
        due: the due date of the class.
    """
    alike = lookalikes({*known, *extensions})
    for student, extension in extensions.items():
        where = _("{file}, row {row}").format(file=FILE_NAME, row=extension.row)
        if student not in known:
            others = ", ".join(name for name in alike.get(student, ()) if name in known)
            meant = _(" Is it {others}?").format(others=others) if others else ""
            yield (
                student,
                _("{where}: nobody with this id is in the gradebook or has submitted.").format(where=where) + meant,
            )
        elif due is None:
            yield student, _("{where}: the assignment has no due date, so nobody is late.").format(where=where)
        elif extension.due < due:
            yield student, _("{where}: this is before the due date of the class, which counts.").format(where=where)


def late_policy(config: Any) -> Any:
    """nbgrader's AssignLatePenalties with the policy of nbgrader_config.py.

    Raises:
        CourseError: the policy cannot be used.
    """
    from nbgrader.preprocessors import AssignLatePenalties  # takes seconds

    try:
        quiet = logging.getLogger(f"{__name__}.late")  # it warns of every late student, at every run
        quiet.setLevel(logging.ERROR)
        policy = AssignLatePenalties(config=config, log=quiet)
        policy.init_plugin()
        return policy
    except Exception as error:  # whatever an instructor's own module raises when it is imported
        raise CourseError(
            _("The late policy in nbgrader_config.py cannot be used: {reason}").format(reason=error)
        ) from error


class Rules:
    """What the late policy of a course says of a delay, in words; "" if it cannot be asked."""

    def __init__(self, config: Any) -> None:
        self._plugin = None
        with suppress(CourseError):  # grading says it
            self._plugin = late_policy(config).plugin_inst

    def __call__(self, seconds: float) -> str:
        """By its own `rule`, if it has one."""
        with suppress(Exception):  # an instructor's own plug-in: it took its points, whatever it says
            if self._plugin is not None and hasattr(self._plugin, "rule"):
                return str(self._plugin.rule(seconds))
        words = {"zero": _("late: no points"), "none": _("late: nothing is taken")}
        method = str(getattr(self._plugin, "penalty_method", ""))
        return words.get(method, "" if self._plugin is None else type(self._plugin).__name__)


def lateness_of(
    due: datetime | None, extension: timedelta | None, handed_in: datetime | None, rules: Rules, reason: str = ""
) -> Lateness | None:
    """How late a submission is by the gradebook; None if it is in time and its student has no extension.

    Args:
        due: the due date of the class.
    """
    if due is None:
        return None
    own = due + (extension or timedelta())
    seconds = max(0.0, (handed_in - own).total_seconds()) if handed_in else 0.0
    if not (extension or seconds):
        return None
    return Lateness(own, handed_in, seconds, bool(extension), reason, rules(seconds) if seconds else "")


def _read(rows: Sequence[Sequence[str]], known: Collection[str], assignment: str) -> dict[str, Extension]:
    at, columns = _columns(rows)
    found: dict[tuple[str, str], Extension] = {}
    faults = []
    for number, cells in records(rows, at, columns):
        due, fault = _due(cells["due"])
        fault = fault_of_id(cells["student"], _("student")) or fault
        if cells["assignment"] not in known:
            fault = _("there is no assignment {name}; known: {known}").format(
                name=cells["assignment"] or '""', known=", ".join(sorted(known))
            )
        if not fault and due is not None:
            key = cells["student"], cells["assignment"]
            first = found.setdefault(key, Extension(due, cells.get("reason", ""), number))
            if first.due != due:
                fault = _("row {other} has another due date for this student; delete one of them").format(
                    other=first.row
                )
        if fault:
            faults.append(_("Row {n}: {fault}.").format(n=number, fault=fault))
    if faults:
        raise UnusableTable(faults)
    return {student: extension for (student, name), extension in found.items() if name == assignment}


def _columns(rows: Sequence[Sequence[str]]) -> tuple[int, dict[str, int]]:
    """The number of the row of headings, the first that is not empty, and field -> the number of its column."""
    at = next((at for at, row in enumerate(rows) if any(map(heading_of, row))), len(rows))
    found = fields_in(rows[at], HEADINGS) if at < len(rows) else {}
    if {"student", "assignment", "due"} <= found.keys():
        return at, found
    wanted = "student, assignment, due date, reason"
    raise UnusableTable([_("The first row must have these headings: {headings}.").format(headings=wanted)])


def _due(text: str) -> tuple[datetime | None, str]:
    """The time in `text`, or what is wrong with it."""
    with suppress(ValueError):
        plain = unicodedata.normalize("NFKC", text)
        if _YEAR_FIRST.fullmatch(plain):
            return time_of(plain, zone_needed=True), ""
    return None, _("the due date {text} is not like {example}: year first, with time and time zone").format(
        text=f'"{text}"', example=EXAMPLE
    )
