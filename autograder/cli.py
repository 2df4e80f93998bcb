"""The command `autograder`."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from autograder import __version__
from autograder.beside import files_beside
from autograder.exercises import UnknownExercise, exercise
from autograder.grading import grade_submission
from autograder.i18n import LANGUAGES, _, use_language
from autograder.oracle import NoReference
from autograder.report.console import print_submission
from autograder.report.text import printable
from autograder.results import SubmissionResult, results_file
from autograder.submission import UnreadableNotebook, choose_notebook, read_notebook, submission_of
from autograder.worker.client import Figures
from autograder.worker.host import Host, HostBroken, too_weak
from autograder.worker.isolation import Level

FULL, NOT_FULL, UNUSABLE = 0, 1, 2
"""Exit codes: every point earned; something is missing; wrong usage, or a notebook that cannot be read."""

SHELLS = ("bash", "zsh")
REPORT_FORMATS = ("html", "canvas", "moodle", "gradescope", "junit")


class UnusablePath(Exception):
    """A file cannot be had or written as the command line asks; the message is one line."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line."""

    def error(self, message: str) -> NoReturn:
        hint = _("{command} --help shows how it is used.").format(command=self.prog)
        self.exit(UNUSABLE, f"{self.prog}: {message}. {hint}\n")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with one of the codes above."""
    options = _parser().parse_args(arguments)
    if getattr(options, "lang", None):
        use_language(options.lang)
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a mark (an old Windows code page) gets "?" instead of an error.
        stream.reconfigure(errors="replace")
    try:
        sys.exit(options.run(options))
    except (UnreadableNotebook, UnusablePath, HostBroken, NoReference) as error:
        print(printable(str(error)), file=sys.stderr)
        sys.exit(UNUSABLE)


def check(options: argparse.Namespace) -> int:
    """Run a notebook from top to bottom in a fresh process and judge it on the public cases."""
    return _watch(options) if options.watch else _check_once(options)


def _check_once(options: argparse.Namespace) -> int:
    path: Path = options.notebook
    try:
        submission = submission_of(read_notebook(path), str(path))
    except UnreadableNotebook as error:
        _write_json(options.json, path.stem, path.stem, SubmissionResult(message=str(error)), "none")
        raise
    if submission.language and not options.lang:
        use_language(submission.language)
    graded = grade_submission(submission, files=files_beside(path))
    result = graded.result
    _write_json(options.json, submission.assignment, path.stem, result, graded.isolation)
    print_submission(result, graded.cell_errors)
    if submission.missing:
        return UNUSABLE
    return FULL if result.score == result.max else NOT_FULL


def _watch(options: argparse.Namespace) -> int:
    """Check the notebook now and whenever it is saved; the process that workers come from stays warm meanwhile."""
    import time

    from rich.console import Console

    from autograder.watch import saves

    console = Console(highlight=False)
    try:
        for _save in saves(options.notebook):
            console.clear()  # which does nothing where the output is no terminal
            start = time.perf_counter()
            try:
                _check_once(options)
            except UnreadableNotebook as error:
                console.print(printable(str(error)), markup=False, soft_wrap=True)
            line = _("Checked at {time} in {seconds:.1f} s. Save the notebook to check it again; Ctrl-C ends.")
            line = line.format(time=time.strftime("%H:%M:%S"), seconds=time.perf_counter() - start)
            console.print(line, soft_wrap=True)
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("\n" + _("No longer watching."))
    return FULL


def grade(options: argparse.Namespace) -> int:
    """Grade all that a class handed in, in a course folder; what is unchanged since it was graded is skipped."""
    from autograder.grading.classwork import grade_class
    from autograder.grading.course import Course, CourseError, guarded_folders
    from autograder.grading.job import Settings
    from autograder.report.classwork import ClassProgress, print_summary, write_results

    target = options.json and options.json.resolve()
    try:
        course = Course(options.course)
        with Host(guarded=guarded_folders(course.folder)) as host:
            level = host.level
            if level is Level.BASIC and not options.allow_basic:
                raise HostBroken(too_weak(host, "--allow-basic"))
        settings = Settings(course.folder, level, options.figures)
        with ClassProgress(host) as progress:
            summary = grade_class(course, options.assignment, settings, options.jobs, options.student, progress.update)
    except CourseError as error:
        print(printable(str(error)), file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print(_("Stopped. What was graded is kept; the same command goes on from here."), file=sys.stderr)
        return NOT_FULL
    if target:
        write_results(target, course, options.assignment)
    print_summary(summary, course)
    return NOT_FULL if summary.broken else FULL


def report(options: argparse.Namespace) -> int:
    """Write a page on how a class did, in a course folder, and its grades for other systems."""
    from autograder.grading.course import Course, CourseError
    from autograder.grading.records import read_class
    from autograder.report.class_report import write_report

    folder = options.out and options.out.resolve()
    try:
        course = Course(options.course)
        record = read_class(course, options.assignment)
        written = write_report(record, options.format, folder or course.folder / "report" / options.assignment)
    except (CourseError, OSError) as error:
        print(printable(str(error)), file=sys.stderr)
        return UNUSABLE
    for path in written:
        print(printable(str(path)))
    left_out = sum(student.score is None for student in record.students)
    if left_out:
        print(_("Without a score yet: {n}. The page names them; the other files leave them out.").format(n=left_out))
    waiting = sum(bool(student.waiting) for student in record.students)
    if waiting:
        print(_("Waiting for hand grading: {n}. Their scores are without it.").format(n=waiting))
    return FULL


def audit(options: argparse.Namespace) -> int:
    """Test the checks of this course folder with known mistakes and right but unusual solutions."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from autograder.audit.causes import audit_causes
    from autograder.audit.checks import Material, audit_checks
    from autograder.report.audit import print_audit, print_causes

    console = Console()
    with Progress(
        *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn(), console=console
    ) as bar:
        task = bar.add_task("seeds", total=options.seeds)
        result = audit_checks(
            Path.cwd(), options.seeds, options.jobs, lambda done: bar.update(task, completed=done), options.exercise
        )
    print_audit(result, console)
    causes = audit_causes(Material(Path.cwd(), options.exercise))
    print_causes(causes, console)
    if options.json:
        content = {**result.to_json(), "causes": causes.to_json()}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return FULL if result.passed and causes.passed else NOT_FULL


