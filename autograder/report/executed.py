"""The executed notebook, as nbgrader keeps it in autograded/: output of cells, and reports in test cells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograder.checks.results import ExerciseResult, Outcome
from autograder.exercises import guide
from autograder.locale import _
from autograder.notebooks.cells import metadata_of
from autograder.notebooks.submission import Submission
from autograder.report.html import exercise_html
from autograder.report.text import exercise_text
from autograder.report.words import MARKS, headline, read_again

Outputs = dict[int, list[dict[str, Any]]]
"""Cell index -> outputs in the notebook format."""


def cell_outputs(submission: Submission, printed: Outputs, results: dict[str, ExerciseResult]) -> Outputs:
    """The output of cells, and the report in every test cell."""
    outputs = dict(printed)
    for exercise in submission.exercises:
        cell = submission.check_cell(exercise)
        if cell is not None:
            outputs[cell.index] = _report(results[exercise.id])
    return outputs


def not_run(follows: bool) -> list[dict[str, Any]]:
    """The output of a cell that is run for its figure alone, until that is done, or if that is not wanted."""
    text = (
        _("The figure is not drawn yet. It is drawn after everybody's points are in the gradebook.")
        if follows
        else _("This cell was not run, because no figures were wanted.")
    )
    return [{"output_type": "stream", "name": "stdout", "text": text + "\n"}]


def unread_outputs(notebook: dict[str, Any]) -> Outputs:
    """The same for a stand-in, which is not run: an error in every test cell, which nbgrader counts as 0 points."""
    words = unread_comment()
    error = {"output_type": "error", "ename": "Unreadable", "evalue": words, "traceback": [words]}
    marks = [metadata_of(cell, "nbgrader") for cell in notebook["cells"]]
    return {index: [error] for index, mark in enumerate(marks) if mark.get("grade") and not mark.get("solution")}


def unread_comment() -> str:
    """The comment at every cell of a stand-in."""
    return _("The notebook could not be read: see the top of this page.")


def comments(submission: Submission, results: dict[str, ExerciseResult], mended: Iterable[str]) -> dict[str, str]:
    """Solution cell -> a Markdown comment on its exercises; the first one also lists repairs."""
    found = {}
    for grade_id in dict.fromkeys(exercise.solution for exercise in submission.exercises):
        own = [results[exercise.id] for exercise in submission.exercises if exercise.solution == grade_id]
        found[grade_id] = "\n".join(line for result in own for line in _standing(result))
    if mended and found:
        first = next(iter(found))
        found[first] = "\n\n".join([found[first], *mended])
    return found


def _report(result: ExerciseResult) -> list[dict[str, Any]]:
    """The outputs of a test cell: the report, and the score as nbgrader reads it, a Python float."""
    again = read_again(guide(result.id))
    notes = [again] if again.link and not result.full else []
    report = {"text/plain": exercise_text(result), "text/html": exercise_html(result, notes)}
    score = {"text/plain": repr(result.score)}
    return [
        {"output_type": "display_data", "data": report, "metadata": {}},
        {"output_type": "execute_result", "data": score, "metadata": {}, "execution_count": 1},
    ]


def _standing(result: ExerciseResult) -> list[str]:
    """The state of an exercise; the report with all details is below the cell."""
    lines = [f"- {headline(result)}"]
    if not result.untouched:
        lines += [f"  - {MARKS[i.outcome]} {i.sentence}" for i in result.items if i.outcome is not Outcome.PASSED]
    return lines
