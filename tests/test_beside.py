"""Files handed in beside the notebook reach its cells at every level, and nothing else of the folder does."""

from __future__ import annotations

import json
import os
import sys

import pytest
from conftest import SOLUTIONS, code_cell, levels, small_notebook

from autograder.grading.grade_submission import grade_submission
from autograder.notebooks import attachments as beside
from autograder.notebooks.attachments import files_beside
from autograder.notebooks.load import plain_content
from autograder.notebooks.submission import submission_of
from autograder.sandbox.fork_server import Host, HostBroken
from autograder.sandbox.limits import Limits
from tests.class_folder import ASSIGNMENT, command, executed, grade, make_course, many, nbgrader
from tests.sample_class import NOTEBOOK

pytest_plugins = ["pytester"]


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "handed in" / "n.ipynb"
    path.parent.mkdir()
    path.write_text("{}", encoding="utf-8")
    return path


# --- which files ------------------------------------------------------------------------------------------------------


def test_plain_files_are_taken_with_their_content(notebook):
    (notebook.parent / "データ.csv").write_bytes(b"\x00\xff")
    (notebook.parent / "empty.txt").touch()
    assert files_beside(notebook) == {"データ.csv": b"\x00\xff", "empty.txt": b""}


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
def test_links_pipes_folders_notebooks_and_hidden_files_are_not(notebook):
    folder = notebook.parent
    secret = folder.parent / "secret.txt"
    secret.write_text("secret", encoding="ascii")
    (folder / "link.txt").symlink_to(secret)
    (folder / "broken.txt").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "other.ipynb").write_text("{}", encoding="ascii")
    (folder / ".hidden").write_text("x", encoding="ascii")
    (folder / "a\nb").write_text("x", encoding="ascii")
    (folder / os.fsdecode(b"\xff.txt")).write_text("x", encoding="ascii")
    assert files_beside(notebook) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_a_file_that_became_a_link_is_not_followed(notebook):
    link = notebook.parent / "link.txt"
    link.symlink_to(notebook)
    assert plain_content(link, 10) is None


def test_of_too_many_files_those_come_that_the_notebook_mentions(notebook):
    for i in range(beside.MAX_FILES + 20):
        (notebook.parent / f"download{i:03}.txt").write_text("x", encoding="ascii")
    (notebook.parent / "weights.csv").write_text("1", encoding="ascii")
    notebook.write_text('{"cells": [{"source": "np.loadtxt(\'weights.csv\')"}]}', encoding="ascii")
    found = files_beside(notebook)
    assert len(found) == beside.MAX_FILES and "weights.csv" in found


def test_what_is_too_large_is_left_out_and_the_rest_is_taken(notebook, monkeypatch):
    monkeypatch.setattr(beside, "MAX_BYTES", 10)
    for name, size in (("a", 11), ("b", 6), ("c", 5), ("d", 4)):
        (notebook.parent / name).write_bytes(bytes(size))
    assert list(files_beside(notebook)) == ["b", "d"]


# --- in a worker ------------------------------------------------------------------------------------------------------

FILES = {
    "data.csv": b"1,2\n",
    "helper.py": b"from more import TWO\ndef double(x):\n    return TWO * x\n",
    "more.py": b"TWO = 2\n",
    "numpy.py": b"1 / 0\n",
    "json.py": b"1 / 0\n",
    "autograder.py": b"1 / 0\n",
    "large.bin": bytes(4 * 2**20),
}
CELL = """
import importlib, os, sys
from helper import double
import json, numpy, autograder, string, xml
assert double(np.loadtxt("data.csv", delimiter=",")).tolist() == [2, 4]
assert os.path.getsize("large.bin") == 4 * 2**20
open("data.csv", "a").write("3,4\\n")
print("done")
"""


@pytest.fixture(params=levels())
def host(request):
    try:
        with Host(request.param) as host:
            yield host
    except HostBroken as error:
        pytest.skip(str(error)[:100])


def test_cells_read_and_import_them_at_every_level_and_they_hide_nothing(host):
    submission = submission_of(small_notebook(extra=[code_cell(CELL)]), "n")
    for _again in range(2):  # a worker starts with the files as they were handed in
        graded = grade_submission(submission, host=host, files=FILES)
        assert graded.cell_errors == [] and graded.result.score == graded.result.max


def test_a_new_worker_has_them_too():
    cells = [code_cell("import os\nos._exit(0)"), code_cell("from helper import double\nprint(double(2))")]
    graded = grade_submission(submission_of(small_notebook(extra=cells), "n"), files=FILES)
    assert len(graded.cell_errors) == 1 and graded.result.score == graded.result.max


def test_a_name_that_cannot_be_written_costs_nothing():
    files = {"n" * 300: b"", "a/b": b"", "data.csv": b"1\n"}
    extra = [code_cell("assert np.loadtxt('data.csv') == 1")]
    graded = grade_submission(submission_of(small_notebook(extra=extra), "n"), files=files, limits=Limits())
    assert graded.cell_errors == [] and graded.result.score == graded.result.max


# --- in every command -------------------------------------------------------------------------------------------------

USES = "from helper import VALUE\nprint('read', VALUE, float(np.loadtxt('data.csv')))"


def beside_it(folder):
    (folder / "helper.py").write_text("VALUE = 7\n", encoding="utf-8")
    (folder / "data.csv").write_text("5\n", encoding="utf-8")


def texts(notebook):
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return "".join("".join(output.get("text", "")) for output in outputs)


def test_autograder_check_and_pytest_take_them(write_notebook, pytester):
    answer = {"clip_gradients": "from helper import VALUE\n" + SOLUTIONS["clip_gradients"]}
    path = write_notebook(small_notebook(**answer))
    beside_it(path.parent)
    check = command("check", path, environment=os.environ | {"AUTOGRADER_LANG": "en"})
    assert check.returncode == 0, check
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--submission", path, "--pyargs", "autograder")
    assert done.ret == 0


@pytest.mark.skipif(sys.platform != "linux", reason="grading needs Linux")
def test_both_ways_of_grading_take_them_and_follow_no_link(tmp_path, graded_here):
    students = many(1, gradient_profile=many(1)[0].answers["gradient_profile"] + "\n" + USES)
    course = make_course(tmp_path / "course", students)
    folder = course / "submitted" / "s00000" / ASSIGNMENT
    beside_it(folder)
    (folder / "linked.txt").symlink_to(course / "reference" / "secret.txt")
    grade(course)
    assert "read 7 5.0" in texts(executed(course, "s00000"))
    assert "0 graded" in grade(course).stdout
    (folder / "data.csv").write_text("6\n", encoding="utf-8")
    assert "1 graded" in grade(course).stdout, "a file beside the notebook was changed"
    assert "read 7 6.0" in texts(executed(course, "s00000"))

    spies = json.loads((folder / NOTEBOOK).read_text(encoding="utf-8"))
    spies["cells"].append(code_cell("import os\nprint('here:', sorted(os.listdir('.')))"))
    (folder / NOTEBOOK).write_text(json.dumps(spies), encoding="utf-8")
    (folder / "data.csv").write_text("7\n", encoding="utf-8")
    nbgrader(course, "autograde", ASSIGNMENT, "--force")
    shown = texts(executed(course, "s00000"))
    assert "read 7 7.0" in shown
    assert "linked.txt" not in shown.split("here:")[1]
