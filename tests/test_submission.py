"""A notebook as data: what is read, what is refused and how, and which cells run."""

import json
from dataclasses import replace

import pytest
from conftest import AUTOMATIC, COURSE, EXERCISES, SETUP, code_cell, notebook_of, small_notebook

import autograder.notebooks.cells
import autograder.notebooks.submission
from autograder.notebooks.cells import defines
from autograder.notebooks.submission import UnreadableNotebook, digest, read_notebook, submission_of


def read(path):
    return submission_of(read_notebook(path), path.name)


def test_a_submission_names_its_assignment_language_and_exercises(write_notebook):
    submission = read(write_notebook(small_notebook()))
    assert submission.assignment == "gradient-pathology"
    assert submission.language == "en"
    assert submission.missing == ()
    assert {exercise.id for exercise in submission.exercises} == {exercise.id for exercise in EXERCISES}


@pytest.mark.parametrize("says", [{"assignment": "gradient-pathology-en"}, {}])
def test_a_name_that_another_assignment_asks_for_makes_no_submission_of_that(says, write_notebook, monkeypatch):
    other = replace(EXERCISES[0], id="other", solution="other", defines="Other")
    known = {"another": (other,), "gradient-pathology": EXERCISES}
    monkeypatch.setattr(autograder.notebooks.submission, "assignments", lambda: known)
    monkeypatch.setattr(autograder.notebooks.submission, "hand_graded", lambda _assignment: {})
    monkeypatch.setattr(autograder.notebooks.cells, "defined_by", lambda: {"other": "Other"})
    notebook = small_notebook([code_cell("class Other: ...")])
    notebook["metadata"]["autograder"] |= says
    assert read(write_notebook(notebook)).assignment == "gradient-pathology"
    notebook["cells"] = [cell for cell in notebook["cells"] if "nbgrader" not in cell["metadata"]]
    assert read(write_notebook(notebook)).assignment == ("gradient-pathology" if says else "another")


def test_exercises_come_in_the_order_of_their_test_cells(write_notebook):
    notebook = small_notebook()
    notebook["cells"].reverse()
    order = [exercise.id for exercise in read(write_notebook(notebook)).exercises]
    assert order == [exercise.id for exercise in reversed(EXERCISES)]


def test_sources_may_be_strings_or_lines(write_notebook):
    notebook = small_notebook()
    as_strings = read(write_notebook(notebook)).content
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
    assert read(write_notebook(notebook)).content == as_strings


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"nbformat": 3, "worksheets": 7}', "not a Jupyter notebook"),
        ('{"nbformat": 4, "cells": "none"}', "not a Jupyter notebook"),
        (json.dumps(notebook_of([])), "does not belong to any known assignment"),
        (json.dumps(notebook_of([code_cell("1", "exercise_of_another_course"), 7, {"metadata": 3}])), "not belong"),
    ],
)
def test_what_is_no_submission_is_refused_with_a_reason_and_a_way_out(write_notebook, monkeypatch, content, words):
    monkeypatch.setenv("AUTOGRADER_LANG", "en")
    with pytest.raises(UnreadableNotebook, match=words) as refusal:
        read(write_notebook(content))
    assert "gradient_pathology.ipynb" in str(refusal.value)
    assert any(way in str(refusal.value) for way in ("hand it in again", "download the assignment again"))


# --- which cells run ------------------------------------------------------------------------------------------------


def experiment(source):
    return code_cell(source, tags=["experiment"], autograder={"experiment": digest(source)})


def sources_that_run(write_notebook, *extra):
    submission = read(write_notebook(small_notebook(extra=list(extra))))
    return [cell.source for cell in submission.cells_to_run()]


def test_test_cells_are_never_run_and_all_others_are(write_notebook):
    ran = sources_that_run(write_notebook, code_cell("x = 1"))
    assert ran[0] == SETUP and "x = 1" in ran
    assert not any(source.startswith("check(") for source in ran)


@pytest.mark.parametrize(
    "use",
    [
        "print(curve)",
        "def f():\n    return curve",
        "%matplotlib inline\nprint(curve)",
        "files = !ls\nprint(curve)",
        "[curve for _ in range(2)]",
        "class A:\n    b = curve",
    ],
)
def test_an_experiment_that_a_student_builds_on_runs_with_all_it_needs(write_notebook, use):
    cells = [experiment("def helper():\n    return 1"), experiment("curve = helper()"), code_cell(use)]
    ran = sources_that_run(write_notebook, *cells)
    assert [cell["source"] for cell in cells] == ran[-3:]


@pytest.mark.parametrize(
    "use", ["", "curve = 3\nprint(curve)", "def f(curve):\n    return curve", "for curve in []: curve"]
)
def test_an_unaltered_experiment_is_skipped_where_its_names_are_not_used(write_notebook, use):
    assert "curve = 1" not in sources_that_run(write_notebook, experiment("curve = 1"), code_cell(use))
    altered = experiment("curve = 1") | {"source": "curve = 2"}
    assert "curve = 2" in sources_that_run(write_notebook, altered, code_cell(use))


# --- which names code makes and uses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("def f():\n    pass", "f"),
        ("class f(Layer)\n    pass", "f"),
        ("f = lambda x: x", "f"),
        ("%%time\ndef f():\n    return 1", "f"),
        ("if True:\n    def f(): pass", "f"),
        ("!ls\nfrom here import f", "f"),
    ],
)
def test_code_defines_a_name_at_its_top_level(source, name):
    assert defines(source, name)


@pytest.mark.parametrize("source", ["f()", "def g():\n    f = 1", "class A:\n    def f(self): pass", "# def f():", ""])
def test_code_that_only_mentions_a_name_does_not_define_it(source):
    assert not defines(source, "f")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, 7.0),  # no release says so: what stands in the cell
        ({"check_clip_gradients": 12, "setup": None}, 12.0),
        ({"check_clip_gradients": 0.5}, 0.5),
        ({"check_clip_gradients": True}, 7.0),
        ({"check_clip_gradients": float("nan")}, 7.0),
        ({"check_clip_gradients": -1}, 7.0),
        ({"check_clip_gradients": 10**400}, 7.0),
        ("12", 7.0),
        ([["check_clip_gradients", 12]], 7.0),
    ],
)
def test_points_are_those_of_the_release_whatever_stands_in_a_students_metadata(said, expected):
    notebook = small_notebook()
    notebook["metadata"]["autograder"]["cells"] = said
    (cell,) = [c for c in notebook["cells"] if c["metadata"]["nbgrader"]["grade_id"] == "check_clip_gradients"]
    cell["metadata"]["nbgrader"]["points"] = 7
    submission = submission_of(notebook, "x")
    assert submission.points["clip_gradients"] == expected
    assert len(submission.exercises) == (7 if expected == 7.0 else 1)


def test_the_instructors_notebook_needs_no_release_for_its_points():
    notebook = json.loads((COURSE / "source/gradient-pathology/gradient_pathology.ipynb").read_text(encoding="utf-8"))
    assert sum(submission_of(notebook, "x").points.values()) == AUTOMATIC
