"""train: the loop that draws batches, propagates forwards and backwards, and lets the optimizer take a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, attempt
from autograder.checks.expect import close, kind_of, returned, unchanged
from autograder.checks.numeric import central_differences
from autograder.checks.values import numbers
from autograder.exercises.training_loop.descent import Arrays, network, parameters
from autograder.layers import Layer
from autograder.locale import _

LR = 0.3
"""The learning rate of the optimizer that watches: a step that long changes the loss visibly."""


@dataclass(frozen=True)
class Training:
    """One call of `train`: a network of tanh units, examples that all differ, and how long to train on them."""

    title: str
    params: Arrays
    X: np.ndarray
    t: np.ndarray
    epochs: int
    batch_size: int
    seed: int


def training(rng: np.random.Generator, title: str, n: int, batch_size: int, epochs: int = 2) -> Training:
    """A task with `n` examples."""
    shapes = [{"W": (2, 3), "b": (3,)}, {"W": (3, 1), "b": (1,)}]
    params = [{name: rng.standard_normal(shape) for name, shape in layer.items()} for layer in shapes]
    X, t = rng.standard_normal((n, 2)), 2 * rng.standard_normal((n, 1))
    return Training(title, params, X, t, epochs, batch_size, seed=int(rng.integers(1000)))


def draw_full(rng: np.random.Generator) -> list[Training]:
    """One batch of all examples: their order does not matter."""
    return [
        training(rng, "all examples are one batch", n=4, batch_size=4, epochs=3),
        training(rng, "one batch, and one epoch", n=6, batch_size=6, epochs=1),
    ]


def draw_batches(rng: np.random.Generator) -> list[Training]:
    """Several batches of one size."""
    return [
        training(rng, "three batches of four", n=12, batch_size=4),
        training(rng, "six batches of two", n=12, batch_size=2),
    ]


def draw_rest(rng: np.random.Generator) -> list[Training]:
    """The last batch is smaller than the others."""
    return [
        training(rng, "the last batch is smaller", n=11, batch_size=4),
        training(rng, "fewer examples than a batch holds", n=5, batch_size=8),
    ]


class Watch(Layer):
    """The first layer of the network: it passes everything on, and notes which batch is on its way back."""

    def __init__(self) -> None:
        super().__init__()
        self.batch: np.ndarray | None = None
        self.came_back: np.ndarray | None = None

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.batch = np.array(x, copy=True)
        return x

    def backward(self, dout: np.ndarray) -> np.ndarray:
        self.came_back = self.batch
        return dout


class Watcher:
    """Plain gradient descent that notes what it is given: the batch, the parameters and the gradients of each step."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.batches: list[Any] = []
        self.params: list[Any] = []
        self.grads: list[Any] = []

    def step(self, layers: list[Layer]) -> None:
        """One step."""
        known = [layer for layer in layers if layer.params]
        self.batches.append(self.watch.came_back)
        self.params.append(parameters(known))
        self.grads.append([{k: None if g is None else np.array(g) for k, g in x.grads.items()} for x in known])
        self.watch.came_back = None
        for layer in known:
            for name, array in layer.params.items():
                if layer.grads.get(name) is not None:
                    array -= LR * np.clip(layer.grads[name], -1, 1)


def trained(implementation: Implementation, case: Training, seed: int) -> tuple[Watcher, Any, list[np.ndarray]]:
    """What was watched in one training with a generator of this seed, what came back, and X and t afterwards."""
    watch = Watch()
    watcher, data = Watcher(watch), [case.X.copy(), case.t.copy()]
    settings = (case.epochs, case.batch_size, np.random.default_rng(seed))
    losses = attempt(lambda: implementation.train([watch, *network(case.params)], watcher, *data, *settings))
    return watcher, losses, data


