"""How far a Dask cluster carries, without one: the real scheduler, 64 workers that sleep in place of grading.

    python -m tests.benchmark.simulation [--seconds 600] [--folder docs]

Each hand-in takes as long as one took in the benchmark's measurements of whole submissions, drawn anew, and as many
bytes travel there and back. In the middle of the longest run, a process with ten of the workers is killed. Writes
cluster.json, cluster.png and the last section of benchmark.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import psutil
from distributed import Client, Worker

from autograder.grading import cluster
from autograder.grading.cluster import Cluster
from source.release import COURSE
from tests.benchmark.page import Table
from tests.class_folder import ASSIGNMENT
from tests.dask_cluster import processes, wait_for
from tests.sample_class import NOTEBOOK

GROUPS = (10, 18, 18, 18)
"""How many workers share a process: two cores have no room for 64 of these. The first is the one to be killed."""

IDLE = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s",
}
"""Each worker looks at itself up to a hundred times a second, which 64 on two cores cannot."""

RESULT_BYTES = 200_000
"""An executed notebook with its results."""

MOST_HAND_INS = 100_000

HEADING = "## 64 workers, simulated"

WORDS = """\
No 64 machines were at hand. `python -m tests.benchmark.simulation` runs the real Dask scheduler and the code of
`autograder grade --scheduler`, with 64 workers whose grading is a sleep: as long as a submission took in the table
above, drawn anew for each hand-in, {mean:.0f} ms on average. A notebook travels there and {result} kB come back. The
first run has as many hand-ins as should take {seconds:.0f} seconds, and at most {most:,}; the others are shorter.

