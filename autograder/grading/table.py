"""Tables from spreadsheets: CSV with any separator and in any usual encoding, as text, rows and cells."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from pathlib import Path

from autograder.locale import _
from autograder.notebooks.load import encodings

MAX_BYTES = 20 * 2**20
HEADER_ROWS = 30
"""How many rows are searched for headings: some systems write the course's name and more above them."""


class UnusableTable(Exception):
    """Nothing of it is used; `lines` has one fault per line."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def read_text(path: Path, encoding: str) -> tuple[str, str]:
    """The text of the file, and its encoding."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnusableTable([f"{path}: {error.strerror or error}"]) from error
    if len(content) > MAX_BYTES:
        raise UnusableTable([_("It is larger than {limit} MB.").format(limit=MAX_BYTES // 2**20)])
    if content.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0")):
        raise UnusableTable(
            [_('This is a workbook. Save it from the spreadsheet as "CSV UTF-8", and import that file.')]
        )
    for name in [encoding] if encoding else encodings(content, "cp1252"):
        try:
            text = content.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        if "\0" not in text and (encoding or name != "cp932" or _is_japanese(text)):
            return text.removeprefix("\ufeff"), name
    raise UnusableTable(
        [_('This is not text in {encoding}. Save it as "CSV UTF-8".').format(encoding=encoding or "UTF-8")]
    )


def _is_japanese(text: str) -> bool:
    """Whether the text looks Japanese: cp932 turns "Hérault" into Latin letters around a kanji."""
    letters = re.findall(r"[^\x00-\x7f]", text)
    among_latin = re.findall(r"(?<=[A-Za-z])[^\x00-\x7f]|[^\x00-\x7f](?=[A-Za-z])", text)
    return 2 * len(among_latin) <= len(letters)


def rows_of(text: str, known: Callable[[Sequence[str]], Sized] = lambda row: ()) -> list[list[str]]:
    """The cells, split by the separator that gives most columns, of those that are `known` first."""
    declared = re.match(r"sep=(.)\r?\n", text)  # for Excel, which shows no such row
    text = text[declared.end() :] if declared else text
    read = [_split(text, separator) for separator in (declared[1] if declared else ",;\t|")]

    def columns(split: tuple[list[list[str]], str]) -> tuple[int, int]:
        rows = split[0][:HEADER_ROWS]
        return max((len(known(row)) for row in rows), default=0), max(map(len, rows), default=0)

    rows, fault = max(read, key=columns)
    if fault:
        raise UnusableTable([_("Row {n}: {fault}.").format(n=len(rows) + 1, fault=fault)])
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


def heading_of(text: str) -> str:
    """A heading as in `HEADINGS`, without separators between words and text in brackets."""
    text = re.sub(r"[(\[（].*$", "", unicodedata.normalize("NFKC", text).strip()) or text
    return " ".join(re.findall(r"\w+", text.casefold().replace("_", " ")))


def fields_in(row: Sequence[str], headings: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Field -> the number of its column in a row of headings; of the `headings` of a field, the first there counts."""
    places: dict[str, int] = {}
    for index, text in enumerate(row):
        places.setdefault(heading_of(text), index)
    found = {field: [places[word] for word in words if word in places] for field, words in headings.items()}
    return {field: columns[0] for field, columns in found.items() if columns}


def records(rows: Sequence[Sequence[str]], at: int, fields: Mapping[str, int]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows below that of the headings, which is `at`, by their numbers: field -> value. Empty rows are left out."""
    for number, row in enumerate(rows[at + 1 :], at + 2):
        cells = {field: value_of(row[index]) if index < len(row) else "" for field, index in fields.items()}
        if any(cells.values()):
            yield number, cells


def value_of(text: str) -> str:
    """A cell without surrounding blanks, or the formula ="0012" with which spreadsheets keep zeros."""
    text = unicodedata.normalize("NFC", re.sub(r"\s+", " ", text)).strip(" \ufeff\u200b")
    quoted = re.fullmatch(r'="(.*)"', text)
    return quoted[1].strip() if quoted else text


def fault_of_id(id: str, heading: str) -> str:
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
