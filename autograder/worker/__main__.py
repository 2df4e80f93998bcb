"""The worker process: `python -I -m autograder.worker`. Frames of plain data come in on stdin and go out on stdout.

A frame is its length (4 bytes, big-endian) and a message of `autograder.wire`. The first message is `{"limits": ...}`;
then each request, `{"cell": ...}` or `{"probe": ...}`, is answered by one message.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO


def main() -> None:
    """Answer requests until stdin ends."""
    requests, replies = _private_pipes()
    # Everything that student code could need from outside its folder is imported before it runs.
    import matplotlib.pyplot  # noqa: F401
    import matplotlib_fontja  # noqa: F401
    import matplotlib_inline.backend_inline  # noqa: F401

    from autograder import wire
    from autograder.exercises import assignments, exercise
    from autograder.i18n import use_language
    from autograder.worker.limits import Limits, confine
    from autograder.worker.shell import CellShell

    assignments()
    _forget_course_folder()
    greeting = wire.unpack(_receive(requests))
    limits = Limits(**greeting["limits"])
    use_language(greeting["language"])
    shell = CellShell.instance()
    shell.enable_matplotlib("inline")
    confine(limits)
    os.dup2(0, 2)  # nothing that student code prints past Python goes anywhere
    _send(replies, wire.pack({"ready": True}))

    while (frame := _receive(requests)) is not None:
        request = wire.unpack(frame)
        if "cell" in request:
            reply = {"outputs": shell.run(**request["cell"], limits=limits)}
        else:
            job = request["probe"]
            reply = _probe(exercise(job["exercise"]), shell.user_ns, job["cases"], job["seconds"])
        try:
            message = wire.pack(reply)
        except wire.WireError:
            message = wire.pack({"too_large": True})
        _send(replies, message)


def _probe(exercise: Any, namespace: dict[str, Any], cases: list[dict], seconds: float) -> dict[str, Any]:
    from autograder.exercises.exercise import Implementation
    from autograder.worker.limits import OutOfTime, time_limit

    implementation = Implementation(namespace)
    try:
        with time_limit(seconds):
            observations = [exercise.observe(implementation, exercise.case(**case)).to_data() for case in cases]
    except OutOfTime:
        return {"out_of_time": True}
    except BaseException as error:  # KeyboardInterrupt and the like, raised by the student's code
        return {"broke": type(error).__name__}
    return {"observations": observations}


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes, moved away from where student code reads and prints."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return requests, replies


def _forget_course_folder() -> None:
    """A course folder on the import path (an editable install) would let student code import the reference."""
    sys.path[:] = [entry for entry in sys.path if not (Path(entry) / "reference").exists()]
    sys.dont_write_bytecode = True


def _receive(pipe: BinaryIO) -> bytes | None:
    header = pipe.read(4)
    return pipe.read(struct.unpack(">I", header)[0]) if len(header) == 4 else None


def _send(pipe: BinaryIO, message: bytes) -> None:
    pipe.write(struct.pack(">I", len(message)) + message)
    pipe.flush()


if __name__ == "__main__":
    main()
