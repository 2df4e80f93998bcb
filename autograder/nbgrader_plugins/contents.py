"""Writes into a released notebook which exercises it has and their points.

Instructors delete exercises, add hand-graded cells, or change points, in the source notebook. Students have no
gradebook, so the release says it: in the notebook's metadata, for the commands; and, if exercises or points differ from
the kit's, in a line of the cell that imports the kit, for `check`.
"""

from __future__ import annotations

import re
from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.exercises import assignments, hand_graded
from autograder.notebooks.cells import metadata_of
from autograder.notebooks.submission import UnreadableNotebook, submission_of

_IMPORTS_KIT = re.compile(r"(?m)^(from autograder import|import autograder\b)")


class TellContents(NbGraderPreprocessor):
    """Runs before nbgrader takes checksums and saves cells, so that these include what it writes."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Write into `nb` its cells and their points."""
        marks = [metadata_of(cell, "nbgrader") for cell in nb.cells]
        holds = {m["grade_id"]: m.get("points") if m.get("grade") or m.get("task") else None for m in marks if m}
        nb.metadata.setdefault("autograder", NotebookNode())["cells"] = holds
        try:
            submission = submission_of(nb, resources["nbgrader"]["notebook"])
        except UnreadableNotebook:  # the instructor's own assignment, without exercises of the kit
            return nb, resources
        kit = {e.id: e.points for e in assignments()[submission.assignment]} | hand_graded(submission.assignment)
        points = submission.points | submission.by_hand
        if points != kit:
            _tell_kernel(nb, points)
        return nb, resources


def _tell_kernel(nb: NotebookNode, points: dict[str, float]) -> None:
    cell = next((c for c in nb.cells if c.cell_type == "code" and _IMPORTS_KIT.search(c.source)), None)
    if cell is not None:
        said = ", ".join(
            f"{name}={worth:g}" if name.isidentifier() else f"**{{{name!r}: {worth:g}}}"
            for name, worth in points.items()
        )
        cell.source += f"\n\nfrom autograder import use_exercises\n\nuse_exercises({said})"
