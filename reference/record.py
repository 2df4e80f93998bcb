"""Makes the recordings, students' data on the reference and on known mistakes: `python -m reference.record`.

A solution cell takes up to three minutes, and is left out if nothing that its recordings are made of has changed.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path

from autograder import exercises as packages
from autograder import layers
from autograder.checks import diagnosis, unreached
from autograder.checks import exercise as checks
from autograder.checks.exercise import Exercise
from autograder.exercises import every_exercise
from autograder.exercises.recorded import RECORDINGS, made_of, recorded
from autograder.grading.reference import Reference
from autograder.locale import choose_language
from reference import bank, mutants
from reference.fingerprints import new_books
from reference.mutants.known import inherited, observe_bank, observe_mutants, observe_pairs, told, two_at_once


def main() -> None:
    """Write the public cases with the reference's observations, and the mistakes' fingerprints."""
    choose_language("en")
    reference, mistakes = Reference(Path(__file__).parents[1]), bank.mistakes()
    anew: list[str] = []
    for solution in dict.fromkeys(exercise.solution for exercise in every_exercise()):
        exercises = [exercise for exercise in every_exercise() if exercise.solution == solution]
        sources = digest(exercises)
        if all(made_of(exercise) == sources for exercise in exercises):
            continue
        print(f"{solution}: recording {', '.join(exercise.id for exercise in exercises)} anew ...", flush=True)
        anew.append(solution)
        for exercise in exercises:
            (RECORDINGS / f"{exercise.id}.msgpack").write_bytes(reference.record(exercise))
        recorded.cache_clear()
        books = new_books(solution)
        known = observe_bank((m for m in mistakes if m.solution == solution), books)
        slips = observe_mutants(solution, books)
        names = inherited(known, slips)
        pairs = observe_pairs(known, slips, books, names)
        for name, book in books.items():
            at_once = two_at_once(name, pairs[name], (*known, *slips))
            content = book.to_bytes(told(name, known, slips, names), at_once, sources)
            (RECORDINGS / f"{name}.mistakes.msgpack").write_bytes(content)
    if not anew:
        print("All recordings are up to date; nothing was recorded.")


def digest(exercises: Sequence[Exercise]) -> str:
    """A digest of all source files that the recordings of a cell's exercises are made of."""
    probes = {
        Path(inspect.getfile(sys.modules[name]))
        for exercise in exercises
        for name in modules_behind(exercise.probe.__module__)
    }
    rooms = [
        Path(checks.__file__).parent,
        Path(mutants.__file__).parent,
        bank.folder_of(exercises[0].solution),
    ]
    rooms += [path.parent for path in probes if path.parent.name == exercises[0].solution]
    # What looks for causes, and which lines run, makes no recordings.
    files = {path for room in rooms for path in room.rglob("*") if path.suffix in (".py", ".toml")} | probes
    files = (files | {Path(layers.__file__), *bank.FOLDER.glob("*.py")}) - {
        Path(diagnosis.__file__),
        Path(unreached.__file__),
    }
    content = hashlib.sha256()
    for path in sorted(files):
        content.update(path.name.encode() + b"\0" + path.read_bytes())
    return content.hexdigest()


def modules_behind(module: str) -> set[str]:
    """The names of this module and of the others beside it that its functions and classes come from."""
    found, new = set(), {module}
    while new:
        found |= new
        used = (getattr(value, "__module__", None) for name in new for value in vars(sys.modules[name]).values())
        new = {name for name in used if name and name.startswith(f"{packages.__name__}.")} - found
    return found


if __name__ == "__main__":
    main()
