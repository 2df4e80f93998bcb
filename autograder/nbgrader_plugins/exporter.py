"""Reads submissions, so that a broken file neither stops the class nor goes by without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import from_dict
from nbformat.v4 import new_markdown_cell, new_notebook

from autograder.i18n import _, speaking
from autograder.mending import repair
from autograder.submission import UnreadableNotebook, language_of, read_notebook, submission_of


class ForgivingNotebookExporter(NotebookExporter):
    """Puts an empty notebook that says what was wrong in the place of a submission that cannot be read.

    `Mend` then adds the graded cells: the student has 0 points and a feedback page that says why, and everybody else
    is graded. `resources["unreadable"]` tells it the reason, `resources["repaired"]` what was lost in a damaged file.
    """

    def from_file(self, file_stream: TextIO, resources: Any = None, **kwargs: Any) -> tuple[Any, Any]:
        """Convert the notebook in `file_stream`, an open file."""
        path = Path(file_stream.name)
        try:
            notebook = _read(path)
        except UnreadableNotebook as error:
            reason = str(error).replace(str(path), path.name)  # the student need not know the instructor's folders
            self.log.error("%s: %s", resources["nbgrader"]["student"], reason)
            resources["unreadable"] = reason
            nb = new_notebook(cells=[new_markdown_cell(reason)])
        else:
            with speaking(language_of(notebook)):
                resources["repaired"] = repair(notebook)
            nb = from_dict(notebook)
        return self.from_notebook_node(nb, resources=resources, **kwargs)


def _read(path: Path) -> dict[str, Any]:
    if path.is_symlink():  # it could show anybody's file, another student's notebook for one
        raise UnreadableNotebook(_("{path} is no file. Hand in the notebook itself.").format(path=path))
    notebook = read_notebook(path)
    submission_of(notebook, path.name)
    return notebook