def probe(implementation: Implementation, case: Training) -> Iterator[tuple[str, Any]]:
    """Trains; where there is an order to choose, again with an equal generator, and with another one."""
    watcher, losses, (X, t) = trained(implementation, case, case.seed)
    yield "losses", losses
    yield "batches", rows_of(watcher, case)
    yield "params", watcher.params
    yield "grads", watcher.grads
    yield "X", X
    yield "t", t
    if case.batch_size < len(case.X):
        yield "batches again", rows_of(trained(implementation, case, case.seed)[0], case)
        yield "batches of another generator", rows_of(trained(implementation, case, case.seed + 1)[0], case)


def rows_of(watcher: Watcher, case: Training) -> list[np.ndarray | None]:
    """For each step, the rows of X in its batch: -1 for one that is not there, None without a batch."""
    return [None if batch is None else _rows(batch, case.X) for batch in watcher.batches]


def _rows(batch: np.ndarray, X: np.ndarray) -> np.ndarray:
    if batch.ndim != 2 or batch.shape[1] != X.shape[1]:
        return np.array([-1])
    same = (batch[:, None, :] == X).all(axis=2)
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)


def example(case: Training) -> dict[str, Any]:
    """The arguments of `train`, but for the optimizer."""
    arguments = {"layers": network(case.params), "X": case.X, "t": case.t}
    return arguments | {
        "epochs": case.epochs,
        "batch_size": case.batch_size,
        "rng": np.random.default_rng(case.seed),
    }


train = Exercise(
    "train",
    Training,
    {"full": draw_full, "batches": draw_batches, "rest": draw_rest},
    probe,
    title="The training loop",
    example=example,
    calls="train(given.layers, SGD(lr=0.1), given.X, given.t, given.epochs, given.batch_size, given.rng)",
)


def batches_of(seen: Observation) -> list[np.ndarray]:
    """The rows of the batch of each step.

    Raises:
        Failed: no step was taken, or one without a backward pass, or with other rows than those of X.
    """
    _raises_what_was_raised = seen["losses"]
    batches = seen["batches"]
    if not batches:
        raise Failed(_("`optimizer.step(layers)` is never called."), unwritten=True)
    for step, rows in enumerate(batches, start=1):
        if rows is None:
            text = _(
                "Before step {step}, nothing came back to the first layer: go backwards through all layers, from the "
                "last to the first, before each `optimizer.step(layers)`."
            )
            raise Failed(text.format(step=step), unwritten=True)
        if not len(rows):
            raise Failed(_("Before step {step}, the network was given a batch without examples.").format(step=step))
        if np.min(rows) < 0:
            text = _("Before step {step}, the network was given something that is not a row of X.")
            raise Failed(text.format(step=step))
    return batches


def output(params: Arrays, X: np.ndarray) -> np.ndarray:
    """What the network says, in one line: this is asked for every element of every parameter."""
    hidden, last = params
    with np.errstate(all="ignore"):  # of what has exploded
        return np.tanh(X @ hidden["W"] + hidden["b"]) @ last["W"] + last["b"]


