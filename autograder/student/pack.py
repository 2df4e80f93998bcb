"""What a student uploads: one zip file with the notebook under its proper name and the files that it uses."""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.exercises import releases
from autograder.grading.grade_submission import Graded
from autograder.locale import _
from autograder.notebooks.attachments import files_beside
from autograder.notebooks.cells import grade_id_of, is_as_given, metadata_of, source_of
from autograder.notebooks.mend import ReleasedCell, identify, released_in
from autograder.notebooks.submission import Submission, read_notebook, submission_of
from autograder.report.words import points

EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the archive, the earliest for a zip file: the same work gives the same bytes."""


@dataclass(frozen=True)
class Package:
    """What goes into the zip file.

    Attributes:
        notebook: as nested dicts and lists.
        name: the notebook's file name in the archive.
        content: the notebook's file as bytes.
        files: name -> content of the other files.
        left_out: names of files beside the notebook that it does not mention.
        archive: the path of the zip file.
    """

    notebook: dict[str, Any]
    submission: Submission
    name: str
    content: bytes
    files: dict[str, bytes]
    left_out: tuple[str, ...]
    archive: Path


def package_of(path: Path, wanted: tuple[str, ...] = (), archive: Path | None = None) -> Package:
    """What to hand in for the notebook in `path`.

    Args:
        wanted: names of files beside it to include although it does not mention them.
        archive: the path of the zip file; by default in the current folder, named after the assignment. The file at
            this path is never included, nor are earlier packages, unless they are `wanted`.

    Raises:
        UnreadableNotebook: there is no submission in the file.
    """
    notebook = read_notebook(path)
    submission = submission_of(notebook, str(path))
    stem = submission.assignment.replace("-", "_")
    archive = archive or Path(f"{stem}.zip")
    proper = f"{stem}.ipynb"
    beside = {name: c for name, c in files_beside(path).items() if name in wanted or not _is_package(c, proper)}
    if archive.resolve().parent == path.parent.resolve():
        beside.pop(archive.name, None)
    used = _used(beside, "\n".join(cell.source for cell in submission.cells), wanted)
    files = {name: beside[name] for name in sorted(used)}
    left_out = tuple(sorted(set(beside) - used))
    return Package(notebook, submission, proper, path.read_bytes(), files, left_out, archive)


def write_zip(package: Package) -> None:
    """Write the zip file with fixed order and times, uncompressed, because zlib's versions differ in their bytes."""
    with zipfile.ZipFile(package.archive, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {package.name: package.content, **package.files}.items():
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # as on Unix, wherever it was packed
            archive.writestr(entry, content)


def _is_package(content: bytes, name: str) -> bool:
    """Whether this is a zip file made by `write_zip`, with a notebook of this name."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):  # no zip file, or an odd one
        return False
    return bool(entries) and entries[0].filename == name and all(entry.date_time == EARLIEST for entry in entries)


def not_done(package: Package, graded: Graded) -> list[str]:
    """What is unfinished, in sentences."""
    said = [graded.result.message] if graded.result.message else []
    return [*_exercises(graded), *said, *_errors(graded), *_by_hand(package), *_unsaved(package.notebook)]


def _used(files: dict[str, bytes], code: str, wanted: tuple[str, ...]) -> set[str]:
    """The files that the code, or modules among the files, mention or import, and those `wanted`."""
    used: set[str] = set()
    new = {name for name in files if name in wanted or _mentions(code, name)}
    while new:
        used |= new
        texts = [files[name].decode("utf-8", "replace") for name in new if name.endswith(".py")]
        new = {name for name in set(files) - used if any(_mentions(text, name) for text in texts)}
    return used


def _mentions(text: str, name: str) -> bool:
    # macOS keeps が in names as two characters, notebooks as one.
    text, name = (unicodedata.normalize("NFC", string) for string in (text, name))
    # Not as a part of another file's name: "my-data.csv" and "data.csv.gz" do not mention data.csv.
    if re.search(rf"(?<![\w.-]){re.escape(name)}(?!-?\w|\.\w)", text):
        return True
    stem = re.escape(Path(name).stem)
    imported = rf"(?m)^\s*(?:import|from)\b.*\b{stem}\b"
    quoted = rf"""["'/]{stem}["']"""  # as in "numbers" + ".csv"
    return re.search(imported if name.endswith(".py") else quoted, text) is not None


# --- what is not done -------------------------------------------------------------------------------------------------


def _exercises(graded: Graded) -> Iterator[str]:
    unfinished = [result for result in graded.result.checks.values() if not result.full]
    begun = [result for result in unfinished if not result.untouched]
    untouched = [result.id for result in unfinished if result not in begun]
    if untouched:
        yield _("Not started yet: {names}.").format(names=", ".join(untouched))
    if begun:
        names = ", ".join(f"{result.id} ({points(result.score, result.max)})" for result in begun)
        yield _("Not finished yet: {names}.").format(names=names)


def _errors(graded: Graded) -> Iterator[str]:
    if graded.cell_errors:
        yield "\n  ".join(
            [_("Cells that ended with an error in this fresh run from top to bottom:"), *graded.cell_errors]
        )


def _by_hand(package: Package) -> Iterator[str]:
    missing, untouched = hand_graded_state(package.notebook, package.submission)
    if missing:
        yield _("Cells that are graded by hand are missing: {names}.").format(names=", ".join(missing))
    if untouched:
        yield _("Graded by hand, but still empty: {names}.").format(names=", ".join(untouched))


def hand_graded_state(notebook: dict[str, Any], submission: Submission) -> tuple[list[str], list[str]]:
    """Which hand-graded cells are missing from `notebook`, and which are unchanged since the release.

    A cell that lost its nbgrader metadata is not missing if grading will recognise it.
    """
    wanted, marks = submission.by_hand, [(cell, metadata_of(cell, "nbgrader")) for cell in notebook["cells"]]
    given = {mark.get("grade_id") for cell, mark in marks if mark.get("solution") is True and is_as_given(cell)}
    released, cells = _identified(notebook, submission.assignment)
    present = [cell for cell in notebook["cells"] if isinstance(cell, dict)]  # an instructor's question, too
    found = {grade_id_of(cell): source_of(cell) for cell in (*present, *cells)}
    missing = [name for name in wanted if name not in found]
    empty = {name: cell for name, cell in released.items() if cell.solution}  # a task is answered in other cells
    untouched = [
        name
        for name in wanted
        if name in given or (name in found and name in empty and empty[name].is_untouched(found[name]))
    ]
    return missing, untouched


def _identified(notebook: dict[str, Any], assignment: str) -> tuple[dict[str, ReleasedCell], list[dict[str, Any]]]:
    """The released cells of the edition that fits `notebook` best, and the cells of `notebook`, marked again."""
    best: tuple[dict[str, ReleasedCell], list[dict[str, Any]]] = {}, notebook["cells"]
    most = -1
    for release in releases(assignment).values():
        released, mended = released_in(release), dict(notebook)
        identify(mended, released)
        fitting = sum(1 for cell in mended["cells"] if grade_id_of(cell) in released)
        if fitting > most:
            best, most = (released, mended["cells"]), fitting
    return best


def _unsaved(notebook: dict[str, Any]) -> Iterator[str]:
    cells = [cell for cell in notebook["cells"] if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    counts = [cell.get("execution_count") for cell in cells if source_of(cell).strip()]
    if counts and not any(counts):
        yield _("The notebook has no outputs. Did you run it and then save it?")
    elif counts != list(range(1, len(counts) + 1)):
        yield _(
            "The outputs in the notebook do not come from one run from top to bottom. Choose Restart Kernel and Run "
            "All Cells, save, and pack again."
        )
