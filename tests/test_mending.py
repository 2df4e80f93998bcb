"""Mending: whatever happened to a notebook, what is graded is as it was released and answers are where they were."""

from __future__ import annotations

import copy
import json
import os
import re
from dataclasses import replace

import nbformat
import pytest
from conftest import AUTOMATIC, COURSE, draws
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from nbgrader.api import Gradebook

from autograder.grading.gradebook import released_cells
from autograder.nbgrader_plugins.zip_collect.archives import Refused, safe_path
from autograder.notebooks.cells import defined_by, defines, grade_id_of
from autograder.notebooks.load import MAX_NOTEBOOK_BYTES
from autograder.notebooks.mend import mend, released_in
from autograder.notebooks.repair import repair
from autograder.notebooks.submission import (
    UnreadableNotebook,
    choose_notebook,
    no_notebook,
    read_notebook,
    source_of,
    submission_of,
)
from tests.class_folder import ASSIGNMENT, grades_in, hand_in, make_course, nbgrader, times_in, total
from tests.clumsy import CHECKS, FORMAT, NOISE, READABLE, SHAPE, SOLUTIONS, UNREADABLE, Clumsy, by_id
from tests.sample_class import NOTEBOOK, RIGHT, Student, cell_of, code, hurried

RELEASE = json.loads((COURSE / "release/gradient-pathology/gradient_pathology.ipynb").read_text(encoding="utf-8"))
RELEASED = released_in(RELEASE)
DAMAGED = (*NOISE, *SHAPE, *FORMAT)
"""The readable ones but for those that have other cells of the student's own, or files beside them."""

INDISPENSABLE = [name for name, cell in RELEASED.items() if cell.is_indispensable]


def handed_in(case: Clumsy, folder):
    """The notebook as it is read from the submitted folder."""
    path = folder / case.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(case.content(RELEASE))
    chosen, _ = choose_notebook(folder, "gradient_pathology")
    return read_notebook(chosen)


def answered() -> dict:
    """The released notebook with all right answers, of which the plot takes no time."""
    return hurried(Student("s", "right", RIGHT)).notebook(RELEASE)


def newer(**changes) -> dict:
    """What cells were released as after an instructor changed some: grade_id -> fields."""
    return RELEASED | {name: replace(RELEASED[name], checksum="new", **fields) for name, fields in changes.items()}


NEWER = {
    "check_clip_gradients": {"points": 12.0},
    "depth_study_plot": {"points": 5.0, "source": "# another stub"},
    "setup": {"source": RELEASED["setup"].source + "\nmore = 1"},
    "clip_gradients": {"cell_type": "markdown"},
}


@pytest.mark.parametrize("name", NEWER)
def test_what_the_instructor_changed_after_the_release_is_put_right_without_a_word(name):
    notebook, released = answered(), newer(**{name: NEWER[name]})
    assert mend(notebook, released) == []
    cell = cell_of(notebook, name)
    assert cell["metadata"]["nbgrader"] == released[name].mark and cell["cell_type"] == released[name].cell_type
    assert not released[name].locked or source_of(cell) == released[name].source


def test_a_cell_that_the_instructor_added_or_removed_after_the_release_is_no_fault_of_the_students():
    notebook, released = answered(), newer()
    gone = [released.pop(name) for name in ("check_gradient_profile", "gradient_profile")]
    released["own"] = replace(RELEASED["depth_study_plot"], grade_id="own", points=3.0)
    assert mend(notebook, released) == []
    marks = {grade_id_of(cell) for cell in notebook["cells"]}
    assert "own" in marks and marks.isdisjoint(cell.grade_id for cell in gone)
    assert notebook["metadata"]["autograder"]["cells"]["own"] == 3.0


@pytest.mark.parametrize("since", [{}, NEWER], ids=["as released", "changed since"])
@pytest.mark.parametrize(
    ("name", "settings", "source", "words"),
    [
        ("check_clip_gradients", {"points": 99}, None, "settings of cell check_clip_gradients"),
        ("check_clip_gradients", {"checksum": "forged", "points": 99}, None, "settings of cell check_clip_gradients"),
        ("check_clip_gradients", {}, "6.0", "read-only cell check_clip_gradients"),
        ("setup", {}, "nothing = 0", "read-only cell setup"),
        ("setup", {"locked": False}, None, "settings of cell setup"),
    ],
)
def test_what_a_student_changed_is_said_whether_or_not_the_assignment_changed_since(
    since, name, settings, source, words
):
    notebook = answered()
    cell = cell_of(notebook, name)
    cell["metadata"]["nbgrader"] |= settings
    cell["source"] = cell["source"] if source is None else source
    notes = mend(notebook, newer(**since))
    assert any(words in note for note in notes) and all(name in note for note in notes)


