"""The sections of the class report on its checks: item analysis, causes, and failures that no cause explains."""

from __future__ import annotations

from collections.abc import Iterable

from autograder.checks.results import Outcome
from autograder.locale import _
from autograder.report.class_record import ClassRecord, sentences_of
from autograder.report.class_sections import NOTHING, Column, Head, Section, code, digits, names
from autograder.report.item_analysis import ItemAnalysis, ItemStatistics, in_order
from autograder.report.words import MARKS, outcome_word

MOST_CAUSES = 20
"""Rarer causes say little about a class."""

FEWEST_TO_JUDGE = 20
"""In a smaller class a few students decide the discrimination: with 20, r = 0 is known to 1 / sqrt(n - 1) = 0.23."""

MOST_SEEN = 200
"""Characters of what a student was told."""

_COLUMN_MARKS = MARKS | {Outcome.RAISED: "✗!", Outcome.STOPPED: "✗…"}
"""These share their mark with a failure; elsewhere a word beside it tells them apart."""


def checks(record: ClassRecord, seen: ItemAnalysis) -> Section:
    rows = [row for exercise in in_order(record, seen.outcomes) for row in _exercise_rows(seen, exercise)]
    columns = (
        Column(_("Exercise, check")),
        *(Column(title, number=True) for title in (_("Points"), _("Facility"), _("Discrimination"))),
        *(Column(_COLUMN_MARKS[outcome], number=True) for outcome in Outcome),
    )
    legend = ", ".join(
        f"{column.title} {outcome_word(outcome)}" for column, outcome in zip(columns[4:], Outcome, strict=True)
    )
    few = seen.judged < FEWEST_TO_JUDGE
    judgement = (
        _("With fewer than {n} students, a few of them decide it: do not judge a check by it.").format(
            n=FEWEST_TO_JUDGE
        )
        if few
        else _("Values above 0.2 are usual; if it is near or below 0, review the check.")
    )
    above = (
        _("Submissions that were checked and count here: {n}. {legend}.").format(n=seen.judged, legend=legend),
        _(
            "Facility: the mean share of the points earned; 1.00 if everybody has full points. Discrimination: how "
            "well the item separates students with high scores from those with low ones."
        ),
        judgement,
    )
    notes = (
        _(
            "Discrimination is the corrected item-total correlation, that is, Pearson's correlation over students "
            "between the points of the item and the automatic score without the item: r = cov(x, rest) / (sd(x) "
            "sd(rest)). It is undefined ({nothing}) for fewer than 3 students, or if the item or the rest has no "
            "spread. Checks of one exercise depend on each other, which raises it."
        ).format(nothing=NOTHING),
        _(
            "Source: Crocker and Algina, Introduction to Classical and Modern Test Theory (1986), chapter 14; Moodle, "
            "Quiz statistics calculations."
        ),
    )
    return Section(_("Exercises and checks"), columns, rows, notes, legend=above)


def _exercise_rows(seen: ItemAnalysis, exercise: str) -> Iterable[tuple[str, ...]]:
    yield Head((exercise, *_statistics(seen.points.statistics(exercise)), *[""] * len(Outcome)))
    sentences = sentences_of(exercise)
    for check, counts in seen.outcomes[exercise].items():
        outcomes = (str(counts[outcome] or "") for outcome in Outcome)
        statistics = _statistics(seen.points.statistics(exercise, check))
        yield code(sentences.get(check, check)), *statistics, *outcomes


def causes(record: ClassRecord, seen: ItemAnalysis) -> Section:
    ranked = sorted(seen.mistakes.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_CAUSES]
    rows = [
        (code(mistake[1]), names(in_order(record, seen.where[mistake])), str(n), str(seen.either[mistake] or ""))
        for mistake, n in ranked
    ]
    numbers = (Column(title, number=True) for title in (_("Students"), _("Or another")))
    columns = (Column(_("Likely cause")), Column(_("Exercise")), *numbers)
    notes = (
        _(
            "One row per mistake, and every student once per row. Or another: of these, students for whom a second "
            "cause is as likely; they count in both rows."
        ),
    )
    return Section(_("The most frequent causes"), columns, rows, notes)


def shares(record: ClassRecord, seen: ItemAnalysis) -> Section:
    rows: list[tuple[str, ...]] = []
    for exercise in in_order(record, seen.outcomes):
        sentences = sentences_of(exercise)
        for check in seen.outcomes[exercise]:
            if failed := seen.failed(exercise, check):
                title = f"{exercise}: {sentences.get(check, check)}"
                rows.append(Head((code(title), str(failed), "")))
            for cause, n, share in seen.shares(exercise, check):
                rows.append((code(cause or _("No known cause")), str(n), f"{100 * share:.0f} %"))
    numbers = (Column(title, number=True) for title in (_("Students"), _("Share")))
    notes = (
        _(
            "For each check, those who failed it, by likely cause. Where two causes are as likely, a student counts "
            "for both. Without a known cause are also checks that were stopped, and parts that are not written yet."
        ),
    )
    columns = (Column(_("Check, cause")), *numbers)
    return Section(_("Causes by check"), columns, rows, notes)


def groups(record: ClassRecord, seen: ItemAnalysis) -> Section:
    """What no known cause explains; the instructor may name a group in causes.toml."""
    ranked = seen.largest()
    rows = []
    for digest, group in ranked[:MOST_CAUSES]:
        checks = "\n".join(
            sentences_of(exercise).get(check, check) for exercise, failed in group.checks.items() for check in failed
        )
        told = group.seen if len(group.seen) <= MOST_SEEN else f"{group.seen[:MOST_SEEN]} ..."
        rows.append(
            (names([digest]), names(group.checks), code(checks), told, str(len(group.students)), group.students[0])
        )
    columns = (
        *(Column(title) for title in (_("Group"), _("Exercise"), _("Failed checks"), _("What its example is told"))),
        Column(_("Students"), number=True),
        Column(_("Example")),
    )
    notes = [
        _(
            "A group: students whose code departs equally from the right one on the public cases. Read the example, "
            "then write the cause and a question into {file} beside nbgrader_config.py, under [{group}], and grade "
            "again: everybody in the group reads them."
        ).format(file="causes.toml", group=ranked[0][0] if ranked else ""),
        _("{command} then adds it to the known mistakes.").format(
            command=f"autograder report {record.assignment} --save-cause {ranked[0][0] if ranked else ''}"
        ),
    ]
    if len(ranked) > MOST_CAUSES:
        notes.append(_("and {n} more").format(n=len(ranked) - MOST_CAUSES))
    return Section(_("Failures without a known cause"), columns, rows, notes)


def _statistics(statistics: ItemStatistics) -> tuple[str, str, str]:
    discrimination = statistics.discrimination
    return (
        digits(statistics.max),
        f"{statistics.facility:.2f}",
        NOTHING if discrimination is None else f"{discrimination:.2f}".replace("-", "−"),
    )
