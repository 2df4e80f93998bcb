"""The whole course once, on a class of sample students: `python -m tests.demo [--folder DIR] [--lang LANGUAGE]`.

Makes a fresh course folder and runs nbgrader's own commands in it, from generate_assignment to export, then the kit's
`grade` and `report`. Two students fetch the assignment and submit it through an exchange directory; the others' files
come as a zip archive, as from a learning management system. Ends with everybody's scores, and with an error if one is
not as it should be. It speaks the language of whoever runs it, and grades that edition.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from autograder.cli.options import OneLineParser, add_lang
from autograder.grading.course import guarded_folders
from autograder.locale import _, choose_language, current_language, language_in
from autograder.sandbox.fork_server import Host
from autograder.sandbox.isolation import Level
from source.build import editions, lessons
from source.release import COURSE, nbgrader_command, nbgrader_environment
from tests.sample_class import ASSIGNMENT, BY_HAND, CLASS, NOTEBOOK, POINTS, Student, write_class

COURSE_ID = "gradient-pathology"
MARKER = ".made-by-the-demo"
"""A file in every folder that the demo made, and may therefore empty."""

AT_THE_EXCHANGE = [] if sys.platform == "win32" else ["aoki", "baba"]
"""Who submits through the exchange directory, which nbgrader does not have on Windows."""

WIDE = 120
"""Columns of a terminal in which a table holds descriptions in two lines at most."""

LAST_LINES = 3
"""What `autograder grade` ends with: how many were graded, the mean, and the next command."""

HEADINGS = {
    "clip_gradients": "clip",
    "gradient_monitor": "moni-\ntor",
    "gradient_profile": "slope",
    "batch_norm_forward": "BN\nfw",
    "batch_norm_backward": "BN\nbw",
    "batch_norm_inference": "BN\ninf",
    "depth_study": "depth\nstudy",
}


class DemoFailed(Exception):
    """The demo cannot go on, or did not come out as expected; the message says why."""


@dataclass
class Marks:
    """What the course made of one student's notebook.

    Attributes:
        scores: exercise -> automatic score.
        by_hand: cells that wait for an instructor.
        notes: what the log of autograde says about the student.
    """

    scores: dict[str, float] = field(default_factory=dict)
    by_hand: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> float:
        return sum(self.scores.values())


def edition(language: str) -> str:
    """The assignment in `language`."""
    lesson = lessons()[ASSIGNMENT]
    return next(e.assignment for e in editions().values() if (e.text, e.language) == (lesson, language))


class Course:
    """A course folder in which commands run, each with a line on the screen and a log file of its own."""

    def __init__(self, folder: Path, assignment: str, progress: Progress) -> None:
        self.folder, self.assignment = folder, assignment
        self._progress = progress
        self._environment = nbgrader_environment(folder) | {"AUTOGRADER_LANG": current_language()}
        self._commands = 0

    def nbgrader(self, *arguments: str, cwd: Path | None = None, notebooks: int = 0) -> Path:
        """Run one of nbgrader's commands and give its log file; see `_run`."""
        return self._run("nbgrader", nbgrader_command(*arguments), arguments, cwd, notebooks)

    def autograder(self, *arguments: str) -> Path:
        """Run one of the kit's commands and give its log file."""
        return self._run("autograder", [sys.executable, "-m", "autograder", *arguments], arguments)

    def _run(
        self, name: str, command: list[str], arguments: tuple[str, ...], cwd: Path | None = None, notebooks: int = 0
    ) -> Path:
        """Run a command and give its log file.

        Args:
            name, arguments: what is shown of it.
            notebooks: how many it will convert, for the progress bar; 0 if that is not known.

        Raises:
            DemoFailed: it ended with an error.
        """
        self._commands += 1
        log_file = self.folder / "logs" / f"{self._commands:02}-{arguments[0]}.log"
        shown = shlex.join([name, *arguments])
        task = self._progress.add_task(escape(shown[:90]), total=notebooks or None)
        started = time.monotonic()
        with (
            log_file.open("w", encoding="utf-8") as log,
            subprocess.Popen(
                command,
                cwd=cwd or self.folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            ) as process,
        ):
            log.write(f"$ {shown}\n")
            for line in process.stdout:
                log.write(line)
                if "Converting notebook" in line and f"{os.sep}autograded{os.sep}" in line:
                    self._progress.advance(task)
        self._progress.remove_task(task)
        if process.returncode:
            failed = _("{command} failed with exit code {code}; its log is {file}.")
            raise DemoFailed(failed.format(command=shown, code=process.returncode, file=log_file))
        self.say(f"[green]✓[/] {escape(shown)} [dim]{time.monotonic() - started:.1f} s[/]")
        return log_file

    def say(self, text: str) -> None:
        """Print a line above the progress bars."""
        self._progress.console.print(text, highlight=False, soft_wrap=True)


