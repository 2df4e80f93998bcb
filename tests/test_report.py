"""`autograder report`: a made-up class against a direct computation, and every format through a standard parser."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import sqlite3
import statistics
import sys
from collections import Counter
from datetime import datetime, timedelta
from unittest.mock import MagicMock
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import parsed

from autograder import cli
from autograder.checks.exercise import Stopped
from autograder.checks.judge import interrupted
from autograder.checks.results import Ending, ExerciseResult, Item, Outcome, SubmissionResult
from autograder.exercises.recorded import known_mistakes
from autograder.grading import grade_class
from autograder.grading.course import Course, CourseError
from autograder.grading.job import Assignment, Settings
from autograder.grading.read_class import read_class
from autograder.locale import LANGUAGES, _, speaking
from autograder.nbgrader_plugins.late_rules import LateRules
from autograder.notebooks.load import folded
from autograder.report import class_items, exports
from autograder.report.class_page import class_page, score_bins
from autograder.report.class_record import CellGrade, ClassRecord, Person, Standing, StudentRecord, result_of
from autograder.report.class_report import write_report
from autograder.report.class_words import cause_in_words, ending_words, endings, open_words
from autograder.report.item_analysis import ItemAnalysis, ItemPoints, analysis_json, discrimination
from autograder.report.words import headline
from autograder.sandbox import client
from autograder.sandbox.isolation import Level
from tests import report_class as made_of
from tests.class_folder import command
from tests.report_class import ASSIGNMENT, BY_HAND, EXERCISES, HOSTILE_ID, POINTS, STUDENTS, make_class, new_gradebook

CHECKS = [(exercise, check) for exercise in EXERCISES for check in exercise.checks]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The class as it was made, from which the tests compute for themselves."""
    return make_class(tmp_path_factory.mktemp("report") / "course")


@pytest.fixture(autouse=True)
def stay_here():
    """A Course changes the working directory."""
    here = os.getcwd()
    yield
    os.chdir(here)


@pytest.fixture(scope="module")
def record(made):
    with contextlib.chdir(made.folder):
        return read_class(Course(made.folder), ASSIGNMENT)


@pytest.fixture(scope="module")
def page(record):
    with speaking("en"):
        return Page(class_page(record))


@pytest.fixture(scope="module")
def japanese_page(record):
    with speaking("ja"):
        return Page(class_page(record))


class Page:
    """The page as sections of rows and notes, and all that it could load or run."""

    def __init__(self, text):
        soup = parsed(text)
        elements = soup.find_all(True)
        self.text, self.tags = text, Counter(element.name for element in elements)
        self.attributes = [attribute for element in elements for attribute in element.attrs.items()]
        self.sections, self.notes = {}, {}
        for section in soup.find_all("section"):
            title = section.h2.get_text()
            rows = [row.find_all(["td", "th"]) for row in section.find_all("tr")]
            self.sections[title] = [[cell.get_text() for cell in row] for row in rows]
            self.notes[title] = [note.get_text() for note in section.find_all("p")]

    def row(self, section, key):
        (row,) = [row for row in self.sections[section] if row[0] == key]
        return row


def counted(made):
    """Those whose checks count: judged, and in the store."""
    return [result for student, result in made.judged.items() if student != made_of.NOT_STORED]


def points_in(results):
    points = ItemPoints()
    for result in results:
        points.add(result)
    return points


def points_of(results, exercise, check=None):
    items = [item for result in results for item in result.checks[exercise.id].items]
    if check is not None:
        return [item.points for item in items if item.id == check.id]
    n = len(exercise.checks)
    return [sum(item.points for item in items[i : i + n]) for i in range(0, len(items), n)]


def totals_of(results):
    return [sum(item.points for found in result.checks.values() for item in found.items) for result in results]


def directly(results, exercise, check=None):
    """Facility and discrimination by the standard library."""
    most = check.points if check else sum(check.points for check in exercise.checks)
    item = points_of(results, exercise, check)
    rest = [total - earned for total, earned in zip(totals_of(results), item, strict=True)]
    try:
        correlation = statistics.correlation(item, rest)
    except statistics.StatisticsError:  # an input is constant
        correlation = None
    return statistics.fmean(item) / most, correlation


def expected_scores(made):
    """Student -> score in the gradebook, by hand from what was made."""
    scores = {s: total + made.hand[s] for s, total in zip(made.judged, totals_of(made.judged.values()), strict=True)}
    scores[made_of.UNREADABLE] = 0.0
    scores[made_of.NOT_BOOKED] -= made.hand[made_of.NOT_BOOKED]
    scores[made_of.OPEN] -= made.hand[made_of.OPEN]
    scores[made_of.LATE] = max(0.0, scores[made_of.LATE] - 3.0)
    scores[made_of.OVERRULED] += 5.5 - made.judged[made_of.OVERRULED].checks["depth_study"].score
    return scores


