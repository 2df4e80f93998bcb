"""Hostile notebooks: what a student could try against the grader, its machine, and whoever reads its pages.

`ATTACKS` is all of them; `notebooks` says what an attack is and what its cells have in common.
"""

from tests.hostile.escaping import ESCAPES
from tests.hostile.exhausting import EXHAUSTIONS
from tests.hostile.forging import FORGERIES
from tests.hostile.notebooks import PATIENCE, PLACEHOLDERS, THREATS, WRONG, Attack, Threat
from tests.hostile.showing import SHOWS
from tests.hostile.speaking import SPEECHES
from tests.hostile.stealing import THEFTS

ATTACKS: tuple[Attack, ...] = (*FORGERIES, *THEFTS, *ESCAPES, *EXHAUSTIONS, *SPEECHES, *SHOWS)

WALLS: tuple[Threat, ...] = ("escape", "resource", "steal")
"""What the system's walls stop, which differ from level to level. Points, the wire and pages are guarded by the same
code at every level, so that one level tells about all."""

CLASSES: tuple[tuple[str, bool, Threat], ...] = (
    *(("full", False, threat) for threat in sorted(THREATS, key=lambda threat: threat != "resource")),
    *(("strong", as_root, threat) for as_root in (False, True) for threat in WALLS),
)
"""The classes in which attacks are graded: isolation level, whether root grades, what the attacks are after. Those that
exhaust what there is take longest, and go first."""


def attackers(threat: Threat) -> list[Attack]:
    """All attacks of one kind."""
    return [attack for attack in ATTACKS if attack.threat == threat]


__all__ = ["ATTACKS", "CLASSES", "PATIENCE", "PLACEHOLDERS", "THREATS", "WALLS", "WRONG", "Attack", "attackers"]
