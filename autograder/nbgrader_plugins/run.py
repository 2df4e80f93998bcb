"""Runs and judges submissions where nbgrader would execute them in a kernel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, CaselessStrEnum, Float

from autograder.nbgrader_plugins.ahead import Ahead
from autograder.sandbox.client import Figures
from autograder.sandbox.limits import Limits


class RunInWorker(NbGraderPreprocessor):
    """Runs the student's cells in a worker and books every test cell's score, and every exercise's comment.

    All is done ahead, for many students at a time: `GradedExporter` has put reports and outputs into the notebook.
    Test cells themselves are never executed: what stands in them, or what a student's code prints, decides nothing.
    """

    cell_seconds = Float(Limits.cell_seconds, help="Computing time for one cell; four times that on the clock.").tag(
        config=True
    )
    probe_seconds = Float(
        Limits.probe_seconds, help="Computing time for one exercise's checks; four times that on the clock."
    ).tag(config=True)
    total_seconds = Float(Limits.total_seconds, help="Time on the clock for one submission.").tag(config=True)
    figures = CaselessStrEnum(
        [str(figures) for figures in Figures], str(Figures.BY_HAND), help="Which cells' figures are drawn."
    ).tag(config=True)
    allow_basic = Bool(False, help="Grade even where students' code cannot be kept from this user's files.").tag(
        config=True
    )

    def ahead(self, converter: Any) -> Ahead:
        """Grade with these settings what `converter` comes to."""
        limits = Limits(
            cell_seconds=self.cell_seconds, probe_seconds=self.probe_seconds, total_seconds=self.total_seconds
        )
        return Ahead(converter, Figures(self.figures), limits, self.allow_basic)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Book the submission; `wrapped` writes its result when the notebook has been written."""
        self.parent.parent.ahead.book(resources["nbgrader"]["student"])
        resources["autograder_booked"] = True
        return nb, resources


class GradedExporter(NotebookExporter):
    """Reads the executed notebook where nbgrader asks for what a student handed in: mended, or a stand-in."""

    def from_filename(self, filename: str, resources: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """Convert the submission whose notebook nbgrader calls `filename`, or its copy in autograded/."""
        path, names, converter = Path(filename), resources["nbgrader"], cast(Any, self.parent)
        course = converter.coursedir
        if path.parent == Path(course.format_path(course.submitted_directory, names["student"], names["assignment"])):
            notebook = converter.ahead.fetch(names["student"])
        else:
            notebook = json.loads(path.read_text(encoding="utf-8"))
        return self.from_notebook_node(from_dict(notebook), resources=resources, **kwargs)
