"""What the three exercises on BatchNorm share: batches, their natural scales, and how a layer is driven."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.exercise import Failed, Implementation, Observation, StudentError, attempt
from autograder.checks.expect import array, close, is_close
from autograder.layers import Layer
from autograder.locale import _

Batch = dict[str, np.ndarray]
"""One training or prediction step: the input `x` (N, D), the upstream gradient `dout` (N, D), and the parameters
`gamma` and `beta` (D,) to set before the forward."""

Gradients = dict[str, np.ndarray]
"""By the names of `GRADIENTS`."""


@dataclass(frozen=True)
class Batches:
    """Batches given one after the other to a layer in training, and what it predicts then; {} if nothing."""

    title: str
    batches: list[Batch]
    prediction: Batch = field(default_factory=dict)
    eps: float = 1e-5
    momentum: float = 0.9

    @property
    def width(self) -> int:
        """The number of features."""
        return len(self.batches[0]["gamma"])


WIDE = (2.0, 3.0, 5.0)
"""Spreads at which eps = 1e-5 cannot be seen: it moves the output by 1.3e-6 of its scale at most."""

MIXED = (3e-3, 1e-2, 0.3, 1.0, 5.0)
"""Spreads at which a misplaced or forgotten eps moves the output by 0.4 of its scale in the first column."""

STRAIGHT = 1e-2
"""How far, as a share of its largest value, x_hat may be from a straight line in x. In every forward that takes off a
mean and divides by a deviation it is one."""

GRADIENTS = {"dx": "backward(dout)", "dgamma": 'grads["gamma"]', "dbeta": 'grads["beta"]'}
"""What students know the gradients by."""


def random_batch(
    rng: np.random.Generator, n: int, spreads: Sequence[float], affine: bool = True, outlier: bool = False
) -> Batch:
    """`n` examples of columns with exactly these spreads; gamma is 1 and beta 0 unless `affine`.

    With `outlier` the first example lies nearly as far out as one of `n` can: at sqrt(n - 1) spreads from the mean.
    """
    d = len(spreads)
    center, noise = rng.uniform(-2, 2, d), rng.standard_normal((n, d))
    if outlier:
        noise[0] = 100 * rng.choice([-1.0, 1.0], d)
    if n > 1:  # a column that is nearly constant by chance would leave float32 few digits
        noise = (noise - noise.mean(axis=0)) / noise.std(axis=0)
    gamma = rng.uniform(0.5, 2, d) * rng.choice([-1.0, 1.0], d)
    gamma[0] = -abs(gamma[0])
    return {
        "x": (center + noise) * spreads,
        "dout": rng.standard_normal((n, d)),
        "gamma": gamma if affine else np.ones(d),
        "beta": rng.normal(0.5, 1, d) if affine else np.zeros(d),
    }


def random_batches(rng: np.random.Generator, sizes: Sequence[int], spreads: Sequence[float]) -> list[Batch]:
    """One batch after the other, for one layer. Each is half as wide again as the one before.

    So what a layer keeps of an earlier batch, be it only a deviation, does not fit a later one.
    """
    return [random_batch(rng, n, [1.5**i * spread for spread in spreads]) for i, n in enumerate(sizes)]


def new_layer(implementation: Implementation, case: Batches, training: bool) -> Any:
    """A new layer for the case's features, with its eps and momentum."""
    layer = implementation.BatchNorm(case.width, eps=case.eps, momentum=case.momentum)
    layer.training = training
    return layer


def training_mode(implementation: Implementation, case: Batches) -> bool:
    """The value of `training` with which forward uses the statistics of the batch: True, unless False alone does.

    So a flag that is read the wrong way round is charged where the mode is asked for, and nowhere else.
    """
    return _mixes_rows(implementation, case, True) or not _mixes_rows(implementation, case, False)


def require_mode(seen: Observation) -> None:
    """`Failed` where False alone uses the statistics of the batch."""
    if not seen["mode"]:
        raise Failed(
            _("With training = True, forward(x) does not use the statistics of x, but with training = False it does.")
        )


def _mixes_rows(implementation: Implementation, case: Batches, training: bool) -> bool:
    """Whether the output of the first example depends on the others."""
    batch = case.batches[0]

    def first_row(others: float) -> Any:
        x = batch["x"].copy()
        x[1:] *= others
        layer = new_layer(implementation, case, training)
        return np.array(alone(run_forward(layer, batch, x))[0], dtype=float)

    one, other = (attempt(first_row, others) for others in (1.0, 2.0))
    return all(isinstance(row, np.ndarray) for row in (one, other)) and not np.array_equal(one, other, equal_nan=True)


NEW_LAYER = """\
layer = BatchNorm(given.n_features, eps=given.eps, momentum=given.momentum)
for batch in given.batches:
    layer.params.update(gamma=batch["gamma"], beta=batch["beta"])
    print(layer.forward(batch["x"]))"""
"""The lines that give the batches of an example to a layer in training."""


def as_example(case: Batches) -> dict[str, Any]:
    """What `NEW_LAYER` uses."""
    return {"n_features": case.width, "eps": case.eps, "momentum": case.momentum, "batches": case.batches}


def run_forward(layer: Layer, batch: Batch, x: np.ndarray, in_place: bool = False) -> Any:
    """The output for `x` with the batch's parameters: new arrays, or new values in the old ones, as optimisers do."""
    for name in ("gamma", "beta"):
        if in_place:
            layer.params[name][...] = batch[name]
        else:
            layer.params[name] = batch[name].copy()
    return layer.forward(x)


