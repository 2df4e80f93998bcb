"""How `nbgrader zip_collect` collects downloads from a learning management system.

`SafeExtractor` unpacks the archives; `NotebookCollector` finds each notebook's owner and submission time.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin
from nbgrader.utils import find_all_notebooks
from traitlets import Integer, List, Unicode

from autograder.grading.course import CourseError
from autograder.grading.read_class import read_people
from autograder.nbgrader_plugins.zip_collect.archives import MB, Budget, Unpacker, is_junk
from autograder.nbgrader_plugins.zip_collect.choice import Choice, Released, assign, files_along
from autograder.nbgrader_plugins.zip_collect.roster import Roster


class SafeExtractor(ExtractorPlugin):
    """Unpacks plain files, with size limits; left-out files are reported and do not affect other students."""

    zip_ext = List(
        [".zip", ".gz", ".tgz", ".tar"], help="Extensions of archives: zip files and tar files, packed by gzip or not."
    ).tag(config=True)
    max_files = Integer(50_000, help="The most files that are unpacked.").tag(config=True)
    max_mb = Integer(8_000, help="The most megabytes that are unpacked.").tag(config=True)
    max_files_of_student = Integer(1_000, help="The most files from an archive inside an archive.").tag(config=True)
    max_mb_of_student = Integer(300, help="The most megabytes from an archive inside an archive.").tag(config=True)
    max_mb_of_file = Integer(100, help="The most megabytes of one file.").tag(config=True)

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Unpack or copy everything in the folder `archive_path` into `extracted_path`."""
        unpacker = Unpacker(
            Path(extracted_path),
            report=self.log.error,
            is_archive=lambda name: os.path.splitext(name)[1].lower() in self.zip_ext,
            budget=Budget(self.max_files, self.max_mb * MB),
            inner=lambda outer: Budget(self.max_files_of_student, self.max_mb_of_student * MB, outer),
            file_bytes=self.max_mb_of_file * MB,
        )
        found = sorted(path for path in Path(archive_path).rglob("*") if path.is_file())
        if not found:
            self.log.warning("No files found in directory: %s", archive_path)
        for path in found:
            below = path.relative_to(archive_path)
            if not is_junk(below):
                self.log.info("Extracting from: %s", path)
                unpacker.add(path, below.as_posix())
        self.packed = unpacker.packed


class NotebookCollector(FileNameCollectorPlugin):
    """Finds students in the names that Moodle, Canvas, Blackboard, Sakai and people give to files and folders.

    Students in the gradebook get their id from there. Each student's notebook gets the name of the assignment's; files
    beside it are collected, too. If `named_regexp` is set, it decides instead.
    """

    timezone = Unicode("UTC", help="The time zone of times in the names of files.").tag(config=True)

    def collect(self, submitted_file: str) -> dict[str, str] | None:
        """The owner of `submitted_file`, in nbgrader's form; None for a file that is not to be collected."""
        if self.named_regexp:
            return super().collect(submitted_file)
        path = Path(submitted_file)
        choices, along = self._collected
        choice = choices.get(path)
        if choice is None:
            student = along.get(path)
            return {"student_id": student, "file_id": path.name} if student else None
        info = {"student_id": choice.student, "file_id": choice.notebook}
        if choice.time:
            info["timestamp"] = f"{choice.time:%Y-%m-%d %H:%M:%S} {choice.time.tzinfo or self.timezone}"
        return info

    @cached_property
    def _collected(self) -> tuple[dict[Path, Choice], dict[Path, str]]:
        """The notebooks to collect, and the owners of the files beside them."""
        app = self.parent
        course, assignment = app.coursedir, app.coursedir.assignment_id
        folders = [course.format_path(f, ".", assignment) for f in (course.release_directory, course.source_directory)]
        folder = next(filter(find_all_notebooks, folders), folders[0])
        names = find_all_notebooks(folder)
        released = Released(Path(folder, name) for name in names)
        notebooks = [os.path.splitext(name)[0] for name in names]
        root = Path(app._format_collect_path(app.extracted_directory))
        files = sorted(path for path in root.rglob("*") if path.is_file())
        try:
            roster = Roster(read_people(course).values())
        except CourseError as error:  # another kind of ids would mean collecting everything again
            app.fail(str(error))
        packed = getattr(app.extractor_plugin_inst, "packed", {})
        choices, warnings = assign(files, root, notebooks, assignment, released.worth, roster, packed)
        for warning in warnings:
            self.log.warning("%s", warning)
        return choices, files_along(choices, notebooks, roster)
