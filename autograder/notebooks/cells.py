"""A cell in a notebook file: its text, its names, and which cell of the assignment it is.

nbgrader marks cells in their metadata. Other programs drop these marks, so cells are also recognised by their notebook
id, which a release sets to the grade_id, and by the names that they define.
"""

from __future__ import annotations

import ast
import hashlib
import re
import symtable
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

from autograder.exercises import every_exercise

CHECK_PREFIX = "check_"
MOST_POINTS = 1e6
"""More than any cell is worth."""

MAX_PARSED = 200_000
"""Longer code is searched but not parsed: its syntax tree could take all memory."""

_CHECK_CALL = re.compile(r"""check\(\s*(["'])(\w+)\1\s*\)\s*;?""")


def source_of(cell: dict[str, Any]) -> str:
    r"""A cell's text, stored as a string or as lines, with "\n" as line ends."""
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return ""
    return source.replace("\r\n", "\n").replace("\r", "\n") if "\r" in source else source


def metadata_of(holder: Any, key: str) -> dict[str, Any]:
    """The metadata of a cell or notebook under `key`; empty if it is not sensible."""
    metadata = holder.get("metadata") if isinstance(holder, dict) else None
    found = metadata.get(key) if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def grade_id_of(cell: Any) -> str | None:
    """nbgrader's name for the cell, from its metadata."""
    grade_id = metadata_of(cell, "nbgrader").get("grade_id")
    return grade_id if isinstance(grade_id, str) else None


def released_cells_of(notebook: dict[str, Any]) -> dict[str, float | None]:
    """grade_id of every cell that nbgrader knew in the release -> its points, or None; empty if unknown.

    A release writes this into the notebook's metadata. A student's copy may claim anything; for grading, `mend` writes
    what the gradebook has.
    """
    said = metadata_of(notebook, "autograder").get("cells")
    if not isinstance(said, dict):
        return {}
    return {name: worth(value) for name, value in said.items() if isinstance(name, str)}


def worth(value: Any) -> float | None:
    """`value` as points; None if it is not a valid number of points."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_POINTS:
        return float(value)
    return None


def checksum_of(cell: dict[str, Any]) -> str | None:
    """nbgrader's checksum of a marked cell as it is now; None if its mark is invalid.

    The mark of a released cell contains the checksum at release.
    """
    mark = metadata_of(cell, "nbgrader")
    grade, solution = bool(mark.get("grade")), bool(mark.get("solution"))
    locked = not solution and (grade or bool(mark.get("locked")))
    try:
        points = [str(float(mark["points"]))] if grade else []
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    parts = [source_of(cell), str(cell.get("cell_type")), *map(str, (grade, solution, locked)), str(grade_id_of(cell))]
    return hashlib.md5("".join(parts + points).encode("utf-8", "replace")).hexdigest()


def is_as_given(cell: Any) -> bool:
    """Whether the cell is unchanged since the release: its mark contains the checksum from then."""
    handed_out = metadata_of(cell, "nbgrader").get("checksum")
    return handed_out is not None and checksum_of(cell) == handed_out


def is_answered(notebook: dict[str, Any]) -> bool:
    """Whether the student wrote anything: some cell for answers has changed since the release."""
    return any(_is_answer(cell) for cell in notebook["cells"] if isinstance(cell, dict))


def _is_answer(cell: dict[str, Any]) -> bool:
    mark = metadata_of(cell, "nbgrader")
    if mark:
        return mark.get("solution") is True and not is_as_given(cell)
    source = source_of(cell)
    return "raise NotImplementedError" not in source and any(defines(source, name) for name in defined_by().values())


def recognise(cells: Sequence[Any], wanted: Iterable[str]) -> dict[int, str]:
    """Match cells without nbgrader metadata to the missing grade_ids in `wanted`.

    Returns:
        The index of each recognised cell, and its grade_id.
    """
    marked = {grade_id_of(cell) for cell in cells}
    lost = [name for name in wanted if name not in marked]
    if not lost:
        return {}
    free = {i: cell for i, cell in enumerate(cells) if isinstance(cell, dict) and grade_id_of(cell) is None}
    found: dict[int, str] = {}
    for find in (_by_notebook_id, _by_what_it_does):  # ids first: another cell may define the same name
        for name in lost if free else ():
            index = find(free, name) if name not in found.values() else None
            if index is not None:
                found[index] = name
                del free[index]
    return found


def defines(source: str, name: str) -> bool:
    """Whether the code defines `name` at its top level, even if it has a syntax error."""
    return _has_definition(source, name) or (name in source and name in names_in(source)[0])


def names_in(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """The global names that the code defines, and those that it uses without defining them."""
    # Most cells are the lesson's own, the same in every submission.
    return _remembered_names(source) if len(source) < 10_000 else _names_in(source)


def without_magics(source: str) -> str:
    """The code without IPython's line magics and shell escapes, which are not Python; lines keep their number."""
    return re.sub(r"(?m)^([ \t]*)[%!?].*$", r"\1pass", source)


def _names_in(source: str) -> tuple[frozenset[str], frozenset[str]]:
    source = without_magics(source)
    table = _table_of(source)
    if table is None:
        return frozenset(), frozenset(re.findall(r"[^\W\d]\w*", source))
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
    return frozenset(makes), frozenset(uses - makes)


def _table_of(source: str) -> symtable.SymbolTable | None:
    """The symbol table of the code, or None if it is too long or not Python."""
    if len(source) > MAX_PARSED:
        return None
    try:
        ast.parse(source)
        return symtable.symtable(source, "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_remembered_names = lru_cache(maxsize=1000)(_names_in)


@cache
def defined_by() -> dict[str, str]:
    """grade_id of each solution cell -> the name it must define."""
    return {e.solution: e.defines for e in every_exercise()}


def _by_notebook_id(free: dict[int, Any], name: str) -> int | None:
    return next((index for index, cell in free.items() if cell.get("id") == name), None)


def _by_what_it_does(free: dict[int, Any], name: str) -> int | None:
    sources = {index: source_of(cell) for index, cell in free.items() if cell.get("cell_type") == "code"}
    if name.startswith(CHECK_PREFIX):
        calls = ((index, _CHECK_CALL.fullmatch(source.strip())) for index, source in sources.items())
        return next((index for index, call in calls if call and CHECK_PREFIX + call[2] == name), None)
    wanted = defined_by().get(name)
    if wanted is None:
        return None

    def fit(index: int) -> tuple[bool, bool, int]:
        source = sources[index]
        return _has_definition(source, wanted), "raise NotImplementedError" not in source, index

    return max((index for index, source in sources.items() if defines(source, wanted)), key=fit, default=None)


def _has_definition(source: str, name: str) -> bool:
    return re.search(rf"(?m)^(?:async\s+)?(?:def|class)\s+{re.escape(name)}\b", source) is not None
