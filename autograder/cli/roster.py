"""`autograder roster`: import the students of the course from a spreadsheet or a learning management system."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from autograder.cli.options import FULL, UnusablePath, add_course
from autograder.locale import _
from autograder.report.text import say

MOST_NAMED = 10


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "roster",
        help=_("import the students of the course from a CSV file (in a course folder)"),
        run=run,
        example='autograder roster students.csv --id "Student ID"',
    )
    command.add_argument("file", type=Path, metavar="FILE", help=_("the list, as CSV or tab-separated text"))
    command.add_argument(
        "--id", default="", metavar="HEADING", help=_("the column with the ids; default: found by its heading")
    )
    command.add_argument("--encoding", default="", metavar="NAME", help=_("encoding of the file; default: detected"))
    add_course(command)


def run(options: argparse.Namespace) -> int:
    """Import the students of the course from a CSV file: all of them or none. Nobody is removed from the gradebook."""
    from autograder.grading.course import Course
    from autograder.grading.roster import import_roster, read_roster
    from autograder.grading.table import UnusableTable

    path = options.file.resolve()
    course = Course(options.course)
    try:
        roster = read_roster(path, options.id, options.encoding)
        imported = import_roster(course, roster)
    except UnusableTable as error:
        head = _("Nothing was imported from {file}:").format(file=options.file)
        raise UnusablePath("\n  ".join([head, *error.lines])) from error
    _tell(roster, imported)
    return FULL


def _tell(roster: Any, imported: Any) -> None:
    fields = ", ".join(f"{field} = {heading}" for field, heading in roster.columns.items())
    say(_("Columns: {fields}").format(fields=fields))
    if roster.encoding != "utf-8":
        first = next((person for person in roster.people if not person.name.isascii()), roster.people[0])
        line = _("Read as {encoding}; is this name correct? {id}: {name}")
        say(line.format(encoding=roster.encoding, id=first.id, name=first.name))
    if roster.left_out:
        say(_("Left out because they are not students: {names}").format(names=_named(roster.left_out)))
    line = _("Added: {added}. Updated: {updated}. Unchanged: {unchanged}.")
    counts = {name: len(getattr(imported, name)) for name in ("added", "updated", "unchanged")}
    print(line.format(**counts))
    if imported.others:
        line = _("In the gradebook, but not in this file: {ids}. They were kept.")
        say(line.format(ids=_named(imported.others)))


def _named(names: tuple[str, ...]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join([*names[:MOST_NAMED], *([_("and {n} more").format(n=more)] if more > 0 else [])])
