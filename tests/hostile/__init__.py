"""Hostile notebooks: what a student could try against the grader, its machine, and whoever reads its pages.

`ATTACKS` is all of them; `notebooks` says what an attack is and what its cells have in common.
"""

from tests.hostile.escaping import ESCAPES
from tests.hostile.exhausting import EXHAUSTIONS
from tests.hostile.forging import FORGERIES
from tests.hostile.notebooks import PATIENCE, PLACEHOLDERS, THREATS, WRONG, Attack
from tests.hostile.showing import SHOWS
from tests.hostile.speaking import SPEECHES
from tests.hostile.stealing import THEFTS

ATTACKS: tuple[Attack, ...] = (*FORGERIES, *THEFTS, *ESCAPES, *EXHAUSTIONS, *SPEECHES, *SHOWS)

__all__ = ["ATTACKS", "PATIENCE", "PLACEHOLDERS", "THREATS", "WRONG", "Attack"]
