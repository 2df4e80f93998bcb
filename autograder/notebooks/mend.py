"""Repairs marks and graded cells of a student's notebook: lost marks, copied, split and deleted cells.

`mend` restores what the assignment was released with and keeps the student's answers. It changes the notebook, a plain
dict, in place, and returns one sentence for each change that the student and the instructor should know. If the
assignment was changed after its release, the notebook is updated without a sentence, because the student did nothing
wrong. Repairing a notebook twice changes nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autograder.locale import _
from autograder.notebooks.cells import (
    checksum_of,
    defined_by,
    defines,
    grade_id_of,
    metadata_of,
    recognise,
    released_cells_of,
    source_of,
)
from autograder.notebooks.repair import Cell, as_type, repair, settle_ids

PYTHON = {"display_name": "Python 3", "language": "python", "name": "python3"}
"""The kernel of a notebook whose kernel is unknown."""

SETTINGS = ("grade", "solution", "locked", "task", "points")
"""Settings whose change by a student does harm; checksums change whenever a course does."""


@dataclass(frozen=True)
class ReleasedCell:
    """A cell of the assignment as it was released.

    Attributes:
        grade_id: nbgrader's name for it.
        cell_type: "code" or "markdown".
        source: its text.
        locked: whether students may not change it.
        grade: whether it has points, given automatically or by hand.
        solution: whether students write in it.
        task: whether it sets a hand-graded task that students answer in other cells.
        points: its points, or None.
        checksum: nbgrader's checksum of the released cell.
    """

    grade_id: str
    cell_type: str
    source: str
    locked: bool = False
    grade: bool = False
    solution: bool = False
    task: bool = False
    points: float | None = None
    checksum: str | None = None

    @property
    def is_answer_by_hand(self) -> bool:
        """Whether students write their answer in it and a person grades that."""
        return self.grade and self.solution

    @property
    def is_by_hand(self) -> bool:
        """Whether a person grades it: an answer, or a task that is answered in other cells."""
        return self.is_answer_by_hand or self.task

    @property
    def is_automatic(self) -> bool:
        """Whether its points come from what it computes."""
        return self.grade and not self.solution

    @property
    def is_setup(self) -> bool:
        """Whether it is code that later cells need."""
        return self.locked and not self.grade and self.cell_type == "code"

    @property
    def is_indispensable(self) -> bool:
        """Whether a notebook without it cannot be graded."""
        return self.grade or self.task or self.is_setup

    @property
    def mark(self) -> dict[str, Any]:
        """nbgrader's metadata for it."""
        mark = {"schema_version": 3, "grade_id": self.grade_id, "cell_type": self.cell_type, "checksum": self.checksum}
        mark |= {"locked": self.locked, "grade": self.grade, "solution": self.solution, "task": self.task}
        return mark if self.points is None else mark | {"points": self.points}

    def is_untouched(self, source: str) -> bool:
        """Whether `source` equals its text, apart from white space."""
        return "".join(source.split()) == "".join(self.source.split())


def released_in(notebook: dict[str, Any]) -> dict[str, ReleasedCell]:
    """grade_id -> cell, of a released notebook; a gradebook has the same information."""
    found = {}
    for cell in notebook["cells"]:
        mark = metadata_of(cell, "nbgrader")
        if mark:
            flags = {key: bool(mark.get(key)) for key in ("locked", "grade", "solution", "task")}
            found[mark["grade_id"]] = ReleasedCell(
                mark["grade_id"],
                cell["cell_type"],
                source_of(cell),
                **flags,
                points=mark.get("points"),
                checksum=mark.get("checksum"),
            )
    return found


def mend(notebook: dict[str, Any], released: Mapping[str, ReleasedCell], metadata: Mapping[str, Any] = {}) -> list[str]:
    """Repair `notebook` in place.

    Args:
        notebook: as `read_notebook` gives it.
        released: the released cells, in order.
        metadata: the released notebook's.

    Returns:
        One sentence for each repair.
    """
    notes = identify(notebook, released, metadata.get("kernelspec"))
    notes += _put_back(notebook["cells"], released, released_cells_of(notebook))
    settle_ids(notebook["cells"])
    # The gradebook decides which cells and points the assignment has, not the student's copy.
    holds = {name: cell.points for name, cell in released.items()}
    about = metadata.get("autograder", metadata_of(notebook, "autograder"))
    notebook["metadata"]["autograder"] = {**about, "cells": holds}
    return notes


def identify(
    notebook: dict[str, Any], released: Mapping[str, ReleasedCell], kernelspec: dict[str, Any] | None = None
) -> list[str]:
    """The first part of `mend`: mark every cell that can be recognised; restore none."""
    notes = repair(notebook)
    cells = notebook["cells"]
    notes += _speak_python(notebook["metadata"], kernelspec)
    notes += _drop_unknown_marks(cells, released, released_cells_of(notebook))
    notes += _keep_one_of_each(cells, released)
    notes += _restore(cells, released)
    recognised: list[str] = []
    while found := _recognise(cells, released, recognised):
        for index, grade_id in found.items():
            cells[index]["metadata"]["nbgrader"] = released[grade_id].mark
        recognised += found.values()
        notes += _restore(cells, released)
    if recognised:
        notes.append(
            _("Cells without nbgrader labels were recognised by their content: {names}.").format(
                names=", ".join(name for name in released if name in recognised)
            )
        )
    return notes


