"""How wrong problems came about, in words: found from the layers and their kinds, however the code is written.

Each function returns a sentence that is true of the student's answer, or "" where it knows none.
"""

from __future__ import annotations

import math

from autograder.exercises.gradient_pathology.gradient_monitor.probe import KINDS, History, Norms
from autograder.locale import _

Kinds = dict[str, str]
"""Layer -> kind."""

DEFAULTS = {"vanish_threshold": 1e-7, "explode_threshold": 1e3}


def as_shown(found: Kinds, wanted: Kinds, record: Norms) -> str:
    """What the layers have in common that are called wrongly."""
    return _always(found, record) or _turned(found, wanted, record) or _at_the_end(found, wanted, record)


def _always(found: Kinds, record: Norms) -> str:
    kinds = set(found.values())
    if found.keys() != record.keys() or len(record) < 2 or len(kinds) > 1:
        return ""
    return _("Every layer here is called {kind}: is that condition always true?").format(kind=kinds.pop())


def _turned(found: Kinds, wanted: Kinds, record: Norms) -> str:
    """Layers are of a kind just where they should not be."""
    healthy = record.keys() - wanted.keys()
    for kind in KINDS:
        should, called = ({layer for layer, name in kinds.items() if name == kind} for kinds in (wanted, found))
        if healthy and should and healthy <= called and not should & called:
            text = _(
                "Healthy layers are called {kind}, and those that are {kind} are not: is the condition turned round?"
            )
            return text.format(kind=kind)
    return ""


def _at_the_end(found: Kinds, wanted: Kinds, record: Norms) -> str:
    """All is right but for the first layer, or the last."""
    if len(record) < 2:
        return ""
    first, *_others, last = record
    missing = [layer for layer in wanted | found if found.get(layer) != wanted.get(layer)]
    if missing == [first] and first not in found:
        return _("Only the first layer of the record is missing: where does your loop begin?")
    if missing == [last] and last not in found:
        return _("Only the last layer of the record is missing: where does your loop end?")
    return ""


def exchanged(found: Kinds, wanted: Kinds) -> str:
    """Which kinds are all called by another name."""
    called = {kind: {found[layer] for layer in found if wanted.get(layer) == kind} for kind in KINDS}
    text = _("What is {kind} is called {name}.")
    others = {kind: names.pop() for kind, names in called.items() if len(names) == 1}
    return " ".join(text.format(kind=kind, name=name or _("no kind")) for kind, name in others.items() if name != kind)


def fixed_thresholds(found: Kinds, case: History, record: Norms) -> str:
    """Which thresholds are not those that were passed but the default ones."""
    for name in case.thresholds:
        used = case.thresholds | {name: DEFAULTS[name]}
        if found == _kinds(record, *used.values()):
            return _("Your answer is the one for the default {name}: does your code use the argument?").format(
                name=name
            )
    if case.thresholds and found == _kinds(record, *DEFAULTS.values()):
        return _("Your answer is the one for the default thresholds: does your code use the arguments?")
    return ""


def _kinds(record: Norms, low: float, high: float) -> Kinds:
    return {
        layer: "nonfinite" if not math.isfinite(norm) else KINDS[norm > high]
        for layer, norm in record.items()
        if not low < norm < high
    }
