"""What was found of a submission, and from what: result.json beside the executed notebook.

It says that everything of a submission is done: executed notebook, gradebook and result. It is removed first and
written last, so that grading which was cut off, at whatever moment, does that submission again and finds the same.

Students may hand in a file of this name, which nbgrader copies to the same place. So ours bears a seal made with the
course's secret, and whatever has none is no result.
"""

from __future__ import annotations

import hmac
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autograder.grading.course import Course
from autograder.grading.reference import NoReference, Reference
from autograder.notebooks.load import as_text, plain_content

FILE_NAME = "result.json"
DRAFT = f".{FILE_NAME}"
NOT_DONE = ""
"""The digest of a submission that the grader could not bring to an end."""

MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Stored:
    """What one file holds.

    Attributes:
        digest: of all that decides the result: notebook, kit, reference, secret; or `NOT_DONE`.
        isolation: the level at which the code ran.
        result: as in a results file.
        drawn: whether the figures that a person looks at are in the executed notebook; they are drawn last of all.
        by_hand: hand-graded cell -> the points that it was worth; an older kit's file has none.
    """

    digest: str
    isolation: str
    result: dict[str, Any]
    drawn: bool = True
    by_hand: dict[str, float] = field(default_factory=dict)


def write_result(course: Path, target: Path, stored: Stored) -> None:
    """Put a result into the folder `target` in place of any earlier one, at once and as a whole."""
    body = json.dumps(asdict(stored), ensure_ascii=False) + "\n"
    content = _sealed(course, target, body.encode("utf-8"))
    target.mkdir(parents=True, exist_ok=True)
    remove_result(target)
    draft = target / DRAFT
    draft.write_bytes(content)
    draft.chmod(0o444)  # as nbgrader leaves files there
    draft.replace(target / FILE_NAME)


def read_result(course: Path, target: Path) -> Stored | None:
    """The result in the folder `target`; None where there is none of this course's and this submission's."""
    content = plain_content(target / FILE_NAME, MOST_BYTES)
    if content is None:
        return None
    body = b"{" + content.partition(b"\n")[2]
    try:
        is_ours = hmac.compare_digest(content, _sealed(course, target, body))
    except NoReference:
        return None
    return Stored(**json.loads(body)) if is_ours else None


def is_done(course: Path, target: Path) -> bool:
    """Whether all of a submission is done: the folder `target` holds its executed notebook and its result."""
    stored = read_result(course, target)
    return stored is not None and stored.digest != NOT_DONE and any(target.glob("*.ipynb"))


def remove_result(target: Path) -> None:
    """Let the folder `target` hold no result, nor anything else in its place."""
    for path in (target / FILE_NAME, target / DRAFT):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def stored_results(course: Course, assignment: str, done: bool = False) -> Iterator[tuple[str, Stored]]:
    """Students with their results, by student, one read after the other: of everybody, or of those who are done."""
    for student, target in course.folders(course.directory.autograded_directory, assignment):
        stored = read_result(course.folder, target) if student == as_text(student) else None
        if stored and not (done and stored.digest == NOT_DONE):
            yield student, stored


def _sealed(course: Path, target: Path, body: bytes) -> bytes:
    """The content of the file for `body`, a dict in JSON, in the folder of one student's submission."""
    whose = "\0".join(["result", *target.parts[-2:], ""]).encode("utf-8", "surrogateescape")
    seal = hmac.digest(Reference(course).secret(), whose + body, "sha256").hex()
    return b'{"seal": "%s",\n%s' % (seal.encode(), body[1:])
