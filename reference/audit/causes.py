"""Tests the diagnosis: is the cause that a student reads the true one?

Every known mistake is diagnosed twice on the public cases: with all fingerprints, and without its own, as if nobody had
thought of it. A cause is true if its mistake and the diagnosed one agree, also on cases from other seeds, on all values
that the failing check read, or wherever the cause's mistake departs from the reference. Fingerprints do not cover those
seeds, so chance agreement on the public cases shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from autograder.checks.diagnosis import Fingerprints
from autograder.checks.exercise import Check, Exercise, Implementation, Observation
from autograder.checks.judge import falls_short, judge
from autograder.checks.sketches import Sketches, alike, departures, sketches_of
from autograder.exercises.recorded import Expectation, known_mistakes, recorded, trials
from autograder.grading.reference import Reference
from reference.audit.checks import Material
from reference.bank import Mistake
from reference.mutants.sources import mutants, styles
from reference.mutants.words import words_of

FRESH_SEEDS = 3
"""The number of other draws of cases on which a named cause must be true."""


@dataclass
class CauseAudit:
    """For each mistake, by the cause that it got: the ids of those with right, wrong or no causes.

    Attributes:
        right, wrong, none: with all fingerprints. Right means its own name, or a cause that is equally true.
        left_out_right, left_out_wrong, left_out_none: without its own fingerprint; two mistakes at once do not take
            part.
    """

    right: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    none: list[str] = field(default_factory=list)
    left_out_right: list[str] = field(default_factory=list)
    left_out_wrong: list[str] = field(default_factory=list)
    left_out_none: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether at least 95 % get right causes, and under 2 % of the left-out ones get wrong ones."""
        n = len(self.right) + len(self.wrong) + len(self.none)
        return len(self.right) >= 0.95 * n and not self.wrong and len(self.left_out_wrong) < 0.02 * n

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {**vars(self), "passed": self.passed}


def audit_causes(material: Material) -> CauseAudit:
    """Diagnose every mistake that has a cause to tell, with its own fingerprint and without it."""
    found = CauseAudit()
    mistakes = {mistake.id: mistake for mistake in material.mistakes if mistake.cause}
    codes = {solution: codes_of(solution, mistakes.values()) for solution in material.by_solution()}
    views = {
        solution: [_View(exercise, material.reference) for exercise in exercises]
        for solution, exercises in material.by_solution().items()
    }
    for mistake in mistakes.values():
        for left_out in (False,) if mistake.pair else (False, True):
            verdicts: set[str] = set()
            for view in views[mistake.solution]:
                verdicts |= set(view.verdicts(mistake, codes[mistake.solution], left_out))
            verdict = "wrong" if "wrong" in verdicts else "right" if "right" in verdicts else "none"
            getattr(found, f"left_out_{verdict}" if left_out else verdict).append(mistake.id)
    return found


Codes = Mapping[str, Sequence[Callable[[], Implementation]]]
"""By the id of a cause, what makes the implementations that it is told of."""


def codes_of(solution: str, mistakes: Iterable[Mistake]) -> Codes:
    """The codes of a cell's mistakes and slips."""
    codes: dict[str, list[Callable[[], Implementation]]] = defaultdict(list)
    for mistake in mistakes:
        codes[mistake.id].append(lambda mistake=mistake: mistake.implementation)
    for style in styles(solution):
        for slip in mutants(style):
            codes[words_of(solution, slip.change).id].append(slip.implementation)
    return codes


class _View:
    """One exercise, with its public cases and some fresh ones, on which all implementations are observed."""

    def __init__(self, exercise: Exercise, reference: Reference) -> None:
        self._exercise = exercise
        self._bank = known_mistakes(exercise)
        public = list(recorded(exercise))
        fresh = [
            expectation
            for seed in range(FRESH_SEEDS)
            for expectation in reference.expect(exercise, np.random.default_rng([2, seed]))
        ]
        self._public, self._fresh = public, fresh
        self._right = {fresh: sketches_of(e.expected for e in self._cases(fresh)) for fresh in (False, True)}
        self._seen: dict[tuple[str, int, bool], tuple[list[Observation], Sketches]] = {}

    def _cases(self, fresh: bool) -> list[Expectation]:
        return self._fresh if fresh else self._public

    def verdicts(self, mistake: Mistake, codes: Codes, left_out: bool) -> Iterable[str]:
        """ "right", "wrong" or "none" for every failing check that `mistake` names."""
        seen, _departed = self._observe(mistake.id, 0, codes)
        known = without(self._bank, mistake.id) if left_out else self._bank
        result = judge(self._exercise, trials(self._public, seen), lambda: known)
        for check, item in zip(self._exercise.checks, result.items, strict=True):
            if f"{self._exercise.id}.{check.id}" not in mistake.fails:
                continue
            true = mistake.id in item.causes
            true = true or any(self._holds(cause, mistake.id, check, codes) for cause in item.causes)
            yield "none" if not item.causes else "right" if true else "wrong"

    def _holds(self, cause: str, mistake: str, check: Check, codes: Codes) -> bool:
        """Whether `mistake` and a code that `cause` is told of agree on the fresh cases, in all values that `check`
        reads or in all that the cause's code shows."""
        seen, departed = self._observe(mistake, 0, codes, fresh=True)
        reads = reads_of(check, self._fresh, seen)
        for number in range(len(codes[cause])):
            _seen, other = self._observe(cause, number, codes, fresh=True)
            if agree(reads, departed, other) or agree([set(here) for here in other], departed, other):
                return True
        return False

    def _observe(
        self, cause: str, number: int, codes: Codes, fresh: bool = False
    ) -> tuple[list[Observation], Sketches]:
        """Observe once, on fresh cases on demand: most mistakes get their own name or no cause."""
        key = cause, number, fresh
        if key not in self._seen:
            implementation = codes[cause][number]()
            seen = [self._exercise.observe(implementation, e.case) for e in self._cases(fresh)]
            self._seen[key] = seen, departures(sketches_of(seen), self._right[fresh])
        return self._seen[key]


def without(known: Fingerprints, id: str) -> Fingerprints:
    """The fingerprints of all mistakes but one."""
    keep = [number for number, cause in enumerate(known.causes) if cause.id != id]
    return replace(
        known,
        causes=[known.causes[number] for number in keep],
        fails=[known.fails[number] for number in keep],
        shows=known.shows[keep],
    )


def reads_of(check: Check, expectations: list[Expectation], seen: list[Observation]) -> list[set[str]]:
    """The values that `check` reads in each case; none in other groups."""
    reads = []
    for trial in trials(expectations, seen):
        trial.seen.read.clear()
        if trial.group in check.on:
            falls_short(check, trial)
        reads.append(set(trial.seen.read))
    return reads


def agree(reads: list[set[str]], one: Sketches, other: Sketches) -> bool:
    """Whether two implementations depart from the reference in the same way in `reads`, and depart at all."""
    pairs = [
        (a.get(key), b.get(key))
        for keys, a, b in zip(reads, one, other, strict=True)
        for key in keys & (a.keys() | b.keys())
    ]
    return bool(pairs) and all(alike(a, b) for a, b in pairs)