All processes share this machine's {cores} cores, whose load was {load:.1f} before. *Of the ideal* is the time of all
sleeps, shared by the workers that there were, over the time that it took. *Overhead* is what is left of a worker's
time, per hand-in: also what was lost to other programs, most of all with many small batches. Every hand-in came back
exactly once. What `autograder grade` writes is not in it: your machine books one submission after the other (the row
*gradebook* above), which limits a cluster sooner than the scheduler does.
"""


@dataclass
class Run:
    """One simulated class.

    Attributes:
        faster: how many times as fast as measured each hand-in was.
        batch: the most hand-ins in a batch.
        killed: when ten workers were killed, in seconds, or None.
        done: how many were done at each second.
        slept: seconds of sleep of what came back.
        busy: seconds for which workers were there, in all.
    """

    faster: float
    batch: int
    hand_ins: int = 0
    seconds: float = 0.0
    slept: float = 0.0
    busy: float = 0.0
    scheduler_cpu: float = 0.0
    scheduler_mb: float = 0.0
    killed: float | None = None
    done: list[int] = field(default_factory=list)


class Sleeping:
    """A job that sleeps in place of grading."""

    def __init__(self, times: list[float], size: int) -> None:
        self._times, self._answer = times, bytes(size)

    def __call__(self, _function: Any, parcels: list[bytes]) -> Iterator[tuple[bool, bytes]]:
        for _parcel in parcels:
            seconds = random.choice(self._times)
            time.sleep(seconds)
            yield True, b"%f\n" % seconds + self._answer


def run(times: list[float], faster: float, batch: int, seconds: float, kill: bool) -> Run:
    """Grade as many hand-ins as should take so many `seconds`, and at most `MOST_HAND_INS`."""
    cluster.MOST_IN_BATCH = batch
    total = min(MOST_HAND_INS, int(seconds * sum(GROUPS) * faster / mean(times)))
    seen = Run(faster, batch)
    notebook = (COURSE / "release" / ASSIGNMENT / NOTEBOOK).read_bytes()
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder, processes(Path(folder), workers=0) as started:
        line = [sys.executable, "-m", "tests.benchmark.simulation", "--address", started.address, "--workers"]
        hosts = [subprocess.Popen([*line, str(number)], cwd=COURSE, env=os.environ | IDLE) for number in GROUPS]
        try:
            with Client(started.address, set_as_default=False) as client:
                wait_for(lambda: len(client.nthreads()) == sum(GROUPS), 300)
            scheduler = psutil.Process(started.started[0].pid)
            used = sum(scheduler.cpu_times()[:2])
            start = time.monotonic()

            def elapsed() -> float:
                return time.monotonic() - start

            came = set()
            with Cluster(started.address, Sleeping, [each / faster for each in times], RESULT_BYTES) as workers:
                for number, answer in workers.map(len, lambda _number: notebook, range(total), total):
                    came.add(number)
                    seen.hand_ins += 1
                    seen.slept += float(answer[:12].split(b"\n")[0])
                    while len(seen.done) < elapsed():
                        seen.done.append(seen.hand_ins)
                        seen.scheduler_mb = max(seen.scheduler_mb, scheduler.memory_info().rss / 2**20)
                    if kill and seen.killed is None and seen.hand_ins > total / 2:
                        seen.killed = elapsed()
                        os.kill(hosts[0].pid, signal.SIGKILL)
                seen.seconds = elapsed()
            assert came == set(range(total)) and seen.hand_ins == total, "each once"
            seen.scheduler_cpu = sum(scheduler.cpu_times()[:2]) - used
        finally:
            for host in hosts:
                host.kill()
                host.wait()
    lost = GROUPS[0] * (seen.seconds - seen.killed) if seen.killed is not None else 0.0
    seen.busy = sum(GROUPS) * seen.seconds - lost
    return seen


async def work(address: str, number: int) -> None:
    """Be so many workers of one thread each."""
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        options = {"nthreads": 1, "memory_limit": 0, "local_directory": folder, "dashboard": False}
        workers = [await Worker(address, **options) for _number in range(number)]
        await asyncio.gather(*(worker.finished() for worker in workers))


def section(folder: Path) -> str:
    """The last section of benchmark.md; empty where nothing was simulated."""
    path = folder / "cluster.json"
    if not path.is_file():
        return ""
    content = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for each in (Run(**entry) for entry in content["runs"]):
        rows.append(
            (
                f"{content['mean'] / each.faster:.0f} ms each, batches of {each.batch}"
                + (f", 10 workers killed after {each.killed:.0f} s" if each.killed else ""),
                f"{each.hand_ins}",
                f"{each.seconds:.0f}",
                f"{each.hand_ins / each.seconds:.0f}",
                f"{100 * each.slept / each.busy:.0f} %",
                f"{1000 * (each.busy - each.slept) / each.hand_ins:.0f}",
                f"{1000 * each.scheduler_cpu / each.hand_ins:.1f}",
                f"{each.scheduler_mb:.0f}",
            )
        )
    columns = (
        "",
        "hand-ins",
        "seconds",
        "per second",
        "of the ideal",
        "overhead, ms",
        "scheduler CPU, ms",
        "its peak, MB",
    )
    table = Table(HEADING.removeprefix("## "), columns, rows).markdown()
    words = WORDS.format(**content, result=RESULT_BYTES // 1000, most=MOST_HAND_INS).strip()
    table = table.replace("\n\n", f"\n\n{words}\n\n", 1)
    return f"\n{table}\n\n![Hand-ins per second: 64 workers, then 54](cluster.png)\n"


def draw(runs: list[Run], path: Path) -> None:
    """Hand-ins per second of the run that lost workers, and what its workers could do at most."""
    from matplotlib.figure import Figure

    lossy = next(each for each in runs if each.killed)
    window = 10
    marks = range(window, len(lossy.done), window)
    rates = [(lossy.done[mark] - lossy.done[mark - window]) / window for mark in marks]
    each = lossy.slept / lossy.hand_ins
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(marks, rates, label="done")
    change = lossy.killed
    axes.step(
        [0, change, lossy.seconds],
        [sum(GROUPS) / each, sum(GROUPS[1:]) / each, sum(GROUPS[1:]) / each],
        "--",
        where="post",
        color="gray",
        label="ideal",
    )
    axes.set(xlabel="seconds", ylabel="hand-ins per second", ylim=(0, None), title="64 workers, then 54")
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=120, metadata={"Software": None})


def main() -> None:
    """Simulate, or be some of the workers."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark.simulation", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0, help="the longest run")
    parser.add_argument("--folder", type=Path, default=COURSE / "docs", help="where the results go (docs)")
    parser.add_argument("--address", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.address:
        asyncio.run(work(options.address, options.workers))
        return
    measured = json.loads((options.folder / "benchmark.json").read_text(encoding="utf-8"))
    times = [milliseconds / 1000 for milliseconds in measured["isolation"]["full"]["submission"]]
    about = {"mean": 1000 * mean(times), "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}
    about["seconds"] = options.seconds
    short, batch = min(options.seconds, 300.0) / 6, cluster.MOST_IN_BATCH
    plan = [(1.0, batch, options.seconds, True), (4.0, batch, short, False), (4.0, 1, short, False)]
    runs: list[Run] = []
    for each in plan:
        runs.append(run(times, *each))
        content = {**about, "runs": [asdict(one) for one in runs]}
        (options.folder / "cluster.json").write_text(json.dumps(content) + "\n", encoding="utf-8")
        print(section(options.folder))
    draw(runs, options.folder / "cluster.png")
    page = options.folder / "benchmark.md"
    before = page.read_text(encoding="utf-8").partition(HEADING)[0].rstrip()
    page.write_text(f"{before}\n{section(options.folder)}", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