def gradient_by_differences(params: Arrays, layer: int, name: str, X: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The gradient of the mean squared error with respect to one parameter."""

    def moved(array: np.ndarray) -> np.ndarray:
        changed = [own | {name: array} if number == layer else own for number, own in enumerate(params)]
        return output(changed, X)

    with np.errstate(all="ignore"):
        upstream = 2 * (output(params, X) - t) / t.size
        return central_differences(moved, params[layer][name], upstream, step=1e-5)


@train.check(points=2.0, on=("full", "batches"))
def test_gradient(case: Training, seen: Observation, expected: Observation) -> None:
    """At each step, the gradients are those of the mean squared error of one batch, as central differences say."""
    for step, rows in enumerate(batches_of(seen)):
        params, grads = seen["params"][step], seen["grads"][step]
        wanted = [
            {name: gradient_by_differences(params, layer, name, case.X[rows], case.t[rows]) for name in own}
            for layer, own in enumerate(params)
        ]
        scale = max(np.max(np.abs(g)) for own in wanted for g in own.values())
        for layer, own in enumerate(wanted):
            for name, g in own.items():
                where = _("the gradient of {name} of Linear layer {number} in step {step}")
                close(where.format(name=name, number=layer + 1, step=step + 1), grads[layer].get(name), g, scale)


@train.check(points=1.5, on=("full", "batches"))
def test_losses(case: Training, seen: Observation, expected: Observation) -> None:
    """One loss comes back for each step: that of its batch, before the step."""
    returned("train", seen["losses"], "return losses")
    batches, losses = batches_of(seen), numbers(seen["losses"])
    if losses is None:
        text = _("`losses` should be a list of numbers, but it is {kind}.")
        raise Failed(text.format(kind=kind_of(seen["losses"])))
    if losses.size != len(batches):
        text = _("{n} losses were returned for {steps} steps. Keep one for each step.")
        raise Failed(text.format(n=losses.size, steps=len(batches)))
    steps = zip(batches, seen["params"], strict=True)
    wanted = [np.mean((output(params, case.X[rows]) - case.t[rows]) ** 2) for rows, params in steps]
    close("losses", losses.reshape(-1), wanted)


@train.check(points=1.25, on=("full", "batches"))
def test_every_row(case: Training, seen: Observation, expected: Observation) -> None:
    """In each epoch, every example is used once, in batches of `batch_size` examples, with one step for each batch."""
    each_row_once(case, batches_of(seen))


@train.check(points=0.75, on="rest", needs=("every_row",))
def test_last_batch(case: Training, seen: Observation, expected: Observation) -> None:
    """Where `batch_size` does not divide the number of examples, the last batch of an epoch holds the rest."""
    each_row_once(case, batches_of(seen))


def each_row_once(case: Training, batches: list[np.ndarray]) -> None:
    """Require as many batches as there should be, with the sizes that they should have, and every row once an epoch.

    Raises:
        Failed: they are others.
    """
    n = len(case.X)
    sizes = [min(case.batch_size, n - start) for start in range(0, n, case.batch_size)]
    if len(batches) != case.epochs * len(sizes):
        text = _("{n} steps were taken. {epochs} epochs with {per_epoch} batches each make {wanted} steps.")
        wanted = case.epochs * len(sizes)
        raise Failed(text.format(n=len(batches), epochs=case.epochs, per_epoch=len(sizes), wanted=wanted))
    for epoch in range(case.epochs):
        own = batches[epoch * len(sizes) : (epoch + 1) * len(sizes)]
        if sorted(map(len, own)) != sorted(sizes):
            text = _("In epoch {epoch}, the batches hold {got} examples, but {wanted} were expected.")
            got, right = (", ".join(map(str, lengths)) for lengths in (map(len, own), sizes))
            raise Failed(text.format(epoch=epoch + 1, got=got, wanted=right))
        times = np.bincount(np.concatenate(own), minlength=n)
        if (times != 1).any():
            row = int(np.argmax(times != 1))
            text = _("In epoch {epoch}, row {row} of X is used {times} times.")
            raise Failed(text.format(epoch=epoch + 1, row=row, times=times[row]))


@train.check(points=1.0, on="batches", needs=("every_row",))
def test_new_order(case: Training, seen: Observation, expected: Observation) -> None:
    """Every epoch has a new order of the examples, drawn with `rng` and nothing else."""
    order, again, other = (
        np.concatenate(seen[key]) for key in ("batches", "batches again", "batches of another generator")
    )
    epochs = order.reshape(case.epochs, -1)
    if (epochs == epochs[0]).all():
        raise Failed(_("Every epoch uses the rows in the same order: {order}.").format(order=epochs[0].tolist()))
    if not np.array_equal(order, again):
        raise Failed(_("Two calls with equal generators use the rows in different orders: draw with `rng` alone."))
    if np.array_equal(order, other):
        raise Failed(_("Another generator gives the same order: draw it with `rng`."))


@train.check(points=0.5, on=("full", "batches"))
def test_data_stay(case: Training, seen: Observation, expected: Observation) -> None:
    """The caller's `X` and `t` stay unchanged."""
    batches_of(seen)
    unchanged("X", case.X, seen["X"])
    unchanged("t", case.t, seen["t"])
