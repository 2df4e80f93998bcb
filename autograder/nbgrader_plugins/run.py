"""Runs and judges a submission where nbgrader would execute it in a kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Float, UseEnum

from autograder.beside import files_beside
from autograder.grading import grade_submission
from autograder.grading.course import guarded_folders
from autograder.grading.executed import cell_outputs, comments
from autograder.i18n import speaking
from autograder.nbgrader_plugins.notes import read_notes
from autograder.oracle import Reference
from autograder.submission import submission_of
from autograder.worker.client import Figures
from autograder.worker.host import HostBroken, shared_host, too_weak
from autograder.worker.isolation import Level
from autograder.worker.limits import Limits


class RunInWorker(NbGraderPreprocessor):
    """Runs the student's cells in a worker and gives every test cell its report and its score.

    Test cells themselves are never executed: what stands in them, or what a student's code prints, decides nothing.
    """

    cell_seconds = Float(Limits.cell_seconds, help="Wall time for one cell.").tag(config=True)
    probe_seconds = Float(Limits.probe_seconds, help="Wall time for one exercise's checks.").tag(config=True)
    total_seconds = Float(Limits.total_seconds, help="Wall time for one submission.").tag(config=True)
    figures = UseEnum(Figures, Figures.BY_HAND, help="Which cells' figures are drawn: none, by-hand, all.").tag(
        config=True
    )
    allow_basic = Bool(False, help="Grade even where students' code cannot be kept from this user's files.").tag(
        config=True
    )

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Fill the outputs of all code cells of `nb`."""
        course = Path.cwd()  # nbgrader works in the course folder
        submission = submission_of(nb, resources["nbgrader"]["notebook"])
        limits = Limits(
            cell_seconds=self.cell_seconds, probe_seconds=self.probe_seconds, total_seconds=self.total_seconds
        )
        host = shared_host(guarded_folders(course), self.figures is not Figures.NONE, own_code=False)
        if host.level is Level.BASIC and not self.allow_basic:
            raise HostBroken(too_weak(host, "--RunInWorker.allow_basic=True"))
        files = files_beside(self._handed_in(resources["nbgrader"]))
        with speaking(submission.language):
            graded = grade_submission(submission, Reference(course), self.figures, limits, host, files)
            outputs = cell_outputs(submission, graded)
        for index, cell_output in outputs.items():
            nb.cells[index].outputs = [from_dict(output) for output in cell_output]
        resources["autograder"] = graded.result
        return nb, resources

    def _handed_in(self, names: dict[str, str]) -> Path:
        """The student's file: the copy in autograded/ may lie beside copies of what links had pointed to."""
        directory = CourseDirectory(config=self.config)
        folder = directory.format_path(directory.submitted_directory, names["student"], names["assignment"])
        return Path(folder) / f"{names['notebook']}.ipynb"


class WriteComments(NbGraderPreprocessor):
    """Writes each exercise's report as the comment of its solution cell, where feedback pages show comments."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Write the comments that SaveAutoGrades, which runs before, has just reset."""
        names = resources["nbgrader"]
        submission = submission_of(nb, names["notebook"])
        with speaking(submission.language):
            found = comments(submission, resources["autograder"].checks, read_notes(nb))
        with Gradebook(names["db_url"]) as gradebook:
            for grade_id, text in found.items():
                comment = gradebook.find_comment(grade_id, names["notebook"], names["assignment"], names["student"])
                comment.auto_comment = text
            gradebook.db.commit()
        return nb, resources
