"""What `autograder doctor` found, in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import set_cell_size
from rich.console import Console
from rich.text import Text

from autograder.doctor import Finding, State
from autograder.i18n import _
from autograder.report.text import printable

_STYLES = {State.OK: "green", State.LOOK: "yellow", State.WRONG: "red"}


def print_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Print each finding as it comes in, and a last line on all; gives them back."""
    console, seen = Console(highlight=False), []
    for finding in findings:
        seen.append(finding)
        line = Text(set_cell_size(_word(finding.state), 8), _STYLES[finding.state])
        line.append(printable(f"{finding.what}: {finding.seen}"), "default")
        console.print(line, soft_wrap=True)
        if finding.advice:
            console.print(Text(printable(f"        → {finding.advice}")), soft_wrap=True)
    wrong = sum(finding.state is State.WRONG for finding in seen)
    if wrong:
        console.print(_("Wrong: {n}. The lines with an arrow say what to do.").format(n=wrong), soft_wrap=True)
    else:
        console.print(_("Everything that is needed works."), soft_wrap=True)
    return seen


def _word(state: State) -> str:
    return {State.OK: _("ok"), State.LOOK: _("look"), State.WRONG: _("wrong")}[state]
