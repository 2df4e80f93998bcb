"""`autograder pack`: the zip file that a student uploads."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from autograder.cli.options import FULL, NOT_FULL, UnusablePath, new_file
from autograder.locale import _, use_language
from autograder.report.text import say


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "pack",
        help=_("make the zip file to hand in, and list what is unfinished"),
        run=run,
        example="autograder pack gradient_pathology.ipynb --student s1234567",
    )
    command.add_argument(
        "notebook", type=Path, nargs="?", metavar="NOTEBOOK", help=_("default: the one in this folder")
    )
    command.add_argument("--student", type=_student_id, metavar="ID", help=_("your id, as the name of the zip file"))
    command.add_argument("--out", type=_zip_file, metavar="FILE", help=_("where to write the zip file"))
    command.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="NAME",
        help=_("also pack this file, which is beside the notebook"),
    )


def run(options: argparse.Namespace) -> int:
    """Make the zip file to upload, with the notebook and the files that it uses, and list what is unfinished."""
    from autograder.grading.grade_submission import grade_submission
    from autograder.notebooks.submission import notes_on_choice
    from autograder.report.console import running_notebook
    from autograder.report.overview import still_open, total
    from autograder.student.pack import not_done, package_of, write_zip

    candidates = [options.notebook] if options.notebook else _notebooks_here()
    path = candidates[0]
    package = package_of(path, tuple(options.add), options.out or (options.student and Path(f"{options.student}.zip")))
    use_language(package.submission.language)
    for note in [] if options.notebook else notes_on_choice(Path(), Path(package.name).stem, candidates):
        say(note)
    lost = set(options.add) - set(package.files)
    if lost:
        raise UnusablePath(_("Not beside the notebook: {names}.").format(names=", ".join(sorted(lost))))
    try:
        write_zip(package)  # first: even if the check fails, there is something to hand in
    except OSError as error:
        raise UnusablePath(f"{package.archive}: {error.strerror or error}") from error
    with running_notebook():
        graded = grade_submission(package.submission, files=package.files)  # only what is packed lies beside it
    warnings, by_hand = not_done(package, graded), package.submission.by_hand
    for line in warnings:
        say(f"! {line}")
    if package.left_out:
        line = _("Left out because the notebook does not mention them: {names}. To pack one, use --add NAME.")
        say(line.format(names=", ".join(package.left_out)))
    so_far = _("So far: {points} points.").format(points=total(graded.result.checks.values(), by_hand))
    say(f"{so_far} {still_open(by_hand)}" if by_hand else so_far)
    renamed = _("{file} (as {name})").format(file=path.name, name=package.name)
    packed = [path.name if path.name == package.name else renamed, *package.files]
    say(_("Packed: {names}").format(names=", ".join(packed)))
    say(_("To hand in: {path}").format(path=package.archive))
    return NOT_FULL if warnings else FULL


def _notebooks_here() -> list[Path]:
    """The notebooks of this folder that may be meant, the likeliest first."""
    from autograder.exercises import assignments
    from autograder.notebooks.submission import candidates_in

    names = [assignment.replace("-", "_") for assignment in assignments()]
    candidates = candidates_in(Path(), next((name for name in names if Path(f"{name}.ipynb").exists()), names[0]))
    if not candidates:
        raise UnusablePath(_("There is no notebook in this folder. Name one: autograder pack NOTEBOOK"))
    return candidates


def _zip_file(text: str) -> Path:
    if not text.endswith(".zip"):  # least of all the notebook
        raise argparse.ArgumentTypeError(_("its name must end in .zip"))
    return new_file(text)


def _student_id(text: str) -> str:
    if not re.fullmatch(r"\w[\w.@-]*", text):
        raise argparse.ArgumentTypeError(_("an id has only letters, digits and . @ - _"))
    return text
