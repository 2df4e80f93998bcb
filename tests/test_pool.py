"""Processes that work through a list."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from autograder.grading.pool import OutOfTime, Pool


def prepare(seconds: float) -> None:
    time.sleep(seconds)


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def sleep_or_die(seconds: float) -> float:
    """Negative seconds kill the process."""
    if seconds < 0:
        os.kill(os.getpid(), signal.SIGTERM)
    return sleep(seconds)


def test_an_item_without_end_is_ended_and_the_start_of_a_process_is_not_counted(tmp_path):
    with Pool(1, 0.5, tmp_path, prepare, 1.0) as pool:
        seen = dict(pool.map(sleep, [0.0, 0.01]))
        assert seen == {0.0: 0.0, 0.01: 0.01}
        (came,) = pool.map(sleep, [600.0])
        assert isinstance(came[1], OutOfTime)
        assert list(pool.map(sleep, [0.02])) == [(0.02, 0.02)]


def test_an_item_that_ends_its_process_is_given_up_and_the_others_are_not(tmp_path):
    with Pool(2, 60.0, tmp_path, prepare, 0.0) as pool:
        came = dict(pool.map(sleep_or_die, [-1.0, 0.0, 0.01]))
    assert isinstance(came.pop(-1.0), BrokenProcessPool)
    assert came == {0.0: 0.0, 0.01: 0.01}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say which processors one may use")
def test_a_class_is_graded_on_the_processors_that_the_command_may_use():
    one_alone = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from autograder.cli import parser"
    line = [sys.executable, "-c", f"{one_alone}; print(parser().parse_args(['grade', 'a']).jobs)"]
    assert subprocess.run(line, check=True, capture_output=True, text=True).stdout == "1\n"
