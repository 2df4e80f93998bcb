"""Results as plain text, for consoles, logs and the cells of an executed notebook."""

from __future__ import annotations

import re
import sys
import textwrap

from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.report.words import MARKS, headline, legend, outcome_word, points, shared_message, without_repeats


def exercise_text(result: ExerciseResult, width: int = 0) -> str:
    """A headline, then one line per check, with what was seen below those that failed.

    Args:
        width: the line width; 0 means no wrapping.
    """
    shared = shared_message(result)
    lines = [headline(result)]
    if shared:
        lines.append(textwrap.indent(shared, "  "))
    else:
        for item in without_repeats(result):
            lines.append(_item_line(item))
            if item.message:
                lines.append(textwrap.indent(item.message, " " * 6))
            lines += [" " * 8 + row for row in item.picture]
            if item.picture:
                lines.append(" " * 8 + legend())
    text = "\n".join(lines)
    return "\n".join(_broken(line, width) for line in text.split("\n")) if width else text


def printable(text: str) -> str:
    """`text` without control characters: a student's output could use them to drive a terminal or reorder a line."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", "", text)


def say(text: str) -> None:
    """Print `text`, with "?" for characters that stdout cannot show: a student's notebook must not fail on them."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def _broken(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width, subsequent_indent=indent, drop_whitespace=False)


def _item_line(item: Item) -> str:
    word = "" if item.outcome is Outcome.PASSED else f" ({outcome_word(item.outcome)})"
    return f"  {MARKS[item.outcome]} {points(item.points, item.max)}  {item.sentence}{word}"
