"""Results as plain text, for consoles, logs and the cells of an executed notebook."""
from __future__ import annotations

import re
import textwrap

from autograder.report.words import MARKS, headline, outcome_word, points
from autograder.results import ExerciseResult, Item, Outcome


def exercise_text(result: ExerciseResult, width: int = 0) -> str:
    """A headline, then one line a check, with what was seen below those that do not hold.

    Args:
        width: where lines are broken; 0 leaves them whole.
    """
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
    text = "\n".join(lines)
    return "\n".join(_broken(line, width) for line in text.split("\n")) if width else text


def printable(text: str) -> str:
    """`text` without the control characters by which a student's output could drive a terminal."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text)


def _broken(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width, subsequent_indent=indent, drop_whitespace=False)


def _item_line(item: Item) -> str:
    word = "" if item.outcome is Outcome.PASSED else f" ({outcome_word(item.outcome)})"
    return f"  {MARKS[item.outcome]} {points(item.points, item.max)}  {item.sentence}{word}"
