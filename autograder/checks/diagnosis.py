"""Finds known mistakes that explain what was observed, by their fingerprints, without any code of theirs.

A cause is true or not said. A known mistake is a cause of a failed check only if it fails that check itself, fails no
check that passed, and departs from the reference nowhere where the student does not. It must agree with the student in
what the check read in its first failing case, or else in the next one. Best are mistakes that agree in all that was
observed, then those that explain all places in which they depart, then those that explain all that the check asks for,
and last two that explain together all that was observed: two that were tried at once and showed just that, or two that
do not meet. Exceptions count only in the first, and only if something works. Inputs that nothing was done to count only
in the first, or if something was done to others of them, in a case without exceptions: which ones were left as they are
then tells the mistake that explains all that the check asks for. Where all this tells nothing, it may be told by the
places in which an input stands, whatever came out elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from autograder.checks.sketches import Sketch, Sketches, alike, is_exception, says_little, value_of

ANY = -2
"""In place of a sketch's number: a mistake departs there, every time otherwise, as random numbers do."""

MAX_CAUSES = 2
"""The largest number of equally good causes to show; more would be guessing."""

Place = tuple[int, str]
"""(case, key) of an observed value."""

Reads = Sequence[tuple[int, Collection[str]]]
"""Numbers of cases, and the keys that a check read in each."""


@dataclass(frozen=True)
class Cause:
    """What a student reads of a known mistake: a sentence and a question, by language, or nothing.

    Attributes:
        pair: whether it combines two mistakes.
    """

    id: str
    cause: Mapping[str, str]
    hint: Mapping[str, str]
    pair: bool = False


@dataclass(frozen=True)
class Fingerprints:
    """What the known mistakes of one exercise show on its public cases.

    Attributes:
        causes: one for each mistake; several may share one.
        fails: for each mistake, the checks that it fails.
        places: where any of them departs from the reference.
        pools: for each place, the sketches of all values that they show there.
        shows: (mistakes, places): the number of the sketch in the pool, -1 where a mistake does not depart, or `ANY`.
        inputs: for each sketch of all pools in turn, whether it is that of an input of its case.
        noise: see `autograder.checks.sketches.Noise`.
        at_once: digest of all that two mistakes show at once, if no single one does -> those that are in all pairs
            which show it, each with the checks that it fails by itself.
    """

    causes: Sequence[Cause] = ()
    fails: Sequence[frozenset[str]] = ()
    places: Sequence[Place] = ()
    pools: Sequence[Sequence[Sketch]] = ()
    shows: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int16))
    inputs: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    noise: Mapping[Place, float] = field(default_factory=dict)
    at_once: Mapping[str, Sequence[tuple[Cause, frozenset[str]]]] = field(default_factory=dict)

    @cached_property
    def values(self) -> tuple[list[Place], np.ndarray]:
        """The values that the places are in, and for each place the number of its value."""
        numbers: dict[Place, int] = {}
        of = [numbers.setdefault((case, value_of(name)), len(numbers)) for case, name in self.places]
        return list(numbers), np.array(of, dtype=int)

    @cached_property
    def shows_inputs(self) -> np.ndarray:
        """(mistakes, places): where a mistake shows an input in place of the right value."""
        sizes = np.array([len(pool) for pool in self.pools], dtype=int)
        first = np.cumsum(sizes) - sizes
        found = np.zeros(self.shows.shape, dtype=bool)
        known = self.shows >= 0
        found[known] = self.inputs[(first + self.shows)[known]]
        return found


@dataclass(frozen=True)
class Explanation:
    """What explains a failed check; false if nothing does.

    Attributes:
        causes: at most `MAX_CAUSES`, equally good.
        all_apply: whether the causes came together; else, any of them may be the one.
    """

    causes: Sequence[Cause] = ()
    all_apply: bool = False

    def __bool__(self) -> bool:
        return bool(self.causes)


