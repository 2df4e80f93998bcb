"""Results as plain text, for consoles, logs and the cells of an executed notebook."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable

from autograder.checks.results import ExerciseResult, Item
from autograder.locale import _
from autograder.report.words import MARKS, Note, Story, headline, legend, points, standing_of


def exercise_text(result: ExerciseResult, width: int = 0, notes: Iterable[Note] = ()) -> str:
    """A headline, what to look at first, then one line for each check that does not pass, with what is new about it.

    Args:
        width: the line width; 0 means no wrapping.
        notes: the last lines.
    """
    story, lines = Story.of(result), [headline(result)]
    if story.first:
        lines += _told(story.first, indent=2)
    if not result.untouched:
        for item in story.open:
            lines.append(_item_line(item))
            lines += _told(item, indent=6) if item.message else []
    if not result.untouched and not result.full:
        lines += [f"  {MARKS[items[0].outcome]} {line}" for line, items in story.folded().items()]
    lines += [f"  {note}" for note in notes]
    text = "\n".join(lines)
    return "\n".join(_broken(line, width) for line in text.split("\n")) if width else text


def _told(item: Item, indent: int) -> list[str]:
    """The cause, what was seen, what was printed, the picture, and the question."""
    lines = [item.cause, item.told]
    if item.printed:
        lines += [_("Your code printed:"), textwrap.indent(item.printed, "  | ")]
    if item.picture:
        lines += [*("  " + row for row in item.picture), "  " + legend()]
    return textwrap.indent("\n".join(filter(None, [*lines, item.question])), " " * indent).split("\n")


def printable(text: str) -> str:
    """`text` without control characters: a student's output could use them to drive a terminal or reorder a line."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", "", text)


def say(text: str) -> None:
    """Print what of `text` is `printable`, with "?" for what stdout cannot show: a notebook must not fail on it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(printable(text).encode(encoding, "replace").decode(encoding))


def _broken(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width, subsequent_indent=indent, drop_whitespace=False)


def _item_line(item: Item) -> str:
    return f"  {MARKS[item.outcome]} {points(item.points, item.max)}  {item.sentence} ({standing_of(item)})"
