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


def settings_digest(settings: Settings, assignment: Assignment) -> bytes:
    """What the whole class shares: the kit, the reference, the secret, the released cells, the options."""
    digest = hashlib.sha256()
    reference = settings.course / "reference"
    solutions = [path for pattern in ("**/*.py", "**/*.toml") for path in reference.glob(pattern)]
    for path in [*_kit(), *sorted(solutions)]:
        _add(digest, path.name.encode(), path.read_bytes())
    options = {"figures": settings.figures, "limits": asdict(settings.limits)}
    released = [asdict(cell) for cell in assignment.released.values()]
    _add(
        digest,
        Reference(settings.course).secret(),
        json.dumps([options, released, assignment.given], sort_keys=True).encode(),
    )
    return digest.digest()


@cache
def kit_digest() -> str:
    """What must be equal on all machines that grade one class: the kit, NumPy and Python."""
    digest = hashlib.sha256(repr((np.__version__, sys.version_info[:2])).encode())
    for path in _kit():
        _add(digest, path.name.encode(), path.read_bytes())
    return digest.hexdigest()


def _kit() -> list[Path]:
    return sorted(path for pattern in ("**/*.py", "**/*.msgpack", "**/*.mo") for path in PACKAGE.glob(pattern))


def content_digest(settings: bytes, folder: Path, notebook: str) -> str:
    """What one result rests on: `settings`, and the files handed in in `folder`; not the language that is spoken now.

    No notebook is parsed here, in the process that serves the class: of several, all count, and which is newer.
    """
    digest = hashlib.sha256(settings)
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
    return digest.hexdigest()


def _add(digest: hashlib._Hash, *parts: bytes) -> None:
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
