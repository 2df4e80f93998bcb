"""The trusted side of a warm parent: starts it at the best available isolation level, and gets workers from it."""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import shutil
import signal
import site
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any

from autograder.locale import _
from autograder.sandbox import frames, lockdown
from autograder.sandbox.folder import scratch_folder
from autograder.sandbox.isolation import Level, command, readable_paths, unprivileged_uid
from autograder.sandbox.limits import Limits

START_SECONDS = 60.0
START_TRIES = 5
ORDER_SECONDS = 10.0
CLOSE_SECONDS = 5.0
KILLED = (-9, 128 + 9)
"""Exit codes of a killed process, and of bubblewrap if its process was killed."""

FORKS = sys.platform == "linux"
"""On other systems, a process that has used numerical libraries cannot be forked safely: every worker starts cold."""

KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LANG", "LC_ALL", "LC_CTYPE")
"""The environment variables that students' code inherits; tokens and keys stay out."""


class HostBroken(Exception):
    """Workers cannot be started as requested: a fault of the installation or the system, not of a student."""


class HostLost(Exception):
    """The warm parent died, and its worker with it; the next `Host.start` starts a new one."""


class Host:
    """Makes workers, one at a time, each with an empty folder. All methods but `close` may raise HostLost.

    Attributes:
        level: how workers are isolated.
        unavailable: why each better level is not available here.
    """

    def __init__(
        self,
        level: Level | None = None,
        guarded: tuple[Path, ...] = (),
        figures: bool = False,
        own_code: bool = False,
    ) -> None:
        """Start a warm parent.

        Args:
            level: the isolation level; None for the best that works here, found by trying.
            guarded: folders that students' code must not be able to read.
            figures: whether figures will be drawn.
            own_code: whether users check their own notebook; only then may it run as root.

        Raises:
            HostBroken: this level, or any worker, is not available; the message says why.
        """
        self._guarded = [str(path) for path in guarded]
        self._figures, self._own_code = figures, own_code
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = contextlib.ExitStack()
        self._control: socket.socket | None = None
        self.unavailable: dict[Level, str] = {}
        if guarded and sys.platform == "linux":
            lockdown.hide_memory()  # expected values are in this process
        for candidate in Level if level is None else [level]:
            for with_proc in (True, False) if candidate is Level.FULL else (True,):  # some containers allow no /proc
                self.level, self._with_proc = candidate, with_proc
                reason = self._why_not()
                if reason is None:
                    return
                self.unavailable[candidate] = reason or self.unavailable.get(candidate, "it ended at once")
        reasons = "\n".join(f"{candidate}: {reason}" for candidate, reason in self.unavailable.items())
        raise HostBroken(
            _("The process that runs students' code does not start. Its output:\n{details}").format(details=reasons)
        )

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_error: Any) -> None:
        self.close()

    def start(self) -> socket.socket:
        """A connection to a new worker."""
        control = self._control or self._launch()
        if not FORKS:
            return control
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._ask(b"f", passing=theirs)
        except HostLost:
            ours.close()
            raise
        return ours

    def reap(self) -> None:
        """End the worker, whatever it does, and delete its folder."""
        if not FORKS:
            self.close()
        elif self._process is not None and self._ask(b"r") != b"k":
            self.close()  # its folder cannot be cleared: leave it behind, with the folder

    def computing_seconds(self) -> float:
        """The worker's computing time so far, user and system; nan if unknown."""
        if not FORKS or self._process is None:
            return math.nan
        (seconds,) = struct.unpack("d", self._ask(b"c", struct.calcsize("d")))
        return seconds

    def close(self) -> None:
        """End the warm parent and its worker, and delete the folder."""
        if self._control is not None:
            self._control.close()  # it then cleans up and ends
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2.0 if FORKS else 0.0)
            with contextlib.suppress(OSError):
                if hasattr(os, "killpg"):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.kill()
            self._process.wait()
        self._folder.close()
        self._control = self._process = None

    def _ask(self, order: bytes, size: int = 1, passing: socket.socket | None = None) -> bytes:
        """What the warm parent answers to `order`, `size` bytes. Raises HostLost; all is closed then."""
        answer = b""
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.settimeout(ORDER_SECONDS)
                if passing is None:
                    self._control.send(order)
                else:
                    socket.send_fds(self._control, [order], [passing.fileno()])
                answer = self._control.recv(size)
        if len(answer) != size:
            self.close()
            raise HostLost
        return answer

    # --- starting ---

    def _why_not(self) -> str | None:
        """Why this level is not available here, "" if the warm parent was lost every time; None if it is running."""
        if self.level is not Level.BASIC and not FORKS:
            return "only on Linux"
        for _number in range(START_TRIES):
            try:
                self._launch()
                possible = self._possible() if self.level is not Level.BASIC else []
            except (HostLost, frames.Closed, TimeoutError):  # killed or slow, which says nothing about the level
                self.close()
            except (HostBroken, FileNotFoundError) as error:
                self.close()
                return str(error)
            else:
                if not possible:
                    return None
                self.close()
                return "students' code could still " + ", ".join(possible)
        return ""

    def _possible(self) -> list[str]:
        """What a trial worker can do although it must not."""
        from autograder.checks import encoding  # imports NumPy, beside the warm parent that does the same

        with tempfile.TemporaryDirectory() as outside, self.start() as worker:
            greeting = {"limits": vars(Limits()), "language": "en"}
            for message in (greeting, {"trial": [outside, *self._guarded]}):
                frames.send(worker, encoding.pack(message), START_SECONDS)
                reply = encoding.unpack(frames.receive(worker, START_SECONDS))
        self.reap()
        return reply["possible"]

    def _launch(self) -> socket.socket:
        """Start the warm parent; the socket is the one over which it takes orders."""
        self._scratch = self._folder.enter_context(scratch_folder())
        box = self._scratch / "box"
        box.mkdir()
        settings = {
            "level": self.level.value,
            "forks": FORKS,
            "uid": None if self._own_code and self.level is Level.BASIC else unprivileged_uid(),
            "box": str(box),
            "readable": [str(path) for path in [*readable_paths(), self._scratch / "matplotlib"]],
            "figures": self._figures,
        }
        environment = _environment(self._scratch, box / "work")
        line = command(self.level, self._scratch, box, self._with_proc)
        with tempfile.TemporaryFile() as log:
            process, control = self._process, self._control = _spawn(line, environment, log)
            try:
                frames.send(control, json.dumps(settings).encode(), START_SECONDS)
                in_the_way = frames.receive(control, START_SECONDS).decode("utf-8", "replace")
            except (frames.Closed, TimeoutError) as error:
                killed = _was_killed(process)
                self.close()
                log.seek(0)
                said = log.read()[-2000:].decode("utf-8", "replace").strip()
                raise (HostBroken(said) if said and not killed else HostLost()) from error
        if in_the_way:
            self.close()
            raise HostBroken(in_the_way)
        return control


