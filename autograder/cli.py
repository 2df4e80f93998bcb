"""The command `autograder`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from autograder import __version__
from autograder.grading import ISOLATION, grade_submission
from autograder.i18n import LANGUAGES, _, use_language
from autograder.oracle import NoReference
from autograder.report.console import print_submission
from autograder.report.text import printable
from autograder.results import SubmissionResult, results_file
from autograder.submission import UnreadableNotebook, read_notebook, submission_of
from autograder.worker.client import WorkerBroken

FULL, NOT_FULL, UNUSABLE = 0, 1, 2
"""Exit codes: every point earned; something is missing; wrong usage, or a notebook that cannot be read."""


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
    except (UnreadableNotebook, WorkerBroken, NoReference) as error:
        print(printable(str(error)), file=sys.stderr)
        sys.exit(UNUSABLE)


def check(options: argparse.Namespace) -> int:
    """Run a notebook from top to bottom in a fresh process and judge it on the public cases."""
    path: Path = options.notebook
    try:
        submission = submission_of(read_notebook(path), str(path))
    except UnreadableNotebook as error:
        _write_json(options.json, path.stem, path.stem, SubmissionResult(message=str(error)))
        raise
    if submission.language and not options.lang:
        use_language(submission.language)
    graded = grade_submission(submission)
    result = graded.result
    _write_json(options.json, submission.assignment, path.stem, result)
    print_submission(result, graded.cell_errors)
    if submission.missing:
        return UNUSABLE
    return FULL if result.score == result.max else NOT_FULL


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
        result = audit_checks(Path.cwd(), options.seeds, options.jobs, lambda done: bar.update(task, completed=done))
    print_audit(result, console)
    causes = audit_causes(Material(Path.cwd()))
    print_causes(causes, console)
    if options.json:
        content = {**result.to_json(), "causes": causes.to_json()}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return FULL if result.passed and causes.passed else NOT_FULL


def _write_json(target: Path | None, assignment: str, student: str, result: SubmissionResult) -> None:
    if target is not None:
        content = results_file(assignment, ISOLATION, {student: result})
        target.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autograder", description=_("Checks the exercises of a notebook."))
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "check",
        help=_("check one notebook, from top to bottom, in a fresh process"),
        description=check.__doc__,
        epilog="example: autograder check gradient_pathology.ipynb --json result.json",
    )
    command.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    command.add_argument("--json", type=Path, metavar="FILE", help=_("also write the results to FILE"))
    command.add_argument("--lang", choices=LANGUAGES, help=_("the language of the messages"))
    command.set_defaults(run=check)

    command = commands.add_parser(
        "audit",
        help=_("test the checks themselves with known mistakes (in a course folder)"),
        description=audit.__doc__,
        epilog="example: autograder audit --seeds 200 --jobs 2",
    )
    command.add_argument("--seeds", type=int, default=20, metavar="N", help=_("how many draws of cases"))
    command.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help=_("how many processes"))
    command.add_argument("--json", type=Path, metavar="FILE", help=_("also write the results to FILE"))
    command.set_defaults(run=audit)
    return parser
