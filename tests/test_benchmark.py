"""The benchmark counts right, and measures what it says. How long anything takes is never asserted."""

import json
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import asdict

import pytest
from conftest import SETUP

from autograder.exercises import assignments
from tests.benchmark import equal, simulation
from tests.benchmark.__main__ import Benchmark, Plan, machine
from tests.benchmark.classes import RIGHT_SHARE, Answer, Folders, students
from tests.benchmark.inside import PHASES, isolation, phases, warm_checks
from tests.benchmark.measure import CommandFailed, Usage, measure
from tests.benchmark.page import draw, page
from tests.benchmark.results import GRADE, STOCK, STOCK_BARE, Results, Run
from tests.class_folder import ASSIGNMENT, differences, grade, make_course, many
from tests.sample_class import BY_HAND, CODE, mistaken

MEGABYTE = 2**20


def usage(seconds, cpu=0.0):
    return Usage(seconds, cpu, 100.0, 90.0, None, "PSS")


@pytest.fixture
def results():
    """Stock: 5 s and 2 s for each further submission; ours: 10 in 4 s, 1000 in 103 s."""
    runs = [
        *(Run(STOCK, False, 1, usage(seconds, 3.0), 30.0) for seconds in (4.0, 5.0, 9.0)),
        Run(STOCK, False, 10, usage(23.0, 12.0), 30.0),
        Run(GRADE, False, 10, usage(4.0, 6.0), 30.0),
        Run(GRADE, False, 1000, usage(103.0, 201.0), 30.0),
    ]
    return Results({**machine(), "jobs": 2}, runs=runs)


def test_the_file_holds_everything(results, tmp_path):
    results.checks = {"right": {"clip_gradients": [1.0, 2.0]}}
    results.commands = {"autograder check": [usage(1.5)]}
    results.save(tmp_path / "benchmark.json")
    loaded = Results.load(tmp_path / "benchmark.json")
    results.machine["load"] = round(results.machine["load"], 3)
    assert loaded == results


def test_the_page_and_the_figure_come_from_the_results(results, tmp_path):
    results.isolation = {"basic": {"empty": [10.0, 20.0, 30.0]}, "full": {"empty": [11.0, 22.0, 33.0]}}
    text = page(results)
    assert "| stock nbgrader | nobody drew | 10 | 5.8 | 2.0 |" in text, "measured"
    assert "| stock nbgrader | nobody drew | 1000 | 19.4 | 5.0 |" in text, "5 s, and 2 s for each of 999 more"
    assert "| stock nbgrader | nobody drew | 1 | 5.00 [4.00–9.00] |" in text, "median, smallest, largest"
    assert "| full | 22.0 [11.0–33.0] | 2.0 [1.0–3.0] |" in text, "compared round by round"
    assert "everybody drew" not in text and "Not finished" in text
    assert "| `autograder grade`: submissions per second, class of 1000 | at least 10 | 9.7 |" in text
    assert "| CPU time of stock nbgrader over ours, class of 1000 | at least 15 | 5.0 |" in text
    draw(results, tmp_path / "benchmark.svg")
    first = (tmp_path / "benchmark.svg").read_bytes()
    draw(results, tmp_path / "benchmark.svg")
    assert b"<svg" in first and first == (tmp_path / "benchmark.svg").read_bytes()


def test_the_simulation_says_what_it_measured_and_only_if_it_was_run(tmp_path):
    assert simulation.section(tmp_path) == ""
    runs = [
        simulation.Run(2.0, 16, 1000, 10.0, 480.0, 640.0, 3.0, 150.2),
        simulation.Run(1.0, 1, 9, 1.0, 1.0, 1.0, killed=5.0),
    ]
    content = {"mean": 600.0, "cores": 2, "load": 1.5, "seconds": 10.0, "runs": [asdict(run) for run in runs]}
    (tmp_path / "cluster.json").write_text(json.dumps(content), encoding="utf-8")
    text = simulation.section(tmp_path)
    assert "| 300 ms each, batches of 16 | 1000 | 10 | 100 | 75 % | 160 | 3.0 | 150 |" in text
    assert "batches of 1, 10 workers killed after 5 s |" in text


def test_the_plan_has_every_way_and_ends_with_the_largest_class():
    planned = list(Plan((10, 10000), small=(1, 2), repeats=3).classes())
    assert planned.count((STOCK, True, 2)) == planned.count((GRADE, True, 10)) == 3
    assert planned[-1] == (GRADE, False, 10000)


def test_a_plan_without_stock_nbgrader_has_all_else_and_the_page_says_so(results):
    planned = list(Plan((1000,), stock=False, repeats=1).classes())
    with_it = list(Plan((1000,), repeats=1).classes())
    assert planned == [each for each in with_it if each[0] not in (STOCK, STOCK_BARE)] and len(planned) == 5
    assert "Stock nbgrader was left out" not in page(results)
    results.runs = [run for run in results.runs if run.way == GRADE]
    assert results.runs and "Stock nbgrader was left out" in page(results)


def test_the_page_says_how_many_exercises_of_the_largest_class_were_right(results):
    assert "was not noted" in page(results)
    results.runs += [Run(GRADE, False, size, usage(1.0, 1.0), 1.0, size / 1000) for size in (100, 712)]
    assert "In the class of 712, 71 % of the exercises were right." in page(results)


@pytest.mark.parametrize("choices", [None, {cell: [Answer("right"), Answer("", frozenset({cell}))] for cell in CODE}])
def test_about_seven_in_ten_exercises_of_a_class_are_right(choices):
    few = students(400, drawn=False, choices=choices)
    right = 1 - sum(len(student.loses) for student in few) / 400 / len(assignments()[ASSIGNMENT])
    assert abs(right - RIGHT_SHARE) < 4 * 0.5 / 400**0.5  # four standard errors, were a student one draw