def test_everybody_is_there_with_their_score(made, record):
    assert record.max == POINTS + sum(BY_HAND.values()) == 40.0
    assert len(record.students) == STUDENTS
    scores = {student.id: student.score for student in record.students if student.score is not None}
    assert scores == pytest.approx(expected_scores(made))
    assert Counter(student.standing for student in record.students) == {
        Standing.JUDGED: STUDENTS - 4,
        Standing.UNREADABLE: 1,
        Standing.WITHOUT_RESULT: 1,
        Standing.NOT_GRADED: 1,
        Standing.ABSENT: 1,
    }
    assert [student.id for student in record.students if student.waiting] == [made_of.OPEN]


def test_discrimination_is_undefined_without_spread_or_with_two_students():
    spread, flat = np.array([0.0, 1.0, 2.0]), np.array([0.1 + 0.2, 0.3, 0.3])
    assert discrimination(flat, spread) is None
    assert discrimination(spread, flat) is None
    assert discrimination(spread[:2], spread[:2]) is None
    assert discrimination(spread, -spread) == pytest.approx(-1.0)


def test_students_of_another_version_of_the_kit_count_where_they_have_a_result(made):
    results = [SubmissionResult(dict(result.checks)) for result in counted(made)[:50]]
    for result in results[:20]:
        del result.checks["depth_study"]
    exercise = next(exercise for exercise in EXERCISES if exercise.id == "depth_study")
    found = points_in(results).statistics(exercise.id)
    assert (found.students, found.facility) == (30, pytest.approx(directly(results[20:], exercise)[0]))
    with pytest.raises(ValueError, match="nobody"):
        points_in(results[:20]).statistics(exercise.id)


def test_the_page_shows_these_numbers_and_the_outcomes(made, page):
    results = counted(made)
    head, *rows = page.sections["Exercises and checks"]
    expected = [
        pair for exercise in made_of.NOTEBOOK for pair in [(exercise, None), *((exercise, c) for c in exercise.checks)]
    ]
    assert len(rows) == len(expected)
    for row, (exercise, check) in zip(rows, expected, strict=True):
        facility, correlation = directly(results, exercise, check)
        shown = "–" if correlation is None else f"{correlation:.2f}".replace("-", "−")
        assert row[0] == (check.sentence.replace("`", "") if check else exercise.id)
        assert row[2:4] == [f"{facility:.2f}", shown]
        if check:
            items = [item for result in results for item in result.checks[exercise.id].items if item.id == check.id]
            counts = Counter(item.outcome for item in items)
            assert row[4:] == [str(counts[outcome] or "") for outcome in Outcome]
    first = expected.index((EXERCISES[0], EXERCISES[0].checks[0]))
    assert rows[first][2:4] == ["1.00", "–"]  # everybody passes it
    assert len(set(head[4:])) == len(head[4:]) == len(Outcome)
    start = page.text.index("<h2>Exercises and checks</h2>")
    for legend in ("✗!", "Facility: "):
        assert start < page.text.index(legend, start) < page.text.index("<table>", start)


@pytest.mark.parametrize("students", [19, 20])
def test_discrimination_is_judged_in_a_class_that_is_large_enough(made, students):
    """With 20 students a correlation of 0 comes out within 0.23 of it in two of three classes: less is noise."""
    seen = ItemAnalysis()
    for number, result in enumerate(counted(made)[:students]):
        seen.add(str(number), result)
    section = class_items.checks(ClassRecord(ASSIGNMENT, POINTS, {}, ()), seen)
    words = " ".join(section.legend)
    assert ("review the check" in words) == (students == 20)
    assert ("With fewer than 20 students" in words) == (students == 19)
    assert not any("review the check" in note or "Facility" in note for note in section.notes)


def test_the_page_counts_students_and_sums_up_scores(made, page):
    scores = list(expected_scores(made).values())
    overview = dict(page.sections["Overview"][1:])
    assert (overview["Students"], overview["Students with a score"]) == (f"{STUDENTS}", f"{STUDENTS - 2}")
    assert (overview["graded"], overview["not handed in"]) == (f"{STUDENTS - 4}", "1")
    assert overview["Hand grading still open"] == "1"
    assert overview["Mean"] == f"{statistics.fmean(scores):.2f}"
    assert overview["Standard deviation"] == f"{statistics.stdev(scores):.2f}"
    low, middle, high = statistics.quantiles(scores, n=4, method="inclusive")
    assert overview["Median (quartiles)"] == f"{middle:.2f} ({low:.2f} – {high:.2f})"


TITLES = {(e.id, known.id): known.cause["en"] for e in EXERCISES for known in known_mistakes(e).causes if known.cause}
WRONG = (Outcome.FAILED, Outcome.RAISED, Outcome.STOPPED)


def sentences(exercise, item):
    return {TITLES[exercise.id, cause] for cause in item.causes}


