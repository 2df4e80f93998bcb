"""Methods of nbgrader's own commands that the kit wraps, where nbgrader has no setting; importing this module does it.

So `nbgrader autograde` finds what was handed in as `autograder grade` does, whatever its name and time stamp, grades
ahead, and leaves the same results behind, which no other command takes along. Nothing is written to submitted/.
"""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partialmethod
from pathlib import Path
from typing import Any

from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory

from autograder.grading.result_file import DRAFT, FILE_NAME, is_done, remove_result
from autograder.grading.timestamp import read_timestamp
from autograder.locale import _
from autograder.nbgrader_plugins.run import GradedExporter, RunInWorker
from autograder.report.text import printable


def _wraps(name: str, *classes: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function stand in place of the method `name` of `classes`. It gets the object, the method, and the rest."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        for owner in classes:
            setattr(owner, name, partialmethod(function, getattr(owner, name)))
        return function

    return wrap


@_wraps("init_notebooks", Autograde)
def _finding_all(converter: Any, init_notebooks: Callable[..., None]) -> None:
    """Every submission's notebooks by the names that the instructor's have, whatever the files are called.

    nbgrader knows a notebook by its file's name alone, and passes over a folder without one.
    """
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


@_wraps("get_existing_timestamp", CourseDirectory)
def _existing_timestamp(course: CourseDirectory, _theirs: Any, dest_path: str) -> datetime | None:
    """When the submission in `dest_path` was handed in; None where that cannot be read, which is said."""
    time, why_none = read_timestamp(Path(dest_path))
    if why_none:
        course.log.warning("%s", printable(why_none))
    return time


@_wraps("get_submitted_timestamp", NbGraderAPI)
def _submitted_timestamp(api: NbGraderAPI, _theirs: Any, assignment_id: str, student_id: str) -> datetime | None:
    """The same for formgrader."""
    course = api.coursedir
    return read_timestamp(Path(course.format_path(course.submitted_directory, student_id, assignment_id)))[0]


@_wraps("convert_notebooks", Autograde)
def _grading_ahead(converter: Any, convert_notebooks: Callable[..., None]) -> None:
    """Convert what is being graded in the meantime.

    Raises:
        NbGraderException: nbgrader would throw away what is graded, and run students' code itself.
    """
    runs = any(RunInWorker.__name__ in str(preprocessor) for preprocessor in converter.autograde_preprocessors)
    if not runs or not issubclass(converter.exporter_class, GradedExporter):
        reason = _(
            "nbgrader_config.py is an older kit's, or lacks lines: take its `c.Autograde...` lines from the "
            "nbgrader_config.py of the kit."
        )
        converter.log.error("%s", reason)
        raise NbGraderException(reason)
    with RunInWorker(parent=converter).ahead(converter) as converter.ahead:
        convert_notebooks(converter)


@_wraps("init_destination", Autograde)
def _removing(converter: Any, init_destination: Callable[..., bool], assignment: str, student: str) -> bool:
    """Whether to grade; if so, without an earlier result. One without a notebook says that grading failed."""
    folder = Path(converter._format_dest(assignment, student))
    excluded = converter.coursedir.student_id_exclude.split(",")
    if student not in excluded and not is_done(Path(converter.coursedir.root), folder):
        shutil.rmtree(folder, ignore_errors=True)  # cut off, or failed: nbgrader would pass over it
    wanted = init_destination(converter, assignment, student)
    if wanted:
        remove_result(folder)
    return wanted


@_wraps("write_single_notebook", Autograde)
def _adding(converter: Any, write_single_notebook: Callable[..., None], output: str, resources: dict[str, Any]) -> None:
    """Write the notebook, then the result if there is one: nbgrader writes twice, before and after it is run."""
    write_single_notebook(converter, output, resources)
    if "autograder_booked" in resources:
        names = resources["nbgrader"]
        folder = Path(converter._format_dest(names["assignment"], names["student"]))
        converter.ahead.finish(names["student"], folder)


@_wraps("init_assignment", Autograde, GenerateFeedback)
def _leaving(converter: Any, init_assignment: Callable[..., None], assignment: str, student: str) -> None:
    """Copy what lies beside a notebook, but neither our result nor what a student hands in for one."""
    directory, ignored = converter.coursedir, converter.coursedir.ignore
    directory.ignore = [*ignored, FILE_NAME, DRAFT]
    try:
        init_assignment(converter, assignment, student)
    finally:
        directory.ignore = ignored
