"""The command `autograder`."""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from autograder import __version__
from autograder.grading import ISOLATION, grade_submission
from autograder.i18n import LANGUAGES, _, use_language
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
    if options.lang:
        use_language(options.lang)
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a mark (an old Windows code page) gets "?" instead of an error.
        stream.reconfigure(errors="replace")
    try:
        sys.exit(options.run(options))
    except (UnreadableNotebook, WorkerBroken) as error:
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
    return parser
