"""`autograder doctor`: whether the installation is in order."""

from __future__ import annotations

import argparse
from typing import Any

from autograder import __version__
from autograder.cli.exits import FULL, NOT_FULL
from autograder.cli.options import add_course, add_json, write_json
from autograder.i18n import _


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "doctor",
        help=_("say whether the installation is in order"),
        description=_(run.__doc__),
        example="autograder doctor --json doctor.json",
    )
    add_course(command)
    add_json(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Say line by line whether the installation is in order, and what to do where it is not."""
    from autograder.doctor import State, examine
    from autograder.report.doctor import print_findings

    findings = print_findings(examine(options.course))
    write_json(options.json, {"kit": __version__, "findings": [finding.to_json() for finding in findings]})
    return NOT_FULL if any(finding.state is State.WRONG for finding in findings) else FULL
