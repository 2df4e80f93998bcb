"""Reads submissions, so that a broken file neither stops the class nor goes by without a word."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import from_dict
from nbformat.v4 import new_notebook
from nbgrader.coursedir import CourseDirectory

from autograder.grading.course import edition_metadata
from autograder.locale import speaking
from autograder.nbgrader_plugins.handed_in import taken_for
from autograder.notebooks.cells import metadata_of
from autograder.notebooks.repair import repair
from autograder.notebooks.submission import UnreadableNotebook, language_of, read_notebook, submission_of
from autograder.report.text import printable


class ForgivingNotebookExporter(NotebookExporter):
    """Puts an empty notebook in the place of a submission that cannot be read.

    `Mend` then gives the stand-in: the student has 0 points and a feedback page that says why, and everybody else is
    graded. `resources["unreadable"]` tells it the reason, `resources["repaired"]` what was lost in a damaged file.
    """

    def from_filename(self, filename: str, resources: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """Convert the notebook called `filename`, or the one that was handed in in its place."""
        path, names = Path(filename), resources["nbgrader"]
        directory = CourseDirectory(config=self.config)
        own = edition_metadata(directory, names["assignment"], names["notebook"])
        with speaking(language_of({"metadata": own})):
            try:
                taken, notes = taken_for(path, directory, names)
                notebook = _read(taken)
                resources["repaired"] = notes + repair(notebook)
            except UnreadableNotebook as error:
                # The student need not know the instructor's folders.
                reason = str(error).replace(str(path.parent) + os.sep, "")
                self.log.error("%s: %s", names["student"], printable(reason))
                resources["unreadable"] = reason
                notebook = new_notebook()
        if "autograder" in own:
            # Merged: nbgrader reads the notebook twice, the second time with the notes of what was mended.
            notebook["metadata"]["autograder"] = metadata_of(notebook, "autograder") | own["autograder"]
        nb = from_dict(notebook)
        return self.from_notebook_node(nb, resources=resources, **kwargs)


def _read(path: Path) -> dict[str, Any]:
    notebook = read_notebook(path)
    submission_of(notebook, path.name)
    return notebook
