"""Reads a class list from a spreadsheet or a learning management system, and imports it into the gradebook.

It imports all rows or none: a student with two ids, or a wrong one, would be noticed much later.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nbgrader.api import Gradebook, InvalidEntry, MissingEntry
from sqlalchemy.exc import DatabaseError

from autograder.grading.course import Course, CourseError
from autograder.grading.gradebook import silence_link_warnings
from autograder.grading.lookalike import alike
from autograder.grading.read_class import read_people
from autograder.locale import _
from autograder.notebooks.load import encodings
from autograder.report.class_record import Person

MAX_BYTES = 20 * 2**20
HEADER_ROWS = 30
"""How many rows are searched for headings: some systems write the course's name and more above them."""

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
"""Field -> the headings of its column, as `_heading` writes them; the first that is there counts."""


class UnusableRoster(Exception):
    """Nothing was imported; `lines` has one fault per line."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


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
        UnusableRoster: it cannot be read, or some rows cannot.
    """
    text, encoding = _text(path, encoding)
    rows = _rows(text)
    at, columns = _columns(rows, id_column)
    heading = {field: rows[at][index].strip() for field, index in columns.items()}
    people: dict[str, tuple[int, Person]] = {}
    faults, left_out = [], []
    for number, row in enumerate(rows[at + 1 :], at + 2):
        cells = {field: _value(row[index]) if index < len(row) else "" for field, index in columns.items()}
        if not any(cells.values()):
            continue
        if _is_no_student(cells, heading):
            left_out.append(cells["name"])
            continue
        person = _person(cells)
        fault = _fault_of(person.id, heading["id"])
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
        raise UnusableRoster(faults)
    return RosterFile(found, heading, encoding, tuple(left_out))


