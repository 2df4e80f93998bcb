"""Runs and judges a submission where nbgrader would execute it in a kernel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Float, UseEnum

from autograder.checks.results import SubmissionResult
from autograder.grading.by_hand import Beside, answers_beside, comment_on, places_of, reason_to_look
from autograder.grading.course import given_texts, guarded_folders
from autograder.grading.digest import content_digest, settings_digest
from autograder.grading.grade_submission import grade_submission
from autograder.grading.gradebook import released_cells
from autograder.grading.job import Assignment, Settings
from autograder.grading.reference import Reference
from autograder.locale import _, speaking
from autograder.nbgrader_plugins.handed_in import submitted_file, submitted_folder
from autograder.nbgrader_plugins.notes import read_mended, read_unreadable
from autograder.notebooks.attachments import files_beside
from autograder.notebooks.submission import language_of, submission_of
from autograder.report.executed import cell_outputs, comments, unread_comment, unread_outputs
from autograder.report.text import printable
from autograder.sandbox.client import Figures
from autograder.sandbox.fork_server import Host, HostBroken, shared_host, too_weak
from autograder.sandbox.isolation import Level
from autograder.sandbox.limits import Limits


class RunInWorker(NbGraderPreprocessor):
    """Runs the student's cells in a worker and gives every test cell its report and its score.

    Test cells themselves are never executed: what stands in them, or what a student's code prints, decides nothing.
    `keep_results` writes what was found, and from what, when the notebook has been written.
    """

    cell_seconds = Float(Limits.cell_seconds, help="Computing time for one cell; four times that on the clock.").tag(
        config=True
    )
    probe_seconds = Float(
        Limits.probe_seconds, help="Computing time for one exercise's checks; four times that on the clock."
    ).tag(config=True)
    total_seconds = Float(Limits.total_seconds, help="Time on the clock for one submission.").tag(config=True)
    figures = UseEnum(Figures, Figures.BY_HAND, help="Which cells' figures are drawn: none, by-hand, all.").tag(
        config=True
    )
    allow_basic = Bool(False, help="Grade even where students' code cannot be kept from this user's files.").tag(
        config=True
    )

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Fill the outputs of all code cells of `nb`."""
        names, course = resources["nbgrader"], Path.cwd()  # nbgrader works in the course folder
        host = shared_host(guarded_folders(course), self.figures is not Figures.NONE, own_code=False)
        settings, assignment = self._settings(course, host.level), self._assignment(names)
        resources["autograder_from"] = self._digest(settings, assignment, names), host.level
        reason = read_unreadable(nb)
        if reason:
            with speaking(language_of(nb)):
                outputs, resources["autograder"] = unread_outputs(nb), SubmissionResult(message=reason)
        else:
            beside = answers_beside(nb.cells, assignment.released, assignment.given)
            resources["autograder_beside"] = beside
            outputs, result = self._grade(nb, names, places_of(beside), settings, host)
            looks = self._looks(nb, names, beside)
            resources["autograder"] = replace(result, mended=read_mended(nb), looks=looks)
        for index, found in outputs.items():
            nb.cells[index].outputs = [from_dict(output) for output in found]
        return nb, resources

    def _settings(self, course: Path, level: Level) -> Settings:
        limits = Limits(
            cell_seconds=self.cell_seconds, probe_seconds=self.probe_seconds, total_seconds=self.total_seconds
        )
        return Settings(course, level, self.figures, limits)

    def _assignment(self, names: dict[str, str]) -> Assignment:
        given = given_texts(CourseDirectory(config=self.config), names["assignment"], names["notebook"])
        with Gradebook(names["db_url"]) as gradebook:
            released = released_cells(gradebook.find_notebook(names["notebook"], names["assignment"]))
        return Assignment(names["notebook"], released, {}, given)

    def _digest(self, settings: Settings, assignment: Assignment, names: dict[str, str]) -> str:
        folder = submitted_folder(CourseDirectory(config=self.config), names)
        return content_digest(settings_digest(settings, assignment), folder, assignment.notebook)

    def _looks(self, nb: NotebookNode, names: dict[str, str], beside: dict[str, tuple[Beside, ...]]) -> tuple[str, ...]:
        """Why somebody should look at the submission by hand."""
        with speaking(language_of(nb)):
            looks = (reason_to_look(beside),) if beside else ()
        for reason in looks:
            self.log.warning("%s: %s", names["student"], printable(reason))
        return looks

    def _grade(
        self, nb: NotebookNode, names: dict[str, str], shown: set[int], settings: Settings, host: Host
    ) -> tuple[dict[int, list], SubmissionResult]:
        """The outputs of cells, and the result."""
        submission = submission_of(nb, names["notebook"]).showing(shown)
        if host.level is Level.BASIC and not self.allow_basic:
            raise HostBroken(too_weak(host, "--RunInWorker.allow_basic=True"))
        # The student's file: the copy in autograded/ may lie beside copies of what links had pointed to.
        files = files_beside(submitted_file(CourseDirectory(config=self.config), names))
        with speaking(submission.language):
            reference = Reference(settings.course)
            graded = grade_submission(submission, reference, settings.figures, settings.limits, host, files)
            return cell_outputs(submission, graded.run.outputs, graded.result.checks), graded.result


class WriteComments(NbGraderPreprocessor):
    """Writes each exercise's report as the comment of its solution cell, where feedback pages show comments.

    An empty cell that is graded by hand, and has what may be the answer beside it, waits for a person.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Write the comments and scores that SaveAutoGrades, which runs before, has just reset."""
        names, beside = resources["nbgrader"], resources.get("autograder_beside", {})
        with Gradebook(names["db_url"]) as gradebook, speaking(language_of(nb)):
            notebook = gradebook.find_submission_notebook(names["notebook"], names["assignment"], names["student"])
            entries = notebook.comments
            for grade in notebook.grades:
                if grade.name in beside:
                    grade.auto_score, grade.needs_manual_grade = None, True
            if read_unreadable(nb):
                found = dict.fromkeys((entry.name for entry in entries), unread_comment())
            else:
                submission = submission_of(nb, names["notebook"])
                found = comments(submission, resources["autograder"].checks, read_mended(nb))
                found |= {name: comment_on(places) for name, places in beside.items()}
            for entry in entries:
                entry.auto_comment = found.get(entry.name) or _(entry.auto_comment or "") or None  # "No response."
            gradebook.db.commit()
        return nb, resources
