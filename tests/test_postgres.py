"""A gradebook in PostgreSQL: the same grades as in a file, and what happens when the server goes away."""

from __future__ import annotations

import shutil

import pytest
from nbgrader.api import Student, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import select

from autograder.grading import grade_class, gradebook
from autograder.grading.course import Course
from autograder.grading.gradebook import ClassGradebook
from autograder.grading.result_file import stored_results
from tests import postgres, sample_class
from tests.class_folder import (
    ASSIGNMENT,
    Inline,
    command,
    comments_in,
    environment,
    grade,
    grades_in,
    make_course,
    many,
    nbgrader,
    rows,
)
from tests.sample_class import CLASS, CODE, hurried, written

pytest.importorskip("psycopg2", reason="the driver is installed on Linux")
pytestmark = pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL is not installed")

REACH = """
import os, socket
gained = []
try:
    with socket.socket(socket.AF_UNIX) as reach:
        reach.connect({path!r})
    gained.append("server")
except OSError:
    pass
gained += [name for name in os.environ if name.startswith("PG")]
print("GAINED", gained)
"""
ODD = sample_class.Student(
    "odd",
    "raises what no database stores as it is",
    CODE | {"clip_gradients": written("clip_gradients", 'raise KeyError("a\\0b\\ud800\\x1b' + "長" * 5000 + '")')},
)


@pytest.fixture(scope="module")
def server():
    with postgres.server() as running:
        yield running


LATE = """
c.AssignLatePenalties.plugin_class = "autograder.nbgrader_plugins.late_rules.LateRules"
c.LateRules.percent = {0: 25}
"""


def kept_in(course, url):
    """`course`, with its gradebook at `url`."""
    with (course / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write(f"\nc.CourseDirectory.db_url = {url!r}\n")
    return course


def everything(database) -> dict:
    """All that grading writes to a gradebook, but for ids."""
    submissions = (
        select(
            SubmittedAssignment.student_id,
            SubmittedAssignment.timestamp,
            SubmittedAssignment.extension,
            SubmittedNotebook.late_submission_penalty,
        )
        .select_from(SubmittedAssignment)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .order_by(SubmittedAssignment.student_id)
    )
    return {
        "grades": grades_in(database),
        "comments": comments_in(database),
        "submissions": [tuple(row) for row in rows(database, submissions)],
        "students": [id for (id,) in rows(database, select(Student.id).order_by(Student.id))],
    }


def hand_in_at(course, student, when):
    (course / "submitted" / student / ASSIGNMENT / "timestamp.txt").write_text(when, encoding="ascii")


def results(course) -> dict:
    return {student: stored.result for student, stored in stored_results(Course(course), ASSIGNMENT)}


@pytest.fixture(scope="module")
def both(server, tmp_path_factory):
    """A few students graded into a file, and into a server: the folder, its gradebook, twice."""
    reach = REACH.format(path=f"{server.folder}/.s.PGSQL.5432")
    hostile = sample_class.Student("hostile", "", CODE | {"clip_gradients": CODE["clip_gradients"] + reach})
    wanted = ("aoki", "endo", "mori", "saito", "tanaka")
    class_ = (*(hurried(student) for student in CLASS if student.id in wanted), ODD, hostile)
    made = []
    for name in ("file", "server"):
        course = make_course(tmp_path_factory.mktemp(name) / "course", class_)
        database = course / "gradebook.db"
        if name == "server":
            database = server.create("gradebook")
            kept_in(course, database)
        with (course / "nbgrader_config.py").open("a", encoding="utf-8") as config:
            config.write(LATE)
        nbgrader(course, "db", "assignment", "add", ASSIGNMENT, "--duedate=2026-11-01 11:00:00 UTC")
        hand_in_at(course, "endo", "2026-11-01 12:00:00 UTC")
        grade(course)
        made.append((course, database))
    return made


def test_a_server_has_the_rows_that_a_file_has(both):
    (here, file), (there, server) = both
    assert results(here) == results(there) and len(results(there)) == 7
    assert everything(file) == everything(server) and everything(server)["grades"].keys() == results(there).keys()
    assert not (there / "gradebook.db").exists()
    penalties = {student: penalty for student, _time, _extension, penalty in everything(server)["submissions"]}
    assert penalties["endo"] > 0 and penalties["aoki"] is None


def test_code_of_students_reaches_neither_the_server_nor_its_password(both):
    (_here, _file), (there, _server) = both
    (stored,) = (stored for student, stored in stored_results(Course(there), ASSIGNMENT) if student == "hostile")
    if stored.isolation == "basic":
        pytest.skip("nothing isolates code here")
    text = (there / "autograded" / "hostile" / ASSIGNMENT / "gradient_pathology.ipynb").read_text(encoding="utf-8")
    assert "GAINED []" in text


def test_a_second_run_changes_nothing(both):
    (_here, _file), (there, server) = both
    before = everything(server)
    assert "0 graded, 7 unchanged" in grade(there).stdout
    assert everything(server) == before


def test_nbgraders_commands_and_the_report_go_on_with_it(both):
    (here, file), (there, server) = both
    for course in (here, there):
        hand_in_at(course, "mori", "2026-11-01 12:30:00 UTC")
        nbgrader(course, "autograde", ASSIGNMENT, "--student=mori", "--force")
        nbgrader(course, "generate_feedback", ASSIGNMENT, "--student=mori")
        line = ("report", ASSIGNMENT, "--course", str(course), "--out", str(course / "report"))
        assert command(*line, "--format=json,canvas,moodle", environment=environment(course)).returncode == 0
    assert everything(file) == everything(server)
    reports = [{path.name: path.read_bytes() for path in course.glob("report/*")} for course in (here, there)]
    assert reports[0] == reports[1] and len(reports[1]) >= 3
    pages = [next(course.glob("feedback/mori/*/*.html")).read_text(encoding="utf-8") for course in (here, there)]
    assert pages[0] == pages[1]


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.fixture
def course(server, tmp_path, monkeypatch, request):
    """A course of three students with an empty database, graded in this process; and the address of that."""
    monkeypatch.setattr(grade_class, "Pool", Inline)
    database = server.create(request.node.name.lower()[:60])
    return kept_in(make_course(tmp_path / "course", many(3)), database), database


class Interrupted:
    """Does something in the middle of the second booking: its grades are sent, and not yet committed."""

    def __init__(self, monkeypatch, act, times: int = 1) -> None:
        self.number, self._act, self._times, self._add = 0, act, times, ClassGradebook._add
        monkeypatch.setattr(ClassGradebook, "_add", lambda gradebook, *arguments: self.add(gradebook, *arguments))

    def add(self, gradebook, *arguments):
        self._add(gradebook, *arguments)
        self.number += 1
        if 1 < self.number <= 1 + self._times:
            self._act()


def test_a_connection_that_is_lost_is_made_again(course, server, monkeypatch):
    folder, database = course
    interrupted = Interrupted(monkeypatch, server.disconnect)
    assert "3 graded" in grade(folder).stdout
    assert interrupted.number == 4 and len(everything(database)["submissions"]) == 3
    assert len(results(folder)) == 3


def test_a_server_that_restarts_is_waited_for(course, server, monkeypatch):
    folder, database = course
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            server.start()

    monkeypatch.setattr(gradebook, "sleep", pause)
    Interrupted(monkeypatch, server.stop)
    assert "3 graded" in grade(folder).stdout
    assert len(pauses) == 3 and len(everything(database)["submissions"]) == 3 == len(results(folder))


def test_a_server_that_goes_away_is_said_and_nothing_is_half_there(course, server, monkeypatch):
    folder, database = course
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gradebook, "sleep", lambda seconds: None)
        Interrupted(patch, server.stop)
        ended = grade(folder, check=False)
    server.start()
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert "The gradebook cannot be used" in ended.stderr and "run the same command again" in ended.stderr
    seen = everything(database)
    assert seen["students"] == ["s00000"] == [*seen["grades"]] == [*results(folder)]
    assert "2 graded, 1 unchanged" in grade(folder).stdout
    assert len(everything(database)["submissions"]) == 3 == len(results(folder))


