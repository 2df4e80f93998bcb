"""A submission's results in a terminal: what failed in words, then a table of everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.checks.results import ExerciseResult, Outcome, SubmissionResult
from autograder.locale import _
from autograder.report.overview import rows, total
from autograder.report.text import exercise_text, say
from autograder.report.words import MARKS, WRONG

_STYLES = {
    Outcome.PASSED: "green",
    **dict.fromkeys(WRONG, "red"),
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


def print_submission(result: SubmissionResult, cell_errors: list[str], by_hand: Mapping[str, float]) -> None:
    """Print `result`, the errors of cells, and what a person grades."""
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
        Console(highlight=False).print(_table(result, by_hand))
    if result.message:
        say(result.message)


def print_changes(before: SubmissionResult, after: SubmissionResult) -> None:
    """Print what is different `after` from `before`: a line for each exercise, and why it lacks points."""
    for name, now in after.checks.items():
        then = before.checks.get(name)
        if then is None or _said(then) == _said(now):
            continue
        if then.score != now.score:
            line = _("{exercise} {before:.6g} → {after:.6g}")
            say(line.format(exercise=name, before=then.score, after=now.score))
        if not now.full:
            say(exercise_text(now))
    if after.message and after.message != before.message:
        say(after.message)


def _said(result: ExerciseResult) -> list[tuple[Outcome, str]]:
    return [(item.outcome, item.message) for item in result.items]


def _table(result: SubmissionResult, by_hand: Mapping[str, float]) -> Table:
    table = Table(show_footer=True)
    table.add_column(_("Exercise"), _("Total"))
    table.add_column(_("Points"), total(result.checks.values(), by_hand), justify="right")
    table.add_column(_("Checks"))
    table.add_column("")
    marks = {
        exercise.id: "".join(f"[{_STYLES.get(item.outcome, 'dim')}]{MARKS[item.outcome]}[/]" for item in exercise.items)
        for exercise in result.checks.values()
    }
    for name, _title, _share, earned, state in rows(result.checks.values(), by_hand):
        table.add_row(escape(name), earned, marks.get(name, ""), state)
    return table