def import_roster(course: Course, roster: RosterFile) -> Imported:
    """Add the students of `roster` to the gradebook, or update them: all of them or none.

    Missing columns and empty cells change nothing in the gradebook; nobody is removed.

    Raises:
        UnusableRoster: an id resembles another one in the gradebook.
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
        raise UnusableRoster([line.format(ids=", ".join(ids)) for ids in doubts])
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


# --- from bytes to rows -----------------------------------------------------------------------------------------------


def _text(path: Path, encoding: str) -> tuple[str, str]:
    """The text of the file, and its encoding."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnusableRoster([f"{path}: {error.strerror or error}"]) from error
    if len(content) > MAX_BYTES:
        raise UnusableRoster([_("It is larger than {limit} MB.").format(limit=MAX_BYTES // 2**20)])
    if content.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0")):
        raise UnusableRoster(
            [_('This is a workbook. Save it from the spreadsheet as "CSV UTF-8", and import that file.')]
        )
    for name in [encoding] if encoding else encodings(content, "cp1252"):
        try:
            text = content.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        if "\0" not in text and (encoding or name != "cp932" or _is_japanese(text)):
            return text.removeprefix("\ufeff"), name
    raise UnusableRoster(
        [_('This is not text in {encoding}. Save it as "CSV UTF-8".').format(encoding=encoding or "UTF-8")]
    )


def _is_japanese(text: str) -> bool:
    """Whether the text looks Japanese: cp932 turns "Hérault" into Latin letters around a kanji."""
    letters = re.findall(r"[^\x00-\x7f]", text)
    among_latin = re.findall(r"(?<=[A-Za-z])[^\x00-\x7f]|[^\x00-\x7f](?=[A-Za-z])", text)
    return 2 * len(among_latin) <= len(letters)


def _rows(text: str) -> list[list[str]]:
    """The cells, split by the separator that gives most columns."""
    declared = re.match(r"sep=(.)\r?\n", text)  # for Excel, which shows no such row
    text = text[declared.end() :] if declared else text
    read = [_split(text, separator) for separator in (declared[1] if declared else ",;\t|")]

    def columns(split: tuple[list[list[str]], str]) -> tuple[int, int]:
        rows = split[0][:HEADER_ROWS]
        return max((len(_fields(row)) for row in rows), default=0), max(map(len, rows), default=0)

    rows, fault = max(read, key=columns)
    if fault:
        raise UnusableRoster([_("Row {n}: {fault}.").format(n=len(rows) + 1, fault=fault)])
    return rows


def _split(text: str, separator: str) -> tuple[list[list[str]], str]:
    """The readable rows, and what is wrong with the next one, or ""."""
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True):
            rows.append(row)
    except csv.Error as error:  # a quotation mark that is not closed would swallow all rows after it
        return rows, _("its quotation marks do not match ({reason})").format(reason=error)
    return rows, ""


# --- from rows to people ----------------------------------------------------------------------------------------------


def _heading(text: str) -> str:
    """A heading as in `HEADINGS`, without separators between words and text in brackets."""
    text = re.sub(r"[(\[（].*$", "", unicodedata.normalize("NFKC", text).strip()) or text
    return " ".join(re.findall(r"\w+", text.casefold().replace("_", " ")))


def _fields(row: Sequence[str]) -> dict[str, int]:
    """Field -> the number of its column, from the headings in `row`."""
    places: dict[str, int] = {}
    for index, text in enumerate(row):
        places.setdefault(_heading(text), index)
    found = {}
    for field, headings in HEADINGS.items():
        heading = next((heading for heading in headings if heading in places), None)
        if heading is not None:
            found[field] = places[heading]
    if "student" in places and "id" in places:  # Canvas's own number
        found["lms_user_id"] = places["id"]
    return found


def _columns(rows: Sequence[Sequence[str]], id_column: str) -> tuple[int, dict[str, int]]:
    """The number of the row of headings, and field -> the number of its column."""
    read = []
    for row in rows[:HEADER_ROWS]:
        fields, headings = _fields(row), [_heading(text) for text in row]
        if id_column:
            fields = fields | {"id": headings.index(_heading(id_column))} if _heading(id_column) in headings else {}
        read.append(fields if "id" in fields else {})
    best = max(read, key=len, default={})  # what stands above may have one of the words as well
    if best:
        return read.index(best), best
    first = next((row for row in rows if any(cell.strip() for cell in row)), [])
    raise UnusableRoster(
        [
            _("There is no column of ids: {wanted} is not a heading. The first row is: {row}").format(
                wanted=id_column or "id, Username, Student ID, SIS Login ID, 学籍番号",
                row=", ".join(first)[:200] or "-",
            )
        ]
    )


def _value(text: str) -> str:
    """A cell without surrounding blanks, or the formula ="0012" with which spreadsheets keep zeros."""
    text = unicodedata.normalize("NFC", re.sub(r"\s+", " ", text)).strip(" \ufeff\u200b")
    quoted = re.fullmatch(r'="(.*)"', text)
    return quoted[1].strip() if quoted else text


def _is_no_student(cells: Mapping[str, str], heading: Mapping[str, str]) -> bool:
    """Whether this is Canvas's row of points, or its test student."""
    name = cells.get("name", "")
    return heading.get("name") == "Student" and (
        (name == "Points Possible" and not cells["id"]) or name in ("Student, Test", "Test Student")
    )


def _fault_of(id: str, heading: str) -> str:
    """What is wrong with an id, or ""."""
    if not id:
        return _("{heading} is empty").format(heading=heading)
    if re.fullmatch(r"\d+[.,]\d+E\+\d+", id, re.IGNORECASE):
        return _("a spreadsheet has shortened the id {id}; format that column as text and enter the id again").format(
            id=id
        )
    if (
        re.search(r"[/\\\0]", id)
        or id.startswith(".")
        or not id.isprintable()
        or len(id.encode("utf-8", "replace")) > 120
    ):
        return _("{id} cannot be an id, because an id is also the name of a folder").format(id=repr(id))
    return ""


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
