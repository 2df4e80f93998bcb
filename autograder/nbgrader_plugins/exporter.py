"""Reads submissions, unreadable ones too, so that one broken file neither stops the class nor goes by without a word."""
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
        try:
            nb = self._read(Path(file_stream.name))
        except UnreadableNotebook as error:
            self.log.error("%s: %s", resources["nbgrader"]["student"], error)
            resources["unreadable"] = str(error)
            nb = new_notebook(cells=[new_markdown_cell(str(error))])
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
