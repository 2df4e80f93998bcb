"""Whose points change when a class is graded again: by how much, in which checks, and what has changed since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autograder.grading.own_causes import FILE_NAME, PART
from autograder.locale import _
from autograder.report.class_record import sentences_of

LATE = "late"
"""The part that is no part of a digest: the late penalty is worked out at every run."""


@dataclass(frozen=True)
class Change:
    """What changes for one student.

    Attributes:
        before, after: the points in the gradebook, with hand-given ones and the late penalty.
        checks: the checks whose points change, each with both.
        why: what has changed since the earlier grading, in words.
    """

    before: float
    after: float
    checks: tuple[str, ...]
    why: tuple[str, ...]


def checks_between(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    """The checks whose points differ between two results, as `SubmissionResult.to_json` writes them."""
    before, after = dict(_points(old)), dict(_points(new))
    lines = []
    for name, check in dict.fromkeys([*before, *after]):
        points = before.get((name, check)), after.get((name, check))
        if points[0] != points[1]:
            sentence = sentences_of(name).get(check, check)
            numbers = " → ".join("–" if p is None else f"{p:.6g}" for p in points)
            lines.append(f"{name}: {sentence} ({numbers})")
    return tuple(lines)


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


def _points(result: dict[str, Any]) -> Iterator[tuple[tuple[str, str], float]]:
    for name, check in result["checks"].items():
        for item in check["items"]:
            yield (name, item["id"]), item["points"]
