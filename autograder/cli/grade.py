"""`autograder grade`: grade a class."""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import Any

from autograder.cli.options import FULL, NOT_FULL, UnusablePath, add_course, add_json, at_least_one
from autograder.locale import _
from autograder.sandbox.client import CORES, Figures
from autograder.sandbox.fork_server import Host, HostBroken, too_weak
from autograder.sandbox.isolation import Level


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "grade",
        help=_("grade a class (in a course folder)"),
        run=run,
        example="autograder grade gradient-pathology --jobs 4 --json results.json",
    )
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_course(command)
    command.add_argument(
        "--jobs", type=at_least_one, default=CORES, metavar="N", help=_("number of submissions at a time")
    )
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help=_("grade on the Dask cluster with this scheduler, not here")
    )
    command.add_argument("--student", default="*", metavar="ID", help=_("grade one student alone, or a pattern"))
    command.add_argument(
        "--preview", action="store_true", help=_("keep nothing; show whose points would change, and why")
    )
    add_json(command)
    command.add_argument(
        "--figures",
        choices=[figures.value for figures in Figures],
        default=Figures.BY_HAND.value,
        help=_("cells whose figures are drawn"),
    )
    command.add_argument(
        "--allow-basic", action="store_true", help=_("grade even if students' code can read your files")
    )


def run(options: argparse.Namespace) -> int:
    """Grade all submissions of a class, in a course folder; unchanged ones are skipped."""
    from autograder.grading.course import Course, CourseError, guarded_folders

    if options.preview and options.json:
        raise UnusablePath(_("--preview keeps nothing, so --json has no results to write."))
    target = options.json and options.json.resolve()
    try:
        course = Course(options.course)
        course.refuse_name(options.assignment)
        if not course.has(options.assignment):
            raise course.unknown(options.assignment)
        print(_("Grading {name}: looking for what is new or changed ...").format(name=options.assignment), flush=True)
        from autograder.cli.class_table import ClassProgress, print_next, print_summary, write_results
        from autograder.grading.grade_class import grade_class  # which takes seconds
        from autograder.grading.job import Settings
        from autograder.grading.read_class import read_class

        level, reasons = None, {}
        if options.scheduler is None:
            with Host(guarded=guarded_folders(course.folder)) as host:
                level, reasons = host.level, host.unavailable
                if level is Level.BASIC and not options.allow_basic:
                    raise HostBroken(too_weak(host, "--allow-basic"))
        weakest = Level.BASIC if options.allow_basic else Level.STRONG
        settings = Settings(course.folder, level, Figures(options.figures), weakest=weakest)
        with ClassProgress(level or options.scheduler, reasons) as progress:
            wanted = (options.jobs, options.student, progress.update, options.preview, options.scheduler)
            summary = grade_class(course, options.assignment, settings, *wanted)
    except KeyboardInterrupt:
        kept = _("Stopped. Finished results are kept; the same command continues.")
        print(_("Stopped. Nothing was kept.") if options.preview else kept, file=sys.stderr)
        return NOT_FULL
    if options.preview:
        print_summary(summary, preview=True)
        return NOT_FULL if summary.broken else FULL
    if target:
        try:
            write_results(target, course, options.assignment)
        except OSError as error:
            raise UnusablePath(f"{target}: {error.strerror or error}") from error
    print_summary(summary)
    with contextlib.suppress(CourseError):  # nobody has a score yet
        print_next(read_class(course, options.assignment), options.course)
    return NOT_FULL if summary.broken else FULL
