"""The trusted side of a worker: starts it, asks it, believes nothing, and stops it when it misbehaves."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from autograder import wire
from autograder.exercises.exercise import Exercise, Observation
from autograder.i18n import _, current_language
from autograder.submission import Cell, Submission
from autograder.worker.limits import GRACE_SECONDS, Limits

START_SECONDS = 60.0

KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LANG", "LC_ALL", "LC_CTYPE")
"""The environment variables that a worker inherits; tokens and keys stay out."""


class WorkerDied(Exception):
    """A worker was stopped or ended by itself; the message tells a student."""


class WorkerBroken(Exception):
    """A worker could not even start: a fault of the installation, not of a student."""


@dataclass
class Run:
    """What came of running a submission.

    Attributes:
        outputs: by cell index, outputs in the notebook format.
        observations: by exercise id, one for each case, or a sentence that says why there are none.
    """

    outputs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    observations: dict[str, list[Observation] | str] = field(default_factory=dict)


def run_submission(
    submission: Submission,
    cases: dict[str, list[Any]],
    figures: bool = False,
    limits: Limits = Limits(),
) -> Run:
    """Run a submission's cells from top to bottom in a fresh process, then probe its exercises there.

    A cell that kills the process or will not stop is left out when a new process takes over; an exercise that does
    so loses its own observations only.

    Args:
        cases: exercise id -> the cases to probe it on.
        figures: whether figures are drawn.
    """
    deadline = time.monotonic() + limits.total_seconds
    run, cells = Run(), submission.cells_to_run()
    waiting = [exercise for exercise in submission.exercises if exercise.id in cases]
    fatal: set[int] = set()
    while True:
        with Worker(limits, deadline) as worker:
            for cell in cells:
                if cell.index in fatal:
                    continue
                try:
                    run.outputs[cell.index] = worker.run_cell(cell, figures)
                except WorkerDied as death:
                    fatal.add(cell.index)
                    run.outputs[cell.index] = [_error_output(str(death))]
                    break
            else:
                while waiting:
                    exercise = waiting.pop(0)
                    try:
                        run.observations[exercise.id] = worker.probe(exercise, cases[exercise.id])
                    except WorkerDied as death:
                        run.observations[exercise.id] = str(death)
                        break
        if time.monotonic() > deadline:
            for exercise in waiting:
                run.observations[exercise.id] = _("The notebook as a whole took too long.")
            return run
        if not waiting:
            return run


class Worker:
    """One worker process, in a folder of its own that is gone afterwards."""

    def __init__(self, limits: Limits, deadline: float) -> None:
        self._limits = limits
        self._deadline = deadline
        self._replies: queue.Queue[bytes | None] = queue.Queue(maxsize=4)

    def __enter__(self) -> Worker:
        self._folder = tempfile.mkdtemp(prefix="autograder-")
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "autograder.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=self._folder,
            env=_environment(Path(self._folder)),
            start_new_session=True,
        )
        threading.Thread(target=_read_frames, args=(self._process.stdout, self._replies), daemon=True).start()
        try:
            self._request({"limits": asdict(self._limits), "language": current_language()}, START_SECONDS)
        except WorkerDied as death:
            self._log.seek(0)
            details = self._log.read()[-2000:].decode("utf-8", "replace")
            self.__exit__()
            raise WorkerBroken(
                _("The process that runs students' code does not start. It said:\n{details}").format(
                    details=details or death
                )
            ) from death
        return self

    def __exit__(self, *_error: Any) -> None:
        self._kill()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run_cell(self, cell: Cell, figures: bool) -> list[dict[str, Any]]:
        """The outputs of `cell`. Raises WorkerDied."""
        seconds = self._allow(self._limits.cell_seconds, at_least=0.1)
        request = {"cell": {"source": cell.source, "figures": figures, "seconds": seconds}}
        reply = self._request(request, seconds + GRACE_SECONDS)
        return [output for output in reply.get("outputs", []) if _is_output(output)]

    def probe(self, exercise: Exercise, cases: list[Any]) -> list[Observation] | str:
        """What is seen of `exercise` on `cases`, or why nothing is. Raises WorkerDied."""
        seconds = self._allow(self._limits.probe_seconds, at_least=1.0)
        request = {
            "probe": {"exercise": exercise.id, "cases": [wire.to_record(case) for case in cases], "seconds": seconds}
        }
        reply = self._request(request, seconds + GRACE_SECONDS)
        if reply.get("out_of_time"):
            return _took_too_long(self._limits.probe_seconds)
        if reply.get("too_large"):
            return _("Your code returned more data than can be looked at.")
        if type(reply.get("broke")) is str:
            return _("Your code raised {type}: {message}").format(type=reply["broke"][:60], message="-")
        try:
            observations = [Observation.from_data(data) for data in reply["observations"]]
            if len(observations) == len(cases):
                return observations
        except (KeyError, TypeError, ValueError):
            pass
        return _("What came back from your code could not be read.")

    def _allow(self, seconds: float, at_least: float) -> float:
        """What is left of the whole budget; a little even when it is used up, so that good work still counts."""
        return max(at_least, min(seconds, self._deadline - time.monotonic()))

    def _request(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The reply to `message`; a worker that gives none, or a malformed one, is stopped."""
        frame = wire.pack(message)
        frame = struct.pack(">I", len(frame)) + frame
        # In a thread of its own: a worker that no longer reads must not keep the grader waiting.
        threading.Thread(target=_write, args=(self._process.stdin, frame), daemon=True).start()
        try:
            reply = wire.unpack(self._replies.get(timeout=seconds) or b"")
        except queue.Empty:
            self._kill()
            raise WorkerDied(_took_too_long(seconds)) from None
        except wire.WireError:
            self._kill()
            raise WorkerDied(_("Your code ended the Python process (a crash, or a call such as os._exit).")) from None
        if type(reply) is not dict:
            self._kill()
            raise WorkerDied(_("What came back from your code could not be read."))
        return reply

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
        self._process.wait()
        # A process that the worker left behind may hold the other ends; whoever waits for it is no one we need.
        threading.Thread(target=_close, args=(self._process.stdin,), daemon=True).start()


