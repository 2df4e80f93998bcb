"""Makes the recordings, students' data on the reference and on known mistakes: `python -m reference.record`."""

from __future__ import annotations

from pathlib import Path

from autograder.exercises import every_exercise
from autograder.exercises.recorded import RECORDINGS, recorded
from autograder.grading.reference import Reference
from autograder.locale import choose_language
from reference import bank
from reference.fingerprints import Book


def main() -> None:
    """Write every exercise's public cases with the reference's observations, and the mistakes' fingerprints."""
    choose_language("en")
    reference, known, right = Reference(Path(__file__).parents[1]), bank.mistakes(), bank.variants()
    for exercise in every_exercise():
        (RECORDINGS / f"{exercise.id}.msgpack").write_bytes(reference.record(exercise))
        recorded.cache_clear()
        book = Book(exercise, [variant for variant in right if variant.solution == exercise.solution])
        for mistake in known:
            if mistake.solution == exercise.solution and mistake.cause:
                book.add(mistake)
        (RECORDINGS / f"{exercise.id}.mistakes.msgpack").write_bytes(book.to_bytes())


if __name__ == "__main__":
    main()
