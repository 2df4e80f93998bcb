"""What travels between a course and the workers of a cluster, as bytes: a folder that was handed in, and its result.

Neither side trusts the other's bytes to be well-formed: nothing in them is code, and a result is checked before it is
used.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgpack

from autograder.grading.job import GradedFolder
from autograder.locale import _
from autograder.notebooks.attachments import files_beside
from autograder.notebooks.load import MAX_NOTEBOOK_BYTES, plain_content
from autograder.notebooks.mend import ReleasedCell
from autograder.notebooks.submission import notebooks_in
from autograder.report.class_record import result_of
from autograder.sandbox.isolation import Level

MOST_BYTES = 64 * 2**20
"""The largest parcel: a cluster's scheduler holds hundreds of them in its memory."""

MOST_ENTRIES = 5000
"""How many files and folders of one hand-in are named; beyond that, grading looks at none of them either."""


class BadParcel(Exception):
    """This cannot travel, or what came is not what was promised."""


def pack_folder(folder: Path, notebook: str, executed: bytes = b"") -> bytes:
    """The folder with all that grading looks at: names, kinds, ages and sizes, and the content of what it reads.

    Args:
        notebook: the name of the assignment's notebook.
        executed: the executed notebook, where there is one that is to be completed.

    Raises:
        BadParcel: it is too large.
    """
    contents: dict[Path, bytes | None] = {}
    for path in notebooks_in(folder, notebook):
        contents[path] = plain_content(path, MAX_NOTEBOOK_BYTES)
        contents |= {path.parent / name: content for name, content in files_beside(path).items()}
    size = sum(len(content or b"") for content in contents.values())
    if size > MOST_BYTES:
        raise BadParcel(
            _("{size} MB are too much to be sent. Grade this one without --scheduler.").format(size=size // 2**20)
        )
    entries = [
        [os.fsencode(path.relative_to(folder)), kind.st_mode, kind.st_mtime_ns, kind.st_size, contents.get(path)]
        for path, kind in _entries(folder)
    ]
    return msgpack.packb([entries, executed])


def unpack_folder(parcel: bytes, folder: Path) -> bytes:
    """Make the same `folder` elsewhere. Where no content was sent, there is a file as large; links lead nowhere.

    Returns:
        The executed notebook.
    """
    entries, executed = msgpack.unpackb(parcel)
    folder.mkdir(parents=True)
    for name, mode, age, size, content in entries:
        path = folder / os.fsdecode(name)
        if stat.S_ISDIR(mode):
            path.mkdir()
        elif stat.S_ISLNK(mode):
            path.symlink_to("nowhere")
        elif stat.S_ISREG(mode):
            path.write_bytes(content or b"")
            os.truncate(path, size if content is None else len(content))
        else:
            os.mkfifo(path)
        os.utime(path, ns=(age, age), follow_symlinks=False)
    return executed


def _entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """What is in `folder` and one folder down, folders before what they hold; no hidden files."""
    left = MOST_ENTRIES
    waiting = [folder] if folder.is_dir() else []
    for place in waiting:
        for path in sorted(path for path in place.iterdir() if not path.name.startswith("."))[:left]:
            left -= 1
            kind = path.lstat()
            yield path, kind
            if stat.S_ISDIR(kind.st_mode) and place == folder:
                waiting.append(path)


def pack_result(graded: GradedFolder | None, executed: bytes) -> bytes:
    """What came of a folder, with its executed notebook; None where that is all."""
    result = graded and {**vars(graded), "result": graded.result.to_json(), "isolation": str(graded.isolation)}
    return msgpack.packb([result, executed])


def unpack_result(parcel: bytes, released: Mapping[str, ReleasedCell]) -> tuple[GradedFolder | None, bytes]:
    """The inverse of `pack_result`, for an assignment with the cells `released`.

    Raises:
        BadParcel: it is not a result of this assignment.
    """
    with suppress(AttributeError, KeyError, TypeError, ValueError, msgpack.UnpackException):
        data, executed = msgpack.unpackb(parcel)
        graded = data and GradedFolder(
            **{**data, "result": result_of(data["result"]), "isolation": Level(data["isolation"])}
        )
        if type(executed) is bytes and (graded is None or _is_possible(graded, released)):
            return graded, executed
    raise BadParcel(_("What came back from a worker could not be read."))


def _is_possible(graded: GradedFolder, released: Mapping[str, ReleasedCell]) -> bool:
    """Whether the scores are numbers within their cells' points, and the comments texts."""
    result = graded.result
    words = [result.message, *result.mended, *result.looks, *(text or "" for text in graded.comments.values())]
    items = [item for check in result.checks.values() for item in check.items]
    words += [word for item in items for word in (item.message, item.behaviour)]
    points = [(score, released[name].points or 0.0) for name, score in graded.scores.items() if score is not None]
    points += [(check.score, check.max) for check in result.checks.values()]
    return all(type(word) is str for word in words) and all(
        type(score) in (float, int) and math.isfinite(score) and 0.0 <= score <= most for score, most in points
    )
