"""Tests the diagnosis on what it has no fingerprints of: slips in another style, and two slips at once.

A cause is right if it is what this slip is told as, in whatever style: in its own words, in those of the mistake of the
bank that it is, or in those of another that shows exactly the same; of a slip that lets a `raise` run, also that it
stops an allowed input. What another is told as in the same words is right, too. With two slips at once, either may be
told, or what shows exactly the same as both together.

Where no cause is named, the card may say in words what is wrong, such as "What is vanishing is called exploding". A
sentence tells the slip that it is the cause of, word for word, or those that make the card say it when they are alone.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from autograder.checks.diagnosis import Fingerprints
from autograder.checks.exercise import Exercise, Implementation, keep_random_state
from autograder.checks.judge import judge
from autograder.checks.results import Item
from autograder.exercises.recorded import Expectation, known_from, recorded, trials
from autograder.report.words import Story
from reference.audit.checks import Material
from reference.bank import Mistake
from reference.fingerprints import Behaviour, Book, new_books, sentences
from reference.mutants.known import (
    Observed,
    inherited,
    is_told,
    observe_bank,
    observe_mutants,
    observe_pairs,
    told,
    two_at_once,
)
from reference.mutants.sources import REFERENCE, Mutant, both, pair_styles

FRESH_SEEDS = 3
OWN_RAISE = "own raise"
"""Stands for the cause that is told wherever the code's own `raise` stops an input that is allowed."""
SEED = 76


def _verdicts() -> dict[str, list[str]]:
    return {"right": [], "said": [], "wrong": [], "words": [], "none": []}


def _silently(done: int, cells: int, what: str) -> None:
    """Tell nobody how far it is."""


@dataclass
class SlipAudit:
    """How slips are told that have no fingerprints.

    By verdict: "right", "wrong" (a false cause is named), "said" (no cause, but the card begins with a sentence that
    tells this slip and no other, or names a line of its that keeps others from running), "words" (it begins with what
    is missing, an exception, or what the numbers show), or "none".

    Attributes:
        other_style: slips in a style without fingerprints.
        left_out: those of them that are mistakes of the bank, whose own fingerprints are left out, too.
        pairs: two slips at once.
        slips: the number of all.
        unnoticed: slips that lose no points although they show something.
        unseen: slips that are like the reference in all that is observed, on other seeds, too.
        silent: slips that lose points and have no sentence, because the lesson has no word for what they are about.
    """

    other_style: dict[str, list[str]] = field(default_factory=_verdicts)
    left_out: dict[str, list[str]] = field(default_factory=_verdicts)
    pairs: dict[str, list[str]] = field(default_factory=_verdicts)
    slips: int = 0
    unnoticed: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return dict(vars(self))


def audit_slips(
    material: Material,
    most: int = 40,
    pairs: int = 75,
    seed: int = SEED,
    tell: Callable[[int, int, str], None] = _silently,
) -> SlipAudit:
    """Audit `most` slips of each style but the reference, and this many `pairs` of each cell, or all if it has fewer.

    Args:
        seed: what is drawn depends on it.
        tell: called with the number of steps that are done, that of all, and what comes next.
    """
    found, rng = SlipAudit(), random.Random(seed)
    cells = material.by_solution()
    for i, (solution, exercises) in enumerate(cells.items()):
        steps = 4 * i, 4 * len(cells)
        tell(*steps, f"{solution}: observing")
        cell = _Cell(solution, exercises, [m for m in material.mistakes if m.solution == solution])
        tell(steps[0] + 1, steps[1], f"{solution}: other styles")
        cell.audit_styles(found, rng, most)
        tell(steps[0] + 2, steps[1], f"{solution}: two at once")
        cell.audit_pairs(found, rng, pairs)
        tell(steps[0] + 3, steps[1], f"{solution}: points")
        cell.audit_judgement(found, material)
    return found


