"""Ids that people take for the same student, but a gradebook does not."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

from autograder.locale import _
from autograder.notebooks.load import folded


def lookalikes(ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """id -> the others that differ from it only in case, Unicode form and spaces; only ids that have any."""
    groups = alike(sorted(ids))
    return {name: tuple(other for other in names if other != name) for names in groups for name in names}


def alike(ids: Iterable[str]) -> list[list[str]]:
    """The same as groups; all in their order."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(ids):
        groups[_seen(name)].append(name)
    return [names for names in groups.values() if len(names) > 1]


def note_on(name: str, others: Iterable[str]) -> str:
    """A note on the submission of `name`, who may be the same person as these others."""
    return _(
        'Graded as the work of "{name}". There is also "{others}"; the names differ only in {difference}. If '
        "they are the same person, rename the folder in submitted/ to the id in the roster, and grade again."
    ).format(name=name, others='", "'.join(others), difference=_difference([name, *others]))


def _seen(name: str) -> str:
    """`name` as it looks: without case, width, and blank or invisible characters."""
    return "".join(c for c in folded(name) if unicodedata.category(c)[0] not in "ZC")


def _difference(names: list[str]) -> str:
    def are_one(form: Literal["NFC", "NFKC"], fold: bool) -> bool:
        return len({unicodedata.normalize(form, name.casefold() if fold else name) for name in names}) == 1

    if are_one("NFC", fold=False):
        return _("the composition of characters (Unicode NFC and NFD)")
    if are_one("NFKC", fold=False):
        return _("the width of characters")
    return _("case") if are_one("NFC", fold=True) else _("spaces, case or the form of characters")
