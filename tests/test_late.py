"""Late penalties: by today's due date, policy and time stamp, whenever one grades."""

import sqlite3

import pytest

from autograder.grading.course import Course, CourseError
from autograder.grading.grade_class import grade_class
from autograder.grading.job import Settings
from autograder.sandbox.isolation import Level
from tests.class_folder import ASSIGNMENT, grade, make_course, many, nbgrader

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
    assert "3 graded" in said and penalties(folder) == {"s00001": 36.0}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"s00001": 36.0}),
        ({"due": LATER}, {}),
        ({"policy": ""}, {}),
        ({"policy": HOURLY}, {"s00001": 1.5}),
        ({"policy": HOURLY + "c.Hourly.rate = 4.0\n"}, {"s00001": 4.0}),
        ({"policy": HOURLY + "c.Hourly.rate = 400.0\n"}, {"s00001": 36.0}),
    ],
)
def test_the_penalty_of_what_is_unchanged_follows_due_date_and_policy(again, change, expected):
    found, summary = again(**change)
    other = int(expected != {"s00001": 36.0})
    assert found == expected
    assert (summary.graded, summary.penalised, summary.unchanged) == (0, other, 3 - other)


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
    assert found == {"s00001": 36.0} and summary.done == 3
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
