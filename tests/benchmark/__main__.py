"""The same classes graded by stock nbgrader and by this kit, in one run:

    python -m tests.benchmark [--sizes 10,100,1000,10000] [--stock 10] [--repeats 2] [--quick] [--folder docs]

Writes benchmark.json, benchmark.svg and benchmark.md after every step, so that it can be stopped at any time. Needs
Linux or another Unix. The numbers mean something on a machine that does nothing else. With --stock 0, stock nbgrader is
left out, which takes most of the time; the page says so.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import re
import sys
import tempfile
import timeit
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from autograder.notebooks.load import read_notebook
from autograder.notebooks.submission import CHECK_PREFIX, source_of
from source.release import COURSE, nbgrader_command
from tests.benchmark import inside, simulation
from tests.benchmark.classes import Folders, students
from tests.benchmark.measure import CommandFailed, measure
from tests.benchmark.page import draw, page, show
from tests.benchmark.results import GRADE, PLUGIN, STOCK, STOCK_BARE, Results, Run
from tests.class_folder import ASSIGNMENT, environment, grades_in, total
from tests.sample_class import CLASS, NOTEBOOK, POINTS, RIGHT, Student

REPEATED_UP_TO = 100
"""Larger classes are graded once, and nobody in them drew the plot: long ones are alike, and drawing takes most of the
time, as much for everybody."""


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        small: the classes that nbgrader grades, stock and with the kit.
        stock: whether stock nbgrader is measured.
        repeats: how often.
        rounds: how often what takes milliseconds is measured.
        drawn: the classes: nobody drew the plot, everybody did.
    """

    sizes: tuple[int, ...]
    small: tuple[int, int] = (1, 10)
    stock: bool = True
    repeats: int = 2
    rounds: int = 20
    drawn: tuple[bool, ...] = (False, True)

    def classes(self) -> Iterator[tuple[str, bool, int]]:
        """(way, drawn, size), in turns, so that what else the machine does meets all; the longest last."""
        ways = (STOCK, STOCK_BARE, PLUGIN) if self.stock else (PLUGIN,)
        for _repeat in range(self.repeats):
            for drawn in self.drawn:
                for size in self.small:
                    yield from ((way, drawn, size) for way in ways)
            for size in self.sizes:
                if size <= REPEATED_UP_TO:
                    yield from ((GRADE, drawn, size) for drawn in self.drawn)
        for size in self.sizes:
            if size > REPEATED_UP_TO:
                yield GRADE, False, size


