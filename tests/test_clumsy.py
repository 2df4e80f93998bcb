"""All clumsy notebooks as one class: everybody is graded, nobody pays for a mishap."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest
from conftest import code_cell, small_notebook

from autograder.grading.course import Course
from autograder.grading.grade_class import grade_class
from autograder.grading.job import Settings
from autograder.grading.result_file import stored_results
from autograder.locale import speaking
from autograder.notebooks.submission import UnreadableNotebook, read_notebook, submission_of
from autograder.sandbox.client import Figures, run_submission
from autograder.sandbox.fork_server import Host
from autograder.sandbox.limits import Limits
from source.release import COURSE
from tests.class_folder import ASSIGNMENT, executed, grades_in, make_course, total
from tests.clumsy import CLUMSY, READABLE, UNREADABLE, by_id
from tests.sample_class import NOTEBOOK, POINTS

FULL = sum(POINTS.values())
LIMITS = Limits(cell_seconds=2.0, probe_seconds=5.0, total_seconds=90.0)
"""Quick, since some of them wait for a cell to be stopped."""


WITH_EXPERIMENTS = "colab"
"""The notebook that keeps the first of the lesson's experiments; it has lost their marks, so that they run."""

EXPERIMENTS = 8


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The class, graded at the best level there is here."""
    folder = make_course(tmp_path_factory.mktemp("clumsy") / "course", ())
    release = json.loads((COURSE / "release" / ASSIGNMENT / NOTEBOOK).read_text(encoding="utf-8"))
    experiments = [cell for cell in release["cells"] if "experiment" in cell["metadata"].get("tags", ())]
    tasks = [cell for cell in release["cells"] if cell not in experiments]
    some = [cell for cell in release["cells"] if cell not in experiments[EXPERIMENTS:]]
    for case in CLUMSY:
        target = folder / "submitted" / case.id / ASSIGNMENT
        content = case.content(release | {"cells": some if case.id == WITH_EXPERIMENTS else tasks})
        content = content.replace(b"X, t),", b"X, t, steps=2),")  # a plot in a moment
        for name, file in ((case.file, content), *case.beside):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(file)
    before, language = os.getcwd(), os.environ.get("AUTOGRADER_LANG")
    os.environ["AUTOGRADER_LANG"] = "en"  # grader processes inherit it
    try:
        with Host() as host:
            level = host.level
        settings = Settings(folder, level, Figures.NONE, LIMITS)
        course = Course(folder)
        summary = grade_class(course, ASSIGNMENT, settings, jobs=2)
        results = {student: stored.result for student, stored in stored_results(course, ASSIGNMENT)}
    finally:
        os.chdir(before)
        os.environ.pop("AUTOGRADER_LANG")
        if language is not None:
            os.environ["AUTOGRADER_LANG"] = language
    return SimpleNamespace(folder=folder, summary=summary, results=results, grades=grades_in(folder / "gradebook.db"))


def printed(graded, student):
    """What the student's cells printed, and the errors they ended with."""
    outputs = [output for cell in executed(graded.folder, student)["cells"] for output in cell.get("outputs", [])]
    texts = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
    return texts, [f"{output['ename']}: {output['evalue']}" for output in outputs if output["output_type"] == "error"]


def test_everybody_is_graded_and_nobody_is_lost(graded):
    everybody = {case.id for case in CLUMSY}
    assert graded.summary.broken == {}
    assert graded.results.keys() == graded.grades.keys() == everybody
    assert graded.summary.graded == len(everybody)


@by_id([case for case in READABLE if case.honest])
def test_the_honest_have_all_points(graded, case):
    lost = {
        name: [item["message"] for item in check["items"] if item["outcome"] != "passed"]
        for name, check in graded.results[case.id]["checks"].items()
        if check["score"] < check["max"]
    }
    assert lost == {} and total(graded.grades[case.id]) == FULL, printed(graded, case.id)[1]


@by_id([case for case in READABLE if case.prints])
def test_what_works_in_jupyter_works_in_a_worker(graded, case):
    texts, errors = printed(graded, case.id)
    assert errors == [] and case.prints in texts


@by_id(READABLE)
def test_every_mend_is_listed(graded, case):
    notes = graded.results[case.id]["mended"]
    assert all(word in " ".join(notes) for word in case.mended)
    assert bool(notes) == bool(case.mended or case.file != NOTEBOOK), notes


def reason_of(graded, case):
    """Why the notebook cannot be read, in the language of the class."""
    path = graded.folder / "submitted" / case.id / ASSIGNMENT / case.file
    with speaking("ja"), pytest.raises(UnreadableNotebook) as refusal:
        submission_of(read_notebook(path), path.name)
    return str(refusal.value).replace(f"{path.parent}/", "")


@by_id(UNREADABLE)
def test_the_unreadable_have_no_points_a_reason_and_a_flag(graded, case):
    result = graded.results[case.id]
    assert total(graded.grades[case.id]) == 0 and result["status"] == "failed"
    assert result["message"] == reason_of(graded, case) and "\n" not in result["message"]
    look = graded.summary.looks[case.id]
    assert look.startswith("Could not be graded; ask the student") and f"“{result['message']}”" in look
    cells = executed(graded.folder, case.id)["cells"]
    assert any(result["message"] in "".join(cell["source"]) for cell in cells), "the feedback page says why"


def test_only_the_unreadable_are_flagged(graded):
    assert graded.summary.looks.keys() == {case.id for case in UNREADABLE}


# --- cells ------------------------------------------------------------------------------------------------------------


def outputs_of(*sources):
    """The outputs of cells that run one after the other."""
    cells = [code_cell(source) for source in sources]
    submission = submission_of(small_notebook(extra=cells), "n")
    run = run_submission(submission, {}, Figures.ALL, LIMITS)
    extra = [cell.index for cell in submission.cells if cell.source in sources]
    return [run.outputs[index] for index in extra]


def test_a_log_handler_of_an_earlier_cell_writes_below_the_cell_that_logs():
    _first, second = outputs_of("import logging\nlogging.basicConfig(level=20)", "logging.info('epoch 7')")
    assert second[0]["name"] == "stderr" and "epoch 7" in second[0]["text"]


@pytest.mark.parametrize("kind", ["svg", "retina", "pdf", "png"])
def test_a_figure_is_shown_whatever_format_was_asked_for(kind):
    config = f"%config InlineBackend.figure_format = '{kind}'"
    _first, shown = outputs_of(config, "plt.plot([1, 2])\nplt.show()")
    assert [output["data"]["image/png"][:8] for output in shown if "image/png" in output["data"]] == ["iVBORw0K"]


def test_a_cell_that_is_stopped_while_its_traceback_is_made_says_so(graded):
    _texts, (error,) = printed(graded, "endless-recursion")
    assert error.partition(":")[0] in ("TimeoutError", "RecursionError", "MemoryError", "Stopped")
