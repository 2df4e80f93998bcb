"""A course folder as nbgrader lays it out, read from its nbgrader_config.py."""

from __future__ import annotations

import contextlib
import glob
import json
import logging
import os
import re
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from autograder.locale import _
from autograder.notebooks.cells import grade_id_of, source_of
from autograder.notebooks.load import as_text
from autograder.notebooks.submission import language_of

GUARDED = ("reference", "source", "submitted", "autograded", "feedback")
"""Folders of a course that students' code must not be able to look into."""

FROM_STUDENTS = ("submitted", "autograded", "feedback", "downloaded")
"""Folders with content from students: modules are never imported from there."""


class CourseError(Exception):
    """This folder cannot be used for grading; the message says what to do."""


def is_of_another_version(reason: object) -> bool:
    """Whether the database lacks a table or a column; SQLite's words, or PostgreSQL's."""
    return (
        re.search(r"no such (table|column)|(relation|column) .* does not exist|has no column", str(reason)) is not None
    )


def unusable_gradebook(reason: object) -> CourseError:
    """The error that the database of grades does not do what it is asked."""
    reason = " ".join(str(reason).split())  # a server's words have lines
    if is_of_another_version(reason):
        return CourseError(
            _(
                "The gradebook cannot be used ({reason}): another version of nbgrader made it. Bring it up to date "
                "with `nbgrader db upgrade`, then run the same command again."
            ).format(reason=reason)
        )
    return CourseError(
        _(
            "The gradebook cannot be used ({reason}). Is another program at work on it? What was graded before is "
            "kept; run the same command again."
        ).format(reason=reason)
    )


@dataclass(frozen=True)
class Handed:
    """What one student handed in for an assignment: the folder in submitted/, and the target folder in autograded/."""

    student: str
    folder: Path
    target: Path

    @property
    def has_id(self) -> bool:
        """Whether the folder's name can be an id: text that the gradebook and all files can store."""
        return self.student == as_text(self.student)


def guarded_folders(course: Path) -> tuple[Path, ...]:
    """Those of `GUARDED` that exist."""
    return tuple(folder for name in GUARDED if (folder := course.resolve() / name).is_dir())


def refuse_elsewhere(directory: Any) -> None:
    """Check that nbgrader's gradebook is in the course folder: its URL cannot contain ? and % as part of the path.

    Args:
        directory: nbgrader's CourseDirectory.

    Raises:
        CourseError: it would be elsewhere, and the settings do not ask for that.
    """
    from sqlalchemy.engine import make_url

    wanted = Path(directory.root) / "gradebook.db"
    found = make_url(directory.db_url).database
    if directory.db_url == f"sqlite:///{wanted}" and found != str(wanted):
        raise CourseError(
            _(
                "nbgrader misreads a path with ? or %: it would look for the gradebook of {folder} at {found}. "
                "Rename the folder."
            ).format(folder=wanted.parent, found=found)
        )


