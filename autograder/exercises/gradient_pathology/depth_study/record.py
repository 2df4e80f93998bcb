"""One depth of a study: the curves that its result holds, and what they should be."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from autograder.checks.exercise import Failed, Observation
from autograder.checks.expect import array, close, is_close, kind_of
from autograder.checks.values import Opaque, numbers
from autograder.exercises.gradient_pathology.depth_study.probe import Study
from autograder.locale import _

CURVES = ("loss", "grad_norms")
MOST_ITEMS = 50
"""No study has more depths or entries; a result that has is not searched to its end."""


def runs_of(case: Study, seen: Observation, expected: Observation) -> list[Run]:
    """A run for each depth that was asked for."""
    return [Run(case, seen, expected, depth) for depth in case.depths]


class Run:
    """What is known of one depth.

    Its curves are right if they are the reference's or, where the student's training went another way, those of the
    student's own network: one slip costs one promise.

    Attributes:
        own: how that network was trained, see `Training.facts`; None if no data went through any.
    """

    def __init__(self, case: Study, seen: Observation, expected: Observation, depth: int) -> None:
        self.case, self.depth, self.place = case, depth, case.depths.index(depth)
        self.seen, self._right = seen, expected["result"][depth]
        self._other = lambda depth: Run(case, seen, expected, depth)
        trained = [facts for facts in seen["trained"] if type(facts) is dict]
        by_depth = {facts["depth"]: facts for facts in trained}
        others = [facts for facts in trained if facts["depth"] not in case.depths]  # asked for in its place
        self.own: dict[str, Any] | None = by_depth.get(depth, others[self.place] if self.place < len(others) else None)

    def name(self, what: str) -> str:
        """What a student knows the curve by."""
        return f'result[{self.depth}]["{what}"]'

    def fail(self, reason: str) -> NoReturn:
        """Fail for `reason`, or for the exception that kept the study from returning."""
        self.seen["result"]
        raise Failed(reason, unwritten=reason == self.unwritten)

    @property
    def unwritten(self) -> str:
        """What the training lacks first, as long as it lacks a part."""
        if not self.seen["generators"]:
            return _("build_network was never called: there is no network yet.")
        if self.own is None:
            return _("No data went through the network of depth {depth}: the forward pass is missing.").format(
                depth=self.depth
            )
        if np.isnan(self.own["derivative"]).any():
            return _("After a step, a layer has no gradient: the backward pass is missing.")
        if not len(self.own["factors"]):
            return _(
                "Nothing in `layer.params` was changed: the update is missing, or its result is not put into "
                "`layer.params[name]`."
            )
        return ""

    def require_form(self) -> None:
        """Both curves stand under their names, with the right shape."""
        result = self.seen["result"]
        if result is None:
            self.fail(self.unwritten or _("depth_study returned None: is there a `return`?"))
        if result == {}:
            self.fail(self.unwritten or _("depth_study returned an empty dict: no record was put into it."))
        if type(result) is not dict:
            self.fail(_("depth_study should return a dict, but it is {kind}.").format(kind=kind_of(result)))
        if self.depth not in result:
            self.fail(
                _("The result has no entry for depth {depth}; its keys are {keys}.").format(
                    depth=self.depth, keys=_listed(result)
                )
            )
        record = result[self.depth]
        if type(record) is not dict:
            self.fail(
                _('{name} should be a dict with "loss" and "grad_norms", but it is {kind}.').format(
                    name=f"result[{self.depth}]", kind=kind_of(record)
                )
            )
        for what, shape in zip(CURVES, [(self.case.steps,), (self.case.steps, self.depth)], strict=True):
            if what not in record:
                self.fail(
                    _('result[{depth}] has the keys {keys}; "{what}" is asked for.').format(
                        depth=self.depth, keys=_listed(record), what=what
                    )
                )
            if _holds_texts(record[what]):
                self.fail(_("{name} holds texts, where numbers are asked for.").format(name=self.name(what)))
            found = numbers(record[what])
            if found is not None and not found.size:
                self.fail(self.unwritten or _("{name} is empty: nothing was recorded.").format(name=self.name(what)))
            array(self.name(what), record[what], shape)
            n = len(_filled(_table(record[what])))
            if n < self.case.steps:
                self.fail(
                    _("{name} is 0 from row {n} on: was nothing put there?").format(name=self.name(what), n=n)
                )

    @property
    def parameters(self) -> list[str]:
        """The names of the own network's parameters."""
        return self.seen["parameters"][self.own["depth"]] if self.own else []

    @cached_property
    def _curves(self) -> dict[str, np.ndarray | None]:
        return {what: self._find(what) for what in CURVES}

    def curve(self, what: str) -> np.ndarray | None:
        """A curve as far as it can be found, one row per step, however it is named, nested, turned or long."""
        return self._curves[what]

    def shared(self) -> str | None:
        """The curve that another depth has, too; None if there is none."""
        for what, got in self._curves.items():
            others = (self._other(depth).curve(what) for depth in self.case.depths if depth != self.depth)
            if got is not None and any(other is not None and _begin_alike(got, other) for other in others):
                return what
        return None

    def _find(self, what: str) -> np.ndarray | None:
        if self.seen.raised("result"):
            return None
        tables, asked = list(_tables(self.seen["result"])), {str(depth) for depth in self.case.depths}
        of_depth = [(keys, table) for keys, table in tables if str(self.depth) in keys]
        place = 0 if of_depth else self.place
        candidates = of_depth or [(keys, table) for keys, table in tables if asked.isdisjoint(keys)]
        named = [table for keys, table in candidates if what in keys]
        alike = [table for keys, table in candidates if (table.shape[1] > 1) == (what == "grad_norms")]
        found = named or alike
        if place >= len(found):
            return None
        table = found[place]
        return table.T if table.shape[1] == self.case.steps != len(table) else table

    def shift(self, what: str) -> int | None:
        """0 where the curve is right, 1 or -1 where it is that of one step later or earlier, None where it is neither.
        """
        shifts = (self._shift_from(what, wanted) for wanted in self._readings(what))
        return next((shift for shift in shifts if shift is not None), None)

    @cached_property
    def trained_right(self) -> bool:
        """Whether the losses alone show that every update was right."""
        got = self.curve("loss")
        enough = got is not None and len(_filled(got)) >= self.case.steps - 1
        return enough and self._shift_from("loss", _table(self._right["loss"])) is not None

    def _readings(self, what: str) -> Iterator[np.ndarray]:
        """What the curve may be."""
        yield _table(self._right[what])
        if self.own is not None and not self.trained_right:
            own = _table(self.own[what])
            if np.isfinite(own[0]).all():  # not so where no gradient was ever computed
                still = np.repeat(own[-1:], self.case.steps - len(own), axis=0)  # a network that stays as it is
                yield np.concatenate([own, still])

    def truth(self, what: str) -> np.ndarray:
        """What the curve should be."""
        return list(self._readings(what))[-1]

    def _shift_from(self, what: str, wanted: np.ndarray) -> int | None:
        got = self.curve(what)
        if got is None or got.shape[1] != wanted.shape[1]:
            return None
        got = _filled(got)
        for shift in (0, 1, -1):
            some, others = got[max(-shift, 0) :], wanted[max(shift, 0) :]
            n = min(len(some), len(others))
            if n > abs(shift) and is_close("", *_compared(some[:n], others[:n])):
                return shift
        return None

    def require_right(self, what: str) -> None:
        """The curve is right, or that of one step later or earlier."""
        if self.shift(what) is not None:
            return
        got, wanted = self.curve(what), self.truth(what)
        if got is None or got.shape[1] != wanted.shape[1]:
            self.require_form()
            self.fail(_("{name} could not be found.").format(name=self.name(what)))
        n = min(len(got), len(wanted))
        values = _compared(got[:n], wanted[:n])
        close(self.name(what), *(v[:, 0] for v in values) if what == "loss" else values)

    def require_any(self) -> None:
        """At least one of the two curves is right, whatever it is called."""
        if all(self.shift(what) is None for what in CURVES):
            self.require_right("loss")


