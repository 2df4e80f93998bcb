"""Grading one student's folder, from the file that was handed in to the executed notebook; runs in a grader process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autograder.checks.diagnosis import Cause
from autograder.checks.results import SubmissionResult
from autograder.grading.by_hand import (
    Beside,
    answers_beside,
    by_hand,
    comment_on,
    places_of,
    reason_to_look,
    untouched,
)
from autograder.grading.course import Handed, guarded_folders
from autograder.grading.grade_submission import Graded, grade_submission
from autograder.grading.own_causes import told
from autograder.grading.reference import Reference
from autograder.grading.result_file import DRAFT, FILE_NAME, remove_result
from autograder.locale import _, speaking
from autograder.notebooks.attachments import files_beside
from autograder.notebooks.load import folded, is_notebook_name
from autograder.notebooks.mend import ReleasedCell, mend, stand_in
from autograder.notebooks.submission import (
    CHECK_PREFIX,
    Submission,
    UnreadableNotebook,
    choose_notebook,
    language_of,
    no_notebook,
    read_notebook,
    submission_of,
)
from autograder.report.executed import cell_outputs, comments, not_run, unread_comment, unread_outputs
from autograder.sandbox.client import Figures, run_submission
from autograder.sandbox.fork_server import Host, HostBroken, too_weak
from autograder.sandbox.isolation import Level
from autograder.sandbox.limits import Limits

MOST_COPIED_BYTES = 50 * 2**20
"""What of a student's other files goes to autograded/; larger ones stay in submitted/."""


@dataclass(frozen=True)
class Assignment:
    """What a grader process must know of an assignment.

    Attributes:
        notebook: the name of its notebook, without ".ipynb".
        released: its graded and read-only cells by grade_id.
        metadata: the notebook metadata of the instructor's version.
        given: the texts of its other cells.
        causes: the instructor's own, see `own_causes`.
    """

    notebook: str
    released: dict[str, ReleasedCell]
    metadata: dict[str, Any]
    given: tuple[str, ...] = ()
    causes: Mapping[str, Cause] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """How a class is graded; equal for everybody.

    Attributes:
        level: how students' code is isolated; None for the best that works where it runs.
        weakest: the weakest level that will do.
    """

    course: Path
    level: Level | None
    figures: Figures = Figures.BY_HAND
    limits: Limits = Limits()
    weakest: Level = Level.BASIC


@dataclass(frozen=True)
class GradedFolder:
    """What came of one student's folder.

    Attributes:
        scores: graded cell -> automatic score, None where somebody has to grade by hand.
        comments: solution cell -> comment in Markdown, or None.
        drawn: whether there are no figures that `Grader.draw` has still to draw.
    """

    result: SubmissionResult
    isolation: str
    scores: dict[str, float | None]
    comments: dict[str, str | None]
    drawn: bool = True


