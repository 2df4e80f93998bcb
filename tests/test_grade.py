"""`autograder grade`: a whole class, as nbgrader would grade it."""

import html
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from conftest import ALL_POINTS, AUTOMATIC

from autograder.grading.course import Course
from autograder.grading.digest import content_digest
from autograder.grading.read_class import read_class
from autograder.grading.result_file import FILE_NAME, stored_results
from autograder.locale import speaking
from autograder.report.class_record import Standing
from autograder.report.executed import unread_comment
from autograder.sandbox.fork_server import Host
from autograder.sandbox.isolation import Level
from source.release import COURSE
from tests.class_folder import (
    ASSIGNMENT,
    command,
    comments_in,
    environment,
    executed,
    grade,
    grades_in,
    make_course,
    many,
    nbgrader,
    nbgrader_alone,
    total,
)
from tests.sample_class import CLASS, CODE, NOTEBOOK, Student, cell_of, hurried

FEW = tuple(hurried(s) for s in CLASS if s.id in ("aoki", "endo", "mori", "nagai", "saito", "tanaka", "ueda"))
OWN_PLOT = "plt.plot([3, 1, 2])\nplt.show()"


def write_below(notebook):
    """A plot and findings in cells of the student's own, below those that ask for them."""
    for name, cell in (
        ("depth_study_plot", {"cell_type": "code", "outputs": [], "execution_count": None, "source": OWN_PLOT}),
        ("depth_study_findings", {"cell_type": "markdown", "source": "深いほど勾配が消える。"}),
    ):
        place = notebook["cells"].index(cell_of(notebook, name))
        notebook["cells"].insert(place + 1, {"id": f"own-{name}", "metadata": {}, **cell})
    return notebook


BESIDE = Student("wada", "answers below the cells that ask for them", dict(CODE), mishap=write_below)


FORGED = {"seal": "0" * 64, "digest": "", "isolation": "full", "result": {"score": 40.0}}


def with_forged_results(course):
    """`course`, where somebody handed in a file in the place of the result, and somebody else a folder."""
    handed_in = course / "submitted" / "endo" / ASSIGNMENT / FILE_NAME
    handed_in.write_text(json.dumps(FORGED), encoding="utf-8")
    inside = course / "submitted" / "mori" / ASSIGNMENT / FILE_NAME / FILE_NAME
    inside.parent.mkdir()
    inside.write_bytes(handed_in.read_bytes())
    return course


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory):
    """The same class graded by our command, and by nbgrader's with our plug-ins."""
    ours = with_forged_results(make_course(tmp_path_factory.mktemp("ours"), (*FEW, BESIDE)))
    grade(ours, "--json", str(ours / "results.json"))
    theirs = with_forged_results(make_course(tmp_path_factory.mktemp("theirs"), (*FEW, BESIDE)))
    nbgrader(theirs, "generate_assignment", ASSIGNMENT)
    (theirs / "autograde.log").write_text(nbgrader_alone(theirs, "autograde", ASSIGNMENT).stderr, encoding="utf-8")
    return ours, theirs


@pytest.fixture(scope="module")
def said_again(both_ways):
    """What our command says of each class when all is graded."""
    return [grade(course).stdout for course in both_ways]


def test_the_gradebook_is_as_nbgrader_makes_it(both_ways):
    ours, theirs = both_ways
    assert grades_in(ours / "gradebook.db") == grades_in(theirs / "gradebook.db")
    assert comments_in(ours / "gradebook.db") == comments_in(theirs / "gradebook.db")
    assert len(grades_in(ours / "gradebook.db")) == len((*FEW, BESIDE))


def test_executed_notebooks_are_as_nbgrader_makes_them(both_ways):
    def essence(cell):
        outputs = [{k: v for k, v in output.items() if k != "execution_count"} for output in cell.get("outputs", [])]
        source = "".join(cell["source"])
        texts = json.dumps(outputs, sort_keys=True, ensure_ascii=False) if "image/png" not in str(outputs) else "png"
        return cell["cell_type"], source, cell["metadata"].get("nbgrader"), texts

    def lines_joined(cell):
        for output in cell.get("outputs", []):
            for holder, key in [(output, "text"), *((output.get("data", {}), mime) for mime in output.get("data", {}))]:
                if isinstance(holder.get(key), list):
                    holder[key] = "".join(holder[key])
        return cell

    for student in (*FEW, BESIDE):
        one, other = (executed(course, student.id) for course in both_ways)
        assert [essence(lines_joined(c)) for c in one["cells"]] == [essence(lines_joined(c)) for c in other["cells"]]