class _Cell:
    """A solution cell with its bank and its slips, all observed."""

    def __init__(self, solution: str, exercises: Sequence[Exercise], mistakes: Iterable[Mistake]) -> None:
        self._exercises = exercises
        self._books: Mapping[str, Book] = new_books(solution)
        self._bank = observe_bank(mistakes, self._books)
        self._slips = observe_mutants(solution, self._books)
        self._names = inherited(self._bank, self._slips)
        self._pairs = observe_pairs(self._bank, self._slips, self._books, self._names)
        self._shown: dict[tuple, set[str]] = defaultdict(set)
        for one in (*self._bank, *self._slips):
            for exercise, behaviour in one.behaviours.items():
                self._shown[exercise, behaviour.key] |= {one.about.id, self._name(one)}
        self._sentences = {one.about.id: one.about.cause.get("en") for one in (*self._bank, *self._slips)}
        self._single = [known for known in self._bank if not known.about.pair]
        self._own_words = {slip.about.cause["en"]: {self._name(slip)} for slip in self._slips if slip.about.cause}
        self._tells: dict[tuple[str, str], set[str]] = defaultdict(set)
        for one in (*self._single, *filter(self._is_told, self._slips)):
            for exercise, behaviour in one.behaviours.items():
                for sentence in behaviour.says:
                    self._tells[exercise, sentence].add(self._name(one))
        self._truths: dict[str, set[str]] = defaultdict(set)
        for slip in self._slips:
            self._truths[slip.about.id] |= {slip.about.id, self._name(slip)} | self._alike(slip.behaviours)
            self._truths[slip.about.id] |= {OWN_RAISE} if slip.mutant.raises else set()

    def _alike(self, behaviours: Mapping[str, Behaviour]) -> set[str]:
        """The names of all that show exactly the same, and more than exceptions, in one of the exercises."""
        telling = [(exercise, one.key) for exercise, one in behaviours.items() if one.shows and not one.only_raises]
        return {name for key in telling for name in self._shown.get(key, ())}

    def audit_styles(self, found: SlipAudit, rng: random.Random, most: int) -> None:
        """Tell slips of each style but the reference, with the fingerprints of the others."""
        for style in dict.fromkeys(slip.mutant.style.id for slip in self._slips):
            if style == REFERENCE:
                continue
            own = [slip for slip in self._slips if slip.mutant.style.id == style and self._is_told(slip)]
            others = [slip for slip in self._slips if slip.mutant.style.id != style]
            known = self._fingerprints(self._bank, others, style)
            for slip in rng.sample(own, min(most, len(own))):
                verdict = self._verdict(slip.mutant, known, self._truths[slip.about.id])
                found.other_style[verdict].append(self._title(slip))
                if slip.about.id in self._names:
                    rest = [one for one in self._bank if one.about.id != self._name(slip)]
                    known_rest = self._fingerprints(rest, others, style)
                    verdict = self._verdict(slip.mutant, known_rest, self._truths[slip.about.id])
                    found.left_out[verdict].append(self._title(slip))

    def audit_pairs(self, found: SlipAudit, rng: random.Random, n: int) -> None:
        """Tell `n` random pairs of slips in one style, none twice, with all fingerprints but those of pairs in it.

        Where there is one style alone, what has been tried is drawn.
        """
        slips = [slip for slip in self._slips if self._is_told(slip)]
        styles = {slip.mutant.style.id for slip in slips}
        known = {
            style: self._fingerprints(self._bank, self._slips, style if len(styles) > 1 else "") for style in styles
        }
        tried = pair_styles(slips[0].mutant.style.solution)
        pairs = list(combinations([slip for slip in slips if slip.mutant.style.id not in tried] or slips, 2))
        rng.shuffle(pairs)
        drawn = {}
        for one, other in pairs:
            if len(drawn) == n:
                break
            pair = both(one.mutant, other.mutant)
            if pair is not None and self._name(one) != self._name(other):
                with suppress(SyntaxError, ValueError, TypeError):
                    pair.implementation()
                    drawn[pair.source] = one, other, pair
        for one, other, pair in drawn.values():
            behaviours = {name: book.observe(pair.implementation()) for name, book in self._books.items()}
            truths = self._truths[one.about.id] | self._truths[other.about.id] | self._alike(behaviours)
            verdict = self._verdict(pair, known[one.mutant.style.id], truths)
            found.pairs[verdict].append(f"{self._title(one)} + {self._name(other)}")

    def audit_judgement(self, found: SlipAudit, material: Material) -> None:
        """Every slip loses points, or is like the reference on other seeds, too."""
        fresh = {
            e.id: [
                x for seed in range(FRESH_SEEDS) for x in material.reference.expect(e, np.random.default_rng([3, seed]))
            ]
            for e in self._exercises
        }
        found.slips += len(self._slips)
        for slip in self._slips:
            if any(behaviour.fails for behaviour in slip.behaviours.values()):
                found.silent += [] if self._is_told(slip) else [self._title(slip)]
                continue
            code = slip.mutant.implementation()
            if all(self._result(e, code, fresh[e.id]).full for e in self._exercises):
                shows = any(behaviour.shows for behaviour in slip.behaviours.values())
                (found.unnoticed if shows else found.unseen).append(self._title(slip))

    def _fingerprints(
        self, bank: Sequence[Observed], slips: Sequence[Observed], without: str
    ) -> dict[str, Fingerprints]:
        """The fingerprints of these, and of pairs in all styles but the one that is given as `without`."""
        found = {}
        for name, book in self._books.items():
            at_once = two_at_once(name, self._pairs[name], (*bank, *slips), without)
            found[name] = known_from(book.to_bytes(told(name, bank, slips, self._names), at_once))
        return found

    def _verdict(self, mutant: Mutant, known: Mapping[str, Fingerprints], truths: set[str]) -> str:
        code = mutant.implementation()
        results = [self._result(e, code, recorded(e), known[e.id]) for e in self._exercises]
        items = [item for result in results for item in result.items]
        causes = {cause for item in items for cause in item.causes}
        causes |= {
            OWN_RAISE for item in items if item.cause and not item.causes and item.raised and item.raised.on_purpose
        }
        if causes:
            sentences_of_truths = {self._sentences.get(truth) for truth in truths}
            false = [one for one in causes - truths if self._sentences.get(one, one) not in sentences_of_truths]
            return "wrong" if false else "right"
        firsts = [(result.id, first) for result in results if (first := Story.of(result).first)]
        told = [
            self._own_words.get(sentence) or self._tells.get((id, sentence))
            for id, first in firsts
            for sentence in sentences(first)
        ]
        if any(names and names <= truths for names in told) or any(_blames(first, mutant) for _id, first in firsts):
            return "said"
        return "words" if any(not first.compared for _id, first in firsts) else "none"

    def _result(
        self, exercise: Exercise, code: Implementation, cases: Sequence[Expectation], known: Fingerprints | None = None
    ) -> Any:
        with keep_random_state():
            seen = [exercise.observe(code, expectation.case, follow=True) for expectation in cases]
        return judge(exercise, trials(cases, seen), lambda: known or Fingerprints())

    def _name(self, one: Observed) -> str:
        return self._names[one.about.id].id if one.about.id in self._names else one.about.id

    def _is_told(self, slip: Observed) -> bool:
        return is_told(slip, self._names)

    def _title(self, slip: Observed) -> str:
        return f"{slip.mutant.style.solution}, {slip.mutant.style.id}: {self._name(slip)}"


def _blames(item: Item, mutant: Mutant) -> bool:
    """Whether `item` begins with a line that does not run, and names a line of the slips as what keeps it from that."""
    right = {line.strip() for line in replace(mutant, changes=()).source.splitlines()}
    line = item.unreached
    return line is not None and item.words == line.told and not {line.by_source, line.from_source} <= right | {""}
