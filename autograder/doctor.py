"""Whether the installation is in order: what has to work, how it stands, and what to do where it does not."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

from autograder.exercises import assignments
from autograder.grading import grade_submission
from autograder.grading.course import GUARDED
from autograder.i18n import LANGUAGES, _, current_language, language_named
from autograder.mending import released_in
from autograder.results import Outcome
from autograder.submission import CHECK_PREFIX, UnreadableNotebook, read_notebook, submission_of
from autograder.worker.host import Host, HostBroken, shared_host
from autograder.worker.isolation import Level

with contextlib.suppress(ImportError):  # there are no groups on Windows
    import grp

DISTRIBUTION = "gradient-pathology"
OLDEST_PYTHON = (3, 11)
KERNEL = "python3"
KERNEL_SECONDS = 60.0
GB = 10**9
LITTLE_SPACE, NO_SPACE = 1 * GB, 0.1 * GB
CONFIG = "nbgrader_config.py"
PRIVATE = (*GUARDED, ".git", "gradebook.db", "results.db", "report")
"""What of a course folder is nobody else's to read or write: solutions, submissions, grades."""

_PASS = stat.S_IXGRP | stat.S_IXOTH
_WRITE = stat.S_IWGRP | stat.S_IWOTH


class State(StrEnum):
    """Whether something is in order."""

    OK = "ok"
    LOOK = "look"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """How one thing stands.

    Attributes:
        what: the thing, in a word or two.
        seen: what was found.
        advice: what to do; "" where there is nothing.
    """

    what: str
    state: State
    seen: str
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        """The finding as in a file."""
        return {"what": self.what, "state": self.state.value, "seen": self.seen, "advice": self.advice}


def examine(course: Path) -> Iterator[Finding]:
    """Look at everything, one thing after the other; `course` is the instructor's course folder."""
    for what, look in (
        ("Python", python),
        (_("packages"), lambda: packages(grades=grades_in(course))),
        (_("Jupyter kernel"), kernel),
        ("JupyterLab", jupyterlab),
        (_("Japanese font"), font),
        (_("language"), language),
        ("nbgrader", lambda: nbgrader(course)),
        (_("isolation"), lambda: workers(course)),
        (_("processors"), processors),
        (_("disk space"), lambda: disk(Path(tempfile.gettempdir()))),
    ):
        yield from _in_any_case(what, look)


def _in_any_case(what: str, look: Callable[[], Finding | Iterator[Finding]]) -> Iterator[Finding]:
    """What `look` finds, or the error that it ends with: in a broken installation anything may raise anything."""
    try:
        found = look()
        yield from [found] if isinstance(found, Finding) else found
    except (Exception, SystemExit) as error:
        seen = f"{type(error).__name__}: {error}"
        yield Finding(what, State.WRONG, seen, _("Install the kit again, in a new environment."))


# --- what students need -----------------------------------------------------------------------------------------------


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Whether Python is new enough."""
    seen = f"{'.'.join(map(str, version))}, {sys.executable}"
    if version < OLDEST_PYTHON:
        return Finding("Python", State.WRONG, seen, _("Install Python 3.11 or newer, and the kit into that."))
    return Finding("Python", State.OK, seen)


def packages(requirements: list[str] | None = None, grades: bool = False) -> Finding:
    """Whether every package the kit asks for is there, in a version that it allows; `grades` adds an instructor's."""
    from packaging.requirements import Requirement

    what = _("packages")
    try:
        found = metadata.requires(DISTRIBUTION) if requirements is None else requirements
    except metadata.PackageNotFoundError:
        advice = _("Install the kit with pip.")
        return Finding(what, State.WRONG, _("The kit itself is not installed here."), advice)
    extra = "instructor" if grades else ""
    wanted = [requirement for requirement in map(Requirement, found or []) if _applies(requirement, extra)]
    unfit = [requirement for requirement in wanted if not _fits(requirement)]
    if not unfit:
        return Finding(what, State.OK, _("{n} packages, all in a version that fits.").format(n=len(wanted)))
    names = ", ".join(f"{r.name} ({_version(r.name) or _('missing')})" for r in unfit)
    fitting = " ".join(f'"{r.name}{r.specifier}"' for r in unfit)
    advice = _("Run: {command}").format(command=f"{sys.executable} -m pip install {fitting}")
    return Finding(what, State.WRONG, _("These do not fit: {names}.").format(names=names), advice)


