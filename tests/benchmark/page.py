"""The results for people: tables in the terminal and in docs/benchmark.md, and docs/benchmark.svg."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from tests.benchmark.inside import PHASES
from tests.benchmark.results import GRADE, PLUGIN, PROJECTED, STOCK, STOCK_BARE, Results, Spread, paired

NAMES = {
    STOCK: "stock nbgrader",
    STOCK_BARE: "stock, demonstrations deleted",
    PLUGIN: "nbgrader with the kit",
    GRADE: "autograder grade",
}
CLASSES = {False: "nobody drew", True: "everybody drew"}
"""Whether the plot that a person grades is in the notebooks."""

PROJECTED_SIZES = (100, 1000, 10000)

INTRODUCTION = """\
# How long grading takes

`make bench` grades the same classes with stock nbgrader and with this kit, in one run, and writes this page, the figure
and [benchmark.json](benchmark.json), which has every single measurement. No test asserts these numbers.

![Seconds to grade a class, by its size](benchmark.svg)

- The students of a class have right and wrong answers, drawn from those of the sample class; no two notebooks are
  identical. {right} Everybody handed in the whole notebook of the lesson.
- *Stock nbgrader* is `nbgrader autograde` with an nbgrader_config.py without the kit. It runs every cell of a notebook
  in a kernel: the lesson's demonstrations with their figures, and the test cells, which `check(...)` the public cases.
  For *demonstrations deleted*, we first delete the demonstrations, which the kit does not run; this compares only the
  machinery. *nbgrader with the kit* is `nbgrader autograde` in this folder.
- *autograder grade* runs with its default options: the best isolation available, private cases first, the public ones
  where these find a mistake, and figures only in hand-graded cells.
- Times of large classes with stock nbgrader are projected: the time for one submission, plus, for each further one, the
  mean extra time measured in a class of ten.
- Times depend on the machine; its speed is given below. The last table shows what one submission costs.
- CPU time is that of all processes, user and system. Memory is the sum over all processes, sampled four times a second.
  Numbers are medians; brackets give the smallest and the largest of several measurements.

## What was gained for one submission, and what is missed

On 2026-11-29, 37 students with 75 % of their exercises right, nobody drawing, were graded with the code before and
after, in turns, on a machine that was busy with other work. The measurements below this section are older. CPU time of
all processes for one submission, as a share of that before:

| step | all steps so far |
| --- | ---: |
| private cases come from eight series for each exercise, whose expected values are computed once | 0.86 |
| public cases only where a private one finds a mistake; values equal byte for byte are not judged again | 0.69 |
| cells that are Python are parsed once; hints and translations are loaded before a worker starts | 0.61 |
| sketches of the reference are kept; a submission is one transaction; mended in one pass; fewer questions | 0.52 |
| probes: numbers compared as numbers, a loss without its backward pass | 0.40 |

A second series of measurements on the same day, with 40 students and 74 % of their exercises right, graded in turns
with the code before and after, gave a further factor of 0.93: the buffer of a packer is kept, layers whose weights are
replaced share a generator, requests from the grader are read without limits, hidden cases are not judged where a public
one tells what is wrong, the warm parent has run a cell, and a grader process does not look through for garbage what it
has loaded.

All points, promises, causes and messages of these students were equal. The target is 0.4 times ten million additions in
a Python loop; we measured 0.53 times, 0.57 before these last steps, and 1.5 times at first. Of what is left (154 ms,
while the loop took 290 ms), as shares of samples:

| | share |
| --- | ---: |
| probes in the worker: the student's code on 60 small cases, half of it in `depth_study` and its networks | 41 % |
| judge: about 1,300 checks on arrays of a few numbers, which differ from the reference's in the last bits | 24 % |
| packing and unpacking what travels between the grader and the worker | 10 % |
| the student's cells, in IPython | 8 % |
| fork, greeting and end of a worker, with its memory | 6 % |
| reading, mending and writing the notebook | 7 % |
| gradebook and result | 4 % |

No function takes more than 3 % by itself: it is some 300,000 calls in Python and NumPy, on arrays of a few numbers. A
worker has about 3,200 page faults, most of them copies of the parent's pages, which take 5 % in all places together.
Running the reference in the warm parent, so that its code is ready, saved 3 % in a trial; a worker must not hold it.
Fewer cases would save most. `autograder check` starts the warm parent before it imports NumPy itself, and does not run
cells that only a person looks at: 1.5 s of CPU in two processes that work at the same time. The private cases are made
at the first grading, with the audit of them: about 20 s of CPU, once for a kit and a secret.

