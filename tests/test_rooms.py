"""The rooms of the package: each imports from those below it alone, and only public names stand at the top."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import autograder

PACKAGE = Path(autograder.__file__).parent
ROOMS = (
    "locale",
    "layers",
    "checks",
    "exercises",
    "notebooks",
    "sandbox",
    "report",
    "grading",
    "student",
    "nbgrader_plugins",
    "cli",
)
"""From the bottom up."""

MOST_LINES = 400


def imported_by(path: Path) -> Iterator[str]:
    """The rooms that a module imports from, inside its functions too; what the package itself offers is no room."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module="autograder", names=names):
                yield from (name.name for name in names if name.name in ROOMS)
            case ast.ImportFrom(module=str(module)) if module.startswith("autograder."):
                yield module.split(".")[1]
            case ast.Import(names=names):
                yield from (name.name.split(".")[1] for name in names if name.name.startswith("autograder."))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_from_those_below_it(room):
    below = {*ROOMS[: ROOMS.index(room) + 1]}
    modules = [*PACKAGE.glob(f"{room}/**/*.py"), *PACKAGE.glob(f"{room}.py")]
    assert modules
    upwards = {(path.name, other) for path in modules for other in imported_by(path) if other not in below}
    assert not upwards


def test_imports_are_found_wherever_they_stand(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import autograder.cli.check\nfrom autograder import __version__, report\ndef f():\n"
        "    from autograder.grading.job import Grader\n"
    )
    assert sorted(imported_by(path)) == ["cli", "grading", "report"]


def test_the_top_holds_public_names_only():
    top = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()} - {"__pycache__"}
    assert top == {*ROOMS, "__init__", "__main__"}


def test_no_module_is_too_long_to_read():
    assert not [
        path.name for path in PACKAGE.rglob("*.py") if path.read_text(encoding="utf-8").count("\n") > MOST_LINES
    ]