def kernel() -> Finding:
    """Whether Jupyter's Python kernel is there, and the kit in it."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    what = _("Jupyter kernel")
    install = _("Run: {command}").format(command=f"{sys.executable} -m ipykernel install --sys-prefix --name {KERNEL}")
    try:
        interpreter = KernelSpecManager().get_kernel_spec(KERNEL).argv[0]
    except (NoSuchKernel, OSError, IndexError):
        return Finding(what, State.WRONG, _("There is no kernel called {name}.").format(name=KERNEL), install)
    if interpreter in ("python", "python3", Path(sys.executable).name):
        interpreter = sys.executable  # as jupyter_client starts it
    try:
        line = [interpreter, "-P", "-c", "import autograder"]
        done = subprocess.run(line, capture_output=True, cwd=tempfile.gettempdir(), timeout=KERNEL_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        seen = _("Its Python, {path}, does not start.").format(path=interpreter)
        return Finding(what, State.WRONG, seen, install)
    if done.returncode:
        seen = _("Its Python, {path}, does not have the kit.").format(path=interpreter)
        return Finding(what, State.WRONG, seen, install)
    return Finding(what, State.OK, f"{KERNEL}, {interpreter}")


def jupyterlab() -> Finding:
    """Whether there is something to open a notebook in."""
    version = _version("jupyterlab")
    if version is None:
        seen = _("It is not installed.")
        return Finding("JupyterLab", State.LOOK, seen, _("Open notebooks in another program, or install jupyterlab."))
    return Finding("JupyterLab", State.OK, version)


def font() -> Finding:
    """Whether Japanese labels can be drawn in figures."""
    what, name = _("Japanese font"), "IPAexGothic"
    try:
        import matplotlib_fontja
        from matplotlib.ft2font import FT2Font

        path = Path(matplotlib_fontja.get_font_ttf_path())
        has_glyph = FT2Font(str(path)).get_char_index(ord("勾")) != 0
    except (ImportError, OSError, RuntimeError):
        has_glyph = False
    if has_glyph:
        return Finding(what, State.OK, name)
    advice = _("Run: {command}").format(
        command=f"{sys.executable} -m pip install --force-reinstall --no-deps matplotlib-fontja"
    )
    return Finding(what, State.WRONG, _("Its file is not there or cannot be read."), advice)


def language() -> Finding:
    """Which language the kit speaks."""
    chosen = os.environ.get("AUTOGRADER_LANG")
    if chosen and language_named(chosen) is None:
        seen = _("AUTOGRADER_LANG is {value}, which the kit does not speak.").format(value=chosen)
        advice = _("Set it to one of {names}.").format(names=", ".join(LANGUAGES))
        return Finding(_("language"), State.LOOK, seen, advice)
    return Finding(_("language"), State.OK, current_language())


# --- what instructors need --------------------------------------------------------------------------------------------


def nbgrader(course: Path) -> Iterator[Finding]:
    """Whether nbgrader, where it is installed, finds what it needs in the course folder."""
    version = _version("nbgrader")
    if version is None:
        yield Finding("nbgrader", State.OK, _("It is not installed; only instructors need it."))
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
        yield Finding(CONFIG, State.WRONG, seen, _("Mend the file."))
        return
    yield exchange(config)
    yield rights(course, config)


def grades_in(course: Path) -> bool:
    """Whether somebody grades in `course`: it is an instructor's folder, and nbgrader is there to use it."""
    return _version("nbgrader") is not None and (course / CONFIG).is_file() and (course / "source").is_dir()


def _alembic() -> Finding:
    beside = Path(sys.executable).parent
    if shutil.which("alembic") or shutil.which("alembic", path=str(beside)):
        return Finding("alembic", State.OK, _("nbgrader can make a gradebook."))
    seen = _("The command alembic is not there; nbgrader makes its gradebook with it.")
    advice = _("Run: {command}").format(command=f"{sys.executable} -m pip install alembic")
    return Finding("alembic", State.WRONG, seen, advice)


def _reference(course: Path) -> Finding:
    if (course / "reference").is_dir():
        return Finding("reference/", State.OK, _("It is there."))
    advice = _("Copy the folder from the kit: grading needs it.")
    return Finding("reference/", State.WRONG, _("It is not there."), advice)


def points_of_own(course: Path) -> Iterator[Finding]:
    """Where the instructor's notebooks are worth something else than the kit's, or hold other exercises."""
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
        seen = "; ".join(changed + [_("{cell} is not there").format(cell=name) for name in kit if name not in here])
        advice = _("If that is meant, make the text of the lesson say so, too, and run: {command}").format(
            command=f"nbgrader generate_assignment {path.parent.name} --force"
        )
        yield Finding(_("points in {notebook}").format(notebook=f"source/{path.parent.name}"), State.LOOK, seen, advice)


