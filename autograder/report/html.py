"""Results as an HTML table, for notebooks and feedback pages. Everything that comes from outside is escaped."""

from __future__ import annotations

import html
import re

from autograder.i18n import _
from autograder.numeric import SHADES
from autograder.report.words import MARKS, headline, legend, outcome_word, points, shared_message
from autograder.results import ExerciseResult, Item, Outcome

_COLOURS = {
    Outcome.PASSED: "#1a7f37",
    Outcome.FAILED: "#cf222e",
    Outcome.RAISED: "#cf222e",
    Outcome.NOT_ATTEMPTED: "#6e7781",
    Outcome.BLOCKED: "#6e7781",
    Outcome.GRADER_ERROR: "#9a6700",
}
"""Readable on light and dark pages; the mark and the word say the same, so that colour is never needed."""


def exercise_html(result: ExerciseResult) -> str:
    """A table: mark, promise with what was seen, points."""
    shared = shared_message(result)
    rows = "".join(_row(item, with_message=not shared) for item in result.items)
    return (
        f"<div><p><strong>{_escape(headline(result))}</strong>{'<br>' + _lines(shared) if shared else ''}</p>"
        '<table style="border-collapse: collapse; text-align: left">'
        f"<thead><tr><th></th><th style='text-align: left'>{_escape(_('What should hold'))}</th>"
        f"<th>{_escape(_('Points'))}</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(item: Item, with_message: bool) -> str:
    colour = _COLOURS[item.outcome]
    word = _escape(outcome_word(item.outcome))
    message = ""
    if item.message and with_message:
        message = f'<br><span style="color: {colour}"><em>{word}</em></span>: {_lines(item.message)}'
    if item.picture:
        message += _picture(item.picture)
    cell = "vertical-align: top; padding: 2px 8px; text-align: left"
    return (
        f'<tr><td style="{cell}; color: {colour}" title="{word}"><strong>{MARKS[item.outcome]}</strong></td>'
        f'<td style="{cell}">{_escape(item.sentence)}{message}</td>'
        f'<td style="{cell}; white-space: nowrap">{points(item.points, item.max)}</td></tr>'
    )


def _picture(rows: tuple[str, ...]) -> str:
    """The error picture as a grid; the characters stay in it for whoever sees no colours."""
    cells = "<br>".join("".join(_shade(mark) for mark in row) for row in rows)
    return f'<div style="font-family: monospace; line-height: 1.2; margin: 4px 0">{cells}</div>{_escape(legend())}'


def _shade(mark: str) -> str:
    opacity = SHADES.index(mark) / (len(SHADES) - 1)
    return (
        '<span style="display: inline-block; width: 1.3em; text-align: center; '
        f'background: rgba(207, 34, 46, {opacity:.2f})">{mark}</span>'
    )


def _lines(text: str) -> str:
    return "<br>".join(_escape(line) for line in text.split("\n"))


def _escape(text: str) -> str:
    """Escaped text, with `code` set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
