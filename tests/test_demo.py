"""The real nbgrader pipeline over the class of sample students: `make demo`, run once, and looked at from all sides."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import time
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import ALL_POINTS, solution_lines

from autograder import locale as i18n
from autograder.notebooks.submission import read_notebook, source_of
from source.release import COURSE
from source.translation import JAPANESE, spans
from tests import demo as command
from tests.demo import Marks, read_marks, surprises
from tests.places import checked_in_a_notebook, checked_in_the_shell, shown, verdicts, verdicts_when_graded
from tests.sample_class import BY_HAND, CLASS, CODE, FULL, NOTEBOOK, POINTS, Student, cell_of

ASSIGNMENT = "gradient-pathology-en"
"""What is graded where English is spoken, as in these tests."""

STUDENTS = {student.id: student for student in CLASS}
READABLE = [student for student in CLASS if not student.unreadable]


HURRIED = """
import json, sys
from autograder.grading.reference import Reference
from tests import demo
from tests.class_folder import give_private_cases
from tests.sample_class import NOTEBOOK, hurried

make_folder = demo.make_folder

def make_short(folder, assignment):
    make_folder(folder, assignment)
    give_private_cases(Reference(folder))
    path = folder / "source" / assignment / NOTEBOOK
    lesson = json.loads(path.read_text(encoding="utf-8"))
    lesson["cells"] = [cell for cell in lesson["cells"] if "experiment" not in cell["metadata"].get("tags", ())]
    path.write_text(json.dumps(lesson), encoding="utf-8")

demo.CLASS, demo.make_folder = tuple(map(hurried, demo.CLASS)), make_short
sys.exit(demo.main())
"""
"""Runs the demo with quick plots, with private cases that are not audited, and with a lesson without the experiments,
which no grader runs: what otherwise takes most of its time."""


def ids(students):
    return [student.id for student in students]


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> dict:
    """Where the demo ran and what it printed; it runs once, for all worker processes of the test run.

    Not even that where `make demo` has just run, as in .ci/run, which names the file of what that came to.
    """
    if made := os.environ.get("DEMO_MADE"):
        return json.loads(Path(made).read_text(encoding="utf-8")) | {"folder": COURSE / "demo"}
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    finished = shared / "demo.json"
    try:
        (shared / "demo.lock").mkdir()
    except FileExistsError:
        while not finished.exists():
            time.sleep(0.2)
    else:
        done = subprocess.run(
            [sys.executable, "-c", HURRIED, "--folder", str(shared / "demo")],
            cwd=COURSE,
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "COLUMNS": "200", "PYTHONUTF8": "1"},
        )
        draft = finished.with_suffix(".draft")
        draft.write_text(json.dumps({"code": done.returncode, "said": done.stdout + done.stderr}), encoding="utf-8")
        draft.replace(finished)
    return json.loads(finished.read_text(encoding="utf-8")) | {"folder": shared / "demo"}


@pytest.fixture(scope="session")
def folder(demo) -> Path:
    """The course folder that the demo made."""
    return demo["folder"]


@pytest.fixture(scope="session")
def marks(folder) -> dict[str, Marks]:
    """What came of every student."""
    (log,) = (folder / "logs").glob("*-autograde.log")
    return read_marks(folder / "gradebook.db", ASSIGNMENT, log)


class Page(HTMLParser):
    """What a browser would show as text, and what it would run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.scripts, self.handlers = "", [], []
        self._inside = ""
        self.html = html
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "style"):
            self._inside = tag
        if tag == "script":
            self.scripts.append(str(attrs))
        self.handlers += [(name, value) for name, value in attrs if name[:2] == "on" or "javascript:" in str(value)]

    def handle_endtag(self, tag):
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts.append(data)
        elif not self._inside:
            self.text += data


def notebook_in(folder: Path, place: str, student: Student) -> Path:
    return folder / place / student.id / ASSIGNMENT / NOTEBOOK


@cache
def feedback(folder: Path, student: str) -> Page:
    """The student's feedback page."""
    path = notebook_in(folder, "feedback", STUDENTS[student]).with_suffix(".html")
    return Page(path.read_text(encoding="utf-8"))


