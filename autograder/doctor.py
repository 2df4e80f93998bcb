"""Whether the installation is in order: what has to work, how it stands, and what to do where it does not."""

from __future__ import annotations

import os
import shutil
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
from autograder.i18n import LANGUAGES, _, current_language
from autograder.mending import released_in
from autograder.results import Outcome
from autograder.submission import CHECK_PREFIX, UnreadableNotebook, read_notebook, submission_of
from autograder.worker.host import Host, HostBroken, shared_host
from autograder.worker.isolation import Level

DISTRIBUTION = "gradient-pathology"
OLDEST_PYTHON = (3, 11)
KERNEL = "python3"
KERNEL_SECONDS = 60.0
GB = 10**9
LITTLE_SPACE, NO_SPACE = 1 * GB, 0.1 * GB
CONFIG = "nbgrader_config.py"


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
        (_("packages"), packages),
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


def packages(requirements: list[str] | None = None) -> Finding:
    """Whether every package the kit asks for is there, in a version that it allows."""
    from packaging.requirements import Requirement

    what = _("packages")
    try:
        found = metadata.requires(DISTRIBUTION) if requirements is None else requirements
    except metadata.PackageNotFoundError:
        advice = _("Install the kit with pip.")
        return Finding(what, State.WRONG, _("The kit itself is not installed here."), advice)
    extra = "instructor" if _version("nbgrader") else ""
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
    if chosen and chosen[:2].lower() not in LANGUAGES:
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
    yield Finding("nbgrader", State.OK, version)
    yield _alembic()
    config = course / CONFIG
    if not config.is_file():
        seen = _("{path} is not there.").format(path=config)
        yield Finding(_("course folder"), State.LOOK, seen, _("Instructors: run this in the course folder."))
        return
    yield Finding(_("course folder"), State.OK, str(course.resolve()))
    yield _reference(course)
    yield from points_of_own(course)
    yield exchange(config)


def grades_in(course: Path) -> bool:
    """Whether `course` is a course folder, and nbgrader is there to use it."""
    return _version("nbgrader") is not None and (course / CONFIG).is_file()


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


def exchange(config: Path) -> Finding:
    """Whether assignments can be put where students fetch them."""
    what = _("exchange folder")
    try:
        from traitlets.config.loader import PyFileConfigLoader

        root = PyFileConfigLoader(config.name, path=str(config.parent.resolve())).load_config().Exchange.get("root")
    except (Exception, SystemExit) as error:  # the file is the instructor's own Python
        seen = _("{path} ends with an error: {error}").format(path=config, error=error)
        return Finding(what, State.WRONG, seen, _("Mend the file."))
    folder = Path(root or "/usr/local/share/nbgrader/exchange")  # nbgrader's own choice
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
    sentence = _("{level} is not to be had: {reason}")
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
