"""Whether a submission has to be graded again: digests of everything that decides a result."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np

import autograder
from autograder.grading.job import Assignment, Settings
from autograder.grading.reference import Reference
from autograder.locale import speaking
from autograder.notebooks.attachments import files_beside
from autograder.notebooks.load import MAX_NOTEBOOK_BYTES, plain_content
from autograder.notebooks.submission import no_notebook, notebooks_in

PACKAGE = Path(autograder.__file__).parent
KIT = ("**/*.py", "**/*.msgpack", "**/*.mo")


def settings_digest(settings: Settings, assignment: Assignment) -> str:
    """What the whole class shares, part by part: the kit, the reference and the secret, released cells, options."""
    reference = settings.course / "reference"
    released = [asdict(cell) for cell in assignment.released.values()]
    options = {"figures": settings.figures, "limits": asdict(settings.limits)}
    parts = {
        "kit": _files(PACKAGE, *KIT),
        "reference": [Reference(settings.course).secret(), *_files(reference, "**/*.py", "**/*.toml")],
        "assignment": [json.dumps([released, assignment.given], sort_keys=True).encode()],
        "options": [json.dumps(options, sort_keys=True).encode()],
    }
    return " ".join(f"{name}={_digest(*contents)}" for name, contents in parts.items())


@cache
def kit_digest() -> str:
    """What must be equal on all machines that grade one class: the kit, NumPy and Python."""
    return _digest(repr((np.__version__, sys.version_info[:2])).encode(), *_files(PACKAGE, *KIT))


def content_digest(settings: str, folder: Path, notebook: str) -> str:
    """What one result rests on: `settings`, and the files handed in in `folder`; not the language that is spoken now.

    No notebook is parsed here, in the process that serves the class: of several, all count, and which is newer.
    """
    digest = hashlib.sha256()
    found = notebooks_in(folder, notebook)
    _add(digest, b"\0".join(os.fsencode(path.relative_to(folder)) for path in found))
    if not found:
        with speaking("en"):
            _add(digest, no_notebook(folder, notebook).encode())  # which names the files that are there
    for path in found:
        content = plain_content(path, MAX_NOTEBOOK_BYTES)
        _add(digest, b"not read" if content is None else b"read", content or b"")
    for path in {path.parent: path for path in reversed(found)}.values():
        for name, content in files_beside(path).items():
            _add(digest, name.encode(), content)
    return f"{settings} hand-in={digest.hexdigest()}"


def _files(folder: Path, *patterns: str) -> list[bytes]:
    """Names and contents."""
    paths = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return [part for path in paths for part in (path.name.encode(), path.read_bytes())]


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    _add(digest, *parts)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, *parts: bytes) -> None:
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