Measured anew on 2026-11-30 on two free cores, with full isolation: a class of 600 with 71 % of its exercises right,
nobody drawing, took 52 s with all that starting costs, which is 11.5 submissions a second (13.9 in another run of that
day), 0.15 s of CPU each. A further submission through `nbgrader autograde` took 0.33 s, a cold `autograder check`
1.2 s. Where everybody draws, 100 took 86 s, 1.2 a second, where 2 were aimed at. Of the 1.6 s of CPU that each of them
takes, the student's own training of six networks in the plot cell takes 0.75 s, pyplot and drawing the figure 0.3 to
0.8 s, and the points 0.2 s; the points of all are booked before the first figure.

## The same verdicts in three ways, and large classes

`python -m tests.benchmark.equal` grades one class with `autograder grade`, with `autograder grade --scheduler` on two
Dask workers, and with `nbgrader autograde`. On 2026-11-29, 300 students, 71 % of whose 2,100 exercises were right, had
equal points, promises, causes, messages and gradebooks in all three: 17,100 promises, 281 causes, 524 messages. Wrong
answers came from the bank of mistakes. Only a figure differed, whose student's code draws random numbers without a
seed.

A class report in all formats took up to 166 MB for 500 students and 279 MB for 10,000, 12 kB for each. Feedback for one
student took 156 MB in both classes, for 100 students 169 MB. These were results of 40 students, copied under other
names.

