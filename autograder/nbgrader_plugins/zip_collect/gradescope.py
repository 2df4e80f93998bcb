"""Finds owners in Gradescope's export: its folders have numbers, and a file beside them lists the students."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import yaml

from autograder.nbgrader_plugins.zip_collect.archives import MB

METADATA = "submission_metadata.yml"
"""Folder -> `:submitters`, a list with `:name`, `:sid` and `:email`, and much on results. Ruby writes it."""
MAX_BYTES = 64 * MB

_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # which knows text, lists and dicts alone


def submitters(files: Mapping[Path, Path]) -> dict[PurePath, list[dict[str, str]]]:
    """Folder -> its submitters: their `name`, `sid` and `email`.

    Args:
        files: file -> its path below the folder of the class; the returned folders are relative to the same.
    """
    found: dict[PurePath, list[dict[str, str]]] = {}
    for path, below in files.items():
        if below.name == METADATA:
            found |= {PurePath(below.parent, folder): people for folder, people in _read(path).items()}
    return found


def _read(path: Path) -> dict[str, list[dict[str, str]]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        data = yaml.load(path.read_bytes(), Loader=_Loader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    entries = data.items() if isinstance(data, dict) else ()
    return {str(folder): _people(entry) for folder, entry in entries}


def _people(entry: Any) -> list[dict[str, str]]:
    listed = entry.get(":submitters") if isinstance(entry, dict) else None
    people = [person for person in listed if isinstance(person, dict)] if isinstance(listed, list) else []
    return [
        {key: text.strip() for key in ("name", "sid", "email") if isinstance(text := person.get(f":{key}", ""), str)}
        for person in people
    ]
