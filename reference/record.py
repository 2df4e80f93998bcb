"""Makes the recordings, students' data on the reference and on known mistakes: `python -m reference.record`.

All takes a few minutes; `python -m reference.record gradient_monitor` makes those of one solution cell alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from autograder.exercises import every_exercise
from autograder.exercises.recorded import RECORDINGS, recorded
from autograder.grading.reference import Reference
from autograder.locale import choose_language
from reference import bank
from reference.fingerprints import Book
from reference.mutants.known import inherited, observe_bank, observe_mutants, told


def main(only: Sequence[str] = ()) -> None:
    """Write the exercises' public cases with the reference's observations, and the mistakes' fingerprints."""
    choose_language("en")
    reference = Reference(Path(__file__).parents[1])
    exercises = [exercise for exercise in every_exercise() if not only or exercise.solution in only]
    for exercise in exercises:
        (RECORDINGS / f"{exercise.id}.msgpack").write_bytes(reference.record(exercise))
    recorded.cache_clear()
    for solution in dict.fromkeys(exercise.solution for exercise in exercises):
        books = new_books(solution)
        known = observe_bank((m for m in bank.mistakes() if m.solution == solution), books)
        slips = observe_mutants(solution, books)
        names = inherited(known, slips)
        for name, book in books.items():
            (RECORDINGS / f"{name}.mistakes.msgpack").write_bytes(book.to_bytes(told(name, known, slips, names)))


def new_books(solution: str) -> dict[str, Book]:
    """An empty book for each exercise of a cell."""
    right = [variant for variant in bank.variants() if variant.solution == solution]
    return {e.id: Book(e, right) for e in every_exercise() if e.solution == solution}


if __name__ == "__main__":
    main(sys.argv[1:])
