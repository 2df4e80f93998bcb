"""`autograder report`: the class report, and grades for other systems."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from autograder.cli.exits import FULL, UnusablePath
from autograder.cli.options import add_course
from autograder.locale import _, speaking
from autograder.report.class_report import FILES, formats_in, not_renewed, write_report
from autograder.report.class_words import open_words
from autograder.report.text import printable


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


def run(options: argparse.Namespace) -> int:
    """Write the class report of a course folder, and its grades for other systems."""
    from autograder.grading.course import Course
    from autograder.grading.own_causes import never_shown, note_on
    from autograder.grading.read_class import read_class

    folder = options.out and options.out.resolve()
    course = Course(options.course)
    course.refuse_name(options.assignment)
    if options.save_cause is not None:
        return _save_cause(course, options.assignment, options.save_cause)
    record = read_class(course, options.assignment)
    folder = folder or course.folder / "report" / options.assignment
    formats = options.format or tuple(dict.fromkeys(["html", *formats_in(folder)]))
    try:
        with speaking(options.lang or record.language):
            written = write_report(record, formats, folder)
    except OSError as error:
        raise UnusablePath(str(error)) from error
    for path in written:
        print(printable(str(path)))
    old = not_renewed(record, formats, folder)
    if old:
        print(printable(_("Not updated, from an earlier report: {files}.").format(files=", ".join(old))))
    if digests := never_shown(course, options.assignment, record.causes):
        print(printable(note_on(digests)))
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


def _save_cause(course: Any, assignment: str, group: str) -> int:
    """Put what causes.toml says of a group into the bank, and show what stands there now."""
    from autograder.grading.save_cause import save_cause

    saved = save_cause(course, assignment, group)
    print(printable(_("Added to {path}, with the code of {student}:").format(path=saved.path, student=saved.student)))
    print("\n" + printable(saved.text))
    print(
        _(
            "Read this code before you go on: it is a student's, and from now on the commands below and `grade` run it "
            "as you, without isolation. Take out what names somebody. If it is not what the cause says, delete the "
            "entry. Then run:"
        )
    )
    print("python -m reference.record")
    print("autograder audit " + " ".join(f"--exercise {name}" for name in saved.exercises))
    return FULL


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not set(names) <= FILES.keys():
        raise argparse.ArgumentTypeError(
            _("choose from {formats}, separated by commas").format(formats=", ".join(FILES))
        )
    return names
