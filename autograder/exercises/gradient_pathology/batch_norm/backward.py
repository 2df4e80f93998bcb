"""batch_norm_backward: the derivative of the training forward.

The gradients are those of the formula, on the reference's x_hat or on that which the student's own forward shows, and
they are the derivatives of the own forward. In dx three ways meet: dout handed on, and what comes through the mean and
through the variance. Each is a promise, and the last two are judged against dout as it was handed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, attempt
from autograder.checks.expect import array, close, in_words, is_close, unchanged
from autograder.checks.numeric import central_differences
from autograder.checks.values import Raised
from autograder.exercises.gradient_pathology.batch_norm.paths import (
    MEAN,
    VARIANCE,
    Reading,
    factor_of,
    name_of,
    readings,
    wrong_way_in_words,
)
from autograder.exercises.gradient_pathology.batch_norm.shared import (
    GRADIENTS,
    MIXED,
    NEW_LAYER,
    WIDE,
    Batch,
    Batches,
    Gradients,
    alone,
    as_example,
    divides,
    either,
    holds,
    is_straight,
    natural_scale,
    new_layer,
    one_array,
    output_of,
    output_scale,
    random_batches,
    right_gradients,
    run_forward,
    shown_x_hat,
    spread_of,
    training_mode,
)
from autograder.exercises.gradient_pathology.batch_norm.words import factor_in_words, way_in_words
from autograder.layers import Layer
from autograder.locale import _


def draw_batches(rng: np.random.Generator) -> list[Batches]:
    """A batch, and one more for another layer, of N that differs from D: of 3 examples or fewer, next to nothing is
    left of dx.
    """
    eps = float(rng.uniform(0.01, 0.05))
    return [
        Batches("columns of moderate spread", random_batches(rng, (6, 6), WIDE)),
        Batches("columns of very different spread", random_batches(rng, (7, 4), MIXED)),
        Batches("another eps", random_batches(rng, (8, 5), (0.1, 0.3, 1.0)), eps=eps),
    ]


def probe_backward(implementation: Implementation, case: Batches) -> Iterator[tuple[str, Any]]:
    """Forward and backward, and backward again for another upstream gradient; then, in another layer, both, two more
    forwards and a backward. A third layer runs between those, as in every network."""
    (first, second), mode = case.batches, training_mode(implementation, case)
    trial, *layers = (new_layer(implementation, case, mode) for _layer in range(5))
    run_forward(trial, first, first["x"].copy())
    raised = attempt(trial.backward, first["dout"].copy())
    yield "first call", raised if isinstance(raised, Raised) else None
    if isinstance(raised, Raised):  # a sum that cannot begin with None is charged once
        for layer in layers:
            layer.grads.update(gamma=np.zeros(case.width), beta=np.zeros(case.width))
    layer, later, bystander, probed = layers
    x, dout = first["x"].copy(), first["dout"].copy()
    yield "y", run_forward(layer, first, x)
    yield "x after forward", x
    yield "dx", layer.backward(dout)
    yield "dgamma", layer.grads.get("gamma")
    yield "dbeta", layer.grads.get("beta")
    yield "dout", dout
    yield "x after backward", x
    yield "dx again", attempt(layer.backward, 2 * first["dout"])
    yield "dgamma again", layer.grads.get("gamma")
    yield "dbeta again", layer.grads.get("beta")
    run_forward(later, first, first["x"].copy())
    later.backward(first["dout"].copy())
    run_forward(later, first, first["x"][::-1].copy())  # backward belongs to the last forward, not to this one
    yield "y second", run_forward(later, second, second["x"].copy())
    run_forward(bystander, second, second["x"][::-1].copy())
    yield "dx second", later.backward(second["dout"].copy())
    bystander.backward(second["dout"].copy())
    yield "dgamma second", later.grads.get("gamma")
    yield "dbeta second", later.grads.get("beta")
    yield from _numerical_gradients(probed, case)


def _numerical_gradients(layer: Layer, case: Batches) -> Iterator[tuple[str, Any]]:
    """Central differences of the layer's own forward with respect to x, gamma and beta.

    Whole rows move at a time: in a forward that normalises, no column depends on another.
    """
    batch, dout = case.batches[0], case.batches[0]["dout"]

    def with_parameter(name: str) -> Any:
        return lambda value: alone(run_forward(layer, {**batch, name: value}, batch["x"].copy()))

    def with_input(x: np.ndarray) -> Any:
        return alone(run_forward(layer, batch, x))

    yield (
        "numerical dx",
        central_differences(with_input, batch["x"], dout, 1e-5 * spread_of(batch, case.eps), by_row=True),
    )
    for name in ("gamma", "beta"):
        yield f"numerical d{name}", central_differences(with_parameter(name), batch[name], dout, 1e-5, by_row=True)


batch_norm_backward = Exercise(
    "batch_norm_backward",
    Batches,
    {"batches": draw_batches},
    probe_backward,
    title="BatchNorm backward pass",
    solution="batch_norm",
    runs_all=False,  # in training alone
    defines="BatchNorm",
    example=as_example,
    expects=lambda seen: [{name: seen[name + which] for name in GRADIENTS} for which in ("", " second")],
    calls=NEW_LAYER
    + """
    print(layer.backward(batch["dout"]), layer.grads)
