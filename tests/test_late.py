"""Late penalties: by today's due date, policy and time stamp, whenever one grades."""

import sqlite3
from datetime import datetime, timedelta

import pytest
from conftest import AUTOMATIC
from traitlets.config import Config

from autograder.grading.course import Course, CourseError
from autograder.grading.grade_class import grade_class
from autograder.grading.job import Settings
from autograder.grading.late import Extension, doubts_on, late_policy, read_extensions
from autograder.nbgrader_plugins.late_rules import LateRules
from autograder.sandbox.isolation import Level
from tests.class_folder import ASSIGNMENT, grade, make_course, many, nbgrader
from tests.sample_class import NOTEBOOK

pytestmark = pytest.mark.usefixtures("graded_here")

DUE, LATER = "2027-01-15 23:59:00 Asia/Tokyo", "2027-01-20 23:59:00 Asia/Tokyo"
IN_TIME, LATE = "2027-01-15 10:00:00 Asia/Tokyo", "2027-01-16 00:59:00 Asia/Tokyo"
LATEST = "2027-01-16 02:59:00 Asia/Tokyo"
ZERO = 'c.LateSubmissionPlugin.penalty_method = "zero"\n'
HOURLY = 'c.AssignLatePenalties.plugin_class = "late_policies.Hourly"\n'
POLICIES = """
from nbgrader.plugins import BasePlugin
from traitlets import Float

class Hourly(BasePlugin):
    rate = Float(1.5).tag(config=True)

    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return self.rate * total_seconds_late / 3600

class Broken(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return total_seconds_late / 0
"""


