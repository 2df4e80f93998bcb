"""Hand-graded cells: which are unanswered, and where else in the notebook their answer may be.

An empty cell gets 0 points automatically. But students also write below the cell, into the question, or into an extra
cell: anything that they wrote between the automatically graded answers before and after the cell may be the answer, and
a person has to read it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from autograder.locale import _
from autograder.notebooks.cells import grade_id_of, source_of
from autograder.notebooks.mend import ReleasedCell

LONGEST_WORDS = 60
"""Characters of a cell's text that are quoted."""

_NO_ANSWER = re.compile(r"\s*(?:(?:check|hint)\(.*\)\s*;?|!.*|%(?!%).*|(?:import|from)\s.*)?")
"""A line of code that calls the kit or the system, imports, or is blank."""

_PICTURE = re.compile(r"!\[|<img\b", re.IGNORECASE)

_TAG = re.compile(r"<[^>]*>")

_FOOTER = "Created in Deepnote"
"""Cells that other programs add below every notebook."""


@dataclass(frozen=True)
class Beside:
    """A cell in which the student wrote something near an empty hand-graded cell.

    Attributes:
        index: its place among all cells.
        above: whether it comes before the empty one.
        words: the beginning of the student's text.
    """

    index: int
    above: bool
    words: str

    def __str__(self) -> str:
        return (_("above: “{words}”") if self.above else _("below: “{words}”")).format(words=self.words)


def by_hand(released: Mapping[str, ReleasedCell]) -> dict[str, ReleasedCell]:
    """The `released` cells that a person grades."""
    return {name: cell for name, cell in released.items() if cell.is_by_hand}


def untouched(cells: list[dict[str, Any]], released: Mapping[str, ReleasedCell]) -> set[str]:
    """grade_ids of the cells whose text is unchanged since the release, or that are missing."""
    sources = {grade_id_of(cell): source_of(cell) for cell in cells}
    return {name for name, cell in released.items() if sources.get(name, cell.source) == cell.source}


def answers_beside(
    cells: list[dict[str, Any]], released: Mapping[str, ReleasedCell], given: Collection[str]
) -> dict[str, tuple[Beside, ...]]:
    """grade_id of each empty hand-graded cell -> where its answer may be; only cells with such places.

    Args:
        cells: of a repaired notebook.
        given: the released texts of unmarked cells.
    """
    empty = untouched(cells, released)
    graded = by_hand(released)
    wanted = [name for name in graded if name in empty and not graded[name].task]
    if not wanted:
        return {}
    notebook = _Notebook(cells, released, [*given, *(cell.source for cell in released.values())], empty)
    found = {name: tuple(notebook.beside(name)) for name in wanted}
    return {name: places for name, places in found.items() if places}


def places_of(beside: Mapping[str, Collection[Beside]]) -> set[int]:
    """The indices of all cells that may contain an answer."""
    return {place.index for places in beside.values() for place in places}


def comment_on(places: Collection[Beside]) -> str:
    """The comment at an empty cell that may have an answer nearby, for its student and its grader."""
    return _("This cell is empty. A person will read what is near it, because it may be the answer: {places}.").format(
        places="; ".join(map(str, places))
    )


def reason_to_look(beside: Mapping[str, Collection[Beside]]) -> str:
    """Why a person has to grade empty cells."""
    cells = "; ".join(f"{name} ({'; '.join(map(str, places))})" for name, places in beside.items())
    return _("Empty, but the answer may be nearby; please grade by hand: {cells}.").format(cells=cells)


class _Notebook:
    """The cells of a notebook, and which of them contain something of the student's."""

    def __init__(
        self, cells: list[dict[str, Any]], released: Mapping[str, ReleasedCell], given: list[str], empty: set[str]
    ) -> None:
        self._cells, self._released, self._empty = cells, released, empty
        self._given, self._lines = _squeezed_texts(tuple(given))
        self._names = [grade_id_of(cell) for cell in cells]

    def beside(self, name: str) -> Iterator[Beside]:
        """Possible answers to the empty cell `name`, in the notebook's order."""
        if name not in self._names:
            return
        place = self._names.index(name)
        near = [*self._walk(range(place - 1, -1, -1)), *self._walk(range(place + 1, len(self._cells)))]
        for index in sorted(near):
            if self._may_answer(index, self._released[name]):
                yield Beside(index, index < place, self._words(index))

    def _walk(self, places: range) -> Iterator[int]:
        """The cells from one on up to the next answer: a checked one, or another hand-graded one."""
        for index in places:
            original = self._released.get(self._names[index] or "")
            if original and original.solution and not original.grade:
                return
            yield index
            if original and original.solution and original.grade_id not in self._empty:
                return

    def _may_answer(self, index: int, asked: ReleasedCell) -> bool:
        cell = self._cells[index]
        is_code, text = cell["cell_type"] == "code", source_of(cell)
        marked = self._released.get(self._names[index] or "")
        if marked:  # it has its own grade; but a picture among words may be the plot that another cell asks for
            answered = marked.solution and marked.grade_id not in self._empty
            return answered and not is_code and asked.cell_type == "code" and _has_picture(cell)
        return _squeezed(text) not in self._given and not _is_no_answer(text, is_code)

    def _words(self, index: int) -> str:
        """The first words that were not released, shortened and without tags, for a comment."""
        lines = source_of(self._cells[index]).splitlines()
        own = [line for line in lines if _squeezed(line) not in self._lines]
        plain = (" ".join(_TAG.sub("", line).split()).replace("“", '"').replace("”", '"') for line in own or lines)
        words = next((line for line in plain if line), _("a picture"))
        return words if len(words) <= LONGEST_WORDS else words[: LONGEST_WORDS - 1].rstrip() + "…"


def _has_picture(cell: dict[str, Any]) -> bool:
    return bool(cell.get("attachments")) or _PICTURE.search(source_of(cell)) is not None


def _is_no_answer(text: str, is_code: bool) -> bool:
    if is_code:
        return all(_NO_ANSWER.fullmatch(line) for line in text.splitlines())
    words = " ".join(_TAG.sub("", text).split())
    return words == _FOOTER or not (words or _PICTURE.search(text))


@lru_cache(maxsize=2)  # they are the same for a whole class
def _squeezed_texts(given: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """The released texts, and their lines, without white space."""
    lines = (_squeezed(line) for text in given for line in text.splitlines())
    return frozenset(map(_squeezed, [*given, ""])), frozenset(lines)


def _squeezed(text: str) -> str:
    return "".join(text.split())
