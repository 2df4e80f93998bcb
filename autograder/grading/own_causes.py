"""causes.toml beside nbgrader_config.py: what the instructor says of behaviours that no known mistake explains.

The class report shows groups of students whose code behaves equally, each with a digest. A table of that name gives
the group a cause and a question, which its students read when they are graded next:

    [3f9a1c22b0de]
    cause = "The mean is taken over all elements."
    question = "Along which axis do the rows of a batch lie?"
"""

from __future__ import annotations

import contextlib
import hashlib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from autograder.checks.diagnosis import Cause, Explanation
from autograder.checks.judge import explained
from autograder.checks.results import Item, SubmissionResult
from autograder.grading.course import Course, CourseError
from autograder.grading.result_file import stored_results
from autograder.locale import LANGUAGES, _

FILE_NAME = "causes.toml"
PART = "causes"
"""The part of a result's digest that stands for what was written on its behaviours."""


def read_causes(course: Path) -> dict[str, Cause]:
    """Digest of a behaviour -> its cause; empty if the course has no such file.

    Raises:
        CourseError: the file cannot be used.
    """
    try:
        tables = tomllib.loads((course / FILE_NAME).read_text(encoding="utf-8-sig"))
        return {digest: _cause(digest, table) for digest, table in tables.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:  # a decoding error and TOML's are ValueErrors
        raise CourseError(_("{file} cannot be used: {reason}").format(file=FILE_NAME, reason=error)) from error


def told(result: SubmissionResult, causes: Mapping[str, Cause]) -> SubmissionResult:
    """`result` with what the instructor says of its behaviours."""

    def say(item: Item) -> Item:
        own = causes.get(item.behaviour)
        return explained(item, Explanation([own])) if own else item

    checks = {name: replace(found, items=tuple(map(say, found.items))) for name, found in result.checks.items()}
    return replace(result, checks=checks)


def with_causes(digest: str, result: Mapping[str, Any], causes: Mapping[str, Cause]) -> str:
    """The digest of a result in JSON, with a part for the causes that are told in it, if there are any."""
    own = repr([causes[behaviour] for behaviour in sorted(behaviours_in(result) & causes.keys())])
    return f"{digest} {PART}={hashlib.sha256(own.encode()).hexdigest()}" if own != "[]" else digest


def behaviours_in(result: Mapping[str, Any]) -> set[str]:
    """The digests in a result in JSON."""
    return {item.get("behaviour", "") for check in result["checks"].values() for item in check["items"]}


def never_shown(course: Course, assignment: str, causes: Collection[str]) -> tuple[str, ...]:
    """Those of `causes` that no result of the course shows; one file serves all assignments.

    Those that are in the bank are not among them: once it is recorded, a known mistake explains the behaviour.
    """
    left = set(causes)
    for name in {*course.assignments(), assignment} if left else ():
        for _student, stored in stored_results(course, name):
            left -= behaviours_in(stored.result)
    with contextlib.suppress(CourseError):  # whoever needs the bank says what is wrong with it
        left -= in_bank(course.folder, left).keys()
    return tuple(sorted(left))


def in_bank(course: Path, digests: Collection[str]) -> dict[str, tuple[str, Path]]:
    """Those of `digests` for which the bank has an entry -> its id and its file.

    Raises:
        CourseError: the bank cannot be read.
    """
    found: dict[str, tuple[str, Path]] = {}
    for path in sorted(course.glob("reference/*/*/*.toml")) if digests else ():
        try:
            ids = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CourseError(_("{file} cannot be used: {reason}").format(file=path, reason=error)) from error
        found |= {digest: (id, path) for id in ids for digest in digests if id.endswith(f"-{digest}")}
    return found


def note_on(digests: Collection[str]) -> str:
    """What to say of entries whose digest no result shows."""
    return _("{file}: no result of this class shows {groups}. The class report has the groups of today.").format(
        file=FILE_NAME, groups=", ".join(f"[{digest}]" for digest in digests)
    )


def _cause(digest: str, table: Any) -> Cause:
    """The entry of one behaviour; a text for one language, or one for all."""
    texts = table if isinstance(table, dict) else {}
    cause, question = (_by_language(texts.get(key)) for key in ("cause", "question"))
    if not cause or not question or texts.keys() - {"cause", "question"}:
        raise ValueError(
            _('[{digest}] needs cause = "..." and question = "...", and nothing else').format(digest=digest)
        )
    return Cause(digest, cause, question)


def _by_language(text: Any) -> dict[str, str]:
    """Language -> text; {} if there is none."""
    given = text if isinstance(text, dict) else dict.fromkeys(LANGUAGES, text)
    if not given or not given.keys() <= set(LANGUAGES) or not all(isinstance(t, str) and t for t in given.values()):
        return {}
    return {language: given.get(language, next(iter(given.values()))) for language in LANGUAGES}