def mended(notebook: dict) -> list[str]:
    """The notes of mending, after which the notebook must be as it should, and mending it again changes nothing."""
    notes = mend(notebook, RELEASED)
    assert_as_released(notebook)
    once = copy.deepcopy(notebook)
    assert mend(notebook, RELEASED) == [] and notebook == once
    return notes


def assert_as_released(notebook: dict) -> None:
    nbformat.validate(notebook)
    marks = [grade_id_of(cell) for cell in notebook["cells"]]
    for name in RELEASED:
        assert marks.count(name) == 1 or (name not in INDISPENSABLE and name not in marks)
    assert set(marks) <= {None, *RELEASED}
    for cell in notebook["cells"]:
        released = RELEASED.get(grade_id_of(cell))
        if released:
            assert cell["metadata"]["nbgrader"] == released.mark
            assert cell["cell_type"] == released.cell_type
            assert cell["id"] == released.grade_id
            assert not released.locked or cell["source"] == released.source
        assert cell.get("outputs", []) == []
    json.dumps(notebook, ensure_ascii=False, allow_nan=False).encode("utf-8")


# --- the clumsy -------------------------------------------------------------------------------------------------------


@by_id(DAMAGED)
def test_a_clumsy_notebook_is_as_released_again(case, tmp_path):
    notebook = handed_in(case, tmp_path)
    notes = mended(notebook)
    said = " ".join(notes)
    assert all(word in said for word in case.mended)
    assert bool(notes) == bool(case.mended), notes
    assert submission_of(notebook, "n").missing == () or case.id == "one-cell"


@by_id([case for case in DAMAGED if case.honest])
def test_every_answer_of_an_honest_student_runs_and_none_is_undone_by_a_stub(case, tmp_path):
    notebook = handed_in(case, tmp_path)
    written = [source_of(cell_of(notebook, name)) for name in SOLUTIONS] if case.id == "setup-extended" else ()
    mend(notebook, RELEASED)
    ran = [cell.source for cell in submission_of(notebook, "n").cells_to_run()]
    for text in written or [dict(case.answers)[name] for name in SOLUTIONS]:
        assert any(text.strip() in source for source in ran)
    for exercise in submission_of(notebook, "n").exercises:
        last = [source for source in ran if defines(source, exercise.defines)][-1]
        assert "raise NotImplementedError" not in last


@by_id([case for case in DAMAGED if case.honest and case.id not in ("merged-into-test", "untouched-copy")])
def test_the_shell_which_has_no_gradebook_finds_the_answers_too(case, tmp_path):
    notebook = handed_in(case, tmp_path)
    in_the_shell = submission_of(notebook, "n")
    mend(notebook, RELEASED)
    graded = submission_of(notebook, "n")
    found = [[c.source for c in s.cells_to_run() if c.grade_id in SOLUTIONS] for s in (in_the_shell, graded)]
    assert set(found[1]) <= set(found[0])
    assert not set(in_the_shell.missing) & set(SOLUTIONS) or case.id == "one-cell"


@by_id(DAMAGED)
def test_written_answers_and_plots_stay_in_the_graded_cells(case, tmp_path):
    notebook = handed_in(case, tmp_path)
    mend(notebook, RELEASED)
    if case.id not in ("only-answers", "one-cell"):  # they hold neither
        answers = dict(case.answers)
        assert answers["depth_study_findings"].strip() in cell_of(notebook, "depth_study_findings")["source"]
        assert cell_of(notebook, "depth_study_plot")["source"].strip() == answers["depth_study_plot"].strip()


@by_id(UNREADABLE)
def test_what_is_no_submission_is_refused_in_one_sentence_or_two(case, tmp_path):
    with pytest.raises(UnreadableNotebook, match=case.unreadable) as refusal:
        submission_of(handed_in(case, tmp_path), case.file)
    said = str(refusal.value)
    assert case.file in said and any(advice in said for advice in ("try again", "hand it in again", "download"))


# --- one thing at a time ----------------------------------------------------------------------------------------------


def test_a_good_notebook_needs_no_mending():
    notebook = answered()
    texts = [source_of(cell) for cell in notebook["cells"]]
    assert mended(notebook) == []
    assert [source_of(cell) for cell in notebook["cells"]] == texts


