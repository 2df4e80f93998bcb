"""Gives submitted notebooks the name that nbgrader looks for.

nbgrader knows a notebook by its file's name alone: "gradient_pathology (1).ipynb" gets no points. The hook, by a line
in `nbgrader_config.py`, puts a copy under the right name beside it before a submission is graded:

    c.Autograde.pre_convert_hook = "autograder.nbgrader_plugins.rename.before_autograde"

nbgrader passes over a submission with no notebook directly in its folder before it comes to hooks: for `nbgrader
autograde` the same file calls `rename_all` when it is read.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from traitlets.log import get_logger

from autograder.i18n import _
from autograder.report.text import printable
from autograder.submission import choose_notebook


def before_autograde(assignment: str, student: str, notebooks: list[str]) -> None:
    """Add the copy of a renamed notebook to `notebooks`, which nbgrader is about to convert.

    Args:
        assignment, student: what the command was called with, possibly patterns.
        notebooks: paths of one student's notebooks, relative to the course folder, where nbgrader works.
    """
    notebooks += [str(path) for path in _rename(Path(notebooks[0]).parent, Path("source"))]


def rename_all(course: Path) -> None:
    """The same for every submission of a course folder."""
    for folder in sorted((course / "submitted").glob("*/*")):
        if folder.is_dir():
            _rename(folder, course / "source")


def _rename(folder: Path, source: Path) -> list[Path]:
    """Put copies under the names that the assignment's notebooks have, where they are missing, and give their paths."""
    made = []
    for released in sorted((source / folder.name).glob("*.ipynb")):
        target = folder / released.name
        if target.is_symlink() or target.exists():
            continue
        chosen, notes = choose_notebook(folder, released.stem)
        if chosen is None:
            continue
        try:
            shutil.copy2(chosen, target)
        except OSError:  # one folder's permissions must not keep a class waiting
            notes = [_("{path} cannot be written to.").format(path=target)]
        else:
            made.append(target)
        log: logging.Logger = get_logger()
        for note in notes:
            log.warning("%s: %s", folder.parent.name, printable(note))
    return made
