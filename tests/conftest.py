"""What test files share: the course folder, the reference's solution cells, and small notebooks made of them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, Phase, settings

from autograder.checks.exercise import Implementation
from autograder.exercises import assignments, every_exercise, hand_graded
from autograder.grading.reference import CELL, Reference
from autograder.locale import choose_language, speaking, use_language
from autograder.notebooks.submission import source_of
from autograder.sandbox.isolation import Level
from reference.bank import FOLDER, folder_of

COURSE = Path(__file__).resolve().parents[1]
EXERCISES = assignments()["gradient-pathology"]
"""What most tests are made with: the lesson on gradients. What holds for all is tested with `every_exercise()`."""

AUTOMATIC = sum(exercise.points for exercise in EXERCISES)
"""The points of that lesson that the kit gives."""

ALL_POINTS = AUTOMATIC + sum(hand_graded("gradient-pathology").values())

SETUP = """\
import matplotlib.pyplot as plt
import numpy as np
from autograder import check, use_language, waiting_for
from autograder.layers import *
"""

_SOLUTION = (folder_of("batch_norm") / "solution.py").read_text(encoding="utf-8")
BATCH_NORM_START = "\n" + _SOLUTION.partition(CELL)[2].partition("    def forward")[0].rstrip() + "\n"
"""What is given of `BatchNorm`: the methods follow."""

FIRST = (
    "hostile",
    "demo",
    "audit",
    "interrupted",
    "author_guide",
    "grade",
    "cluster",
    "browser",
    "mutants",
    "exercises",
    "worker",
    "clumsy",
    "mending",
    "handed_in",
    "report",
    "fuzz",
)
"""The test files that take longest; they go first, so that no process has to wait for another at the end."""

SLOW = {"demo", "workers", "server", "two_ways"}
"""Fixtures that take long: the demo, which is the other command of the README, the workers of a Dask cluster, a
database server, and a class that is graded twice."""

SPREAD = ("test_hostile",)
"""Each test of these files may run in another process."""

PHASES = [phase for phase in Phase if phase is not Phase.explain]  # to explain a large draw took it 20 GB
settings.register_profile("quick", max_examples=25, phases=PHASES)
settings.register_profile("ci", settings.get_profile("ci"), max_examples=100, phases=PHASES)
settings.register_profile("long", max_examples=10_000, phases=PHASES)
settings.load_profile("ci" if "CI" in os.environ else "quick")  # unless --hypothesis-profile names another


def draws(number: int, suppress: tuple[HealthCheck, ...] = ()) -> settings:
    """Settings for a test that draws `number` examples in the profile `ci`, and more or fewer in others."""
    number = max(1, number * settings.default.max_examples // 100)
    return settings(max_examples=number, deadline=None, suppress_health_check=suppress)


def why_no_bubblewrap() -> str:
    """Why hostile notebooks cannot be tried here; "" if they can."""
    from tests import outer_sandbox

    return outer_sandbox.why_not()


def why_no_browser() -> str:
    """Why no page can be opened here; "" if pages can."""
    from tests import browser

    return browser.why_not()


def levels(*chosen: Level) -> list:
    """Isolation levels (all, unless chosen) as values of a parameter: the full one needs bubblewrap."""
    needs = {Level.FULL: [pytest.mark.bubblewrap]}
    return [pytest.param(level, marks=needs.get(level, [])) for level in chosen or Level]


NEEDS: dict[str, Callable[[], str]] = {"bubblewrap": why_no_bubblewrap, "browser": why_no_browser}
"""Marker -> why a test that has it cannot run on this machine; such a test is skipped, and never fails."""


def pytest_configure() -> None:
    """Tests, and all that they start, speak English where they don't say otherwise, whoever runs them."""
    os.environ.pop("AUTOGRADER_LANG", None)
    os.environ["LANGUAGE"] = "en"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring slow files to the front. What needs something slow is slow."""
    for item in items:
        if SLOW.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    places = {f"test_{name}": place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log) -> object | None:
    """With `--dist loadfile`, the tests of a file run in one process, but for files that share nothing and wait."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return nodeid if Path(file).stem in SPREAD else file

    return Scheduling(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a program that this machine lacks."""
    for marker, why_not in NEEDS.items():
        if item.get_closest_marker(marker) and (reason := why_not()):
            pytest.skip(reason)


def solution_source(name: str) -> str:
    """The reference's text of the solution cell `name`."""
    return (folder_of(name) / "solution.py").read_text(encoding="utf-8").split("\n# %%\n")[1]


SOLUTIONS = {exercise.solution: solution_source(exercise.solution) for exercise in EXERCISES}


def code_cell(source: str, grade_id: str | None = None, **metadata) -> dict:
    """A code cell as it stands in a notebook file."""
    if grade_id is not None:
        metadata["nbgrader"] = {"grade_id": grade_id}
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": source}


def notebook_of(cells: list[dict], **metadata) -> dict:
    """A notebook as nested dicts."""
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def small_notebook(extra: list[dict] = (), **solutions: str) -> dict:
    """Setup, solution cells (the reference's, unless given), `extra` cells, and all test cells."""
    answers = SOLUTIONS | solutions
    checks = [code_cell(f'check("{exercise.id}")', f"check_{exercise.id}") for exercise in EXERCISES]
    solution_cells = [code_cell(source, name) for name, source in answers.items()]
    return notebook_of([code_cell(SETUP, "setup"), *solution_cells, *extra, *checks], autograder={"language": "en"})


UNBIASED = (
    SOLUTIONS["batch_norm"]
    .replace("x.var(axis=0)", "x.var(axis=0, ddof=1)")
    .replace("(dx_hat * x_hat).mean(axis=0)", "(dx_hat * x_hat).sum(axis=0) / (len(dout) - 1)")
)
"""A BatchNorm with a wrong forward, which divides by N - 1, and the backward that fits it."""


def parsed(html: str) -> BeautifulSoup:
    """A page or a part of one, whose elements all close in order."""
    page = BeautifulSoup(html, "html.parser")
    written_out = re.sub(r"<(\w+)([^<>]*)/>", r"<\1\2></\1>", html).lower()
    assert re.findall(r"</?\w+", page.decode(formatter="html5")) == re.findall(r"</?\w+", written_out)
    return page


@cache
def solution_lines() -> set[str]:
    """Lines of the solutions that nobody may be handed: all but short ones and those that are given anyway."""
    solved, given = set(), set()
    for text in _texts_with_solutions():
        inside = False
        for line in text.splitlines():
            if "BEGIN SOLUTION" in line or "END SOLUTION" in line:
                inside = "BEGIN SOLUTION" in line
            else:
                (solved if inside else given).add(line.strip())
    return {line for line in solved - given if len(line) > 12}


def _texts_with_solutions() -> Iterator[str]:
    """The reference's files, and all cells of the instructor's notebooks, of every assignment in both languages."""
    for path in FOLDER.glob("*/*/solution.py"):
        yield path.read_text(encoding="utf-8")
    for path in (COURSE / "source").glob("*/*.ipynb"):
        yield from (source_of(cell) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])


