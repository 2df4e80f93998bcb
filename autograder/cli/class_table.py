"""Shows the grading of a class in a terminal, and writes its results file."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, median
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from autograder.checks.results import results_file
from autograder.grading.changes import Change
from autograder.grading.course import Course
from autograder.grading.grade_class import Summary
from autograder.grading.own_causes import note_on
from autograder.grading.result_file import stored_results
from autograder.locale import _
from autograder.report.class_record import ClassRecord
from autograder.report.text import printable
from autograder.sandbox.isolation import Level

MOST_LINES = 50
"""The length of a list of students in the terminal; the results file has all."""


class ClassProgress:
    """A progress bar: how many are done, the speed, the remaining time, and how many need a look."""

    def __init__(self, where: Level | str, reasons: Mapping[Level, str]) -> None:
        """`where`: the isolation level here, and why no better one is available; or a cluster's scheduler."""
        self._console = Console(highlight=False, emoji=False)
        if isinstance(where, Level):
            line = _("Isolation of students' code: {level}").format(level=f"[bold]{where}[/]")
        else:
            line = _("Grading on the Dask cluster at {address}").format(address=escape(printable(where)))
        self._console.print(line)
        for level, reason in reasons.items():
            self._console.print(f"  [dim]{level}: {escape(printable(reason))}[/]")
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[looks]}"),
            console=self._console,
        )
        self._task = self._bar.add_task(_("Grading"), total=None, rate="", looks="")
        self._figures: TaskID | None = None

    def __enter__(self) -> ClassProgress:
        self._bar.start()
        return self

    def __exit__(self, *_error: Any) -> None:
        self._bar.stop()

    def update(self, summary: Summary, total: int) -> None:
        """Show `summary` of `total` submissions."""
        elapsed = self._bar.tasks[0].elapsed or 0.0
        rate = _("{rate:.1f} per second").format(rate=summary.graded / elapsed) if elapsed else ""
        look = len(summary.looks) + len(summary.broken)
        looks = _("{n} to look at").format(n=look) if look else ""
        self._bar.update(self._task, completed=summary.done, total=total, rate=rate, looks=looks)
        if summary.to_draw and self._figures is None:
            self._bar.stop_task(self._task)
            self._console.print(
                _(
                    "All points are in the gradebook. Now the figures for hand grading are drawn, at a lower priority. "
                    "If you stop here, the same command continues."
                )
            )
            self._figures = self._bar.add_task(_("Figures"), total=summary.to_draw, rate="", looks="")
        if self._figures is not None:
            self._bar.update(self._figures, completed=summary.drawn)


def print_summary(summary: Summary, preview: bool = False) -> None:
    """Repairs, students who need a look, whose points have changed, and the number of graded submissions."""
    console = Console(highlight=False, emoji=False)
    mended = {student: " ".join(notes) for student, notes in summary.mended.items()}
    for title, lines in (
        (_("Repaired before grading"), mended),
        (_("Please look at these by hand"), summary.looks),
        (_("Not graded because the grader failed; run the command again"), summary.broken),
        (_("Graded earlier, but no longer in submitted/; their grades are kept"), summary.gone),
    ):
        if lines:
            console.print(_table(title, lines))
    if summary.penalised:
        console.print(
            _("Not graded again, but with a new late penalty or submission time: {n}.").format(n=summary.penalised)
        )
    for (cell, before, after), students in sorted(summary.other_worth.items()):
        line = _(
            "{cell} is worth {after:g} points, and was worth {before:g}: what you gave for it stays as it is "
            "(students: {n})."
        )
        console.print(escape(printable(line.format(cell=cell, before=before, after=after, n=students))))
    if summary.never_shown:
        console.print(escape(printable(note_on(summary.never_shown))))
    if summary.changes:
        console.print(_changes(summary.changes, _("Points that would change") if preview else _("Changed points")))
    if preview:
        console.print(_previewed(summary))
        return
    console.print(
        _("{graded} graded, {unchanged} unchanged, {looks} to look at, {broken} not graded.").format(
            graded=summary.graded,
            unchanged=summary.unchanged,
            looks=len(summary.looks),
            broken=len(summary.broken),
        )
    )


def print_next(record: ClassRecord, folder: Path) -> None:
    """The class's state in nbgrader's gradebook, and the next command."""
    scores = [student.score for student in record.students if student.score is not None]
    waiting = sum(bool(student.waiting) for student in record.students)
    line = _("Mean: {mean:.2f}, median: {median:.2f} of {max:g} points; students with a score: {n}").format(
        mean=fmean(scores), median=median(scores), max=record.max, n=len(scores)
    )
    if waiting:
        line += _("; waiting for hand grading, in formgrader: {n}").format(n=waiting)
        if scored := waiting - sum(bool(student.unscored) for student in record.students):
            line += _(" ({n} with the points that you gave before)").format(n=scored)
    words = ["autograder", "report", record.assignment, *([] if folder == Path() else ["--course", str(folder)])]
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    console.print(escape(line + "."))
    console.print(escape(_("Next: {command}").format(command=printable(shlex.join(words)))))


def write_results(target: Path, course: Course, assignment: str) -> None:
    """Write the results file of everybody who has been graded, one student after the other."""
    draft = target.with_name(f".{target.name}.tmp")
    with draft.open("w", encoding="utf-8", newline="\n") as file:
        levels = {Level(stored.isolation) for _student, stored in stored_results(course, assignment)}
        worst = max(levels, key=list(Level).index, default="none")
        file.write(json.dumps(results_file(assignment, str(worst), {}), ensure_ascii=False).removesuffix("}}"))
        for number, (student, stored) in enumerate(stored_results(course, assignment)):
            submission = {**stored.result, "isolation": stored.isolation}
            file.write(",\n" if number else "\n")
            file.write(f"{json.dumps(student, ensure_ascii=False)}: {json.dumps(submission, ensure_ascii=False)}")
        file.write("\n}}\n")
    draft.replace(target)


def _previewed(summary: Summary) -> str:
    """The last line of a preview: who has no points yet would get the first ones, which is no change."""
    first, again, changed = summary.first, summary.graded - summary.first, len(summary.changes)
    if first and not (again or changed):
        return _("Preview: {n} graded for the first time. Nothing was kept.").format(n=first)
    if first:
        return _(
            "Preview: {first} graded for the first time, {again} again; points of {changed} would change. Nothing was "
            "kept."
        ).format(first=first, again=again, changed=changed)
    return _("Preview: {graded} graded, points of {changed} would change. Nothing was kept.").format(
        graded=again, changed=changed
    )


def _changes(changes: dict[str, Change], title: str) -> Table:
    """The largest changes first."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for head in (_("Student"), _("Points"), _("Parts"), _("What has changed since")):
        table.add_column(head, overflow="fold")
    ranked = sorted(changes.items(), key=lambda entry: (-abs(entry[1].after - entry[1].before), entry[0]))
    for student, change in ranked[:MOST_LINES]:
        points = f"{change.before:.6g} → {change.after:.6g}"
        words = student, points, "\n".join(part.words for part in change.parts), ", ".join(change.why)
        table.add_row(*(escape(printable(word)) for word in words))
    if len(changes) > MOST_LINES:
        table.add_row("...", _("and {n} more").format(n=len(changes) - MOST_LINES))
    return table


def _table(title: str, lines: dict[str, str]) -> Table:
    table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for student, line in list(lines.items())[:MOST_LINES]:
        table.add_row(escape(printable(student)), escape(printable(line)))
    if len(lines) > MOST_LINES:
        table.add_row("...", _("and {n} more; --json FILE writes all").format(n=len(lines) - MOST_LINES))
    return table
