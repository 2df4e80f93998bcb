"""The feedback page in the notebook's language; cells that wait for a person are open, not 0 points."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

import nbgrader.server_extensions.formgrader
from nbconvert.exporters import HTMLExporter
from nbformat.notebooknode import NotebookNode
from nbgrader import preprocessors, utils
from nbgrader.api import Grade, Gradebook
from traitlets.config import Config

from autograder.grading.late import Rules, lateness_of
from autograder.locale import _, speaking
from autograder.nbgrader_plugins.safe_html import is_by_hand
from autograder.notebooks.cells import CHECK_PREFIX
from autograder.notebooks.submission import language_of
from autograder.report.words import duration

TEMPLATES = Path(__file__).parent / "templates"
NBGRADERS_TEMPLATES = Path(nbgrader.server_extensions.formgrader.__file__).parent / "templates"


class FeedbackExporter(HTMLExporter):
    """Fills the kit's template, which extends nbgrader's."""

    def __init__(self, config: Config | None = None, **more: Any) -> None:
        settings = Config() if config is None else copy(config)
        page = settings.FeedbackExporter
        page.template_name = "course_feedback"
        page.extra_template_basedirs = [str(TEMPLATES), str(NBGRADERS_TEMPLATES)]
        page.extra_template_paths = [*settings.HTMLExporter.get("extra_template_paths", []), str(NBGRADERS_TEMPLATES)]
        super().__init__(config=settings, **more)


class Standings(preprocessors.GetGrades):
    """Writes the state of every graded cell, and of the notebook, in words for the page."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Write the words into the metadata of `nb` and into `resources`."""
        self._open = 0.0
        with speaking(language_of(nb)):
            nb, resources = super().preprocess(nb, resources)
            names = resources["nbgrader"]
            names["standing"] = _score(names["score"], names["max_score"])
            if self._open:
                still = _("still open, to be graded by hand: {points} of these points").format(
                    points=_round(self._open)
                )
                names["standing"] = _("{standing}; {still}").format(standing=names["standing"], still=still)
            names["penalty"] = self._penalty(names["late_penalty"])
            marks = [cell.metadata.nbgrader for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("standing")]
            names["contents"] = sorted(marks, key=lambda mark: not mark["by_hand"])
            names["comments"], names["top"] = _("Comments:"), _("Top")
        return nb, resources

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], cell_index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Write the words on one cell into its metadata."""
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        mark = cell.metadata.get("nbgrader", {})
        mark.update(dict.fromkeys(("label", "title", "standing"), ""))  # the student may have put something there
        if utils.is_solution(cell):
            mark["label"] = _("Your answer")
        elif utils.is_task(cell):
            mark["label"] = _("Task")
        elif utils.is_grade(cell):
            mark["label"] = _("Checks")
        if utils.is_grade(cell) or utils.is_task(cell):
            mark["title"] = mark["grade_id"].removeprefix(CHECK_PREFIX)
            mark["standing"] = self._standing(mark["grade_id"])
            mark["by_hand"] = is_by_hand(cell)
        return cell, resources

    def _penalty(self, points: float) -> str:
        """What the late policy took, and why; "" if the submission is in time."""
        with Gradebook(self.db_url) as gradebook:
            found = gradebook.find_submission(self.assignment_id, self.student_id)
            due = found.assignment.duedate
            late = lateness_of(due, found.extension, found.timestamp, Rules(self.config))
        words = [_("Late submission penalty (Score: -{points})").format(points=_round(points))] if points else []
        if late and late.seconds:
            why = _("submitted {duration} after your due date, {due} UTC")
            words.append(why.format(duration=duration(late.seconds), due=f"{late.due:%Y-%m-%d %H:%M}"))
            words.append(late.rule)
        return "; ".join(filter(None, words))

    def _standing(self, name: str) -> str:
        grade: Grade = self.gradebook.find_grade(name, self.notebook_id, self.assignment_id, self.student_id)
        if not (grade.needs_manual_grade and grade.manual_score is None):
            return _score(grade.score, grade.max_score)
        self._open += grade.max_score
        return _("Still open, to be graded by hand: {points} points").format(points=_round(grade.max_score))


def _score(points: float, most: float) -> str:
    return _("Score: {points} / {max}").format(points=_round(points), max=_round(most))


def _round(points: float) -> float:
    return round(float(points), 2)