def test_deleted_cells_come_back_where_they_were():
    notebook = answered()
    order = [grade_id_of(cell) for cell in notebook["cells"] if grade_id_of(cell)]
    notebook["cells"] = [cell for cell in notebook["cells"] if grade_id_of(cell) in {None, *SOLUTIONS}]
    mended(notebook)
    assert [grade_id_of(cell) for cell in notebook["cells"] if grade_id_of(cell)] == order


def test_setup_comes_back_before_all_that_needs_it():
    notebook = answered()
    notebook["cells"].remove(cell_of(notebook, "setup"))
    notebook["cells"].insert(0, code("x = np.eye(3)"))
    mended(notebook)
    assert grade_id_of(notebook["cells"][0]) == "setup"


@pytest.mark.parametrize(
    ("written", "said", "kept"), [("my_plot = 1", "below", "my_plot = 1"), ("# できた", "restored", "")]
)
def test_code_that_a_student_wrote_into_a_read_only_cell_is_kept_below_it_and_a_remark_is_not(written, said, kept):
    notebook = answered()
    size = len(notebook["cells"])
    cell_of(notebook, "check_depth_study")["source"] = f'check("depth_study")\n{written}'
    (note,) = mended(notebook)
    assert "check_depth_study" in note and said in note
    place = notebook["cells"].index(cell_of(notebook, "check_depth_study"))
    assert len(notebook["cells"]) == size + bool(kept)
    assert not kept or notebook["cells"][place + 1]["source"].endswith(kept)


def test_an_early_attempt_runs_before_the_answer_and_an_untouched_copy_not_at_all():
    attempt = next(case for case in READABLE if case.id == "copied-answer")
    notebook = json.loads(attempt.content(RELEASE))
    mended(notebook)
    both = [cell["source"] for cell in notebook["cells"] if "def gradient_slope" in cell["source"]]
    assert len(both) == 2 and both[1] == RIGHT["gradient_profile"]

    copied = next(case for case in READABLE if case.id == "untouched-copy")
    notebook = json.loads(copied.content(RELEASE))
    mended(notebook)
    (only,) = [cell["source"] for cell in notebook["cells"] if "def gradient_slope" in cell["source"]]
    assert only == RIGHT["gradient_profile"]


def test_a_solution_with_a_syntax_error_is_recognised_all_the_same():
    notebook = answered()
    broken = cell_of(notebook, "batch_norm")
    broken["source"] = "class BatchNorm(Layer)\n    pass\n"
    broken["metadata"], broken["id"] = {}, "new"
    (note,) = mended(notebook)
    assert "batch_norm" in note and cell_of(notebook, "batch_norm")["source"].startswith("class BatchNorm(Layer)\n")


def test_a_hand_graded_cell_without_mark_id_and_beginning_is_known_by_its_neighbours():
    notebook = answered()
    cell_of(notebook, "depth_study_findings")["source"] = "深いほど勾配は小さい。"
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"], cell["id"] = {}, f"n{number}"
    mended(notebook)
    assert cell_of(notebook, "depth_study_findings")["source"] == "深いほど勾配は小さい。"


def test_a_deleted_hand_graded_cell_is_not_mistaken_for_its_neighbour():
    notebook = answered()
    notebook["cells"].remove(cell_of(notebook, "depth_study_plot"))
    (note,) = mended(notebook)
    assert "depth_study_plot was missing" in note
    assert cell_of(notebook, "depth_study_plot")["source"] == RELEASED["depth_study_plot"].source


def test_repair_keeps_pictures_tags_and_the_language():
    notebook = answered()
    cell = cell_of(notebook, "depth_study_findings")
    cell["attachments"] = {"plot.png": {"image/png": "aGk="}, "odd": 3}
    cell["metadata"]["tags"] = ["a", "a", 3, "b,c"]
    assert repair(notebook) == []
    nbformat.validate(notebook)
    assert cell_of(notebook, "depth_study_findings")["attachments"] == {"plot.png": {"image/png": "aGk="}}
    assert cell_of(notebook, "depth_study_findings")["metadata"]["tags"] == ["a"]
    assert notebook["metadata"]["autograder"] == RELEASE["metadata"]["autograder"]


def test_ten_thousand_cells_take_no_time_to_speak_of():
    notebook = answered()
    notebook["cells"] += [code("x", id="same") for _ in range(10_000)]
    mended(notebook)


