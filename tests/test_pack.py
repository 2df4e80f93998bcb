"""`autograder pack`: what is in the zip file, what it warns of, and that `nbgrader zip_collect` takes it."""

import json
import re
import unicodedata
import zipfile

import pytest
from conftest import ALL_POINTS, AUTOMATIC, COURSE, code_cell, small_notebook
from test_zip_collect import ASSIGNMENT, NB, zip_collect  # noqa: F401  (a fixture)

from autograder import cli
from autograder.exercises import hand_graded
from autograder.notebooks.cells import checksum_of
from autograder.notebooks.submission import submission_of
from autograder.student.pack import hand_graded_state, package_of, write_zip
from tests.sample_class import Student, cell_of, reference

RELEASE = COURSE / "release"
PLOT, FINDINGS = hand_graded(ASSIGNMENT)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pack(capsys):
    """Runs the command in English: (exit code, what it printed)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ending:
            cli.main(["pack", *map(str, arguments), "--lang", "en"])
        printed = capsys.readouterr()
        return ending.value.code, printed.out + printed.err

    return run


def hand_cell(name, source="plt.plot([1])", **mark):
    mark = {"grade_id": name, "grade": True, "solution": True, "locked": False, "points": 2, **mark}
    return {**code_cell(source), "metadata": {"nbgrader": mark}}


def finished(extra=(), **solutions):
    """A notebook with everything done, run from top to bottom."""
    notebook = small_notebook([hand_cell(PLOT), hand_cell(FINDINGS, "'I saw it'"), *extra], **solutions)
    for number, cell in enumerate(notebook["cells"], 1):
        cell["execution_count"] = number
    return notebook


def names(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


@pytest.mark.parametrize("named", [True, False])
def test_finished_work_is_packed_as_it_is_without_a_warning(write_notebook, pack, named):
    notebook = write_notebook(finished(), "my work.ipynb" if named else NB)
    code, said = pack(*([notebook] if named else []))
    assert code == 0 and "!" not in said
    assert (
        f"So far: {AUTOMATIC:g} / {ALL_POINTS:g} points. To be graded by a person: {PLOT} (2), {FINDINGS} (2)." in said
    )
    with zipfile.ZipFile("gradient_pathology.zip") as archive:
        assert archive.namelist() == [NB]
        assert archive.read(NB) == notebook.read_bytes()


def test_the_same_work_gives_the_same_bytes(write_notebook, pack, tmp_path):
    notebook = write_notebook(finished([code_cell("open('b.txt'), open('a.txt')")]))
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(name)
    pack(notebook, "--out", "1.zip")
    for path in (notebook, tmp_path / "a.txt"):
        path.write_bytes(path.read_bytes())  # saved again: another time
    pack(notebook, "--out", "2.zip")
    assert names("1.zip") == [NB, "a.txt", "b.txt"]
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_files_that_are_used_go_along_and_others_are_named(write_notebook, pack, tmp_path):
    notebook = write_notebook(finished([code_cell("import helper")]))
    files = {"helper.py": "import json\ntable = open('numbers.csv').read()", "numbers.csv": "1", "diary.txt": "secret"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    _code, said = pack(notebook)
    assert names("gradient_pathology.zip") == [NB, "helper.py", "numbers.csv"]
    assert "Left out" in said and "diary.txt" in said and "ended with an error" not in said
    pack(notebook, "--add", "diary.txt")  # and what was packed before does not go along
    assert names("gradient_pathology.zip") == [NB, "diary.txt", "helper.py", "numbers.csv"]


def test_the_archive_of_last_time_is_not_packed(write_notebook, pack, tmp_path):
    write_notebook(finished([code_cell("name = 's1234567'")]))
    for _time in range(2):
        code, said = pack("--student", "s1234567")
        assert code == 0, said
        assert names(tmp_path / "s1234567.zip") == ["gradient_pathology.ipynb"]


def test_archives_of_other_times_are_no_news(write_notebook, tmp_path):
    path = write_notebook(finished([code_cell("name = 's1'")]))
    for earlier in ("s1.zip", "trial.zip"):
        write_zip(package_of(path, archive=tmp_path / earlier))
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr(NB, "{}")  # now
    for name, content in {
        "empty.zip": b"PK\5\6" + bytes(18),
        "torn.zip": b"PK",
        "odd.zip": b"PK\5\6" + b"\x7f" * 18,
    }.items():
        (tmp_path / name).write_bytes(content)
    package = package_of(path)
    assert (set(package.files), package.left_out) == (set(), ("empty.zip", "odd.zip", "other.zip", "torn.zip"))
    assert set(package_of(path, wanted=("s1.zip",)).files) == {"s1.zip"}


def test_a_renamed_notebook_is_spoken_of_in_its_language_and_by_its_name(write_notebook, monkeypatch, capsys):
    monkeypatch.setenv("LANGUAGE", "ja")
    write_notebook(finished(), "mine.ipynb")
    with pytest.raises(SystemExit) as ending:
        cli.main(["pack"])
    said = capsys.readouterr()
    assert ending.value.code == 0 and (said.out + said.err).isascii()
    assert "There is no gradient_pathology.ipynb; mine.ipynb was used" in said.out
    assert "Packed: mine.ipynb (as gradient_pathology.ipynb)\n" in said.out
    assert names("gradient_pathology.zip") == [NB]


DECOMPOSED = unicodedata.normalize("NFD", "が.csv")


@pytest.mark.parametrize(
    ("source", "files", "packed"),
    [
        ("x, layers = 1, 2\nname = 'part_1' + '.csv'", ("x.txt", "x.py", "layers.csv", "part_1.csv"), ["part_1.csv"]),
        (
            "sources = ['my-data.csv', 'data.csv.gz']",
            ("data.csv", "my-data.csv", "data.csv.gz", "notes.txt"),
            ["data.csv.gz", "my-data.csv"],
        ),
        ("name = 'が.csv'", (DECOMPOSED,), [DECOMPOSED]),
    ],
    ids=["a variable is no file", "a part of another name is no mention", "however its characters are composed"],
)
def test_files_are_those_that_the_notebook_names(write_notebook, pack, tmp_path, source, files, packed):
    for name in files:
        (tmp_path / name).write_text("x")
    _code, said = pack(write_notebook(finished([code_cell(source)])))
    assert names("gradient_pathology.zip") == [NB, *packed]
    left_out = {name for name in files if name.endswith((".csv", ".txt"))} - {*packed}
    assert all(re.search(rf"(?<![\w-]){re.escape(name)}", said) for name in left_out)


def test_the_clean_run_has_nothing_but_what_is_packed(write_notebook, pack, tmp_path):
    (tmp_path / "data_1.csv").write_text("1")
    code, said = pack(write_notebook(finished([code_cell("open(f'data_{1}.csv')")])))
    assert code == 1 and "FileNotFoundError" in said and "data_1.csv" in said


@pytest.mark.parametrize("edition", ["gradient-pathology", "gradient-pathology-en"])
def test_of_a_notebook_as_it_was_handed_out_everything_is_named(pack, edition):
    code, said = pack(RELEASE / edition / NB)
    assert code == 1
    assert "Not started yet: clip_gradients" in said and "depth_study." in said
    assert f"Graded by hand, but still empty: {PLOT}, {FINDINGS}." in said
    assert "has no outputs" in said
    assert names("gradient_pathology.zip") == [NB]


@pytest.mark.parametrize("edition", ["gradient-pathology", "gradient-pathology-en"])
def test_the_hand_graded_cells_are_those_of_the_release(edition):
    cells = json.loads((RELEASE / edition / NB).read_text(encoding="utf-8"))["cells"]
    marks = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    released = {m["grade_id"]: m["points"] for m in marks if m.get("grade") and m.get("solution")}
    assert list(hand_graded(ASSIGNMENT).items()) == list(released.items())


def without_marks(notebook):
    """As editors leave it that drop all metadata and ids."""
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)
    return notebook


@pytest.mark.parametrize("edition", ["gradient-pathology", "gradient-pathology-en"])
@pytest.mark.parametrize("lose", [without_marks, lambda notebook: notebook], ids=["without marks", "as it is"])
def test_hand_graded_cells_are_seen_as_grading_sees_them(edition, lose):
    def release():
        return json.loads((RELEASE / edition / NB).read_text(encoding="utf-8"))

    assert state_of(lose(release())) == ([], [PLOT, FINDINGS])
    students = Student("s", "", answers={PLOT: reference(PLOT), FINDINGS: "The gradients vanish."})
    assert state_of(lose(students.notebook(release()))) == ([], [])


def state_of(notebook):
    return hand_graded_state(notebook, submission_of(notebook, NB))


def test_a_hand_graded_cell_that_was_deleted_is_missing():
    notebook = json.loads((RELEASE / ASSIGNMENT / NB).read_text(encoding="utf-8"))
    notebook["cells"].remove(cell_of(notebook, PLOT))
    assert state_of(notebook) == ([PLOT], [FINDINGS])


def test_what_students_do_not_write_in_is_never_called_empty():
    """An instructor's own test cell is locked, and a task is answered in other cells."""
    notebook = json.loads((RELEASE / ASSIGNMENT / NB).read_text(encoding="utf-8"))
    for name, mark in (("own_test", {"locked": True, "grade": True}), ("own_task", {"locked": True, "task": True})):
        mark = {"grade": False, "solution": False, "task": False, **mark, "grade_id": name, "points": 1}
        cell = {"cell_type": "markdown", "metadata": {"nbgrader": mark}, "source": "Look."}
        mark |= {"schema_version": 3, "cell_type": "markdown"}
        mark["checksum"] = checksum_of(cell)
        notebook["cells"].append(cell)
    contents = notebook["metadata"]["autograder"]["cells"]
    contents |= {"own_test": 1.0, "own_task": 1.0}
    assert {"own_test", "own_task"} <= set(submission_of(notebook, NB).by_hand)
    assert state_of(notebook) == ([], [PLOT, FINDINGS])