print(given.expected)""",
)


def _batch(case: Batches, which: str) -> Batch:
    """The first or the " second" batch."""
    return case.batches[1 if which else 0]


def _candidates(case: Batches, seen: Observation, expected: Observation, which: str = "") -> list[Gradients]:
    """The right gradients of the first or the " second" batch."""
    right = {gradient: expected[gradient + which] for gradient in GRADIENTS}
    return right_gradients(_batch(case, which), seen["y" + which], right)


def _gradient(gradient: str, value: Any) -> Any:
    """A gradient that was returned or set, alone; `Failed` where it is None."""
    if gradient == "dx":
        return one_array(GRADIENTS[gradient], value)
    if value is None:
        message = _("{name} is still None: is it set in backward?").format(name=GRADIENTS[gradient])
        raise Failed(message, unwritten=True)
    return value


def _judge(gradient: str, case: Batches, seen: Observation, candidates: list[Any], which: str = "") -> None:
    """The gradient for the first or the " second" batch is that of one of the candidates."""
    name, batch = GRADIENTS[gradient], _batch(case, which)
    got = _gradient(gradient, seen[gradient + which])
    if which:
        name = _("After a forward with another batch, {name}").format(name=name)

    def judge(right: Any) -> None:
        wanted = array(gradient, right[gradient], batch["x" if gradient == "dx" else gradient[1:]].shape)
        close(name, got, wanted, natural_scale(gradient, batch, wanted, spread_of(batch, case.eps)))

    either(candidates, judge)


@batch_norm_backward.check(points=1.0, on="batches")
def test_dbeta(case: Batches, seen: Observation, expected: Observation) -> None:
    """`grads["beta"]` is the gradient with respect to beta, of shape (D,)."""
    seen["first call"]  # told, if it raised
    _judge("dbeta", case, seen, [expected])


@batch_norm_backward.check(points=1.0, on="batches")
def test_dgamma(case: Batches, seen: Observation, expected: Observation) -> None:
    """`grads["gamma"]` is the gradient with respect to gamma, of shape (D,)."""
    _judge("dgamma", case, seen, _candidates(case, seen, expected))


def _own_dx(case: Batches, seen: Observation, expected: Observation) -> list[Reading]:
    """The ways of reading the student's dx; `Failed` where it hands on something else than dout."""
    batch = case.batches[0]
    dx = array("backward(dout)", _gradient("dx", seen["dx"]), batch["dout"].shape)
    if not np.isfinite(dx).all():
        raise Failed(_("{name} is not finite.").format(name="backward(dout)"))
    found = readings(dx, batch, shown_x_hat(expected["y"], batch), spread_of(batch, case.eps))
    if not found:
        _judge("dx", case, seen, [expected])
    return found