def test_one_mistake_is_one_row_and_counts_every_student_once(made, record, page):
    everybody, either, where = Counter(), Counter(), {}
    for result in counted(made):
        mine = {}
        for exercise in EXERCISES:
            told = [sentences(exercise, item) for item in result.checks[exercise.id].items]
            for cause in set().union(*told):
                where.setdefault((exercise.solution, cause), set()).add(exercise.id)
                mine.setdefault((exercise.solution, cause), []).extend(len(c) == 2 for c in told if cause in c)
        everybody.update(mine.keys())
        either.update(key for key, doubts in mine.items() if all(doubts))
    rows = page.sections["The most frequent causes"][1:]
    assert [int(n) for _cause, _exercises, n, _either in rows] == sorted(everybody.values(), reverse=True)[:20]
    found = {
        (cause, frozenset(exercises.split(", "))): (int(n), int(other or 0)) for cause, exercises, n, other in rows
    }
    direct = {(key[1].replace("`", ""), frozenset(where[key])): (n, either[key]) for key, n in everybody.items()}
    assert len(found) == len(rows) == min(20, len(direct)) > 10 and found.items() <= direct.items()
    assert sum(either.values()) > 0 and any(len(exercises) == 3 for _cause, exercises in direct)
    written = json.loads(analysis_json(record))["causes"]
    as_json = {
        (c["cause"].replace("`", ""), frozenset(c["exercises"])): (c["students"], c["or another"]) for c in written
    }
    assert as_json == direct


def by_check(made):
    """(exercise, check) -> (number of those who failed it, cause -> students), directly."""
    found = {}
    for exercise, check in CHECKS:
        items = [item for r in counted(made) for item in r.checks[exercise.id].items if item.id == check.id]
        failed = [item for item in items if item.outcome in WRONG]
        causes = Counter(cause for item in failed for cause in sentences(exercise, item) or {"No known cause"})
        found[exercise.id, check.id] = len(failed), causes
    return found


def test_the_shares_of_causes_are_those_of_a_direct_computation(made, record, page):
    expected = by_check(made)
    shown, here = {}, None
    names = {f"{e.id}: {c.sentence.replace('`', '')}": (e.id, c.id) for e, c in CHECKS}
    for text, n, share in page.sections["Causes by check"][1:]:
        if text in names:
            here = names[text]
            shown[here] = int(n), {}
        else:
            shown[here][1][text] = int(n), share
    assert shown.keys() == {key for key, (failed, _causes) in expected.items() if failed}
    for key, (failed, causes) in shown.items():
        n, direct = expected[key]
        assert failed == n
        assert causes == {c.replace("`", ""): (m, f"{100 * m / n:.0f} %") for c, m in direct.items()}
    written = json.loads(analysis_json(record))
    assert list(written["exercises"]) == [exercise.id for exercise in made_of.NOTEBOOK]
    for exercise, check in [*CHECKS, *((exercise, None) for exercise in EXERCISES)]:
        found = written["exercises"][exercise.id]
        found = found["checks"][check.id] if check else found
        facility, correlation = directly(counted(made), exercise, check)
        assert found["students"] == STUDENTS - 4
        assert found["facility"] == pytest.approx(facility, abs=1e-12)
        assert found["discrimination"] == (correlation if correlation is None else pytest.approx(correlation))
    for exercise, check in CHECKS:
        found = written["exercises"][exercise.id]["checks"][check.id]
        n, direct = expected[exercise.id, check.id]
        causes = {c["cause"] or "No known cause": (c["students"], c["share"]) for c in found["causes"]}
        assert causes == {cause: (m, m / n) for cause, m in direct.items()}


def groups_in(made):
    """Digest -> the ids of those who behave so, directly."""
    found = {}
    for student in sorted(made.judged.keys() - {made_of.NOT_STORED}):
        items = [item for check in made.judged[student].checks.values() for item in check.items]
        for digest in {item.behaviour for item in items if not item.causes} - {""}:
            found.setdefault(digest, []).append(student)
    return found


def test_what_no_cause_explains_is_in_groups_with_a_size_and_an_example(made, record, page):
    expected = groups_in(made)
    title = "Failures without a known cause"
    rows = page.sections[title][1:]
    assert [int(n) for *_row, n, _example in rows] == sorted(map(len, expected.values()), reverse=True)[:20]
    for digest, exercise, checks, seen, n, example in rows:
        assert (len(expected[digest]), expected[digest][0]) == (int(n), example) and digest.startswith(exercise)
        assert checks and seen == "y[2, 0] is 3.8, but 2.8 was expected."
    assert f"[{rows[0][0]}]" in page.notes[title][0] and "causes.toml" in page.notes[title][0]
    assert f"--save-cause {rows[0][0]} then adds it to the known mistakes" in page.notes[title][1]
    assert f"and {len(expected) - 20} more" in page.notes[title]
    written = {g["behaviour"]: g for g in json.loads(analysis_json(record))["groups"]}
    assert {digest: group["students"] for digest, group in written.items()} == expected
    assert all((g["size"], g["example"]) == (len(g["students"]), g["students"][0]) for g in written.values())


