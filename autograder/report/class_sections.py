"""What the class report consists of: sections with a title, and a figure, a table and notes, each optional."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """The head of a column; numbers are right-aligned."""

    title: str
    number: bool = False


class Head(tuple[str, ...]):
    """The row that starts a group of rows."""

    is_head = True


@dataclass(frozen=True)
class Section:
    """A title with a legend, a figure, a table and notes, each optional; the page says so where there is no data."""

    title: str
    columns: tuple[Column, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    notes: Iterable[str] = ()
    figure: str = ""
    figure_text: str = ""
    legend: Iterable[str] = ()


def code(sentence: str) -> Markup:
    """A sentence of the kit's, escaped, with `code` set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(sentence))))


def names(ids: Iterable[str]) -> Markup:
    """Names of exercises, which are broken after an underscore only."""
    parts = (str(escape(id)).replace("_", "_<wbr>") for id in ids)
    return Markup(", ".join(f'<span class="name">{part}</span>' for part in parts))


def digits(value: float) -> str:
    return f"{value:.6g}"