def run_course(course: Course) -> dict[str, Marks]:
    """Everything from release to grades; gives what came of every student."""
    folder, assignment = course.folder, course.assignment
    course.say(_("[bold]The instructor makes the assignment[/]: source/ with solutions -> release/ with stubs"))
    course.nbgrader("generate_assignment", assignment, "--force")
    if AT_THE_EXCHANGE:
        course.nbgrader("release_assignment", assignment)
    hand_in(course)

    course.say(_("[bold]Grading[/]: autograde runs every notebook in a process of its own"))
    say_isolation(course)
    # The notebooks are our own, so they may run where others' may not.
    log = course.nbgrader("autograde", assignment, "--RunInWorker.allow_basic=True", notebooks=len(CLASS))
    course.nbgrader("generate_feedback", assignment, notebooks=len(CLASS))
    course.nbgrader("export")
    course.say(_("[bold]The kit's own commands[/]: grade finds everybody graded and says how the class did"))
    said = course.autograder("grade", assignment, "--allow-basic").read_text(encoding="utf-8")
    for line in said.splitlines()[-LAST_LINES:]:
        course.say(f"  {escape(line)}")
    course.autograder("report", assignment)
    return read_marks(folder / "gradebook.db", assignment, log)


def say_isolation(course: Course) -> None:
    """How well students' code is kept to itself here, and why not better."""
    with Host(guarded=guarded_folders(course.folder)) as host:
        course.say(_("Isolation of students' code: {level}").format(level=f"[bold]{host.level}[/]"))
        for level, reason in host.unavailable.items():
            why = _("{level} is not available: {reason}").format(level=level, reason=reason)
            course.say(f"[dim]{escape(why)}[/]")
        if host.level is Level.BASIC:
            course.say(
                _(
                    "[yellow]On this system, students' code could read and change your files.[/] The sample "
                    "students' code is our own, so the demo continues; `autograder grade` would stop."
                )
            )


def hand_in(course: Course) -> None:
    """The students do their work, in students/, and hand it in; nbgrader collects it into submitted/."""
    students, assignment = course.folder / "students", course.assignment
    write_class(course.folder / "release" / assignment / NOTEBOOK, students, CLASS)
    if AT_THE_EXCHANGE:
        course.say(
            _(
                "[bold]{students} fetch the assignment[/], fill in their answers and submit through the exchange "
                "(one user plays both roles, with `--student`)"
            ).format(students=", ".join(AT_THE_EXCHANGE))
        )
        exchange = ["--course", COURSE_ID, f"--Exchange.root={course.folder / 'exchange'}"]

        def fetch_and_submit(name: str) -> None:
            home = course.folder / "homes" / name
            home.mkdir(parents=True)
            course.nbgrader("fetch_assignment", assignment, *exchange, cwd=home)
            # The student saves the fetched notebook with answers in it.
            shutil.copy(students / name / assignment / NOTEBOOK, home / assignment / NOTEBOOK)
            course.nbgrader("submit", assignment, *exchange, f"--student={name}", cwd=home)

        with ThreadPoolExecutor(len(AT_THE_EXCHANGE)) as pool:
            list(pool.map(fetch_and_submit, AT_THE_EXCHANGE))
        course.nbgrader("collect", assignment, "--ExchangeCollect.check_owner=False")

    course.say(_("[bold]The others' files[/] were downloaded as one archive: downloaded/…/archive/class.zip"))
    archive = course.folder / "downloaded" / assignment / "archive"
    archive.mkdir(parents=True)
    with zipfile.ZipFile(archive / "class.zip", "w", zipfile.ZIP_DEFLATED) as downloaded:
        for student in CLASS:
            if student.id not in AT_THE_EXCHANGE:
                downloaded.write(students / student.id / assignment / NOTEBOOK, f"{student.id}_{NOTEBOOK}")
    course.nbgrader("zip_collect", assignment)