class Benchmark:
    """One run: what has been measured, and where it is written."""

    def __init__(self, plan: Plan, folder: Path, scratch: Path, progress: Progress, quick: bool, jobs: int) -> None:
        self._plan, self._folder, self._progress, self._jobs = plan, folder, progress, jobs
        self._folders = Folders(scratch)
        self.results = Results({**machine(), "jobs": jobs}, quick, small=plan.small)

    def run(self) -> None:
        """Measure everything, the longest last."""
        steps: list[tuple[str, Callable[[Callable[[float], None]], None]]] = [
            ("check(...) in an open notebook", self._checks),
            ("single commands", self._commands),
            ("isolation levels", self._isolation),
            ("phases", self._phases),
        ]
        for way, drawn, size in self._plan.classes():
            name = f"{way}: {size} submissions{', drawn' if drawn else ''}"
            steps.append((name, lambda tick, c=(way, drawn, size): self._grade(*c, tick)))
        whole = self._progress.add_task("benchmark", total=len(steps))
        for name, step in steps:
            task = self._progress.add_task(name, total=1.0)
            step(lambda share, task=task: self._progress.update(task, completed=share))
            self._progress.remove_task(task)
            self._progress.advance(whole)
            self.write()
        self.results.complete = True
        self.write()

    def write(self) -> None:
        """Write what there is."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.results.save(self._folder / "benchmark.json")
        draw(self.results, self._folder / "benchmark.svg")
        text = page(self.results) + simulation.section(self._folder)
        (self._folder / "benchmark.md").write_text(text, encoding="utf-8", newline="\n")

    def _grade(self, way: str, drawn: bool, size: int, tick: Callable[[float], None]) -> None:
        with self._folders.course(way in (PLUGIN, GRADE), students(size, drawn, way != STOCK_BARE)) as course:
            line = nbgrader_command("autograde", ASSIGNMENT)
            if way == GRADE:
                line = [sys.executable, "-m", "autograder", "grade", ASSIGNMENT, "--jobs", str(self._jobs)]
            graded = course / "autograded"

            def share_done() -> float:
                share = len(os.listdir(graded)) / size if graded.is_dir() else 0.0
                tick(share)
                return share

            usage = measure(line, course, environment(course), share_done)
            class_ = list(grades_in(course / "gradebook.db").values())
        if len(class_) != size:
            raise CommandFailed(f"{way} graded {len(class_)} of {size} submissions.")
        full = [
            grades[CHECK_PREFIX + exercise][0] == points for grades in class_ for exercise, points in POINTS.items()
        ]
        mean_score = sum(map(total, class_)) / size
        self.results.runs.append(Run(way, drawn, size, usage, mean_score, sum(full) / len(full)))

    def _checks(self, tick: Callable[[float], None]) -> None:
        mistaken = {
            cell: code
            for student in CLASS
            if student.id in ("ito", "hara", "kato")
            for cell, code in student.answers.items()
            if code != RIGHT[cell]
        }
        for name, answers in (("right", RIGHT), ("wrong", RIGHT | mistaken)):
            notebook = Student("", "", answers).notebook(read_notebook(COURSE / "release" / ASSIGNMENT / NOTEBOOK))
            cells = {
                cell["metadata"].get("nbgrader", {}).get("grade_id"): source_of(cell) for cell in notebook["cells"]
            }
            sources = [cells[grade_id] for grade_id in ("setup", *answers) if not grade_id.startswith("depth_study_")]
            self.results.checks[name] = inside.warm_checks(sources, self._plan.rounds, lambda: None)

    def _commands(self, tick: Callable[[float], None]) -> None:
        (student,) = students(1, drawn=True)
        with self._folders.course(True, (student,)) as course:
            notebook = str(next(course.glob(f"submitted/*/*/{NOTEBOOK}")))
            check = [sys.executable, "-m", "autograder", "check", notebook]
            validate = nbgrader_command("validate", notebook)
            for name, line, times in (
                ("autograder check", check, max(3, self._plan.rounds // 4)),
                ("nbgrader validate", validate, self._plan.repeats * self._plan.stock),
            ):
                if not times:
                    continue
                self.results.commands[name] = [
                    measure(line, course, environment(course), codes=(0, 1)) for _time in range(times)
                ]

    def _isolation(self, tick: Callable[[float], None]) -> None:
        with self._folders.course(True, students(1, drawn=False)) as course:
            self.results.isolation = inside.isolation(course, self._plan.rounds, _counted(tick, self._plan.rounds))

    def _phases(self, tick: Callable[[float], None]) -> None:
        for drawn in self._plan.drawn:
            with self._folders.course(True, students(self._plan.rounds + 1, drawn)) as course:
                found = inside.phases(course, _counted(tick, self._plan.rounds + 1))
            self.results.phases["everybody drew" if drawn else "nobody drew"] = found


def _counted(tick: Callable[[float], None], rounds: int) -> Callable[[], None]:
    shares = iter(range(1, rounds + 1))
    return lambda: tick(next(shares) / rounds)


@cache
def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    cpu = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", cpu.read_text(encoding="utf-8")) if cpu.exists() else None
    return {
        "date": datetime.date.today().isoformat(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": model[1] if model else platform.processor(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("nbgrader", "numpy", "ipykernel")},
        "load": os.getloadavg()[0],
        "loop": round(timeit.timeit("for i in range(10_000_000): total += i", "total = 0", number=1), 2),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit code is 1 if it was stopped or something was not graded."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", default="10,100,1000,10000", help="how many submissions the kit grades")
    parser.add_argument(
        "--stock", type=int, default=10, help="how many submissions stock nbgrader grades; 0: it is left out"
    )
    parser.add_argument("--repeats", type=int, default=2, help="how often small classes are graded")
    parser.add_argument("--quick", action="store_true", help="10 and 30 submissions, into build/benchmark")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    parser.add_argument("--folder", type=Path, help="where the results go (docs)")
    options = parser.parse_args(arguments)
    if options.quick:
        plan = Plan((10, 30), small=(1, 2), repeats=1, rounds=5)
    else:
        small = (1, options.stock or Plan.small[1])
        plan = Plan(tuple(map(int, options.sizes.split(","))), small, bool(options.stock), options.repeats)
    folder = options.folder or COURSE / ("build/benchmark" if options.quick else "docs")
    console = Console(highlight=False)
    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as scratch,
        Progress(*columns, console=console, transient=True) as progress,
    ):
        benchmark = Benchmark(plan, folder, Path(scratch).resolve(), progress, options.quick, options.jobs)
        try:
            benchmark.run()
        except CommandFailed as failure:
            console.print(str(failure), markup=False)
        except KeyboardInterrupt:
            console.print("Stopped. What was measured is kept.")
    show(benchmark.results, console)
    console.print(f"Written to {folder}", soft_wrap=True)
    return 0 if benchmark.results.complete else 1


if __name__ == "__main__":
    sys.exit(main())
