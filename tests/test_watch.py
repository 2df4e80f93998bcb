"""`autograder check --watch`: a notebook is checked again when it is saved, however it is saved."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from conftest import ALL_POINTS, AUTOMATIC, small_notebook

from autograder.cli.check import LOOK_SECONDS, saves

WRONG_CLIP = "def clip_gradients(layers, max_norm=1.0):\n    return 0.0, 1.0"
PATIENCE = 60.0


class Script:
    """Stands for the pauses between looks: does the next thing at each, and ends the watching after the last."""

    def __init__(self, *steps):
        self.steps, self.pauses = list(steps), []

    def __call__(self, seconds):
        self.pauses.append(seconds)
        if not self.steps:
            raise KeyboardInterrupt
        step = self.steps.pop(0)
        if step is not None:
            step()


def contents_seen(path, *steps):
    """What the file held (None where there was none) whenever a save was noticed."""
    seen, script = [], Script(*steps)
    with pytest.raises(KeyboardInterrupt):
        for _save in saves(path, script):
            seen.append(path.read_text() if path.exists() else None)
    assert set(script.pauses) == {LOOK_SECONDS}
    return seen


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text("1")
    return path


def written(text):
    return lambda file: file.write_text(text)


def renamed(file):
    """Another file in its place, of the same size and time: only the inode tells."""
    other = file.with_name("other")
    other.write_text("2")
    status = file.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize(
    ("steps", "seen"),
    [
        ([None, None, None], ["1"]),
        ([written("22"), None, None, None], ["1", "22"]),
        ([renamed, None, None], ["1", "2"]),
        ([written(""), written("22"), written("22, 33"), written("22, 33, 44"), None, None], ["1", "22, 33, 44"]),
        ([Path.unlink, written("22"), None, None], ["1", "22"]),
        ([Path.unlink, None, None, written("22"), None, None], ["1", None, "22"]),
    ],
    ids=["rest", "a save", "by rename", "emptied, then written in pieces", "gone for a moment", "deleted, then back"],
)
def test_a_save_is_noticed_once_and_when_the_file_rests(file, steps, seen):
    assert contents_seen(file, *(step and partial(step, file) for step in steps)) == seen


def test_what_changes_while_the_caller_is_busy_is_noticed(file):
    seen = []
    with pytest.raises(KeyboardInterrupt):
        for _save in saves(file, Script(None, None, None)):
            seen.append(file.read_text())
            if len(seen) == 1:
                file.write_text("22")
    assert seen == ["1", "22"]


# --- the command ------------------------------------------------------------------------------------------------------


class Watching:
    """The command on its way, and what it has printed so far."""

    def __init__(self, path):
        line = [sys.executable, "-u", "-m", "autograder", "check", "--watch", "--lang", "en", str(path)]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
        self.lines, self.taken = [], 0
        self._reader = threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")))
        self._reader.start()

    def next_check(self):
        """What is printed up to the end of the next check."""
        end = time.monotonic() + PATIENCE
        while not any("Checked at" in line for line in self.lines[self.taken :]):
            assert time.monotonic() < end and self.process.poll() is None, self.lines
            time.sleep(0.05)
        place = next(i for i in range(self.taken, len(self.lines)) if "Checked at" in self.lines[i]) + 1
        text, self.taken = "".join(self.lines[self.taken : place]), place
        return text

    def interrupt(self):
        """(exit code, the rest of what was printed) after Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE)
        self._reader.join()
        return code, "".join(self.lines[self.taken :])


@pytest.fixture(autouse=True)
def heeding_interrupts():
    """Processes started here heed Ctrl-C, even if the tests themselves were started in the background and do not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def watch():
    started = []

    def start(path):
        started.append(Watching(path))
        return started[-1]

    yield start
    for watching in started:
        watching.process.kill()
        watching.process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_a_notebook_is_watched_from_wrong_to_right(write_notebook, watch):
    path = write_notebook(small_notebook(clip_gradients=WRONG_CLIP))
    watching = watch(path)
    first = watching.next_check()
    assert "total_norm is 0" in first and "press Ctrl-C to stop" in first and "\x1b" not in first

    path.write_text('{"cells": [')
    assert "not JSON" in watching.next_check()

    path.unlink()
    assert "cannot be read" in watching.next_check()

    monitor = "class GradientMonitor:\n    pass"
    path.write_text(json.dumps(small_notebook(gradient_monitor=monitor)))
    changes = watching.next_check()
    assert "clip_gradients 0 → 6\n" in changes and "gradient_monitor 4 → 0\ngradient_monitor: 0 / 4" in changes
    assert "batch_norm" not in changes and f"32 / {ALL_POINTS:g} points. Next: gradient_monitor. Checked at" in changes

    path.write_text(json.dumps(small_notebook(gradient_monitor=monitor + "\n")))
    (running, line) = watching.next_check().splitlines()
    assert "Running" in running and line.startswith(f"32 / {ALL_POINTS:g} points. Next: gradient_monitor. Checked at")

    path.write_text(json.dumps(small_notebook()))
    (_running, change, line) = watching.next_check().splitlines()
    assert change == "gradient_monitor 0 → 4"
    assert line.startswith(
        f"{AUTOMATIC:g} / {ALL_POINTS:g} points. To be graded by a person: depth_study_plot (2), depth_study_findings"
    )

    code, rest = watching.interrupt()
    assert code == 0 and "No longer watching." in rest and "Traceback" not in rest


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_a_terminal_keeps_what_was_said(write_notebook):
    import pty

    screen, terminal = pty.openpty()
    line = [sys.executable, "-m", "autograder", "check", "--watch", str(write_notebook("{"))]
    environment = {**os.environ, "TERM": "xterm", "AUTOGRADER_LANG": "en"}
    with subprocess.Popen(line, stdout=terminal, stderr=terminal, env=environment) as process:
        shown = b""
        while b"Checked at" not in shown:
            shown += os.read(screen, 1000)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert b"\x1b[2J" not in shown and b"not JSON" in shown
    os.close(screen)
    os.close(terminal)
