"""`autograder doctor`: checks the installation."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from autograder import __version__
from autograder.cli.options import FULL, NOT_FULL, add_course, add_json, write_json
from autograder.locale import _


class State(StrEnum):
    """Whether something is in order."""

    OK = "ok"
    LOOK = "look"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """The state of one thing.

    Attributes:
        what: the thing, in a word or two.
        seen: what was found.
        advice: what to do; "" if nothing.
    """

    what: str
    state: State
    seen: str
    advice: str = ""


def add(commands: Any) -> None:
    """Add the command to argparse's sub-commands."""
    command = commands.add_parser(
        "doctor",
        help=_("check the installation"),
        run=run,
        example="autograder doctor --json doctor.json",
    )
    add_course(command)
    add_json(command)


def run(options: argparse.Namespace) -> int:
    """Check the installation line by line, and say how to fix problems."""
    from autograder.cli.environment import examine

    findings = print_findings(examine(options.course))
    write_json(options.json, {"kit": __version__, "findings": [asdict(finding) for finding in findings]})
    return NOT_FULL if any(finding.state is State.WRONG for finding in findings) else FULL


def print_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Print each finding as it arrives, and a summary; return them all."""
    from rich.cells import set_cell_size
    from rich.console import Console
    from rich.text import Text

    from autograder.report.text import printable

    looks = {
        State.OK: (_("ok"), "green"),
        State.LOOK: (_("look"), "yellow"),
        State.WRONG: (_("wrong"), "red"),
    }
    console, seen = Console(highlight=False), []
    for finding in findings:
        seen.append(finding)
        word, colour = looks[finding.state]
        line = Text(set_cell_size(word, 8), colour)
        line.append(printable(f"{finding.what}: {finding.seen}"), "default")
        console.print(line, soft_wrap=True)
        if finding.advice:
            console.print(Text(printable(f"        → {finding.advice}")), soft_wrap=True)
    wrong = sum(finding.state is State.WRONG for finding in seen)
    if wrong:
        console.print(_("Wrong: {n}. The lines with an arrow say what to do.").format(n=wrong), soft_wrap=True)
    else:
        console.print(_("Everything works."), soft_wrap=True)
    return seen
