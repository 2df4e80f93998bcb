"""One depth of a study: what was recorded of it, what should have been, and what the student's own network did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from autograder.checks.exercise import Failed, Observation
from autograder.checks.expect import array, close, is_close, kind_of
from autograder.checks.values import numbers
from autograder.exercises.gradient_pathology.depth_study.probe import Study, flat, network
from autograder.layers import Layer, Linear, forward_backward
from autograder.locale import _

CURVES = ("loss", "grad_norms")


def runs_of(case: Study, seen: Observation, expected: Observation) -> list[Run]:
    """A run for each depth, also where the result is written otherwise than asked: with other keys, or as a list."""
    result = seen["result"]
    if type(result) in (list, tuple):
        result = dict(zip(case.depths, result, strict=False))
    if type(result) is not dict or not result:
        raise Failed(_("depth_study should return a dict, but it is {kind}.").format(kind=kind_of(seen["result"])))
    by_name = {str(key): record for key, record in result.items()}
    return [Run(case, seen, expected, depth, by_name.get(str(depth))) for depth in case.depths]


@dataclass(frozen=True)
class Own:
    """What a student's own network was and did, one row per step.

    Attributes:
        loss, grad_norms: what should be recorded of it; the norms are those of the gradients that its layers held.
        grads, true_grads: all these gradients, and those of the loss, (steps, parameters).
        moves: what each update took from the parameters, (updates, parameters).
    """

    loss: np.ndarray
    grad_norms: np.ndarray
    grads: np.ndarray
    true_grads: np.ndarray
    moves: np.ndarray


class Run:
    """The record of one depth, None where there is none, and what it is judged by."""

    def __init__(self, case: Study, seen: Observation, expected: Observation, depth: int, record: Any) -> None:
        self.case, self.depth, self.record = case, depth, record
        self._seen, self._right = seen, expected["result"][depth]

    def name(self, what: str) -> str:
        """What a student knows the curve by."""
        return f'result[{self.depth}]["{what}"]'

    def shape(self, what: str) -> tuple[int, ...]:
        """The shape that the curve should have."""
        return (self.case.steps,) if what == "loss" else (self.case.steps, self.depth)

    def require_record(self) -> None:
        """There is a record for this depth."""
        if self.record is None:
            keys = ", ".join(repr(key) for key in list(self._seen["result"])[:8])
            raise Failed(
                _("The result has no entry for depth {depth}; its keys are {keys}.").format(depth=self.depth, keys=keys)
            )

    def curve(self, what: str) -> np.ndarray | None:
        """A curve as far as it can be found, however it is named, turned or too long."""
        record, shape = self.record if type(self.record) is dict else {}, self.shape(what)
        for value in [record[what]] if what in record else record.values():
            curve = numbers(value)
            if curve is not None and curve.ndim and curve.dtype.kind in "iuf":
                curve = curve.T if curve.shape == shape[::-1] else curve
                if curve[: self.case.steps].shape == shape:
                    return curve[: self.case.steps].astype(float)
        return None

    @cached_property
    def trained_right(self) -> bool:
        """Whether the losses alone show that every update was right."""
        return self.curve("loss") is not None and self._shift_from("loss", self._right["loss"]) is not None

    @cached_property
    def own(self) -> Own | None:
        """The student's own network for this depth; None where none was seen that began as it was built."""
        states, place, depth = self._seen["states"], self.case.depths.index(self.depth), self.depth
        if depth not in states and len(states) > place:  # another one may have been asked for in its place
            depth = list(states)[place]
        if depth not in states or type(depth) is not int or not 2 <= depth <= 2 * max(self.case.depths):
            return None  # a forged depth would be no end of work for the grader
        layers, rows = network(self.case, depth), states[depth]
        if not np.array_equal(flat(layers, "params"), rows[0, 0]):
            return None
        records: list[tuple[Any, ...]] = []
        with np.errstate(all="ignore"):
            for params, grads in rows[: self.case.steps]:
                _fill(layers, "params", params)
                loss, _norms = forward_backward(layers, self.case.X, self.case.t)
                true = flat(layers, "grads")
                _fill(layers, "grads", grads)
                norms = [np.linalg.norm(layer.grads["W"]) for layer in layers if isinstance(layer, Linear)]
                records.append((loss, norms, grads, true))
            records += records[-1:] * (self.case.steps - len(records))  # a network that stays as it is
            losses, lengths, all_grads, all_true = map(np.array, zip(*records, strict=True))
            return Own(losses, lengths, all_grads, all_true, rows[:-1, 0] - rows[1:, 0])

    def shift(self, what: str) -> int | None:
        """0 where the curve is right, 1 where it is that of one step later, None where it is neither."""
        shifts = (self._shift_from(what, wanted) for wanted in self._readings(what))
        return next((shift for shift in shifts if shift is not None), None)

    def _readings(self, what: str) -> Iterator[np.ndarray]:
        """What the curve may be: the reference's, or that of the student's own network, if it was trained otherwise."""
        yield self._right[what]
        own = None if self.trained_right or self.own is None else getattr(self.own, what)
        if own is not None and np.isfinite(own[0]).all():  # not so where no gradient was ever computed
            yield own

    def _shift_from(self, what: str, wanted: np.ndarray) -> int | None:
        got = self.curve(what)
        if got is None or got.shape != wanted.shape:
            return None
        fits = (is_close("", *_compared(got[: len(got) - shift], wanted[shift:])) for shift in (0, 1))
        return next((shift for shift, holds in enumerate(fits) if holds), None)

    def require_right(self, what: str) -> None:
        """The curve is right, or that of one step later."""
        if self.shift(what) is not None:
            return
        got, *_nothing, wanted = self.curve(what), *self._readings(what)
        if got is None or got.shape != wanted.shape:
            got = self.require_form(what)
        close(self.name(what), *_compared(got, wanted))

    def require_form(self, what: str) -> np.ndarray:
        """The curve stands under its name, with the right shape."""
        if type(self.record) is not dict or what not in self.record:
            raise Failed(_("{name} is missing.").format(name=self.name(what)))
        return array(self.name(what), self.record[what], self.shape(what))

    def require_any(self) -> None:
        """At least one of the two curves is right, whatever it is called."""
        if all(self.shift(what) is None for what in CURVES):
            self.require_right("loss")

    def updates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each update of the own network: (factor, moves, what the factor times the gradients would move)."""
        if self.own is None or not self.own.moves.size:
            raise Failed(_("In the network of depth {depth}, no parameter was ever updated.").format(depth=self.depth))
        moves = self.own.moves
        grads = self.own.grads[: len(moves)]
        with np.errstate(all="ignore"):
            factors = np.sum(moves * grads, axis=1) / np.sum(np.where(moves != 0, grads, 0.0) ** 2, axis=1)
            return factors, moves, factors[:, None] * grads

    def parameter_names(self) -> list[str]:
        """For each parameter in a row of `flat`, what it belongs to."""
        layers = enumerate(network(self.case, self.depth))
        parts = [(i, name, p.size) for i, layer in layers for name, p in layer.params.items()]
        return [f'layers[{i}].params["{name}"]' for i, name, size in parts for _element in range(size)]


def _fill(layers: list[Layer], what: str, row: np.ndarray) -> None:
    """The reverse of `flat`."""
    for layer in layers:
        for name, p in layer.params.items():
            getattr(layer, what)[name], row = row[: p.size].reshape(p.shape), row[p.size :]


def _compared(got: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(got, wanted, scale) up to the first value that is not finite, or would not be in a float32 record.

    Later rows are set alike, so that the index in a message stays the step's number. The scale of a value is the
    largest of its curve so far: where gradients vanish, all layers but the last have small ones, and where they
    explode, so do the first steps.
    """
    fits = np.abs(wanted.reshape(len(wanted), -1)) < np.finfo(np.float32).max
    compared = np.logical_and.accumulate(fits.all(axis=1)).reshape(-1, *[1] * (wanted.ndim - 1))
    got, wanted = np.where(compared, got, 0.0), np.where(compared, wanted, 0.0)
    return got, wanted, np.maximum.accumulate(np.abs(wanted), axis=0)
