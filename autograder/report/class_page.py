"""The class report as one HTML page without scripts or extra files; it opens from a disk and prints on A4.

Jinja escapes everything that comes from outside, and the page's content security policy lets nothing run or load.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from autograder.checks.results import Outcome, SubmissionResult
from autograder.locale import _, current_language
from autograder.notebooks.submission import CHECK_PREFIX
from autograder.report.class_plot import distribution_svg, score_bins
from autograder.report.class_record import CellGrade, ClassRecord, Standing, sentences_of
from autograder.report.class_words import causes_in_words, ending_words, endings, reasons_to_look, standing_word
from autograder.report.statistics import ItemPoints, ItemStatistics
from autograder.report.text import printable
from autograder.report.words import MARKS, duration, outcome_word

MOST_CAUSES = 20
"""Rarer causes say little about a class."""

NOTHING = "–"

_COLUMN_MARKS = MARKS | {Outcome.RAISED: "✗!", Outcome.STOPPED: "✗…"}
"""These share their mark with a failure; elsewhere a word beside it tells them apart."""


@dataclass(frozen=True)
class Column:
    """The head of a column; numbers are right-aligned."""

    title: str
    number: bool = False


@dataclass(frozen=True)
class Row:
    """The cells of a row; a head starts a group of rows."""

    cells: tuple[str, ...]
    head: bool = False


@dataclass(frozen=True)
class Section:
    """A title with a figure, a table and notes, each optional."""

    title: str
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    figure: str = ""
    figure_text: str = ""

    def numeric(self, index: int) -> bool:
        """Whether the column contains numbers."""
        return index < len(self.columns) and self.columns[index].number


def class_page(record: ClassRecord) -> str:
    """The page, in the current language."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else printable(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    seen = _seen(record)
    sections = (
        _overview(record),
        _distribution(record),
        _checks(record, seen),
        _causes(seen),
        _students(_("Please look at these by hand"), (Column(_("Why")),), seen.looks),
        _by_hand(record),
        _absent(record),
        _late(record),
        _students(_("Time-outs and crashes"), (Column(_("Exercise")), Column(_("What happened"))), seen.endings),
        _students(_("Repaired before grading"), (Column(_("What")),), seen.mended),
        _isolation(record),
        _points(record),
        _everybody(record),
    )
    title = _("Class report: {assignment}").format(assignment=record.assignment)
    template = environment.get_template("class_page.html")
    return template.render(language=current_language(), title=title, sections=sections) + "\n"


@dataclass
class _Seen:
    """What the page shows of the results, gathered in one pass.

    Attributes:
        outcomes: exercise -> check -> how often it ended how.
        causes: (exercise, causes in words) -> the number of students.
        looks, endings, mended: rows.
    """

    judged: int = 0
    points: ItemPoints = field(default_factory=ItemPoints)
    outcomes: dict[str, dict[str, Counter[Outcome]]] = field(default_factory=dict)
    causes: Counter[tuple[str, str]] = field(default_factory=Counter)
    looks: list[tuple[Any, ...]] = field(default_factory=list)
    endings: list[tuple[Any, ...]] = field(default_factory=list)
    mended: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, result: SubmissionResult) -> None:
        """Count the result of one student whose code was judged."""
        self.judged += 1
        self.points.add(result)
        for name, found in result.checks.items():
            checks = self.outcomes.setdefault(name, {})
            for item in found.items:
                checks.setdefault(item.id, Counter())[item.outcome] += 1
        named = ((name, item) for name, found in result.checks.items() for item in found.items if item.causes)
        self.causes.update({(name, causes_in_words(name, item.causes)) for name, item in named})


def _seen(record: ClassRecord) -> _Seen:
    seen = _Seen()
    for student in record.students:
        opened = student.opened()
        result = opened.result
        if reasons := list(reasons_to_look(opened)):
            seen.looks.append((student, " ".join(reasons)))
        seen.endings += [(student, exercise, ending_words(ending)) for exercise, ending in endings(opened)]
        if result and result.mended:
            seen.mended.append((student, "\n".join(result.mended)))
        if result and result.checks:
            seen.add(result)
    return seen