def read_marks(gradebook_file: Path, assignment: str, autograde_log: Path) -> dict[str, Marks]:
    """Everybody's scores from the gradebook, with what the log says about them."""
    from nbgrader.api import Gradebook  # takes seconds to import

    marks = {student.id: Marks() for student in CLASS}
    with Gradebook(f"sqlite:///{gradebook_file}") as gradebook:
        for submission in gradebook.assignment_submissions(assignment):
            grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
            own = marks[submission.student.id]
            own.scores = {
                exercise: grade.auto_score or 0.0
                for exercise in POINTS
                for grade in grades
                if grade.name == f"check_{exercise}"
            }
            own.by_hand = {grade.name for grade in grades if grade.needs_manual_grade}
    for line in autograde_log.read_text(encoding="utf-8").splitlines():
        said = re.match(r"\[AutogradeApp \| (?:WARNING|ERROR)\] ([a-z]+): (.*)", line)
        if said and said[1] in marks:
            marks[said[1]].notes.append(said[2])
    return marks


def surprises(student: Student, marks: Marks) -> list[str]:
    """In which ways the marks are not as they should be."""
    found = []
    if marks.scores.keys() != POINTS.keys():
        missing = ", ".join(POINTS.keys() - marks.scores.keys())
        return [_("{student} has no score for {exercises}").format(student=student.id, exercises=missing)]
    loses = {exercise for exercise, points in POINTS.items() if marks.scores[exercise] < points}
    if loses != student.loses:
        found.append(
            _("{student} should lose points in {expected}, but lost points in {seen}").format(
                student=student.id,
                expected=", ".join(sorted(student.loses)) or _("nothing"),
                seen=", ".join(sorted(loses)) or _("nothing"),
            )
        )
    if student.score is not None and marks.total != student.score:
        line = _("{student} should have {expected:g} points, but has {seen:g}")
        found.append(line.format(student=student.id, expected=student.score, seen=marks.total))
    if marks.by_hand != student.by_hand:
        line = _("{student} should have {expected} cells to grade by hand, but has {seen}")
        found.append(line.format(student=student.id, expected=len(student.by_hand), seen=len(marks.by_hand)))
    for word in [student.unreadable, *student.mended]:
        if word and not any(word in note for note in marks.notes):
            line = _("the log should say why the notebook of {student} is special ({word})")
            found.append(line.format(student=student.id, word=word))
    return found


def scoreboard(assignment: str, marks: dict[str, Marks], wide: bool = True) -> Table:
    """One row per student, with what is in their notebooks if the terminal is wide enough."""
    automatic, by_hand = sum(POINTS.values()), sum(BY_HAND.values())
    title = _("{assignment}: {points:g} points; automatic: {automatic:g}, by hand: {by_hand:g}")
    table = Table(
        title=title.format(assignment=assignment, points=automatic + by_hand, automatic=automatic, by_hand=by_hand),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        caption=_("wait: points that the instructor has not given yet"),
    )
    table.add_column(_("student"), no_wrap=True)
    if wide:
        table.add_column(_("what is in the notebook"))
    for exercise, points in POINTS.items():
        table.add_column(f"{HEADINGS[exercise]}\n/{points:g}", justify="right", no_wrap=True)
    table.add_column(f"{_('auto')}\n/{automatic:g}", justify="right", no_wrap=True)
    table.add_column(f"{_('by hand')}\n/{by_hand:g}", justify="right", no_wrap=True)
    for student in CLASS:
        own = marks[student.id]
        cells = [
            f"[{'green' if own.scores.get(exercise) == points else 'red'}]{own.scores.get(exercise, 0):g}[/]"
            for exercise, points in POINTS.items()
        ]
        waiting = sum(BY_HAND[name] for name in own.by_hand)
        table.add_row(
            student.id,
            *([escape(_(student.description))] if wide else []),
            *cells,
            f"[bold]{own.total:g}[/]",
            _("{points:g} wait").format(points=waiting) if waiting else "0",
        )
    return table