class Course:
    """A course folder, with the settings of its nbgrader_config.py; it becomes the working directory.

    Raises:
        CourseError: it is not a course folder.
    """

    def __init__(self, folder: Path, directory: Any = None) -> None:
        """Enter `folder`.

        Args:
            directory: nbgrader's CourseDirectory, with the settings of a command of nbgrader's that is at work here.
        """
        self.folder = folder.resolve()
        if directory is not None:
            self.directory, self.config = directory, directory.config
            self._make_importable()
            return
        if not (self.folder / "nbgrader_config.py").is_file():
            raise CourseError(
                _("{folder} is not a course folder: it has no nbgrader_config.py. Name one with --course.").format(
                    folder=self.folder
                )
            )
        os.chdir(self.folder)

    @cached_property
    def config(self) -> Any:
        """nbgrader's settings, a traitlets Config."""
        from nbgrader.apps import NbGrader

        self._make_importable()
        app = NbGrader()
        app.load_config_file()
        return app.config

    def _make_importable(self) -> None:
        """Let the settings name plug-ins in modules beside nbgrader_config.py, as with nbgrader's commands."""
        if str(self.folder) not in sys.path:
            sys.path.append(str(self.folder))  # last: a module here hides no installed one
        # None: Python refuses to import it.
        sys.modules.update(dict.fromkeys(FROM_STUDENTS))  # type: ignore[arg-type]  # its type knows modules alone

    @cached_property
    def directory(self) -> Any:
        """nbgrader's CourseDirectory."""
        from nbgrader.coursedir import CourseDirectory

        directory = CourseDirectory(config=self.config)
        refuse_elsewhere(directory)
        return directory

    def refuse_name(self, assignment: str) -> None:
        """Check that nbgrader accepts an assignment of this name, and that it names a folder of the course.

        Raises:
            CourseError: it does not.
        """
        folder = self.source(assignment)  # where nbgrader cannot work at all, this says so
        if "+" in assignment:
            raise CourseError(
                _("nbgrader accepts no + in the name of an assignment. Rename the folder {folder}.").format(
                    folder=folder
                )
            )
        if assignment != assignment.strip() or assignment in ("", ".", "..") or set(assignment) & set("/\\\0"):
            raise CourseError(
                _("{name} cannot be the name of an assignment: it must be the name of a folder in source/.").format(
                    name=f'"{assignment}"'
                )
            )

    @property
    def database(self) -> str:
        """The URL of the gradebook."""
        return self.directory.db_url

    @property
    def excluded(self) -> list[str]:
        """The ids of students who are not graded, from nbgrader's setting."""
        return self.directory.student_id_exclude.split(",")

    def assignments(self) -> list[str]:
        """The names of the assignments that have an instructor's version."""
        folder = self.source("_").parent
        return sorted({path.parent.name for path in folder.glob("*/*.ipynb")}) if folder.is_dir() else []

    def has(self, assignment: str) -> bool:
        """Whether there is an instructor's version, or submissions, which the gradebook may know."""
        return self.source(assignment).is_dir() or any(self.handed_in(assignment))

    def unknown(self, assignment: str) -> CourseError:
        """The error for an unknown assignment, with the names of the known ones."""
        known = self.assignments()
        there = (
            _("Known assignments: {names}.").format(names=", ".join(known))
            if known
            else _("source/ has no assignments.")
        )
        return CourseError(_("There is no assignment {name} here. {there}").format(name=assignment, there=there))

    def source(self, assignment: str) -> Path:
        """The folder of the instructor's version."""
        return Path(self.directory.format_path(self.directory.source_directory, ".", assignment))

    def language(self, assignment: str) -> str | None:
        """The language of the instructor's version, which its students read; None if it does not say."""
        paths = sorted(self.source(assignment).glob("*.ipynb"), key=lambda path: path.stem)
        editions = (_notebook(path) for path in paths)
        return next(filter(None, map(language_of, editions)), None)

    def metadata(self, assignment: str, notebook: str) -> dict[str, Any]:
        """The notebook metadata of the instructor's version, which names the language; empty without one."""
        metadata = _notebook(self.source(assignment) / f"{notebook}.ipynb").get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    def given_texts(self, assignment: str, notebook: str) -> tuple[str, ...]:
        """The texts of the released cells without a mark: prose, code for all, experiments.

        They come from the instructor's version and from the release, which may be older.
        """
        released = self.directory.format_path(self.directory.release_directory, ".", assignment)
        folders = (self.source(assignment), Path(released))
        versions = (_notebook(folder / f"{notebook}.ipynb").get("cells") for folder in folders)
        cells = [cell for version in versions if isinstance(version, list) for cell in version]
        texts = (source_of(cell) for cell in cells if isinstance(cell, dict) and not grade_id_of(cell))
        return tuple(dict.fromkeys(texts))

    def handed_in(self, assignment: str, student: str = "*") -> Iterator[Handed]:
        """The submissions, by student; `student` may be a pattern unless it is an existing id.

        "*" always means everybody, even if somebody has that id.
        """
        directory = self.directory
        for name, folder in self.folders(directory.submitted_directory, assignment, student):
            yield Handed(name, folder, Path(directory.format_path(directory.autograded_directory, name, assignment)))

    def folders(self, step: str, assignment: str, student: str = "*") -> Iterator[tuple[str, Path]]:
        """Students with their folders in the folder for `step`, such as submitted/, by student; as in `handed_in`."""
        directory = self.directory
        if student != "*" and Path(directory.format_path(step, student, assignment)).is_dir():
            student = glob.escape(student)
        pattern = Path(directory.format_path(step, student, glob.escape(assignment)))
        own = directory.format_path(step, "(?P<student>[^/]*)", re.escape(assignment), escape=True)
        whose = re.compile(own, re.DOTALL)
        root = Path(directory.root)
        for folder in sorted(root.glob(str(pattern.relative_to(root)))):
            match = whose.fullmatch(str(folder))
            if match:
                yield match["student"], folder

    def generate(self, assignment: str) -> None:
        """Register `assignment` in the gradebook, with nbgrader's generate_assignment.

        An existing release is kept, because students may have it.

        Raises:
            CourseError: nbgrader failed; the message is nbgrader's.
        """
        from nbgrader.converters import GenerateAssignment
        from nbgrader.coursedir import CourseDirectory

        class GenerateThis(GenerateAssignment):
            """Finds the notebooks of one assignment; nbgrader's own treats all names, even of folders, as patterns."""

            def init_notebooks(self) -> None:
                folder = self._format_source(assignment, ".")
                found = sorted(glob.glob(os.path.join(glob.escape(folder), "*.ipynb")))
                if not found:
                    raise CourseError(_("There is no notebook in {folder}.").format(folder=os.path.normpath(folder)))
                self.assignments: dict[str, list[str]] = {folder: found}
                self.notebooks: list[str] = []

        if not self.source(assignment).is_dir():
            raise self.unknown(assignment)
        directory = CourseDirectory(config=self.config, assignment_id=assignment)
        released = Path(directory.format_path(directory.release_directory, ".", assignment))
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".release-") as aside:
            if released.exists():
                directory.release_directory = str(Path(aside).relative_to(self.folder))
            converter = GenerateThis(coursedir=directory, config=self.config)
            converter.log.setLevel(logging.ERROR)
            try:
                converter.start()
            except Exception as error:  # whatever nbgrader finds wrong, in a notebook or in the gradebook
                raise CourseError(
                    _("nbgrader could not generate the assignment {name}: {reason}").format(
                        name=assignment, reason=error
                    )
                ) from error