def _overview(record: ClassRecord) -> Section:
    scores = _scores(record)
    counts = Counter(student.standing for student in record.students)
    lower, median, upper = np.percentile(scores, [25, 50, 75])
    facts = [
        (_("Students"), str(len(record.students))),
        *((standing_word(standing), str(counts[standing])) for standing in Standing if counts[standing]),
        (_("Hand grading still open"), str(sum(bool(student.waiting) for student in record.students))),
        (_("Points possible"), _number(record.max)),
        (_("Students with a score"), str(len(scores))),
        (_("Mean"), f"{np.mean(scores):.2f}"),
        (_("Standard deviation"), f"{np.std(scores, ddof=1):.2f}" if len(scores) > 1 else NOTHING),
        (_("Median (quartiles)"), f"{median:.2f} ({lower:.2f} – {upper:.2f})"),
        (_("Lowest and highest"), f"{min(scores):.2f} – {max(scores):.2f}"),
    ]
    return Section(
        _("Overview"),
        (Column(""), Column("", number=True)),
        _rows(facts),
        (_("Scores come from the gradebook: they include hand-given points and late penalties."),),
    )


def _distribution(record: ClassRecord) -> Section:
    title, scores = _("Distribution of scores"), _scores(record)
    if not record.max:
        return Section(title, notes=(_("None."),))
    counts, edges = score_bins(scores, record.max)
    described = ", ".join(
        f"{low:.4g}–{high:.4g}: {n}" for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True)
    )
    return Section(
        title,
        figure=Markup(distribution_svg(scores, record.max)),
        figure_text=described,
        notes=(_("Each bar includes its lower edge; the last bar includes both edges."),),
    )


def _checks(record: ClassRecord, seen: _Seen) -> Section:
    rows = [row for exercise in _in_order(record, seen.outcomes) for row in _exercise_rows(seen, exercise)]
    columns = (
        Column(_("Exercise, check")),
        *(Column(title, number=True) for title in (_("Points"), _("Facility"), _("Discrimination"))),
        *(Column(_COLUMN_MARKS[outcome], number=True) for outcome in Outcome),
    )
    legend = ", ".join(
        f"{column.title} {outcome_word(outcome)}" for column, outcome in zip(columns[4:], Outcome, strict=True)
    )
    notes = (
        _("Submissions that were checked and count here: {n}. {legend}.").format(n=seen.judged, legend=legend),
        _(
            "Facility: the mean share of the points earned; 1.00 if everybody has full points. Discrimination: the "
            "corrected item-total correlation, that is, Pearson's correlation over students between the points of "
            "the item and the automatic score without the item: r = cov(x, rest) / (sd(x) sd(rest)). Values above "
            "0.2 are usual; if it is near or below 0, review the check. It is undefined ({nothing}) for fewer than 3 "
            "students, or if the item or the rest has no spread. Checks of one exercise depend on each other, which "
            "raises it."
        ).format(nothing=NOTHING),
        _(
            "Source: Crocker and Algina, Introduction to Classical and Modern Test Theory (1986), chapter 14; Moodle, "
            "Quiz statistics calculations."
        ),
    )
    return Section(_("Exercises and checks"), columns, tuple(rows), notes)


