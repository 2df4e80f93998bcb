"""One class graded three ways, which must come out equal: here, on a Dask cluster, and with nbgrader's own command:

    python -m tests.benchmark.equal [--students 300] [--workers 2]

About 70 % of the exercises are right. All others have mistakes of the bank, so that causes and messages are many; every
tenth student has drawn the plot. Points, promises, causes, messages, the gradebook's grades and its comments are
compared. Executed notebooks are not: where a student forgot the seed, figures differ. The exit code is 1 if anything
differs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autograder.grading.course import Course
from autograder.grading.result_file import stored_results
from tests import dask_cluster
from tests.benchmark.classes import Answer, answers_to, students
from tests.class_folder import ASSIGNMENT, differences, environment, make_course, nbgrader_alone
from tests.sample_class import CODE, Student, hurried, mistaken


def class_of(number: int) -> tuple[Student, ...]:
    """Students with right answers of the sample class, and with mistakes of the bank."""
    choices = {
        cell: [
            *(answer for answer in answers_to(cell) if not answer.loses),
            *(Answer(text, fails) for text, fails in mistaken(cell).values()),
        ]
        for cell in CODE
    }
    quiet, drawn = (students(number, drawn, choices=choices) for drawn in (False, True))
    return tuple(hurried(drawn[i]) if i % 10 == 0 else quiet[i] for i in range(number))


def grade_three_ways(class_: tuple[Student, ...], folder: Path, workers: int) -> dict[str, Path]:
    """Way -> the course folder in which the class has been graded so; each says how long it took."""
    ways = {way: make_course(folder / way, class_) for way in ("here", "dask", "nbgrader")}
    _timed("autograder grade", lambda: _grade(ways["here"], "--jobs", str(workers)))
    (folder / "cluster").mkdir()
    with dask_cluster.processes(folder / "cluster", workers) as cluster:
        _timed("autograder grade --scheduler", lambda: _grade(ways["dask"], "--scheduler", cluster.address))
    nbgrader_alone(ways["nbgrader"], "generate_assignment", ASSIGNMENT)
    _timed("nbgrader autograde", lambda: nbgrader_alone(ways["nbgrader"], "autograde", ASSIGNMENT))
    return ways


def _grade(course: Path, *options: str) -> None:
    line = [sys.executable, "-m", "autograder", "grade", ASSIGNMENT, "--course", str(course), "--allow-basic", *options]
    subprocess.run(line, env=environment(course), stdout=subprocess.DEVNULL, check=True)


def _timed(name: str, act) -> None:
    started = time.monotonic()
    act()
    print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def compared(ways: dict[str, Path]) -> tuple[str, list[str]]:
    """One line that says what was compared, and what differs."""
    found = [
        *(f"here and dask, {each}" for each in differences(ways["here"], ways["dask"])),
        *(f"here and nbgrader, {each}" for each in differences(ways["here"], ways["nbgrader"])),
    ]
    results = [stored.result for _student, stored in stored_results(Course(ways["here"]), ASSIGNMENT)]
    checks = [check for result in results for check in result["checks"].values()]
    items = [item for check in checks for item in check["items"]]
    right = sum(check["score"] == check["max"] for check in checks) / len(checks)
    causes = {item["cause"] for item in items} - {None}
    line = (
        f"{len(results)} students, {right:.0%} of {len(checks)} exercises right, {len(items)} promises, "
        f"{len(causes)} causes, {len({item['message'] for item in items})} messages: {len(found)} differences"
    )
    return line, found


def main(arguments: list[str] | None = None) -> int:
    """Grade and compare; the exit code is 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark.equal", description=__doc__.split("\n")[0])
    parser.add_argument("--students", type=int, default=300, help="how many (300)")
    parser.add_argument("--workers", type=int, default=2, help="processes that grade, here and on the cluster (2)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="equal-") as folder:
        ways = grade_three_ways(class_of(options.students), Path(folder).resolve(), options.workers)
        line, found = compared(ways)
    print(*found, line, sep="\n")
    return 1 if found or f"{options.students} students" not in line else 0


if __name__ == "__main__":
    sys.exit(main())
