"""Reads submissions, so that a broken file neither stops the class nor goes by without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from autograder.i18n import _
from autograder.submission import UnreadableNotebook, read_notebook, submission_of


class ForgivingNotebookExporter(NotebookExporter):
    """Puts an empty notebook that says what was wrong in the place of a submission that cannot be read.

    `Mend` then adds the graded cells: the student has 0 points and a feedback page that says why, and everybody else
    is graded. `resources["unreadable"]` tells it the reason.
    """

    def from_file(self, file_stream: TextIO, resources: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """Convert the notebook in `file_stream`, an open file."""
        path = Path(file_stream.name)
        try:
            nb = self._read(path)
        except UnreadableNotebook as error:
            reason = str(error).replace(str(path), path.name)  # the student need not know the instructor's folders
            self.log.error("%s: %s", resources["nbgrader"]["student"], reason)
            resources["unreadable"] = reason
            nb = new_notebook(cells=[new_markdown_cell(reason)])
        return self.from_notebook_node(nb, resources=resources, **kwargs)

    def _read(self, path: Path) -> NotebookNode:
        submission_of(read_notebook(path), path.name)
        try:
            return nbformat.read(path, as_version=4)
        except Exception as error:  # nbformat has no common class for what it finds wrong
            raise UnreadableNotebook(
                _("{path} is damaged: {reason}. Open it in Jupyter, save it, and try again.").format(
                    path=path.name, reason=str(error).split("\n")[0][:200]
                )
            ) from error
