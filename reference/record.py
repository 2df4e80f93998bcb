"""Makes the recordings, students' data on the reference and on known mistakes: `python -m reference.record`."""

from pathlib import Path

from autograder.exercises import every_exercise
from autograder.exercises.recorded import RECORDINGS, recorded
from autograder.grading.reference import Reference
from reference import bank


def main() -> None:
    """Write every exercise's public cases with the reference's observations, and the mistakes' fingerprints."""
    reference, known = Reference(Path(__file__).parents[1]), bank.mistakes()
    for exercise in every_exercise():
        (RECORDINGS / f"{exercise.id}.msgpack").write_bytes(reference.record(exercise))
        recorded.cache_clear()
        mistakes = [mistake for mistake in known if mistake.solution == exercise.solution]
        (RECORDINGS / f"{exercise.id}.mistakes.msgpack").write_bytes(reference.fingerprint(exercise, mistakes))


if __name__ == "__main__":
    main()
