"""What a student reads of a slip, in the words of the lesson."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from reference.mutants.operators import Change
from reference.mutants.sources import quantities

LANGUAGES = ("en", "ja")
OF_MANY = ("first-left-out", "last-left-out", "first-for-last", "order-turned")
"""Operators whose words need several things, such as the layers; `many` marks them among the quantities."""
OF_PARTS = ("term-left-out", "factor-left-out", "sign-turned")
OLD_VALUE = {"en": "the old value", "ja": "古い値"}
"""What a part is called that has the name of the whole, as running_mean in the sum that is the new running_mean."""
OPPOSITE = {"never-true": "always-true", "always-true": "never-true", "turned-round": "turned-round"}


@dataclass(frozen=True)
class Words:
    """A sentence and a question, or nothing where the lesson has no word for what a slip is about.

    Attributes:
        id: the same for slips that are told alike, in whatever style.
        family: the operator; slips of several families that show the same are not told.
    """

    id: str
    family: str
    cause: dict[str, str] = field(default_factory=dict, hash=False)
    hint: dict[str, str] = field(default_factory=dict, hash=False)
    pair: bool = False


def words_of(solution: str, change: Change) -> Words:
    """What to tell of `change` in the cell `solution`."""
    operator, template = change.operator, str(_templates()[change.operator])
    quantity = part = None
    if operator in OPPOSITE:
        quantity, negated = _condition(solution, change.quantity)
        operator = OPPOSITE[operator] if negated else operator
    else:
        quantity = _word(solution, "quantities", change.quantity)
        if operator in OF_MANY and quantity and not quantity.get("many"):
            quantity = None
        part = _word(solution, "parts", change.part)
        if operator in OF_PARTS and part and part == quantity:
            part = OLD_VALUE
    silent = ("{q}" in template or "{Q}" in template) and quantity is None or "{part}" in template and part is None
    if silent:
        return Words(f"{operator} {change.quantity} {change.part}".strip(), operator)
    texts = {
        kind: {
            language: _fill(_templates()[operator][kind][language], quantity, part, language) for language in LANGUAGES
        }
        for kind in ("cause", "hint")
    }
    return Words(re.sub(r"\W+", "-", texts["cause"]["en"].lower()).strip("-"), operator, texts["cause"], texts["hint"])


def _fill(template: str, quantity: dict | None, part: dict | None, language: str) -> str:
    q, p = (words[language] if words else "" for words in (quantity, part))
    return _spaced(template.format(q=q, Q=q[:1].upper() + q[1:] if " " in q else q, part=p))


def _spaced(text: str) -> str:
    """The text with a space between Japanese and Latin letters, as everywhere in the lesson."""
    latin, japanese = "[0-9A-Za-z_]", "[\u3040-\u30ff\u4e00-\u9fff]"
    return re.sub(f"(?<={latin})(?={japanese})|(?<={japanese})(?={latin})", " ", text)


@cache
def _templates() -> dict:
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


def _word(solution: str, kind: str, name: str) -> dict | None:
    return next((entry for entry in quantities(solution).get(kind, []) if name in entry["names"]), None)


def _condition(solution: str, name: str) -> tuple[dict | None, bool]:
    for entry in quantities(solution).get("conditions", []):
        if name in entry["names"] or name in entry.get("not", []):
            return entry, name in entry.get("not", [])
    return None, False
