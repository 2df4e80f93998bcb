"""The texts of the English editions: prose by cell, and the words of code in a catalogue.

    python source/translation.py      rewrites source/<lesson>.en.po and lists missing translations

The Japanese lesson is the source of all code. Beside `<lesson>.py`, `<lesson>.en.md` has the English text of every
prose cell, below a line `<!-- id of the cell -->`. A message in the catalogue is a comment or the inside of a string
literal; the braces of f-strings are kept, so that word order is free. Code without Japanese stays unchanged.

An exercise may keep its texts together: a TOML file in its folder in reference/ holds the English of prose cells in the
table `prose`, and in `words` that of comments and strings, and the Japanese of the kit's messages.
"""

from __future__ import annotations

import io
import re
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

if TYPE_CHECKING:
    from source.build import Cell

REFERENCE = Path(__file__).resolve().parents[1] / "reference"

JAPANESE = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
"""A character of Japanese text: kana, kanji, wide punctuation and brackets."""

_MARK = re.compile(r"^<!-- ([\w-]+) -->$", re.MULTILINE)
_LITERAL = re.compile("(?s)([a-zA-Z]*)(\"{3}|'{3}|\"|')(.*)\\2")


class Untranslated(ValueError):
    """The English edition lacks texts, or has texts without a cell; the message names them."""


class _Catalogue(Catalog):
    """A catalogue whose header never changes."""

    mime_headers = (("Language", "en"), ("Content-Type", "text/plain; charset=utf-8"))


@dataclass(frozen=True)
class Span:
    """A comment or string literal in code: its text without marks and quotes, and the place of that text."""

    start: int
    end: int
    text: str


def translated(cells: list[Cell], lesson: Path) -> list[Cell]:
    """The English edition of the Japanese `cells` of `lesson`.

    Raises:
        Untranslated: a text is missing, or one has no cell.
    """
    prose, messages = read_prose(lesson), read_catalogue(lesson)
    needed = {cell.id for cell in cells if not cell.is_code}
    wanted = set(japanese_messages(cells))
    problems = {
        "not translated": sorted(needed - prose.keys()) + sorted(text for text in wanted if not messages.get(text)),
        "of no cell": sorted(prose.keys() - needed) + sorted(messages.keys() - wanted),
    }
    if any(problems.values()):
        raise Untranslated("; ".join(f"{problem}: {texts}" for problem, texts in problems.items() if texts))
    return [
        replace(cell, source=english_code(cell.source, messages) if cell.is_code else prose[cell.id]) for cell in cells
    ]


def japanese_messages(cells: Iterable[Cell]) -> Iterator[str]:
    """The comments and strings that need a translation, in the lesson's order."""
    for cell in cells:
        if cell.is_code:
            yield from (span.text for span in spans(cell.source) if JAPANESE.search(span.text))


def english_code(source: str, messages: dict[str, str]) -> str:
    """`source` with its Japanese comments, strings and kit messages in English."""
    for span in reversed(list(spans(source))):
        source = source[: span.start] + messages.get(span.text, span.text) + source[span.end :]
    return source.replace('use_language("ja")', 'use_language("en")')


def spans(source: str) -> Iterator[Span]:
    """The comments and string literals of `source`, top to bottom; an f-string is one span."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for (row, column), (end_row, end_column) in _words(source):
        start, end = starts[row - 1] + column, starts[end_row - 1] + end_column
        if source[start] == "#":
            text = source[start:end].lstrip("#").strip()
            yield Span(end - len(text), end, text)
        else:
            prefix, quotes, text = _LITERAL.fullmatch(source[start:end]).groups()
            start += len(prefix + quotes)
            yield Span(start, start + len(text), text)


def _words(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where each comment and string literal begins and ends: rows from 1, columns from 0.

    Since Python 3.12 an f-string is many tokens, with others inside; before, it is one.
    """
    opens, closes = getattr(tokenize, "FSTRING_START", None), getattr(tokenize, "FSTRING_END", None)
    depth, start = 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == opens:
            start = start if depth else token.start
            depth += 1
        elif token.type == closes:
            depth -= 1
            if not depth:
                yield start, token.end
        elif token.type in (tokenize.STRING, tokenize.COMMENT) and not depth:
            yield token.start, token.end


def catalogue_of(lesson: Path) -> Path:
    """The file with the English words of the lesson's code."""
    return lesson.with_suffix(".en.po")


def read_prose(lesson: Path) -> dict[str, str]:
    """Cell id -> English text."""
    _before, *parts = _MARK.split(lesson.with_suffix(".en.md").read_text(encoding="utf-8"))
    beside = {id: text.strip() for id, text in texts_beside_solutions("prose", lesson.stem).items()}
    return {id: text.strip() for id, text in zip(parts[::2], parts[1::2], strict=True)} | beside


def texts_beside_solutions(table: str, package: str = "*") -> dict[str, str]:
    """What the tables of this name hold in the reference's TOML files, of one assignment or all: "prose" or "words"."""
    found: dict[str, str] = {}
    for path in sorted(REFERENCE.glob(f"{package}/*/*.toml")):
        found |= tomllib.loads(path.read_text(encoding="utf-8")).get(table, {})
    return found


def read_catalogue(lesson: Path) -> dict[str, str]:
    """Japanese comment or string -> English one; empty without a file."""
    if not catalogue_of(lesson).is_file():
        return {}
    with catalogue_of(lesson).open("rb") as file:
        return {message.id: message.string for message in read_po(file) if message.id}


def update(cells: list[Cell], lesson: Path) -> list[str]:
    """Write the catalogue for the `cells` of `lesson`, with the existing translations.

    Returns:
        The messages that still have no translation.
    """
    known = read_catalogue(lesson) | texts_beside_solutions("words", lesson.stem)
    comment = "# The English comments and strings of the lesson's code. Translate here, then run source/build.py."
    catalogue = _Catalogue(header_comment=comment, fuzzy=False)
    for text in japanese_messages(cells):
        catalogue.add(text, known.get(text, ""))
    messages = [message for message in catalogue if message.id]
    for message in messages:
        message.flags.clear()  # which formats Babel marks depends on its version
    written = io.BytesIO()
    write_po(written, catalogue, width=0)
    catalogue_of(lesson).write_bytes(written.getvalue())
    return [message.id for message in messages if not message.string]


def main() -> None:
    from source.build import lessons, read_cells

    for lesson in lessons().values():
        for message in update(read_cells(lesson), lesson):
            print(f"no translation: {message!r}")


if __name__ == "__main__":
    main()
