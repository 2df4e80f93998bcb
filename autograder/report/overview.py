"""All exercises of an assignment and hand-graded cells at a glance: one line each, the total, and what to do next."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from autograder.checks.results import ExerciseResult
from autograder.exercises import guide
from autograder.locale import _
from autograder.report.html import bar, card, escape, table
from autograder.report.words import points, standing, title

BAR = 10
"""The length of a bar in text."""


def rows(results: Iterable[ExerciseResult], by_hand: Mapping[str, float]) -> list[tuple[str, str, float, str, str]]:
    """Name, title, share of the points, points and state of every exercise, and of every cell that a person grades."""
    return [
        *((r.id, title(r) + optional_mark(r.id), r.share, points(r.score, r.max), standing(r)) for r in results),
        *((name, "", 0.0, f"– / {worth:.6g}", _("open until a person grades it")) for name, worth in by_hand.items()),
    ]


def optional_mark(name: str) -> str:
    """These words, to follow an exercise that is beside the core path; else ""."""
    return f" ({_('optional')})" if is_optional(name) else ""


def is_optional(name: str) -> bool:
    """Whether an exercise is beside the core path."""
    return guide(name).further


def left(results: Iterable[ExerciseResult]) -> list[str]:
    """The exercises without full points."""
    return [result.id for result in results if not result.full]


def next_exercise(left: Iterable[str]) -> str | None:
    """The first of the exercises that are left, optional ones last; None if there is none."""
    return min(left, key=is_optional, default=None)


def overview_text(results: Sequence[ExerciseResult], by_hand: Mapping[str, float] = {}) -> str:
    """The overview for a console.

    Args:
        by_hand: points of the cells that a person grades.
    """
    shown = rows(results, by_hand)
    widths = [max(len(str(row[column])) for row in shown) for column in (0, 3)]
    lines = [
        f"  {_text_bar(share)}  {name:{widths[0]}}  {earned:{widths[1]}}  {': '.join(filter(None, (about, state)))}"
        for name, about, share, earned, state in shown
    ]
    return "\n".join([_headline(results, by_hand), *lines, _advice(results, by_hand)])


def overview_html(results: Sequence[ExerciseResult], by_hand: Mapping[str, float] = {}) -> str:
    """The overview as a card."""
    cells = [
        (
            f"<code>{escape(name)}</code> {escape(about)}",
            f'<span style="white-space: nowrap">{bar(share)} {earned}</span>',
            escape(state),
        )
        for name, about, share, earned, state in rows(results, by_hand)
    ]
    share = _score(results) / (_max(results, by_hand) or 1.0)
    head = f"<p><strong>{escape(_headline(results, by_hand))}</strong> {bar(share)}</p>"
    columns = (_("Exercise"), _("Points"), _("State"))
    body = head + table(columns, cells) + f"<p>{escape(_advice(results, by_hand))}</p>"
    return card(_("Your progress"), body)


def total(results: Iterable[ExerciseResult], by_hand: Mapping[str, float]) -> str:
    """The points so far, and those of everything: "22 / 40"."""
    results = list(results)
    return points(_score(results), _max(results, by_hand))


def what_is_next(left: Iterable[str], by_hand: Mapping[str, float], line: str = "") -> str:
    """The exercise to do next, what a person will grade, or both: what is on the core path comes first.

    Args:
        line: what to say of the exercise, with "{name}" in place of its name.
    """
    following = next_exercise(left)
    line = (line or _("Next: {name}.")).replace("{name}", following) if following else ""
    if following and not is_optional(following):
        return line
    by_hand_too = still_open(by_hand) if by_hand else ""
    done = _("The checks of the core path pass.") if following else ""
    first = _("Write these first, if you have not yet.") if by_hand_too and following else ""
    return " ".join(filter(None, (done, by_hand_too, first, line))) or _("Everything passed. Well done!")


def still_open(by_hand: Mapping[str, float]) -> str:
    """The cells that a person grades, in a sentence."""
    names = ", ".join(f"{name} ({worth:.6g})" for name, worth in by_hand.items())
    return _("To be graded by a person: {names}.").format(names=names)


def _headline(results: Sequence[ExerciseResult], by_hand: Mapping[str, float]) -> str:
    return _("Your progress: {points} points").format(points=total(results, by_hand))


def _advice(results: Sequence[ExerciseResult], by_hand: Mapping[str, float]) -> str:
    following = next_exercise(left(results))
    line = _('Next: `check("{name}")` shows what is missing, `hint("{name}")` gives a hint.')
    return what_is_next(left(results), by_hand, line + optional_mark(following or ""))


def _text_bar(share: float) -> str:
    # Rounded down, so that a full bar is a full score.
    filled = math.floor(BAR * share)
    return "█" * filled + "░" * (BAR - filled)


def _score(results: Sequence[ExerciseResult]) -> float:
    return sum(result.score for result in results)


def _max(results: Sequence[ExerciseResult], by_hand: Mapping[str, float]) -> float:
    return sum(result.max for result in results) + sum(by_hand.values())