def test_the_results_file_says_the_same_as_the_gradebook(both_ways):
    ours, _theirs = both_ways
    results = json.loads((ours / "results.json").read_text(encoding="utf-8"))
    graded = grades_in(ours / "gradebook.db")
    assert results["assignment"] == ASSIGNMENT and results["isolation"] in list(Level)
    assert results["submissions"].keys() == graded.keys()
    for student, submission in results["submissions"].items():
        assert submission["score"] == total(graded[student])
    assert results["submissions"]["tanaka"]["status"] == "failed" and results["submissions"]["tanaka"]["message"]
    assert results["submissions"]["saito"]["mended"]


def test_results_are_the_same_and_never_what_a_student_handed_in_for_one(both_ways):
    found = [dict(stored_results(Course(course), ASSIGNMENT)) for course in both_ways]
    assert found[0] == found[1] and found[0].keys() == {student.id for student in (*FEW, BESIDE)}
    for course in both_ways:
        for student, stored in found[0].items():
            text = (course / "autograded" / student / ASSIGNMENT / FILE_NAME).read_text(encoding="utf-8")
            assert json.loads(text)["result"] == stored.result
            assert stored.result["score"] == total(grades_in(course / "gradebook.db")[student])


def test_what_nbgrader_says_holds_no_warnings_of_its_own_code(both_ways):
    log = (both_ways[1] / "autograde.log").read_text(encoding="utf-8")
    assert "AutogradeApp" in log and "SAWarning" not in log


def test_the_stand_in_for_an_unreadable_notebook_says_why_first_and_nothing_is_run(both_ways):
    with speaking("ja"):
        words = unread_comment()
    for course in both_ways:
        reason, *cells = executed(course, "tanaka")["cells"]
        assert reason["cell_type"] == "markdown" and "JSON" in "".join(reason["source"])
        assert cells and all(cell["metadata"]["nbgrader"]["grade"] for cell in cells)
        for cell in cells:
            said = [output["evalue"] for output in cell.get("outputs", ())]
            assert said == ([] if cell["metadata"]["nbgrader"]["solution"] else [words])
        assert set(comments_in(course / "gradebook.db")["tanaka"].values()) == {words}
        assert {grade[:2] for grade in grades_in(course / "gradebook.db")["tanaka"].values()} == {(0.0, None)}


def test_who_needs_a_look_is_named_however_often_one_grades_and_whoever_did(both_ways, said_again):
    for said in said_again:
        assert f"0 graded, {len(FEW) + 1} unchanged, 3 to look at" in said
        assert "tanaka" in said and "ueda" in said and "wada" in said and "深いほど勾配が消える。" in said
    record = read_class(Course(both_ways[1]), ASSIGNMENT)
    assert {student.standing for student in record.students} == {Standing.JUDGED, Standing.UNREADABLE}


def test_grading_ends_with_the_mean_with_who_waits_and_with_the_next_command(both_ways, said_again):
    said = said_again[0].splitlines()
    grades = grades_in(both_ways[0] / "gradebook.db")
    points = [sum((auto if hand is None else hand) or 0.0 for auto, hand, _ in row.values()) for row in grades.values()]
    waiting = sum(any(waits for _a, _m, waits in cells.values()) for cells in grades.values())
    mean = sum(points) / len(points)
    middle = f"Mean: {mean:.2f}, median: {statistics.median(points):.2f} of {ALL_POINTS:g} points"
    assert said[-2].startswith(f"{middle}; students with a score: {len(points)}; ")
    assert said[-2].endswith(f"waiting for hand grading, in formgrader: {waiting}.") and waiting
    assert said[-1] == f"Next: autograder report {ASSIGNMENT} --course {both_ways[0]}"


def test_answers_below_their_cells_wait_for_a_person_who_is_told_where_they_are(both_ways):
    for course in both_ways:
        grades, comments = (found(course / "gradebook.db")["wada"] for found in (grades_in, comments_in))
        assert grades["depth_study_plot"] == grades["depth_study_findings"] == (None, None, True)
        assert "「plt.plot([3, 1, 2])」" in comments["depth_study_plot"]
        assert "「深いほど勾配が消える。」" in comments["depth_study_findings"]
        own = next(cell for cell in executed(course, "wada")["cells"] if "".join(cell["source"]) == OWN_PLOT)
        assert any("image/png" in output.get("data", {}) for output in own["outputs"]), "whoever grades sees the plot"
    assert "wada: " in (both_ways[1] / "autograde.log").read_text(encoding="utf-8")


def page_of(course, student):
    """The student's feedback page as text, without tags."""
    page = (course / "feedback" / student / ASSIGNMENT / NOTEBOOK).with_suffix(".html").read_text(encoding="utf-8")
    return html.unescape(re.sub(r"<[^>]*>", "", page[page.index("<body") :]))


@pytest.fixture(scope="module")
def paged(both_ways):
    """The same, with feedback pages of a few, and our grades exported."""
    ours, theirs = both_ways
    nbgrader(ours, "generate_feedback", ASSIGNMENT, "--student=[enstw][an]*")
    nbgrader(theirs, "generate_feedback", ASSIGNMENT, "--student=[ew][an]*")
    nbgrader(ours, "export")
    return both_ways