# --- any damage -------------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "metadata", "nbgrader", "grade_id", "cell_type", "source", "id", "tags", "language_info"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)
cells = st.integers(0, len(RELEASE["cells"]) - 1)
odd = st.sampled_from([None, 3, "", "x", [], {}, [7], {"a": 1}, "depth_study", "check_depth_study"]) | json_values
fields = st.sampled_from(["id", "cell_type", "metadata", "source", "outputs", "attachments", "execution_count"])
marks = st.sampled_from(["grade_id", "grade", "solution", "locked", "task", "points", "schema_version", "cell_type"])
damage = st.one_of(
    st.tuples(st.just("delete"), cells),
    st.tuples(st.just("copy"), cells, cells),
    st.tuples(st.just("swap"), cells, cells),
    st.tuples(st.just("lose"), cells),
    st.tuples(st.just("set"), cells, fields, odd),
    st.tuples(st.just("mark"), cells, marks, odd),
    st.tuples(st.just("metadata"), cells, st.sampled_from(["nbgrader", "autograder", "tags", "editable"]), odd),
    st.tuples(st.just("type"), cells, st.sampled_from(["code", "markdown", "raw"])),
    st.tuples(st.just("text"), cells, st.text(max_size=20)),
    st.tuples(st.just("junk"), cells, odd),
    st.tuples(st.just("notebook"), st.just(0), st.sampled_from(["metadata", "nbformat", "nbformat_minor", "x"]), odd),
)


def apply(notebook: dict, kind: str, place: int, *details) -> None:
    """Do one kind of damage; nothing where the cell is no longer there to be damaged."""
    cells = notebook["cells"]
    place = min(place, len(cells) - 1)
    if kind == "junk":
        cells.insert(place, copy.deepcopy(details[0]))
    elif kind == "notebook":
        notebook[details[0]] = copy.deepcopy(details[1])
    elif place < 0 or not isinstance(cells[place], dict):
        return
    elif kind == "delete":
        del cells[place]
    elif kind == "copy":
        cells.insert(details[0], copy.deepcopy(cells[place]))
    elif kind == "swap":
        other = min(details[0], len(cells) - 1)
        cells[place], cells[other] = cells[other], cells[place]
    elif kind == "lose":
        cells[place].pop("metadata", None)
    elif kind == "mark":
        metadata = cells[place].get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("nbgrader"), dict):
            metadata["nbgrader"][details[0]] = copy.deepcopy(details[1])
    elif kind == "metadata":
        cells[place]["metadata"] = {details[0]: copy.deepcopy(details[1])}
    else:
        key, value = {"set": details, "type": ("cell_type", *details), "text": ("source", *details)}[kind]
        cells[place][key] = copy.deepcopy(value)


@draws(200, suppress=(HealthCheck.too_slow,))
@given(st.lists(damage, max_size=60), st.booleans())
def test_after_any_damage_every_graded_cell_is_there_exactly_once(tmp_path_factory, damages, from_answers):
    notebook = answered() if from_answers else copy.deepcopy(RELEASE)
    for what in damages:
        apply(notebook, *what)
    notebook = read_notebook(put(tmp_path_factory.getbasetemp(), "n.ipynb", json.dumps(notebook).encode()))
    mended(notebook)
    submission_of(notebook, "n")


@draws(300)
@given(st.lists(json_values, max_size=6), json_values)
def test_any_list_of_anything_becomes_a_notebook(cells, metadata):
    mended({"cells": cells, "metadata": metadata})


# --- which file -------------------------------------------------------------------------------------------------------


def put(folder, name: str, content: bytes | None = None, age: int = 0):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(answered()).encode() if content is None else content)
    os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    return path


@pytest.mark.parametrize("name", ["gradient_pathology.ipynb", "mine.ipynb"])
def test_a_lone_broken_file_is_taken_so_that_reading_it_says_why(tmp_path, name):
    path = put(tmp_path, name, b"cut off")
    chosen, notes = choose_notebook(tmp_path, "gradient_pathology")
    assert chosen == path and len(notes) == (name == "mine.ipynb")


STUB = (COURSE / "release" / "gradient-pathology" / "gradient_pathology.ipynb").read_bytes()


def elsewhere() -> bytes:
    """A notebook of another assignment of this kit: none of the cells that are asked for here."""
    notebook = json.loads(STUB)
    notebook["cells"] = [cell for cell in notebook["cells"] if grade_id_of(cell) == "gradient_monitor"]
    return json.dumps(notebook).replace("raise NotImplementedError", "pass").encode()