def set_due(course, when):
    nbgrader(course, "db", "assignment", "add", ASSIGNMENT, f"--duedate={when}")


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Three students with all automatic points: in time, late by an hour, without a time. What grading said, too."""
    folder = make_course(tmp_path_factory.mktemp("late"), many(3))
    settings = (folder / "nbgrader_config.py").read_text(encoding="utf-8")
    (folder / "late_policies.py").write_text(POLICIES, encoding="utf-8")
    set_due(folder, DUE)  # before the assignment is generated
    (folder / "nbgrader_config.py").write_text(settings + ZERO, encoding="utf-8")
    stamp(folder, "s00000", IN_TIME)
    stamp(folder, "s00001", LATE)
    said = grade(folder, "--jobs", "1").stdout
    return folder, settings, said


def stamp(folder, student, when):
    path = folder / "submitted" / student / ASSIGNMENT / "timestamp.txt"
    path.unlink(missing_ok=True)
    if when:
        path.write_text(when, encoding="utf-8")


def penalties(folder):
    """Student -> penalty, for those who have one."""
    query = """
        SELECT student_id, late_submission_penalty FROM submitted_notebook
        JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    """
    with sqlite3.connect(folder / "gradebook.db") as database:
        return {student: penalty for student, penalty in database.execute(query) if penalty}


@pytest.fixture
def again(graded, monkeypatch, tmp_path):
    """Grades the class once more with a policy, a due date, and a time stamp of s00001's: who is penalised, and what
    was done, after it was graded as at first."""
    folder, settings, _said = graded
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOGRADER_LANG", "en")

    def run(policy=ZERO, due=DUE, late=LATE):
        (folder / "nbgrader_config.py").write_text(settings + policy, encoding="utf-8")
        with sqlite3.connect(folder / "gradebook.db") as database:
            database.execute("UPDATE assignment SET duedate = ?", [f"{due[:10]} 14:59:00.000000"])
        stamp(folder, "s00001", late)
        summary = grade_class(Course(folder), ASSIGNMENT, Settings(folder, Level.STRONG), jobs=1)
        return penalties(folder), summary

    run()
    return run


def test_a_due_date_that_was_set_before_the_assignment_was_generated_counts(graded):
    folder, _settings, said = graded
    assert "3 graded" in said and penalties(folder) == {"s00001": AUTOMATIC}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"s00001": AUTOMATIC}),
        ({"due": LATER}, {}),
        ({"policy": ""}, {}),
        ({"policy": HOURLY}, {"s00001": 1.5}),
        ({"policy": HOURLY + "c.Hourly.rate = 4.0\n"}, {"s00001": 4.0}),
        ({"policy": HOURLY + "c.Hourly.rate = 400.0\n"}, {"s00001": AUTOMATIC}),
    ],
)
def test_the_penalty_of_what_is_unchanged_follows_due_date_and_policy(again, change, expected):
    found, summary = again(**change)
    other = int(expected != {"s00001": AUTOMATIC})
    assert found == expected
    assert (summary.graded, summary.penalised, summary.unchanged) == (0, other, 3 - other)


def test_a_penalty_that_differs_by_rounding_alone_is_the_same(again, graded):
    again(HOURLY)
    with sqlite3.connect(graded[0] / "gradebook.db") as database:
        database.execute("UPDATE submitted_notebook SET late_submission_penalty = late_submission_penalty + 4e-16")
    assert penalties(graded[0])["s00001"] != 1.5
    summary = grade_class(Course(graded[0]), ASSIGNMENT, Settings(graded[0], Level.STRONG), jobs=1)
    assert (summary.penalised, summary.unchanged, summary.changes) == (0, 3, {})


@pytest.mark.parametrize(("late", "expected"), [(LATEST, {"s00001": 4.5}), (IN_TIME, {}), (None, {})])
def test_the_penalty_follows_the_time_stamp(again, graded, late, expected):
    assert again(HOURLY, late=late)[0] == expected
    with sqlite3.connect(graded[0] / "gradebook.db") as database:
        times = dict(database.execute("SELECT student_id, timestamp FROM submitted_assignment"))
    in_utc = {LATEST: "2027-01-15 17:59:00.000000", IN_TIME: "2027-01-15 01:00:00.000000", None: None}
    assert times == {"s00000": in_utc[IN_TIME], "s00001": in_utc[late], "s00002": None}


def test_a_due_date_moved_by_nbgrader_is_followed_and_said(again, graded):
    folder, _settings, _said = graded
    set_due(folder, LATER)
    done = grade(folder)
    assert penalties(folder) == {}
    assert "with a new late penalty or submission time: 1." in done.stdout
    assert "0 graded, 2 unchanged" in done.stdout and done.stderr == ""


def test_points_by_hand_are_penalised_at_the_next_run(again, graded):
    with sqlite3.connect(graded[0] / "gradebook.db") as database:
        cell = "(SELECT id FROM base_cell WHERE name = 'depth_study_plot')"
        database.execute(f"UPDATE grade SET manual_score = 2 WHERE cell_id IN {cell}")
    try:
        assert again()[0] == {"s00001": 38.0}
    finally:
        with sqlite3.connect(graded[0] / "gradebook.db") as database:
            database.execute("UPDATE grade SET manual_score = NULL")


def test_a_policy_that_fails_changes_nothing_stops_nobody_and_is_named(again):
    found, summary = again(HOURLY.replace("Hourly", "Broken"))
    assert found == {"s00001": AUTOMATIC} and summary.done == 3
    assert list(summary.looks) == ["s00001"] and "ZeroDivisionError" in summary.looks["s00001"]


@pytest.mark.parametrize("name", ["nowhere.Policy", "late_policies.Policy", "submitted.mine.Hourly"])
def test_a_policy_that_is_not_there_is_said_and_none_is_taken_from_hand_ins(again, graded, name):
    evil = graded[0] / "submitted" / "mine.py"
    evil.write_text(POLICIES, encoding="utf-8")
    try:
        with pytest.raises(CourseError, match="late policy"):
            again(HOURLY.replace("late_policies.Hourly", name))
    finally:
        evil.unlink()


# --- extensions.csv and LateRules -------------------------------------------------------------------------------------

HEAD = "student,assignment,due date,reason\n"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course folder with an extensions.csv of this content."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOGRADER_LANG", "en")
    (tmp_path / "nbgrader_config.py").write_text("", encoding="utf-8")
    (tmp_path / "source" / ASSIGNMENT).mkdir(parents=True)
    (tmp_path / "source" / ASSIGNMENT / "n.ipynb").touch()

    def course(text, encoding="utf-8"):
        (tmp_path / "extensions.csv").write_bytes(text.encode(encoding))
        return Course(tmp_path)

    return course


@pytest.mark.parametrize(
    "due",
    [
        "2027-01-20 23:59 Asia/Tokyo", "2027-01-20 23:59:00 JST", "2027/1/20 23:59 Asia/Tokyo",
        "2027.1.20 14:59 UTC", "2027-01-20T14:59:00Z", "2027-01-20 23:59 +09:00", "２０２７-０１-２０ 23:59 JST",
    ],
)  # fmt: skip
def test_a_due_date_is_read_with_its_time_zone(course, due):
    found = read_extensions(course(f"{HEAD}aoki,{ASSIGNMENT},{due},ill\n"), ASSIGNMENT)
    assert found == {"aoki": Extension(datetime(2027, 1, 20, 14, 59), "ill", 2)}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp932", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_file_is_read_however_a_spreadsheet_writes_it(course, encoding, separator):
    text = f"学籍番号,課題,期限,理由\r\n青木,{ASSIGNMENT},2027/1/20 23:59 JST,病気\r\n".replace(",", separator)
    assert read_extensions(course(text, encoding), ASSIGNMENT)["青木"].reason == "病気"


def test_no_file_is_something_else_than_a_file_without_rows(course, tmp_path):
    empty = course(HEAD)
    assert read_extensions(empty, ASSIGNMENT) == {}
    (tmp_path / "extensions.csv").unlink()
    assert read_extensions(empty, ASSIGNMENT) is None


@pytest.mark.parametrize(
    ("due", "why"),
    [
        ("2027-01-20 23:59", "is not like 2027-01-15 23:00:00 Asia/Tokyo"),  # which time zone?
        ("2027-01-20 Asia/Tokyo", "is not like"),  # from its beginning, or to its end?
        ("20.01.2027 23:59 JST", "is not like"),
        ("01/02/2027 23:59 JST", "is not like"),
        ("2027-01-20 11:59 PM", "is not like"),
        ("2027-01-20 23:59 Nowhere/City", "is not like"),
        ("2027-02-30 23:59 JST", "is not like"),
        ("tomorrow", "is not like"),
        ("", "is not like"),
    ],
)
def test_a_due_date_that_must_be_guessed_is_told_with_its_row(course, due, why):
    text = f"{HEAD}baba,{ASSIGNMENT},2027-01-20 23:59 JST,\n\naoki,{ASSIGNMENT},{due},ill\n"
    with pytest.raises(CourseError) as error:
        read_extensions(course(text), ASSIGNMENT)
    assert str(error.value).startswith('extensions.csv cannot be used:\n  Row 4: the due date "' + due)
    assert why in str(error.value)


def test_all_rows_with_faults_are_told_at_once(course):
    due = "2027-01-20 23:59 JST"
    rows = f"a,wrong,{due},\n,{ASSIGNMENT},{due},\n1.2E+11,{ASSIGNMENT},{due},\nb,{ASSIGNMENT},{due},\n"
    with pytest.raises(CourseError) as error:
        read_extensions(course(f"{HEAD}{rows}b,{ASSIGNMENT},2027-01-21 23:59 JST,\n"), ASSIGNMENT)
    _head, *lines = str(error.value).split("\n")
    assert [line.split(":")[0].strip() for line in lines] == ["Row 2", "Row 3", "Row 4", "Row 6"]
    assert f"there is no assignment wrong; known: {ASSIGNMENT}" in lines[0] and "shortened" in lines[2]
    assert "row 5 has another due date" in lines[3]
    with pytest.raises(CourseError, match="must have these headings: student, assignment, due date, reason"):
        read_extensions(course("a,b,c\n1,2,3\n"), ASSIGNMENT)


def test_extensions_that_change_nothing_are_told():
    due = datetime(2027, 1, 15)
    given = {name: Extension(due + timedelta(days=days), "", row) for row, (name, days) in enumerate(
        [("aoki", 1), ("Baba", 1), ("nobody", 1), ("early", -1)], 2)}  # fmt: skip
    told = dict(doubts_on(given, {"aoki", "baba", "early"}, due))
    assert told.keys() == {"Baba", "nobody", "early"}
    assert told["Baba"].endswith("Is it baba?") and "row 4" in told["nobody"] and "before the due date" in told["early"]
    assert "has no due date" in dict(doubts_on(given, {"aoki"}, None))["aoki"]


@pytest.mark.parametrize(
    ("hours", "percent", "words"),
    [(0.4, 0, "nothing"), (0.5, 0, "nothing"), (0.6, 10, "0.5 h late: 10 %"), (24, 10, "0.5 h"),
     (25, 30, "24 h late: 30 %"),
     (1000, 100, "168 h late: 100 %")],
)  # fmt: skip
def test_the_last_rule_that_applies_counts(hours, percent, words):
    rules = LateRules(percent={0.5: 10, 24: 30, 168: 100})
    assert rules.late_submission_penalty("s", 36.0, 3600 * hours) == 36.0 * percent / 100
    assert words in rules.rule(3600 * hours)


@pytest.mark.parametrize("percent", [None, {}, {0: 101}, {0: -1}, {-1: 10}, {"a": 10}, 3])
def test_rules_that_cannot_be_are_refused_before_anybody_is_graded(percent):
    config = Config()
    config.AssignLatePenalties.plugin_class = f"{LateRules.__module__}.LateRules"
    if percent is not None:
        config.LateRules.percent = percent
    with pytest.raises(CourseError, match="late policy"):
        late_policy(config)


def test_an_extension_moves_the_penalty_of_that_student_and_goes_with_its_row(again, graded):
    folder, settings, _said = graded
    path = folder / "extensions.csv"
    row = f"s00001,{ASSIGNMENT},{LATER},ill\n"
    try:
        path.write_text(HEAD, encoding="utf-8")
        assert again()[0] == {"s00001": AUTOMATIC}
        path.write_text(HEAD + row + f"nobody,{ASSIGNMENT},{LATER},\n", encoding="utf-8")
        found, summary = again()
        assert found == {} and summary.penalised == 1
        assert "nobody with this id" in summary.looks["nobody"]
        path.write_text(HEAD, encoding="utf-8")
        found, summary = again(f'c.AssignLatePenalties.plugin_class = "{LateRules.__module__}.LateRules"\n'
                               "c.LateRules.percent = {0: 25}\n")  # fmt: skip
        assert found == {"s00001": 9.0}
        nbgrader(folder, "generate_feedback", ASSIGNMENT, "--student=s00001", "--force")
        page = (folder / "feedback" / "s00001" / ASSIGNMENT / NOTEBOOK).with_suffix(".html").read_text(encoding="utf-8")
        assert "9.0" in page and "2027-01-15 14:59 UTC" in page and "25 %" in page
        path.write_text(HEAD + f"s00001,{ASSIGNMENT},soon,\n", encoding="utf-8")
        done = grade(folder, check=False)
        assert done.returncode == 2 and "Row 2" in done.stderr and penalties(folder) == found
    finally:
        path.unlink()
