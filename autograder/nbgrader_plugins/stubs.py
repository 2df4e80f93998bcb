"""Stubs in place of solutions, in the language of the notebook's edition."""

from __future__ import annotations

from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader import preprocessors
from traitlets import Dict

from autograder.notebooks.submission import language_of


class ClearSolutions(preprocessors.ClearSolutions):
    """nbgrader's own has one stub for all notebooks of a course. This one is configured under the same name."""

    code_stubs = Dict(help="Language of an edition -> what replaces a solution in code").tag(config=True)
    text_stubs = Dict(help="Language of an edition -> what replaces a written solution").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Clear the solutions of `nb`; a notebook without a language gets nbgrader's configured stubs."""
        language = language_of(nb)
        if language in self.code_stubs:
            self.code_stub = {"python": self.code_stubs[language]}
        if language in self.text_stubs:
            self.text_stub = self.text_stubs[language]
        return super().preprocess(nb, resources)