def test_no_two_students_of_a_class_are_alike_and_a_larger_class_begins_with_the_same():
    few, many = students(20, drawn=False), students(60, drawn=True)
    codes = [{cell: student.answers.get(cell) for cell in CODE} for student in many]
    assert len({tuple(code.values()) for code in codes}) == 60
    assert [{cell: student.answers.get(cell) for cell in CODE} for student in few] == codes[:20]
    assert all(BY_HAND.keys() <= student.answers.keys() for student in many)
    assert not any(BY_HAND.keys() & student.answers.keys() for student in few)


# --- measuring --------------------------------------------------------------------------------------------------------

GRANDCHILD = """
import subprocess, sys, time
burn = "import time; data = bytearray(64 * 2**20)\\nwhile time.process_time() < 0.6: pass"
subprocess.Popen([sys.executable, "-c", burn]){wait}
"""


@pytest.mark.parametrize("wait", [".wait()", "; time.sleep(1.5)"])
def test_all_processes_count_even_those_that_nobody_waits_for(wait, tmp_path):
    if sys.platform != "linux" and "sleep" in wait:
        pytest.skip("orphans are only adopted on Linux")
    seen = measure([sys.executable, "-c", GRANDCHILD.format(wait=wait)], tmp_path, {}, lambda: 0.1)
    assert seen.cpu_seconds >= 0.6
    assert seen.peak_mb * MEGABYTE >= 64 * MEGABYTE
    assert seen.early_mb is not None and seen.late_mb is None


def test_a_command_that_fails_is_no_measurement(tmp_path):
    with pytest.raises(CommandFailed, match="out of tune"):
        measure([sys.executable, "-c", "raise SystemExit('out of tune')"], tmp_path, {})


@pytest.mark.slow
def test_a_class_is_graded_and_looked_into(tmp_path):
    """Everything but stock nbgrader, which takes longest, on the smallest class there is."""
    folders = Folders(tmp_path)
    rounds = []
    with folders.course(True, students(2, drawn=False)) as course:
        (spent,) = phases(course, lambda: rounds.append(1))
        found = isolation(course, 1, lambda: rounds.append(1))
    assert not course.exists()
    assert spent.keys() == {phase for phase, _owner, _name in PHASES}
    assert spent["worker: probes"].wall > 0
    assert found and all(len(samples["submission"]) == 1 for samples in found.values())
    assert len(rounds) == 3


@pytest.mark.slow
def test_one_class_through_the_program(tmp_path):
    class Bar:
        def add_task(self, *_arguments, **_options):
            return 0

        update = remove_task = advance = add_task

    (tmp_path / "scratch").mkdir()
    benchmark = Benchmark(Plan((2,)), tmp_path / "docs", tmp_path / "scratch", Bar(), quick=True, jobs=1)
    shares = []
    benchmark._grade(GRADE, False, 2, shares.append)
    benchmark.write()
    (run,) = Results.load(tmp_path / "docs" / "benchmark.json").runs
    assert (run.way, run.drawn, run.size) == (GRADE, False, 2)
    assert run.mean_score > 0
    assert 0.0 <= max(shares) <= 1.0
    assert {path.suffix for path in (tmp_path / "docs").iterdir()} == {".json", ".md", ".svg"}


def test_checks_are_timed_in_a_namespace(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    found = warm_checks([SETUP, *CODE.values()], 2, lambda: None)
    assert found.keys() == {exercise.id for exercise in assignments()[ASSIGNMENT]}
    assert all(len(samples) == 2 for samples in found.values())


# --- one class, three ways --------------------------------------------------------------------------------------------


def test_the_class_that_is_graded_three_ways_has_mistakes_of_the_bank_and_some_who_drew():
    class_ = equal.class_of(60)
    assert len({student.id for student in class_}) == 60
    assert [student.id for student in class_ if student.by_hand] == [f"s{i:05}" for i in range(0, 60, 10)]
    for cell in CODE:
        bank = {text for text, _fails in mistaken(cell).values()}
        wrong = [s for s in class_ if s.answers[cell].partition("\n# s0")[0] in bank]
        assert len({student.answers[cell] for student in wrong}) > 10 and all(student.loses for student in wrong)


@pytest.fixture(scope="module")
def two_ways(tmp_path_factory):
    """A class of two graded twice."""
    courses = [make_course(tmp_path_factory.mktemp("way") / "course", many(2)) for _way in range(2)]
    for course in courses:
        grade(course)
    return courses


def test_equal_ways_have_no_differences(two_ways):
    assert differences(*two_ways, notebooks=True) == []
    line, found = equal.compared({"here": two_ways[0], "dask": two_ways[1], "nbgrader": two_ways[1]})
    assert found == [] and line.startswith("2 students, 100% of 14 exercises right, ") and "0 differences" in line


@pytest.mark.parametrize(
    "change, what",
    [
        ("UPDATE grade SET auto_score = 1.5 WHERE auto_score = 6.0", "grades"),
        ("UPDATE comment SET auto_comment = 'well done'", "comments"),
    ],
)
def test_what_differs_is_named(two_ways, tmp_path, change, what):
    other = shutil.copytree(two_ways[0], tmp_path / "course")
    with closing(sqlite3.connect(other / "gradebook.db")) as database, database:
        database.execute(change)
    assert differences(two_ways[0], other) == [f"s00000: {what}", f"s00001: {what}"]


def test_who_is_missing_differs(two_ways, tmp_path):
    other = shutil.copytree(two_ways[0], tmp_path / "course")
    (other / "autograded" / "s00001" / ASSIGNMENT / "result.json").unlink()
    assert differences(two_ways[0], other) == differences(other, two_ways[0]) == ["s00001: result"]
