"""Says in a released notebook which exercises it holds and what they are worth.

An instructor deletes an exercise, adds a cell to grade by hand, or changes points, in the source notebook. Students
have no gradebook to learn that from, so the release says it: in the notebook's metadata, for the commands; and, where
exercises or their points are not the kit's, by a line in the cell that imports the kit, for `check` in the notebook.
"""

from __future__ import annotations

import re
from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.exercises import assignments
from autograder.notebooks.cells import metadata_of
from autograder.notebooks.submission import UnreadableNotebook, submission_of

_IMPORTS_KIT = re.compile(r"(?m)^(from autograder import|import autograder\b)")


class TellContents(NbGraderPreprocessor):
    """Runs before nbgrader takes checksums and saves cells, which then hold what it wrote."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Write into `nb` which cells it holds and what they are worth."""
        marks = [metadata_of(cell, "nbgrader") for cell in nb.cells]
        holds = {m["grade_id"]: m.get("points") if m.get("grade") or m.get("task") else None for m in marks if m}
        nb.metadata.setdefault("autograder", NotebookNode())["cells"] = holds
        try:
            submission = submission_of(nb, resources["nbgrader"]["notebook"])
        except UnreadableNotebook:  # an assignment of the instructor's own, with no exercise of the kit
            return nb, resources
        if submission.points != {e.id: e.points for e in assignments()[submission.assignment]}:
            _tell_kernel(nb, submission.points)
        return nb, resources


def _tell_kernel(nb: NotebookNode, points: dict[str, float]) -> None:
    cell = next((c for c in nb.cells if c.cell_type == "code" and _IMPORTS_KIT.search(c.source)), None)
    if cell is not None:
        said = ", ".join(f"{name}={worth:g}" for name, worth in points.items())
        cell.source += f"\n\nfrom autograder import use_exercises\n\nuse_exercises({said})"
