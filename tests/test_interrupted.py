"""`autograder grade`, with its processes killed at random: nothing is lost, nothing is there twice."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.class_folder import ASSIGNMENT, comments_in, environment, executed, grade, grades_in, make_course, many

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="finds its processes in /proc")]

KILLS = 20
STUDENTS = 12


def start(course: Path) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "autograder", "grade", ASSIGNMENT, "--course", str(course), "--jobs", "2"]
    line += ["--allow-basic"]
    log = (course / "log.txt").open("wb")
    return subprocess.Popen(line, env=environment(course), stdout=log, stderr=log)


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


def test_kill_any_process_at_random(tmp_path):
    rng = random.Random(76)
    course = make_course(tmp_path / "course", many(STUDENTS))
    killed = {"the command": 0, "another": 0}
    running = start(course)
    deadline = time.monotonic() + 400
    while sum(killed.values()) < KILLS:
        assert time.monotonic() < deadline
        time.sleep(rng.uniform(0.05, 1.0))
        if len(family(running.pid)) == 1 and running.poll() is None and rng.random() < 0.95:
            continue  # it is still starting: killed there, too, but now and then
        if running.poll() is not None:
            # 1: a submission met with too many kills, which was said. 0: all done; begin again, for something to kill.
            assert running.returncode in (0, 1), (course / "log.txt").read_text(encoding="utf-8")
            if running.returncode == 0:
                (course / "results.db").unlink()
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
    assert min(killed.values()) >= 3, f"both kinds were to be killed: {killed}"

    quiet = make_course(tmp_path / "quiet", many(STUDENTS))
    grade(quiet)
    assert grades_in(course / "gradebook.db") == grades_in(quiet / "gradebook.db")
    assert comments_in(course / "gradebook.db") == comments_in(quiet / "gradebook.db")
    assert results_of(course) == results_of(quiet) and len(results_of(course)) == STUDENTS
    for student in grades_in(quiet / "gradebook.db"):
        assert executed(course, student) == executed(quiet, student)
    assert sorted(path.name for path in (course / "autograded").rglob("*.tmp")) == []


def results_of(course: Path) -> dict[str, dict]:
    with sqlite3.connect(course / "results.db") as store:
        return {student: json.loads(text) for student, text in store.execute("SELECT student, result FROM result")}
