"""All exercises of an assignment at a glance: one line each, the total, and what to do next."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autograder.checks.results import ExerciseResult
from autograder.locale import _
from autograder.report.html import bar, card, escape, table
from autograder.report.words import points, standing, title

BAR = 10
"""The length of a bar in text."""


def next_exercise(results: Sequence[ExerciseResult]) -> ExerciseResult | None:
    """The first exercise without full points; None if there is none."""
    return next((result for result in results if not result.full), None)


def overview_text(results: Sequence[ExerciseResult]) -> str:
    """The overview for a console."""
    name_width = max(len(result.id) for result in results)
    points_width = max(len(points(result.score, result.max)) for result in results)
    rows = [
        f"  {_text_bar(result)}  {result.id:{name_width}}  {points(result.score, result.max):{points_width}}  "
        f"{': '.join(filter(None, (title(result), standing(result))))}"
        for result in results
    ]
    return "\n".join([_headline(results), *rows, _advice(results)])


def overview_html(results: Sequence[ExerciseResult]) -> str:
    """The overview as a card."""
    rows = [
        (
            f"<code>{escape(result.id)}</code> {escape(title(result))}",
            f"{bar(result.share)} {points(result.score, result.max)}",
            escape(standing(result)),
        )
        for result in results
    ]
    head = f"<p><strong>{escape(_headline(results))}</strong> {bar(_score(results) / (_max(results) or 1.0))}</p>"
    body = head + table((_("Exercise"), _("Points"), _("State")), rows) + f"<p>{escape(_advice(results))}</p>"
    return card(_("Your progress"), body)


def _headline(results: Sequence[ExerciseResult]) -> str:
    return _("Your progress: {points} of the automatic points").format(points=points(_score(results), _max(results)))


def _advice(results: Sequence[ExerciseResult]) -> str:
    following = next_exercise(results)
    if following is None:
        return _("Everything passed. Well done!")
    return _('Next: `check("{name}")` shows what is missing, `hint("{name}")` gives a hint.').format(name=following.id)


def _text_bar(result: ExerciseResult) -> str:
    # Rounded down, so that a full bar is a full score.
    filled = math.floor(BAR * result.share)
    return "█" * filled + "░" * (BAR - filled)


def _score(results: Sequence[ExerciseResult]) -> float:
    return sum(result.score for result in results)


def _max(results: Sequence[ExerciseResult]) -> float:
    return sum(result.max for result in results)
