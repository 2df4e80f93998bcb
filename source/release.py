"""Make what students get: every notebook in source/, with stubs in place of its solutions, into release/.

    python source/release.py        runs `nbgrader generate_assignment` for each assignment

The command runs in a course folder that is thrown away, so that making a release leaves no gradebook behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

COURSE = Path(__file__).resolve().parents[1]
NOTEBOOK = "gradient_pathology.ipynb"


def assignments() -> list[str]:
    """The assignments that have a notebook in source/."""
    return sorted(path.parent.name for path in (COURSE / "source").glob(f"*/{NOTEBOOK}"))


def nbgrader_command(*arguments: str) -> list[str]:
    """One of nbgrader's own commands, as run by this Python."""
    return [sys.executable, "-m", "nbgrader", *arguments]


def nbgrader_environment(folder: Path) -> dict[str, str]:
    """The environment for nbgrader in the course `folder`, untouched by settings and caches of whoever runs it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER_", "NBGRADER_"))}
    return {
        **kept,
        "JUPYTER_CONFIG_DIR": str(folder / ".jupyter"),
        "JUPYTER_DATA_DIR": str(folder / ".jupyter"),
        "PYTHONUTF8": "1",
    }


def generate(names: Sequence[str], target: Path) -> list[Path]:
    """Make the students' notebooks of the assignments `names` below `target` and give their paths.

    Raises:
        RuntimeError: nbgrader failed; the message is what it said.
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
            notebook = folder / "release" / assignment / NOTEBOOK
            if done.returncode or not notebook.is_file():
                raise RuntimeError(f"nbgrader generate_assignment {assignment} failed:\n{done.stdout}{done.stderr}")
            made.append(target / assignment / NOTEBOOK)
            made[-1].parent.mkdir(parents=True, exist_ok=True)
            # "\n" on every platform: a release made twice has the same bytes.
            made[-1].write_text(notebook.read_text(encoding="utf-8"), encoding="utf-8", newline="\n")
    return made


def main() -> None:
    """Renew release/."""
    for notebook in generate(assignments(), COURSE / "release"):
        print(notebook)


if __name__ == "__main__":
    main()
