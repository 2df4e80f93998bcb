"""The private cases: a few series of every exercise, drawn from the course's secret, with the reference's values.

They are made once, which takes seconds, and kept in reference/private/. Where the course has the bank of known
mistakes, a series is used only if it catches all of them and rejects no right implementation.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import inspect
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import autograder
from autograder.checks import encoding
from autograder.checks.exercise import Exercise
from autograder.exercises.recorded import Series, series_from, series_to_bytes

if TYPE_CHECKING:
    from autograder.grading.reference import Reference

SERIES = 8
"""Series of an exercise. With one for everybody, whoever learns a case would know everybody's."""

MOST_DRAWS = 3 * SERIES
"""After so many draws, the checks are at fault and not the draws."""

MAKER = "reference.audit.draws"
"""Makes the series of all exercises, with the bank of known mistakes. A module of the course folder."""


DISAGREEMENT = 3
"""The exit code of `MAKER` where no series suits the bank."""


class BadDraws(Exception):
    """No series can be made; the message says why."""


class Disagreement(BadDraws):
    """A solution and the bank of known mistakes do not suit each other: one is wrong. The message says where."""


def series_of(reference: Reference, exercise: Exercise) -> tuple[Series, ...]:
    """The private series of `exercise`, made if there are none yet, or others than the kit and the secret give now.

    Raises:
        BadDraws: they cannot be made.
    """
    try:
        kept = kept_series(reference, exercise)
        if kept is None:
            with alone(reference.folder / "private"):
                kept = kept_series(reference, exercise)  # another process may have made them meanwhile
                if kept is None:
                    _make_all(reference, exercise)
                    kept = kept_series(reference, exercise)
    except OSError as error:
        raise BadDraws(str(error)) from error
    if kept is None:
        raise BadDraws(f"{exercise.id}: reference/private/ changes")
    return kept


def kept_series(reference: Reference, exercise: Exercise) -> tuple[Series, ...] | None:
    """What is kept in reference/private/; None if it does not belong to this kit, reference and secret."""
    try:
        kept = encoding.unpack(_path(reference, exercise).read_bytes())
        if kept["key"] != _key(reference, exercise) or kept["bank"] != (_bank(reference, exercise) or kept["bank"]):
            return None
        return tuple(series_from(exercise, content, public=False) for content in kept["series"])
    except (FileNotFoundError, KeyError, TypeError, ValueError):  # not there, or not what was written
        return None


def make(
    reference: Reference, exercise: Exercise, fault: Callable[[Exercise, Series], str] = lambda exercise, series: ""
) -> None:
    """Draw, observe and keep the series of `exercise`.

    Args:
        fault: says why a series must not be used; "" if it may.

    Raises:
        Disagreement: too few may; the message says why most of the others may not.
    """
    found: list[Series] = []
    faults: Counter[str] = Counter()
    while len(found) < SERIES:
        if faults.total() > MOST_DRAWS - SERIES:
            ((why, most),) = faults.most_common(1)
            raise Disagreement(f"{exercise.id}, in {most} of {faults.total()} draws: {why}")
        number = b"%d" % (len(found) + faults.total())
        series = tuple(reference.expect(exercise, np.random.default_rng([*reference.drawn(exercise, number)])))
        if why := fault(exercise, series):
            faults[why] += 1
        else:
            found.append(series)
    path = _path(reference, exercise)
    draft = path.with_suffix(f".{os.getpid()}")
    about = {"key": _key(reference, exercise), "bank": _bank(reference, exercise)}
    try:
        draft.touch(0o600)
        draft.write_bytes(encoding.pack(about | {"series": [series_to_bytes(one) for one in found]}))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _make_all(reference: Reference, exercise: Exercise) -> None:
    """Make what is missing: in a process of its own if the bank is there, whose code this one has no need of."""
    if not (reference.folder / "audit" / "draws.py").is_file():
        make(reference, exercise)
        return
    line = [sys.executable, "-m", MAKER]
    done = subprocess.run(line, cwd=reference.folder.parent, capture_output=True, text=True, errors="replace")
    if done.returncode and kept_series(reference, exercise) is None:  # of another exercise, it may be at fault
        why = done.stderr.strip().rpartition("\n")[2]
        raise (Disagreement if done.returncode == DISAGREEMENT else BadDraws)(why)


def _path(reference: Reference, exercise: Exercise) -> Path:
    return reference.folder / "private" / f"{exercise.id}.msgpack"


def _key(reference: Reference, exercise: Exercise) -> bytes:
    """What the series depend on: the checks, the exercise, its solution, the secret."""
    package, probe = Path(autograder.__file__).parent, Path(inspect.getfile(exercise.probe))
    assignment = next((folder for folder in probe.parents if folder.parent == package / "exercises"), None)
    own = assignment.rglob("*.py") if assignment else [probe]  # exercises share modules
    solution = reference.folder.glob(f"*/{exercise.solution}/solution.py")
    sources = [package / "layers.py", *sorted(package.glob("checks/*.py")), *sorted(own), *sorted(solution)]
    return _digest(reference.secret() + b"%d" % SERIES, sources)


def _bank(reference: Reference, exercise: Exercise) -> bytes:
    """What the draws were tried with; empty where the bank is not, as on the workers of a cluster."""
    if not (reference.folder / "audit" / "draws.py").is_file():
        return b""
    files = reference.folder.glob(f"*/{exercise.solution}/*.*")
    return _digest(b"", sorted(file for file in files if file.suffix in (".py", ".toml")))


def _digest(start: bytes, files: Iterable[Path]) -> bytes:
    digest = hashlib.sha256(start)
    for path in files:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process at a time change what the folder's lock stands for; the others wait."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        if importlib.util.find_spec("fcntl"):  # not on Windows, where both make the same
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
