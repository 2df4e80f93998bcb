"""Grades what `nbgrader autograde` comes to ahead of its loop and in parallel, exactly as `autograder grade` does."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from nbgrader.converters.base import NbGraderException

from autograder.grading import process
from autograder.grading.course import Course, CourseError, Handed, guarded_folders
from autograder.grading.digest import content_digest, settings_digest
from autograder.grading.grade_class import assignment_of, figures_done, keep_result
from autograder.grading.gradebook import ClassGradebook, LatePolicyError
from autograder.grading.job import GradedFolder, Grader, Settings
from autograder.grading.pool import Pool
from autograder.grading.reference import NoReference
from autograder.grading.result_file import is_done, read_result
from autograder.grading.timestamp import read_timestamp
from autograder.locale import current_language
from autograder.report.class_words import reasons_in
from autograder.report.text import printable
from autograder.sandbox.client import CORES, Figures
from autograder.sandbox.folder import scratch_folder
from autograder.sandbox.fork_server import HostBroken, shared_host, too_weak
from autograder.sandbox.isolation import Level
from autograder.sandbox.limits import Limits

DREW = "The figures for hand grading are drawn."

FEWEST = 4
"""Submissions for each process: to start one takes as long as to grade these."""


class Ahead(AbstractContextManager["Ahead"]):
    """The submissions of one run of nbgrader's loop, which fetches, books and finishes them one after the other.

    What was not graded ahead, or has changed since, is graded when it is fetched.
    """

    def __init__(self, converter: Any, figures: Figures, limits: Limits, allow_basic: bool) -> None:
        """Begin.

        Args:
            converter: nbgrader's Autograde.

        Raises:
            NbGraderException: nothing can be graded here; the reason is logged.
        """
        self._log = converter.log
        self._begun: dict[str, str] = {}
        # The digest of what a result rests on, taken before it was graded, and what came of the submission.
        self._found: dict[str, tuple[str, GradedFolder | BaseException]] = {}
        self._fetched: dict[str, tuple[str, GradedFolder]] = {}
        self._results: Iterator[tuple[Handed, Any]] = iter(())
        with ExitStack() as stack:
            try:
                self._start(stack, converter, figures, limits, allow_basic)
            except (CourseError, HostBroken, NoReference) as error:
                self._log.error("%s", printable(str(error)))
                raise NbGraderException(str(error)) from error
            self._stack = stack.pop_all()

    def __exit__(self, _kind: Any, error: BaseException | None, _traceback: Any) -> None:
        with self._stack:
            # Raised at the end of the loop if one could not be graded; within it, in place of an error that ended it.
            at_the_end = isinstance(error, NbGraderException) and error.__context__ is None
            if error is None or at_the_end:
                self._draw()

    def fetch(self, student: str) -> dict[str, Any]:
        """The executed notebook of the submission as it is now. Raises what the grader raised."""
        handed = self._handed(student)
        digest, graded = self._graded(handed)
        if digest != self._digest(handed):
            digest, graded = self._graded(handed)
        self._tell(student, graded)
        self._fetched[student] = digest, graded
        return json.loads((handed.target / f"{self._prepared.notebook}.ipynb").read_text(encoding="utf-8"))

    def book(self, student: str) -> None:
        """Save in the gradebook what was fetched."""
        handed = self._handed(student)
        try:
            self._gradebook.save(handed, self._fetched[student][1])
            self._gradebook.penalise(handed)
        except LatePolicyError as error:
            self._log.warning("%s: %s", student, printable(str(error)))
        except Exception:
            self._gradebook.forget()  # or the next one would be booked with half of this one
            raise

    def finish(self, student: str, target: Path) -> None:
        """Write the result of what was booked beside its notebook, which is now in `target`."""
        digest, graded = self._fetched.pop(student)
        handed = self._handed(student)
        keep_result(self._course, self._prepared, target, digest, graded)
        shutil.rmtree(handed.target, ignore_errors=True)
        if not graded.drawn:
            self._undrawn.append(replace(handed, target=target))

    def _start(self, stack: ExitStack, converter: Any, figures: Figures, limits: Limits, allow_basic: bool) -> None:
        directory = converter.coursedir
        course = self._course = Course(Path(directory.root), directory)
        host = shared_host(guarded_folders(course.folder), figures is not Figures.NONE, own_code=False)
        if host.level is Level.BASIC and not allow_basic:
            raise HostBroken(too_weak(host, "--RunInWorker.allow_basic=True"))
        settings = Settings(course.folder, host.level, figures, limits)
        self._gradebook = stack.enter_context(ClassGradebook(course, directory.assignment_id))
        self._prepared = assignment_of(course, directory.assignment_id, self._gradebook)
        self._settled = settings_digest(settings, self._prepared)
        found = course.handed_in(directory.assignment_id, directory.student_id)
        everybody = [handed for handed in found if handed.student not in course.excluded]
        for student, doubt in self._gradebook.doubts({handed.student for handed in everybody}).items():
            if fnmatchcase(student, directory.student_id):
                self._log.warning("%s: %s", student, printable(doubt))
        scratch = stack.enter_context(scratch_folder())
        self._executed = scratch / "executed"
        self._executed.mkdir(mode=0o700)
        due = [handed for handed in everybody if _is_due(converter, handed)]
        others = ((h, read_result(course.folder, h.target)) for h in everybody if h not in due)
        self._undrawn = [handed for handed, stored in others if stored and not stored.drawn]
        self._waiting = {handed.student: self._handed(handed.student) for handed in due}
        jobs = min(CORES, (len(due) + len(self._undrawn)) // FEWEST)
        if jobs > 1:
            needed = (settings, self._prepared, scratch, current_language())
            pool = Pool(jobs, 2 * limits.total_seconds + 60.0, scratch, process.prepare, *needed)
            self._map = stack.enter_context(pool).map
        else:  # such as formgrader's button: the warm parent of this process serves the next one, too
            self._map = _here(Grader(settings, self._prepared, host))

    def _draw(self) -> None:
        """Draw the figures for hand grading, now that all points are booked."""
        for handed, failure in self._map(process.draw, self._undrawn):
            problem = figures_done(self._course, handed, failure)
            self._log.log(logging.WARNING if problem else logging.INFO, "%s: %s", handed.student, problem or DREW)

    def _handed(self, student: str) -> Handed:
        """The submission, with a folder for its executed notebook until the loop comes to it."""
        directory = self._course.directory
        folder = directory.format_path(directory.submitted_directory, student, directory.assignment_id)
        return Handed(student, Path(folder), self._executed / student)

    def _digest(self, handed: Handed) -> str:
        return content_digest(self._settled, handed.folder, self._prepared.notebook)

    def _graded(self, handed: Handed) -> tuple[str, GradedFolder]:
        """What came of one submission, after waiting for it if necessary; it can be had once."""
        while handed.student not in self._found:
            if handed.student not in self._begun:  # next in line
                self._waiting = {handed.student: handed} | self._waiting
            done = next(self._results, None)
            if done is None:  # the processes had nothing to do, or their line was cut off
                self._begun.clear()
                self._results = iter(self._map(process.grade, self._line()))
            else:
                other = done[0].student
                self._found[other] = self._begun.pop(other), done[1]
        digest, graded = self._found.pop(handed.student)
        if isinstance(graded, BaseException):
            raise graded
        return digest, graded

    def _line(self) -> Iterator[Handed]:
        """Those that wait, each with its digest taken when its turn comes."""
        while self._waiting:
            handed = self._waiting.pop(next(iter(self._waiting)))
            try:
                self._begun[handed.student] = self._digest(handed)
            except Exception as error:  # that submission's alone: said when it is fetched
                self._found[handed.student] = "", error
            else:
                yield handed

    def _tell(self, student: str, graded: GradedFolder) -> None:
        """Log what somebody should know."""
        if graded.result.status == "failed":
            self._log.error("%s: %s", student, printable(graded.result.message))
            return
        for note in (*graded.result.mended, *reasons_in(graded.result)):
            self._log.warning("%s: %s", student, printable(note))


def _is_due(converter: Any, handed: Handed) -> bool:
    """Whether nbgrader is going to grade the submission; where this is wrong, it is only graded later, or in vain."""
    if converter.force or not is_done(Path(converter.coursedir.root), handed.target):
        return True
    new, old = (read_timestamp(folder)[0] for folder in (handed.folder, handed.target))
    return new is not None and old is not None and new > old


def _here(grader: Grader) -> Callable[..., Iterator[tuple[Handed, Any]]]:
    """In the place of `Pool.map`: the same in this process, at its own priority."""

    own: dict[Any, Callable[[Handed], Any]] = {process.grade: grader.grade, process.draw: grader.draw}

    def in_turn(function: Callable[[Handed], Any], everybody: Iterable[Handed]) -> Iterator[tuple[Handed, Any]]:
        for handed in everybody:
            try:
                yield handed, own[function](handed)
            except Exception as error:  # that submission's alone, as in a process of its own
                yield handed, error

    return in_turn
