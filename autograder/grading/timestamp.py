"""The submission time: nbgrader keeps it in a file beside the notebook, which anybody may have written."""

from __future__ import annotations

import re
import unicodedata
import warnings
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from dateutil import parser, tz

from autograder.locale import _
from autograder.notebooks.attachments import TIMESTAMP
from autograder.notebooks.load import as_text, decoded, plain_content

EXAMPLE = "2027-01-15 23:00:00 Asia/Tokyo"
MOST_BYTES = 1000
MOST_SHOWN = 60

_YEARS = range(1970, 9999)
"""Other years cannot be meant, and the last ones do not exist in every time zone."""

_DEFAULTS = (datetime(2001, 1, 1), datetime(2002, 2, 2))
"""Two defaults for a missing year, month or day: if the results differ, the text is incomplete."""

_ZONE = re.compile(r"(?s)(?P<time>.*\S)\s+(?P<zone>[A-Za-z][\w/+-]*)")
_ZONES_OF_THEIR_OWN = {"JST": "Asia/Tokyo"}
"""Abbreviations of one zone each that the zone database does not have."""


def read_timestamp(folder: Path) -> tuple[datetime | None, str]:
    """The submission time in `folder`, as nbgrader's gradebook stores it: in UTC, without a zone.

    A time without a zone is UTC, as in nbgrader.

    Returns:
        The time, or None; and why an existing file gives no time, or "".
    """
    path = folder / TIMESTAMP
    try:
        path.lstat()
    except OSError:
        return None, ""
    content = plain_content(path, MOST_BYTES)
    if content is None:
        return None, _problem(path, _("it is a folder or a link, or too large"))
    try:
        text = unicodedata.normalize("NFKC", decoded(content)).strip("\0\ufeff \t\r\n")
    except UnicodeDecodeError:
        return None, _problem(path, _("it is not text"))
    if not text:
        return None, _problem(path, _("it is empty"))
    try:
        return time_of(text), ""
    except ValueError:
        shown = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
        return None, _problem(path, _('it says "{text}"').format(text=as_text(" ".join(shown.split()))))


def time_of(text: str, zone_needed: bool = False) -> datetime:
    """The time in `text`, in UTC and without a zone.

    Raises:
        ValueError: there is none, or it is incomplete or impossible, or lacks a zone that is needed.
    """
    try:
        found = _ZONE.fullmatch(text)
        zone = _zone(found["zone"]) if found else None
        first, second = (_parsed(found["time"] if found and zone else text, default) for default in _DEFAULTS)
        time = first.replace(tzinfo=first.tzinfo or zone or UTC).astimezone(UTC).replace(tzinfo=None)
    except Exception as error:  # dateutil has no common class for what it meets with
        raise ValueError(text) from error
    if first != second or time.year not in _YEARS or zone_needed and not (first.tzinfo or zone):
        raise ValueError(text)
    return time


def _parsed(text: str, default: datetime) -> datetime:
    def zone_of(name: str | None, offset: int | None) -> tzinfo | None:
        if offset is not None:
            return tz.tzoffset(name, offset)
        zone = _zone(name) if name else None
        if name and zone is None:
            raise ValueError(name)
        return zone

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parser.parse(text, default=default, tzinfos=zone_of)


def _zone(name: str) -> tzinfo | None:
    return tz.gettz(_ZONES_OF_THEIR_OWN.get(name, name))


def _problem(path: Path, seen: str) -> str:
    if path.is_relative_to(Path.cwd()):  # the course folder, in all commands
        path = path.relative_to(Path.cwd())
    return _(
        "The time in {path} cannot be read ({seen}), so the submission has no time. Write it like {example}, or "
        "delete the file, and grade again."
    ).format(path=as_text(str(path)), seen=seen, example=EXAMPLE)