# --- the demo itself --------------------------------------------------------------------------------------------------


def test_the_demo_ends_well_and_shows_everybody(demo):
    assert demo["code"] == 0, demo["said"]
    assert f"All {len(CLASS)} scores are as expected" in demo["said"]
    for student in CLASS:
        assert re.search(rf"^ *{student.id} ", demo["said"], re.MULTILINE)
        if student.unreadable:
            assert re.search(rf"{student.id}: could not be read: .*{student.unreadable}", demo["said"])
    assert "Warning" not in demo["said"] and "Traceback" not in demo["said"]
    assert len(list((demo["folder"] / "logs").iterdir())) >= 6


@pytest.mark.parametrize(
    ("variables", "arguments", "language"),
    [
        ({}, [], "en"),
        ({"LANG": "C"}, [], "en"),
        ({"LANG": "de_DE.UTF-8"}, [], "en"),
        ({"LC_ALL": "ja_JP.UTF-8"}, [], "ja"),
        ({"AUTOGRADER_LANG": "ja", "LANG": "C"}, [], "ja"),
        ({"AUTOGRADER_LANG": "ja"}, ["--lang", "en"], "en"),
        ({}, ["--lang", "ja"], "ja"),
    ],
)
def test_the_demo_speaks_the_language_of_who_runs_it_and_grades_that_edition(
    variables, arguments, language, tmp_path, monkeypatch, capsys
):
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(i18n, "_names_of_system", lambda: "")
    monkeypatch.setattr(command, "run_course", played)
    assert command.main(["--folder", str(tmp_path / "demo"), *arguments]) == 0
    said = capsys.readouterr().out
    assignment = {"ja": "gradient-pathology", "en": "gradient-pathology-en"}[language]
    assert [path.name for path in (tmp_path / "demo" / "source").iterdir()] == [assignment]
    assert f"{assignment}: {ALL_POINTS:g} " in said and f"feedback/endo/{assignment}/" in said.replace(os.sep, "/")
    assert {"en": f"All {len(CLASS)} scores", "ja": f"{len(CLASS)} 人全員の得点"}[language] in said
    assert bool(re.search("[ぁ-んァ-ヶ一-龠]", said)) == (language == "ja")


def played(course):
    """Everybody's marks as they should be, without the course, whose commands speak the demo's language."""
    assert course._environment["AUTOGRADER_LANG"] == i18n.current_language()
    marks = {}
    for student in CLASS:
        scores = {exercise: 0.0 if exercise in student.loses else points for exercise, points in POINTS.items()}
        marks[student.id] = Marks(scores, student.by_hand, [" ".join([student.unreadable, *student.mended])])
    return marks


@pytest.mark.parametrize("language", ["ja", "en"])
def test_students_of_an_edition_write_in_its_language(language):
    assignment = command.edition(language)
    release = json.loads((COURSE / "release" / assignment / NOTEBOOK).read_text(encoding="utf-8"))
    for student in READABLE:
        answers = {name: source_of(cell_of(student.notebook(release), name)) for name in student.answers}
        prose = [answers[name] for name in answers.keys() & {"depth_study_findings"}]
        words = [span.text for name in answers.keys() & CODE.keys() for span in spans(answers[name])]
        foreign = [text for text in words if JAPANESE.search(re.sub(r"\{[^}]*\}", "", text))]
        assert all(bool(JAPANESE.search(text)) == (language == "ja") for text in prose)
        assert bool(foreign) == (language == "ja" and bool(words))


def test_the_demo_shows_the_kits_own_commands(demo):
    assert f"autograder grade {ASSIGNMENT}" in demo["said"] and f"autograder report {ASSIGNMENT}" in demo["said"]
    assert re.search(rf"0 graded, {len(CLASS)} unchanged", demo["said"])
    assert re.search(rf"Mean: [\d.]+, median: [\d.]+ of {ALL_POINTS:g} points", demo["said"])
    assert (demo["folder"] / "report" / ASSIGNMENT / "report.html").is_file()


