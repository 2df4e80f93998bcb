"""The code of a grader process. It imports nothing of nbgrader, which would take longer than everything else."""

from __future__ import annotations

import gc
import os
import tempfile
from multiprocessing.util import Finalize
from pathlib import Path

from autograder.grading.course import Handed
from autograder.grading.job import Assignment, GradedFolder, Grader, Settings
from autograder.locale import choose_language

LOWER = 10
"""How much lower than for points the priority is for figures, which nobody waits for."""


class _Process:
    """What a grader process keeps: how to grade, and the grader, made with the first submission."""

    settings: Settings
    assignment: Assignment
    grader: Grader | None = None
    lowered = False


def prepare(settings: Settings, assignment: Assignment, scratch: Path, language: str) -> None:
    """Prepare this process; its temporary files go to `scratch`.

    Args:
        language: the language if the assignment names none.
    """
    choose_language(language)
    _Process.settings, _Process.assignment = settings, assignment
    tempfile.tempdir = str(scratch)
    Finalize(None, _close, exitpriority=0)


def grade(handed: Handed) -> GradedFolder:
    """Grade one student's submission."""
    return _grader().grade(handed)


def draw(handed: Handed) -> None:
    """Draw the figures of one student's submission, which has been graded; from now on at a lower priority."""
    grader = _grader()
    if not _Process.lowered and hasattr(os, "nice"):
        grader.close()  # the warm parent starts again, with the new priority
        os.nice(LOWER)
        _Process.lowered = True
    grader.draw(handed)


def _grader() -> Grader:
    if _Process.grader is None:
        # Here and not in `prepare`, so that what fails is said.
        _Process.grader = Grader(_Process.settings, _Process.assignment)
        gc.freeze()  # what is there stays: it need not be looked through for garbage again and again
    return _Process.grader


def _close() -> None:
    if _Process.grader is not None:
        _Process.grader.close()