@pytest.mark.parametrize(
    ("named", "other", "taken"),
    [
        (b"", "answered", "other"),
        (b'{"cells": [', "answered", "other"),
        (b"%PDF-1.7", "stub", "other"),
        ("stub", "answered", "other"),
        ("lost marks", "answered", "other"),
        (b'{"cells": [], "nbformat": 4}', "stub", "other"),
        ("elsewhere", "stub", "other"),
        ("answered", "stub", "named"),
        ("answered", b"", "named"),
        ("stub", b"", "named"),
        ("answered", "elsewhere", "named"),
        ("answered", "answered", "other"),
        ("stub", "stub", "other"),
        (b"", b"{", "named"),
    ],
)
def test_the_best_of_several_is_taken_whatever_its_name_and_the_rest_is_named(tmp_path, named, other, taken):
    bare = json.loads(STUB)
    for cell in bare["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)
    contents = {"answered": None, "stub": STUB, "elsewhere": elsewhere(), "lost marks": json.dumps(bare).encode()}
    files = {
        "named": put(tmp_path, "gradient_pathology.ipynb", contents.get(named, named), age=10),
        "other": put(tmp_path, "gradient_pathology-Copy1.ipynb", contents.get(other, other)),
    }
    wanted = [f"check_{name}" for name in ("clip_gradients", "depth_study")] + ["clip_gradients", "depth_study"]
    chosen, (note,) = choose_notebook(tmp_path, "gradient_pathology", wanted)
    assert chosen == files[taken]
    assert "gradient_pathology.ipynb" in note and "gradient_pathology-Copy1.ipynb" in note and "Please check" in note


@pytest.mark.parametrize("name", ["gradient_pathology (1).ipynb", "課題.ipynb", "提出/gradient_pathology.ipynb"])
def test_a_renamed_notebook_is_found_and_named(tmp_path, name):
    path = put(tmp_path, name)
    chosen, (note,) = choose_notebook(tmp_path, "gradient_pathology")
    assert chosen == path and name in note and "There is no gradient_pathology.ipynb" in note
    put(tmp_path, "homework_of_another_course.ipynb", b'{"cells": [], "nbformat": 4}', age=-10)
    put(tmp_path, "older/still.ipynb", age=200)
    chosen, (note,) = choose_notebook(tmp_path, "gradient_pathology")
    assert chosen == path and name in note
    assert "homework_of_another_course.ipynb" in note and "older/still.ipynb" in note and "Please check" in note


@pytest.mark.parametrize(
    "name",
    [
        "gradient_pathology.ipynb.json",
        "gradient_pathology.ipynb.txt",
        "Gradient_Pathology.IPYNB",
        "a.Ipynb.TXT",
        "a.b.ipynb",
    ]
    + ["gradient_pathology.txt", "data.json", "ipynb", "a.ipynb.zip", "a.ipynb.json.txt", "a.ipynb_old", "a.ipynb\n"],
)
def test_a_name_is_a_notebooks_where_zip_collect_says_so(tmp_path, name):
    try:
        collected = safe_path(name).suffix == ".ipynb"
    except Refused:
        collected = False
    path = put(tmp_path, name)
    assert choose_notebook(tmp_path, "gradient_pathology")[0] == (path if collected else None)


def test_where_no_notebook_is_found_the_files_that_are_there_are_named(tmp_path):
    assert "but" not in no_notebook(tmp_path, "gradient_pathology")
    for name in ("report.pdf", "data/numbers.csv", "timestamp.txt", ".DS_Store"):
        put(tmp_path, name)
    assert "only data/, report.pdf. Hand in gradient_pathology.ipynb." in no_notebook(tmp_path, "gradient_pathology")
    for number in range(10):
        put(tmp_path, f"{number}.png")
    assert "only 0.png, 1.png, 2.png, 3.png, 4.png, .... Hand" in no_notebook(tmp_path, "gradient_pathology")


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints/a-checkpoint.ipynb", "__MACOSX/a.ipynb", "._a.ipynb", "too/deep/a.ipynb", "a.txt"]
)
def test_copies_that_programs_keep_are_no_submissions(tmp_path, name):
    put(tmp_path, name)
    assert choose_notebook(tmp_path, "gradient_pathology") == (None, [])


