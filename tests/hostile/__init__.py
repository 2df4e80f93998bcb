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

CLASSES: tuple[tuple[str, Threat], ...] = (
    *(("full", threat) for threat in ("resource", *(threat for threat in THREATS if threat != "resource"))),
    *(("strong", threat) for threat in WALLS),
)
"""The classes in which attacks are graded: an isolation level and what the attacks of the class are after. Those that
exhaust what there is take longest, and go first."""


def attackers(threat: Threat) -> list[Attack]:
    """All attacks of one kind."""
    return [attack for attack in ATTACKS if attack.threat == threat]


__all__ = ["ATTACKS", "CLASSES", "PATIENCE", "PLACEHOLDERS", "THREATS", "WALLS", "WRONG", "Attack", "attackers"]