def spread_of(batch: Batch, eps: float) -> np.ndarray:
    """The root of variance plus eps, by column."""
    return np.hypot(batch["x"].std(axis=0), eps**0.5)


def output_scale(expected: np.ndarray, batch: Batch) -> np.ndarray:
    """The natural scale of an output, by column: its largest value, or gamma where that is larger.

    For gamma is the size of what beta is added to, which a single value of the sum may hide.
    """
    return np.maximum(np.abs(expected).max(axis=0), np.abs(batch["gamma"]))


def shown_x_hat(y: Any, batch: Batch) -> np.ndarray:
    """The normalised x (N, D) that an output `y` shows: what gamma and beta were applied to.

    Raises:
        Failed: it is not an output that depends on x.
    """
    output = output_of(y, batch["x"])
    return (output - batch["beta"]) / batch["gamma"]


def column_slope(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """How steeply x_hat grows with x, by column: what normalising multiplies x by."""
    centred = x - x.mean(axis=0)
    return (centred * x_hat).sum(axis=0) / np.square(centred).sum(axis=0)


def divides(x: np.ndarray, x_hat: np.ndarray) -> bool:
    """Whether a forward divides at all: one that does not has no dx of the formula's kind."""
    return not np.allclose(column_slope(x, x_hat), 1, rtol=1e-3)


def right_gradients(batch: Batch, y: Any, right: Gradients) -> list[Gradients]:
    """The `right` gradients of the reference, and the formula's, on the x_hat that the own output shows."""
    try:
        x_hat = shown_x_hat(y, batch)
    except Failed:
        return [right]
    own = {"dgamma": (batch["dout"] * x_hat).sum(axis=0)}
    if divides(batch["x"], x_hat):
        dx_hat = batch["dout"] * batch["gamma"]
        through = dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)
        own["dx"] = through * column_slope(batch["x"], x_hat)
    return [right, right | own]


def alone(value: Any) -> Any:
    """The first of several arrays that were returned; anything else as it is.

    That there are several is charged where the form is asked for, and nowhere else.
    """
    return value[0] if _are_several(value) and value[0].ndim == 2 else value


def _are_several(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) > 1 and isinstance(value[0], np.ndarray)


def one_array(name: str, value: Any, strictly: bool = False) -> Any:
    """What a method returned; `Failed` where it is None, or, `strictly`, where there are several arrays."""
    if value is None:
        raise Failed(
            _("{name} returned None: is the result worked out, and is there a `return`?").format(name=name),
            unwritten=True,
        )
    if _are_several(value) and (strictly or alone(value) is value):
        raise Failed(_("{name} returned {n} values; one array is asked for.").format(name=name, n=len(value)))
    return alone(value)


def require_change(normalised: np.ndarray, x: np.ndarray, name: str = "forward(x)") -> None:
    """`Failed` where what should be normalised is x itself."""
    if is_close(normalised, x):
        raise Failed(_("{name} does not normalize x yet.").format(name=name), unwritten=True)


def output_of(y: Any, x: np.ndarray, name: str = "forward(x)") -> np.ndarray:
    """`y` as an array (N, D); `Failed` where it is x itself, not finite, or the same for every example."""
    output = array(name, one_array(name, y), x.shape)
    require_change(output, x, name)
    if not np.isfinite(output).all():
        raise Failed(_("{name} is not finite.").format(name=name))
    if len(x) > 1 and not np.ptp(output, axis=0).all():
        raise Failed(_("{name} is the same for every example: it does not depend on x.").format(name=name))
    return output


def is_straight(x: np.ndarray, x_hat: np.ndarray) -> bool:
    """Whether x_hat moves and stretches every column of x by numbers of its own, as normalising does."""
    straight = column_slope(x, x_hat) * (x - x.mean(axis=0))
    bend = np.abs(x_hat - x_hat.mean(axis=0) - straight).max(axis=0)
    return bool((bend <= STRAIGHT * np.abs(x_hat).max(axis=0)).all())


def holds(judge: Callable[..., None], *args: Any) -> bool:
    """Whether `judge` is content."""
    try:
        judge(*args)
    except (Failed, StudentError):
        return False
    return True


def either(candidates: Iterable[Any], judge: Callable[[Any], None]) -> None:
    """`judge` is content with one of the candidates; what it says of the first one is told otherwise."""
    failures = []
    for candidate in candidates:
        try:
            return judge(candidate)
        except Failed as failed:
            failures.append(failed)
    raise failures[0]


def close_by_column(name: str, got: Any, expected: np.ndarray, batch: Batch) -> None:
    """`close`, where each column is measured against its own scale."""
    close(name, got, expected, output_scale(expected, batch))


def natural_scale(gradient: str, batch: Batch, expected: np.ndarray, spread: np.ndarray | float = np.inf) -> np.ndarray:
    """The natural scale of a gradient, by column, which does not shrink where a sum cancels.

    For dx it is at least what dx would be if mean and variance were constants, in columns of this spread.
    """
    if gradient != "dx":
        return np.abs(batch["dout"]).sum(axis=0)
    constant = np.abs(batch["gamma"] * batch["dout"]).max(axis=0) / spread
    return np.maximum(np.abs(expected).max(axis=0), constant)
