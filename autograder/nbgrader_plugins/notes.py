"""What was put right in a notebook, kept in its metadata from one of nbgrader's passes to the next."""

from __future__ import annotations

from nbformat.notebooknode import NotebookNode


def write_notes(nb: NotebookNode, notes: list[str]) -> None:
    """Remember `notes` about this submission, in place of any that it came with."""
    nb.metadata.setdefault("autograder", NotebookNode())["mended"] = notes


def read_notes(nb: NotebookNode) -> tuple[str, ...]:
    """What was noted."""
    return tuple(nb.metadata.get("autograder", {}).get("mended", ()))
