"""The author guide's worked example, carried out as it is written, in a copy of this repository."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import solution_lines

from autograder.notebooks.submission import source_of
from source.build import editions, lessons
from source.release import COURSE
from tests.sample_class import ASSIGNMENT, NOTEBOOK

GUIDE = (COURSE / "docs" / "author.md").read_text(encoding="utf-8")
EXAMPLE = GUIDE.split("## Add an exercise\n")[1].split("\n## ")[0]
EXERCISE = "weight_update_ratio"
BLOCK = re.compile(r"(?ms)^(?:(?P<heading>[^\n]+:)\n\n)?```\w+\n(?P<text>.*?)^```$")


@dataclass(frozen=True)
class Step:
    """A fenced block, and the sentence above it that says what to do with it (none above commands)."""

    heading: str
    text: str


def steps() -> Iterator[Step]:
    for block in BLOCK.finditer(EXAMPLE):
        yield Step(block["heading"] or "", block["text"])


def text_below(heading: str) -> str:
    """The one block below the sentence that begins with `heading`."""
    (text,) = (step.text for step in steps() if step.heading.startswith(heading))
    return text


class Copy:
    """A copy of the repository, with an environment of its own that borrows what this one has installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        unwanted = shutil.ignore_patterns(".*", "__pycache__", "demo", "exchange", "secret.txt", "*.db")
        shutil.copytree(COURSE, folder, ignore=unwanted)
        environment = folder / ".venv"
        venv.create(environment, with_pip=False, symlinks=sys.platform != "win32")
        layout = {"base": str(environment), "platbase": str(environment)}
        packages = Path(sysconfig.get_path("purelib", "venv", layout))
        # Paths in a .pth file lend their packages; the editable install of this course, a .pth there, is not followed.
        (packages / "borrowed.pth").write_text(f"{folder}\n{sysconfig.get_path('purelib')}\n")
        self._scripts = Path(sysconfig.get_path("scripts", "venv", layout))
        command = self._scripts / "autograder"
        command.write_text(f'#!/bin/sh\nexec "{self._scripts}/python" -m autograder "$@"\n')
        command.chmod(0o755)
        (environment / "ready").touch()  # for make: everything is installed

    def carry_out(self, step: Step) -> None:
        """Do what the guide says."""
        match re.findall("`([^`]+)`", step.heading):
            case [] if not step.heading:
                self.run("sh", "-e", "-c", step.text)
            case [name] if step.heading.startswith("New file"):
                path = self.folder / name
                assert not path.exists()
                path.parent.mkdir(exist_ok=True)
                path.write_text(step.text, encoding="utf-8")
            case [name, line] if "below the line" in step.heading:
                path = self.folder / name
                lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
                (place,) = (number for number, here in enumerate(lines, start=1) if here.strip() == line)
                path.write_text("".join([*lines[:place], step.text, *lines[place:]]), encoding="utf-8")

    def run(self, *command: str, ends_with: int = 0) -> str:
        """What `command` prints; it ends with the exit code `ends_with`."""
        path = os.pathsep.join([str(self._scripts), sysconfig.get_path("scripts"), os.environ["PATH"]])
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | {"PATH": path, "AUTOGRADER_LANG": "en", "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert done.returncode == ends_with, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def answered(self, answer: str) -> Path:
        """The released notebook, with `answer` in the new exercise's cell."""
        notebook = json.loads((self.folder / "release" / "gradient-pathology" / NOTEBOOK).read_text(encoding="utf-8"))
        (cell,) = (c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == EXERCISE)
        cell["source"] = answer
        path = self.folder / NOTEBOOK
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return path

    def score(self, answer: str) -> float:
        """What the new exercise earns in the released notebook, which does none of the others."""
        target = self.folder / "result.json"
        notebook = self.answered(answer)
        self.run("autograder", "check", str(notebook), "--json", str(target), ends_with=1)
        (submission,) = json.loads(target.read_text(encoding="utf-8"))["submissions"].values()
        assert {name for name, check in submission["checks"].items() if check["score"]} <= {EXERCISE}
        return submission["checks"][EXERCISE]["score"]


carried_out = pytest.mark.slow  # all steps, an audit and several commands among them, in a copy of the repository


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Copy:
    """The copy after all steps of the guide."""
    if shutil.which("make") is None or shutil.which("sh") is None:
        pytest.skip("the guide's commands need make and a shell")
    copy = Copy(tmp_path_factory.mktemp("author") / "course")
    for step in steps():
        copy.carry_out(step)
    return copy


def reference() -> str:
    return text_below(f"New file `reference/gradient_pathology/{EXERCISE}/solution.py`").split("# %%\n")[1]


def test_every_block_of_the_example_is_carried_out_or_compared():
    assert len(list(steps())) == EXAMPLE.count("\n```") / 2
    compared = [step.heading for step in steps() if "`" not in step.heading and step.heading]
    assert compared == ["With this in the cell:"]


def test_an_exercise_takes_four_files():
    files = {name for step in steps() for name in re.findall("`([^`]+/[^`]+)`", step.heading)}
    assert len(files) == len([step for step in steps() if "/" in step.heading]) == 4


@carried_out
def test_the_audit_has_met_the_new_mistakes(copy):
    content = json.loads((copy.folder / "audit.json").read_text(encoding="utf-8"))
    assert content["passed"] and content["causes"]["passed"]
    assert {check.split(".")[0] for check in content["only_caught_by"]} == {EXERCISE}
    assert len(content["catches"]) == len(content["causes"]["right"]) == EXAMPLE.count("\nfails = ") > 0
    assert content["right"] == 1 + EXAMPLE.count("\n[ratio-") - EXAMPLE.count("\nfails = ") > 1


@carried_out
@pytest.mark.parametrize("edition", [e for e in editions().values() if e.text == lessons()[ASSIGNMENT]], ids=str)
def test_the_release_holds_the_new_exercise_and_no_solution(copy, edition):
    path = copy.folder / "release" / edition.assignment / NOTEBOOK
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    marked = {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in cells if "nbgrader" in cell["metadata"]}
    stub, check = source_of(marked[EXERCISE]), marked[f"check_{EXERCISE}"]
    assert "raise NotImplementedError" in stub and "norm" not in stub
    assert (source_of(check), check["metadata"]["nbgrader"]["points"]) == (f'check("{EXERCISE}")', 3)
    lines = {line.strip() for cell in cells for line in source_of(cell).splitlines()}
    solved = reference().split("BEGIN SOLUTION\n")[1].split("### END")[0].strip()
    assert not lines & ({line.strip() for line in solved.splitlines()} | solution_lines())


@carried_out
def test_everything_that_is_new_is_translated(copy):
    assert copy.run("python", "source/translation.py") == copy.run("python", "source/catalogue.py") == ""


@carried_out
def test_a_right_answer_has_all_points_and_a_wrong_one_is_told_what_the_guide_shows(copy):
    wrong = text_below("With this in the cell:")
    assert (copy.score(reference()), copy.score(wrong)) == (3.0, 1.0)
    asked = f"import numpy as np\nfrom autograder import check\n{wrong}\nprint(repr(check({EXERCISE!r})))"
    assert copy.run("python", "-c", asked) == text_below('`check("weight_update_ratio")` says:')
