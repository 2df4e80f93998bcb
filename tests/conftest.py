"""What test files share: the course folder, the reference's solution cells, and small notebooks made of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.exercises import assignments
from autograder.exercises.exercise import Implementation
from autograder.i18n import choose_language, use_language
from autograder.oracle import Reference
from autograder.submission import source_of

COURSE = Path(__file__).resolve().parents[1]
EXERCISES = assignments()["gradient-pathology"]
SETUP = """\
import matplotlib.pyplot as plt
import numpy as np
from autograder import check, use_language, waiting_for
from autograder.layers import *
"""

SLOW = (
    "hostile",
    "clumsy",
    "exercises",
    "demo",
    "audit",
    "author_guide",
    "browser",
    "grade",
    "interrupted",
    "mending",
    "report",
    "rare_mistakes",
)
"""The test files that take longest; they go first, so that no process has to wait for another at the end."""


def pytest_configure() -> None:
    """Tests, and all that they start, speak English where they don't say otherwise, whoever runs them."""
    os.environ.pop("AUTOGRADER_LANG", None)
    os.environ["LANGUAGE"] = "en"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring slow files to the front."""
    places = {f"test_{name}": place for place, name in enumerate(SLOW)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def solution_source(name: str) -> str:
    """The reference's text of the solution cell `name`."""
    return (COURSE / "reference" / "gradient_pathology" / f"{name}.py").read_text(encoding="utf-8").split("\n# %%\n")[1]


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
    """The reference's files, and all cells of the instructor's notebooks in both languages."""
    for path in (COURSE / "reference").glob("gradient_pathology/*.py"):
        yield path.read_text(encoding="utf-8")
    for path in (COURSE / "source").glob("*/gradient_pathology.ipynb"):
        yield from (source_of(cell) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])


@pytest.fixture(autouse=True)
def language_of_its_own() -> Iterator[None]:
    """No test inherits the language that another one chose."""
    yield
    choose_language(None)
    use_language(None)


@pytest.fixture
def write_notebook(tmp_path):
    """Writes a notebook (a dict, or any text) and gives its path."""

    def write(notebook: dict | str, name: str = "gradient_pathology.ipynb") -> Path:
        path = tmp_path / name
        path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def reference() -> Reference:
    """The course's own reference."""
    return Reference(COURSE)


def namespace_of(*names: str, reference: Reference) -> dict:
    """What the notebook would define after the solution cells `names`."""
    found = {}
    for exercise in EXERCISES:
        if exercise.solution in names:
            implementation: Implementation = reference.implementation(exercise)
            found[exercise.defines] = getattr(implementation, exercise.defines)
    return found
