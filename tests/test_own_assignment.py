"""An instructor's own version of the notebook: other points, an exercise less, a question more, another setup."""

import copy
import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
from conftest import COURSE, SETUP

import autograder.student.notebook
from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.cli.course_folder import points_of_own
from autograder.cli.doctor import State
from autograder.exercises import assignments, exercise
from autograder.grading.course import Course
from autograder.grading.read_class import read_class
from autograder.report.overview import overview_html, overview_text
from autograder.student.notebook import check, hint, judge_here, use_exercises, waiting_for
from tests.class_folder import (
    ASSIGNMENT,
    command,
    environment,
    executed,
    grade,
    grades_in,
    make_course,
    nbgrader,
    total,
)
from tests.sample_class import CODE, NOTEBOOK, Student, cell_of, changed, write_class

REMOVED = ("gradient_profile", "check_gradient_profile")
POINTS = {"check_clip_gradients": 12, "check_gradient_monitor": 1}
ALL = 12 + 4 + 8 + 4 + 6 + 1
"""The automatic points that are left: 6 + 4 + 8 + 4 + 6 + 4 + 4 of the kit's, with these changes."""

ANSWERS = {name: source for name, source in CODE.items() if name not in REMOVED}
BY_HAND = {"own_question": "L2", "depth_study_plot": "plt.plot([1, 2])", "depth_study_findings": "It is flat."}
SLIP = changed("clip_gradients", ("max_norm / total_norm", "1 / total_norm"))
QUESTION = {
    "cell_type": "markdown",
    "id": "own_question",
    "metadata": {
        "nbgrader": {
            "grade_id": "own_question",
            "grade": True,
            "solution": True,
            "locked": False,
            "task": False,
            "points": 3,
            "schema_version": 3,
        }
    },
    "source": "Which norm was it?\n\n### BEGIN SOLUTION\nL2\n### END SOLUTION",
}


def change(notebook):
    """The instructor's edit of the source notebook."""
    marks = {id(cell): cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in notebook["cells"]}
    notebook["cells"] = [cell for cell in notebook["cells"] if marks[id(cell)] not in REMOVED]
    for name, points in POINTS.items():
        cell_of(notebook, name)["metadata"]["nbgrader"]["points"] = points
    place = next(i for i, cell in enumerate(notebook["cells"]) if marks[id(cell)] == "check_clip_gradients")
    notebook["cells"].insert(place + 1, copy.deepcopy(QUESTION))
    setup = cell_of(notebook, "setup")
    setup["source"] = "".join(setup["source"]) + "\nown_constant = 1"


def meddle(notebook):
    cell_of(notebook, "check_clip_gradients")["metadata"]["nbgrader"]["points"] = 99
    return notebook


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder with such a version, graded by our command and, beside it, by nbgrader's."""
    ours = make_course(tmp_path_factory.mktemp("ours"), ())
    path = ours / "source" / ASSIGNMENT / NOTEBOOK
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change(notebook)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    nbgrader(ours, "generate_assignment", ASSIGNMENT)
    release = ours / "release" / ASSIGNMENT / NOTEBOOK
    students = (
        Student("right", "", ANSWERS | BY_HAND),
        Student("slip", "", ANSWERS | {"clip_gradients": SLIP}),
        Student("meddler", "", ANSWERS, mishap=meddle),
    )
    write_class(release, ours / "submitted", students)
    # One worked in the notebook that was handed out before all this was changed, one meddled with that.
    earlier = (Student("earlier", "", CODE), Student("earlier-meddler", "", CODE, mishap=meddle))
    write_class(COURSE / "release" / ASSIGNMENT / NOTEBOOK, ours / "submitted", earlier)
    theirs = tmp_path_factory.mktemp("theirs") / "course"
    shutil.copytree(ours, theirs)
    grade(ours, "--json", str(ours / "results.json"))
    nbgrader(theirs, "autograde", ASSIGNMENT)
    return SimpleNamespace(ours=ours, theirs=theirs, release=release)


@pytest.fixture
def results(course):
    return json.loads((course.ours / "results.json").read_text(encoding="utf-8"))["submissions"]