class Grader:
    """Grades one folder after the other with one warm parent."""

    def __init__(self, settings: Settings, assignment: Assignment, host: Host | None = None) -> None:
        self._settings, self._assignment = settings, assignment
        self._reference = Reference(settings.course)
        self._host = host or Host(
            settings.level, guarded_folders(settings.course), figures=settings.figures is not Figures.NONE
        )
        if list(Level).index(self._host.level) > list(Level).index(settings.weakest):
            self._host.close()
            raise HostBroken(too_weak(self._host, "--allow-basic"))

    def grade(self, handed: Handed) -> GradedFolder:
        """Grade what is in `handed.folder` and write the executed notebook to `handed.target`, without figures."""
        with speaking(self._language):
            try:
                path, notebook, notes = self._read(handed)
            except UnreadableNotebook as error:
                return self._refuse(handed, str(error).replace(str(handed.folder) + os.sep, ""))
        released = self._assignment.released
        beside = answers_beside(notebook["cells"], released, self._assignment.given)
        empty = untouched(notebook["cells"], released)
        submission = submission_of(notebook, self._assignment.notebook).showing(places_of(beside))
        files = files_beside(path)
        with speaking(submission.language):
            graded = grade_submission(
                submission, self._reference, Figures.NONE, self._settings.limits, self._host, files
            )
            graded = replace(graded, result=told(graded.result, self._assignment.causes))
            note = not_run(follows=self._settings.figures is not Figures.NONE)
            printed = dict.fromkeys(_looked_at(submission, empty), note) | graded.run.outputs
            _fill(notebook, cell_outputs(submission, printed, graded.result.checks))
            said = {**self._responses(empty, beside), **comments(submission, graded.result.checks, notes)}
            looks = (reason_to_look(beside),) if beside else ()
        self._write(handed, notebook, notes)
        return GradedFolder(
            replace(graded.result, mended=tuple(notes), looks=looks),
            graded.isolation,
            {**self._by_hand(empty, beside), **_automatic(submission, graded)},
            said,
            drawn=not self._to_draw(submission, empty, graded.run.outputs),
        )

    def draw(self, handed: Handed) -> None:
        """Draw the figures of what was graded into its executed notebook in `handed.target`."""
        target = handed.target / f"{self._assignment.notebook}.ipynb"
        notebook = json.loads(target.read_text(encoding="utf-8"))
        released = self._assignment.released
        beside = answers_beside(notebook["cells"], released, self._assignment.given)
        submission = submission_of(notebook, self._assignment.notebook).showing(places_of(beside))
        path, _notes = choose_notebook(handed.folder, self._assignment.notebook, released)
        with speaking(submission.language):
            files = files_beside(path) if path else {}
            run = run_submission(submission, {}, self._settings.figures, self._settings.limits, self._host, files)
        for index in self._to_draw(submission, untouched(notebook["cells"], released), run.outputs):
            notebook["cells"][index]["outputs"] = run.outputs.get(index, [])
        replace_executed(target, _content(notebook))

    def _to_draw(self, submission: Submission, empty: set[str], ran: Collection[int]) -> set[int]:
        """The cells whose figures are wanted: those that a person looks at, or all that `ran`."""
        if self._settings.figures is Figures.NONE:
            return set()
        return _looked_at(submission, empty).union(ran if self._settings.figures is Figures.ALL else ())

    def close(self) -> None:
        """End the warm parent."""
        self._host.close()

    def _read(self, handed: Handed) -> tuple[Path, dict[str, Any], list[str]]:
        """Which file was taken, its notebook, mended, and what an instructor should know. Raises UnreadableNotebook."""
        path, notes = choose_notebook(handed.folder, self._assignment.notebook, self._assignment.released)
        if path is None:
            raise UnreadableNotebook(no_notebook(handed.folder, self._assignment.notebook))
        notebook = read_notebook(path)
        submission_of(notebook, path.name)  # another assignment's is not made into this one
        return path, notebook, notes + mend(notebook, self._assignment.released, self._assignment.metadata)

    def _refuse(self, handed: Handed, reason: str) -> GradedFolder:
        """0 points, and a page that says why; nothing is run."""
        released = self._assignment.released
        notebook = stand_in(reason, released, self._assignment.metadata)
        _fill(notebook, unread_outputs(notebook))
        self._write(handed, notebook, [])
        checks = {name: 0.0 for name, cell in released.items() if cell.is_automatic}
        said: dict[str, str | None] = {
            name: unread_comment() for name, cell in released.items() if cell.solution or cell.task
        }
        scores = {**self._by_hand(untouched(notebook["cells"], released)), **checks}
        return GradedFolder(SubmissionResult(message=reason), self._host.level, scores, said)

    @property
    def _language(self) -> str | None:
        return language_of({"metadata": self._assignment.metadata})

    def _by_hand(self, empty: set[str], beside: Mapping[str, Collection[Beside]] = {}) -> dict[str, float | None]:
        """Cells that a person grades: 0 where nothing was written, there or beside, otherwise not yet known."""
        graded = by_hand(self._assignment.released)
        return {
            name: 0.0 if name in empty and not cell.task and name not in beside else None
            for name, cell in graded.items()
        }

    def _responses(self, empty: set[str], beside: Mapping[str, Collection[Beside]]) -> dict[str, str | None]:
        """The comments of solution cells, in the students' language: nbgrader's, and where an answer stands beside."""
        with speaking(self._language):
            return {
                name: _("No response.") if name in empty and not cell.task else None
                for name, cell in self._assignment.released.items()
                if cell.solution or cell.task
            } | {name: comment_on(places) for name, places in beside.items()}

    def _write(self, handed: Handed, notebook: dict[str, Any], notes: list[str]) -> None:
        notebook["metadata"].setdefault("autograder", {})["mended"] = notes
        write_executed(handed, self._assignment.notebook, _content(notebook))


def _looked_at(submission: Submission, empty: set[str]) -> set[int]:
    """The code cells that a person looks at, without those in which nothing was written."""
    cells = (cell for cell in submission.cells if submission.is_looked_at(cell) and not cell.is_check)
    return {cell.index for cell in cells if cell.grade_id not in empty}


def _content(notebook: dict[str, Any]) -> bytes:
    return (json.dumps(notebook, ensure_ascii=False) + "\n").encode("utf-8")


def write_executed(handed: Handed, name: str, content: bytes) -> None:
    """Write the executed notebook to `handed.target`, with what the student handed in beside it."""
    handed.target.mkdir(parents=True, exist_ok=True)
    remove_result(handed.target)
    _copy_other_files(handed.folder, handed.target)
    replace_executed(handed.target / f"{name}.ipynb", content)


def replace_executed(target: Path, content: bytes) -> None:
    """Put the executed notebook in the place of an earlier one, at once and as a whole."""
    draft = target.with_suffix(f".{os.getpid()}.tmp")
    draft.write_bytes(content)
    draft.chmod(0o444)  # as nbgrader leaves it
    os.replace(draft, target)


def _fill(notebook: dict[str, Any], outputs: Mapping[int, list[dict[str, Any]]]) -> None:
    for index, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            cell["outputs"] = outputs.get(index, [])
            cell["execution_count"] = None


def _automatic(submission: Submission, graded: Graded) -> dict[str, float | None]:
    return {CHECK_PREFIX + exercise.id: graded.result.checks[exercise.id].score for exercise in submission.exercises}


def _copy_other_files(folder: Path, target: Path) -> None:
    """Copy what lies beside the notebook (the time stamp, data), but no link or device, nothing huge and no result.

    What cannot be copied stays in submitted/: the grade does not rest on it.
    """
    left = MOST_COPIED_BYTES
    files = sorted(folder.iterdir()) if folder.is_dir() else ()
    for path in (path for path in files if folded(path.name) not in (DRAFT, FILE_NAME)):
        with contextlib.suppress(OSError):
            kind = path.lstat()
            if stat.S_ISREG(kind.st_mode) and not is_notebook_name(path.name) and kind.st_size <= left:
                left -= kind.st_size
                copy = target / path.name
                copy.unlink(missing_ok=True)
                shutil.copyfile(path, copy, follow_symlinks=False)
                copy.chmod(0o444)