def _write(pipe: Any, frame: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):
        pipe.write(frame)
        pipe.flush()


def _close(pipe: Any) -> None:
    with contextlib.suppress(OSError, ValueError):
        pipe.close()


def _read_frames(pipe: Any, replies: queue.Queue[bytes | None]) -> None:
    """Put every frame that comes in on `replies`, and None at the end or at the first one that is too long."""
    with contextlib.suppress(OSError, ValueError, queue.Full):
        while len(header := pipe.read(4)) == 4:
            length = struct.unpack(">I", header)[0]
            if length > wire.MAX_BYTES:
                break
            replies.put(pipe.read(length), timeout=START_SECONDS)
    with contextlib.suppress(queue.Full):
        replies.put(None, timeout=START_SECONDS)
    _close(pipe)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    fonts = folder / ".matplotlib"
    fonts.mkdir()
    for font_list in _font_cache().glob("fontlist-*.json"):
        shutil.copy(font_list, fonts)
    return {
        **kept,
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "IPYTHONDIR": str(folder / ".ipython"),
        "MPLCONFIGDIR": str(fonts),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # One thread: sums come out the same, and a class fills all cores anyway.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


@cache
def _font_cache() -> Path:
    """A folder with matplotlib's list of fonts, which takes seconds to make: made once, here, and copied to workers."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    folder = Path(base) / "gradient-pathology" / "matplotlib"
    if not list(folder.glob("fontlist-*.json")):
        with contextlib.suppress(OSError):  # no home to write to: every worker then makes its own
            folder.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-I", "-c", "import matplotlib.font_manager"]
            subprocess.run(command, env={**os.environ, "MPLCONFIGDIR": str(folder)}, capture_output=True)
    return folder


def _took_too_long(seconds: float) -> str:
    return _("Your code was stopped after {seconds:.0f} s. Is there a loop that never ends?").format(seconds=seconds)


def _error_output(message: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": "Stopped", "evalue": message, "traceback": [message]}


_OUTPUT_FIELDS = {
    "stream": {"name": str, "text": str},
    "display_data": {"data": dict, "metadata": dict},
    "execute_result": {"data": dict, "metadata": dict, "execution_count": int},
    "error": {"ename": str, "evalue": str, "traceback": list},
}


def _is_output(output: Any) -> bool:
    """Whether a worker's claim of an output has the form of one."""
    if type(output) is not dict or output.get("output_type") not in _OUTPUT_FIELDS:
        return False
    wanted = _OUTPUT_FIELDS[output["output_type"]]
    if set(output) != {"output_type", *wanted} or any(type(output[name]) is not kind for name, kind in wanted.items()):
        return False
    texts = [*output.get("data", {}).values(), *output.get("traceback", [])]
    return all(type(text) is str for text in texts) and not output.get("metadata")
