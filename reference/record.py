"""Makes the recordings of the public cases from the reference: `python -m reference.record`, in the course folder."""
from pathlib import Path

from autograder.exercises import assignments
from autograder.oracle import RECORDINGS, Reference


def main() -> None:
    """Write one file an exercise."""
    reference = Reference(Path(__file__).parents[1])
    for exercises in assignments().values():
        for exercise in exercises:
            (RECORDINGS / f"{exercise.id}.msgpack").write_bytes(reference.record(exercise))


if __name__ == "__main__":
    main()