def rights(course: Path, config: Any) -> Finding:
    """Whether others on this machine are kept from solutions, submissions and grades.

    The exchange has to stay open to them. Where it lies in the course folder, people may pass through that, and only
    what else is in there is closed.
    """
    what, course = _("rights"), course.resolve()
    if os.name != "posix":
        return Finding(what, State.OK, _("They are not looked at on this system."))
    folder, shared = _exchange_of(config), bool(config.CourseDirectory.get("groupshared"))
    others = stat.S_IRWXO if shared or _is_own_group(course) else stat.S_IRWXG | stat.S_IRWXO
    passable = course.stat().st_mode & others & _PASS
    exposed = [path for name in PRIVATE if (path := course / name).exists() and path.stat().st_mode & others]
    writable = course.stat().st_mode & others & _WRITE
    if not writable and not (passable and exposed):
        return Finding(what, State.OK, _("Solutions, submissions and grades are closed to others."))
    seen = _("Open to others on this machine, unless a folder above is closed: {names}.").format(
        names=", ".join(path.name for path in exposed) or course.name
    )
    mine = "77" if shared else "70"  # what the owner, and the group that shares the course, keep
    if not folder.is_relative_to(course):
        return Finding(what, State.LOOK, seen, _("Run: {command}").format(command=_chmod(f"{mine}0", [course])))
    if not folder.exists():
        advice = _("Run: {command} (students on this machine then need an exchange elsewhere: set NBGRADER_EXCHANGE)")
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
    """Whether the folder's group is its owner's alone, as most systems give everybody one of their name."""
    try:
        return path.owner() == path.group() and not grp.getgrgid(path.stat().st_gid).gr_mem
    except (KeyError, OSError):
        return False


def _load(config: Path) -> Any:
    """The settings in nbgrader_config.py, which is the instructor's own Python."""
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
    seen = _("{path} cannot be written to.").format(path=folder)
    return Finding(what, State.LOOK, seen, _("Set NBGRADER_EXCHANGE to a folder of yours, unless you use an LMS."))


# --- what checks run in -----------------------------------------------------------------------------------------------


def workers(course: Path) -> Iterator[Finding]:
    """How students' code is isolated here, found by trying, and whether a notebook can be checked."""
    try:
        host = shared_host()
    except HostBroken as error:
        yield Finding(_("isolation"), State.WRONG, str(error), _("Install the kit again, in a new environment."))
        return
    yield isolation(host.level, host.unavailable if grades_in(course) else None)
    yield trial(host)


def isolation(level: Level, unavailable: dict[Level, str] | None) -> Finding:
    """How well students' code is kept to itself, which concerns whoever grades others.

    Args:
        unavailable: why better levels are not to be had; None where nobody is graded.
    """
    if unavailable is None:
        seen = _("{level}; for your own notebook any level will do.").format(level=level)
        return Finding(_("isolation"), State.OK, seen)
    sentence = _("{level} is not available: {reason}")
    seen = "; ".join([level.value, *(sentence.format(level=name, reason=why) for name, why in unavailable.items())])
    if level is Level.BASIC:
        advice = _("Enough for your own notebook. To grade others', use Linux or a container, with bubblewrap.")
        return Finding(_("isolation"), State.LOOK, seen, advice)
    return Finding(_("isolation"), State.OK, seen)


def trial(host: Host) -> Finding:
    """Whether a small notebook runs in a worker and is judged."""
    what, (exercise, *_others) = _("trial check"), next(iter(assignments().values()))
    graded = grade_submission(submission_of(_small_notebook(exercise.solution), "trial.ipynb"), host=host)
    text = "".join(output.get("text", "") for outputs in graded.run.outputs.values() for output in outputs)
    outcomes = {item.outcome for result in graded.result.checks.values() for item in result.items}
    if text.strip() == "42" and Outcome.GRADER_ERROR not in outcomes and Outcome.PASSED not in outcomes:
        return Finding(what, State.OK, _("A small notebook was run and judged."))
    seen = "; ".join(graded.cell_errors) or _("A small notebook was not judged as it should be.")
    return Finding(what, State.WRONG, seen, _("Install the kit again, in a new environment."))


def _small_notebook(solution: str) -> dict[str, Any]:
    source = "from autograder.layers import *\nprint(6 * 7)"
    cell = {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": solution}}, "outputs": [], "source": source}
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def processors() -> Finding:
    """How many submissions can be graded at a time."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Finding(_("processors"), State.OK, str(usable))


def disk(folder: Path) -> Finding:
    """Whether there is space for the folders that workers write into."""
    what, free = _("disk space"), shutil.disk_usage(folder).free
    seen = _("{free:.1f} GB free in {path}.").format(free=free / GB, path=folder)
    if free >= LITTLE_SPACE:
        return Finding(what, State.OK, seen)
    state = State.WRONG if free < NO_SPACE else State.LOOK
    return Finding(what, state, seen, _("Delete files that you no longer need."))


# --- helpers ----------------------------------------------------------------------------------------------------------


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _fits(requirement: Any) -> bool:
    version = _version(requirement.name)
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _applies(requirement: Any, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