def doctor(options: argparse.Namespace) -> int:
    """Say line by line whether the installation is in order, and what to do where it is not."""
    from autograder.doctor import State, examine
    from autograder.report.doctor import print_findings

    findings = print_findings(examine(options.course))
    if options.json:
        content = {"kit": __version__, "findings": [finding.to_json() for finding in findings]}
        options.json.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return NOT_FULL if any(finding.state is State.WRONG for finding in findings) else FULL


def pack(options: argparse.Namespace) -> int:
    """Make the zip file to upload: the notebook and the files that it uses, with a word on what is not done yet."""
    from autograder.pack import not_done, package_of, write_zip

    path = options.notebook or _notebook_here()
    package = package_of(path, tuple(options.add))
    if package.submission.language and not options.lang:
        use_language(package.submission.language)
    target = options.out or Path(f"{options.student or Path(package.name).stem}.zip")
    lost = set(options.add) - set(package.files)
    if lost:
        raise UnusablePath(_("Not beside the notebook: {names}.").format(names=", ".join(sorted(lost))))
    try:
        write_zip(package, target)  # first: whatever the check runs into, there is something to hand in
    except OSError as error:
        raise UnusablePath(f"{target}: {error.strerror or error}") from error
    warnings = not_done(package)
    for line in warnings:
        print(printable(f"! {line}"))
    if package.left_out:
        line = _("Left out, as the notebook does not mention them: {names}. To pack one, give --add NAME.")
        print(printable(line.format(names=", ".join(package.left_out))))
    print(printable(_("Packed: {names}").format(names=", ".join([package.name, *package.files]))))
    print(printable(_("To hand in: {path}").format(path=target)))
    return NOT_FULL if warnings else FULL


def _notebook_here() -> Path:
    from autograder.exercises import assignments

    path, notes = choose_notebook(Path(), next(iter(assignments())).replace("-", "_"))
    if path is None:
        raise UnusablePath(_("There is no notebook in this folder. Say which one: autograder pack NOTEBOOK"))
    for note in notes:
        print(printable(note))
    return path


def completion(options: argparse.Namespace) -> int:
    """Print a script by which a shell completes the words of this command."""
    from autograder.completion import script

    print(script(_parser(), options.shell))
    return FULL


def _write_json(target: Path | None, assignment: str, student: str, result: SubmissionResult, isolation: str) -> None:
    if target is not None:
        content = results_file(assignment, isolation, {student: result})
        target.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not set(names) <= set(REPORT_FORMATS):
        raise argparse.ArgumentTypeError(
            _("choose from {formats}, with commas between them").format(formats=", ".join(REPORT_FORMATS))
        )
    return names


