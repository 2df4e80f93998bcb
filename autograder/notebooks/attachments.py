"""Files that a student handed in beside the notebook: data that it reads, modules that it imports.

The grader reads these files and sends their content to the worker, which opens no path of the grader's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from autograder.notebooks.load import MAX_NOTEBOOK_BYTES, is_notebook_name, plain_content

TIMESTAMP = "timestamp.txt"
"""From a file of this name nbgrader reads when something was handed in."""

MAX_FILES = 50
MAX_BYTES = 10 * 2**20
"""The largest number of files, and of bytes in all, for a worker."""

MAX_NAME_BYTES = 200
_LOOKED_AT = 1000


def files_beside(notebook: Path) -> dict[str, bytes]:
    """Name -> content of the plain files in the folder of `notebook`, without notebooks, hidden files and links.

    If there are too many for a worker, as in a folder of downloads, files that the notebook mentions come first.
    """
    found: dict[str, bytes] = {}
    left = MAX_BYTES
    text = (plain_content(notebook, MAX_NOTEBOOK_BYTES) or b"").decode("utf-8", "replace")
    for path in sorted(_candidates(notebook.parent), key=lambda path: (path.stem not in text, path.name)):
        if len(found) == MAX_FILES:
            break
        content = plain_content(path, left)
        if content is not None:
            found[path.name] = content
            left -= len(content)
    return found


def _candidates(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            for entry, _number in zip(entries, range(_LOOKED_AT), strict=False):
                if _is_wanted(entry.name) and entry.is_file(follow_symlinks=False):
                    yield Path(entry)
    except OSError:
        return


def _is_wanted(name: str) -> bool:
    # A name that is not printable may not be valid text: half a character, for example.
    fits = name.isprintable() and len(name.encode("utf-8", "replace")) <= MAX_NAME_BYTES
    return fits and not name.startswith(".") and not is_notebook_name(name)
