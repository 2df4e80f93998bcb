"""Makes a valid notebook of anything that has a list of cells."""

from __future__ import annotations

import itertools
import re
from typing import Any

from autograder.locale import _
from autograder.notebooks.cells import grade_id_of, metadata_of, source_of

Cell = dict[str, Any]

_VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def repair(notebook: dict[str, Any]) -> list[str]:
    """Turn `notebook`, which has a list of cells, into a valid one of format 4.5.

    Outputs are dropped: running the notebook makes them again, and a score in them means nothing. Metadata that only an
    editor reads is dropped, too.

    Returns:
        One sentence for each loss.
    """
    whole = [cell for cell in notebook["cells"] if isinstance(cell, dict)]
    lost = len(notebook["cells"]) - len(whole)
    metadata = _repaired_metadata(notebook)
    notebook.clear()
    notebook.update(cells=[_repaired(cell) for cell in whole], metadata=metadata, nbformat=4, nbformat_minor=5)
    settle_ids(notebook["cells"])
    if not lost:
        return []
    return [_("Entries of the notebook that are not cells: {n}. They were left out.").format(n=lost)]


def _repaired_metadata(notebook: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"language_info": {"name": _language_of(notebook)}}
    kernelspec = metadata_of(notebook, "kernelspec")
    if all(isinstance(kernelspec.get(key), str) for key in ("name", "display_name")):
        metadata["kernelspec"] = dict(kernelspec)
    own = metadata_of(notebook, "autograder")
    return metadata | {"autograder": own} if own else metadata


def _language_of(notebook: dict[str, Any]) -> str:
    """The language of the notebook's kernel, as far as it is known."""
    said = [metadata_of(notebook, "kernelspec").get("language"), metadata_of(notebook, "language_info").get("name")]
    return next((word[:40] for word in said if isinstance(word, str) and word.isprintable() and word), "python")


def _repaired(cell: Cell) -> Cell:
    """The cell with only valid fields."""
    cell_type = cell.get("cell_type")
    if cell_type not in ("code", "markdown", "raw"):
        cell_type = "code" if "outputs" in cell or "execution_count" in cell else "markdown"
    repaired = {
        "cell_type": cell_type,
        "id": cell.get("id"),
        "metadata": _repaired_cell_metadata(cell),
        "source": source_of(cell),
    }
    attachments = _repaired_attachments(cell.get("attachments"))
    if cell_type != "code" and attachments:
        repaired["attachments"] = attachments
    return as_type(repaired, cell_type)


def as_type(cell: Cell, cell_type: str) -> Cell:
    """The same cell, in place, with the fields of a `cell_type` cell."""
    cell["cell_type"] = cell_type
    if cell_type == "code":
        cell.pop("attachments", None)
        cell.update(outputs=[], execution_count=None)
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)
    return cell


def _repaired_cell_metadata(cell: Cell) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if grade_id_of(cell) is not None:
        metadata["nbgrader"] = metadata_of(cell, "nbgrader")
    if own := metadata_of(cell, "autograder"):
        metadata["autograder"] = own
    given = cell.get("metadata")
    given = given if isinstance(given, dict) else {}
    tags = given.get("tags")
    if isinstance(tags, list):
        valid = [tag for tag in tags if isinstance(tag, str) and re.fullmatch("[^,\n]+", tag)]
        metadata["tags"] = list(dict.fromkeys(valid))
    return metadata | {key: given[key] for key in ("deletable", "editable") if isinstance(given.get(key), bool)}


def _repaired_attachments(attachments: Any) -> dict[str, dict[str, str]]:
    """Pictures in a written answer: file name -> media type -> content."""
    if not isinstance(attachments, dict):
        return {}
    bundles = {name: bundle for name, bundle in attachments.items() if isinstance(bundle, dict)}
    return {
        name: {media: content for media, content in bundle.items() if isinstance(content, str)}
        for name, bundle in bundles.items()
    }


def settle_ids(cells: list[Cell]) -> None:
    """Give every cell a valid, unique id; that of a marked cell is its grade_id, as in a release."""
    reserved = {grade_id for grade_id in map(grade_id_of, cells) if grade_id and _VALID_ID.fullmatch(grade_id)}
    given = {cell["id"] for cell in cells if isinstance(cell["id"], str)} | reserved
    fresh = (name for number in itertools.count(1) if (name := f"cell-{number}") not in given)
    taken, unclaimed = set(reserved), set(reserved)
    for cell in cells:
        grade_id = grade_id_of(cell)
        if grade_id in unclaimed:
            cell["id"] = grade_id
            unclaimed.remove(grade_id)
        elif not isinstance(cell["id"], str) or not _VALID_ID.fullmatch(cell["id"]) or cell["id"] in taken:
            cell["id"] = next(fresh)
        taken.add(cell["id"])
