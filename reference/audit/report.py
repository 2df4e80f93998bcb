"""An audit in a terminal: which check catches which mistake, survivors, false rejects, and margins."""

from __future__ import annotations

import math
from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reference.audit.causes import CauseAudit
from reference.audit.checks import MATRIX_SEEDS, Audit
from reference.audit.slips import SlipAudit


def print_audit(audit: Audit, console: Console) -> None:
    """Print the matrix, then the summary. An audit is for authors and in English."""
    for exercise in dict.fromkeys(check.split(".")[0] for check in audit.checks):
        _print_matrix(audit, exercise, console)
    console.print(_checks_table(audit))
    for survivor, times in Counter((s.mistake, s.check) for s in audit.survivors).items():
        console.print(
            f"[red]survivor[/] {survivor[0]} loses nothing in {survivor[1]} on {times} of {audit.seeds} seeds"
        )
    for reject, times in Counter((r.implementation, r.check) for r in audit.false_rejects).items():
        message = next(r.message for r in audit.false_rejects if (r.implementation, r.check) == reject)
        console.print(
            f"[red]false reject[/] {reject[0]} in {reject[1]} on {times} of {audit.seeds} seeds: {escape(message)}"
        )
    for check in audit.idle_checks():
        console.print(f"[red]idle check[/] {check}: no known mistake names it")
    for mistake, exercise, share in audit.too_costly():
        console.print(
            f"[red]too costly[/] {mistake} loses {share:.0%} of {exercise}, and touches {_touched(audit, mistake)}"
        )
    for mistake, case in audit.caught_once().items():
        console.print(f"[red]caught once[/] {mistake}, by one case alone: {case}")
    for case in audit.spare_cases():
        console.print(f"spare case {case}: two others catch every mistake")
    console.print(
        f"{len(audit.named)} mistakes and {audit.right} right implementations on {audit.seeds} seeds: "
        f"{len(audit.survivors)} survivors, {len(audit.false_rejects)} false rejects, "
        f"{len(audit.too_costly())} too costly; {len(audit.cases)} cases, {len(audit.caught_once())} mistakes caught "
        "by one of them alone"
    )
    (wrong, mistake), (right, implementation) = audit.smallest_wrong, audit.largest_right
    console.print(
        f"margins in decades from the tolerance: the smallest error of a mistake lies {_decades(wrong)} above "
        f"({mistake}), the largest of a right one {_decades(1 / right if right else math.inf)} below ({implementation})"
    )


def print_causes(causes: CauseAudit, console: Console) -> None:
    """Print how often students read a true cause."""
    console.print(
        f"causes: {len(causes.right)} right, {len(causes.wrong)} wrong, {len(causes.none)} none; with a mistake's own "
        f"fingerprint left out: {len(causes.left_out_right)} right, {len(causes.left_out_wrong)} wrong, "
        f"{len(causes.left_out_none)} none"
    )
    for mistake in causes.wrong + causes.left_out_wrong:
        console.print(f"[red]wrong cause[/] for {mistake}")


def print_slips(audit: SlipAudit, console: Console) -> None:
    """Print what students are told of slips that have no fingerprint, and those that are told nothing."""
    for name, verdicts in (
        ("slips in a style without fingerprints", audit.other_style),
        ("those that are mistakes of the bank, whose fingerprints are left out, too", audit.left_out),
        ("two slips at once", audit.pairs),
    ):
        n = max(1, sum(map(len, verdicts.values())))
        shares = ", ".join(f"{len(ids) / n:.0%} {verdict}" for verdict, ids in verdicts.items())
        console.print(f"{name}: {shares} of {n}")
        for title, times in Counter(verdicts["wrong"]).most_common():
            console.print(f"[red]wrong cause[/] for {escape(title)} ({times})")
    console.print(
        f"{audit.slips} slips: {len(audit.unseen)} are like the reference in all that is seen, {len(audit.unnoticed)} "
        f"show something and lose nothing, {len(audit.silent)} have no sentence"
    )
    for name, titles in (("loses nothing", audit.unnoticed), ("no sentence", audit.silent)):
        for title, times in Counter(titles).most_common():
            console.print(f"{name}: {escape(title)} ({times})")


def _print_matrix(audit: Audit, exercise: str, console: Console) -> None:
    """One row per mistake, one column per check: the number of seeds on which it was caught."""
    checks = [check for check in audit.checks if check.startswith(f"{exercise}.")]
    table = Table(title=exercise, title_justify="left", padding=(0, 0), box=None)
    table.add_column("mistake", no_wrap=True)
    for check in checks:
        table.add_column(" " + check.split(".")[1], justify="center")
    for mistake, caught in audit.catches.items():
        if any(check in caught for check in checks):
            table.add_row(escape(mistake), *(_cell(audit, mistake, check) for check in checks))
    console.print(table)


def _cell(audit: Audit, mistake: str, check: str) -> str:
    times, seeds = audit.catches[mistake].get(check, 0), min(audit.seeds, MATRIX_SEEDS)
    mark = "█" if times == seeds else f"{times / seeds:.0%}" if times else "·"
    return f"[bold]{mark}[/]" if check in audit.named[mistake] else f"[dim]{mark}[/]"


def _touched(audit: Audit, mistake: str) -> str:
    return {"detail": "a detail", "core": "the core", "all": "everything"}[audit.touches[mistake]]


def _checks_table(audit: Audit) -> Table:
    table = Table(title="what each check is for", title_justify="left")
    table.add_column("check", no_wrap=True)
    for name in ("catches", "alone"):
        table.add_column(name, justify="right")
    table.add_column("mistakes that only it catches")
    for check in audit.checks:
        alone = audit.only_caught_by(check)
        catches = sum(check in caught for caught in audit.catches.values())
        table.add_row(check, str(catches), str(len(alone)), ", ".join(alone[:2]) + (" ..." if len(alone) > 2 else ""))
    return table


def _decades(ratio: float) -> str:
    return f"{math.log10(ratio):.1f}" if 0 < ratio < math.inf else "infinitely many"
