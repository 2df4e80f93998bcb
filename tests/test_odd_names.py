"""Assignments, students and course folders whose names mean something to patterns, addresses or nbgrader."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from class_folder import ASSIGNMENT, grade, grades_in, make_course, many
from conftest import COURSE
from nbgrader.coursedir import CourseDirectory

from autograder.cli import main
from autograder.grading.course import Course, CourseError
from autograder.grading.read_class import read_people
from autograder.locale import speaking

ODD = "hw[7] ? 課題"


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A course folder, an assignment and a student whose names are patterns, graded once."""
    folder = tmp_path_factory.mktemp("odd") / "kurs [2026] #1 100 %"
    make_course(folder, many(2))
    for old, new in [("s00000", "x[1]"), ("s00001", "x1")]:
        (folder / "submitted" / new).mkdir()
        (folder / "submitted" / old / ASSIGNMENT).rename(folder / "submitted" / new / ODD)
        shutil.rmtree(folder / "submitted" / old)
    (folder / "source" / ASSIGNMENT).rename(folder / "source" / ODD)
    grade(folder, "--student", "x[1]", "--jobs", "1", assignment=ODD)
    return folder


def test_a_student_of_that_name_is_graded_and_no_other(odd):
    assert set(grades_in(odd / "gradebook.db")) == {"x[1]"}
    assert [path.parent.name for path in (odd / "autograded").glob("*/*")] == ["x[1]"]
    assert not [path for path in odd.parent.iterdir() if path != odd]


def test_the_report_is_written_there(odd, monkeypatch, capsys):
    monkeypatch.chdir(odd)
    with pytest.raises(SystemExit) as end:
        main(["report", ODD, "--format", "html,canvas", "--lang", "en"])
    assert end.value.code == 0 and (odd / "report" / ODD / "canvas.csv").is_file()


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Makes an empty course folder of a name."""
    monkeypatch.chdir(tmp_path)

    def make(name="course"):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(COURSE / "nbgrader_config.py", folder)
        return folder

    return make


NO_NAME = "cannot be the name of an assignment"
ELSEWHERE = "would look for the gradebook"


@pytest.mark.parametrize("command", ["grade", "report"])
@pytest.mark.parametrize(
    ("folder", "name", "said"),
    [
        ("course", "hw+7", "nbgrader accepts no + in the name of an assignment"),
        *(("course", name, NO_NAME) for name in ("../x", "a/b", "", " hw")),
        *((folder, ASSIGNMENT, ELSEWHERE) for folder in ("kurs? 2026", "kurs?", "kurs %41")),
    ],
)
def test_a_name_that_nbgrader_does_not_take_is_refused_in_one_sentence(course, capsys, command, folder, name, said):
    folder = course(folder)
    with pytest.raises(SystemExit) as end:
        main([command, name, "--course", str(folder), "--lang", "en"])
    out, err = capsys.readouterr()
    assert end.value.code == 2 and said in err and err.count("\n") == 1 and not out
    assert [path.name for path in folder.iterdir()] == ["nbgrader_config.py"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_nor_does_anything_else_read_a_gradebook_there(course):
    with speaking("en"), pytest.raises(CourseError, match=ELSEWHERE):
        read_people(CourseDirectory(root=str(course("kurs?"))))


def test_a_gradebook_elsewhere_may_be_meant(course):
    folder = course("kurs?")
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write(f"\nc.CourseDirectory.db_url = 'sqlite:///{folder.parent / 'gradebook.db'}'\n")
    assert Course(folder).database.endswith("gradebook.db")


@pytest.mark.parametrize("name", ["hw [7]*", "課題７(?)"])
def test_the_gradebook_gets_to_know_an_assignment_of_any_name(course, name):
    folder = course("kurs [2026]")
    for one in (name, "hw 7", "hwx"):
        shutil.copytree(COURSE / "source" / ASSIGNMENT, folder / "source" / one)
    Course(folder).generate(name)
    with sqlite3.connect(folder / "gradebook.db") as database:
        assert database.execute("SELECT name FROM assignment").fetchall() == [(name,)]
    assert [path.name for path in (folder / "release").iterdir()] == [name]


def test_an_assignment_without_a_notebook_is_said_to_be_so(course):
    folder = course()
    (folder / "source" / "hw").mkdir(parents=True)
    with speaking("en"), pytest.raises(CourseError, match="There is no notebook in .*hw"):
        Course(folder).generate("hw")


def test_nobody_is_looked_for_outside(course):
    folder = course()
    (folder / "elsewhere" / "hw").mkdir(parents=True)
    (folder / "submitted").mkdir()
    assert not list(Course(folder).handed_in("hw", "../elsewhere"))
    assert Path.cwd() == folder.resolve()
