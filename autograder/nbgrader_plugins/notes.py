"""What was found of a notebook as it came, kept in its metadata from one of nbgrader's passes to the next."""

from __future__ import annotations

from nbformat.notebooknode import NotebookNode


def write_notes(nb: NotebookNode, mended: list[str], unreadable: str = "") -> None:
    """Remember what was put right, or why `nb` stands in for a file that cannot be read, in place of what came."""
    nb.metadata.setdefault("autograder", NotebookNode()).update(mended=mended, unreadable=unreadable)


def read_mended(nb: NotebookNode) -> tuple[str, ...]:
    """What was put right."""
    return tuple(nb.metadata.get("autograder", {}).get("mended", ()))


def read_unreadable(nb: NotebookNode) -> str:
    """Why there is no notebook but a stand-in; "" where there is one."""
    return nb.metadata.get("autograder", {}).get("unreadable", "")
