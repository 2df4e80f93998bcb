"""What the class report consists of: sections with a title, and a figure, a table and notes, each optional."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from autograder.locale import _

NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """The head of a column; numbers are right-aligned."""

    title: str
    number: bool = False


@dataclass(frozen=True)
class Row:
    """The cells of a row; a head starts a group of rows."""

    cells: tuple[str, ...]
    head: bool = False


@dataclass(frozen=True)
class Section:
    """A title with a legend, a figure, a table and notes, each optional."""

    title: str
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    figure: str = ""
    figure_text: str = ""
    legend: tuple[str, ...] = ()

    def numeric(self, index: int) -> bool:
        """Whether the column contains numbers."""
        return index < len(self.columns) and self.columns[index].number


def section(
    title: str, columns: tuple[Column, ...], rows: Sequence[tuple[str, ...]], notes: Iterable[str] = ()
) -> Section:
    return Section(title, columns, rows_of(rows), tuple(notes) if rows else (_("None."),))


def rows_of(rows: Iterable[tuple[str, ...]]) -> tuple[Row, ...]:
    return tuple(Row(tuple(cells)) for cells in rows)


def code(sentence: str) -> Markup:
    """A sentence of the kit's, escaped, with `code` set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(sentence))))


def names(ids: Iterable[str]) -> Markup:
    """Names of exercises, which are broken after an underscore only."""
    parts = (str(escape(id)).replace("_", "_<wbr>") for id in ids)
    return Markup(", ".join(f'<span class="name">{part}</span>' for part in parts))


def digits(value: float) -> str:
    return f"{value:.6g}"
