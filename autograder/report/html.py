"""Results as HTML cards, for notebooks and feedback pages. Everything that comes from outside is escaped.

The same HTML must work in light and dark themes, without its scripts and style sheets (JupyterLab removes them from
untrusted notebooks, our feedback pages always), and for people who see no colours or use a screen reader. So:

- Text has the colour of the page. A badge has its own text colour and background, with a contrast of at least 4.5, so
  it works in every theme. An error picture is a half-transparent red behind text, which keeps that contrast, too.
- Lines and empty parts of a bar use the theme's variables in Jupyter and VS Code, and elsewhere a half-transparent
  grey, visible on white and on black.
- Styles are inline and only decorate: without them, the same words are in the same order.
- An outcome is a mark and a word, points are numbers, an error picture is characters with a legend.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from autograder.checks.numeric import SHADES
from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.locale import _, current_language
from autograder.report.words import (
    MARKS,
    Note,
    Story,
    legend,
    points,
    standing_of,
    state,
    title,
)

GREEN, RED, GREY, BROWN = "#1a7f37", "#cf222e", "#59636e", "#8a5d00"
"""Distinct with white text on them, and beside both white and near-black pages."""

_COLOURS = {
    Outcome.PASSED: GREEN,
    Outcome.FAILED: RED,
    Outcome.RAISED: RED,
    Outcome.STOPPED: RED,
    Outcome.NOT_ATTEMPTED: GREY,
    Outcome.BLOCKED: GREY,
    Outcome.GRADER_ERROR: BROWN,
}

DEEPEST = 0.5
"""How red the largest error gets; with more, dark grey text on it would be hard to read on a white page."""

_MONOSPACE = "'DejaVu Sans Mono', Menlo, Consolas, monospace"
"""Fonts with clear shades. In a Japanese page, `monospace` alone is often one that draws them as hatches."""

_TINT = "rgba(128, 128, 128, 0.1)"
_GREY_LINE = "rgba(128, 128, 128, 0.5)"
_LINE = f"var(--jp-border-color1, var(--vscode-panel-border, {_GREY_LINE}))"
_PRINTED = f"margin: 2px 0 2px 12px; white-space: pre-wrap; background: transparent; font-family: {_MONOSPACE}"
_CELL = "vertical-align: top; padding: 3px 8px; text-align: left; white-space: normal; line-height: 1.5"


def exercise_html(result: ExerciseResult, notes: Iterable[Note] = ()) -> str:
    """A card: the state of the exercise, what to look at first, the checks, and `notes`.

    Checks that do not pass have a line each, with what else is known about them folded below it; those that pass, or
    wait, share one.
    """
    story = Story.of(result)
    name = f" ({escape(title(result))})" if title(result) else ""
    earned = escape(_("{points} points").format(points=points(result.score, result.max)))
    head = f"<strong>{escape(result.id)}</strong>{name}: {earned} {bar(result.share)} {escape(state(result))}"
    parts = [f'<p style="margin: 4px 0">{head}</p>']
    if story.first:
        parts.append(_box(_told(story.first, first=True)))
    if result.untouched:
        parts.append(_folded(escape(_("What will be tested")), _list(map(_line, story.open))))
    else:
        parts += [_list(map(_row, story.open))] if story.open else []
        parts += [_folded(escape(line), _list(map(_line, items))) for line, items in story.folded().items()]
    parts += [f'<p style="margin: 2px 0">{note_html(note)}</p>' for note in notes]
    return card(_("Result of {exercise}").format(exercise=result.id), "".join(parts))


def card(label: str, body: str) -> str:
    """A framed part of a page with a name, in the current language."""
    frame = f"border-left: 4px solid {_LINE}; padding: 2px 12px; margin: 4px 0; max-width: 64em; line-height: 1.5"
    return (
        f'<div role="group" aria-label="{html.escape(label)}" lang="{current_language()}" style="{frame}">{body}</div>'
    )


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of HTML cells, with column heads."""
    style = "border-collapse: collapse; text-align: left; margin: 4px 0"
    heads = "".join(f'<th scope="col" style="{_CELL}">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr style="background: transparent; border-top: 1px solid {_LINE}">'
        + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    return f'<table style="{style}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def badge(mark: str, word: str, colour: str) -> str:
    """A mark and a word on a coloured background."""
    style = f"background: {colour}; color: #ffffff; padding: 1px 7px; border-radius: 8px; white-space: nowrap"
    return f'<span style="{style}"><span aria-hidden="true">{mark}</span> {escape(word)}</span>'


def bar(share: float) -> str:
    """A bar filled to `share`. It only illustrates a number, so screen readers skip it."""
    track = f"display: inline-block; width: 7em; background: {_GREY_LINE}; background: {_LINE}; line-height: 0.6"
    filled = f"display: inline-block; width: {100 * share:.0f}%; background: {GREEN}"
    return f'<span aria-hidden="true" style="{track}"><span style="{filled}">&nbsp;</span></span>'


def lines(text: str) -> str:
    """Escaped text with its line breaks."""
    return "<br>".join(escape(line) for line in text.split("\n"))


def escape(text: str) -> str:
    """Escaped text, with `code` set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def note_html(note: Note) -> str:
    """A note with its link."""
    text = lines(note.text)
    if note.link is None:
        return text
    return text.replace("{link}", f'<a href="{html.escape(note.link.url)}">{escape(note.link.heading)}</a>')


def _line(item: Item) -> str:
    """The outcome, the points and the requirement of a check."""
    mark = badge(MARKS[item.outcome], standing_of(item), _COLOURS[item.outcome])
    earned = f'<span style="white-space: nowrap">{points(item.points, item.max)}</span>'
    return f"{mark} {earned} {escape(item.sentence)}"


def _row(item: Item) -> str:
    """The line of a check, with what was not said above folded below it."""
    if item.message:
        return _folded(_line(item), _told(item))
    return f'<div style="padding-left: 1.05em">{_line(item)}</div>'  # below the others, which have a triangle


def _told(item: Item, first: bool = False) -> str:
    """The cause (or else the first line of what was seen), what was seen, printed and drawn, and the question.

    The first of these is in bold if it is the `first` thing to look at.
    """
    said = [lines(text) for text in (item.cause, *item.told.split("\n", 1)) if text]
    if first and said:
        said[0] = f"<strong>{said[0]}</strong>"
    parts = ["<br>".join(said)]
    if item.printed:
        parts.append(f'{escape(_("Your code printed:"))}<pre style="{_PRINTED}">{html.escape(item.printed)}</pre>')
    if item.picture:
        parts.append(_picture(item.picture))
    if item.question:
        parts.append(lines(item.question))
    return "".join(f'<div style="margin: 4px 0">{part}</div>' for part in parts)


def _box(body: str) -> str:
    # Feedback pages keep no borders, so that the ground alone must show it there.
    edge = f"border: 1px solid {_LINE}; border-radius: 6px; overflow-wrap: anywhere"
    style = f"background: {_TINT}; padding: 4px 12px; margin: 6px 0; {edge}"
    return f'<div style="{style}">{body}</div>'


def _folded(line: str, body: str) -> str:
    style = "margin: 2px 0 6px 16px; overflow-wrap: anywhere"
    head = "display: list-item; line-height: 1.8"  # Bootstrap, on feedback pages, would leave out the triangle
    return f'<details><summary style="{head}">{line}</summary><div style="{style}">{body}</div></details>'


def _list(entries: Iterable[str]) -> str:
    style = f"display: block; border-top: 1px solid {_LINE}; padding: 3px 0; margin: 0; line-height: 1.8"
    body = "".join(f'<li style="{style}">{entry}</li>' for entry in entries)
    return f'<ul style="padding: 0; margin: 4px 0">{body}</ul>'


def _picture(rows: tuple[str, ...]) -> str:
    """The error picture as a grid, with its characters for people who see no colours."""
    cells = "<br>".join("".join(_shade(mark) for mark in row) for row in rows)
    style = "line-height: 1.3; margin: 4px 0"
    alternative = html.escape(_picture_in_words(rows))
    return f'<div role="img" aria-label="{alternative}" style="{style}">{cells}</div><div>{_legend()}</div>'


def _picture_in_words(rows: tuple[str, ...]) -> str:
    """The picture for a screen reader: where the wrong elements are, counted from 0 as in messages."""
    wrong = [(i, j) for i, row in enumerate(rows) for j, mark in enumerate(row) if mark != SHADES[0]]
    return _("Picture of the errors: {wrong} of {n} elements are off, in rows {rows} and columns {columns}.").format(
        wrong=len(wrong),
        n=sum(map(len, rows)),
        rows=", ".join(str(i) for i in sorted({i for i, _j in wrong})) or "-",
        columns=", ".join(str(j) for j in sorted({j for _i, j in wrong})) or "-",
    )


def _legend() -> str:
    """The words of the legend, with its marks as in the picture."""
    return re.sub(f"[{SHADES}]", lambda mark: _shade(mark[0]), escape(legend()))


def _shade(mark: str) -> str:
    depth = DEEPEST * SHADES.index(mark) / (len(SHADES) - 1)
    style = (
        f"display: inline-block; width: 1.4em; text-align: center; background: rgba(207, 34, 46, {depth:.3f}); "
        f"font-family: {_MONOSPACE}"
    )
    return f'<span style="{style}">{mark}</span>'