def test_what_waits_for_a_person_is_open_on_the_feedback_page_and_no_0(paged):
    for course in paged:
        page = page_of(course, "wada")
        assert f"(得点: {AUTOMATIC} / {ALL_POINTS}、このうち 4.0 点は未採点です（人が採点します）)" in page
        assert page.count("未採点: 2.0 点（人が採点します）") == 4  # at the top and at the cell, of both
        assert "depth_study (得点: 6.0 / 6.0)" in page and "0.0 / 2.0" not in page


def test_empty_cells_have_their_0_and_nothing_is_open_on_the_feedback_page(paged):
    page = page_of(paged[0], "nagai")
    assert "depth_study_plot (得点: 0.0 / 2.0)" in page and "未採点" not in page


def test_nbgrader_goes_on_from_there(paged):
    ours, _theirs = paged
    assert {"saito", "tanaka"} <= {page.parts[-3] for page in (ours / "feedback").glob("*/*/*.html")}
    grades = (ours / "grades.csv").read_text(encoding="utf-8").splitlines()
    assert len(grades) == 1 + len((*FEW, BESIDE))


def test_results_stay_where_they_are_when_pages_are_made(paged):
    for course in paged:
        assert page_of(course, "endo")
        assert not [path for path in course.glob("feedback/**/*") if FILE_NAME in path.name]


def test_points_by_hand_are_on_the_next_feedback_page(paged):
    ours, _theirs = paged
    with sqlite3.connect(ours / "gradebook.db") as database:
        database.execute(
            "UPDATE grade SET manual_score = 1.5, needs_manual_grade = 0 WHERE auto_score IS NULL AND cell_id IN "
            "(SELECT id FROM base_cell WHERE name = 'depth_study_plot')"
        )
    nbgrader(ours, "generate_feedback", ASSIGNMENT, "--student=wada", "--force")
    page = page_of(ours, "wada")
    assert f"(得点: {AUTOMATIC + 1.5} / {ALL_POINTS}、このうち 2.0 点は未採点です（人が採点します）)" in page
    assert "depth_study_plot (得点: 1.5 / 2.0)" in page and page.count("未採点: 2.0 点") == 2


