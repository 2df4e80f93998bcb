"""Model answers on feedback pages, beside the student's own: from a date on, or for whoever has full marks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, TraitError, Unicode, validate

from autograder.exercises import every_exercise
from autograder.locale import _, speaking
from autograder.notebooks.cells import CHECK_PREFIX
from autograder.notebooks.submission import language_of

EXAMPLE = "2026-12-24 18:00 Asia/Tokyo"
_MARKER = re.compile(r"(?m)^.*(BEGIN|END) SOLUTION.*\n?")


class ModelAnswers(NbGraderPreprocessor):
    """Puts what stands in the source notebook below each of the student's answers. It runs after `Standings`."""

    from_date = Unicode(help=f'From when on everybody sees them: "{EXAMPLE}"; never if empty.').tag(config=True)
    after_full_marks = Bool(False, help="Whether who has all points of an answer sees its model answer at once.").tag(
        config=True
    )

    @validate("from_date")
    def _is_a_date(self, proposal: dict[str, str]) -> str:
        try:
            utils.parse_utc(proposal["value"] or "2000-01-01")
        except ValueError as error:
            message = _("ModelAnswers.from_date is {value!r}, no date. Write it as {example}.")
            raise TraitError(message.format(value=proposal["value"], example=EXAMPLE)) from error
        return proposal["value"]

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Insert the model answers that this student may see."""
        now = datetime.now(UTC).replace(tzinfo=None)
        everybody = bool(self.from_date) and now >= utils.parse_utc(self.from_date)
        if not (everybody or self.after_full_marks):
            return nb, resources
        answers, earned = self._answers(resources["nbgrader"]), _earned(nb)
        cells = []
        for cell in nb.cells:
            cells.append(cell)
            name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            if utils.is_solution(cell) and name in answers and (everybody or earned.get(name, False)):
                with speaking(language_of(nb)):
                    title = _("Model answer")
                make = new_code_cell if cell.cell_type == "code" else new_markdown_cell
                cells += [new_markdown_cell(f"**{title}**"), make(answers[name])]
        nb.cells = cells
        return nb, resources

    def _answers(self, names: dict[str, str]) -> dict[str, str]:
        """The answers in the source notebook, by grade_id; none where there is no such notebook."""
        course = self.parent.parent.coursedir
        folder = course.format_path(course.source_directory, ".", names["assignment"])
        path = Path(folder, f"{names['notebook']}.ipynb")
        if not path.is_file():
            self.log.warning("%s", _("No model answers: there is no source notebook {path}.").format(path=path))
            return {}
        cells = nbformat.read(path, as_version=4).cells
        return {c.metadata.nbgrader.grade_id: _MARKER.sub("", c.source) for c in cells if utils.is_solution(c)}


def _earned(nb: NotebookNode) -> dict[str, bool]:
    """Whether an answer has all its points, by grade_id: its own, or those of the cells that check it."""
    checked = {f"{CHECK_PREFIX}{exercise.id}": exercise.solution for exercise in every_exercise()}
    found: dict[str, bool] = {}
    for mark in (cell.metadata.get("nbgrader", {}) for cell in nb.cells if utils.is_grade(cell)):
        name = checked.get(mark["grade_id"], mark["grade_id"])
        found[name] = found.get(name, True) and (mark.get("score") or 0.0) >= mark["points"]
    return found