def _new_file(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(_("no file can be written at {path}").format(path=text))
    return path


def _zip_file(text: str) -> Path:
    if not text.endswith(".zip"):  # least of all the notebook
        raise argparse.ArgumentTypeError(_("its name has to end in .zip"))
    return _new_file(text)


def _student_id(text: str) -> str:
    if not re.fullmatch(r"\w[\w.@-]*", text):
        raise argparse.ArgumentTypeError(_("an id has letters, digits and . @ - _ only"))
    return text


def _exercise_id(text: str) -> str:
    try:
        return exercise(text).id
    except UnknownExercise:
        raise argparse.ArgumentTypeError(_("there is no exercise {name}").format(name=text)) from None


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="autograder",
        description=_("Checks the exercises of a notebook."),
        epilog="example: autograder check gradient_pathology.ipynb --watch",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "check",
        help=_("check one notebook, from top to bottom, in a fresh process"),
        description=check.__doc__,
        epilog="example: autograder check gradient_pathology.ipynb --json result.json",
    )
    command.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    command.add_argument("--watch", action="store_true", help=_("check it again whenever it is saved"))
    command.add_argument("--json", type=_new_file, metavar="FILE", help=_("also write the results to FILE"))
    command.add_argument("--lang", choices=LANGUAGES, help=_("the language of the messages"))
    command.set_defaults(run=check)

    _add_pack(commands)
    _add_doctor(commands)
    command = commands.add_parser(
        "grade",
        help=_("grade a class (in a course folder)"),
        description=grade.__doc__,
        epilog="example: autograder grade gradient-pathology --jobs 4 --json results.json",
    )
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("--course", type=Path, default=Path(), metavar="DIR", help=_("the course folder"))
    command.add_argument(
        "--jobs", type=_at_least_one, default=os.cpu_count() or 1, metavar="N", help=_("how many at a time")
    )
    command.add_argument("--student", default="*", metavar="ID", help=_("grade one student alone, or a pattern"))
    command.add_argument("--json", type=_new_file, metavar="FILE", help=_("also write the results to FILE"))
    command.add_argument(
        "--figures",
        type=Figures,
        choices=list(Figures),
        default=Figures.BY_HAND,
        help=_("which cells' figures are drawn"),
    )
    command.add_argument(
        "--allow-basic", action="store_true", help=_("grade even where students' code could read your files")
    )
    command.add_argument("--lang", choices=LANGUAGES, help=_("the language of the messages"))
    command.set_defaults(run=grade)

    command = commands.add_parser(
        "report",
        help=_("write a page on how a class did, and its grades for other systems (in a course folder)"),
        description=report.__doc__,
        epilog="example: autograder report gradient-pathology --format html,canvas",
    )
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument("--course", type=Path, default=Path(), metavar="DIR", help=_("the course folder"))
    command.add_argument("--out", type=Path, metavar="FOLDER", help=_("where to write; report/ASSIGNMENT if not given"))
    command.add_argument(
        "--format",
        type=_formats,
        default=("html",),
        metavar="FORMATS",
        help=_("one or more of {formats}").format(formats=",".join(REPORT_FORMATS)),
    )
    command.add_argument("--lang", choices=LANGUAGES, help=_("the language of the messages"))
    command.set_defaults(run=report)

    command = commands.add_parser(
        "audit",
        help=_("test the checks themselves with known mistakes (in a course folder)"),
        description=audit.__doc__,
        epilog="example: autograder audit --seeds 200 --jobs 2",
    )
    command.add_argument(
        "--exercise", action="append", default=[], type=_exercise_id, metavar="ID", help=_("audit this exercise alone")
    )
    command.add_argument("--seeds", type=int, default=20, metavar="N", help=_("how many draws of cases"))
    command.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help=_("how many processes"))
    command.add_argument("--json", type=_new_file, metavar="FILE", help=_("also write the results to FILE"))
    command.set_defaults(run=audit)

    command = commands.add_parser(
        "completion",
        help=_("print a script for your shell to complete this command's words"),
        description=completion.__doc__,
        epilog='example: eval "$(autograder completion bash)"',
    )
    command.add_argument("shell", choices=SHELLS)
    command.set_defaults(run=completion)
    return parser


def _add_pack(commands: Any) -> None:
    command = commands.add_parser(
        "pack",
        help=_("make the zip file to hand in, and say what is not done yet"),
        description=pack.__doc__,
        epilog="example: autograder pack gradient_pathology.ipynb --student s1234567",
    )
    command.add_argument(
        "notebook", type=Path, nargs="?", metavar="NOTEBOOK", help=_("the one in this folder, if not given")
    )
    command.add_argument("--student", type=_student_id, metavar="ID", help=_("your id, as the name of the zip file"))
    command.add_argument("--out", type=_zip_file, metavar="FILE", help=_("where to write the zip file"))
    command.add_argument(
        "--add", action="append", default=[], metavar="NAME", help=_("also pack this file from beside the notebook")
    )
    command.add_argument("--lang", choices=LANGUAGES, help=_("the language of the messages"))
    command.set_defaults(run=pack)


def _add_doctor(commands: Any) -> None:
    command = commands.add_parser(
        "doctor",
        help=_("say whether the installation is in order"),
        description=doctor.__doc__,
        epilog="example: autograder doctor --json doctor.json",
    )
    command.add_argument("--course", type=Path, default=Path(), metavar="DIR", help=_("the course folder"))
    command.add_argument("--json", type=_new_file, metavar="FILE", help=_("also write the results to FILE"))
    command.add_argument("--lang", choices=LANGUAGES, help=_("the language of the messages"))
    command.set_defaults(run=doctor)
