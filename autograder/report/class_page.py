"""The class report as one HTML page without scripts or extra files; it opens from a disk and prints on A4.

Jinja escapes everything that comes from outside, and the page's content security policy lets nothing run or load.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from autograder.locale import _, current_language
from autograder.notebooks.submission import CHECK_PREFIX
from autograder.report import class_items
from autograder.report.class_record import CellGrade, ClassRecord, Standing
from autograder.report.class_sections import NOTHING, Column, Section, digits, names
from autograder.report.class_words import ending_words, endings, open_words, reasons_to_look, standing_word
from autograder.report.item_analysis import ItemAnalysis
from autograder.report.text import printable
from autograder.report.words import duration

BINS = 10
"""The bars of the distribution of scores."""

_Rows = list[tuple[Any, ...]]
"""A student, and what there is to say of them."""


def class_page(record: ClassRecord) -> str:
    """The page, in the current language."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else printable(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    items, looks, ended, mended = _seen(record)
    sections = (
        _overview(record),
        _distribution(record),
        class_items.checks(record, items),
        class_items.causes(record, items),
        class_items.shares(record, items),
        class_items.groups(record, items),
        _students(_("Please look at these by hand"), (Column(_("Why")),), looks),
        _by_hand(record),
        _absent(record),
        _late(record),
        _students(_("Time-outs and crashes"), (Column(_("Exercise")), Column(_("What happened"))), ended),
        _students(_("Repaired before grading"), (Column(_("What")),), mended),
        _isolation(record),
        _points(record),
        _everybody(record),
    )
    title = _("Class report: {assignment}").format(assignment=record.assignment)
    template = environment.get_template("class_page.html")
    return template.render(language=current_language(), title=title, sections=sections, nothing=_("None.")) + "\n"


def _seen(record: ClassRecord) -> tuple[ItemAnalysis, _Rows, _Rows, _Rows]:
    """The item analysis, and rows on who needs a look, whose code was ended, and what was repaired, in one pass."""
    items = ItemAnalysis(record.causes)
    looks: _Rows = []
    ended: _Rows = []
    mended: _Rows = []
    for student in record.students:
        opened = student.opened()
        result = opened.result
        if reasons := list(reasons_to_look(opened)):
            looks.append((student, " ".join(reasons)))
        ended += [(student, names([exercise]), ending_words(ending)) for exercise, ending in endings(opened)]
        if result and result.mended:
            mended.append((student, "\n".join(result.mended)))
        if result and result.checks:
            items.add(student.id, result)
    return items, looks, ended, mended


def _overview(record: ClassRecord) -> Section:
    scores = _scores(record)
    counts = Counter(student.standing for student in record.students)
    lower, median, upper = np.percentile(scores, [25, 50, 75])
    facts = [
        (_("Students"), str(len(record.students))),
        *((standing_word(standing), str(counts[standing])) for standing in Standing if counts[standing]),
        (_("Hand grading still open"), str(sum(bool(student.waiting) for student in record.students))),
        (_("Points possible"), digits(record.max)),
        (_("Students with a score"), str(len(scores))),
        (_("Mean"), f"{np.mean(scores):.2f}"),
        (_("Standard deviation"), f"{np.std(scores, ddof=1):.2f}" if len(scores) > 1 else NOTHING),
        (_("Median (quartiles)"), f"{median:.2f} ({lower:.2f} – {upper:.2f})"),
        (_("Lowest and highest"), f"{min(scores):.2f} – {max(scores):.2f}"),
    ]
    note = _("Scores come from the gradebook: they include hand-given points and late penalties.")
    return Section(_("Overview"), (Column(""), Column("", number=True)), facts, (note,))


def _distribution(record: ClassRecord) -> Section:
    title, scores = _("Distribution of scores"), _scores(record)
    if not record.max:
        return Section(title)
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


def _by_hand(record: ClassRecord) -> Section:
    waiting = [student for student in record.students if student.waiting]
    cells = Counter(cell for student in waiting for cell in student.waiting)
    rows = [(student, ", ".join(student.waiting)) for student in waiting]
    notes = [*(f"{cell}: {count}" for cell, count in cells.items()), open_words(waiting)]
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
            "−" + digits(student.penalty) if student.penalty else "",
        )
        for student, found in late
    ]
    taken: dict[str, list[float]] = {}
    for student, found in late:
        if found.rule:
            taken.setdefault(found.rule, []).append(student.penalty)
    notes = [
        _("{rule}: {points} points in all; students: {n}.").format(rule=rule, points=digits(sum(all_)), n=len(all_))
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
    columns = (Column(_("Level")), Column(_("Students"), number=True))
    return Section(_("Isolation of students' code"), columns, rows, notes)


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
    legend = ", ".join(f"{number}: {name} ({digits(most)})" for number, (name, most) in enumerate(worth, 1))
    notes = (_("Columns, with the points possible: {legend}.").format(legend=legend), _("…: waits for hand grading."))
    return Section(_("Points by exercise"), columns, rows, notes)


def _points_for(grade: CellGrade | None) -> str:
    if grade is None:
        return NOTHING
    return "…" if grade.waits and grade.manual is None else digits(grade.score)


def _everybody(record: ClassRecord) -> Section:
    numbers = (_("Automatic"), _("Late"), _("Score"))
    columns = (*(Column(title, number=True) for title in numbers), Column(_("State")))
    rows = [
        (
            student,
            NOTHING if student.kept is None else digits(student.kept.score),
            "−" + digits(student.penalty) if student.penalty else "",
            NOTHING if student.score is None else digits(student.score),
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
    return Section(title, (Column(_("Student")), Column(_("Name")), *columns), named, notes)


def _scores(record: ClassRecord) -> list[float]:
    return [student.score for student in record.students if student.score is not None]


def score_bins(scores: Sequence[float], most: float) -> tuple[np.ndarray, np.ndarray]:
    """The number of students in each tenth of the points, and the edges of the tenths.

    A tenth includes its lower edge, the last one both edges and anything above `most` (extra credit).
    """
    edges = np.linspace(0.0, most, BINS + 1)
    counts, _edges = np.histogram(np.clip(scores, 0.0, most), edges)
    return counts, edges


def distribution_svg(scores: Sequence[float], most: float) -> str:
    """Bars with their numbers, and a line at the median; black and grey, so that it prints as it is."""
    import matplotlib_fontja  # noqa: F401  (makes its Japanese font the default)

    counts, edges = score_bins(scores, most)
    # Text as outlines: the page looks the same on a machine without the font. The salt keeps the ids the same.
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "autograder", "hatch.linewidth": 0.6}):
        figure = Figure(figsize=(6.6, 2.6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        bars = axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color="#d0d0d0", edgecolor="black", lw=0.8)
        median = float(np.median(scores))
        axes.axvline(median, color="black", ls="--", lw=1.2, label=_("median {value:.4g}").format(value=median))
        # After the line, on white, so that it crosses no number.
        for label in axes.bar_label(bars, [str(count) if count else "" for count in counts], padding=4):
            label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 2.5})
        axes.set(xlabel=_("Points"), ylabel=_("Students"), xticks=edges, xlim=(0.0, most))
        axes.set_ylim(0, max(1, counts.max()) * 1.25)
        axes.locator_params(axis="y", integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderpad=0.0)  # above all bars
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(text.getvalue())


def _inline(svg: str) -> str:
    """The <svg> element alone, as wide as its container, which describes it in words."""
    svg = svg[svg.index("<svg") :]
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'width="100%" aria-hidden="true"', svg, count=1)
