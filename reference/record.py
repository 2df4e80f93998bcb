"""Makes what students' machines know of the reference and of known mistakes: `python -m reference.record`."""

from pathlib import Path

from autograder.exercises import assignments
from autograder.exercises.recorded import RECORDINGS, recorded
from autograder.grading.reference import Reference
from reference import bank


def main() -> None:
    """Write, for each exercise, its public cases with what the reference shows, and the fingerprints of mistakes."""
    reference = Reference(Path(__file__).parents[1])
    for exercises in assignments().values():
        for exercise in exercises:
            (RECORDINGS / f"{exercise.id}.msgpack").write_bytes(reference.record(exercise))
            recorded.cache_clear()
            mistakes = [mistake for mistake in bank.mistakes() if mistake.solution == exercise.solution]
            (RECORDINGS / f"{exercise.id}.mistakes.msgpack").write_bytes(reference.fingerprint(exercise, mistakes))


if __name__ == "__main__":
    main()
