"""`autograder check`: run and check a notebook in a fresh process; with `--watch`, whenever it is saved."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from autograder.checks.results import SubmissionResult, results_file
from autograder.cli.exits import FULL, NOT_FULL, UNUSABLE
from autograder.cli.options import add_json, write_json
from autograder.grading.grade_submission import grade_submission
from autograder.locale import _, use_language
from autograder.notebooks.attachments import files_beside
from autograder.notebooks.submission import UnreadableNotebook, read_notebook, submission_of
from autograder.report.console import print_submission, running_notebook
from autograder.report.text import printable


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "check",
        help=_("check one notebook, from top to bottom, in a fresh process"),
        description=_(run.__doc__),
        example="autograder check gradient_pathology.ipynb --json result.json",
    )
    command.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    command.add_argument("--watch", action="store_true", help=_("check it again whenever you save it"))
    add_json(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run a notebook from top to bottom in a fresh process and judge it on the public cases."""
    return _watch(options) if options.watch else _once(options)


def _once(options: argparse.Namespace) -> int:
    path: Path = options.notebook
    try:
        submission = submission_of(read_notebook(path), str(path))
    except UnreadableNotebook as error:
        unread = SubmissionResult(message=str(error))
        write_json(options.json, results_file(path.stem, "none", {path.stem: unread}))
        raise
    use_language(submission.language)
    with running_notebook():
        graded = grade_submission(submission, files=files_beside(path))
    result = graded.result
    write_json(options.json, results_file(submission.assignment, graded.isolation, {path.stem: result}))
    print_submission(result, graded.cell_errors)
    if submission.missing:
        return UNUSABLE
    return FULL if all(check.full for check in result.checks.values()) else NOT_FULL


def _watch(options: argparse.Namespace) -> int:
    """Check the notebook now and whenever it is saved; the warm parent stays running."""
    import time

    from rich.console import Console

    from autograder.cli.saves import saves

    console = Console(highlight=False)
    try:
        for _save in saves(options.notebook):
            console.clear()  # which does nothing where the output is no terminal
            start = time.perf_counter()
            try:
                _once(options)
            except UnreadableNotebook as error:
                console.print(printable(str(error)), markup=False, soft_wrap=True)
            line = _("Checked at {time} in {seconds:.1f} s. Save the notebook to check it again; press Ctrl-C to stop.")
            line = line.format(time=time.strftime("%H:%M:%S"), seconds=time.perf_counter() - start)
            console.print(line, soft_wrap=True)
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("\n" + _("No longer watching."))
    return FULL
