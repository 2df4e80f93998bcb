"""One depth of a study: the curves that its result holds, and what they should be."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from typing import Any, NoReturn

import numpy as np

from autograder.checks.exercise import Failed, Observation
from autograder.checks.expect import array, close, is_close, kind_of
from autograder.checks.numeric import TOLERANCE, compare
from autograder.checks.values import numbers
from autograder.exercises.gradient_pathology.depth_study.probe import Study
from autograder.exercises.gradient_pathology.measures import measures
from autograder.layers import forward_backward
from autograder.locale import _

CURVES = ("loss", "grad_norms")
MOST_ITEMS = 50
"""No study has more depths or entries; a result that has is not searched to its end."""
LARGEST = np.finfo(np.float32).max
"""From here on a record may hold infinity."""


def runs_of(case: Study, seen: Observation, expected: Observation) -> list[Run]:
    """A run for each depth that was asked for."""
    return [Run(case, seen, expected, depth) for depth in case.depths]


class Run:
    """What is known of one depth.

    A curve is right if it is the reference's or, where the student's training went another way, that of the student's
    own network: one slip costs one promise.

    Attributes:
        result: what the study returned; None if an exception kept it from that.
        built: the depth of the network that was built for it.
        own: how that network was trained, see `Training.facts`; None if no data went through it as it was built.
        curves: those of `CURVES`, one row per step, however they are named, nested or turned; None where there is none.
    """

    def __init__(self, case: Study, seen: Observation, expected: Observation, depth: int) -> None:
        self.case, self.seen, self.depth, self._right = case, seen, depth, expected["result"][depth]
        self.built, self.own = self._training(seen["trained"])
        self.result = None if seen.raised("result") else seen["result"]
        tables = list(_tables(self.result))
        self.curves = {what: self._find(what, tables) for what in CURVES}

    def _training(self, trained: dict[int, Any]) -> tuple[int, dict[str, Any] | None]:
        """The network of this depth, or one that was built in its place; it counts if it began as it was built."""
        depths, start = self.case.depths, self._right["loss"][0]
        others = [depth for depth in trained if depth not in depths and depth <= 2 * max(depths)]
        built = self.depth if self.depth in trained else dict(zip(depths, others, strict=False)).get(self.depth)
        if built is None:
            return self.depth, None
        if built != self.depth:
            start = forward_backward(self.case.build(built), self.case.X, self.case.t)[0]
        own = trained[built]
        return built, own if abs(own["loss"][0] - start) <= TOLERANCE * start else None

    def name(self, what: str) -> str:
        """What a student knows the curve by."""
        return f'result[{self.depth}]["{what}"]'

    def fail(self, reason: str, **values: Any) -> NoReturn:
        """Fail for `reason`, or for the exception that kept the study from returning."""
        self.seen["result"]
        reason_in_full = reason.format(depth=self.depth, steps=self.case.steps, **values)
        raise Failed(reason_in_full, unwritten=reason == self.unwritten)

    @property
    def unwritten(self) -> str:
        """What the training lacks first, as long as it lacks a part."""
        if not self.seen["generators"]:
            return _("build_network was never called: there is no network yet.")
        if self.own is None:
            return _(
                "No data went through the network of depth {depth} as built: is the forward pass there, and reached?"
            )
        if np.isnan(self.own["derivative"]).any():
            return _("After a step, a layer has no gradient: the backward pass is missing, or leaves that layer out.")
        if not len(self.own["factors"]):
            return _(
                "Nothing in `layer.params` was changed: the update is missing or never reached, or its result is not "
                "put into `layer.params[name]`."
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
            self.fail(_("depth_study should return a dict, but it is {kind}."), kind=kind_of(result))
        if self.depth not in result:
            self.fail(_("The result has no entry for depth {depth}; its keys are {keys}."), keys=_listed(result))
        record = result[self.depth]
        if type(record) is not dict:
            self.fail(_("result[{depth}] should be a dict with two curves, but it is {kind}."), kind=kind_of(record))
        for what, shape in zip(CURVES, [(self.case.steps,), (self.case.steps, self.depth)], strict=True):
            name = self.name(what)
            if what not in record:
                keys = _listed(record)
                self.fail(_('result[{depth}] has the keys {keys}; "{what}" is asked for.'), keys=keys, what=what)
            found = numbers(record[what])
            if found is not None and not found.size:
                self.fail(self.unwritten or _("{name} is empty: nothing was recorded."), name=name)
            array(name, record[what], shape)

    def _find(self, what: str, tables: list[tuple[tuple[str, ...], np.ndarray]]) -> np.ndarray | None:
        """The curve among all tables of the result: by its depth, else by its place; by its name, else by its form."""
        depths = [str(depth) for depth in self.case.depths]
        by_depth = any(set(keys) & set(depths) for keys, _table in tables)
        place = 0 if by_depth else depths.index(str(self.depth))
        mine = [(keys, table) for keys, table in tables if not by_depth or str(self.depth) in keys]
        alike = [(keys, table) for keys, table in mine if (table.shape[1] > 1) == (what == "grad_norms")]
        named = [[table for keys, table in some if what in keys] for some in (alike, mine)]
        found = named[0] or [table for _keys, table in alike] or named[1]
        if place >= len(found):
            return None
        table = found[place]
        return table.T if table.shape[1] == self.case.steps != len(table) else table

    @cached_property
    def trained_right(self) -> bool:
        """Whether the losses alone show that every update was right."""
        got, right = self.curves["loss"], _table(self._right["loss"])
        enough = got is not None and len(got) >= self.case.steps - 1 and right[1, 0] < LARGEST
        return enough and self._shift_from("loss", right) is not None

    def truths(self, what: str) -> list[np.ndarray]:
        """What the curve may be; the last of them is named in messages."""
        right = _table(self._right[what])
        if self.own is None or not np.isfinite(self.own[what][0]).all():
            return [right]
        own = _table(self.own[what])
        still = np.repeat(own[-1:], self.case.steps - len(own), axis=0)  # of a network that stays as it is
        return [right, np.concatenate([own, still])]

    def stays_finite(self, what: str) -> bool:
        """Whether neither the right training nor the own one overflows."""
        return all(bool(np.isfinite(truth[-1]).all()) for truth in self.truths(what))

    def shift(self, what: str) -> int | None:
        """0 if the curve is right, 1 or -1 if it is that of one step later or earlier, None if it is neither."""
        shifts = [self._shift_from(what, truth) for truth in self.truths(what)]
        return next((shift for shift in shifts if shift is not None), None)

    def _shift_from(self, what: str, truth: np.ndarray) -> int | None:
        got = self.curves[what]
        if got is None or got.shape[1] != truth.shape[1]:
            return None
        for shift in (0, 1, -1):
            n = min(len(got) - max(-shift, 0), len(truth) - max(shift, 0))
            if n > 0 and _agree(got[max(-shift, 0) :][:n], truth[max(shift, 0) :][:n]):
                return shift
        return 0 if _every(got, truth) > 1 else None

    def require_right(self, what: str) -> None:
        """The curve is right, or that of one step later or earlier."""
        if self.shift(what) is None:
            got, truth = self.curves[what], self.truths(what)[-1]
            if got is None or got.shape[1] != truth.shape[1]:
                self.require_form()
                self.fail(_("{name} was not found."), name=self.name(what))
            if got.dtype.kind == "f" and not np.any(got):  # integers keep no decimals
                text = _("{name} is 0 everywhere: nothing has been put into it yet.")
                raise Failed(text.format(name=self.name(what)), unwritten=True)
            n = min(len(got), len(truth))
            all_there = len(got) == len(truth)
            got, wanted, scale = _compared(got[:n], truth[:n])
            rows = (slice(None), 0) if what == "loss" else slice(None)
            words = partial(self._in_words, what, got, wanted, all_there)
            close(self.name(what), got[rows], wanted[rows], scale[rows], words)

    def _in_words(self, what: str, got: np.ndarray, wanted: np.ndarray, all_there: bool) -> str:
        """How the wrong curve came about, as far as its numbers show it."""
        if all_there and _agree(*(np.sort(table, axis=None)[:, None] for table in (got, wanted))):
            words = _(
                "{name} has the right shape and the right numbers, but in other places: in which order are they put "
                "in, or reshaped?"
            )
            return words.format(name=self.name(what))
        return self._measured(got[0]) if what == "grad_norms" else ""

    def _measured(self, row: np.ndarray) -> str:
        """What the first row holds of each Linear layer, if it is something else that people take for the norm."""
        layers = self.case.build(self.built)
        forward_backward(layers, self.case.X, self.case.t)
        linear = [layer for layer in layers if "W" in layer.params]
        of = {
            'grads["W"]': [[layer.grads["W"]] for layer in linear],
            'grads["b"]': [[layer.grads["b"]] for layer in linear],
            'grads["W"], grads["b"]': [[layer.grads["W"], layer.grads["b"]] for layer in linear],
            'params["W"]': [[layer.params["W"]] for layer in linear],
        }
        for part, of_each in of.items():
            for found in zip(*map(measures, of_each), strict=True):
                if is_close(row, [value for _measure, value in found]):
                    text = _("{name} holds {measure} of {part} in each layer.")
                    return text.format(name=self.name("grad_norms"), measure=found[0][0], part=part)
        return ""

    def require_begun(self) -> None:
        """At least one of the two curves begins nearly right, whatever it is called."""
        pairs = [(curve, truth) for what, curve in self.curves.items() for truth in self.truths(what)]
        if not any(_begins(curve, truth) for curve, truth in pairs if curve is not None):
            self.require_right("loss")


def shared(run: Run, runs: list[Run]) -> tuple[str, str] | None:
    """The curve that begins as that of another depth does, and the other one; None if there is none."""
    for what, mine in run.curves.items():
        if mine is None or np.array_equal(mine[:1], mine[1:2]):  # what never changes may be the same by itself
            continue
        for other in runs:
            curve = other.curves[what]
            if other is not run and curve is not None and np.array_equal(mine[:2], curve[:2]):
                return run.name(what), other.name(what)
    return None


def _listed(keys: dict[Any, Any]) -> str:
    return ", ".join(f'"{repr(key)[1:-1]}"' if type(key) is str else repr(key) for key in list(keys)[:8])


def _table(curve: Any) -> np.ndarray:
    return np.asarray(curve).reshape(len(curve), -1)  # integers stay integers: it is said of them


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


def _begins(curve: np.ndarray, truth: np.ndarray) -> bool:
    """Whether one of the first two rows is near one that should be."""
    rows = [(one, other) for one in curve[:2] for other in truth[:2] if one.shape == other.shape]
    return any(np.allclose(one, other, rtol=0.01, atol=0.0) for one, other in rows)


def _agree(one: np.ndarray, other: np.ndarray) -> bool:
    got, wanted, scale = _compared(one, other)
    near = np.all(np.abs(got - wanted) <= TOLERANCE * np.where(scale > 0, scale, 1.0))
    return bool(near) and compare(got, wanted, scale) is None  # which takes long to put a difference into words


def _every(got: np.ndarray, truth: np.ndarray) -> int:
    """2 if `got` is every second row of `truth`, and so on; 1 if it is nothing of this kind."""
    for every in range(2, len(truth)):
        for first in range(every):
            rows = truth[first::every]
            known = np.isfinite(rows).all(axis=1).sum() > 1  # after an overflow nothing is compared
            if len(rows) == len(got) and known and _agree(got, rows):
                return every
    return 1


def _compared(got: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(got, wanted, scale) up to the first value that is not finite, or would not be in a float32 record.

    Later rows are set alike, so that the index in a message stays the step's number. The scale of a value is the
    largest of its curve so far: where gradients vanish, all layers but the last have small ones, and where they
    explode, so do the first steps.
    """
    compared = np.logical_and.accumulate((np.abs(wanted) < LARGEST).all(axis=1))[:, None]
    got, wanted = (np.where(compared, table, np.zeros_like(table)) for table in (got, wanted))
    return got, wanted, np.maximum.accumulate(np.abs(wanted), axis=0)