@pytest.fixture(autouse=True)
def language_of_its_own() -> Iterator[None]:
    """No test inherits the language that another one chose."""
    yield
    choose_language(None)
    use_language(None)


@pytest.fixture
def english() -> Iterator[None]:
    """What is said is said in English."""
    with speaking("en"):
        yield


@pytest.fixture
def write_notebook(tmp_path):
    """Writes a notebook (a dict, or any text) and gives its path."""

    def write(notebook: dict | str, name: str = "gradient_pathology.ipynb") -> Path:
        path = tmp_path / name
        path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A Jupyter kernel that students use one after the other."""
    from nbclient import NotebookClient
    from nbformat.v4 import new_notebook

    client = NotebookClient(
        new_notebook(),
        timeout=120,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path_factory.mktemp("kernel"))}},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NBGRADER_EXECUTION", raising=False)
        with client.setup_kernel():
            yield client


@pytest.fixture(scope="module")
def graded_here() -> Iterator[None]:
    """Whole classes are graded in this process: others take seconds to start, and what they do is tested elsewhere."""
    from autograder.grading import grade_class
    from tests.class_folder import Inline

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grade_class, "Pool", Inline)
        yield


@pytest.fixture(scope="session")
def reference() -> Reference:
    """The course's own reference."""
    return Reference(COURSE)


def namespace_of(*names: str, reference: Reference) -> dict:
    """What the notebook would define after the solution cells `names`."""
    found = {}
    for exercise in every_exercise():
        if exercise.solution in names:
            implementation: Implementation = reference.implementation(exercise)
            found[exercise.defines] = getattr(implementation, exercise.defines)
    return found
