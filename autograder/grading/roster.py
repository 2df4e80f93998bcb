"""Reads a class list from a spreadsheet or a learning management system, and imports it into the gradebook.

It imports all rows or none: a student with two ids, or a wrong one, would be noticed much later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nbgrader.api import Gradebook, InvalidEntry, MissingEntry
from sqlalchemy.exc import DatabaseError

from autograder.grading.course import Course, CourseError
from autograder.grading.gradebook import silence_link_warnings
from autograder.grading.lookalike import alike
from autograder.grading.read_class import read_people
from autograder.grading.table import (
    HEADER_ROWS,
    UnusableTable,
    fault_of_id,
    fields_in,
    heading_of,
    read_text,
    records,
    rows_of,
)
from autograder.locale import _
from autograder.report.class_record import Person

HEADINGS = {
    # In the order in which they are taken for nbgrader's id: it is what a system calls people in the names of hand-ins,
    # and what it finds them by when grades go back.
    "id": (
        "sis login id",  # Canvas, where "ID" is its own number
        *("username", "user name", "user", "login", "login id", "login name", "user id", "userid", "loginid"),
        *("ユーザー名", "ユーザ名", "ユーザーid", "ユーザid", "ログインid", "ログイン名", "利用者id"),
        *("id", "student id", "studentid", "student number", "student no", "id number", "sid", "matriculation number"),
        *("matrikelnummer", "matrikel nr", "学籍番号", "学生番号", "学生証番号", "学生id", "学修番号", "id番号"),
        *("org defined id", "orgdefinedid", "sis user id", "sis id"),
        *("email", "email address", "e mail", "mail"),  # where there is nothing else
    ),
    "lms_user_id": ("lms user id",),
    "first_name": ("first name", "firstname", "given name", "given names", "forename", "vorname", "prénom", "名"),
    "last_name": ("last name", "lastname", "surname", "family name", "familienname", "nachname", "nom", "姓", "名字"),
    "email": (
        *("email", "email address", "e mail", "e mail address", "mail", "mail address", "e mail adresse"),
        *("メールアドレス", "メール", "電子メール", "eメール"),
    ),
    "name": ("name", "full name", "fullname", "student", "student name", "display name", "氏名", "名前", "学生氏名"),
}
"""Field -> the headings of its column, as `heading_of` writes them; the first that is there counts."""


@dataclass(frozen=True)
class RosterFile:
    """The content of a file.

    Attributes:
        people: the students, each once.
        columns: field -> the heading of its column in the file.
        encoding: the encoding of the text.
        left_out: rows that are not students.
    """

    people: tuple[Person, ...]
    columns: Mapping[str, str]
    encoding: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """The result of an import: ids in the order of the file; `others` are only in the gradebook."""

    added: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    others: tuple[str, ...]


def read_roster(path: Path, id_column: str = "", encoding: str = "") -> RosterFile:
    """The students in the file `path`.

    Args:
        id_column: the heading of the column of ids, if not a usual one.
        encoding: the encoding of the text; "" means that it is detected.

    Raises:
        UnusableTable: it cannot be read, or some rows cannot.
    """
    text, encoding = read_text(path, encoding)
    rows = rows_of(text, _fields)
    at, columns = _columns(rows, id_column)
    heading = {field: rows[at][index].strip() for field, index in columns.items()}
    people: dict[str, tuple[int, Person]] = {}
    faults, left_out = [], []
    for number, cells in records(rows, at, columns):
        if _is_no_student(cells, heading):
            left_out.append(cells["name"])
            continue
        person = _person(cells)
        fault = fault_of_id(person.id, heading["id"])
        line, before = people.setdefault(person.id, (number, person)) if person.id else (number, person)
        if not fault and before != person:
            fault = _("row {other} has the same id {id} for somebody else").format(id=person.id, other=line)
        if fault:
            faults.append(_("Row {n}: {fault}.").format(n=number, fault=fault))
    found = tuple(person for _line, person in people.values())
    faults += [_("Which of these is right? {ids}").format(ids=", ".join(ids)) for ids in alike(people)]
    if not found and not faults:
        faults = [_("There is no student in it.")]
    if faults:
        raise UnusableTable(faults)
    return RosterFile(found, heading, encoding, tuple(left_out))


def import_roster(course: Course, roster: RosterFile) -> Imported:
    """Add the students of `roster` to the gradebook, or update them: all of them or none.

    Missing columns and empty cells change nothing in the gradebook; nobody is removed.

    Raises:
        UnusableTable: an id resembles another one in the gradebook.
        CourseError: the gradebook cannot be used.
    """
    known = read_people(course.directory)
    new = [person.id for person in roster.people if person.id not in known]
    doubts = [ids for ids in alike([*new, *known]) if not set(ids).isdisjoint(new)]
    if doubts:
        line = _(
            "{ids}: the gradebook and the file spell this id differently. Spell it as the gradebook does, or first "
            "remove that student: nbgrader db student remove ID"
        )
        raise UnusableTable([line.format(ids=", ".join(ids)) for ids in doubts])
    changed = [
        person.id
        for person in roster.people
        if person.id in known and replace(known[person.id], **person.details) != known[person.id]
    ]
    wanted = {*new, *changed}
    _write(course, [person for person in roster.people if person.id in wanted])
    return Imported(
        tuple(new),
        tuple(changed),
        tuple(person.id for person in roster.people if person.id not in wanted),
        tuple(sorted(known.keys() - {person.id for person in roster.people})),
    )


def _write(course: Course, people: Sequence[Person]) -> None:
    """Write `people` to nbgrader. It commits after each, but all of it is one transaction."""
    if not people:
        return
    silence_link_warnings()
    try:
        with Gradebook(course.database, course.directory.course_id) as gradebook, gradebook.engine.connect() as link:
            gradebook.db.remove()
            gradebook.db.configure(bind=link, join_transaction_mode="rollback_only")
            with link.begin():
                for person in people:
                    gradebook.update_or_create_student(person.id, **person.details)
    except (DatabaseError, InvalidEntry, MissingEntry) as error:
        raise CourseError(
            _("The gradebook cannot be used ({reason}); nothing was imported. Is another program using it?").format(
                reason=getattr(error, "orig", error)
            )
        ) from error


# --- from rows to people ----------------------------------------------------------------------------------------------


def _fields(row: Sequence[str], id_column: str = "") -> dict[str, int]:
    """Field -> the number of its column, from the headings in `row`."""
    own: dict[str, tuple[str, ...]] = {"id": (heading_of(id_column),)} if id_column else {}
    if "student" in map(heading_of, row):  # Canvas, where "ID" is its own number
        own["lms_user_id"] = ("id", *HEADINGS["lms_user_id"])
    return fields_in(row, HEADINGS | own)


def _columns(rows: Sequence[Sequence[str]], id_column: str) -> tuple[int, dict[str, int]]:
    """The number of the row of headings, and field -> the number of its column."""
    read = [fields if "id" in (fields := _fields(row, id_column)) else {} for row in rows[:HEADER_ROWS]]
    best = max(read, key=len, default={})  # what stands above may have one of the words as well
    if best:
        return read.index(best), best
    first = next((row for row in rows if any(cell.strip() for cell in row)), [])
    raise UnusableTable(
        [
            _("There is no column of ids: {wanted} is not a heading. The first row is: {row}").format(
                wanted=id_column or "id, Username, Student ID, SIS Login ID, 学籍番号",
                row=", ".join(first)[:200] or "-",
            )
        ]
    )


def _is_no_student(cells: Mapping[str, str], heading: Mapping[str, str]) -> bool:
    """Whether this is Canvas's row of points, or its test student."""
    name = cells.get("name", "")
    return heading.get("name") == "Student" and (
        (name == "Points Possible" and not cells["id"]) or name in ("Student, Test", "Test Student")
    )


def _person(cells: Mapping[str, str]) -> Person:
    first, last = cells.get("first_name", ""), cells.get("last_name", "")
    if not (first or last):
        first, last = _split_name(cells.get("name", ""))
    id = cells["id"].removeprefix("#")  # which Brightspace writes before them
    return Person(id, first, last, cells.get("email", ""), cells.get("lms_user_id", "").removeprefix("#"))


def _split_name(name: str) -> tuple[str, str]:
    """The first name and the last, of "Last, First", "First Last" or, in Japanese, "Last First"."""
    last, comma, first = map(str.strip, name.partition(","))
    if comma:
        return first, last
    words = name.split(" ")
    if len(words) == 1:
        return "", name
    if re.search(r"[\u3040-\u30ff\u3400-\u9fff々]", name):
        return " ".join(words[1:]), words[0]
    return " ".join(words[:-1]), words[-1]