def test_the_demo_empties_no_folder_that_is_not_its_own(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("three years of work")
    assert command.main(["--folder", str(tmp_path)]) == 1 and "do not belong to the demo" in capsys.readouterr().out
    assert (tmp_path / "thesis.txt").exists()


def test_a_score_that_is_not_as_expected_is_noticed():
    aoki = STUDENTS["aoki"]
    right = Marks(dict(POINTS), set(BY_HAND))
    assert surprises(aoki, right) == []
    assert "clip_gradients" in surprises(aoki, Marks(POINTS | {"clip_gradients": 5.0}, set(BY_HAND)))[0]
    assert "no score" in surprises(aoki, Marks())[0]
    assert "by hand" in surprises(aoki, Marks(dict(POINTS)))[0]
    assert "log" in surprises(STUDENTS["tanaka"], Marks(dict.fromkeys(POINTS, 0.0)))[0]


# --- scores -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("student", CLASS, ids=ids(CLASS))
def test_every_student_has_the_expected_scores_and_notes(marks, student):
    assert surprises(student, marks[student.id]) == []
    if student.score is None:  # a mistake costs a part of the points
        assert any(0 < marks[student.id].scores[exercise] < POINTS[exercise] for exercise in student.loses)


def test_grades_csv_holds_every_student(folder, marks):
    with (folder / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert rows.keys() == STUDENTS.keys()
    for name, row in rows.items():
        assert float(row["score"]) == marks[name].total
        assert float(row["max_score"]) == FULL + sum(BY_HAND.values())


# --- executed notebooks and feedback ----------------------------------------------------------------------------------


@pytest.mark.parametrize("student", [s for s in CLASS if s.score == FULL], ids=lambda s: s.id)
def test_figures_of_right_students_stand_in_the_executed_notebook(folder, student):
    notebook = read_notebook(notebook_in(folder, "autograded", student))
    outputs = cell_of(notebook, "depth_study_plot")["outputs"]
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("student", CLASS, ids=ids(CLASS))
def test_feedback_shows_no_solution_but_the_students_own_and_runs_nothing_that_a_student_wrote(folder, student):
    page, stock = feedback(folder, student.id), feedback(folder, "nagai")
    shown = {line.strip() for line in page.text.splitlines()}
    own = notebook_in(folder, "submitted", student).read_text(encoding="utf-8")
    if not student.unreadable:
        own = "\n".join(source_of(cell) for cell in json.loads(own)["cells"])
    own_lines = {line.strip() for line in own.splitlines()}
    assert not (solution_lines() & shown) - own_lines
    assert (page.scripts, page.handlers) == (stock.scripts, stock.handlers)
    assert student.unreadable in page.text, "it says why"


def test_feedback_shows_the_report_as_a_table_and_mathematics_as_it_was(folder):
    html = feedback(folder, "endo").html
    assert "<thead>" in html and "&lt;thead" not in html and "&lt;p&gt;" not in html
    assert r"\|g\|" in html and "<h2" in html and "<blockquote>" in html


# --- three places, one verdict ----------------------------------------------------------------------------------------


OF_EVERY_KIND = ("doi", "fujii", "mori", "nagai", "ono", "oshima", "saito", "sato")
"""Noise and a failing cell, a cause, stubs, nothing at all, an endless loop, a process that dies, cells that are
mended, a syntax error; the others are right, or have one mistake, as one of these."""


@pytest.mark.parametrize("student", [STUDENTS[name] for name in OF_EVERY_KIND], ids=OF_EVERY_KIND)
def test_notebook_shell_and_grading_agree(folder, student, tmp_path, kernel):
    path = notebook_in(folder, "submitted", student)
    in_the_shell = checked_in_the_shell(path, tmp_path / "result.json")
    assert verdicts_when_graded(read_notebook(notebook_in(folder, "autograded", student)), POINTS) == shown(
        in_the_shell
    )
    if student.runs_in_a_notebook:  # the others would hang or end the student's own Jupyter
        assert verdicts(checked_in_a_notebook(path, kernel)) == verdicts(in_the_shell)
