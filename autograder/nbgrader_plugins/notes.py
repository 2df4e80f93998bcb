"""Notes on a submitted notebook, kept in its metadata between nbgrader's passes."""

from __future__ import annotations

from nbformat.notebooknode import NotebookNode


def write_notes(nb: NotebookNode, mended: list[str], unreadable: str = "") -> None:
    """Note the repairs, or why `nb` replaces an unreadable file; this overwrites what the student sent."""
    nb.metadata.setdefault("autograder", NotebookNode()).update(mended=mended, unreadable=unreadable)


def read_mended(nb: NotebookNode) -> tuple[str, ...]:
    """The repairs."""
    return tuple(nb.metadata.get("autograder", {}).get("mended", ()))


def read_unreadable(nb: NotebookNode) -> str:
    """Why the notebook is a stand-in; "" if it is not."""
    return nb.metadata.get("autograder", {}).get("unreadable", "")
