"""`autograder audit`: tests the checks themselves."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from autograder.cli.options import FULL, NOT_FULL, add_json, at_least_one, write_json
from autograder.exercises import UnknownExercise, exercise
from autograder.locale import _
from autograder.sandbox.client import CORES


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "audit",
        help=_("test the checks themselves with known mistakes (in a course folder)"),
        run=run,
        example="autograder audit --seeds 200 --jobs 2",
    )
    command.add_argument(
        "--exercise", action="append", default=[], type=_exercise_id, metavar="ID", help=_("audit this exercise alone")
    )
    command.add_argument(
        "--seeds", type=at_least_one, default=20, metavar="N", help=_("number of random draws of the cases")
    )
    command.add_argument("--jobs", type=at_least_one, default=CORES, metavar="N", help=_("number of processes"))
    command.add_argument(
        "--slips",
        action="store_true",
        help=_("also test what students are told of slips that have no fingerprint (takes several minutes)"),
    )
    add_json(command)


def run(options: argparse.Namespace) -> int:
    """Test the checks of this course folder with known mistakes and correct but unusual solutions."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from autograder.grading.course import CourseError
    from autograder.grading.private import Disagreement
    from autograder.grading.reference import Reference

    course = Reference(Path.cwd()).folder.parent  # the audit is in reference/, not in the package
    sys.path.insert(0, str(course))
    from reference.audit.causes import audit_causes
    from reference.audit.checks import Material, audit_checks
    from reference.audit.report import print_audit, print_causes, print_slips
    from reference.audit.slips import audit_slips

    console = Console()
    try:
        material = Material(course, options.exercise)
    except Disagreement as error:
        raise CourseError(str(error)) from error
    with Progress(
        *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn(), console=console
    ) as bar:
        task = bar.add_task("seeds", total=options.seeds)
        result = audit_checks(
            course, options.seeds, options.jobs, lambda done: bar.update(task, completed=done), options.exercise
        )
    print_audit(result, console)
    causes = audit_causes(material)
    print_causes(causes, console)
    found = {**result.to_json(), "causes": causes.to_json()}
    if options.slips:
        with Progress(*Progress.get_default_columns()[:2], MofNCompleteColumn(), console=console) as bar:
            task = bar.add_task("slips")
            slips = audit_slips(
                material,
                tell=lambda done, steps, what: bar.update(task, completed=done, total=steps, description=what),
            )
        print_slips(slips, console)
        found["slips"] = slips.to_json()
    write_json(options.json, found)
    return FULL if result.passed and causes.passed else NOT_FULL


def _exercise_id(text: str) -> str:
    try:
        return exercise(text).id
    except UnknownExercise:
        raise argparse.ArgumentTypeError(_("there is no exercise {name}").format(name=text)) from None
