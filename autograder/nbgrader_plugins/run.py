"""Runs and judges a submission where nbgrader would execute it in a kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Float

from autograder.grading import grade_submission
from autograder.i18n import speaking
from autograder.nbgrader_plugins.notes import read_notes
from autograder.oracle import Reference
from autograder.report.html import exercise_html
from autograder.report.text import exercise_text
from autograder.report.words import MARKS, headline, shared_message
from autograder.results import ExerciseResult, Outcome
from autograder.submission import submission_of
from autograder.worker.limits import Limits


class RunInWorker(NbGraderPreprocessor):
    """Runs the student's cells in a worker and gives every test cell its report and its score.

    Test cells themselves are never executed: what stands in them, or what a student's code prints, decides nothing.
    """

    cell_seconds = Float(Limits.cell_seconds, help="Wall time for one cell.").tag(config=True)
    probe_seconds = Float(Limits.probe_seconds, help="Wall time for one exercise's checks.").tag(config=True)
    total_seconds = Float(Limits.total_seconds, help="Wall time for one submission.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Fill the outputs of all code cells of `nb`."""
        reference = Reference(Path.cwd())  # nbgrader works in the course folder
        submission = submission_of(nb, resources["nbgrader"]["notebook"])
        limits = Limits(
            cell_seconds=self.cell_seconds, probe_seconds=self.probe_seconds, total_seconds=self.total_seconds
        )
        with speaking(submission.language):
            graded = grade_submission(submission, reference, figures=True, limits=limits)
            for exercise in submission.exercises:
                cell = submission.check_cell(exercise)
                if cell is not None:
                    graded.run.outputs[cell.index] = _report(graded.result.checks[exercise.id])
        for index, outputs in graded.run.outputs.items():
            nb.cells[index].outputs = [from_dict(output) for output in outputs]
        resources["autograder"] = graded.result
        return nb, resources


class WriteComments(NbGraderPreprocessor):
    """Writes each exercise's report as the comment of its solution cell, where feedback pages show comments."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Write the comments that SaveAutoGrades, which runs before, has just reset."""
        names = resources["nbgrader"]
        submission = submission_of(nb, names["notebook"])
        results = resources["autograder"].checks
        with Gradebook(names["db_url"]) as gradebook, speaking(submission.language):
            for grade_id in {exercise.solution: None for exercise in submission.exercises}:
                own = [results[exercise.id] for exercise in submission.exercises if exercise.solution == grade_id]
                comment = gradebook.find_comment(grade_id, names["notebook"], names["assignment"], names["student"])
                comment.auto_comment = _comment(own)
            mended = read_notes(nb)
            if mended:
                first = submission.exercises[0].solution
                comment = gradebook.find_comment(first, names["notebook"], names["assignment"], names["student"])
                comment.auto_comment += "\n\n" + "\n\n".join(mended)
            gradebook.db.commit()
        return nb, resources


def _report(result: ExerciseResult) -> list[dict[str, Any]]:
    """The outputs of a test cell: the report, and the score as nbgrader reads it, a Python float."""
    return [
        {
            "output_type": "display_data",
            "data": {"text/plain": exercise_text(result), "text/html": exercise_html(result)},
            "metadata": {},
        },
        {
            "output_type": "execute_result",
            "data": {"text/plain": repr(result.score)},
            "metadata": {},
            "execution_count": 1,
        },
    ]


def _comment(results: list[ExerciseResult]) -> str:
    """How the exercises of one cell stand, in Markdown; the reports with all details follow below the cell."""
    lines = []
    for result in results:
        lines.append(f"- {headline(result)}")
        if not shared_message(result):
            lines += [f"  - {MARKS[i.outcome]} {i.sentence}" for i in result.items if i.outcome is not Outcome.PASSED]
    return "\n".join(lines)
