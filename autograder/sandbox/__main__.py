"""The warm parent: `python -m autograder.sandbox`, started only by `autograder.sandbox.fork_server`.

It imports what notebooks need, once, and then forks a worker for every submission: a worker is ready in milliseconds,
and nothing that a student's code does outlives it. On systems where forking is not safe (macOS, Windows), it becomes a
worker itself. It never holds expected values, seeds or scores.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import os
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

from autograder.sandbox import frames
from autograder.sandbox.folder import clear, is_too_full

LOOK_SECONDS = 0.2
"""Seconds between checks of the size of a worker's folder."""


def main() -> None:
    """Prepare, then serve the grader until it closes the connection."""
    control = _control_socket()
    settings = json.loads(frames.receive(control))
    try:
        parent = _Parent(control, settings)
    except Exception as error:  # sent to the grader, which then tries a lower level
        frames.send(control, f"{type(error).__name__}: {error}"[:2000].encode("utf-8", "replace"))
        return
    frames.send(control, b"")  # nothing is in the way
    if settings["forks"]:
        parent.run()
    else:
        parent.become_worker(control)


class _Parent:
    """Holds what every worker starts with, and answers the grader: `f` and a socket fork a worker, `r` ends the worker
    and clears its folder, `c` asks for the worker's computing time.
    """

    def __init__(self, control: socket.socket, settings: dict[str, Any]) -> None:
        self._control, self._box = control, Path(settings["box"])
        self._worker: int | None = None
        if settings["uid"] is not None:
            _drop_privileges(settings["uid"], self._box)
        _enter(self._box)
        self._shell = _warm_shell(settings["figures"])
        self._address_space, self._rules = _lock_down(settings, self._box)

    def run(self) -> None:
        """Serve until the grader closes the connection."""
        clear(self._box)  # what the imports left
        gc.freeze()
        try:
            while order := self._next_order():
                match order:
                    case b"f", [descriptor]:
                        self._fork(descriptor)
                        self._control.send(b"k")
                    case b"r", []:
                        self._reap()
                        self._control.send(b"k" if clear(self._box) else b"d")
                    case b"c", []:
                        self._control.send(struct.pack("d", self._computing_seconds()))
        finally:
            self._reap()
            clear(self._box)

    def _next_order(self) -> tuple[bytes, list[int]] | None:
        while not select.select([self._control], [], [], LOOK_SECONDS if self._worker else None)[0]:
            if self._worker and is_too_full(self._box):
                os.kill(self._worker, signal.SIGKILL)
        order, descriptors, _flags, _address = socket.recv_fds(self._control, 1, 1)
        return (order, descriptors) if order else None

    def _fork(self, descriptor: int) -> None:
        parent = os.getpid()
        self._worker = os.fork()
        if self._worker:
            os.close(descriptor)
            return
        try:
            from autograder.sandbox.lockdown import die_with_parent

            os.setsid()
            die_with_parent(parent)
            self._control.close()
            self.become_worker(socket.socket(fileno=descriptor))
        finally:
            os._exit(0)

    def become_worker(self, connection: socket.socket) -> None:
        """Run what the grader sends over `connection`, until it closes it."""
        from autograder.sandbox.serve import serve

        _enter(self._box)
        os.dup2(0, 2)  # drop what student code prints without Python
        if self._rules is not None:
            from autograder.sandbox.lockdown import copy_without_permissions, filter_system_calls

            filter_system_calls(self._rules)
            copy_without_permissions()
        with contextlib.suppress(frames.Closed):
            serve(connection, self._shell, self._address_space)

    def _computing_seconds(self) -> float:
        """The worker's computing time so far, user and system; nan if unknown."""
        if self._worker is None:
            return math.nan
        try:
            # The number of another process's clock, as in clock_getcpuclockid(3): /proc may not be there.
            return time.clock_gettime(~self._worker << 3 | 2)
        except OSError:
            return math.nan

    def _reap(self) -> None:
        if self._worker is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._worker, signal.SIGKILL)
                # At the basic level students' code can start processes; those in its session are killed with it.
                os.killpg(self._worker, signal.SIGKILL)
            os.waitpid(self._worker, 0)
            self._worker = None


def _control_socket() -> socket.socket:
    """The socket to the grader, moved to another descriptor than student code reads and prints to."""
    if sys.platform == "win32":
        control = socket.fromshare(sys.stdin.buffer.read())
    else:
        control = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return control


def _drop_privileges(uid: int, box: Path) -> None:
    from autograder.sandbox import privileges

    box.chmod(0o777)  # made by root, used by the user that this process becomes
    privileges.drop(uid, [Path(sys.prefix, "lib"), Path(sys.base_prefix, "lib"), Path(__file__).parent, box])


def _enter(box: Path) -> None:
    """Make the worker's folder again and change into it."""
    folder = box / "work"
    folder.mkdir(exist_ok=True)
    os.chdir(folder)


def _warm_shell(figures: bool) -> Any:
    """Import everything that student code may need from outside its folder, and make the shell that runs cells."""
    import matplotlib.pyplot
    import matplotlib_fontja  # noqa: F401
    import matplotlib_inline.backend_inline  # noqa: F401
    import numpy.random  # noqa: F401  (which `import numpy` leaves for later)
    from IPython.core.pylabtools import print_figure

    import autograder.sandbox.serve
    from autograder import check, predict, show, slider  # noqa: F401  (what a notebook imports)
    from autograder.exercises import assignments, guides
    from autograder.locale import LANGUAGES, _, speaking

    for assignment in assignments():
        guides(assignment)
    for language in LANGUAGES:
        with speaking(language):
            _("Nothing here yet.")  # reads the catalogue
    # A course folder on the import path (an editable install) would let student code import the reference.
    sys.path[:] = [entry for entry in sys.path if not (Path(entry) / "reference").exists()]
    sys.dont_write_bytecode = True
    shell = autograder.sandbox.serve.CellShell.instance()
    shell.enable_matplotlib("inline")
    shell.run_cell("pass\npass", store_history=False)  # what the first cell loads and keeps, once for all workers
    if figures:
        figure = matplotlib.pyplot.figure()
        figure.gca().set_title("0")
        print_figure(figure, fmt="png", bbox_inches="tight")  # which loads what drawing loads first
        matplotlib.pyplot.close(figure)
    return shell


def _lock_down(settings: dict[str, Any], box: Path) -> tuple[int, Any]:
    """Apply the level's restrictions that workers inherit.

    Returns:
        The address space that the libraries take, and the system call filter for each worker, if any.
    """
    from autograder.sandbox import limits, lockdown

    size, rules = limits.address_space(), None
    if sys.platform == "linux":
        lockdown.hide_memory()
        with contextlib.suppress(FileNotFoundError):
            threads = len(os.listdir("/proc/self/task"))
            if settings["forks"] and threads != 1:
                raise RuntimeError(f"the warm parent has {threads} threads; a fork of it would not be sound")
    if settings["level"] != "basic":
        rules = lockdown.system_call_filter()
        lockdown.restrict_files(map(Path, settings["readable"]), writable=box)
    return size, rules


if __name__ == "__main__":
    main()
