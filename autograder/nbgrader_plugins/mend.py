"""Repairs a submitted notebook before nbgrader reads it.

A copied or split cell stops nbgrader's whole batch, changed metadata leaves a submission ungraded, and a deleted test
cell keeps the score of an earlier attempt. The gradebook knows what each cell should be, so the cells are restored.
"""

from __future__ import annotations

import json
from typing import Any

from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.grading.gradebook import released_cells
from autograder.locale import speaking
from autograder.nbgrader_plugins.notes import write_notes
from autograder.notebooks.mend import mend, stand_in
from autograder.notebooks.submission import language_of
from autograder.report.text import printable


class Mend(NbGraderPreprocessor):
    """Restores graded cells and their settings from the gradebook; students' answers are kept."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Repair `nb`, or return the stand-in for an unreadable one, and note the repairs in its metadata."""
        names, unreadable = resources["nbgrader"], resources.get("unreadable", "")
        with Gradebook(names["db_url"]) as gradebook, speaking(language_of(nb)):
            notebook = gradebook.find_notebook(names["notebook"], names["assignment"])
            kernelspec = json.loads(notebook.kernelspec or "null")
            if unreadable:
                notes, given = [], nb.metadata | {"kernelspec": kernelspec}
                nb = from_dict(stand_in(unreadable, released_cells(notebook), given))
            else:
                notes = resources.get("repaired", []) + mend(nb, released_cells(notebook), kernelspec)
        for note in notes:
            self.log.warning("%s: %s", names["student"], printable(note))
        nb = from_dict(nb)  # new cells are plain dicts
        write_notes(nb, notes, unreadable)
        return nb, resources
