"""Checks the installation: what has to work, its state, and what to do about problems."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from autograder.checks.results import Outcome
from autograder.cli.course_folder import grades_in, nbgrader, version_of
from autograder.cli.doctor import Finding, State
from autograder.exercises import assignments
from autograder.grading.grade_submission import grade_submission
from autograder.locale import LANGUAGES, _, current_language, language_named
from autograder.notebooks.submission import submission_of
from autograder.sandbox.client import CORES
from autograder.sandbox.fork_server import Host, HostBroken, shared_host
from autograder.sandbox.isolation import Level

DISTRIBUTION = "gradient-pathology"
KERNEL = "python3"
KERNEL_SECONDS = 60.0
GB = 10**9
LITTLE_SPACE, NO_SPACE = 1 * GB, 0.1 * GB


def examine(course: Path) -> Iterator[Finding]:
    """Run all checks, one after the other; `course` is the instructor's course folder."""
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
    """The findings of `look`, or its error: in a broken installation anything may raise anything."""
    try:
        found = look()
        yield from [found] if isinstance(found, Finding) else found
    except (Exception, SystemExit) as error:
        seen = f"{type(error).__name__}: {error}"
        yield Finding(what, State.WRONG, seen, _("Install the kit again in a new environment."))


# --- what students need -----------------------------------------------------------------------------------------------


def python() -> Finding:
    """Which Python this is; an older one than the kit needs cannot run even this."""
    return Finding("Python", State.OK, f"{platform.python_version()}, {sys.executable}")


def packages(requirements: list[str] | None = None, grades: bool = False) -> Finding:
    """Whether every required package is installed in an allowed version; `grades` adds an instructor's."""
    from packaging.requirements import Requirement

    what = _("packages")
    try:
        found = metadata.requires(DISTRIBUTION) if requirements is None else requirements
    except metadata.PackageNotFoundError:
        advice = _("Install the kit with pip.")
        return Finding(what, State.WRONG, _("The kit is not installed here."), advice)
    extra = {"extra": "instructor" if grades else ""}
    wanted = [r for r in map(Requirement, found or []) if r.marker is None or r.marker.evaluate(extra)]
    here = {r.name: version_of(r.name) for r in wanted}
    unfit = [r for r in wanted if not ((version := here[r.name]) and r.specifier.contains(version, prereleases=True))]
    if not unfit:
        return Finding(what, State.OK, _("{n} packages, all in a supported version.").format(n=len(wanted)))
    names = ", ".join(f"{r.name} ({here[r.name] or _('missing')})" for r in unfit)
    fitting = " ".join(f'"{r.name}{r.specifier}"' for r in unfit)
    advice = _("Run: {command}").format(command=f"{sys.executable} -m pip install {fitting}")
    return Finding(what, State.WRONG, _("Missing or wrong version: {names}.").format(names=names), advice)


def kernel() -> Finding:
    """Whether Jupyter's Python kernel exists and has the kit."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    what = _("Jupyter kernel")
    install = _("Run: {command}").format(command=f"{sys.executable} -m ipykernel install --sys-prefix --name {KERNEL}")
    try:
        interpreter = KernelSpecManager().get_kernel_spec(KERNEL).argv[0]
    except (NoSuchKernel, OSError, IndexError):
        return Finding(what, State.WRONG, _("There is no kernel {name}.").format(name=KERNEL), install)
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
    """Whether there is a program to open notebooks."""
    version = version_of("jupyterlab")
    if version is None:
        seen = _("Not installed.")
        return Finding("JupyterLab", State.LOOK, seen, _("Install jupyterlab, or open notebooks in another program."))
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
    return Finding(what, State.WRONG, _("The font file is missing or cannot be read."), advice)


def language() -> Finding:
    """The language of messages."""
    chosen = os.environ.get("AUTOGRADER_LANG")
    if chosen and language_named(chosen) is None:
        seen = _("AUTOGRADER_LANG is {value}, a language that the kit does not have.").format(value=chosen)
        advice = _("Set it to one of these: {names}.").format(names=", ".join(LANGUAGES))
        return Finding(_("language"), State.LOOK, seen, advice)
    return Finding(_("language"), State.OK, current_language())


# --- what checks run in -----------------------------------------------------------------------------------------------


def workers(course: Path) -> Iterator[Finding]:
    """How students' code is isolated here, found by trying, and whether a notebook can be checked."""
    try:
        host = shared_host()
    except HostBroken as error:
        yield Finding(_("isolation"), State.WRONG, str(error), _("Install the kit again in a new environment."))
        return
    yield isolation(host.level, host.unavailable if grades_in(course) else None)
    yield trial(host)


def isolation(level: Level, unavailable: dict[Level, str] | None) -> Finding:
    """The isolation level of students' code, which matters for grading others.

    Args:
        unavailable: why better levels are not available; None if nobody is graded.
    """
    if unavailable is None:
        seen = _("{level}; any level is enough for your own notebook.").format(level=level)
        return Finding(_("isolation"), State.OK, seen)
    sentence = _("{level} is not available: {reason}")
    seen = "; ".join([level.value, *(sentence.format(level=name, reason=why) for name, why in unavailable.items())])
    if level is Level.BASIC:
        advice = _(
            "Enough for your own notebook. To grade other people's code, use Linux or a container with bubblewrap."
        )
        return Finding(_("isolation"), State.LOOK, seen, advice)
    return Finding(_("isolation"), State.OK, seen)


def trial(host: Host) -> Finding:
    """Whether a small notebook runs in a worker and is judged."""
    what, (exercise, *_others) = _("test run"), next(iter(assignments().values()))
    graded = grade_submission(submission_of(_small_notebook(exercise.solution), "trial.ipynb"), host=host)
    text = "".join(output.get("text", "") for outputs in graded.run.outputs.values() for output in outputs)
    outcomes = {item.outcome for result in graded.result.checks.values() for item in result.items}
    if text.strip() == "42" and Outcome.GRADER_ERROR not in outcomes and Outcome.PASSED not in outcomes:
        return Finding(what, State.OK, _("A small notebook was run and checked."))
    seen = "; ".join(graded.cell_errors) or _("A small notebook was not checked correctly.")
    return Finding(what, State.WRONG, seen, _("Install the kit again in a new environment."))


def _small_notebook(solution: str) -> dict[str, Any]:
    source = "from autograder.layers import *\nprint(6 * 7)"
    cell = {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": solution}}, "outputs": [], "source": source}
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def processors() -> Finding:
    """The number of submissions that can be graded at the same time."""
    return Finding(_("processors"), State.OK, str(CORES))


def disk(folder: Path) -> Finding:
    """Whether there is space for the workers' folders."""
    what, free = _("disk space"), shutil.disk_usage(folder).free
    seen = _("{free:.1f} GB free in {path}.").format(free=free / GB, path=folder)
    if free >= LITTLE_SPACE:
        return Finding(what, State.OK, seen)
    state = State.WRONG if free < NO_SPACE else State.LOOK
    return Finding(what, state, seen, _("Delete files that you no longer need."))
