"""Grading again: whose points change, in which checks and why, before anybody's do."""

from __future__ import annotations

import hashlib
import math
import shutil
import sqlite3
import tempfile

import pytest
from conftest import AUTOMATIC

from autograder.cli.class_table import print_summary
from autograder.grading.changes import Booked, change_between, checks_between, parts_between
from autograder.grading.course import Course
from autograder.grading.grade_class import Summary, grade_class
from autograder.grading.job import Settings
from tests.class_folder import ASSIGNMENT, command, environment, grade, grades_in, make_course, many, nbgrader, total
from tests.sample_class import CODE, Student

pytestmark = pytest.mark.usefixtures("graded_here")


def contents(folder):
    """Everything in a course folder, but for bytecode and the private cases, which are made as needed."""
    made = {"__pycache__", "private"}
    files = (path for path in folder.rglob("*") if path.is_file() and made.isdisjoint(path.parts))
    return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(said: str, title: str) -> str:
    """The table under `title`, as one line of words."""
    return " ".join(said[said.index(title) :].split()) if title in said else ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three students: all right, nothing written for clip_gradients, and all right with points by hand."""
    students = (*many(2), Student("none", "", {k: v for k, v in CODE.items() if k != "clip_gradients"}))
    folder = make_course(tmp_path_factory.mktemp("preview") / "course", students)
    shutil.rmtree(folder / "reference" / "audit")  # it would refuse the private cases of a wrong solution
    assert "Changed points" not in grade(folder).stdout
    with sqlite3.connect(folder / "gradebook.db") as database:
        database.execute(
            "UPDATE grade SET manual_score = 2.0, needs_manual_grade = 0 WHERE cell_id IN "
            "(SELECT id FROM base_cell WHERE name = 'depth_study_plot') AND notebook_id IN (SELECT n.id FROM "
            "submitted_notebook n JOIN submitted_assignment a ON a.id = n.assignment_id WHERE a.student_id = 's00001')"
        )
    return folder


def test_where_nothing_has_changed_nothing_would(folder):
    before = contents(folder)
    said = grade(folder, "--preview").stdout
    assert "Preview: 0 graded, points of 0 would change. Nothing was kept." in said and "Points that" not in said
    assert contents(folder) == before


def test_a_mistake_in_the_reference_is_seen_before_anybodys_points_move(folder):
    solution = folder / "reference" / "gradient_pathology" / "clip_gradients" / "solution.py"
    right = solution.read_text(encoding="utf-8")
    wrong = right.replace("np.sqrt(", "1.5 * np.sqrt(", 1)
    assert wrong != right
    solution.write_text(wrong, encoding="utf-8")
    try:
        before, points = contents(folder), grades_in(folder / "gradebook.db")
        said = grade(folder, "--preview").stdout
        assert contents(folder) == before and grades_in(folder / "gradebook.db") == points
        table = rows(said, "Points that would change")
        assert "Preview: 3 graded, points of 2 would change. Nothing was kept." in table
        assert f"{AUTOMATIC:g} → " in table and f"{AUTOMATIC + 2:g} → " in table, "points given by hand stay"
        assert "clip_gradients: " in table and "(" in table and "the reference or the secret" in table
        assert "none" not in table
        foreseen = {student: foreseen_of(table, student) for student in ("s00000", "s00001")}
        said = grade(folder).stdout
        assert "3 graded" in said and rows(said, "Changed points").startswith("Changed points")
        now = grades_in(folder / "gradebook.db")
        assert {"s00000": total(now["s00000"]), "s00001": total(now["s00001"]) + 2.0} == foreseen
    finally:
        solution.write_text(right, encoding="utf-8")
    assert f"{AUTOMATIC:g}" in rows(grade(folder).stdout, "Changed points")
    assert {student: total(cells) for student, cells in grades_in(folder / "gradebook.db").items()} == {
        "s00000": AUTOMATIC,
        "s00001": AUTOMATIC,
        "none": 30.0,
    }


def foreseen_of(table: str, student: str) -> float:
    words = table.split()
    return float(words[words.index(student) + 3])


def test_a_new_due_date_shows_whom_it_costs(folder):
    stamp = folder / "submitted" / "s00000" / ASSIGNMENT / "timestamp.txt"
    stamp.write_text("2027-01-16 00:59:00 Asia/Tokyo", encoding="utf-8")
    settings = folder / "nbgrader_config.py"
    settings.write_text(
        settings.read_text(encoding="utf-8") + 'c.LateSubmissionPlugin.penalty_method = "zero"\n', encoding="utf-8"
    )
    assert "Changed points" not in grade(folder).stdout, "there is no due date yet"
    nbgrader(folder, "db", "assignment", "add", ASSIGNMENT, "--duedate=2027-01-15 23:59:00 Asia/Tokyo")
    before = contents(folder)
    table = rows(grade(folder, "--preview").stdout, "Points that would change")
    assert contents(folder) == before
    assert (
        f"s00000 {AUTOMATIC:g} → 0 late penalty (0 → {AUTOMATIC:g}) late policy, due date, "
        "extension or time of the hand-in" in table
    )
    assert f"s00000 {AUTOMATIC:g} → 0" in rows(grade(folder).stdout, "Changed points")


def worth(folder, **cells):
    """Give released cells other points, as `nbgrader generate_assignment` does."""
    with sqlite3.connect(folder / "gradebook.db") as database:
        for name, points in cells.items():
            cell = "(SELECT id FROM base_cell WHERE name = ?)"
            assert database.execute(f"UPDATE grade_cells SET max_score = ? WHERE id = {cell}", [points, name]).rowcount


def test_other_points_are_one_line_for_each_exercise_and_one_for_each_cell_graded_by_hand(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # so that no cell of the table is folded
    worth(folder, check_clip_gradients=12.0, depth_study_plot=4.0, depth_study_findings=5.0)
    try:
        said = " ".join(grade(folder, "--preview").stdout.split())
    finally:
        worth(folder, check_clip_gradients=6.0, depth_study_plot=2.0, depth_study_findings=2.0)
    assert said.count("clip_gradients: 6 of 6 → 12 of 12 points") == 2 == said.count("clip_gradients: ")
    assert "depth_study_plot is worth 4 points, and was worth 2: what you gave for it stays" in said
    assert "(students: 1)." in said and "depth_study_findings is worth" not in said, "nobody has points for it"
    assert "is worth" not in grade(folder, "--preview").stdout


def test_who_has_no_points_yet_is_graded_for_the_first_time(folder):
    new = folder / "submitted" / "s00002"
    shutil.copytree(folder / "submitted" / "s00001", new)
    try:
        said = grade(folder, "--preview").stdout
    finally:
        shutil.rmtree(new)
    assert "Preview: 1 graded for the first time. Nothing was kept." in said and "would change" not in said


def test_a_preview_needs_something_to_compare_with(tmp_path):
    course = make_course(tmp_path / "course", many(1))
    done = grade(course, "--preview", check=False)
    assert done.returncode == 2 and "Nothing has been graded yet" in done.stderr
    assert not (course / "gradebook.db").exists() and not (course / "release").exists()


def test_what_has_changed_is_told_part_by_part():
    assert parts_between("kit=1 reference=2 hand-in=3", "kit=1 reference=2 hand-in=3") == ()
    assert parts_between("kit=1 reference=2 hand-in=3", "kit=1 reference=3 hand-in=4") == (
        "the reference or the secret",
        "what was handed in",
    )
    assert parts_between("0a1b", "kit=1") == ("the kit",), "an older kit's digest has no parts"


def test_checks_that_are_new_or_gone_are_told():
    def result(**points):
        return {"checks": {"other": {"items": [{"id": id, "points": p, "max": 2.0} for id, p in points.items()]}}}

    parts = checks_between(result(a=1.0, b=2.0), result(b=1.5, c=1.0))
    assert [part.words for part in parts] == ["other: a (1 → –)", "other: b (2 → 1.5)", "other: c (– → 1)"]
    assert [part.gain for part in parts] == [-1.0, -0.5, 1.0]
    assert checks_between(result(a=1.0), result(a=1.0)) == ()


def weighted(**checks):
    """A result with these checks: points and maximum of each."""
    items = [{"id": id, "points": points, "max": most} for id, (points, most) in checks.items()]
    return {"checks": {"other": {"items": items}}}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"a": (2, 2), "b": (4, 4)}, {"a": (4, 4), "b": (8, 8)}, ["other: 6 of 6 → 12 of 12 points"]),
        ({"a": (2, 2), "b": (1, 4)}, {"a": (4, 4), "b": (2, 8)}, ["other: 3 of 6 → 6 of 12 points"]),
        ({"a": (0.1, 0.3), "b": (0, 1)}, {"a": (0.3, 0.9), "b": (0, 3)}, ["other: 0.1 of 1.3 → 0.3 of 3.9 points"]),
        ({"a": (2, 2), "b": (4, 4)}, {"a": (1, 1), "b": (2, 8)}, ["other: 2 of 2 → 1 of 1 points", "other: b (4 → 2)"]),
        ({"a": (0, 2)}, {"a": (0, 4)}, []),
        ({"a": (2, 2)}, {"a": (1, 2)}, ["other: a (2 → 1)"]),
    ],
    ids=["all right", "half right", "rounded", "and a mistake", "nothing", "a mistake"],
)
def test_where_only_the_points_have_changed_an_exercise_is_one_line(old, new, words):
    parts = checks_between(weighted(**old), weighted(**new))
    assert [part.words for part in parts] == words
    gain = sum(points for points, _most in new.values()) - sum(points for points, _most in old.values())
    assert sum(part.gain for part in parts) == pytest.approx(gain)


@pytest.mark.parametrize(
    ("before", "after", "parts", "late"),
    [
        ((39.5, 0.0), (40.95, 4.55), ["other: 6 of 6 → 12 of 12 points", "late penalty (0 → 4.55)"], True),
        ((27.0, 3.0), (32.4, 3.6), ["other: 6 of 6 → 12 of 12 points", "late penalty (3 → 3.6)"], False),
        ((27.0, 3.0), (28.8, 7.2), ["other: 6 of 6 → 12 of 12 points", "late penalty (3 → 7.2)"], True),
        ((0.0, 30.0), (36.0, 0.0), ["other: 6 of 6 → 12 of 12 points", "late penalty (30 → 0)"], True),
        (
            (40.0, 0.0),
            (40.0, 0.0),
            ["other: 6 of 6 → 12 of 12 points", "points by hand, or of other cells (-6)"],
            False,
        ),
        ((40.0, 0.0), (46.0, 0.0), ["other: 6 of 6 → 12 of 12 points"], False),
        ((28.0, 2.0), (34.0, 2.0), ["other: 6 of 6 → 12 of 12 points"], False),
        ((28.0, 2.0), (34.0, math.nextafter(2.0, 3.0)), ["other: 6 of 6 → 12 of 12 points"], False),
    ],
    ids=["late now", "a tenth of both", "a fifth", "late no more", "overruled", "in time", "flat", "flat, rounded"],
)
def test_a_late_penalty_is_named_beside_other_parts_and_all_add_up(before, after, parts, late):
    checks = checks_between(weighted(a=(6, 6)), weighted(a=(12, 12)))
    change = change_between(Booked(*before), Booked(*after), checks, ("other reasons",))
    assert [part.words for part in change.parts] == parts
    assert sum(part.gain for part in change.parts) == pytest.approx(change.after - change.before)
    reason = "late policy, due date, extension or time of the hand-in"
    assert change.why == ("other reasons", *([reason] if late else []))


def test_where_nothing_changes_or_rounding_alone_there_is_no_change():
    assert change_between(Booked(3.0, 1.0), Booked(3.0, 1.0), (), ("the kit",)) is None
    assert change_between(Booked(3.0, 2.0), Booked(3.0, math.nextafter(2.0, 3.0))) is None
    assert checks_between(weighted(a=(0.3, 2)), weighted(a=(0.1 + 0.2, 2))) == ()


def test_a_first_grading_is_no_change(capsys):
    change = change_between(Booked(1.0), Booked(2.0))
    print_summary(Summary(graded=9, first=7, changes={"s": change}), preview=True)
    said = "Preview: 7 graded for the first time, 2 again; points of 1 would change. Nothing was kept."
    assert said in " ".join(capsys.readouterr().out.split())


def test_a_preview_has_no_results_to_write(folder):
    done = grade(folder, "--preview", "--json", str(folder / "results.json"), check=False)
    assert done.returncode == 2 and "--preview keeps nothing" in done.stderr
    assert not (folder / "results.json").exists()


def test_a_preview_that_is_stopped_says_that_nothing_was_kept(folder, monkeypatch):
    def stop(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("autograder.grading.grade_class.grade_class", stop)
    said = {option: grade(folder, *option.split(), check=False).stderr for option in ("--preview", "")}
    assert "Nothing was kept" in said["--preview"] and "continues" not in said["--preview"]
    assert "the same command continues" in said[""]


def test_what_a_preview_writes_is_in_the_folder_that_goes_even_if_it_is_killed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []
    monkeypatch.setattr(
        "autograder.grading.grade_class.ClassGradebook",
        lambda course, _assignment: seen.append([*tmp_path.rglob("copy.db")]) or 1 / 0,
    )
    with pytest.raises(ZeroDivisionError):
        grade_class(Course(folder), ASSIGNMENT, Settings(folder, None), 1, preview=True)
    ((copy,),) = seen
    assert copy.relative_to(tmp_path).parts[0].startswith("autograder-"), "scratch_folder removes what is left of it"
    assert not copy.exists()


def test_a_gradebook_of_another_version_is_not_taken_for_one_that_is_locked(folder, tmp_path):
    """Waiting does not help, nor does running the command again."""
    old = shutil.copytree(folder, tmp_path / "course")
    with sqlite3.connect(old / "gradebook.db") as database:
        database.execute("ALTER TABLE assignment RENAME COLUMN course_id TO unknown")
    for line in (("grade",), ("grade", "--preview"), ("report",)):
        done = command(*line[:1], ASSIGNMENT, "--course", str(old), *line[1:], environment=environment(old))
        assert done.returncode == 2 and "nbgrader db upgrade" in done.stderr, (line, done)
        assert "Is another program at work" not in done.stderr
