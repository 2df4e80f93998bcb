"""The worker's loop: runs the requested cells and probes, and answers with plain data.

The first message is `{"limits": ..., "language": ...}`; then each request, `{"file": ...}`, `{"cell": ...}`,
`{"probe": ...}` or `{"trial": ...}`, gets one message as an answer.
"""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from autograder.checks import encoding
from autograder.checks.exercise import RANDOM_STATE, Exercise, Implementation, keep_random_state
from autograder.exercises import exercise
from autograder.locale import choose_language
from autograder.sandbox import frames, limits
from autograder.sandbox.limits import Limits, OutOfTime, time_limit
from autograder.sandbox.shell import CellShell


def serve(connection: socket.socket, shell: CellShell, address_space: int) -> None:
    """Answer requests until the connection closes."""
    greeting = encoding.unpack_own(frames.receive(connection))
    allowed = Limits(**greeting["limits"])
    choose_language(greeting["language"])
    limits.confine(allowed, address_space)
    sys.path.append(os.getcwd())  # last: a module beside the notebook can be imported, and hides no installed one
    random.seed(RANDOM_STATE)
    np.random.seed(RANDOM_STATE)
    frames.send(connection, encoding.pack({"ready": True}))
    while True:
        try:
            request = encoding.unpack_own(frames.receive(connection))
        except frames.Closed:
            return
        try:
            message = encoding.pack(_answer(request, shell, allowed))
        except encoding.WireError:
            message = encoding.pack({"too_large": True})
        frames.send(connection, message)


def _answer(request: dict[str, Any], shell: CellShell, allowed: Limits) -> dict[str, Any]:
    match request:
        case {"file": {"name": name, "content": content}}:
            with suppress(OSError):  # a name that this file system does not accept; the cell that reads it says so
                Path(name).write_bytes(content)
            return {}
        case {"cell": cell}:
            return {"outputs": shell.run(**cell, limits=allowed)}
        case {"probe": {"exercise": name, "cases": cases, "follow": follow, "seconds": seconds}}:
            return _probe(exercise(name), shell.user_ns, cases, follow, seconds)
        case {"trial": paths}:
            return {"possible": _possible(paths)}
    raise ValueError(f"no such request: {', '.join(request)}")


def _probe(
    wanted: Exercise, namespace: dict[str, Any], cases: list[bytes], follow: bool, seconds: float
) -> dict[str, Any]:
    implementation = Implementation(namespace)
    try:
        with keep_random_state(), time_limit(seconds):
            seen = [
                wanted.observe(implementation, wanted.case(**encoding.unpack_own(case)), follow).to_data()
                for case in cases
            ]
    except OutOfTime:
        return {"out_of_time": True}
    except BaseException as error:  # KeyboardInterrupt and the like, raised by the student's code
        return {"broke": type(error).__name__}
    return {"observations": [encoding.pack_observation(observation) for observation in seen]}


def _possible(paths: list[str]) -> list[str]:
    """Which forbidden acts this process can do nevertheless; all of them are harmless."""
    acts: dict[str, Callable[[], object]] = {
        "start a process": _fork,
        "open a socket": lambda: socket.socket().close(),
        "signal another process": lambda: os.kill(os.getppid(), 0),
        **{f"read {path}": partial(os.listdir, path) for path in paths},
    }
    possible = []
    for name, act in acts.items():
        try:
            act()
        except OSError:
            continue
        possible.append(name)
    return possible


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
