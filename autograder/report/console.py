"""A submission's results in a terminal: what failed in words, then a table of everything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.checks.results import Outcome, SubmissionResult
from autograder.locale import _
from autograder.report.text import exercise_text, printable
from autograder.report.words import MARKS, points, standing

_STYLES = {
    Outcome.PASSED: "green",
    **dict.fromkeys((Outcome.FAILED, Outcome.RAISED, Outcome.STOPPED), "red"),
    Outcome.GRADER_ERROR: "yellow",
}


@contextmanager
def running_notebook() -> Iterator[None]:
    """Tell on stderr that a notebook is running; in a terminal the line disappears when it is done."""
    console = Console(stderr=True, highlight=False)
    message = _("Running the notebook from top to bottom; this takes some seconds ...")
    if console.is_interactive:
        with console.status(message):
            yield
    else:
        console.print(message, soft_wrap=True)
        yield


def print_submission(result: SubmissionResult, cell_errors: list[str]) -> None:
    """Print `result`, and the errors of cells."""
    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(printable(text), markup=False, soft_wrap=True)

    for exercise in result.checks.values():
        if not exercise.full:
            say(exercise_text(exercise) + "\n")
    if cell_errors:
        say(_("Cells that ended with an error in this fresh run from top to bottom:"))
        for error in cell_errors:
            say(f"  {error}")
        say("")
    for what in result.mended:
        say(_("Repaired: {what}").format(what=what))
    if result.checks:
        console.print(_table(result))
    if result.message:
        say(result.message)


def _table(result: SubmissionResult) -> Table:
    table = Table(show_footer=True)
    table.add_column(_("Exercise"), _("Total"))
    table.add_column(_("Points"), points(result.score, result.max), justify="right")
    table.add_column(_("Checks"))
    table.add_column("")
    for exercise in result.checks.values():
        marks = "".join(f"[{_STYLES.get(item.outcome, 'dim')}]{MARKS[item.outcome]}[/]" for item in exercise.items)
        table.add_row(escape(exercise.id), points(exercise.score, exercise.max), marks, standing(exercise))
    return table
