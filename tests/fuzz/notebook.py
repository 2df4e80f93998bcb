"""Any file: it is read and mended to a valid notebook, or refused with UnreadableNotebook."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["autograder"]):
    from autograder.notebooks import load as reading
    from autograder.notebooks.mend import mend, released_in
    from autograder.notebooks.submission import submission_of
from source.release import COURSE, NOTEBOOK
from tests.class_folder import ASSIGNMENT
from tests.fuzz.start import fuzz

RELEASE = json.loads((COURSE / "release" / ASSIGNMENT / NOTEBOOK).read_text(encoding="utf-8"))
RELEASED = released_in(RELEASE)
FILE = Path(tempfile.mkdtemp()) / NOTEBOOK


def small_notebooks() -> list[bytes]:
    """A few cells of the release each: a whole one is too long to be varied well."""
    cells = RELEASE["cells"]
    return [json.dumps({**RELEASE, "cells": cells[i : i + 3]}).encode() for i in range(0, len(cells), 3)]


def one_input(data: bytes) -> None:
    FILE.write_bytes(data)
    try:
        notebook = reading.read_notebook(FILE)
        submission_of(notebook, "n").cells_to_run()
    except reading.UnreadableNotebook:
        return
    mend(notebook, RELEASED)
    submission_of(notebook, "n").cells_to_run()
    text = json.dumps(notebook, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert mend(notebook, RELEASED) == []
    assert notebook == json.loads(text)


if __name__ == "__main__":
    fuzz(sys.argv, one_input, small_notebooks())