def test_a_cause_that_this_kit_no_longer_knows_is_told():
    items = (Item("norm", "", Outcome.FAILED, 0.0, 1.0, causes=("gone",)), Item("scale", "", Outcome.PASSED, 1.0, 1.0))
    result = SubmissionResult({"clip_gradients": ExerciseResult("clip_gradients", items)})
    first, second = result_of(result.to_json()).checks["clip_gradients"].items
    assert (first.causes, second.causes) == (("gone",), ())
    assert cause_in_words("clip_gradients", "gone") == "gone"


@pytest.mark.parametrize(("edition", "spoken"), [("en", "ja"), ("ja", "en")])
def test_a_report_is_in_the_assignments_language_and_the_page_in_one_that_was_asked_for(
    tmp_path, edition, spoken, monkeypatch
):
    (tmp_path / "nbgrader_config.py").write_text("")
    source = tmp_path / "source" / ASSIGNMENT / "gradient_pathology.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text(json.dumps({"cells": [], "metadata": {"autograder": {"language": edition}}}), encoding="utf-8")
    item = Item(CHECKS[0][1].id, "", Outcome.FAILED, 0.0, 1.0)
    found = ExerciseResult(CHECKS[0][0].id, (item,))
    made_of.write(tmp_path, "s1", SubmissionResult({found.id: found}))
    made_of.write(tmp_path, "s2", SubmissionResult(message="why"))

    def written(name):
        return (tmp_path / "report" / ASSIGNMENT / name).read_text(encoding="utf-8")

    monkeypatch.setenv("AUTOGRADER_LANG", spoken)
    for asked, language in (([], edition), (["--lang", spoken], spoken)):
        with speaking(None), pytest.raises(SystemExit) as ending:
            formats = "html,moodle,gradescope,junit"
            cli.main(["report", ASSIGNMENT, "--course", str(tmp_path), "--format", formats, *asked])
        assert ending.value.code == 0
        _head, judged, unreadable = csv.reader(io.StringIO(written("moodle.csv"), newline=""))
        (test,) = json.loads(written("gradescope/s1.json"))["tests"]
        with speaking(edition):  # which students read
            assert judged[-1] == headline(found)
            assert unreadable[-1] == f"{_('The notebook could not be graded.')} / why"
            assert test["name"] == f"{found.id}: {_(CHECKS[0][1].sentence)}"
        page = Page(written("report.html"))
        with speaking(language):
            sentence = _(CHECKS[0][1].sentence).replace("`", "")
            assert _("The notebook could not be graded.") in written("junit.xml")
        assert any(row[0] == sentence for rows in page.sections.values() for row in rows)
        assert f'<html lang="{language}">' in written("report.html")


def test_the_page_names_who_needs_what(page):
    looks = {student: why for student, _name, why in page.sections["Please look at these by hand"][1:]}
    assert looks.keys() == {
        made_of.UNREADABLE, made_of.UNGRADED, made_of.NOT_STORED, made_of.NOT_BOOKED, made_of.BROKEN,
    }  # fmt: skip
    assert looks[made_of.UNREADABLE] == (
        "Could not be graded; ask the student for another file. The student reads: “This file is no notebook.”"
    ), "the instructor is spoken to"
    assert made_of.ODD.id in looks[made_of.BROKEN]
    absent = {row[0]: row[2] for row in page.sections["Not handed in, or not graded"][1:]}
    assert absent == {
        made_of.UNREADABLE: "could not be read",
        made_of.ABSENT: "not handed in",
        made_of.UNGRADED: "handed in, not graded yet",
    }
    assert page.row("Hand grading still open", made_of.OPEN)[2] == ", ".join(BY_HAND)
    happened = {row[0]: row[3] for row in page.sections["Time-outs and crashes"][1:]}
    assert happened == {made_of.SLOW: "stopped: it took too long", made_of.CRASHED: "the process died"}
    assert len(page.sections["Repaired before grading"][1:]) == 1
    assert page.sections["Isolation of students' code"][1:] == [["full", f"{STUDENTS - 4}"], ["basic", "1"]]
    assert len(page.sections["All students"][1:]) == STUDENTS


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((None, None), "Their scores do not include it yet."),
        ((2.0, 0.0), "Their scores include the points that you gave before."),
        ((None, 2.0), "Scores of 1 do not include it yet; the others include the points that you gave before."),
    ],
)
def test_points_from_before_are_in_the_score_of_who_waits_for_another_look(given, said):
    """After a regrade, nbgrader asks for another look at what was graded by hand; the points count all the same."""
    students = tuple(
        StudentRecord(
            Person(str(number)),
            grades={"check": CellGrade(3.0, 3.0, None, False), "plot": CellGrade(points or 0.0, None, points, True)},
        )
        for number, points in enumerate(given)
    )
    assert all(student.waiting == ("plot",) for student in students)
    assert open_words(students) == said
    with speaking("en"):
        page = Page(class_page(ClassRecord(ASSIGNMENT, 7.0, {"check": 3.0, "plot": 4.0}, students)))
    assert page.notes["Hand grading still open"][-1] == said
    assert [row[2] for row in page.sections["Points by exercise"][1:]] == [
        "…" if points is None else f"{points:g}" for points in given
    ]