def _in_order(record: ClassRecord, names: Iterable[str]) -> list[str]:
    """The exercises in the order of the gradebook, which is that of the notebook; unknown ones last."""
    places = {cell.removeprefix(CHECK_PREFIX): place for place, cell in enumerate(record.cells)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


def _exercise_rows(seen: _Seen, exercise: str) -> Iterable[Row]:
    yield Row((exercise, *_statistics(seen.points.statistics(exercise)), *[""] * len(Outcome)), head=True)
    sentences = sentences_of(exercise)
    for check, counts in seen.outcomes[exercise].items():
        outcomes = (str(counts[outcome] or "") for outcome in Outcome)
        statistics = _statistics(seen.points.statistics(exercise, check))
        yield Row((_code(sentences.get(check, check)), *statistics, *outcomes))


def _causes(seen: _Seen) -> Section:
    ranked = sorted(seen.causes.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_CAUSES]
    rows = [(_code(causes), exercise, str(count)) for (exercise, causes), count in ranked]
    columns = (Column(_("Likely cause")), Column(_("Exercise")), Column(_("Students"), number=True))
    return _section(_("The most frequent causes"), columns, rows)


def _by_hand(record: ClassRecord) -> Section:
    waiting = [student for student in record.students if student.waiting]
    cells = Counter(cell for student in waiting for cell in student.waiting)
    rows = [(student, ", ".join(student.waiting)) for student in waiting]
    notes = [f"{cell}: {count}" for cell, count in cells.items()]
    if waiting:
        notes.append(_("Until then, these scores do not include the points of these cells."))
    return _students(_("Hand grading still open"), (Column(_("Cells")),), rows, notes)


def _absent(record: ClassRecord) -> Section:
    students = record.having(Standing.ABSENT, Standing.NOT_GRADED, Standing.UNREADABLE)
    rows = [(student, standing_word(student.standing)) for student in students]
    return _students(_("Not handed in, or not graded"), (Column(_("State")),), rows)


def _late(record: ClassRecord) -> Section:
    """Who is late or has an extension, and what each rule of the late policy took."""
    late = [(student, student.lateness) for student in record.students if student.lateness]
    rows = [
        (
            student,
            _utc(found.due) + (f" ({reason})" if (reason := found.reason or found.extended and _("extension")) else ""),
            _utc(found.handed_in),
            duration(found.seconds) if found.seconds else _("in time"),
            found.rule,
            "−" + _number(student.penalty) if student.penalty else "",
        )
        for student, found in late
    ]
    taken: dict[str, list[float]] = {}
    for student, found in late:
        if found.rule:
            taken.setdefault(found.rule, []).append(student.penalty)
    notes = [
        _("{rule}: {points} points in all, from {n} students.").format(
            rule=rule, points=_number(sum(all_)), n=len(all_)
        )
        for rule, all_ in taken.items()
    ]
    columns = (
        *(Column(title) for title in (_("Due (UTC)"), _("Handed in (UTC)"), _("Late by"), _("Rule"))),
        Column(_("Points taken"), number=True),
    )
    return _students(_("Late submissions and extensions"), columns, rows, notes)


def _utc(time: datetime | None) -> str:
    return NOTHING if time is None else f"{time:%Y-%m-%d %H:%M}"


def _isolation(record: ClassRecord) -> Section:
    levels = Counter(student.isolation for student in record.students if student.isolation)
    rows = [(level, str(count)) for level, count in levels.most_common()]
    notes = []
    if levels["basic"]:
        notes.append(_("At basic, students' code could read and write the grader's files."))
    return _section(
        _("Isolation of students' code"), (Column(_("Level")), Column(_("Students"), number=True)), rows, notes
    )


def _points(record: ClassRecord) -> Section:
    """What the gradebook has for every cell of every student; its columns are numbered, for they have long names."""
    names = [name.removeprefix(CHECK_PREFIX) for name in record.cells]
    columns = (Column(_("Student")), *(Column(str(number), number=True) for number in range(1, len(names) + 1)))
    rows = [
        (student.id, *(_points_for(student.grades.get(name)) for name in record.cells))
        for student in record.students
        if student.booked
    ]
    worth = zip(names, record.cells.values(), strict=True)
    legend = ", ".join(f"{number}: {name} ({_number(most)})" for number, (name, most) in enumerate(worth, 1))
    notes = (_("Columns, with the points possible: {legend}.").format(legend=legend), _("…: waits for hand grading."))
    return _section(_("Points by exercise"), columns, rows, notes)


def _points_for(grade: CellGrade | None) -> str:
    if grade is None:
        return NOTHING
    return "…" if grade.waits and grade.manual is None else _number(grade.score)


def _everybody(record: ClassRecord) -> Section:
    numbers = (_("Automatic"), _("Late"), _("Score"))
    columns = (*(Column(title, number=True) for title in numbers), Column(_("State")))
    rows = [
        (
            student,
            NOTHING if student.kept is None else _number(student.kept.score),
            "−" + _number(student.penalty) if student.penalty else "",
            NOTHING if student.score is None else _number(student.score),
            standing_word(student.standing),
        )
        for student in record.students
    ]
    return _students(_("All students"), columns, rows)


def _students(
    title: str, columns: tuple[Column, ...], rows: Iterable[tuple[Any, ...]], notes: Iterable[str] = ()
) -> Section:
    """A section with rows of a student and what there is to say of them."""
    named = [(student.id, student.person.name, *cells) for student, *cells in rows]
    return _section(title, (Column(_("Student")), Column(_("Name")), *columns), named, notes)


def _section(
    title: str, columns: tuple[Column, ...], rows: Sequence[tuple[str, ...]], notes: Iterable[str] = ()
) -> Section:
    return Section(title, columns, _rows(rows), tuple(notes) if rows else (_("None."),))


def _rows(rows: Iterable[tuple[str, ...]]) -> tuple[Row, ...]:
    return tuple(Row(tuple(cells)) for cells in rows)


def _scores(record: ClassRecord) -> list[float]:
    return [student.score for student in record.students if student.score is not None]


def _statistics(statistics: ItemStatistics) -> tuple[str, str, str]:
    discrimination = statistics.discrimination
    return (
        _number(statistics.max),
        f"{statistics.facility:.2f}",
        NOTHING if discrimination is None else f"{discrimination:.2f}".replace("-", "−"),
    )


def _code(sentence: str) -> Markup:
    """A sentence of the kit's, escaped, with `code` set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(sentence))))


def _number(value: float) -> str:
    return f"{value:.6g}"
