"""`autograder grade`, with its processes killed at random: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from autograder.grading.result_file import FILE_NAME
from tests.class_folder import ASSIGNMENT, differences, environment, executed, grade, grades_in, make_course, many

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="finds its processes in /proc")]

KILLS = 8
STUDENTS = many(6)
KILLED_RUNS = 3


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """The class, graded without an interruption."""
    course = make_course(tmp_path_factory.mktemp("quiet") / "course", STUDENTS)
    grade(course)
    return course


def start(course: Path, *command: str) -> subprocess.Popen[bytes]:
    command = command or ("autograder", "grade", ASSIGNMENT, "--jobs", "2", "--allow-basic")
    log = (course / "log.txt").open("wb")
    line = [sys.executable, "-m", *command]
    return subprocess.Popen(line, cwd=course, env=environment(course), stdout=log, stderr=log)


def family(root: int) -> list[int]:
    """The processes that descend from `root`, and itself."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def test_kill_any_process_at_random(quiet, tmp_path):
    rng = random.Random(76)
    course = make_course(tmp_path / "course", STUDENTS)
    killed = {"the command": 0, "another": 0}
    running = start(course)
    deadline = time.monotonic() + 400
    while sum(killed.values()) < KILLS or min(killed.values()) < 2:
        assert time.monotonic() < deadline, f"both kinds were to be killed: {killed}"
        time.sleep(rng.uniform(0.05, 1.0))
        if len(family(running.pid)) == 1 and running.poll() is None and rng.random() < 0.95:
            continue  # it is still starting: killed there, too, but now and then
        if running.poll() is not None:
            # 1: a submission met with too many kills, which was said. 0: all done; begin again, for something to kill.
            assert running.returncode in (0, 1), (course / "log.txt").read_text(encoding="utf-8")
            if running.returncode == 0:
                shutil.rmtree(course / "autograded")
            running = start(course)
            continue
        processes = family(running.pid)
        victim = rng.choice(processes)
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
        killed["the command" if victim == running.pid else "another"] += 1
        if victim == running.pid:
            running.wait()
            with sqlite3.connect(course / "gradebook.db") as gradebook:
                assert gradebook.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            running = start(course)
    if running.wait(timeout=200) == 1:
        running = start(course)
        assert running.wait(timeout=200) == 0

    assert differences(course, quiet, notebooks=True) == []
    assert len(grades_in(course / "gradebook.db")) == len(STUDENTS)
    assert sorted(path.name for path in (course / "autograded").rglob("*.tmp")) == []


def test_kill_nbgrader_while_it_grades(quiet, tmp_path):
    """Ours goes on where `nbgrader autograde` was killed, whatever that left behind."""
    rng = random.Random(77)
    course = Path(shutil.copytree(quiet, tmp_path / "course"))
    killed = 0
    for number in range(KILLED_RUNS):
        running = start(course, "nbgrader", "autograde", ASSIGNMENT, "--force")
        first = course / "autograded" / STUDENTS[0].id / ASSIGNMENT
        while running.poll() is None and (first / FILE_NAME).exists():  # it has not begun
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 2.0))
        killed += running.poll() is None
        for process in reversed(family(running.pid)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        running.wait()
        grade(course)
        assert differences(course, quiet) == [], f"after kill {number}"
        for student in STUDENTS:
            assert outputs_of(course, student.id) == outputs_of(quiet, student.id)
    assert killed >= KILLED_RUNS / 2


def outputs_of(course: Path, student: str) -> list[str]:
    """What the student's cells put out; nbgrader writes the same text as lists of lines."""
    return [
        "".join(output.get("text", output.get("evalue", "")))
        for cell in executed(course, student)["cells"]
        for output in cell.get("outputs", ())
    ]
