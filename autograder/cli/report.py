"""`autograder report`: how a class did, and its grades for other systems."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from autograder.cli.exits import FULL, UNUSABLE
from autograder.cli.options import add_course
from autograder.locale import _, speaking
from autograder.report.text import printable

FORMATS = ("html", "canvas", "moodle", "gradescope", "junit")


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "report",
        help=_("write a page on how a class did, and its grades for other systems (in a course folder)"),
        description=_(run.__doc__),
        example="autograder report gradient-pathology --format html,canvas",
    )
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_course(command)
    command.add_argument("--out", type=Path, metavar="FOLDER", help=_("where to write; report/ASSIGNMENT if not given"))
    command.add_argument(
        "--format",
        type=_formats,
        metavar="FORMATS",
        help=_("one or more of {formats}; if not given, html and all that is there from earlier").format(
            formats=",".join(FORMATS)
        ),
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write a page on how a class did, in a course folder, and its grades for other systems."""
    from autograder.grading.course import Course, CourseError
    from autograder.grading.read_class import read_class
    from autograder.report.class_report import formats_in, not_renewed, write_report

    folder = options.out and options.out.resolve()
    try:
        course = Course(options.course)
        course.refuse_name(options.assignment)
        record = read_class(course, options.assignment)
        folder = folder or course.folder / "report" / options.assignment
        formats = options.format or tuple(dict.fromkeys(["html", *formats_in(folder)]))
        with speaking(options.lang or record.language):
            written = write_report(record, formats, folder)
    except (CourseError, OSError) as error:
        print(printable(str(error)), file=sys.stderr)
        return UNUSABLE
    for path in written:
        print(printable(str(path)))
    old = not_renewed(record, formats, folder)
    if old:
        print(printable(_("From an earlier report, and not renewed: {files}.").format(files=", ".join(old))))
    left_out = sum(student.score is None for student in record.students)
    if left_out:
        print(_("Without a score yet: {n}. The page names them; the other files leave them out.").format(n=left_out))
    waiting = sum(bool(student.waiting) for student in record.students)
    if waiting:
        print(_("Waiting for hand grading: {n}. Their scores are without it.").format(n=waiting))
    return FULL


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not set(names) <= set(FORMATS):
        raise argparse.ArgumentTypeError(
            _("choose from {formats}, with commas between them").format(formats=", ".join(FORMATS))
        )
    return names