def _right_dx(case: Batches, seen: Observation, expected: Observation) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each right dx, and how many times it hands dout on, by column."""
    batch, right = case.batches[0], [candidate["dx"] for candidate in _candidates(case, seen, expected)]
    return [(dx, factor_of(dx, batch, shown_x_hat(expected["y"], batch))) for dx in right]


@batch_norm_backward.check(points=2.0, on="batches")
def test_dx_direct(case: Batches, seen: Observation, expected: Observation) -> None:
    """`backward(dout)` is the gradient with respect to x: on the direct path, dout times gamma, divided by the root."""
    one_array("backward(dout)", seen["dx"], strictly=True)
    name = _("In backward(dout), the factor of dout in column ")

    def judge(candidate: tuple[Reading, tuple[np.ndarray, np.ndarray]]) -> None:
        own, (_dx, wanted) = candidate
        words = partial(factor_in_words, own.factor, case.batches[0], case.eps)
        in_words(words, close, name, own.factor, wanted, np.abs(wanted))

    either(product(_own_dx(case, seen, expected), _right_dx(case, seen, expected)), judge)


@batch_norm_backward.check(points=0.75, on="batches")
def test_dx_through_mean(case: Batches, seen: Observation, expected: Observation) -> None:
    """Since x also moves the batch's mean, every column of dx sums to 0."""
    _judge_way(MEAN, "backward(dout).sum(axis=0)", np.ones_like, case, seen, expected)


@batch_norm_backward.check(points=1.25, on="batches")
def test_dx_through_variance(case: Batches, seen: Observation, expected: Observation) -> None:
    """Since x also moves the batch's variance, dx * x_hat sums to almost 0 in every column (eps leaves a little)."""
    _judge_way(VARIANCE, "(backward(dout) * x_hat).sum(axis=0)", np.array, case, seen, expected)


def _judge_way(
    way: str, name: str, direction: Callable[..., Any], case: Batches, seen: Observation, expected: Observation
) -> None:
    """What comes through the mean or the variance, a multiple of ones or of x_hat, is right beside what dx hands on."""
    found, right = _own_dx(case, seen, expected), _right_dx(case, seen, expected)
    sure = [own for own in found if own.wrong and _is_sure(own, right, case)]
    for how in [own.wrong[way] for own in sure if way in own.wrong][:1]:
        in_words(partial(wrong_way_in_words, way, how), _judge, "dx", case, seen, [expected])
    if not sure:
        _require_ways(found[0], case)
    root, along = spread_of(case.batches[0], case.eps), direction(shown_x_hat(expected["y"], case.batches[0]))

    def judge(candidate: tuple[Reading, tuple[np.ndarray, np.ndarray], bool]) -> None:
        own, (right_dx, direct), own_factor = candidate
        dout, dx, factor = case.batches[0]["dout"], own.dx, own.factor
        got, times = (dx, factor / direct) if own_factor else (dx + (direct - factor) * dout, np.ones_like(factor))
        wanted = times * (right_dx * along).sum(axis=0)
        scale = np.abs(times) * natural_scale("dx", case.batches[0], expected["dx"], root) * len(dx)
        zero = np.abs(wanted) < 1e-6 * scale  # but for rounding, or an eps that cannot be seen
        own_part, right_part = (((d - f * dout) * along).sum(axis=0) for d, f in ((dx, factor), (right_dx, direct)))
        words = partial(way_in_words, name_of(way), own_part, right_part, scale, case.batches[0], case.eps)
        in_words(words, close, name, (got * along).sum(axis=0), np.where(zero, 0.0, wanted), scale)

    # The way is right beside the own factor, or beside the right one.
    usable = [own for own in found if way not in own.wrong]
    either(product(usable, right, (True, False)), judge)


def _is_sure(own: Reading, right: list[tuple[np.ndarray, np.ndarray]], case: Batches) -> bool:
    """Whether a path is summed the wrong way: what each dout takes alone looks like a smaller factor of dout."""
    batch = case.batches[0]
    others = (1.0, batch["gamma"], 1 / spread_of(batch, case.eps))  # gamma or the root may be missing as well
    factors = (factor / other for _dx, factor in right for other in others)
    return own.certain or any(is_close(own.factor, factor, np.abs(factor)) for factor in factors)