def test_who_grades_at_the_same_time_books_once(course, server, monkeypatch):
    """Another one books the same student between our look and our own insert."""
    folder, database = course
    added = ClassGradebook._add

    def add(gradebook, *arguments):
        monkeypatch.setattr(ClassGradebook, "_add", added)
        assert "3 graded" in grade(folder).stdout
        added(gradebook, *arguments)

    monkeypatch.setattr(ClassGradebook, "_add", add)
    assert "1 graded, 2 unchanged" in grade(folder).stdout
    assert len(everything(database)["submissions"]) == 3


@pytest.fixture(scope="module")
def booked(server, tmp_path_factory):
    """A course of one student who is graded, and a clerk's way to its database."""
    database = server.create("booked")
    folder = kept_in(make_course(tmp_path_factory.mktemp("booked") / "course", many(1)), database)
    grade(folder)
    server.do("CREATE ROLE clerk LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk", "booked")
    return kept_in(folder, database.replace(postgres.USER, "clerk")), database


@pytest.mark.parametrize(
    "change, undo, words",
    [
        ("REVOKE INSERT ON student FROM clerk", "GRANT INSERT ON student TO clerk", "permission denied"),
        (
            "ALTER ROLE clerk SET default_transaction_read_only = on",
            "ALTER ROLE clerk RESET default_transaction_read_only",
            "read-only",
        ),
        (
            "ALTER TABLE grade RENAME COLUMN auto_score TO automatic",
            "ALTER TABLE grade RENAME COLUMN automatic TO auto_score",
            "nbgrader db upgrade",
        ),
    ],
)
def test_a_database_that_cannot_be_used_is_said_and_blamed_on_nobody(
    booked, server, tmp_path, monkeypatch, change, undo, words
):
    monkeypatch.setattr(grade_class, "Pool", Inline)
    monkeypatch.setattr(gradebook, "sleep", lambda seconds: None)
    folder, database = shutil.copytree(booked[0], tmp_path / "course"), booked[1]
    before = everything(database)
    shutil.copytree(folder / "submitted" / "s00000", folder / "submitted" / "another")
    server.do(change, "booked")
    ended = grade(folder, check=False)
    server.do(undo, "booked")
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert ended.stderr.startswith("The gradebook cannot be used (") and words in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert everything(database) == before and [*results(folder)] == ["s00000"]