def show(console: Console, folder: Path, assignment: str, marks: dict[str, Marks]) -> None:
    """Scores, what was noted, and where things lie."""
    wide = console.width >= WIDE
    console.print(scoreboard(assignment, marks, wide))
    if not wide:
        for student in CLASS:
            console.print(f"  {student.id}: {escape(_(student.description))}", highlight=False)
    console.print(f"[bold]{_('Notes from grading')}[/]")
    for student in CLASS:
        for note in marks[student.id].notes:
            kind = f"[red]{_('could not be read')}[/]: " if student.unreadable else ""
            console.print(f"  {student.id}: {kind}{escape(note)}", highlight=False)
    places = {
        _("gradebook"): "gradebook.db",
        _("a feedback page"): f"feedback/endo/{assignment}/gradient_pathology.html",
        _("an executed notebook"): f"autograded/aoki/{assignment}/{NOTEBOOK}",
        _("the class report"): f"report/{assignment}/report.html",
        _("grades"): "grades.csv",
        _("full logs"): "logs",
    }
    console.print(f"[bold]{_('Files')}[/]")
    for what, place in places.items():
        console.print(f"  {what}: {escape(str(folder / place))}", highlight=False, soft_wrap=True)
    command = f"cd {folder} && {Path(sys.executable).parent / 'jupyter'} lab"
    by_hand = _("To grade plots and findings by hand: {command}, then menu Nbgrader -> Formgrader")
    console.print(escape(by_hand.format(command=command)), highlight=False, soft_wrap=True)


def make_folder(folder: Path, assignment: str) -> None:
    """A fresh course folder: settings, the assignment's source and the reference; what the demo left there goes.

    Raises:
        DemoFailed: there is something in it that the demo did not make.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            others = _("{folder} contains files that do not belong to the demo; name an empty folder with --folder.")
            raise DemoFailed(others.format(folder=folder))
        shutil.rmtree(folder)
    (folder / "logs").mkdir(parents=True)
    (folder / MARKER).touch()
    shutil.copy(COURSE / "nbgrader_config.py", folder)
    shutil.copytree(COURSE / "source" / assignment, folder / "source" / assignment)
    not_copied = shutil.ignore_patterns("__pycache__", "secret.txt", "private")
    shutil.copytree(COURSE / "reference", folder / "reference", ignore=not_copied)


def parser() -> OneLineParser:
    """The parser of the command line."""
    command = OneLineParser(
        prog="python -m tests.demo",
        description=_("Run the whole course once, on a class of sample students."),
        example="python -m tests.demo --folder /tmp/demo",
    )
    folder = _("the course folder to make; default: demo/")
    command.add_argument("--folder", type=Path, default=COURSE / "demo", metavar="DIR", help=folder)
    add_lang(command)
    return command


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; the exit code is 1 if something was not as it should be."""
    sys.stdout.reconfigure(errors="replace")  # a console that cannot show a character gets "?"
    choose_language(language_in(arguments))
    folder, assignment = parser().parse_args(arguments).folder.resolve(), edition(current_language())
    console = Console()
    started = time.monotonic()
    command = TextColumn("{task.description}")
    columns = [SpinnerColumn(), command, BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn()]
    try:
        make_folder(folder, assignment)
        with Progress(*columns, console=console, transient=True) as progress:
            marks = run_course(Course(folder, assignment, progress))
        show(console, folder, assignment, marks)
        unexpected = [what for student in CLASS for what in surprises(student, marks[student.id])]
        if unexpected:
            raise DemoFailed(_("Not as expected: {what}.").format(what="; ".join(unexpected)))
    except DemoFailed as failure:
        console.print(f"[red]{escape(str(failure))}[/]", highlight=False, soft_wrap=True)
        return 1
    seconds = time.monotonic() - started
    right = _("[green]All {n} scores are as expected.[/] {seconds:.0f} s")
    console.print(right.format(n=len(CLASS), seconds=seconds), highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