def test_the_page_has_the_points_of_every_exercise_and_student(made, page):
    head, *rows = page.sections["Points by exercise"]
    names = [exercise.id for exercise in made_of.NOTEBOOK] + list(BY_HAND)
    legend = page.notes["Points by exercise"][0]
    assert head == ["Student", *map(str, range(1, len(names) + 1))]
    assert re.findall(r"\d+: (\w+) \(", legend) == names
    found = {student: dict(zip(names, points, strict=True)) for student, *points in rows}
    assert found.keys() == {*made.judged, made_of.UNREADABLE} - {made_of.NOT_BOOKED}
    for student in found.keys() & made.judged.keys():
        expected = {name: result.score for name, result in made.judged[student].checks.items()}
        expected |= dict.fromkeys(BY_HAND, made.hand[student] / 2)
        if student == made_of.OVERRULED:
            expected["depth_study"] = 5.5
        shown = found[student]
        if student == made_of.OPEN:
            assert {shown.pop(name) for name in BY_HAND} == {"…"}
        assert {name: float(points) for name, points in shown.items()} == pytest.approx(
            {name: expected[name] for name in shown}, abs=1e-5
        )


# --- late rules, extensions and the preview ---------------------------------------------------------------------------

DUE = datetime(2027, 1, 15, 14, 59)
LATE_HOURS = (None, -30, -1, 0, 1 / 60, 5, 23.9, 24, 24.1, 60, 200)
"""When they hand in, from the due date; None for a hand-in without a time."""
EXTENSIONS = (None, 2, 48)
"""Hours of extension."""
RULES = {0: 10.0, 24: 25.0, 168: 100.0}


