"""Figures for hand grading: drawn after all points are booked, at a lower priority, and resumed after a stop."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest
from conftest import AUTOMATIC, code_cell, small_notebook

from autograder.grading.course import Course
from autograder.grading.grade_class import grade_class
from autograder.grading.grade_submission import grade_submission
from autograder.grading.job import Settings
from autograder.grading.process import LOWER
from autograder.grading.read_class import read_class
from autograder.grading.result_file import stored_results
from autograder.notebooks.submission import submission_of
from autograder.sandbox.client import Figures
from autograder.sandbox.isolation import Level
from tests.class_folder import ASSIGNMENT, executed, grade, grades_in, make_course, total
from tests.sample_class import CODE, Student, cell_of

PLOT = "depth_study_plot"
ANSWER = "import os\nprint('priority', os.getpriority(os.PRIO_PROCESS, 0))\nplt.plot([3, 1, 2])\nplt.show()"

# --- which cells wait -------------------------------------------------------------------------------------------------


def run_first(plot: str, *others: str) -> set[str | None]:
    """The names of the cells that are run for points, of a notebook with an answer in the plot's cell."""
    cells = [code_cell(plot, PLOT), *(code_cell(source, f"other_{n}") for n, source in enumerate(others))]
    submission = submission_of(small_notebook(extra=cells), "n")
    assert PLOT in {cell.grade_id for cell in submission.cells_to_run()}
    return {cell.grade_id for cell in submission.cells_to_run(looked_at=False)}


@pytest.mark.parametrize(
    ("plot", "others"),
    [("results = 1\nplt.plot([results])", ()), ("x = 1", ("y = 2",)), ("not Python", ("y = not_python",)), ("", ())],
)
def test_an_answer_that_nothing_rests_on_is_run_for_its_figure_alone(plot, others):
    ran = run_first(plot, *others)
    assert PLOT not in ran and {"setup", *CODE} - {"depth_study_findings"} <= ran


@pytest.mark.parametrize(
    ("plot", "others"),
    [
        ("depth_study = None", ()),
        ("def clip_gradients(layers, max_norm=1.0): pass", ()),
        ("results = 1", ("print(results)",)),
        ("plt = None", ()),
        ("def f():\n    global y\n    y = 1", ("y = 2",)),
    ],
)
def test_an_answer_that_others_may_rest_on_is_run_for_points_too(plot, others):
    assert PLOT in run_first(plot, *others)


def test_what_is_run_and_what_is_not_come_to_the_same_points():
    submission = submission_of(small_notebook(extra=[code_cell("depth_study = None", PLOT)]), "n")
    points = {figures: grade_submission(submission, figures=figures).result for figures in Figures}
    assert points[Figures.NONE] == points[Figures.BY_HAND] == points[Figures.ALL]
    assert points[Figures.NONE].checks["depth_study"].score == 0.0


# --- a class ----------------------------------------------------------------------------------------------------------


def pictures(course, student: str) -> int:
    outputs = cell_of(executed(course, student), PLOT)["outputs"]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def text_of(course, student: str) -> str:
    return "".join("".join(output.get("text", "")) for output in cell_of(executed(course, student), PLOT)["outputs"])


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A class that was stopped after its first figure, and what was there before that; then graded again."""
    students = tuple(Student(f"s{n}", "", CODE | {PLOT: f"{ANSWER}\n# {n}"}) for n in range(3))
    students += (Student("empty", "", CODE),)
    folder = make_course(tmp_path_factory.mktemp("figures") / "course", students)
    ids = [student.id for student in students]
    course, settings = Course(folder), Settings(folder, Level.STRONG)
    seen = []

    def watch(summary, _count):
        if summary.to_draw:
            points = {student: total(cells) for student, cells in grades_in(folder / "gradebook.db").items()}
            seen.append((points, [text_of(folder, s) for s in ids], [pictures(folder, s) for s in ids]))
            if summary.drawn:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade_class(course, ASSIGNMENT, settings, 1, progress=watch)
    left = [student for student, stored in stored_results(course, ASSIGNMENT) if not stored.drawn]
    said = grade(folder).stdout
    return SimpleNamespace(folder=folder, course=course, ids=ids, seen=seen, left=left, said=said)


def test_all_points_are_booked_before_the_first_figure(stopped):
    points, texts, drawn = stopped.seen[0]
    assert points == dict.fromkeys(stopped.ids, AUTOMATIC) and drawn == [0, 0, 0, 0]
    assert all("図はまだ描いていません" in text for text in texts[:3]), "in the students' language"
    assert texts[3] == "", "nothing was written there, so nothing follows"


def test_what_was_stopped_goes_on_with_the_figures_that_are_missing(stopped):
    assert stopped.seen[1][2] == [1, 0, 0, 0] and stopped.left == ["s1", "s2"]
    assert "0 graded, 4 unchanged" in stopped.said
    assert "All points are in the gradebook." in " ".join(stopped.said.split())
    assert [pictures(stopped.folder, student) for student in stopped.ids] == [1, 1, 1, 0]
    assert all(stored.drawn for _student, stored in stored_results(stopped.course, ASSIGNMENT))
    assert "All points" not in grade(stopped.folder).stdout


def test_figures_have_a_lower_priority(stopped):
    assert [text_of(stopped.folder, s) for s in ("s0", "s1")] == [f"priority {min(19, os.nice(0) + LOWER)}\n"] * 2


def test_reports_and_points_are_those_of_the_first_pass(stopped):
    record = read_class(stopped.course, ASSIGNMENT)
    for student in record.students:
        shown = cell_of(executed(stopped.folder, student.id), "check_depth_study")["outputs"][-1]
        assert json.loads(shown["data"]["text/plain"]) == student.result.checks["depth_study"].score == 6.0


def test_a_figure_that_cannot_be_drawn_is_said_and_tried_again(stopped):
    target = stopped.folder / "autograded" / "s0" / ASSIGNMENT
    (notebook,) = target.glob("*.ipynb")
    (handed_in,) = (stopped.folder / "submitted" / "s0" / ASSIGNMENT).glob("*.ipynb")
    handed_in.write_text(handed_in.read_text(encoding="utf-8").replace("# 0", "# zero"), encoding="utf-8")
    aside = notebook.with_name("aside")

    def hide(summary, _count):
        if summary.to_draw and notebook.exists():
            notebook.rename(aside)

    summary = grade_class(stopped.course, ASSIGNMENT, Settings(stopped.folder, Level.STRONG), 1, progress=hide)
    assert (summary.graded, summary.broken, summary.drawn) == (1, {}, 0)
    assert "could not be drawn" in summary.looks["s0"]
    aside.rename(notebook)
    assert "0 graded" in grade(stopped.folder).stdout and pictures(stopped.folder, "s0") == 1
