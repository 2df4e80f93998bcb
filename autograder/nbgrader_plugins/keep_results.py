"""Lets `nbgrader autograde` grade ahead and leave the same results behind as `autograder grade`, and no other command
take them along.

nbgrader has no setting for what comes before its loop and after an executed notebook has been written, nor for what
lies beside it and is no part of a feedback page, so four of its methods are wrapped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.converters.base import NbGraderException

from autograder.grading.result_file import DRAFT, FILE_NAME, is_done, remove_result
from autograder.locale import _
from autograder.nbgrader_plugins.run import GradedExporter, RunInWorker


def replace_methods() -> None:
    """Wrap nbgrader's; once is enough."""
    if not hasattr(Autograde.init_destination, "__wrapped__"):
        Autograde.convert_notebooks = _grading_ahead(Autograde.convert_notebooks)
        Autograde.init_destination = _removing(Autograde.init_destination)
        Autograde.write_single_notebook = _adding(Autograde.write_single_notebook)
        for converter in (Autograde, GenerateFeedback):
            converter.init_assignment = _leaving(converter.init_assignment)


def _grading_ahead(convert_notebooks: Callable[..., None]) -> Callable[..., None]:
    @wraps(convert_notebooks)
    def wrapper(converter: Any) -> None:
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

    return wrapper


def _removing(init_destination: Callable[..., bool]) -> Callable[..., bool]:
    @wraps(init_destination)
    def wrapper(converter: Any, assignment: str, student: str) -> bool:
        """Whether to grade; if so, without an earlier result. One without a notebook says that grading failed."""
        folder = Path(converter._format_dest(assignment, student))
        excluded = converter.coursedir.student_id_exclude.split(",")
        if student not in excluded and not is_done(Path(converter.coursedir.root), folder):
            shutil.rmtree(folder, ignore_errors=True)  # cut off, or failed: nbgrader would pass over it
        wanted = init_destination(converter, assignment, student)
        if wanted:
            remove_result(folder)
        return wanted

    return wrapper


def _adding(write_single_notebook: Callable[..., None]) -> Callable[..., None]:
    @wraps(write_single_notebook)
    def wrapper(converter: Any, output: str, resources: dict[str, Any]) -> None:
        """Write the notebook, then the result if there is one: nbgrader writes twice, before and after it is run."""
        write_single_notebook(converter, output, resources)
        if "autograder_booked" in resources:
            names = resources["nbgrader"]
            folder = Path(converter._format_dest(names["assignment"], names["student"]))
            converter.ahead.finish(names["student"], folder)

    return wrapper


def _leaving(init_assignment: Callable[..., None]) -> Callable[..., None]:
    @wraps(init_assignment)
    def wrapper(converter: Any, assignment: str, student: str) -> None:
        """Copy what lies beside a notebook, but neither our result nor what a student hands in for one."""
        directory, ignored = converter.coursedir, converter.coursedir.ignore
        directory.ignore = [*ignored, FILE_NAME, DRAFT]
        try:
            init_assignment(converter, assignment, student)
        finally:
            directory.ignore = ignored

    return wrapper
