"""Ids that people take for the same student, but a gradebook does not."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from autograder.locale import _


def lookalikes(ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """id -> the others that differ from it only in case, Unicode form and spaces; only ids that have any."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(ids)):
        alike[_seen(name)].append(name)
    groups = [names for names in alike.values() if len(names) > 1]
    return {name: tuple(other for other in names if other != name) for names in groups for name in names}


def note_on(name: str, others: Iterable[str]) -> str:
    """A note on the submission of `name`, who may be the same person as these others."""
    return _(
        'Graded as the work of "{name}". There is also "{others}"; the names differ only in {difference}. If '
        "they are the same person, rename the folder in submitted/ to the id in the roster, and grade again."
    ).format(name=name, others='", "'.join(others), difference=_difference([name, *others]))


def _seen(name: str) -> str:
    """`name` as it looks: without case, width, and blank or invisible characters."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in folded if unicodedata.category(c)[0] not in "ZC")


def _difference(names: list[str]) -> str:
    def are_one(form: str, fold: bool) -> bool:
        return len({unicodedata.normalize(form, name.casefold() if fold else name) for name in names}) == 1

    if are_one("NFC", fold=False):
        return _("the composition of characters (Unicode NFC and NFD)")
    if are_one("NFKC", fold=False):
        return _("the width of characters")
    return _("case") if are_one("NFC", fold=True) else _("spaces, case or the form of characters")
