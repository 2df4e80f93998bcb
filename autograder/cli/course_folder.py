"""Checks an instructor's course folder, for `autograder doctor`."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from autograder.cli.doctor import Finding, State
from autograder.exercises import assignments
from autograder.grading.course import GUARDED
from autograder.locale import _
from autograder.notebooks.mend import released_in
from autograder.notebooks.submission import CHECK_PREFIX, UnreadableNotebook, read_notebook, submission_of

with contextlib.suppress(ImportError):  # there are no groups on Windows
    import grp

CONFIG = "nbgrader_config.py"
PRIVATE = (*GUARDED, ".git", "gradebook.db", "report")
"""Parts of a course folder that others must not read or write: solutions, submissions, grades."""

_PASS = stat.S_IXGRP | stat.S_IXOTH
_WRITE = stat.S_IWGRP | stat.S_IWOTH


def nbgrader(course: Path) -> Iterator[Finding]:
    """Whether nbgrader, if installed, finds what it needs in the course folder."""
    version = version_of("nbgrader")
    if version is None:
        yield Finding("nbgrader", State.OK, _("Not installed; only instructors need it."))
        return
    if not grades_in(course):  # students have it, too, to fetch and submit, and for its Validate button
        seen = _("{version}; to see what grading needs, run this in the course folder.").format(version=version)
        yield Finding("nbgrader", State.OK, seen)
        return
    yield Finding("nbgrader", State.OK, version)
    yield _alembic()
    yield Finding(_("course folder"), State.OK, str(course.resolve()))
    yield _reference(course)
    yield from points_of_own(course)
    try:
        config = _load(course / CONFIG)
    except (Exception, SystemExit) as error:
        seen = _("{path} ends with an error: {error}").format(path=course / CONFIG, error=error)
        yield Finding(CONFIG, State.WRONG, seen, _("Correct the file."))
        return
    yield exchange(config)
    yield rights(course, config)


def version_of(name: str) -> str | None:
    """The version of the package that is installed, if it is."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def grades_in(course: Path) -> bool:
    """Whether `course` is an instructor's folder and nbgrader is installed."""
    return version_of("nbgrader") is not None and (course / CONFIG).is_file() and (course / "source").is_dir()


def _alembic() -> Finding:
    beside = Path(sys.executable).parent
    if shutil.which("alembic") or shutil.which("alembic", path=str(beside)):
        return Finding("alembic", State.OK, _("nbgrader can make a gradebook."))
    seen = _("The command alembic is missing; nbgrader needs it to make a gradebook.")
    advice = _("Run: {command}").format(command=f"{sys.executable} -m pip install alembic")
    return Finding("alembic", State.WRONG, seen, advice)


def _reference(course: Path) -> Finding:
    if (course / "reference").is_dir():
        return Finding("reference/", State.OK, _("Found."))
    advice = _("Copy the folder from the kit: grading needs it.")
    return Finding("reference/", State.WRONG, _("Missing."), advice)


def points_of_own(course: Path) -> Iterator[Finding]:
    """Where points or exercises in the instructor's notebooks differ from the kit's."""
    for path in sorted(course.glob("source/*/*.ipynb")):
        try:
            notebook = read_notebook(path)
            assignment = submission_of(notebook, path.name).assignment
        except UnreadableNotebook:
            continue
        kit = {CHECK_PREFIX + e.id: e.points for e in assignments()[assignment]}
        here = {name: cell.points for name, cell in released_in(notebook).items() if name in kit and cell.grade}
        if here == kit:
            continue
        changed = [
            _("{cell} {points} (the kit's: {kit})").format(cell=name, points=f"{points:g}", kit=f"{kit[name]:g}")
            for name, points in here.items()
            if points is not None and points != kit[name]
        ]
        seen = "; ".join(changed + [_("{cell} is missing").format(cell=name) for name in kit if name not in here])
        advice = _("If you meant this, correct the numbers in the lesson's text, too, and run: {command}").format(
            command=f"nbgrader generate_assignment {path.parent.name} --force"
        )
        yield Finding(_("points in {notebook}").format(notebook=f"source/{path.parent.name}"), State.LOOK, seen, advice)


def rights(course: Path, config: Any) -> Finding:
    """Whether others on this machine can open solutions, submissions and grades.

    The exchange must stay open to them. If it is in the course folder, people may pass through the folder, and
    everything else in it is closed.
    """
    what, course = _("permissions"), course.resolve()
    if os.name != "posix":
        return Finding(what, State.OK, _("Not checked on this system."))
    folder, shared = _exchange_of(config), bool(config.CourseDirectory.get("groupshared"))
    others = stat.S_IRWXO if shared or _is_own_group(course) else stat.S_IRWXG | stat.S_IRWXO
    passable = course.stat().st_mode & others & _PASS
    exposed = [path for name in PRIVATE if (path := course / name).exists() and path.stat().st_mode & others]
    writable = course.stat().st_mode & others & _WRITE
    if not writable and not (passable and exposed):
        return Finding(what, State.OK, _("Others cannot open solutions, submissions or grades."))
    seen = _("Others on this machine can open {names}, unless a parent folder is closed to them.").format(
        names=", ".join(path.name for path in exposed) or course.name
    )
    mine = "77" if shared else "70"  # what the owner, and the group that shares the course, keep
    if not folder.is_relative_to(course):
        return Finding(what, State.LOOK, seen, _("Run: {command}").format(command=_chmod(f"{mine}0", [course])))
    if not folder.exists():
        advice = _(
            "Run: {command} (students on this machine then need an exchange outside this folder: set NBGRADER_EXCHANGE)"
        )
        return Finding(what, State.LOOK, seen, advice.format(command=_chmod(f"{mine}0", [course])))
    steps = [
        _chmod("o-rw" if shared else "go-rw", [course]),  # whoever goes to the exchange passes through
        _chmod(f"{mine}0", [path for path in exposed if path.is_dir()]),
        _chmod("660" if shared else "600", [path for path in exposed if not path.is_dir()]),
    ]
    return Finding(what, State.LOOK, seen, _("Run: {command}").format(command=" && ".join(filter(None, steps))))


def _chmod(mode: str, paths: list[Path]) -> str:
    return f"chmod {mode} {shlex.join(map(str, paths))}" if paths else ""


def _is_own_group(path: Path) -> bool:
    """Whether the folder's group is only its owner's, as on most systems."""
    try:
        return path.owner() == path.group() and not grp.getgrgid(path.stat().st_gid).gr_mem
    except (KeyError, OSError):
        return False


def _load(config: Path) -> Any:
    """The settings in nbgrader_config.py, which is the instructor's own Python code."""
    from traitlets.config.loader import PyFileConfigLoader

    return PyFileConfigLoader(config.name, path=str(config.parent.resolve())).load_config()


def _exchange_of(config: Any) -> Path:
    return Path(config.Exchange.get("root") or "/usr/local/share/nbgrader/exchange")  # nbgrader's own choice


def exchange(config: Any) -> Finding:
    """Whether assignments can be put where students fetch them."""
    what, folder = _("exchange folder"), _exchange_of(config)
    place = next(path for path in (folder, *folder.parents) if path.exists())  # it is made when first used
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Finding(what, State.OK, str(folder))
    seen = _("{path} is not writable.").format(path=folder)
    return Finding(
        what, State.LOOK, seen, _("Set NBGRADER_EXCHANGE to a folder of yours. You do not need this with an LMS.")
    )
