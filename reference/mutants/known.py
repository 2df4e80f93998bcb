"""Which slips students are told of, and as what.

A slip is told in the words of the bank if it is made elsewhere in the way that gives a mistake of the bank in one of
the styles, and else in its own words. Slips that show the same are told only if they are of one kind; a fingerprint
without words stands for the others, so that no worse explanation takes their place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations

from autograder.checks.diagnosis import MAX_CAUSES
from reference import bank
from reference.bank import Mistake
from reference.fingerprints import Behaviour, Book
from reference.mutants.sources import REFERENCE, Mutant, both, mutants, pair_styles, styles
from reference.mutants.words import OPPOSITE, Words, words_of

NOTHING = Words("", "")
"""What is told of slips that show the same and are of several kinds."""

Together = Sequence[tuple[Words | Mistake, Sequence[str]]]
"""Two slips: what is told of each, and the checks that it fails by itself."""

Pairs = Mapping[str, Sequence[tuple[str, Together]]]
"""The digest of what two slips show at once -> all pairs that show it, each with the style that they were made in."""


@dataclass(frozen=True)
class Observed:
    """A slip or a mistake of the bank, and its behaviour in each exercise of its cell."""

    about: Words | Mistake
    behaviours: Mapping[str, Behaviour]
    mutant: Mutant | None = None

    @property
    def says_much(self) -> bool:
        """Whether it shows more than exceptions, as code without a guard may do."""
        return self.about.family == "never-true" or any(b.says_much for b in self.behaviours.values())

    @property
    def keys(self) -> tuple:
        """The same for all that show the same in all exercises."""
        return tuple(behaviour.key for behaviour in self.behaviours.values())


def observe_bank(mistakes: Iterable[Mistake], books: Mapping[str, Book]) -> list[Observed]:
    """The mistakes with a cause to tell; `books` are those of one cell, by exercise."""
    return [
        Observed(mistake, {name: book.observe(mistake.implementation) for name, book in books.items()})
        for mistake in mistakes
        if mistake.cause
    ]


def observe_mutants(solution: str, books: Mapping[str, Book]) -> list[Observed]:
    """All slips in all styles of a cell."""
    return [
        Observed(
            words_of(solution, mutant.change), {n: book.observe(code, steady) for n, book in books.items()}, mutant
        )
        for style in styles(solution)
        for mutant in mutants(style)
        for code, steady in [(mutant.implementation(), mutant.change.operator != "unseeded")]
    ]


def inherited(bank: Sequence[Observed], slips: Sequence[Observed]) -> dict[str, Mistake]:
    """By the id of a slip's words, the mistake of the bank that it is wherever it is made in the reference.

    What cannot be made there is looked for in the other styles. A condition is no mistake of the bank that others make,
    too: where nothing happens, this may have many reasons. Nor is a slip that is less in some style: one that leaves
    gradients out of a sum, say, and scales them all.
    """
    by_keys: dict[tuple, set[str]] = defaultdict(set)
    for known in bank:
        if not known.about.pair:
            by_keys[known.keys].add(known.about.id)
    groups: dict[str, dict[str, list[Observed]]] = defaultdict(lambda: defaultdict(list))
    for slip in slips:
        if any(behaviour.shows for behaviour in slip.behaviours.values()):
            groups[slip.about.id][slip.mutant.style.id].append(slip)
    found: dict[str, set[str]] = {}
    families: dict[str, set[str]] = defaultdict(set)
    for id, by_style in groups.items():
        asked = [by_style[REFERENCE]] if REFERENCE in by_style else list(by_style.values())
        same = [ids for group in asked if (ids := _same_everywhere(group, by_keys))]
        found[id] = set.intersection(*same) if same else set()
        for mistake in found[id]:
            families[mistake].add(asked[0][0].about.family)
    mistakes = {known.about.id: known.about for known in bank}
    less = {id for id, ids in found.items() if ids and not _fail_as(mistakes[min(ids)], groups[id].values())}
    family = {slip.about.id: slip.about.family for slip in slips}
    return {
        id: mistakes[min(ids)]
        for id, ids in found.items()
        if ids and id not in less and (family[id] not in OPPOSITE or families[min(ids)] <= {family[id]})
    }


def _fail_as(mistake: Mistake, groups: Iterable[Sequence[Observed]]) -> bool:
    """Whether all slips that fail any check fail those of the mistake."""
    fails = (
        {f"{name}.{check}" for name, behaviour in slip.behaviours.items() for check in behaviour.fails}
        for group in groups
        for slip in group
    )
    return all(failed >= set(mistake.fails) for failed in fails if failed)


def _same_everywhere(group: Sequence[Observed], by_keys: Mapping[tuple, set[str]]) -> set[str]:
    """The mistakes that show what all slips of `group` show."""
    return set.intersection(*(by_keys.get(slip.keys, set()) if slip.says_much else set() for slip in group))


def told(
    exercise: str, bank: Sequence[Observed], slips: Sequence[Observed], names: Mapping[str, Mistake]
) -> list[tuple[Words | Mistake, Behaviour]]:
    """What is told in `exercise`, with the behaviour that shows it; `names` are `inherited`."""
    rows = [(known.about, known.behaviours[exercise]) for known in bank]
    covered = {behaviour.key for _about, behaviour in rows}
    groups: dict[tuple, list[Observed]] = defaultdict(list)
    for slip in slips:
        behaviour = slip.behaviours[exercise]
        if behaviour.shows and behaviour.key not in covered and (behaviour.says_much or slip.about.id in names):
            groups[behaviour.key].append(slip)
    for group in groups.values():
        behaviour = group[0].behaviours[exercise]
        rows += [(about, behaviour) for about in _said(group, names)]
    return rows


def observe_pairs(
    mistakes: Sequence[Observed], slips: Sequence[Observed], books: Mapping[str, Book], names: Mapping[str, Mistake]
) -> dict[str, Pairs]:
    """For each exercise, what any two mistakes of the bank, or slips in one of the `pair_styles`, show at once.

    Two of the bank that show nothing at the same place are told apart, each by itself.
    """
    own = {
        (slip.mutant.style.id, slip.keys): slip
        for slip in slips
        if slip.mutant.style.id in pair_styles(slip.mutant.style.solution)
        and is_told(slip, names)
        and slip.mutant.change.operator != "unseeded"
    }
    found: dict[str, dict[str, list[tuple[str, Together]]]] = {name: defaultdict(list) for name in books}
    for pair in combinations(own.values(), 2):
        told_of = [names.get(slip.about.id, slip.about) for slip in pair]
        mutant = both(*(slip.mutant for slip in pair))
        if mutant is None or told_of[0].id == told_of[1].id:
            continue
        with suppress(SyntaxError, TypeError, ValueError):
            code = mutant.implementation()
            for name, book in books.items():
                told = [(about, slip.behaviours[name].fails) for about, slip in zip(told_of, pair, strict=True)]
                found[name][book.digest(code)].append((mutant.style.id, told))
    for one, other in combinations([known for known in mistakes if not known.about.pair], 2):
        meet = [name for name in books if one.behaviours[name].shows.keys() & other.behaviours[name].shows.keys()]
        code = bank.both(one.about, other.about) if meet else None
        for name in meet if code else []:
            told = [(known.about, known.behaviours[name].fails) for known in (one, other)]
            found[name][books[name].digest(code)].append((REFERENCE, told))
    return found


def two_at_once(exercise: str, pairs: Pairs, singles: Iterable[Observed], without: str = "") -> dict[str, Together]:
    """By digest, what all pairs that show it have in common.

    Args:
        singles: what one of these shows is told of it alone: one slip is likelier than two.
        without: a style whose pairs do not count.
    """
    alone = {one.behaviours[exercise].digest for one in singles} | {""}
    found = {}
    for digest, tried in pairs.items():
        told = [pair for style, pair in tried if style != without]
        ids = [{about.id for about, _fails in pair} for pair in told]
        if told and digest not in alone and (common := set.intersection(*ids)):
            found[digest] = [(about, fails) for about, fails in told[0] if about.id in common]
    return found


def is_told(slip: Observed, names: Mapping[str, Mistake]) -> bool:
    """Whether a slip loses points and has words; `names` are `inherited`."""
    fails = any(behaviour.fails for behaviour in slip.behaviours.values())
    return fails and bool(slip.about.cause or slip.about.id in names)


def _said(group: Sequence[Observed], names: Mapping[str, Mistake]) -> Collection[Words | Mistake]:
    """What is told of slips that show the same."""
    abouts = {about.id: about for slip in group for about in [names.get(slip.about.id, slip.about)] if about.cause}
    hand_written = [about for about in abouts.values() if isinstance(about, Mistake)]
    of_one_kind = len({slip.about.family for slip in group}) == 1
    if hand_written and (of_one_kind or len(abouts) == 1):
        return hand_written if len(hand_written) <= MAX_CAUSES else [NOTHING]
    return list(abouts.values()) if of_one_kind and 0 < len(abouts) <= MAX_CAUSES else [NOTHING]
