"""`autograder check`: run and check a notebook in a fresh process; with `--watch`, whenever it is saved."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from autograder.checks.results import SubmissionResult, results_file
from autograder.cli.options import FULL, NOT_FULL, UNUSABLE, add_json, write_json
from autograder.grading.grade_submission import Graded, grade_submission
from autograder.locale import _, use_language
from autograder.notebooks.attachments import files_beside
from autograder.notebooks.submission import Submission, UnreadableNotebook, read_notebook, submission_of
from autograder.report.console import print_changes, print_submission, running_notebook
from autograder.report.overview import left, total, what_is_next
from autograder.report.text import say

LOOK_SECONDS = 0.2
"""How often to look whether the file has been saved. Looking works everywhere, and costs nothing measurable: file
systems do not report changes made on a network drive, through a container's mount or by another machine."""


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "check",
        help=_("check one notebook, from top to bottom, in a fresh process"),
        run=run,
        example="autograder check gradient_pathology.ipynb --json result.json",
    )
    command.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    command.add_argument("--watch", action="store_true", help=_("check it again whenever you save it"))
    add_json(command)


def run(options: argparse.Namespace) -> int:
    """Run a notebook from top to bottom in a fresh process and judge it on the public cases."""
    return _watch(options) if options.watch else _once(options)


def _once(options: argparse.Namespace) -> int:
    submission, graded = _graded(options)
    print_submission(graded.result, graded.cell_errors, submission.by_hand)
    if submission.missing:
        return UNUSABLE
    return FULL if all(check.full for check in graded.result.checks.values()) else NOT_FULL


def _graded(options: argparse.Namespace) -> tuple[Submission, Graded]:
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
    write_json(options.json, results_file(submission.assignment, graded.isolation, {path.stem: graded.result}))
    return submission, graded


def _watch(options: argparse.Namespace) -> int:
    """Check the notebook now, and show what changed whenever it is saved; the warm parent stays running."""
    before = None
    try:
        for _save in saves(options.notebook):
            start = time.perf_counter()
            try:
                submission, graded = _graded(options)
            except UnreadableNotebook as error:
                state = str(error)
            else:
                results, by_hand = graded.result.checks.values(), submission.by_hand
                if before is None:
                    print_submission(graded.result, graded.cell_errors, by_hand)
                    say(_("Save the notebook to check it again; press Ctrl-C to stop."))
                else:
                    print_changes(before, graded.result)
                before = graded.result
                points = _("{points} points.").format(points=total(results, by_hand))
                state = f"{points} {what_is_next(left(results), by_hand)}"
            line = _("Checked at {time} in {seconds:.1f} s.")
            line = line.format(time=time.strftime("%H:%M:%S"), seconds=time.perf_counter() - start)
            say(f"{state} {line}")
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("\n" + _("No longer watching."))
    return FULL


def saves(path: Path, pause: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Yield once at the start, then after every completed change of `path`; a deletion is one, too.

    Changes while the caller is busy are noticed afterwards.
    """
    known = before = _look(path)
    yield
    while True:
        pause(LOOK_SECONDS)
        now = _look(path)
        if known != now == before:  # at rest: a save may empty or remove the file before it writes
            known = now
            yield
        before = now


def _look(path: Path) -> tuple[int, int, int] | None:
    """What differs from one save of a file to the next; None while there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