def hours_of(number):
    """When student `number` hands in, and by how much the due date is moved: all combinations come."""
    return LATE_HOURS[number % len(LATE_HOURS)], EXTENSIONS[number // len(LATE_HOURS) % len(EXTENSIONS)]


def penalty(score, hours, extension):
    """What the rules take, directly."""
    late = -1.0 if hours is None else hours - (extension or 0)
    percent = 0.0 if late <= 0 else 10.0 if late <= 24 else 25.0 if late <= 168 else 100.0
    return score * percent / 100, late


@pytest.fixture
def timed(made, tmp_path):
    """The same class with a due date, times and late rules, as if everybody had been graded before there were any."""
    folder = tmp_path / "course"
    shutil.copytree(made.folder, folder)
    shutil.rmtree(folder / "submitted" / made_of.UNGRADED)
    with (folder / "nbgrader_config.py").open("a", encoding="utf-8") as settings:
        settings.write(
            f'c.AssignLatePenalties.plugin_class = "{LateRules.__module__}.LateRules"\nc.LateRules.percent = {RULES}\n'
        )
    students = sorted(made.judged.keys() - {made_of.NOT_STORED, made_of.NOT_BOOKED, made_of.LATE})
    for number, student in enumerate(students):
        hours, _extension = hours_of(number)
        handed = folder / "submitted" / student / ASSIGNMENT
        handed.mkdir(parents=True)
        if hours is not None:
            time = DUE + timedelta(hours=hours)
            (handed / "timestamp.txt").write_text(f"{time:%Y-%m-%d %H:%M:%S} UTC", encoding="utf-8")
        (folder / "autograded" / student / ASSIGNMENT / "gradient_pathology.ipynb").touch()
    with sqlite3.connect(folder / "gradebook.db") as database:
        database.execute("UPDATE assignment SET duedate = ?", [f"{DUE:%Y-%m-%d %H:%M:%S.%f}"])
        database.execute("UPDATE submitted_notebook SET late_submission_penalty = NULL")
    return folder, students


def extend(folder, students, all_hours):
    """Write extensions.csv; the times are Japan's, as an instructor there writes them."""
    with (folder / "extensions.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["student", "assignment", "due date", "reason"])
        for student, hours in zip(students, all_hours, strict=True):
            if hours:
                due = DUE + timedelta(hours=hours + 9)
                rows.writerow([student, ASSIGNMENT, f"{due:%Y-%m-%d %H:%M} Asia/Tokyo", "ill"])


@pytest.fixture
def regrade(monkeypatch):
    """Grades a made class again, in which no hand-in has changed: nothing is run."""
    pool = MagicMock()
    pool.map = lambda _function, items: [pytest.fail(handed.student) for handed in items]
    monkeypatch.setattr(grade_class, "settings_digest", lambda *_: "digest")
    monkeypatch.setattr(grade_class, "content_digest", lambda *_: "digest")
    monkeypatch.setattr(grade_class, "assignment_of", lambda *_: Assignment("gradient_pathology", {}, {}))
    monkeypatch.setattr(grade_class, "Pool", lambda *_: pool)

    def regrade(folder, **options):
        with contextlib.chdir(folder):
            return grade_class.grade_class(Course(folder), ASSIGNMENT, Settings(folder, Level.STRONG), 1, **options)

    return regrade


def test_late_rules_and_extensions_take_what_a_direct_computation_says(made, timed, regrade, record):
    folder, students = timed
    before = {student.id: student.score for student in record.students}
    hours = [hours_of(number) for number in range(len(students))]
    extend(folder, students, [extension for _hours, extension in hours])
    expected = {student: penalty(before[student], *both) for student, both in zip(students, hours, strict=True)}
    kept = (folder / "gradebook.db").read_bytes()
    foreseen = regrade(folder, preview=True)
    assert (folder / "gradebook.db").read_bytes() == kept
    summary = regrade(folder)
    assert foreseen.changes == summary.changes
    changed = {student: (c.before, c.after) for student, c in summary.changes.items()}
    assert changed == {
        student: (pytest.approx(before[student]), pytest.approx(before[student] - points))
        for student, (points, _late) in expected.items()
        if points
    }
    with contextlib.chdir(folder):
        found = read_class(Course(folder), ASSIGNMENT)
    assert {s.id: s.penalty for s in found.students if s.penalty} == pytest.approx(
        {student: points for student, (points, _late) in expected.items() if points}
    )
    page = Page(class_page(found))
    rows = {row[0]: row[2:] for row in page.sections["Late submissions and extensions"][1:]}
    assert rows.keys() == {s for s, both in zip(students, hours, strict=True) if both[1] or expected[s][1] > 0}
    taken = Counter()
    for student, (due, handed_in, late_by, rule, points) in rows.items():
        given, extension = hours[students.index(student)]
        assert due == f"{DUE + timedelta(hours=extension or 0):%Y-%m-%d %H:%M}" + (" (ill)" if extension else "")
        assert handed_in == ("–" if given is None else f"{DUE + timedelta(hours=given):%Y-%m-%d %H:%M}")
        lost, late = expected[student]
        assert points == (f"−{lost:.6g}" if lost else "")
        assert (late_by == "in time") == (late <= 0) == (rule == "")
        if late > 0:
            limit = max(limit for limit in RULES if late > limit)
            assert rule == f"more than {limit} h late: {RULES[limit]:g} % of the score"
            taken[rule] += lost
    assert len(taken) == len(RULES)
    notes = page.notes["Late submissions and extensions"]
    assert {note.split(" points in all; students: ")[0] for note in notes} == {
        f"{r}: {p:.6g}" for r, p in taken.items()
    }


def test_the_japanese_page_speaks_japanese(japanese_page):
    notes = [note for notes in japanese_page.notes.values() for note in notes if not re.match(r"[a-z_]+: \d+$", note)]
    assert all(re.search(r"[ぁ-んァ-ヶ一-龠]", said) for said in [*japanese_page.sections, *notes])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_one_file_in_which_nothing_runs_or_loads(page, japanese_page, language):
    page = {"en": page, "ja": japanese_page}[language]
    assert page.tags["svg"] == 1 and not page.tags.keys() & {"script", "img", "link", "iframe", "object", "image", "b"}
    for name, value in page.attributes:
        assert not name.startswith("on"), (name, value)
        if name in ("src", "href", "xlink:href", "action", "data"):
            assert value.startswith("#")
    assert not re.search(r"url\((?!#)|@import", page.text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", page.text)
    assert page.row(list(page.sections)[-1], HOSTILE_ID)[1].startswith(made_of.HOSTILE_NAME)


def test_scores_are_counted_in_tenths():
    counts, edges = score_bins([0.0, 3.9, 4.0, 36.0, 40.0, 41.5], 40.0)
    assert counts.tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 3]
    assert edges.tolist() == [4.0 * i for i in range(11)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_how_code_ended_is_said_by_the_result_and_by_no_sentence(language):
    with speaking(language):
        for ending in Ending:
            result = interrupted(made_of.ODD, Stopped("...", ending)).scaled_to(3.0)
            assert result_of(SubmissionResult({result.id: result}).to_json()).checks[result.id] == result
            student = StudentRecord(Person("s"), SubmissionResult({result.id: result}))
            assert list(endings(student)) == [(result.id, ending)] and ending_words(ending)
        feigned = interrupted(made_of.ODD, str(client._ended()))  # as an error's own text
        assert feigned.ending is None and {item.outcome for item in feigned.items} == {Outcome.RAISED}
        assert not list(endings(StudentRecord(Person("s"), SubmissionResult({feigned.id: feigned}))))


def test_canvas(made, record):
    header, possible, *rows = csv.reader(io.StringIO(exports.canvas_csv(record), newline=""))
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", ASSIGNMENT]
    assert possible == ["    Points Possible", "", "", "", "", "40"]
    assert all(len(row) == 6 for row in rows)
    scores = {row[3].removeprefix("'"): float(row[5]) for row in rows}
    assert scores == pytest.approx(expected_scores(made), abs=1e-4)
    assert ["Name 3, 太郎", "3", "", "s003", ""] in [row[:5] for row in rows]


@pytest.mark.parametrize(
    ("person", "canvas", "moodle"),
    [  # Canvas's ids are numbers, and others are SIS ids; a dash at the beginning stays.
        (Person("s1", lms_user_id="2024"), ["", "2024", "", "s1"], ["s1", ""]),
        (Person("s1"), ["", "", "", "s1"], ["s1", ""]),
        (Person("s1", lms_user_id="2024-117"), ["", "", "2024-117", "s1"], ["s1", ""]),
        (Person("s1", lms_user_id="２"), ["", "", "２", "s1"], ["s1", ""]),
        (Person("-abc", "=1", "", "-a@b.org", "-7x"), ["'=1", "", "-7x", "-abc"], ["-abc", "-a@b.org"]),
    ],
)
def test_ids_are_written_as_each_system_looks_for_them(person, canvas, moodle):
    record = ClassRecord("a", 4.0, {}, (StudentRecord(person, SubmissionResult(message="unreadable")),))
    *_head, row = csv.reader(io.StringIO(exports.canvas_csv(record)))
    assert row[1:4] == canvas[1:] and (row[0] == canvas[0] or not canvas[0])
    *_head, row = csv.reader(io.StringIO(exports.moodle_csv(record)))
    assert row[:2] == moodle


@pytest.mark.parametrize(
    ("points", "text"),
    [(40.0, "40"), (0.1 + 0.2, "0.3"), (5.6e-17, "0"), (-5.6e-17, "0"), (1234567.25, "1234567.25"), (2 / 3, "0.6667")],
)
def test_points_are_written_without_an_exponent(points, text):
    assert exports._number(points) == text


def test_moodle(made, record):
    header, *rows = csv.reader(io.StringIO(exports.moodle_csv(record), newline=""))
    assert header == ["Username", "Email address", ASSIGNMENT, "Feedback"]
    assert {row[0].removeprefix("'"): float(row[2]) for row in rows} == pytest.approx(expected_scores(made), abs=1e-4)
    feedback = {row[0]: row[3] for row in rows}
    assert feedback[made_of.UNREADABLE] == "The notebook could not be graded. / This file is no notebook."
    assert "Still to be graded by hand: depth_study_plot, depth_study_findings" in feedback[made_of.OPEN]
    assert all(exercise.id in feedback[made_of.LATE] for exercise in EXERCISES)


@pytest.mark.parametrize("write", [exports.canvas_csv, exports.moodle_csv])
def test_no_cell_is_a_formula(record, write):
    cells = [cell for row in csv.reader(io.StringIO(write(record), newline="")) for cell in row]
    assert "'" + HOSTILE_ID in cells
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r"))]


def test_gradescope(made, record, tmp_path):
    (folder,) = write_report(record, ("gradescope",), tmp_path)
    files = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.iterdir()}
    assert sorted(file["score"] for file in files.values()) == pytest.approx(sorted(expected_scores(made).values()))
    assert all(re.fullmatch(r"[\w.@~-]+\.json", name) for name in files)
    late = files[f"{made_of.LATE}.json"]
    assert set(late) == {"score", "output", "output_format", "visibility", "tests"}
    assert sum(test["score"] for test in late["tests"]) - 3.0 == pytest.approx(late["score"])
    assert sum(test["max_score"] for test in late["tests"]) == 40.0
    checks = late["tests"][: len(CHECKS)]
    for test, item in zip(
        checks, [item for found in made.judged[made_of.LATE].checks.values() for item in found.items], strict=True
    ):
        assert test["status"] == ("passed" if item.outcome is Outcome.PASSED else "failed")
        assert (test["score"], test["max_score"], test["output"]) == (item.points, item.max, item.message)
        assert test["visibility"] == "visible"
    assert files[f"{made_of.UNREADABLE}.json"]["output"] == "This file is no notebook."


def test_file_names_are_safe_and_never_alike():
    names = ["../../etc/passwd", "..", "", "a/b", "a_b", "a:b", "con\0", "学生", "x" * 500, "x" * 501, HOSTILE_ID]
    names += ["Hanako", "hanako", "caf\u00e9", "cafe\u0301", "con", "NUL", "com1.x"]
    files = exports._file_names(names)
    assert list(files) == names and len({folded(file) for file in files.values()}) == len(names)
    assert all(re.fullmatch(r"[\w@~][\w.@~-]*", file) and len(file.encode()) <= 120 for file in files.values())
    assert not [file for file in files.values() if file.lower() in ("con", "nul") or file.startswith("com1.")]
    assert files["学生"] == "学生" and files["a_b"] == "a_b"


def test_junit(made, record):
    root = ElementTree.fromstring("".join(exports.junit_xml(record)).encode("utf-8"))
    suites = {suite.get("name"): suite for suite in root}
    assert len(suites) == STUDENTS and HOSTILE_ID in suites
    items = [item for result in counted(made) for found in result.checks.values() for item in found.items]
    outcomes = Counter(item.outcome for item in items)
    assert int(root.get("tests")) == len(items) + 4
    assert int(root.get("failures")) == outcomes[Outcome.FAILED]
    errors = (Outcome.RAISED, Outcome.STOPPED, Outcome.GRADER_ERROR)
    assert int(root.get("errors")) == sum(outcomes[outcome] for outcome in errors) + 1
    assert int(root.get("skipped")) == outcomes[Outcome.NOT_ATTEMPTED] + outcomes[Outcome.BLOCKED] + 3
    late = suites[made_of.LATE]
    assert [case.get("name") for case in late.iter("testcase")] == [check.id for _exercise, check in CHECKS]
    cases = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(cases)) == len(cases)  # by which Jenkins tells them apart
    assert (f"{made_of.LATE}.{EXERCISES[0].id}", CHECKS[0][1].id) in cases
    errors = [error.text for error in suites[HOSTILE_ID].iter("error")]
    assert re.sub("[\x00\x1b\uffff]", "", made_of.HOSTILE_MESSAGE) in errors


def run(course, *arguments):
    return command("report", *arguments, "--course", course, environment=os.environ | {"AUTOGRADER_LANG": "en"})


def test_the_command_writes_what_it_is_asked_for(made, tmp_path):
    done = run(
        made.folder, ASSIGNMENT, "--out", str(tmp_path / "out"), "--format", "html,canvas,moodle,gradescope,junit"
    )
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"report.html", "canvas.csv", "moodle.csv", "gradescope", "junit.xml"}
    assert "Students without a score: 2." in done.stdout and "Students who wait for hand grading: 1." in done.stdout
    assert "Their scores do not include it yet." in done.stdout
    assert '<html lang="en">' in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_what_is_there_from_earlier_is_renewed_or_named(made, tmp_path):
    def report(*arguments):
        done = run(made.folder, ASSIGNMENT, "--out", str(tmp_path), *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "not renewed" not in report()
    assert {path.name for path in tmp_path.iterdir()} == {"report.html"}
    report("--format", "canvas,gradescope")
    fresh = (tmp_path / "canvas.csv").read_bytes()
    for name in ("canvas.csv", "report.html"):
        (tmp_path / name).write_text("old")
    (tmp_path / "gradescope" / "gone.json").write_text("old")
    said = report()
    assert (tmp_path / "canvas.csv").read_bytes() == fresh and (tmp_path / "report.html").read_text() != "old"
    assert "Not updated, from an earlier report: gradescope/gone.json." in said
    assert not (tmp_path / "moodle.csv").exists()
    assert "Not updated, from an earlier report: report.html, canvas.csv, gradescope." in report("--format", "moodle")


@pytest.mark.parametrize(
    ("prepare", "arguments", "says"),
    [
        (lambda folder: (folder / "nbgrader_config.py").unlink(), [ASSIGNMENT], "is not a course folder"),
        (lambda folder: None, ["other"], "There is no assignment other here"),
        (lambda folder: None, [ASSIGNMENT], "No submission of gradient-pathology has been graded yet"),
        (lambda folder: None, [ASSIGNMENT, "--format", "pdf"], "choose from html, json, canvas"),
    ],
)
def test_what_cannot_be_reported_is_said_in_a_line_and_nothing_is_made(tmp_path, prepare, arguments, says):
    course = tmp_path / "course"
    (course / "source" / ASSIGNMENT).mkdir(parents=True)
    (course / "nbgrader_config.py").write_text("")
    prepare(course)
    before = sorted(course.rglob("*"))
    done = run(course, *arguments)
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr
    assert sorted(course.rglob("*")) == before


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_an_assignment_without_points_is_reported(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text("")
    with new_gradebook(tmp_path) as book:
        book.add_assignment(ASSIGNMENT)
        book.add_notebook("gradient_pathology", ASSIGNMENT)
        book.add_grade_cell("survey", "gradient_pathology", ASSIGNMENT, max_score=0, cell_type="markdown")
        (grade,) = book.add_submission(ASSIGNMENT, book.add_student("s1").id).notebooks[0].grades
        grade.manual_score = 0.0
        book.db.commit()
    page = Page(class_page(read_class(Course(tmp_path), ASSIGNMENT)))
    assert page.notes["Distribution of scores"] == ["None."] and page.row("All students", "s1")


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text there")
def test_a_folder_whose_name_is_no_text_is_named_and_the_class_reported(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text("")
    os.makedirs(os.fsencode(tmp_path) + b"/submitted/" + "太郎".encode("shift_jis") + b"/" + ASSIGNMENT.encode())
    made_of.write(tmp_path, "s1", SubmissionResult(message="unreadable"))
    record = read_class(Course(tmp_path), ASSIGNMENT)
    class_page(record).encode("utf-8")
    assert [student.standing for student in record.students] == [Standing.NOT_GRADED, Standing.UNREADABLE]


def test_a_gradebook_of_students_who_were_never_graded_is_said_so(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text("")
    with new_gradebook(tmp_path) as book:
        book.add_assignment(ASSIGNMENT)
        book.add_student("s1")
    with pytest.raises(CourseError, match="No submission of"):
        read_class(Course(tmp_path), ASSIGNMENT)