def test_what_is_missing_or_wrong_is_named_and_packed_all_the_same(write_notebook, pack):
    notebook = finished(
        [code_cell("nowhere")], clip_gradients="def clip_gradients(layers, max_norm=1.0):\n    return 0, 1"
    )
    gone = {FINDINGS, "check_depth_study"}
    notebook["cells"] = [c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") not in gone]
    code, said = pack(write_notebook(notebook))
    assert code == 1
    assert "Not finished yet: clip_gradients (" in said
    assert "NameError: name 'nowhere' is not defined" in said
    assert f"graded by hand are missing: {FINDINGS}." in said
    assert 'check("depth_study")' in said
    assert "do not come from one run" in said
    assert names("gradient_pathology.zip") == [NB]


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        ("{", [], NB),
        ('{"cells": [], "nbformat": 4, "metadata": {}}', [], NB),
        (None, [], "autograder pack NOTEBOOK"),
        (finished(), ["--student", "../evil"], "--student"),
        (finished(), ["--student", "a b"], "--student"),
        (finished(), ["--student", ""], "--student"),
        (finished(), ["--out", "nowhere/x.zip"], "x.zip"),
        (finished(), ["--add", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_what_cannot_be_packed_is_refused_with_the_reason(write_notebook, pack, tmp_path, content, arguments, words):
    if content is not None:
        write_notebook(content)
    code, said = pack(*arguments)
    assert code == 2 and words in said and said.count("\n") == 1
    assert not list(tmp_path.glob("*.zip"))


def test_the_notebook_is_not_written_over(write_notebook, pack):
    notebook = write_notebook(finished())
    before = notebook.read_bytes()
    assert pack(notebook, "--out", notebook)[0] == 2
    assert notebook.read_bytes() == before


# --- the instructor's side --------------------------------------------------------------------------------------------


def test_zip_collect_takes_the_files_along_but_no_time_of_the_students_own(
    zip_collect,  # noqa: F811
    pack,
    write_notebook,
    tmp_path,
):
    notebook = write_notebook(finished([code_cell("open('data.csv'), open('timestamp.txt')")]))
    (tmp_path / "data.csv").write_text("1,2")
    (tmp_path / "timestamp.txt").write_text("2000-01-01 00:00:00")
    pack(notebook, "--student", "aoki")
    assert names("aoki.zip") == [NB, "data.csv", "timestamp.txt"]
    submitted = zip_collect({"aoki.zip": (tmp_path / "aoki.zip").read_bytes()})
    assert submitted == {
        f"aoki/{ASSIGNMENT}/{NB}": notebook.read_text(),
        f"aoki/{ASSIGNMENT}/data.csv": "1,2",
    }


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("s1234567.zip", "s1234567"),
        ("Taro Yamada_12_assignsubmission_file_/gradient_pathology.zip", "Taro Yamada"),
        ("leebo_12345_67890_gradient_pathology.zip", "leebo_12345"),
    ],
)
def test_zip_collect_takes_the_students_name_from_the_lms(zip_collect, pack, write_notebook, tmp_path, name, student):  # noqa: F811
    pack(write_notebook(finished()), "--out", tmp_path / "work.zip")
    submitted = zip_collect({name: (tmp_path / "work.zip").read_bytes()})
    assert list(submitted) == [f"{student}/{ASSIGNMENT}/{NB}"]