We do not book several submissions in one transaction. It would save 3.5 ms of CPU for each, 2 % of all, and 20 ms of
waiting for the disk, during which graders go on. It would matter on a cluster that grades more than 40 a second. """


@dataclass(frozen=True)
class Table:
    """A table of text; columns but the first `words` are numbers."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    words: int = 1

    def rich(self) -> RichTable:
        """For a terminal."""
        table = RichTable(title=self.title, title_justify="left", box=box.SIMPLE_HEAD)
        for place, column in enumerate(self.columns):
            table.add_column(column, justify="left" if place < self.words else "right", no_wrap=place < self.words)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For a page."""
        marks = ["---" if place < self.words else "---:" for place in range(len(self.columns))]
        lines = [self.columns, tuple(marks), *self.rows]
        return "\n".join([f"## {self.title}", "", *(f"| {' | '.join(line)} |" for line in lines)])


def show(results: Results, console: Console) -> None:
    """Print all tables that there is something for."""
    for table in tables(results):
        console.print(table.rich())


def page(results: Results) -> str:
    """docs/benchmark.md."""
    machine = results.machine
    about = (
        f"Measured on {machine['date']}: {machine['cores']} cores ({machine['cpu']}), {machine['kernel']}, "
        f"Python {machine['python']}, nbgrader {machine['nbgrader']}, NumPy {machine['numpy']}; "
        f"`autograder grade --jobs {machine['jobs']}`. Load before: {machine['load']:.1f}."
        + (f" Ten million additions in a Python loop took {machine['loop']:.2f} s of CPU." if "loop" in machine else "")
    )
    warnings = [
        text
        for wrong, text in (
            (results.quick, "**A quick run: small classes, once each.**"),
            (not results.complete, "**Not finished: what had been measured when it was stopped.**"),
            (
                not any(run.way in (STOCK, STOCK_BARE) for run in results.runs),
                "**Stock nbgrader was left out of this run: nothing here compares with it.**",
            ),
        )
        if wrong
    ]
    introduction = INTRODUCTION.strip().format(right=_right(results))
    return "\n\n".join([introduction, about, *warnings, *(t.markdown() for t in tables(results))]) + "\n"


def _right(results: Results) -> str:
    """How many exercises were right, as measured."""
    known = [run for run in results.runs if run.right is not None]
    if not known:
        return "How many exercises were right was not noted."
    largest = max(known, key=lambda run: run.size)
    return f"In the class of {largest.size}, {100 * largest.right:.0f} % of the exercises were right."


def tables(results: Results) -> Iterator[Table]:
    """Those that there is something for."""
    for make in (_aims, _ratios, _further, _classes, _commands, _checks, _isolation, _phases):
        table = make(results)
        if table.rows:
            yield table


def _aims(results: Results) -> Table:
    """What grading should cost, and what it does, in classes without plots; the largest that was graded decides."""
    size = max(results.sizes(GRADE, False), default=0)
    rows = []

    def add(what: str, aim: str, value: float | None, digits: int) -> None:
        if value is not None:
            rows.append((what, aim, f"{value:.{digits}f}"))

    seconds, late = (results.measured(GRADE, False, size, what) for what in ("seconds", "late_mb"))
    add(
        f"`autograder grade`: submissions per second, class of {size}",
        "at least 10",
        size / seconds.median if size else None,
        1,
    )
    cpu, loop = results.measured(GRADE, False, size, "cpu_seconds"), results.machine.get("loop")
    each = cpu.median / size / loop if cpu and loop else None
    add(f"CPU time of one of these {size} over that of ten million additions", "or at most 0.4", each, 2)
    ratio = results.ratio(STOCK, False, size, "cpu_seconds")
    add(f"CPU time of stock nbgrader over ours, class of {size}", "at least 15", ratio, 1)
    if {"full", "basic"} <= results.isolation.keys():
        worker = next(iter(results.isolation["full"]))
        more = paired(results.isolation["full"][worker], results.isolation["basic"][worker])
        add("full isolation: extra milliseconds per worker over basic", "under 5", more.median, 1)
    early = results.measured(GRADE, False, 100, "late_mb")
    if early and late and size > 100:
        add(f"memory at the end of a class of {size}, relative to 100", "about 1", late.median / early.median, 2)
    further = results.further(PLUGIN, False, "seconds")
    add("`nbgrader autograde` with the kit: seconds per further submission", "under 0.35", further, 2)
    return Table("Targets", ("", "target", "measured"), rows)


def _ratios(results: Results) -> Table:
    rows = []
    for drawn, whose in CLASSES.items():
        for size in results.sizes(GRADE, drawn):
            for way in (STOCK, STOCK_BARE):
                ratios = [results.ratio(way, drawn, size, what) for what in ("seconds", "cpu_seconds")]
                if all(ratios):
                    rows.append((NAMES[way], whose, str(size), *(f"{ratio:.1f}" for ratio in ratios)))
    return Table(
        "Cost relative to autograder grade",
        ("", "the plot", "submissions", "times the seconds", "times the CPU"),
        rows,
        2,
    )


def _further(results: Results) -> Table:
    rows = []
    for drawn, whose in CLASSES.items():
        for way in PROJECTED:
            seconds, cpu = (results.further(way, drawn, what) for what in ("seconds", "cpu_seconds"))
            if seconds is not None:
                times = [_duration(results.projected(way, drawn, size, "seconds")) for size in PROJECTED_SIZES]
                rows.append((NAMES[way], whose, f"{seconds:.2f}", f"{cpu:.2f}", *times))
    few, many = results.small
    return Table(
        f"Each further submission, from classes of {few} and {many}, and projected times of larger classes",
        ("", "the plot", "seconds", "CPU s", *(f"{size} take" for size in PROJECTED_SIZES)),
        rows,
        2,
    )


def _classes(results: Results) -> Table:
    rows = []
    for drawn, whose in CLASSES.items():
        for way in NAMES:
            for size in results.sizes(way, drawn):
                seconds, cpu, peak, early, late = (
                    results.measured(way, drawn, size, what)
                    for what in ("seconds", "cpu_seconds", "peak_mb", "early_mb", "late_mb")
                )
                rate = f"{size / seconds.median:.2f}"
                each = f"{cpu.median / size:.2f}"
                memory = [
                    f"{peak.median:.0f}",
                    *("" if share is None else f"{share.median:.0f}" for share in (early, late)),
                ]
                rows.append((NAMES[way], whose, str(size), _spread(seconds), rate, each, *memory))
    measures = sorted({run.usage.measure for run in results.runs})
    return Table(
        f"Whole classes; memory in MB ({', '.join(measures)}): peak, after a tenth, in the last tenth",
        ("", "the plot", "class", "seconds", "per second", "CPU s each", "peak", "10 %", "100 %"),
        rows,
        2,
    )


def _commands(results: Results) -> Table:
    rows = [
        (name, _spread(Spread.of(u.seconds for u in usages)), _spread(Spread.of(u.cpu_seconds for u in usages)))
        for name, usages in results.commands.items()
    ]
    return Table("One notebook, from a student's shell", ("", "seconds", "CPU seconds"), rows)


def _checks(results: Results) -> Table:
    exercises = next(iter(results.checks.values()), {})
    rows = [
        (f"`check({name!r})`", *(_spread(Spread.of(samples[name]), 1) for samples in results.checks.values()))
        for name in exercises
    ]
    return Table("In an open notebook, milliseconds", ("", *(f"{answers} answers" for answers in results.checks)), rows)


def _isolation(results: Results) -> Table:
    rows = []
    basic = results.isolation.get("basic")
    for level, samples in results.isolation.items():
        more = [_spread(paired(samples[what], basic[what]), 1) if basic else "" for what in samples]
        rows.append(
            (
                level,
                *(
                    text
                    for what, m in zip(samples, more, strict=True)
                    for text in (_spread(Spread.of(samples[what]), 1), m)
                ),
            )
        )
    columns = ("isolation", "start to end of a worker", "more than basic", "a whole submission", "more than basic")
    return Table("Isolation levels of this machine, milliseconds", columns, rows)


def _phases(results: Results) -> Table:
    rows = []
    for phase, _owner, _name in PHASES:
        spent = [[one[phase] for one in submissions if phase in one] for submissions in results.phases.values()]
        means = [f"{sum(s.cpu for s in own) / len(own):.1f}" for own in spent]
        medians = [f"{Spread.of(s.wall for s in own).median:.1f}" for own in spent]
        if spent:
            rows.append((phase, *(text for both in zip(means, medians, strict=True) for text in both)))
    totals = [[sum(s.cpu for s in one.values()) for one in submissions] for submissions in results.phases.values()]
    if totals:
        rows.append(("all of these", *(text for own in totals for text in (f"{sum(own) / len(own):.1f}", ""))))
    columns = [f"{what}, {whose}" for whose in results.phases for what in ("CPU", "wall")]
    return Table("Where one submission's milliseconds go (mean CPU, median wall time)", ("", *columns), rows)


def _spread(spread: Spread, digits: int = 2) -> str:
    if spread.low == spread.high:
        return f"{spread.median:.{digits}f}"
    return f"{spread.median:.{digits}f} [{spread.low:.{digits}f}–{spread.high:.{digits}f}]"


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"


# --- the figure -------------------------------------------------------------------------------------------------------

_LOOKS = {
    STOCK: {"color": "#b03a2e", "marker": "s"},
    STOCK_BARE: {"color": "#ca8a04", "marker": "D"},
    GRADE: {"color": "#1f5fa8", "marker": "o"},
}


def draw(results: Results, path: Path) -> None:
    """Seconds to grade a class against its size: measured with marks, projected dashed."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "benchmark"  # the same file from the same numbers
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
    for drawn, panel in zip(CLASSES, axes, strict=True):
        for way, looks in _LOOKS.items():
            _line(panel, results, way, drawn, looks)
        panel.set(xscale="log", yscale="log", xlabel="submissions", title=f"{CLASSES[drawn]} the plot")
        panel.grid(alpha=0.3)
    ticks = {1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 36000: "10 h"}
    axes[0].set_yticks(list(ticks), list(ticks.values()), minor=False)
    axes[0].set_yticks([], minor=True)
    axes[0].set_ylabel("time to grade the class")
    if axes[0].lines:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _line(panel: object, results: Results, way: str, drawn: bool, looks: dict[str, str]) -> None:
    sizes = results.sizes(way, drawn)
    if not sizes:
        return
    seconds = [results.measured(way, drawn, size, "seconds").median for size in sizes]
    panel.plot(sizes, seconds, "-", label=NAMES[way], markersize=5, **looks)
    if way in PROJECTED and results.further(way, drawn, "seconds"):
        beyond = [sizes[-1], *(size for size in PROJECTED_SIZES if size > sizes[-1])]
        times = [results.projected(way, drawn, size, "seconds") for size in beyond]
        panel.plot(beyond, times, "--", color=looks["color"], label=f"{NAMES[way]}, projected")