def _notebook(path: Path) -> dict[str, Any]:
    """What is in a notebook's file; empty if it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


class CopiedCourse(Course):
    """The same course with a copy of its gradebook: what is written there is gone with the folder that holds it."""

    def __init__(self, course: Course, folder: Path) -> None:
        """Copy the gradebook of `course` into `folder`.

        Raises:
            CourseError: it is not a file, or there is none yet.
        """
        from nbgrader.coursedir import CourseDirectory
        from sqlalchemy.engine import make_url

        url = make_url(course.database)
        if url.get_backend_name() != "sqlite":
            raise CourseError(_("A preview needs the gradebook as a file (SQLite), and this one is a server's."))
        if not Path(url.database or "").is_file():
            raise self._new()
        with closing(sqlite3.connect(url.database or "")) as old, closing(sqlite3.connect(folder / "copy.db")) as new:
            try:
                old.execute("BEGIN IMMEDIATE")  # a backup alone would wait without end
                old.rollback()
                old.backup(new)
            except sqlite3.Error as error:
                raise unusable_gradebook(error) from error
        directory = CourseDirectory(config=course.config)
        directory.db_url = f"sqlite:///{folder / 'copy.db'}"
        super().__init__(course.folder, directory)

    def generate(self, assignment: str) -> None:
        """Nothing is generated for a preview. Raises CourseError."""
        raise self._new()

    def _new(self) -> CourseError:
        return CourseError(_("Nothing has been graded yet, so there are no points that could change."))