def _require_ways(own: Reading, case: Batches) -> None:
    """`Failed` where dx is dout alone, handed on."""
    direct = own.factor * case.batches[0]["dout"]
    if is_close(own.dx, direct, np.abs(direct).max(axis=0)):
        raise Failed(
            _(
                "backward(dout) is dout times one number in each column: nothing of it comes through mean and "
                "variance, or it comes out as 0."
            )
        )


@batch_norm_backward.check(points=0.5, on="batches")
def test_own_forward(case: Batches, seen: Observation, expected: Observation) -> None:
    """All three gradients are the derivatives of your own forward, as small steps of x, gamma and beta show them."""
    # What a process says of its own numerical gradient is not simply believed, and where the output is the formula's,
    # so is the derivative, also of a forward in float32, which shows none in steps as small.
    y = output_of(seen["y"], case.batches[0]["x"])
    right = is_close(y, expected["y"], output_scale(expected["y"], case.batches[0]))
    if not right and not _normalises(case, seen):
        raise Failed(
            _("forward(x) does not normalize its columns yet, so there is no derivative to compare with."),
            unwritten=True,
        )
    for gradient in GRADIENTS:
        if right:
            _judge(gradient, case, seen, [expected])
        else:
            own = [{gradient: seen[f"numerical {gradient}"]}]
            in_words(
                lambda: _("Small steps of your own forward show another gradient."), _judge, gradient, case, seen, own
            )


def _normalises(case: Batches, seen: Observation) -> bool:
    """Whether the own forward moves and stretches each column by numbers of its own."""
    x, x_hat = case.batches[0]["x"], shown_x_hat(seen["y"], case.batches[0])
    return is_straight(x, x_hat) and divides(x, x_hat)


@batch_norm_backward.check(points=0.75, on="batches")
def test_repeatable(case: Batches, seen: Observation, expected: Observation) -> None:
    """Each call overwrites the gradients and does not add them up; x and dout stay as they were."""
    dout = case.batches[0]["dout"]
    unchanged("dout", dout, seen["dout"])
    unchanged("x", seen["x after forward"], seen["x after backward"])
    gradients = {gradient: alone(seen[gradient]) for gradient in GRADIENTS}
    arrays = {gradient: value for gradient, value in gradients.items() if isinstance(value, np.ndarray)}
    arrays = {gradient: value for gradient, value in arrays.items() if value.size and np.isfinite(value).all()}
    if not any(value.any() and not np.array_equal(value, dout) for value in arrays.values()):
        raise Failed(_("There is no gradient yet that could be computed again."), unwritten=True)
    for gradient in arrays:
        _judge_again(gradient, seen)


def _judge_again(gradient: str, seen: Observation) -> None:
    # Exactly twice, since nothing is lost in doubling; neither a sum nor what was kept of the first call is that.
    again = _("On a second call after one forward, with twice the dout, {name}").format(name=GRADIENTS[gradient])
    once = alone(seen[gradient])
    close(again, alone(seen[f"{gradient} again"]), 2 * once, np.abs(once).max())


@batch_norm_backward.check(points=0.75, on="batches")
def test_last_forward(case: Batches, seen: Observation, expected: Observation) -> None:
    """Backward belongs to the layer's last forward, whatever other layers do in between."""
    first, second = (_candidates(case, seen, expected, which) for which in ("", " second"))
    # Where the gradient of a first batch is wrong anyway, that of a later one tells nothing new.
    right = [gradient for gradient in GRADIENTS if holds(_judge, gradient, case, seen, first)]
    if not right:
        raise Failed(_("No gradient is right yet, so there is none to look at after another forward."), unwritten=True)
    for gradient in right:
        if holds(_judge_again, gradient, seen):
            _judge(gradient, case, seen, second, " second")
