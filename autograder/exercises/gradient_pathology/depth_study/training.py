"""How a student trains a network: watched from inside its layers, and told as facts that a check can judge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import MethodType
from typing import Any

import numpy as np

from autograder.layers import Layer, MSELoss, forward_backward


class Training:
    """The states of all networks of one depth: [parameters, gradients that followed], each in one row."""

    def __init__(self, steps: int) -> None:
        self.steps, self.built = steps, 0
        self.states: list[list[np.ndarray]] = []

    def watch(self, layers: list[Layer]) -> None:
        """Note the state of `layers`, or of copies of them, whenever data pass."""
        self.built += 1
        network = list(layers)
        for place, watched in enumerate(layers):

            def forward(layer: Layer, x: np.ndarray, i: int = place) -> np.ndarray:
                network[i] = layer  # of a copied layer, this is the copy
                if i == 1:
                    self._note(network)
                return type(layer).forward(layer, x)

            def backward(layer: Layer, dout: np.ndarray, i: int = place) -> np.ndarray:
                dx = type(layer).backward(layer, dout)
                if i == 0:
                    self._keep_gradients(network)
                return dx

            vars(watched).update(forward=MethodType(forward, watched), backward=MethodType(backward, watched))

    def _note(self, network: list[Layer]) -> None:
        self._network = network
        if self.states and np.isnan(self.states[-1][1]).all():  # the backward of the first layer was never called
            self._keep_gradients(network)
        with suppress(Exception):  # odd things that a student may put into a layer
            params = _row(network, "params")
            new = not self.states or not np.array_equal(params, self.states[-1][0], equal_nan=True)
            if new and len(self.states) <= self.steps:
                self.states.append([params, np.full_like(params, np.nan)])

    def _keep_gradients(self, network: list[Layer]) -> None:
        with suppress(Exception):
            if self.states and len(self.states) <= self.steps:
                self.states[-1][1] = _row(network, "grads")

    @property
    def updates(self) -> int:
        """How often the parameters changed."""
        if self.states:
            self._note(self._network)
        return max(len(self.states) - 1, 0)

    @np.errstate(all="ignore")
    def facts(self, layers: list[Layer], X: np.ndarray, t: np.ndarray) -> dict[str, Any]:
        """What a record rests on; empty if no data passed.

        "built" counts the networks; "loss" and "grad_norms" are those of the first `steps` states that data passed, the
        norms being of the gradients that followed; "derivative" says how many times those of the loss the first ones
        are, and how large the rest is. For each update and each parameter: "factors", how many times its gradient was
        subtracted, NaN where it is lost in rounding; "astray", the part of the move that is not along it.

        Args:
            layers: a network of that depth.
        """
        passed = min(len(self.states), self.steps)
        if not passed:
            return {}
        self._note(self._network)
        params, grads = (np.array(rows) for rows in zip(*self.states, strict=True))
        names, sizes = zip(*parameters(layers), strict=True)
        weights = [name.endswith('["W"]') for name in names]

        def sums(rows: np.ndarray) -> np.ndarray:
            return np.add.reduceat(rows, np.cumsum((0, *sizes[:-1])), axis=1)

        losses = [_loss(layers, row, X, t) for row in params[1:passed]]
        _fill(layers, params[0])
        losses.insert(0, forward_backward(layers, X, t)[0])
        true, found = _row(layers, "grads"), grads[0]
        times = np.dot(found, true) / np.dot(true, true)

        moves, along, squares = params[:-1] - params[1:], grads[:-1], sums(grads**2)
        of, noise = squares[:-1], 1e-18 * np.sum(params[:-1] ** 2, axis=1, keepdims=True)
        factors = sums(moves * along) / np.where(of > 0, of, 1.0)
        rest = sums((moves - np.repeat(factors, sizes, axis=1) * along) ** 2)
        return {
            "built": self.built,
            "loss": np.array(losses),
            "grad_norms": np.sqrt(squares[:passed, weights]),
            "derivative": np.array([times, np.linalg.norm(found - times * true) / np.linalg.norm(true)]),
            "factors": np.where(of > noise, factors, np.nan),
            "astray": np.sqrt(rest / (np.sum(moves**2, axis=1, keepdims=True) + noise)),
        }


def parameters(layers: list[Layer]) -> Iterator[tuple[str, int]]:
    """Name and size of every parameter of a network, in the order of a state's row."""
    for i, layer in enumerate(layers):
        for name, p in layer.params.items():
            yield f'layers[{i}].params["{name}"]', p.size


def _row(layers: list[Layer], what: str) -> np.ndarray:
    """All parameters, or gradients, of a network; NaN for a gradient that is not there."""
    parts = [(p, getattr(layer, what)[name]) for layer in layers for name, p in layer.params.items()]
    return np.concatenate([np.full(p.size, np.nan) if v is None else np.asarray(v).reshape(p.size) for p, v in parts])


def _loss(layers: list[Layer], row: np.ndarray, X: np.ndarray, t: np.ndarray) -> float:
    """The loss with the parameters in `row`."""
    _fill(layers, row)
    for layer in layers:
        X = layer.forward(X)
    return MSELoss().forward(X, t)


def _fill(layers: list[Layer], row: np.ndarray) -> None:
    """Put the parameters in `row` into the layers."""
    for layer in layers:
        for name, p in layer.params.items():
            layer.params[name], row = row[: p.size].reshape(p.shape), row[p.size :]
