"""One verdict in three places: what a notebook's `check` finds, what the shell's does, and what grading shows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nbformat.v4 import new_code_cell

from autograder.checks.results import Outcome
from autograder.notebooks.submission import read_notebook, submission_of
from autograder.report.words import MARKS, points
from tests.class_folder import command
from tests.sample_class import cell_of

if TYPE_CHECKING:
    from nbclient import NotebookClient


def verdicts(checks: dict) -> dict[str, list[str]]:
    """Exercise -> mark and points of the exercise and of its items."""
    return {
        exercise: [points(result["score"], result["max"]), *map(_line, result["items"])]
        for exercise, result in checks.items()
    }


def shown(checks: dict) -> dict[str, list[str]]:
    """The same, as far as reports show it: what passed or waits is folded, and so is an untouched exercise."""
    found = {}
    for exercise, result in checks.items():
        folded = {Outcome.PASSED, Outcome.BLOCKED}
        items = [item for item in result["items"] if item["outcome"] not in folded]
        untouched = all(item["outcome"] == Outcome.NOT_ATTEMPTED for item in result["items"])
        found[exercise] = [points(result["score"], result["max"]), *map(_line, [] if untouched else items)]
    return found


def _line(item: dict) -> str:
    return f"{MARKS[Outcome(item['outcome'])]} {points(item['points'], item['max'])}"


def verdicts_when_graded(notebook: dict, worth: Mapping[str, float]) -> dict[str, list[str]]:
    """What is shown of these exercises, read from the executed notebook's test cells."""
    found = {}
    for exercise, most in worth.items():
        report, score = cell_of(notebook, f"check_{exercise}")["outputs"]
        text = "".join(report["data"]["text/plain"])
        lines = re.findall(r"^  (\S [\d.]+ / [\d.]+)  ", text, re.MULTILINE)
        found[exercise] = [points(float("".join(score["data"]["text/plain"])), most), *lines]
    return found


def checked_in_the_shell(path: Path, target: Path) -> dict:
    """What `autograder check` finds."""
    command("check", path, "--json", target)
    (submission,) = json.loads(target.read_text(encoding="utf-8"))["submissions"].values()
    return submission["checks"]


def checked_in_a_notebook(path: Path, kernel: NotebookClient) -> dict:
    """What `check(...)` finds in a Jupyter kernel that has run the cells that grading runs, but for hand-graded ones.

    What the student before has left there is forgotten first.
    """
    submission = submission_of(read_notebook(path), path.name)
    names = [exercise.id for exercise in submission.exercises]
    cells = [cell.source for cell in submission.cells_to_run() if cell.grade_id not in submission.by_hand]
    last = f"import json\nprint(json.dumps({{name: check(name).result.to_json() for name in {names}}}))"
    kernel.nb.cells = [new_code_cell(source) for source in ["%reset -f", *cells, last]]
    for number, cell in enumerate(kernel.nb.cells):
        kernel.execute_cell(cell, number)
    # A kernel may send what one print prints in several pieces.
    return json.loads("".join(out.text for out in kernel.nb.cells[-1].outputs if out.get("name") == "stdout"))