def stand_in(reason: str, released: Mapping[str, ReleasedCell], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """A notebook in place of one that cannot be read: `reason`, and below it the cells that have points.

    Args:
        released: the released cells, in order.
        metadata: the released notebook's.
    """
    notebook: dict[str, Any] = {"cells": [{"cell_type": "markdown", "source": reason}]}
    mend(notebook, {name: cell for name, cell in released.items() if cell.grade or cell.task}, metadata)
    return notebook


def _speak_python(metadata: dict[str, Any], kernelspec: dict[str, Any] | None) -> list[str]:
    language = metadata["language_info"]["name"]
    metadata["language_info"] = {"name": "python"}
    metadata["kernelspec"] = dict(kernelspec or PYTHON)
    if re.match("i?python", language.lower()):
        return []
    return [_("The notebook's kernel was {language}; it was set back to Python.").format(language=language)]


def _drop_unknown_marks(
    cells: list[Cell], released: Mapping[str, ReleasedCell], came_with: Mapping[str, float | None]
) -> list[str]:
    dropped = [cell for cell in cells if grade_id_of(cell) not in {None, *released}]
    unknown = [cell for cell in dropped if grade_id_of(cell) not in came_with]  # else the instructor removed it
    for cell in dropped:
        del cell["metadata"]["nbgrader"]
    if not unknown:
        return []
    return [_("Graded cells that are not part of this assignment: {n}. They were ignored.").format(n=len(unknown))]


def _keep_one_of_each(cells: list[Cell], released: Mapping[str, ReleasedCell]) -> list[str]:
    """Of copied or split cells, keep one as the graded one; the others run as the student's own."""
    notes = []
    named: dict[str | None, list[Cell]] = {}
    for cell in cells:
        named.setdefault(grade_id_of(cell), []).append(cell)
    for grade_id, original in released.items():
        twins = named.get(grade_id, [])
        if len(twins) < 2:
            continue
        kept = _one_that_counts(twins, original)
        others = [cell for cell in twins if cell is not kept]
        for cell in others:
            del cell["metadata"]["nbgrader"]
        # An unanswered copy is only a stub, and run last it would undo the answer.
        empty = {id(cell) for cell in others if not _is_answer(cell, original)}
        cells[:] = [cell for cell in cells if id(cell) not in empty]
        if original.locked:
            note = _("The notebook had {n} copies of cell {name}; one was kept.")
        else:
            note = _("The notebook had {n} copies of cell {name}; the last one with an answer counts.")
        notes.append(note.format(name=grade_id, n=len(twins)))
    return notes


def _one_that_counts(twins: list[Cell], original: ReleasedCell) -> Cell:
    if original.locked:
        return next((cell for cell in twins if original.is_untouched(cell["source"])), twins[-1])
    wanted = defined_by().get(original.grade_id)

    def fit(place: int) -> tuple[bool, bool, bool, int]:
        cell = twins[place]
        does_it = wanted is not None and defines(cell["source"], wanted)
        return _is_answer(cell, original), cell["cell_type"] == original.cell_type, does_it, place

    return twins[max(range(len(twins)), key=fit)]


def _is_answer(cell: Cell, original: ReleasedCell) -> bool:
    return bool(cell["source"].strip()) and not original.is_untouched(cell["source"])


def _restore(cells: list[Cell], released: Mapping[str, ReleasedCell]) -> list[str]:
    """Restore settings and type of every marked cell, and the text of locked ones."""
    notes = []
    for cell in list(cells):
        original = released.get(grade_id_of(cell) or "")
        if original is None:
            continue
        mark, name = cell["metadata"]["nbgrader"], original.grade_id
        by_student = _was_changed_by_student(cell, original)
        if by_student and any(key in mark and mark[key] != original.mark.get(key) for key in SETTINGS):
            notes.append(_("The settings of cell {name} had changed; they were restored.").format(name=name))
        if by_student and original.locked and not original.is_untouched(cell["source"]):
            notes.append(_restore_text(cells, cell, original))
        if original.locked:
            cell["source"] = original.source
        if cell["cell_type"] != original.cell_type:
            as_type(cell, original.cell_type)
            if original.cell_type == "code":
                note = _("Cell {name} was a text cell; it is a code cell again.")
            else:
                note = _("Cell {name} was not a text cell; it is one again.")
            notes += [note.format(name=name)] if by_student else []
        cell["metadata"]["nbgrader"] = original.mark
    return notes


def _was_changed_by_student(cell: Cell, original: ReleasedCell) -> bool:
    """Whether `cell` differs from `original` because of the student, not because of an earlier release.

    Its mark contains the checksum of the cell at its release. An older read-only cell must still have that checksum; in
    a cell for answers that is older, only a changed cell type shows.
    """
    mark = cell["metadata"]["nbgrader"]
    handed_out = mark.get("checksum")
    if handed_out in (None, original.checksum):
        return True
    if original.locked:
        return checksum_of(cell) != handed_out
    return mark.get("cell_type", cell["cell_type"]) != cell["cell_type"]


def _restore_text(cells: list[Cell], cell: Cell, original: ReleasedCell) -> str:
    """Text that the student wrote into a locked cell moves to a new cell below."""
    lines = {line.strip() for line in cell["source"].splitlines()}
    given = {line.strip() for line in original.source.splitlines()}
    if not any(line and not line.startswith("#") for line in lines - given):
        return _("The read-only cell {name} had changed; it was restored.").format(name=original.grade_id)
    own = {**cell, "id": None, "metadata": {}}
    place = next(index for index, other in enumerate(cells) if other is cell)
    cells.insert(place + 1, own)
    return _("The read-only cell {name} had changed; it was restored, and your text is now in a cell below it.").format(
        name=original.grade_id
    )


def _put_back(
    cells: list[Cell], released: Mapping[str, ReleasedCell], came_with: Mapping[str, float | None]
) -> list[str]:
    """Restore missing cells that grading needs."""
    notes = []
    before: list[ReleasedCell] = []
    present = set(map(grade_id_of, cells))
    for grade_id, original in released.items():
        if original.is_indispensable and grade_id not in present:
            places = {grade_id_of(cell): index for index, cell in enumerate(cells)}
            cell = {"id": None, "metadata": {"nbgrader": original.mark}, "source": original.source}
            cells.insert(_place_of(original, before, places, len(cells)), as_type(cell, original.cell_type))
            if not came_with or grade_id in came_with:  # else it is newer than the student's copy
                notes.append(_("Cell {name} was missing; it was restored.").format(name=grade_id))
        before.append(original)
    return notes


def _place_of(original: ReleasedCell, before: list[ReleasedCell], places: dict[str | None, int], end: int) -> int:
    """After the released cell that preceded it; setup comes before everything but earlier setup."""
    present = [cell for cell in reversed(before) if cell.grade_id in places]
    if original.is_setup:
        return max((places[cell.grade_id] + 1 for cell in present if cell.is_setup), default=0)
    return places[present[0].grade_id] + 1 if present else end


# --- cells that lost their marks --------------------------------------------------------------------------------------


def _recognise(cells: list[Cell], released: Mapping[str, ReleasedCell], recognised: list[str]) -> dict[int, str]:
    """Match unmarked cells to released ones; `recognised` has the matches so far."""
    if found := recognise(cells, released):
        return found
    places = {grade_id: index for index, cell in enumerate(cells) if (grade_id := grade_id_of(cell)) is not None}
    lost = [original for grade_id, original in released.items() if grade_id not in places]
    if not lost:
        return {}
    free = {index: cell for index, cell in enumerate(cells) if grade_id_of(cell) is None}
    for original in lost:
        index = _by_text(free, original)
        if index is not None:
            return {index: original.grade_id}
    for original in lost:
        index = _by_neighbours(cells, list(released), original, {name: places[name] for name in recognised})
        if index in free:
            return {index: original.grade_id}
    return {}


def _by_text(free: dict[int, Cell], original: ReleasedCell) -> int | None:
    """The last cell that begins like the released one, or names it; the text of a locked one must be equal."""
    alike = [index for index, cell in free.items() if original.is_untouched(cell["source"])]
    if not original.is_answer_by_hand:
        return alike[0] if alike else None
    mention = re.compile(rf"""(["']){re.escape(original.grade_id)}\1""")
    beginning = _first_line(original.source)
    answers = [
        index
        for index, cell in free.items()
        if cell["cell_type"] == original.cell_type
        and _is_answer(cell, original)
        and (_first_line(cell["source"]) == beginning or mention.search(cell["source"]))
    ]
    return max(answers or alike, default=None)


def _by_neighbours(
    cells: list[Cell], order: list[str], original: ReleasedCell, recognised: dict[str, int]
) -> int | None:
    """The cell directly before or after a released neighbour that also lost its mark and its id.

    Beside a cell that kept its mark or id, a cell with neither is the student's own.
    """
    if not original.is_answer_by_hand:
        return None
    place = order.index(original.grade_id)
    beside = {place - order.index(name): index for name, index in recognised.items()}
    for step in (-1, 1):  # before the next released cell, or after the previous one
        index = beside.get(step)
        if index is None or cells[index]["id"] == order[place - step] or not 0 <= index + step < len(cells):
            continue
        cell = cells[index + step]
        if cell["cell_type"] == original.cell_type and cell["source"].strip():
            return index + step
    return None


def _first_line(source: str) -> str:
    return next((line.strip() for line in source.splitlines() if line.strip()), "")