WITH_MODEL_ANSWERS = {"clip_gradients", "BatchNorm", "depth_study"}


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("from_date=2020-01-01 18:00 Asia/Tokyo", {"nagai": WITH_MODEL_ANSWERS, "saito": WITH_MODEL_ANSWERS}),
        ("from_date=2999-01-01 18:00 Asia/Tokyo", {"nagai": set(), "saito": set()}),
        ("after_full_marks=True", {"nagai": set(), "saito": WITH_MODEL_ANSWERS}),
    ],
)
def test_model_answers_are_shown_from_a_date_on_or_after_full_marks(paged, option, shown):
    ours, _theirs = paged
    nbgrader(ours, "generate_feedback", ASSIGNMENT, "--student=[ns]a*", "--force", f"--ModelAnswers.{option}")
    for student, expected in shown.items():
        page = page_of(ours, student)
        begins = [text[:99] for text in page.split("模範解答")[1:]]
        assert {name for name in WITH_MODEL_ANSWERS if any(f"{name}(" in text for text in begins)} == expected
        assert "SOLUTION" not in page


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A class of three, graded once, whose release was handed out before."""
    folder = make_course(tmp_path_factory.mktemp("course"), many(3))
    (folder / "release" / ASSIGNMENT).mkdir(parents=True)
    (folder / "release" / ASSIGNMENT / NOTEBOOK).write_text("handed out", encoding="utf-8")
    grade(folder, "--jobs", "1")
    return folder


def test_a_release_that_is_there_stays_as_it_is(course):
    assert (course / "release" / ASSIGNMENT / NOTEBOOK).read_text(encoding="utf-8") == "handed out"
    assert [path.name for path in course.iterdir() if path.name.startswith(".release")] == []
    assert total(grades_in(course / "gradebook.db")["s00000"]) == AUTOMATIC


def test_what_is_unchanged_is_skipped_and_what_is_changed_is_not(course):
    notebook = course / "submitted" / "s00001" / ASSIGNMENT / NOTEBOOK
    executed_file = course / "autograded" / "s00002" / ASSIGNMENT / NOTEBOOK
    assert "0 graded, 3 unchanged" in grade(course).stdout
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("# 1", "# one"), encoding="utf-8")
    executed_file.unlink()
    assert "2 graded, 1 unchanged" in grade(course, "--jobs", "1").stdout and executed_file.is_file()


@pytest.fixture(scope="module")
def regraded(course):
    """The class before and after it was graded anew, with points by hand, while somebody held the gradebook."""
    before = json.dumps([executed(course, f"s0000{i}") for i in range(3)])
    for result in course.glob("autograded/*/*/result.json"):
        result.unlink()
    with sqlite3.connect(course / "gradebook.db") as database:
        database.execute(
            "UPDATE grade SET manual_score = 1.5 WHERE cell_id IN "
            "(SELECT id FROM base_cell WHERE name = 'check_clip_gradients')"
        )
    with sqlite3.connect(course / "gradebook.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        line = [sys.executable, "-m", "autograder", "grade", ASSIGNMENT, "--course", str(course), "--allow-basic"]
        running = subprocess.Popen([*line, "--jobs", "1"], env=environment(course), stdout=subprocess.PIPE, text=True)
        time.sleep(12)  # longer than one try
        waited = running.poll() is None
        other.execute("ROLLBACK")
    said = running.communicate(timeout=120)[0]
    return SimpleNamespace(before=before, waited=waited, said=said)


def test_a_gradebook_that_somebody_holds_is_waited_for(regraded):
    assert regraded.waited and "3 graded" in regraded.said


def test_what_a_person_gave_stays_and_asks_to_be_looked_at_again(course, regraded):
    for grades in grades_in(course / "gradebook.db").values():
        assert grades["check_clip_gradients"] == (6.0, 1.5, True)


def test_the_same_submission_comes_out_the_same_at_every_regrade(course, regraded):
    assert json.dumps([executed(course, f"s0000{i}") for i in range(3)]) == regraded.before


def test_whether_a_submission_changed_is_no_matter_of_the_graders_language(tmp_path):
    def seen(language):
        with speaking(language):
            return content_digest("", tmp_path, "gradient_pathology")

    source = (COURSE / "release" / ASSIGNMENT / NOTEBOOK).read_bytes()
    (tmp_path / "mine.ipynb").write_bytes(source)
    first = seen("en")
    (tmp_path / "older.ipynb").write_bytes(source)
    os.utime(tmp_path / "older.ipynb", (0, 0))
    second = seen("en")
    assert (seen("ja"), seen("ja") == first) == (second, False), "another file to choose from is a change"


def test_one_student_alone(course):
    assert "0 graded, 1 unchanged" in grade(course, "--student", "s00001").stdout
    done = grade(course, "--student", "nobody", check=False)
    assert done.returncode == 2 and "Nobody has submitted" in done.stderr


def test_a_name_that_is_no_assignment_is_refused_at_once_with_those_there_are(tmp_path):
    course = make_course(tmp_path / "course", ())
    for name in ("grade", "report"):
        done = command(name, "wrong", "--course", course, environment=environment(course))
        line = f"There is no assignment wrong here. Known assignments: {ASSIGNMENT}.\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
    assert not (course / "gradebook.db").exists() and not (course / "autograded").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text there")
def test_names_from_another_system_stop_nobody(tmp_path, graded_here):
    course = make_course(tmp_path / "course", many(3))
    submitted = os.fsencode(course / "submitted")
    folder = submitted + b"/s00001/" + ASSIGNMENT.encode()
    os.rename(folder + b"/" + NOTEBOOK.encode(), folder + b"/" + "課題.ipynb".encode("shift_jis"))
    os.rename(submitted + b"/s00002", submitted + b"/" + "太郎".encode("shift_jis"))
    done = grade(course, "--jobs", "1", "--json", str(tmp_path / "out.json"))
    grades = grades_in(course / "gradebook.db")
    assert {student: total(cells) for student, cells in grades.items()} == {"s00000": AUTOMATIC, "s00001": AUTOMATIC}
    results = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["submissions"]
    assert "?" in results["s00001"]["mended"][0]
    assert "not UTF-8" in " ".join(done.stdout.split()) and "2 graded" in done.stdout


def test_grading_at_the_basic_level_needs_a_flag(tmp_path, monkeypatch):
    course = make_course(tmp_path / "course", many(1))
    monkeypatch.setattr(Host, "__init__", lambda self, **_k: setattr(self, "level", Level.BASIC))
    monkeypatch.setattr(Host, "close", lambda self: None)
    monkeypatch.setattr(Host, "unavailable", {Level.STRONG: "no Landlock"}, raising=False)
    done = command("grade", ASSIGNMENT, "--course", course, environment=environment(course))
    assert done.stdout.startswith("Grading gradient-pathology")  # before anything that takes time
    assert done.returncode == 2 and "--allow-basic" in done.stderr and "no Landlock" in done.stderr
    assert not (course / "gradebook.db").exists()


def test_a_grader_process_starts_without_nbgrader():
    line = "import sys, autograder.grading.process; print([name for name in sys.modules if 'nbgrader' in name])"
    done = subprocess.run([sys.executable, "-c", line], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