def too_weak(host: Host, option: str) -> str:
    """Why nothing is graded at the basic level without `option`."""
    reasons = "\n".join(f"{level}: {reason}" for level, reason in host.unavailable.items())
    return _(
        "Nothing was graded: on this system, students' code could read and change your files. Grade on Linux or in a "
        "container (see the instructor guide), or accept the risk with {option}.\n{reasons}"
    ).format(option=option, reasons=reasons)


@cache
def shared_host(guarded: tuple[Path, ...] = (), figures: bool = False, own_code: bool = True) -> Host:
    """This process's host for these settings, started on first use."""
    early = _early.pop((guarded, figures, own_code), None)
    host = early.result() if early else Host(guarded=guarded, figures=figures, own_code=own_code)
    atexit.register(host.close)
    return host


_early: dict[tuple[Any, ...], Future[Host]] = {}


def start_early() -> None:
    """Begin to start `shared_host()` in a thread, so that this process can import meanwhile what it needs itself.

    A process that ends before does not wait for the thread for long: the warm parent ends when its connection closes.
    """
    early: Future[Host] = Future()
    _early[(), False, True] = early

    def start() -> None:
        try:
            early.set_result(Host(own_code=True))
        except BaseException as error:
            early.set_exception(error)

    atexit.register(_close_early)
    threading.Thread(target=start, daemon=True).start()


def _close_early() -> None:
    for early in _early.values():
        with contextlib.suppress(TimeoutError):
            if early.exception(CLOSE_SECONDS) is None:
                early.result().close()


def _was_killed(process: subprocess.Popen[bytes]) -> bool:
    """Whether somebody else ended the warm parent, which tells nothing of what works here."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
    return process.returncode in KILLED


def _spawn(line: list[str], environment: dict[str, str], log: Any) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the process `line` with a socket to it: as its stdin, or handed over through it on Windows."""
    ours, theirs = socket.socketpair()
    with theirs:
        options: dict[str, Any] = {"env": environment, "stderr": log, "stdout": subprocess.DEVNULL, "cwd": os.path.sep}
        if sys.platform == "win32":
            process = subprocess.Popen(line, stdin=subprocess.PIPE, **options)
            process.stdin.write(theirs.share(process.pid))
            process.stdin.close()
        else:
            process = subprocess.Popen(line, stdin=theirs.fileno(), start_new_session=True, **options)
    return process, ours


def _environment(scratch: Path, home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    fonts = scratch / "matplotlib"
    fonts.mkdir()
    for font_list in _font_cache().glob("fontlist-*.json"):
        shutil.copy(font_list, fonts)
    return {
        **kept,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "USER": "student",
        "TMPDIR": str(home),
        "IPYTHONDIR": str(home / ".ipython"),
        "MPLCONFIGDIR": str(fonts),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUSERBASE": site.getuserbase(),
        # One thread: sums come out the same, a class fills all cores anyway, and the warm parent can be forked.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


@cache
def _font_cache() -> Path:
    """A folder with matplotlib's font list, which takes seconds to make: made here once, and copied to workers."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    folder = Path(base) / "gradient-pathology" / "matplotlib"
    if not list(folder.glob("fontlist-*.json")):
        with contextlib.suppress(OSError):  # no home to write to: every worker then makes its own
            folder.mkdir(parents=True, exist_ok=True)
            line = [sys.executable, "-I", "-c", "import matplotlib.font_manager"]
            subprocess.run(line, env={**os.environ, "MPLCONFIGDIR": str(folder)}, capture_output=True)
    return folder
