"""The released notebook of an assignment, by which a student's notebook of any name is recognised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.notebooks.cells import CHECK_PREFIX, grade_id_of, recognise, source_of
from autograder.notebooks.submission import UnreadableNotebook, read_notebook


@dataclass(frozen=True, order=True)
class Worth:
    """The quality of a file as a notebook of the assignment; greater is better.

    Attributes:
        readable: whether it is a notebook.
        belonging: 2 if it has at least half of the assignment's graded cells, 1 if it has some, otherwise 0.
        answered: whether one of these differs from the release.
    """

    readable: bool = False
    belonging: int = 0
    answered: bool = False


class Released:
    """The notebooks of an assignment as released or, without a release, as the instructor has them.

    Args:
        paths: the notebooks; unreadable ones are left out.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._sources: dict[str, str] = {}
        for path in paths:
            try:
                self._sources |= _graded(read_notebook(path)["cells"])
            except UnreadableNotebook:
                continue

    def worth(self, path: Path) -> Worth:
        """The quality of the file `path`."""
        try:
            notebook = read_notebook(path)
        except UnreadableNotebook:
            return Worth()
        found = _graded(notebook["cells"], self._sources)
        mine = found.keys() & self._sources.keys()
        belonging = (len(mine) > 0) + (2 * len(mine) >= len(self._sources))
        return Worth(True, belonging, any(found[name] != self._sources[name] for name in mine))


def _graded(cells: list[Any], wanted: Iterable[str] = ()) -> dict[str, str]:
    """grade_id -> text of marked cells, and of cells that lost their mark and are among `wanted`."""
    lost = recognise(cells, wanted)
    names = {index: grade_id_of(cell) or lost.get(index) for index, cell in enumerate(cells)}
    return {
        name: "" if name.startswith(CHECK_PREFIX) else source_of(cells[index]).strip()
        for index, name in names.items()
        if name and isinstance(cells[index], dict)
    }
