"""Results as plain text, for consoles, logs and the cells of an executed notebook."""
from __future__ import annotations

import re
import textwrap

from autograder.i18n import _
from autograder.report.words import MARKS, headline, outcome_word, points
from autograder.results import ExerciseResult, Item, Outcome, SubmissionResult


def exercise_text(result: ExerciseResult) -> str:
    """A headline, then one line a check, with what was seen below those that do not hold."""
    messages = {item.message for item in result.items}
    lines = [headline(result)]
    if len(messages) == 1 and len(result.items) > 1 and messages != {""}:
        # One reason for everything (a stub, a crash) is said once.
        lines.append(textwrap.indent(messages.pop(), "  "))
    else:
        for item in result.items:
            lines.append(_item_line(item))
            if item.message:
                lines.append(textwrap.indent(item.message, " " * 6))
    return "\n".join(lines)


def submission_text(result: SubmissionResult) -> str:
    """All exercises, then the sum and what the student should know about the notebook itself."""
    lines = [exercise_text(check) + "\n" for check in result.checks.values()]
    lines += [_("Put right: {what}").format(what=what) for what in result.mended]
    if result.checks:
        lines.append(_("In all: {points} points").format(points=points(result.score, result.max)))
    if result.message:
        lines.append(result.message)
    return "\n".join(lines)


def printable(text: str) -> str:
    """`text` without the control characters by which a student's output could drive a terminal."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text)


def _item_line(item: Item) -> str:
    word = "" if item.outcome is Outcome.PASSED else f" ({outcome_word(item.outcome)})"
    return f"  {MARKS[item.outcome]} {points(item.points, item.max)}  {item.sentence}{word}"