def test_links_and_folders_are_no_submissions(tmp_path):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "submitted"
    target = put(elsewhere, "gradient_pathology.ipynb")
    (folder / "folder.ipynb").mkdir(parents=True)
    try:
        (folder / "gradient_pathology.ipynb").symlink_to(target)
        (folder / "inside").symlink_to(elsewhere, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets nobody make links")
    assert choose_notebook(folder, "gradient_pathology") == (None, [])
    assert choose_notebook(tmp_path / "nowhere", "gradient_pathology") == (None, [])


def test_a_file_that_is_too_large_says_so(tmp_path):
    put(tmp_path, "gradient_pathology.ipynb", b" " * (MAX_NOTEBOOK_BYTES + 1))
    with pytest.raises(UnreadableNotebook, match="50 MB"):
        read_notebook(choose_notebook(tmp_path, "gradient_pathology")[0])


# --- through nbgrader -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder whose gradebook knows the assignment."""
    folder = make_course(tmp_path_factory.mktemp("course") / "course", ())
    nbgrader(folder, "generate_assignment", ASSIGNMENT)
    return folder


def autograde(course, *options: str) -> str:
    """What `nbgrader autograde` says."""
    done = nbgrader(course, "autograde", ASSIGNMENT, *options)
    return done.stdout + done.stderr


def scores(course) -> dict[str, float]:
    """Student -> automatic points."""
    return {student: total(grades) for student, grades in grades_in(course / "gradebook.db").items()}


def test_a_gradebook_says_the_same_as_the_released_notebook(course):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        cells = released_cells(gradebook.find_notebook("gradient_pathology", ASSIGNMENT))
    assert list(cells.items()) == list(RELEASED.items())


def test_no_score_of_an_earlier_attempt_stays_and_renamed_notebooks_are_graded(course):
    content = json.dumps(answered()).encode()
    names = {"again": NOTEBOOK, "renamed": "gradient_pathology (1).ipynb", "tidy": f"提出/{NOTEBOOK}"}
    for student, name in names.items():
        hand_in(course, student, {name: content})
    said = autograde(course)
    assert all(re.search(f"{student}: .*{re.escape(names[student])}", said) for student in ("renamed", "tidy"))
    assert scores(course) == dict.fromkeys(names, AUTOMATIC)

    worse = answered()
    for name in SOLUTIONS:
        cell_of(worse, name)["source"] = f"{defined_by()[name]} = None"
    worse["cells"] = [cell for cell in worse["cells"] if grade_id_of(cell) not in CHECKS]
    hand_in(course, "again", {NOTEBOOK: json.dumps(worse).encode()})
    said = autograde(course, "--student=again", "--force")
    assert all(re.search(f"again: .*{name}", said) for name in CHECKS)
    grades = grades_in(course / "gradebook.db")["again"]
    assert {name: grades[name][0] for name in CHECKS} == dict.fromkeys(CHECKS, 0.0)


def test_nbgrader_takes_the_best_and_leaves_nothing_in_submitted(course):
    """What zip_collect and the exchange bring: names of all kinds, a stub beside answers, no notebook, odd times."""
    content, copy_1 = json.dumps(answered()).encode(), "gradient_pathology (1).ipynb"
    time = "2027-01-15 23:00:00 Asia/Tokyo\0".encode("utf-16")
    hand_in(course, "extension", {f"{NOTEBOOK}.json": content})
    hand_in(course, "pdf", {"report.pdf": content})
    hand_in(course, "beside", {copy_1: content, NOTEBOOK: STUB, "timestamp.txt": b"handed in on paper"})
    hand_in(course, "later", {copy_1: STUB, "timestamp.txt": time})
    before = sorted((course / "submitted").rglob("*"))
    said = autograde(course)
    assert sorted((course / "submitted").rglob("*")) == before
    found = scores(course)
    assert [found[student] for student in ("extension", "pdf", "beside", "later")] == [AUTOMATIC, 0.0, AUTOMATIC, 0.0]
    assert re.search(r"pdf: .*report\.pdf", said)
    assert re.search(r"beside: .*gradient_pathology \(1\)\.ipynb.*gradient_pathology\.ipynb", said)
    assert "submitted/beside/gradient-pathology/timestamp.txt cannot be read" in said.replace(os.sep, "/")
    times = times_in(course)
    assert times["beside"] is None and times["later"].startswith("2027-01-15 14:00:00")

    hand_in(course, "later", {"gradient_pathology (2).ipynb": content})
    autograde(course, "--student=later", "--force")
    assert scores(course)["later"] == AUTOMATIC, "nothing of the first hand-in stands in its way"
