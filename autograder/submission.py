"""A student's notebook as data: read it, find its cells by grade_id, and say which of them have to run.

Notebooks are read with json: nbformat's import alone takes longer than a check may.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import json
import re
import symtable
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.exercises import assignments
from autograder.exercises.exercise import Exercise
from autograder.i18n import LANGUAGES, _

MAX_NOTEBOOK_BYTES = 50 * 2**20
CHECK_PREFIX = "check_"


class UnreadableNotebook(Exception):
    """There is no submission in this file; the message says why and what to do."""


@dataclass(frozen=True)
class Cell:
    """A code cell.

    Attributes:
        index: its place among all cells of the notebook.
        grade_id: nbgrader's name for it, or None.
        experiment: whether it is a demonstration of the lesson that the student has not altered.
    """

    index: int
    source: str
    grade_id: str | None
    experiment: bool

    @property
    def is_check(self) -> bool:
        """Whether it is one of the notebook's test cells."""
        return self.grade_id is not None and self.grade_id.startswith(CHECK_PREFIX)


@dataclass(frozen=True)
class Submission:
    """What a notebook holds for the grader.

    Attributes:
        assignment: its name, such as "gradient-pathology", without the language edition.
        language: the edition's language, or None if the notebook does not say.
        exercises: all exercises of the assignment, in the order of their test cells.
        missing: grade_ids of the assignment's cells that the notebook lacks.
    """

    assignment: str
    language: str | None
    exercises: tuple[Exercise, ...]
    cells: tuple[Cell, ...]
    missing: tuple[str, ...]

    @property
    def content(self) -> bytes:
        """What tells this submission from others: the source of its code."""
        return "\0".join(cell.source for cell in self.cells).encode("utf-8", "replace")

    def check_cell(self, exercise: Exercise) -> Cell | None:
        """The test cell of `exercise`, or None."""
        return next((cell for cell in self.cells if cell.grade_id == CHECK_PREFIX + exercise.id), None)

    def cells_to_run(self) -> list[Cell]:
        """The cells that a grader runs, top to bottom: all but the test cells and the experiments nobody needs."""
        chosen = [cell for cell in self.cells if not cell.experiment and not cell.is_check]
        experiments = [cell for cell in self.cells if cell.experiment]
        while needed := [cell for cell in experiments if cell not in chosen and _unresolved(chosen) & _names(cell)[0]]:
            chosen += needed
        return sorted(chosen, key=lambda cell: cell.index)


def read_notebook(path: Path) -> dict[str, Any]:
    """The notebook in `path`, as nested dicts and lists.

    Raises:
        UnreadableNotebook: it is no readable notebook.
    """
    try:
        if path.stat().st_size > MAX_NOTEBOOK_BYTES:
            raise UnreadableNotebook(
                _("{path} is larger than {limit} MB. Clear all outputs, save, and try again.").format(
                    path=path, limit=MAX_NOTEBOOK_BYTES // 2**20
                )
            )
        notebook = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UnreadableNotebook(
            _("{path} cannot be read: {reason}.").format(path=path, reason=error.strerror or error)
        ) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableNotebook(
            _(
                "{path} is no notebook: its content is not JSON (it may be cut off, or another kind of file). "
                "Open it in Jupyter, save it, and try again."
            ).format(path=path)
        ) from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list) or notebook.get("nbformat") != 4:
        raise UnreadableNotebook(
            _("{path} is no Jupyter notebook of format 4. Open it in Jupyter, save it, and try again.").format(
                path=path
            )
        )
    return notebook


def submission_of(notebook: dict[str, Any], name: str) -> Submission:
    """The submission that `notebook` holds; `name` is for messages.

    Raises:
        UnreadableNotebook: it belongs to no assignment of this kit.
    """
    cells = tuple(_code_cells(notebook))
    present = {_grade_id(cell) for cell in notebook["cells"]} - {None}
    for assignment, exercises in assignments().items():
        wanted = [grade_id for e in exercises for grade_id in (e.solution, CHECK_PREFIX + e.id)]
        if present.intersection(wanted):
            missing = tuple(dict.fromkeys(grade_id for grade_id in wanted if grade_id not in present))
            return Submission(assignment, language_of(notebook), _in_notebook_order(exercises, cells), cells, missing)
    raise UnreadableNotebook(
        _(
            "{name} belongs to no assignment known here ({known}): none of its cells carries the name of an exercise. "
            "Was the right file chosen? If cells were pasted into a new notebook, download the assignment again and "
            "paste your answers into its cells."
        ).format(name=name, known=", ".join(assignments()))
    )


def language_of(notebook: dict[str, Any]) -> str | None:
    """The language of the notebook's edition, or None if it does not say."""
    language = _metadata(notebook, "autograder").get("language")
    return language if language in LANGUAGES else None


def source_of(cell: dict[str, Any]) -> str:
    """A cell's text, whether it is stored as a string or as lines."""
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def digest(source: str) -> str:
    """What an experiment cell is recognised by while nobody has altered it."""
    return hashlib.sha256(source.strip().encode("utf-8", "replace")).hexdigest()[:16]


def _code_cells(notebook: dict[str, Any]) -> Iterable[Cell]:
    for index, cell in enumerate(notebook["cells"]):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = source_of(cell)
            mark = _metadata(cell, "autograder").get("experiment")
            yield Cell(index, source, _grade_id(cell), experiment=mark == digest(source))


def _in_notebook_order(exercises: tuple[Exercise, ...], cells: tuple[Cell, ...]) -> tuple[Exercise, ...]:
    places = {cell.grade_id: cell.index for cell in cells}
    return tuple(sorted(exercises, key=lambda e: places.get(CHECK_PREFIX + e.id, float("inf"))))


def _metadata(holder: Any, key: str) -> dict[str, Any]:
    metadata = holder.get("metadata") if isinstance(holder, dict) else None
    found = metadata.get(key) if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def _grade_id(cell: Any) -> str | None:
    grade_id = _metadata(cell, "nbgrader").get("grade_id")
    return grade_id if isinstance(grade_id, str) else None


# --- which names a cell makes and needs ------------------------------------------------------------------------------


def _unresolved(cells: list[Cell]) -> set[str]:
    """Names that `cells` use and none of them makes."""
    made, used = set(dir(builtins)), set()
    for cell in cells:
        makes, uses = _names(cell)
        made |= makes
        used |= uses
    return used - made


def _names(cell: Cell) -> tuple[set[str], set[str]]:
    """The global names that `cell` makes, and those that it uses without making them."""
    # IPython's line magics and shell escapes are no Python.
    source = re.sub(r"(?m)^(\s*)[%!?].*$", r"\1pass", cell.source)
    try:
        ast.parse(source)
        table = symtable.symtable(source, "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(), set(re.findall(r"[^\W\d]\w*", source))
    makes: set[str] = set()
    uses: set[str] = set()
    tables = [table]
    while tables:
        scope = tables.pop()
        tables += scope.get_children()
        for symbol in scope.get_symbols():
            if scope is table or symbol.is_global():
                if symbol.is_assigned() or symbol.is_imported():
                    makes.add(symbol.get_name())
                if symbol.is_referenced():
                    uses.add(symbol.get_name())
    return makes, uses - makes
