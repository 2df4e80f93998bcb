"""Lets nbgrader's own commands find what was handed in as `autograder grade` does, whatever its name and time stamp.

nbgrader knows a notebook by its file's name alone, passes over a folder without one, and stops at a time stamp that it
cannot read. It has no setting for these, so three of its methods are replaced. Nothing is written to submitted/.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from functools import wraps
from pathlib import Path
from typing import Any

from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory

from autograder.grading.timestamp import read_timestamp
from autograder.report.text import printable


def replace_methods() -> None:
    """Replace nbgrader's; once is enough."""
    CourseDirectory.get_existing_timestamp = _existing_timestamp
    NbGraderAPI.get_submitted_timestamp = _submitted_timestamp
    if not hasattr(Autograde.init_notebooks, "__wrapped__"):
        Autograde.init_notebooks = _finding_all(Autograde.init_notebooks)


def _finding_all(init_notebooks: Callable[[Any], None]) -> Callable[[Any], None]:
    @wraps(init_notebooks)
    def wrapper(converter: Any) -> None:
        """Every submission's notebooks by the names that the instructor's have, whatever the files are called."""
        course = converter.coursedir
        source = Path(course.format_path(course.source_directory, ".", course.assignment_id))
        names = [path.name for path in sorted(source.glob("*.ipynb")) if fnmatchcase(path.stem, course.notebook_id)]
        # The student's id alone may be a pattern.
        pattern = course.format_path(course.submitted_directory, course.student_id, glob.escape(course.assignment_id))
        found = glob.glob(os.path.relpath(pattern, course.root), root_dir=course.root)
        folders = [folder for path in found if os.path.isdir(folder := os.path.join(course.root, path))]
        if names and folders:
            converter.notebooks = []
            converter.assignments = {folder: [os.path.join(folder, name) for name in names] for folder in folders}
        else:
            init_notebooks(converter)  # which says what is missing

    return wrapper


def _existing_timestamp(course: CourseDirectory, dest_path: str) -> datetime | None:
    """When the submission in `dest_path` was handed in; None where that cannot be read, which is said."""
    time, why_none = read_timestamp(Path(dest_path))
    if why_none:
        course.log.warning("%s", printable(why_none))
    return time


def _submitted_timestamp(api: NbGraderAPI, assignment_id: str, student_id: str) -> datetime | None:
    """The same for formgrader."""
    course = api.coursedir
    return read_timestamp(Path(course.format_path(course.submitted_directory, student_id, assignment_id)))[0]