def share_of_slip():
    namespace = {}
    exec(f"{SETUP}\n{SLIP}", namespace)
    share = judge_here(exercise("clip_gradients"), namespace).share
    assert 0 < share < 1
    return share


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_the_gradebook_has_the_kits_share_of_the_points_in_the_notebook(course, who):
    grades = grades_in(getattr(course, who) / "gradebook.db")
    for student in ("right", "meddler", "earlier", "earlier-meddler"):
        assert {name: grades[student][name][0] for name in POINTS} == POINTS, student
        assert total(grades[student]) == ALL
    assert grades["slip"]["check_clip_gradients"][0] == pytest.approx(12 * share_of_slip())
    assert set(REMOVED).isdisjoint(grades["right"])


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_a_question_of_the_instructors_own_waits_for_a_person(course, who):
    grades = grades_in(getattr(course, who) / "gradebook.db")
    assert grades["right"]["own_question"] == (None, None, True)
    assert grades["slip"]["own_question"] == (0.0, None, False), "nothing was written"


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_the_executed_notebook_says_the_score_as_nbgrader_reads_it(course, who):
    for student, share in (("right", 1.0), ("slip", share_of_slip())):
        outputs = cell_of(executed(getattr(course, who), student), "check_clip_gradients")["outputs"]
        score = float("".join(outputs[-1]["data"]["text/plain"]))
        assert score == pytest.approx(12 * share) and 0 <= score <= 12
        report = "".join(outputs[0]["data"]["text/html"])
        assert f"{score:.6g} / 12" in report and " / 6" not in report


def test_results_and_class_report_have_the_same_points(course, results, monkeypatch):
    right = results["right"]
    assert (right["score"], right["max"]) == (ALL, ALL)
    for exercise_id, most in (("clip_gradients", 12), ("gradient_monitor", 1)):
        entry = right["checks"][exercise_id]
        assert entry["score"] == entry["max"] == most
        assert sum(item["max"] for item in entry["items"]) == pytest.approx(most)
    monkeypatch.chdir(course.ours)
    record = read_class(Course(course.ours), ASSIGNMENT)
    assert record.max == ALL + 3 + 2 + 2
    found = {student.id: student for student in record.students}
    assert found["right"].result.checks["clip_gradients"].max == 12
    assert found["right"].score == ALL and "own_question" in found["right"].waiting
    formats = ("--format", "html,canvas,moodle,junit")
    done = command("report", ASSIGNMENT, "--course", course.ours, *formats, environment=environment(course.ours))
    assert done.returncode == 0


def test_only_what_a_student_did_is_said(results):
    assert {student: entry["mended"] for student, entry in results.items() if entry["mended"]}.keys() == {
        "meddler",
        "earlier-meddler",
    }
    for student in ("meddler", "earlier-meddler"):
        (note,) = results[student]["mended"]
        assert "check_clip_gradients" in note
    assert {entry["message"] for entry in results.values()} == {""}


def test_feedback_shows_them(course):
    nbgrader(course.ours, "generate_feedback", ASSIGNMENT, "--student=right")
    page = (course.ours / "feedback" / "right" / ASSIGNMENT / "gradient_pathology.html").read_text(encoding="utf-8")
    assert "12 / 12" in page and ": 12.0 / 12.0)" in page


def test_students_commands_work_with_what_is_in_the_notebook(course):
    notebook = course.ours / "submitted" / "right" / ASSIGNMENT / NOTEBOOK

    def said(*arguments):
        return command(*arguments, environment=environment(course.ours)).stdout

    checked = said("check", notebook)
    assert (
        f"{ALL} / {ALL + 3 + 2 + 2}" in checked
        and "12 / 12" in checked
        and "own_question" in checked
        and "gradient_profile" not in checked
    )
    options = ("--lang", "en", "--out", course.ours / "packed.zip")
    packed = said("pack", notebook, *options)
    assert "missing" not in packed and "gradient_profile" not in packed
    packed = said("pack", course.release, *options)
    assert "Graded by hand, but still empty: own_question, depth_study_plot, depth_study_findings" in packed
    assert "gradient_profile" not in packed


def test_doctor_says_where_points_are_not_the_kits(course, monkeypatch):
    monkeypatch.setenv("AUTOGRADER_LANG", "en")
    (finding,) = points_of_own(course.ours)
    assert (finding.state, finding.what) == (State.LOOK, f"points in source/{ASSIGNMENT}")
    assert sorted(finding.seen.split("; ")) == [
        "check_clip_gradients 12 (the kit's: 6)",
        "check_gradient_monitor 1 (the kit's: 4)",
        "check_gradient_profile is missing",
    ]
    assert list(points_of_own(COURSE)) == []


@pytest.fixture
def kernel(course, monkeypatch):
    """The released setup cell has run here, in English."""
    monkeypatch.setenv("AUTOGRADER_LANG", "en")
    monkeypatch.setattr(autograder.student.notebook, "_points", {})
    setup = "".join(cell_of(json.loads(course.release.read_text(encoding="utf-8")), "setup")["source"])
    assert "\nown_constant = 1\n" in setup
    exec(setup[setup.index("\nown_constant") :], {})


