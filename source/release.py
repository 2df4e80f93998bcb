"""Make the students' notebooks: every notebook in source/, with stubs in place of its solutions, into release/.

    python source/release.py        runs `nbgrader generate_assignment` for each assignment

The marked cells also go into the package, so that `autograder pack` recognises the same cells as `autograder grade`.
The command runs in a temporary course folder, so that it leaves no gradebook behind.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autograder import exercises

COURSE = Path(__file__).resolve().parents[1]


def assignments() -> list[str]:
    """The assignments that have a notebook in source/."""
    return sorted({path.parent.name for path in (COURSE / "source").glob("*/*.ipynb")})


def notebook_of(assignment: str) -> str:
    """The name of the file that students of `assignment` get.

    Raises:
        ValueError: source/ has none, or several.
    """
    (path,) = (COURSE / "source" / assignment).glob("*.ipynb")
    return path.name


def nbgrader_command(*arguments: str) -> list[str]:
    """One of nbgrader's commands, run by this Python."""
    return [sys.executable, "-m", "nbgrader", *arguments]


def nbgrader_environment(folder: Path) -> dict[str, str]:
    """The environment for nbgrader in the course `folder`, without the user's settings and caches."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER_", "NBGRADER_"))}
    return {
        **kept,
        "JUPYTER_CONFIG_DIR": str(folder / ".jupyter"),
        "JUPYTER_DATA_DIR": str(folder / ".jupyter"),
        "PYTHONUTF8": "1",
    }


def generate(names: Sequence[str], target: Path) -> list[Path]:
    """Make the students' notebooks of the assignments `names` below `target` and return their paths.

    Raises:
        RuntimeError: nbgrader failed; the message is nbgrader's.
    """
    made = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(COURSE / "nbgrader_config.py", folder)
        for assignment in names:
            shutil.copytree(COURSE / "source" / assignment, folder / "source" / assignment)
            done = subprocess.run(
                nbgrader_command("generate_assignment", assignment),
                cwd=folder,
                env=nbgrader_environment(folder),
                capture_output=True,
                text=True,
                encoding="utf-8",
                check=False,
            )
            notebook = folder / "release" / assignment / notebook_of(assignment)
            if done.returncode or not notebook.is_file():
                raise RuntimeError(f"nbgrader generate_assignment {assignment} failed:\n{done.stdout}{done.stderr}")
            made.append(target / assignment / notebook.name)
            made[-1].parent.mkdir(parents=True, exist_ok=True)
            # "\n" on every platform: a release made twice has the same bytes.
            made[-1].write_text(notebook.read_text(encoding="utf-8"), encoding="utf-8", newline="\n")
    return made


def marked_cells(notebook: Path) -> str:
    """The marked cells of a release, which the package contains to recognise lost marks."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    marked = [{key: cell[key] for key in ("cell_type", "metadata", "source")} for cell in cells if _is_marked(cell)]
    return json.dumps({"cells": marked}, ensure_ascii=False, indent=1) + "\n"


def place_of_marked_cells(assignment: str) -> Path:
    """Where the package stores them, beside the exercises of the edition `assignment`."""
    package = kit_assignment(assignment).replace("-", "_")
    return COURSE / "autograder" / "exercises" / package / "released" / f"{assignment}.json"


def kit_assignment(edition: str) -> str:
    """The assignment of which `edition` is a language edition."""
    return max((name for name in exercises.assignments() if f"{edition}-".startswith(f"{name}-")), key=len)


def _is_marked(cell: dict[str, Any]) -> bool:
    return "nbgrader" in cell["metadata"]


def main() -> None:
    """Update release/ and the package's copy of its marked cells."""
    for notebook in generate(assignments(), COURSE / "release"):
        print(notebook)
        known = place_of_marked_cells(notebook.parent.name)
        known.parent.mkdir(exist_ok=True)
        known.write_text(marked_cells(notebook), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