def _listed(keys: Any) -> str:
    return ", ".join(repr(key) if type(key) is not str else f'"{key[:60]}"' for key in list(keys)[:8])


def _holds_texts(value: Any) -> bool:
    while type(value) in (list, tuple) and value:
        value = value[0]
    return type(value) is str or type(value) is Opaque and value.type.startswith("ndarray of <U")


def _table(curve: Any) -> np.ndarray:
    return np.asarray(curve, dtype=float).reshape(len(curve), -1)


def _tables(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    """Every array of numbers in a result, one row per item, with the keys that lead to it."""
    found = numbers(value)
    if found is not None and found.dtype.kind in "iuf":
        if found.ndim and found.size:
            yield keys, _table(found)
    elif type(value) is dict:
        for key in list(value)[:MOST_ITEMS]:
            yield from _tables(value[key], (*keys, str(key)))
    elif type(value) in (list, tuple):
        for item in value[:MOST_ITEMS]:
            yield from _tables(item, keys)


def _filled(table: np.ndarray) -> np.ndarray:
    """`table` without the zeros at its end: an array that was made for all steps, and not filled."""
    return table[: np.flatnonzero(table.any(axis=1)).max(initial=0) + 1]


def _begin_alike(one: np.ndarray, other: np.ndarray) -> bool:
    n = min(len(one), len(other))
    return np.array_equal(one[:n], other[:n])


def _compared(got: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(got, wanted, scale) up to the first value that is not finite, or would not be in a float32 record.

    Later rows are set alike, so that the index in a message stays the step's number. The scale of a value is the
    largest of its curve so far: where gradients vanish, all layers but the last have small ones, and where they
    explode, so do the first steps.
    """
    compared = np.logical_and.accumulate((np.abs(wanted) < np.finfo(np.float32).max).all(axis=1))[:, None]
    got, wanted = np.where(compared, got, 0.0), np.where(compared, wanted, 0.0)
    return got, wanted, np.maximum.accumulate(np.abs(wanted), axis=0)
