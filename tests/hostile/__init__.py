"""Hostile notebooks: what a student could try against the grader, its machine, and whoever reads its pages.

`ATTACKS` is all of them; `notebooks` says what an attack is and what its cells have in common.
"""

from tests.hostile.escaping import ESCAPES
from tests.hostile.exhausting import EXHAUSTIONS, TRIALS_OF_PATIENCE
from tests.hostile.forging import FORGERIES
from tests.hostile.notebooks import PLACEHOLDERS, WRONG, Attack
from tests.hostile.showing import SHOWS
from tests.hostile.speaking import SPEECHES
from tests.hostile.stealing import THEFTS

ATTACKS: dict[str, tuple[Attack, ...]] = {
    "patience": TRIALS_OF_PATIENCE,
    "resource": EXHAUSTIONS,
    "forge": FORGERIES,
    "steal": THEFTS,
    "escape": ESCAPES,
    "wire": SPEECHES,
    "page": SHOWS,
}
"""What attacks are after -> these attacks: to be endless or too much, which takes longest and goes first, to exhaust
the machine, to forge points, to steal what is secret, to escape from the worker, to break the wire to the grader, or
whoever reads a page."""

WALLS = ("resource", "escape", "steal")
"""What the system's walls stop, which differ from level to level, and where root grades. Limits, points, the wire and
pages are guarded by the same code at every level, so that one level tells about all: full, the best there is."""

CLASSES: tuple[tuple[str, bool, tuple[str, ...]], ...] = (
    ("full", False, ("patience", "resource")),
    ("full", False, ("forge", "steal", "escape", "wire", "page")),
    ("strong", False, WALLS),
    ("strong", True, WALLS),
)
"""The classes in which attacks are graded: isolation level, whether root grades, what the attacks are after. They are
few, since processes take seconds to start; what takes longest is apart."""

__all__ = ["ATTACKS", "CLASSES", "PLACEHOLDERS", "WALLS", "WRONG", "Attack"]