def test_the_overview_in_a_notebook_lists_its_exercises_with_their_points(kernel):
    overview = check()
    assert f"/ {ALL + 3 + 2 + 2} points" in repr(overview) and "own_question" in repr(overview)
    exercises = {result.id: result.max for result in overview.results}
    assert exercises["clip_gradients"] == 12 and exercises["gradient_monitor"] == 1
    assert "gradient_profile" not in exercises and len(exercises) == 6


@pytest.mark.parametrize(("answer", "share"), [(CODE["clip_gradients"], lambda: 1.0), (SLIP, share_of_slip)])
def test_nbgraders_validator_gets_the_points_of_the_cell(kernel, monkeypatch, answer, share):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    expected = share()
    namespace = {"check": check}
    exec(f"{SETUP}\n{answer}\nscore = check('clip_gradients')", namespace)
    assert namespace["score"] == pytest.approx(12 * expected)


def test_a_cell_that_builds_on_a_removed_exercise_asks_nobody_to_write_it(kernel, capsys):
    with waiting_for("gradient_profile"):
        raise NameError(name="gradient_slope")
    assert capsys.readouterr().out == ""
    with waiting_for("clip_gradients"):
        raise NotImplementedError
    assert "clip_gradients" in capsys.readouterr().out


def test_a_release_that_is_as_the_kit_made_it_says_nothing_in_code():
    released = json.loads((COURSE / "release" / ASSIGNMENT / NOTEBOOK).read_text(encoding="utf-8"))
    code = "\n".join("".join(cell["source"]) for cell in released["cells"])
    assert re.findall(r"use_exercises\(.*", code) == [f'use_exercises("{ASSIGNMENT}")']
    assert released["metadata"]["autograder"]["cells"]["check_clip_gradients"] == 6


@pytest.mark.parametrize(("outcome", "share"), [(Outcome.PASSED, 1.0), (Outcome.FAILED, 0.0)])
def test_an_exercise_for_no_points_is_shown_like_others(outcome, share):
    one = ExerciseResult("clip_gradients", (Item("norm", "Norm", outcome, 0.0, 6.0),)).scaled_to(0)
    assert (one.score, one.max, one.share, one.full) == (0.0, 0.0, share, share == 1.0)
    for text in (overview_text([one]), overview_html([one])):
        assert "0 / 0" in text


@pytest.mark.parametrize("points", [7.0, 0.1, 3.3, 1e-3, 1000.0])
def test_full_marks_are_exactly_the_points_of_the_cell(points):
    items = tuple(Item(str(i), "", Outcome.PASSED, p, p) for i, p in enumerate((1.0, 0.25, 1.75, 3.0)))
    scaled = ExerciseResult("x", items).scaled_to(points)
    assert scaled.score == scaled.max == points and scaled.full


def test_a_notebook_says_which_assignment_it_is_of(monkeypatch):
    """Before anything is written, no name tells; and a name that another assignment asks for changes nothing."""
    other = replace(exercise("clip_gradients"), id="other", solution="other", defines="Other")
    known = {"another": (other,), **assignments()}
    monkeypatch.setattr(autograder.student.notebook, "assignments", lambda: known)
    monkeypatch.setattr(autograder.student.notebook, "_assignment", "")
    monkeypatch.setattr(autograder.student.notebook, "_points", {})
    use_exercises(ASSIGNMENT)
    exec("Other = 1\nresults = check().results", names := {"check": check})
    assert {result.id for result in names["results"]} == {each.id for each in assignments()[ASSIGNMENT]}
    use_exercises(clip_gradients=3)  # an instructor's own points, in the same notebook
    exec("results = check().results", names)
    assert [(result.id, result.max) for result in names["results"]] == [("clip_gradients", 3)]
    with pytest.raises(ValueError, match='no assignment "gradients".*another, gradient-pathology'):
        use_exercises("gradients")


def test_a_notebook_that_a_person_grades_as_a_whole_says_so(monkeypatch, capsys):
    monkeypatch.setattr(autograder.student.notebook, "_points", {})
    use_exercises(depth_study_plot=2)
    assert hint() is None and "– / 2" in repr(check())
    assert capsys.readouterr().out == "To be graded by a person: depth_study_plot (2).\n"


def test_the_points_that_a_kernel_was_told_may_change(monkeypatch):
    monkeypatch.setattr(autograder.student.notebook, "_points", {})
    use_exercises(clip_gradients=12, depth_study=1)
    use_exercises(clip_gradients=3)
    assert [(result.id, result.max) for result in check().results] == [("clip_gradients", 3)]