class Diagnosis:
    """The causes of one submission's failed checks.

    Args:
        departed: where the student departs from the reference, see `departures`.
        passed: the checks that passed.
        inputs: for each case, the sketches of its inputs: where one is shown, nothing was done to it.
        digest: of all that departed.
    """

    def __init__(
        self,
        known: Fingerprints,
        departed: Sketches,
        passed: Collection[str],
        inputs: Sequence[Sequence[Sketch]],
        digest: str = "",
    ) -> None:
        self._known = known
        self._at_once = known.at_once.get(digest, ())
        n, places = len(known.causes), known.places
        self._works = bool(passed)
        _names, value_at = known.values
        self._little_said = np.zeros(len(places), dtype=bool)
        self._raised = np.zeros(len(places), dtype=bool)
        self._telling = np.ones(len(places), dtype=bool)  # neither that nor an input that nothing was done to
        self._departs = np.array([key in departed[case] for case, key in places], dtype=bool)
        known_places = set(places)
        self._beyond = {
            (case, value_of(key))
            for case, here in enumerate(departed)
            for key in here
            if (case, key) not in known_places
        }
        self._shown = known.shows != -1
        self._agrees = np.zeros((n, len(places)), dtype=bool)
        self._left_out = np.zeros(len(places), dtype=bool)  # nothing was done to it, but to other parts of the value
        self._shows_input = np.zeros(len(places), dtype=bool)
        partly_right = set(value_at[~self._departs].tolist())
        crashed = {case for case, here in enumerate(departed) if any(map(is_exception, here.values()))}
        for p in np.flatnonzero(self._departs).tolist():
            case, key = places[p]
            same = np.array([*(alike(departed[case][key], other) for other in known.pools[p]), True, False])
            self._agrees[:, p] = same[known.shows[:, p]]  # ANY and -1 are the last two
            value, given = departed[case][key], inputs[case]
            self._raised[p] = is_exception(value)
            self._little_said[p] = says_little(value) or case in crashed and not self._works  # a list ends early, say
            untouched = any(alike(value, one) for one in given)
            self._shows_input[p] = untouched and not says_little(value)
            self._telling[p] = not self._little_said[p] and not untouched
            skipped = untouched and case not in crashed and int(value_at[p]) in partly_right
            self._left_out[p] = skipped and not self._little_said[p]
        contradicted = np.array([bool(fails.intersection(passed)) for fails in known.fails], dtype=bool)
        self._possible = ~contradicted & ~(self._shown & ~self._departs).any(axis=1)

    def explain(self, check: str, reads: Reads, asked: Reads) -> Explanation:
        """The known mistakes that explain why `check` failed.

        Args:
            reads: what it read in each failing case, first things first.
            asked: what it reads of all its cases where everything is right.
        """
        fail = np.array([check in fails for fails in self._known.fails], dtype=bool)
        everything = _named(asked) | _named(reads)
        for read in reads:
            if best := self._best(fail, read, everything):
                return Explanation(self._told(best)) or self._both(check)
        if not reads:
            return Explanation()
        return self._both(check) or Explanation(self._told(self._of_two(fail)) or self._by_inputs(fail))

    def _best(self, fail: np.ndarray, read: tuple[int, Collection[str]], everything: set[Place]) -> list[int]:
        """The candidates that explain most and agree in what was read in one case."""
        alike_here = self._agrees & self._places(_named([read])) & (self._known.shows != ANY)
        found = np.flatnonzero(self._possible & fail & alike_here.any(axis=1)).tolist()
        return (
            self._whole([m for m in found if self._works or not self._little_said[alike_here[m]].all()])
            or self._part([m for m in found if (alike_here[m] & self._telling).any()], everything)
            or self._all_asked([m for m in found if (alike_here[m] & self._left_out).any()], everything)
        )

    def _both(self, check: str) -> Explanation:
        """Two mistakes that showed at once what was observed, or the one of them that fails the check by itself."""
        if not (self._works or (self._departs & self._telling).any()):
            return Explanation()
        own = [cause for cause, fails in self._at_once if check in fails]
        both = [cause for cause, _fails in self._at_once] if len(self._at_once) > 1 else []
        return Explanation(own or both, all_apply=True)

    def _by_inputs(self, fail: np.ndarray) -> list[Cause]:
        """What is told of all candidates that show inputs just where the student does, if it is one cause."""
        where = self._shows_input
        if not where.any():
            return []
        found = self._possible & (self._known.shows_inputs == where).all(axis=1) & self._agrees[:, where].all(axis=1)
        told = self._told(np.flatnonzero(found).tolist())
        return told if len(told) == 1 and (found & fail).any() else []

    def _of_two(self, fail: np.ndarray) -> list[int]:
        """Of the two candidates that explain together all that was observed, those that fail the check."""
        if self._beyond:
            return []
        best = self._widest_pairs(self._telling)
        if not best and self._works and not (self._departs & self._raised).any():
            best = self._widest_pairs(self._departs, everything=True)  # what is missing, say, tells a mistake then
        return [m for m in sorted({m for pair in best for m in pair}) if fail[m]]

    def _widest_pairs(self, telling: np.ndarray, everything: bool = False) -> list[tuple[int, int]]:
        """The pairs of candidates that explain most, each of the two something `telling` that the other does not.

        Where one of the two does not depart from the reference, the student shows the other; what comes of both at
        once, in places where both depart, is not known, but an exception is that of one of them.

        Args:
            everything: whether nothing that was observed may be left unexplained.
        """
        places = self._departs
        own_places = self._agrees & telling
        single = np.array([not cause.pair for cause in self._known.causes])
        found = np.flatnonzero(self._possible & single & own_places.any(axis=1))
        agrees, left = self._agrees[found][:, places], ~self._shown[found][:, places]
        against = left.astype(np.float32) @ (~agrees).T.astype(np.float32)  # what m leaves, and n shows otherwise
        own = left.astype(np.float32) @ own_places[found][:, places].T.astype(np.float32)
        others = (~agrees[:, self._raised[places]]).astype(np.float32)
        together = (against == 0) & (against.T == 0) & (own > 0) & (own.T > 0) & (others @ others.T == 0)
        pairs = np.argwhere(np.triu(together, 1)).tolist()
        widths = np.array([(agrees[m] | agrees[n]).sum() for m, n in pairs])
        most = places.sum() if everything else widths.max(initial=0)
        return [(int(found[m]), int(found[n])) for (m, n), width in zip(pairs, widths, strict=True) if width == most]

    def _places(self, read: Collection[Place]) -> np.ndarray:
        """Which of the known places belong to values that are `read`."""
        values, value_at = self._known.values
        return np.array([value in read for value in values], dtype=bool)[value_at]

    def _whole(self, candidates: Sequence[int]) -> list[int]:
        """The candidates that explain all that was observed."""
        return [m for m in candidates if not self._beyond and np.array_equal(self._agrees[m], self._departs)]

    def _part(self, candidates: Sequence[int], asked: set[Place]) -> list[int]:
        """The candidates that explain all they would show themselves, or else all that the check asks for."""
        single = [m for m in candidates if not self._known.causes[m].pair]
        own = [m for m in single if np.array_equal(self._agrees[m], self._shown[m])]
        places = self._departs & self._places(asked)
        departs_less = (places & ~self._shown).any(axis=1)
        if not departs_less[candidates].all():  # they agree here, and say otherwise of what one of them leaves right
            own = [m for m in own if not departs_less[m]]
        return self._widest(own) or self._all_asked(candidates, asked)

    def _all_asked(self, candidates: Sequence[int], asked: set[Place]) -> list[int]:
        """The candidates that explain all that the check asks for."""
        if self._beyond & asked:
            return []
        single = [m for m in candidates if not self._known.causes[m].pair]
        places = self._departs & self._places(asked)
        return self._widest([m for m in single if not (places & ~self._agrees[m]).any()])

    def _widest(self, candidates: Sequence[int]) -> list[int]:
        """Those that agree with the student in the most places."""
        widths = [int(self._agrees[m].sum()) for m in candidates]
        return [m for m, width in zip(candidates, widths, strict=True) if width == max(widths)]

    def _told(self, mistakes: Sequence[int]) -> list[Cause]:
        """The causes of these mistakes, no sentence twice; none if they are too many or one has no sentence."""
        causes = [self._known.causes[m] for m in mistakes]
        causes = [cause for cause in causes if not cause.pair] or causes
        told = list({str(cause.cause): cause for cause in causes}.values())
        return told if len(told) <= MAX_CAUSES and all(cause.cause for cause in told) else []


def _named(reads: Reads) -> set[Place]:
    return {(case, key) for case, keys in reads for key in keys}
