"""`autograder report`: the class report, and grades for other systems."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from autograder.cli.options import FULL, UnusablePath, add_course
from autograder.locale import _, speaking
from autograder.report.class_report import FILES, formats_in, not_renewed, write_report
from autograder.report.class_words import open_words
from autograder.report.text import say


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "report",
        help=_("write the class report, and grades for other systems (in a course folder)"),
        run=run,
        example="autograder report gradient-pathology --format html,canvas",
    )
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_course(command)
    command.add_argument("--out", type=Path, metavar="FOLDER", help=_("output folder; default: report/ASSIGNMENT"))
    command.add_argument(
        "--format",
        type=_formats,
        metavar="FORMATS",
        help=_("one or more of {formats}; default: html and every format of the earlier report").format(
            formats=",".join(FILES)
        ),
    )
    command.add_argument(
        "--save-cause",
        metavar="GROUP",
        help=_("write no report; add this group, named in causes.toml, to the known mistakes in reference/"),
    )
    command.add_argument(
        "--yes", action="store_true", help=_("add what --save-cause shows without asking; read it first")
    )
    command.add_argument(
        "--allow-basic",
        action="store_true",
        help=_("let --save-cause run students' code even if it can read your files"),
    )


def run(options: argparse.Namespace) -> int:
    """Write the class report of a course folder, and its grades for other systems."""
    from autograder.grading.course import Course
    from autograder.grading.own_causes import never_shown, note_on
    from autograder.grading.read_class import read_class

    folder = options.out and options.out.resolve()
    elsewhere = options.course.resolve() != Path.cwd()  # from where Course goes into the folder
    course = Course(options.course)
    course.refuse_name(options.assignment)
    if options.save_cause is not None:
        return _save_cause(course, options, elsewhere)
    record = read_class(course, options.assignment)
    folder = folder or course.folder / "report" / options.assignment
    formats = options.format or tuple(dict.fromkeys(["html", *formats_in(folder)]))
    try:
        with speaking(options.lang or record.language):
            written = write_report(record, formats, folder)
    except OSError as error:
        raise UnusablePath(str(error)) from error
    for path in written:
        say(str(path))
    old = not_renewed(record, formats, folder)
    if old:
        say(_("Not updated, from an earlier report: {files}.").format(files=", ".join(old)))
    if digests := never_shown(course, options.assignment, record.causes):
        say(note_on(digests))
    left_out = sum(student.score is None for student in record.students)
    if left_out:
        print(
            _("Students without a score: {n}. The page lists them; the other files leave them out.").format(n=left_out)
        )
    waiting = sum(bool(student.waiting) for student in record.students)
    if waiting:
        line = _("Students who wait for hand grading: {n}.").format(n=waiting)
        print(line, open_words(record.students))
    return FULL


def _save_cause(course: Any, options: argparse.Namespace, elsewhere: bool) -> int:
    """Show the entry that tells the cause of a group, and put it into the bank if the instructor says so."""
    from autograder.grading.save_cause import entry_for, write_entry

    entry = entry_for(course, options.assignment, options.save_cause, allow_basic=options.allow_basic)
    say(_("The entry for {path}, with the code of {student}:").format(path=entry.path, student=entry.student))
    say("\n" + entry.text)
    if not (options.yes or _agreed()):
        print(
            _(
                "Nothing was written. Read this code: once it is added, `grade` and whatever uses the known mistakes "
                "run it as you, without isolation. If it is what the cause says, add it with:"
            )
        )
        words = ["autograder", "report", options.assignment, "--save-cause", entry.group, "--yes"]
        words += ["--allow-basic"] if options.allow_basic else []
        words += ["--course", str(options.course)] if elsewhere else []
        say(shlex.join(words))
        return FULL
    write_entry(course.folder, entry)
    print(
        _(
            "Added. A student wrote this code. From now on, `grade` and the commands below run it as you, without "
            "isolation. Remove anything that identifies a person. If it is not what the cause says, delete the entry. "
            "Then run:"
        )
    )
    if elsewhere:
        say(shlex.join(["cd", str(options.course)]))
    print("python -m reference.record")
    print("autograder audit " + " ".join(f"--exercise {name}" for name in entry.exercises))
    return FULL


def _agreed() -> bool:
    """Whether somebody at a terminal types y."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    print(_("Read this code: once it is added, `grade` runs it as you, without isolation."))
    try:
        return input(_("Add it? [y/N] ")).strip().lower() == "y"
    except EOFError:
        return False


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not set(names) <= FILES.keys():
        raise argparse.ArgumentTypeError(
            _("choose from {formats}, separated by commas").format(formats=", ".join(FILES))
        )
    return names
