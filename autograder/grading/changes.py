"""Whose points change when a class is graded again: by how much, in which checks, and what has changed since."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autograder.grading.own_causes import FILE_NAME, PART
from autograder.locale import _
from autograder.report.class_record import sentences_of

LATE = "late"
"""The part that is no part of a digest: the late penalty is worked out at every run."""

ROUNDING = 1e-9
"""Points that differ by less are equal."""


def differ(before: float, after: float) -> bool:
    """Whether points differ by more than rounding."""
    return abs(after - before) > ROUNDING


@dataclass(frozen=True)
class Booked:
    """A submission in the gradebook.

    Attributes:
        points: with hand-given ones, less the late penalty.
    """

    points: float
    penalty: float = 0.0


@dataclass(frozen=True)
class Part:
    """One part of a change, in words, and by how much it changes the total."""

    words: str
    gain: float


@dataclass(frozen=True)
class Change:
    """What changes for one student.

    Attributes:
        before, after: the points in the gradebook, with hand-given ones and the late penalty.
        parts: what the difference consists of.
        why: what has changed since the earlier grading, in words.
    """

    before: float
    after: float
    parts: tuple[Part, ...]
    why: tuple[str, ...]


def change_between(
    before: Booked, after: Booked, checks: tuple[Part, ...] = (), why: tuple[str, ...] = ()
) -> Change | None:
    """The change from one state of the gradebook to another; None if nothing changes.

    Args:
        checks: see `checks_between`.
        why: see `parts_between`.
    """
    parts = list(checks)
    if differ(before.penalty, after.penalty):
        words = _("late penalty ({before} → {after})").format(
            before=f"{before.penalty:.6g}", after=f"{after.penalty:.6g}"
        )
        parts.append(Part(words, before.penalty - after.penalty))
        if _is_other_share(before, after):
            why = (*why, words_for(LATE))
    rest = after.points - before.points - sum(part.gain for part in parts)
    if differ(0.0, rest):
        parts.append(Part(_("points by hand, or of other cells ({rest})").format(rest=f"{rest:+.6g}"), rest))
    return Change(before.points, after.points, tuple(parts), why) if parts else None


def checks_between(old: dict[str, Any], new: dict[str, Any]) -> tuple[Part, ...]:
    """The checks whose points differ between two results, as `SubmissionResult.to_json` writes them.

    Those of an exercise that only count more or less than before are one part.
    """
    before, after = ({name: _items(check) for name, check in result["checks"].items()} for result in (old, new))
    names = dict.fromkeys([*before, *after])
    return tuple(part for name in names for part in _parts_of(name, before.get(name, {}), after.get(name, {})))


def parts_between(old: str, new: str) -> tuple[str, ...]:
    """In words, what differs between two digests of `content_digest`; an older kit's has no parts."""
    before, after = (dict(part.split("=", 1) for part in digest.split() if "=" in part) for digest in (old, new))
    return tuple(words_for(part) for part in after if before.get(part) != after[part])


def words_for(part: str) -> str:
    """What a part of a digest stands for."""
    return {
        "kit": _("the kit"),
        "reference": _("the reference or the secret"),
        "assignment": _("the assignment's cells or points"),
        "options": _("the options"),
        PART: FILE_NAME,
        "hand-in": _("what was handed in"),
        LATE: _("late policy, due date, extension or time of the hand-in"),
    }[part]


def _is_other_share(before: Booked, after: Booked) -> bool:
    """Whether the penalty is another share of the points: with the share unchanged, it follows the points."""
    shares = before.penalty * (after.points + after.penalty), after.penalty * (before.points + before.penalty)
    return not math.isclose(*shares, abs_tol=ROUNDING)


def _items(check: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in check["items"]}


def _parts_of(exercise: str, old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> Iterator[Part]:
    scaled = [check for check in old.keys() & new.keys() if _is_scaled(old[check], new[check])]
    points, most = [[sum(items[check][key] for check in scaled) for items in (old, new)] for key in ("points", "max")]
    if differ(*points):
        words = _("{exercise}: {before} of {most_before} → {after} of {most_after} points").format(
            exercise=exercise,
            before=f"{points[0]:.6g}",
            most_before=f"{most[0]:.6g}",
            after=f"{points[1]:.6g}",
            most_after=f"{most[1]:.6g}",
        )
        yield Part(words, points[1] - points[0])
    for check in dict.fromkeys([*old, *new]):
        pair = [items[check]["points"] if check in items else None for items in (old, new)]
        gain = (pair[1] or 0.0) - (pair[0] or 0.0)
        if check not in scaled and (None in pair or differ(0.0, gain)):
            sentence = sentences_of(exercise).get(check, check)
            numbers = " → ".join("–" if p is None else f"{p:.6g}" for p in pair)
            yield Part(f"{exercise}: {sentence} ({numbers})", gain)


def _is_scaled(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the check is worth other points than before, of which the same share was earned."""
    shares = old["points"] * new["max"], new["points"] * old["max"]
    return old["max"] != new["max"] and math.isclose(*shares, abs_tol=ROUNDING)
