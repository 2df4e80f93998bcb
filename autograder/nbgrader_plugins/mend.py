"""Puts a submitted notebook's graded cells right before nbgrader looks at them.

A copied or split cell stops nbgrader's whole batch, altered metadata leaves a submission ungraded, and a deleted test
cell keeps the score of an earlier attempt. The gradebook knows what each cell should be, so it is put back.
"""

from __future__ import annotations

from typing import Any

from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import BaseCell, Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.i18n import _, speaking
from autograder.nbgrader_plugins.notes import write_notes
from autograder.submission import language_of

SETTINGS = ("grade", "solution", "locked", "task", "points")
"""What a student could change to a cell's, or their own, disadvantage; checksums change whenever a course does."""


class Mend(NbGraderPreprocessor):
    """Restores, from the gradebook, which cells are graded and how; students' answers stay as they are."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Mend `nb` and note in its metadata what was mended."""
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook, speaking(language_of(nb)):
            notebook = gradebook.find_notebook(names["notebook"], names["assignment"])
            metadata = _metadata_by_id(notebook)
            sources = {cell.name: cell for cell in notebook.source_cells}
            mended = [
                *_keep_one_of_each(nb, sources),
                *_restore_metadata(nb, metadata),
                *_put_back(nb, metadata, sources),
            ]
        if "unreadable" in resources:  # all cells were put back, which would be noise beside the reason
            mended = [resources["unreadable"]]
        else:
            for what in mended:
                self.log.warning("%s: %s", names["student"], what)
        write_notes(nb, mended)
        return nb, resources


def _metadata_by_id(notebook: Any) -> dict[str, dict[str, Any]]:
    """grade_id -> what nbgrader's metadata of that cell should be, but for what only cells of its kind have."""
    found = {}
    for source in notebook.source_cells:
        found[source.name] = {
            "schema_version": 3,
            "grade_id": source.name,
            "cell_type": source.cell_type,
            "checksum": source.checksum,
            "locked": source.locked,
            "grade": False,
            "solution": False,
            "task": False,
        }
    for cell in notebook.grade_cells:
        found[cell.name].update(grade=True, points=cell.max_score)
    for cell in notebook.solution_cells:
        found[cell.name].update(solution=True)
    for cell in notebook.task_cells:
        found[cell.name].update(task=True, points=cell.max_score)
    return found


def _grade_id(cell: NotebookNode) -> str | None:
    nbgrader = cell.metadata.get("nbgrader")
    return nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None


def _keep_one_of_each(nb: NotebookNode, sources: dict[str, BaseCell]) -> list[str]:
    """Where a cell was copied or split, the last one with an answer in it stays the graded one."""
    mended = []
    for grade_id, source in sources.items():
        twins = [cell for cell in nb.cells if _grade_id(cell) == grade_id]
        if len(twins) > 1:
            answered = [cell for cell in twins if cell.source.strip() != source.source.strip()]
            keep = (twins if source.locked else answered or twins)[-1]
            for cell in twins:
                if cell is not keep:
                    del cell.metadata["nbgrader"]
            mended.append(
                _("Cell {name} stood in the notebook {n} times; the last one with an answer in it counts.").format(
                    name=grade_id, n=len(twins)
                )
            )
    return mended


def _restore_metadata(nb: NotebookNode, metadata: dict[str, dict[str, Any]]) -> list[str]:
    """Every known cell gets the metadata it was released with; marks of unknown cells go."""
    mended = []
    for cell in nb.cells:
        grade_id = _grade_id(cell)
        if grade_id in metadata:
            given = cell.metadata["nbgrader"]
            if any(key in given and given[key] != metadata[grade_id].get(key) for key in SETTINGS):
                mended.append(_("The settings of cell {name} were changed; they were put back.").format(name=grade_id))
            cell.metadata["nbgrader"] = NotebookNode(metadata[grade_id])
        elif "nbgrader" in cell.metadata:
            del cell.metadata["nbgrader"]
    return mended


def _put_back(nb: NotebookNode, metadata: dict[str, dict[str, Any]], sources: dict[str, BaseCell]) -> list[str]:
    """Graded cells that were deleted come back, as they were released, at the end; so does read-only setup, first."""
    present = {_grade_id(cell) for cell in nb.cells}
    mended = []
    for grade_id, wanted in metadata.items():
        readonly_code = wanted["locked"] and not wanted["grade"] and wanted["cell_type"] == "code"
        if grade_id in present or not (wanted["grade"] or wanted["task"] or readonly_code):
            continue
        new_cell = new_code_cell if wanted["cell_type"] == "code" else new_markdown_cell
        cell = new_cell(sources[grade_id].source, metadata={"nbgrader": wanted})
        nb.cells.insert(0 if readonly_code else len(nb.cells), cell)
        mended.append(_("Cell {name} was missing; it was put back.").format(name=grade_id))
    return mended
