"""Grading all that a class handed in: what is new or changed, in parallel, so that nbgrader can go on from there.

Grader processes read, run and judge, and write the executed notebooks; this process alone writes the gradebook and the
results store. A submission counts as done when its row in the store is written, after all else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from autograder.grading import process
from autograder.grading.course import Course, CourseError, Handed, edition_metadata, given_texts
from autograder.grading.digest import content_digest, settings_digest
from autograder.grading.gradebook import ClassGradebook
from autograder.grading.job import Assignment, GradedFolder, Settings
from autograder.grading.pool import Pool
from autograder.grading.records import result_of
from autograder.grading.store import ResultStore
from autograder.i18n import _, current_language
from autograder.reading import as_text
from autograder.results import Outcome, SubmissionResult
from autograder.worker.folder import scratch_folder


@dataclass
class Summary:
    """What came of a run of grading.

    Attributes:
        graded, unchanged: how many submissions were graded now, and how many as they are had been before.
        looks: student -> why somebody should look at the submission by hand, graded now or before.
        mended: student -> what was put right.
        broken: student -> what went wrong in the grader itself; these are not graded.
    """

    graded: int = 0
    unchanged: int = 0
    looks: dict[str, str] = field(default_factory=dict)
    mended: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def grade_class(
    course: Course,
    assignment: str,
    settings: Settings,
    jobs: int,
    student: str = "*",
    progress: Callable[[Summary, int], None] = lambda summary, total: None,
) -> Summary:
    """Grade what is handed in for `assignment`.

    Args:
        student: a student's id, or a pattern.
        progress: called with the summary so far and the number of submissions in all, after every submission.

    Raises:
        CourseError: the assignment is not there, or nobody has handed it in.
    """
    summary = Summary()
    with (
        ClassGradebook(course, assignment) as gradebook,
        ResultStore(course.folder) as store,
        scratch_folder() as scratch,
    ):
        everything = list(course.handed_in(assignment, student))
        handed_in = [handed for handed in everything if handed.has_id]
        for handed in everything:
            if not handed.has_id:
                reason = _("The name of this folder is no UTF-8, and so no student's id. Rename it, and grade again.")
                summary.looks[as_text(handed.student)] = reason
        if not everything:
            folder = Path(course.directory.submitted_directory) / student / assignment
            raise CourseError(
                _("Nothing is handed in for {name}: there is no {folder}.").format(name=assignment, folder=folder)
            )
        metadata = edition_metadata(course.directory, assignment, gradebook.notebook)
        given = given_texts(course.directory, assignment, gradebook.notebook)
        prepared = Assignment(gradebook.notebook, gradebook.released, metadata, given)
        settled, known = settings_digest(settings, prepared), store.contents(assignment)
        digests: dict[str, str] = {}

        def changed() -> Iterator[Handed]:
            for handed in handed_in:
                digest = content_digest(settled, handed, prepared.notebook)
                if known.get(handed.student) == digest and gradebook.has(handed):
                    summary.unchanged += 1
                    _look(summary, handed.student, result_of(json.loads(store.result(assignment, handed.student))))
                else:
                    digests[handed.student] = digest
                    yield handed

        longest = 2 * settings.limits.total_seconds + 60.0
        needed = (settings, prepared, scratch, current_language())
        with Pool(max(1, min(jobs, len(handed_in))), longest, process.prepare, *needed) as pool:
            progress(summary, len(handed_in))
            for handed, done in pool.map(process.grade, changed()):
                digest = digests.pop(handed.student)
                if isinstance(done, Exception):
                    summary.broken[handed.student] = f"{type(done).__name__}: {done}"
                else:
                    gradebook.save(handed, done)
                    store.put(assignment, handed.student, digest, done.isolation, done.result)
                    _note(summary, handed.student, done)
                progress(summary, len(handed_in))
    progress(summary, len(handed_in))
    return summary


def _note(summary: Summary, student: str, done: GradedFolder) -> None:
    summary.graded += 1
    if done.result.mended:
        summary.mended[student] = done.result.mended
    _look(summary, student, done.result)


def _look(summary: Summary, student: str, result: SubmissionResult) -> None:
    if result.status == "failed":
        summary.looks[student] = result.message
        return
    reasons = list(result.looks)
    if any(item.outcome is Outcome.GRADER_ERROR for check in result.checks.values() for item in check.items):
        reasons.append(_("A check failed through a fault of its own."))
    if reasons:
        summary.looks[student] = " ".join(reasons)
