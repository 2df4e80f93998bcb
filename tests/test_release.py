"""What leaves the instructor's hands, the release and the students' package, is current and holds no solution."""

import json
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ALL_POINTS, AUTOMATIC, small_notebook, solution_lines

import autograder
from autograder.exercises import assignments, releases
from autograder.notebooks.mend import released_in
from autograder.notebooks.submission import source_of
from source import release
from source.release import COURSE
from tests.class_folder import nbgrader

ASSIGNMENTS = release.assignments()


@pytest.fixture(scope="module")
def secret_lines():
    """The lines to look for; so many that a broken search would be noticed."""
    lines = solution_lines()
    assert len(lines) > 30
    return lines


def leaked(text, secret_lines):
    """The secret lines that stand in `text`, whatever they are indented by."""
    return secret_lines & {line.strip() for line in text.splitlines()}


def cells_of(assignment):
    return json.loads(path_in("release", assignment).read_text(encoding="utf-8"))["cells"]


def path_in(folder, assignment):
    return COURSE / folder / assignment / release.notebook_of(assignment)


def test_the_release_is_what_nbgrader_makes_of_the_source(tmp_path, monkeypatch):
    def here(line, cwd, **_options):
        return nbgrader(cwd, *line[line.index("generate_assignment") :])

    monkeypatch.setattr(release, "subprocess", SimpleNamespace(run=here))  # a process of its own takes seconds to start
    made = release.generate(ASSIGNMENTS, tmp_path)
    assert len(made) == len(ASSIGNMENTS) > 0
    for notebook in made:
        committed = COURSE / "release" / notebook.relative_to(tmp_path)
        assert committed.read_bytes() == notebook.read_bytes(), f"{committed} is old: run `make notebooks`"


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_package_knows_the_marked_cells_of_the_release(assignment):
    notebook = path_in("release", assignment)
    known = release.place_of_marked_cells(assignment).read_text(encoding="utf-8")
    assert known == release.marked_cells(notebook), "they are old: run `make notebooks`"
    released = released_in({"cells": cells_of(assignment)})
    assert released_in(releases(release.kit_assignment(assignment))[assignment]) == released and released


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_release_holds_no_solution(assignment, secret_lines):
    assert [path.name for path in (COURSE / "release" / assignment).iterdir()] == [release.notebook_of(assignment)]
    for cell in cells_of(assignment):
        source = source_of(cell)
        assert not leaked(source, secret_lines)
        assert "BEGIN SOLUTION" not in source and "END SOLUTION" not in source
        assert not cell.get("outputs")


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_exercise_is_released_as_a_stub_with_a_test_cell(assignment):
    marked = [cell for cell in cells_of(assignment) if "nbgrader" in cell["metadata"]]
    cells = {cell["metadata"]["nbgrader"]["grade_id"]: source_of(cell) for cell in marked}
    for exercise in assignments()[release.kit_assignment(assignment)]:
        assert "raise NotImplementedError" in cells[exercise.solution]
        assert cells[f"check_{exercise.id}"] == f'check("{exercise.id}")'


def test_solutions_are_found_where_they_are(secret_lines):
    found = []
    for assignment in ASSIGNMENTS:
        source = path_in("source", assignment).read_text(encoding="utf-8")
        found.append(leaked("\n".join(source_of(cell) for cell in json.loads(source)["cells"]), secret_lines))
    assert set.union(*found) == secret_lines and all(len(lines) > 10 for lines in found)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package that students install."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=COURSE, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_version_stands_in_one_place(wheel):
    project = tomllib.loads((COURSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project and project["dynamic"] == ["version"]
    assert wheel.name.startswith(f"gradient_pathology-{autograder.__version__}-")
    assert metadata_of(wheel)["Version"] == autograder.__version__
    texts = [path.read_text(encoding="utf-8") for path in (COURSE / "autograder").rglob("*.py")]
    assert sum(f'"{autograder.__version__}"' in text for text in texts) == 1


def test_the_students_package_carries_its_license_and_says_that_it_is_typed(wheel):
    metadata = metadata_of(wheel)
    assert (metadata["License-Expression"], metadata.get_all("License-File")) == ("MIT", ["LICENSE"])
    assert metadata["Project-URL"] is None, "no address is made up"
    with zipfile.ZipFile(wheel) as package:
        assert package.read("autograder/py.typed") == b""
        (license_,) = (name for name in package.namelist() if name.endswith(".dist-info/licenses/LICENSE"))
        assert package.read(license_) == (COURSE / "LICENSE").read_bytes()
    assert "the gradient-pathology authors" in (COURSE / "LICENSE").read_text(encoding="utf-8")


def metadata_of(wheel):
    with zipfile.ZipFile(wheel) as package:
        (name,) = (name for name in package.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(package.read(name))


def test_the_students_package_holds_no_solution(wheel, secret_lines):
    with zipfile.ZipFile(wheel) as package:
        names = package.namelist()
        assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"autograder"}
        assert any(name.startswith("autograder/exercises/recordings/") for name in names)
        for name in names:
            assert not leaked(package.read(name).decode("utf-8", "replace"), secret_lines), name


def test_a_notebook_is_checked_where_only_the_students_package_is_installed(wheel, tmp_path, write_notebook):
    """An environment with the wheel, and with what it depends on borrowed from this one, but without the course."""
    environment = tmp_path / "env"
    venv.create(environment, with_pip=False, symlinks=sys.platform != "win32")
    layout = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", layout))
    with zipfile.ZipFile(wheel) as package:
        package.extractall(packages)
    # A path in a .pth file lends its packages; the editable install of this course, a .pth there, is not followed.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    python = Path(sysconfig.get_path("scripts", "venv", layout)) / "python"

    def run(*arguments):
        return subprocess.run(
            [python, "-I", *arguments], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
        )

    assert run("-c", "import reference").returncode != 0
    assert str(packages) in run("-c", "import autograder; print(autograder.__file__)").stdout
    done = run("-m", "autograder", "check", str(write_notebook(small_notebook())))
    assert done.returncode == 0 and f"{AUTOMATIC:g} / {ALL_POINTS:g}" in done.stdout
    assert done.stderr.startswith("Running the notebook") and done.stderr.count("\n") == 1
