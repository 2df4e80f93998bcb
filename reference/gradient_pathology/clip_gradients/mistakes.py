"""Known mistakes in `clip_gradients`: the reference in steps, each mistake with one or two steps of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from reference.bank import Bank

bank = Bank(__file__, "clip_gradients")


def every_gradient(layers: list[Any]) -> list[np.ndarray]:
    """All gradients that are there, layer by layer."""
    return [g for layer in layers for g in layer.grads.values() if g is not None]


def only(*names: str) -> Callable[[list[Any]], list[np.ndarray]]:
    """A `gather` that looks at these names alone."""
    return lambda layers: [layer.grads[n] for layer in layers for n in names if layer.grads.get(n) is not None]


def refuse_nonfinite(gradients: list[np.ndarray]) -> None:
    if not all(np.isfinite(g).all() for g in gradients):
        raise ValueError("a gradient is not finite")


def refuse_nothing(gradients: list[np.ndarray]) -> None:
    """For mistakes about NaN and infinity."""


def global_norm(gradients: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.sum(g**2) for g in gradients)))


def multiply(arrays: Iterable[np.ndarray], factor: float) -> None:
    for array in arrays:
        array *= factor


def clip(
    layers: list[Any],
    max_norm: float = 1.0,
    *,
    gather: Callable = every_gradient,
    refuse: Callable = refuse_nonfinite,
    norm: Callable = global_norm,
    too_long: Callable = lambda total, limit: total > limit,
    factor: Callable = lambda total, limit: limit / total,
    scale: Callable = multiply,
) -> tuple[float, float]:
    """The reference, in steps that can be replaced."""
    gradients = gather(layers)
    refuse(gradients)
    total = norm(gradients)
    if not too_long(total, max_norm):
        return total, 1.0
    coefficient = factor(total, max_norm)
    scale(gradients, coefficient)
    return total, coefficient


# --- which norm ------------------------------------------------------------------------------------------------------


@bank.add("clip-per-layer")
def _(layers, max_norm=1.0):
    results = [clip([layer], max_norm) for layer in layers] or [(0.0, 1.0)]
    return max(total for total, _ in results), min(coefficient for _, coefficient in results)


@bank.add("clip-per-layer-with-global-norm")
def _(layers, max_norm=1.0):
    answer = clip(layers, max_norm, scale=lambda gradients, factor: None)
    for layer in layers:
        clip([layer], max_norm)
    return answer


@bank.add("clip-per-array-with-global-norm")
def _(layers, max_norm=1.0):
    answer = clip(layers, max_norm, scale=lambda gradients, factor: None)
    for g in every_gradient(layers):
        clip([], max_norm, gather=lambda _, g=g: [g])
    return answer


@bank.add("clip-per-array")
def _(layers, max_norm=1.0):
    results = [clip([], max_norm, gather=lambda _, g=g: [g]) for g in every_gradient(layers)] or [(0.0, 1.0)]
    return max(total for total, _ in results), min(coefficient for _, coefficient in results)


@bank.add("clip-sum-of-norms")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(sum(np.linalg.norm(g) for g in gradients)))


@bank.add("clip-root-forgotten")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: global_norm(gradients) ** 2)


@bank.add("clip-largest-norm")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(max(map(np.linalg.norm, gradients), default=0.0)))


@bank.add("clip-largest-entry")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(max((np.abs(g).max() for g in gradients), default=0.0)))


@bank.add("clip-sum-of-absolute-values")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(sum(np.abs(g).sum() for g in gradients)))


@bank.add("clip-mean-square")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(np.sqrt(sum(np.mean(g**2) for g in gradients))))


@bank.add("clip-root-mean-square")
def _(layers, max_norm=1.0):
    def norm(gradients):
        return global_norm(gradients) / np.sqrt(max(1, sum(g.size for g in gradients)))

    return clip(layers, max_norm, norm=norm)


@bank.add("clip-summed-before-squared")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(np.sqrt(sum(np.sum(g) ** 2 for g in gradients))))


@bank.add("clip-spectral-norm")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: np.sqrt(sum(np.linalg.norm(g, 2) ** 2 for g in gradients)))


# --- which gradients -------------------------------------------------------------------------------------------------


@bank.add("clip-weights-only")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, gather=only("W"))


@bank.add("clip-weights-and-biases-only")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, gather=only("W", "b"))


@bank.add("clip-biases-left-out")
def _(layers, max_norm=1.0):
    def all_but_biases(layers):
        return [g for layer in layers for name, g in layer.grads.items() if name != "b" and g is not None]

    return clip(layers, max_norm, gather=all_but_biases)


@bank.add("clip-norm-of-weights-only")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: global_norm([g for g in gradients if g.ndim == 2]))


@bank.add("clip-scales-weights-only")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, scale=lambda gradients, c: multiply([g for g in gradients if g.ndim == 2], c))


@bank.add("clip-last-layer-skipped")
def _(layers, max_norm=1.0):
    return clip(layers[:-1], max_norm)


@bank.add("clip-last-layer-not-scaled")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, scale=lambda _, c: multiply(every_gradient(layers[:-1]), c))


@bank.add("clip-layers-overwrite-each-other")
def _(layers, max_norm=1.0):
    """Gathered in one dictionary, where every layer's "W" takes the place of the one before."""
    return clip(
        layers,
        max_norm,
        gather=lambda layers: list(dict(kv for x in layers for kv in x.grads.items() if kv[1] is not None).values()),
    )


@bank.add("clip-stops-at-first-empty-layer")
def _(layers, max_norm=1.0):
    end = next((i for i, layer in enumerate(layers) if not layer.grads), len(layers))
    return clip(layers[:end], max_norm)


@bank.add("clip-none-crashes")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, gather=lambda layers: [g for layer in layers for g in layer.grads.values()])


@bank.add("clip-every-layer-has-weights")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, gather=lambda layers: [layer.grads[n] for layer in layers for n in ("W", "b")])


@bank.add("clip-none-becomes-zeros")
def _(layers, max_norm=1.0):
    for layer in layers:
        layer.grads = {n: np.zeros_like(layer.params[n]) if g is None else g for n, g in layer.grads.items()}
    return clip(layers, max_norm)


@bank.add("clip-none-dropped")
def _(layers, max_norm=1.0):
    for layer in layers:
        layer.grads = {name: g for name, g in layer.grads.items() if g is not None}
    return clip(layers, max_norm)


@bank.add("clip-weight-of-every-layer")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, gather=lambda layers: [layer.grads["W"] for layer in layers])


@bank.add("clip-sum-begins-anew")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: global_norm(every_gradient(layers[-1:])))


@bank.add("clip-sum-overwritten")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: global_norm(gradients[-1:]))


@bank.add("clip-norm-of-parameters")
def _(layers, max_norm=1.0):
    parameters = [p for layer in layers for p in layer.params.values()]
    return clip(layers, max_norm, refuse=lambda _: refuse_nonfinite(parameters), norm=lambda _: global_norm(parameters))


@bank.add("clip-first-layer-only")
def _(layers, max_norm=1.0):
    return clip(layers[:1], max_norm)


@bank.add("clip-root-of-the-sum-of-norms")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(np.sqrt(sum(map(np.linalg.norm, gradients)))))


# --- how they are scaled ---------------------------------------------------------------------------------------------


@bank.add("clip-by-value")
def _(layers, max_norm=1.0):
    total, coefficient = clip(layers, max_norm, scale=lambda gradients, c: None)
    for g in every_gradient(layers):
        np.clip(g, -max_norm, max_norm, out=g)
    return total, coefficient


@bank.add("clip-always-rescales")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, too_long=lambda total, limit: total > 0)


@bank.add("clip-loop-variable-rebound")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, scale=lambda gradients, c: [g * c for g in gradients])


@bank.add("clip-factor-inverted")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, factor=lambda total, limit: total / limit)


@bank.add("clip-factor-is-the-limit")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, factor=lambda total, limit: limit)


@bank.add("clip-to-unit-norm")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, factor=lambda total, limit: 1 / total)


@bank.add("clip-limit-ignored")
def _(layers, max_norm=1.0):
    return clip(layers, 1.0)


@bank.add("clip-compares-with-one")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, too_long=lambda total, limit: total > 1)


@bank.add("clip-compares-the-square")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, too_long=lambda total, limit: total**2 > limit)


@bank.add("clip-large-epsilon")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, factor=lambda total, limit: limit / (total + 1e-2))


@bank.add("clip-scales-while-measuring")
def _(layers, max_norm=1.0):
    total, coefficient = clip(layers, max_norm, scale=lambda gradients, c: None)
    squares = 0.0
    for g in every_gradient(layers):
        squares += np.sum(g**2)
        g *= min(1.0, max_norm / np.sqrt(squares))
    return total, coefficient


@bank.add("clip-scales-once-per-layer")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, scale=lambda gradients, c: [multiply(gradients, c) for _ in layers])


@bank.add("clip-scales-parameters")
def _(layers, max_norm=1.0):
    parameters = [p for layer in layers for p in layer.params.values()]
    return clip(layers, max_norm, scale=lambda gradients, c: multiply(parameters, c))


@bank.add("clip-scales-parameters-too")
def _(layers, max_norm=1.0):
    parameters = [p for layer in layers for p in layer.params.values()]
    return clip(layers, max_norm, scale=lambda gradients, c: multiply(gradients + parameters, c))


@bank.add("clip-leaves-its-factor-in-grads")
def _(layers, max_norm=1.0):
    answer = clip(layers, max_norm)
    for layer in layers:
        layer.grads["clip_coef"] = answer[1]
    return answer


@bank.add("clip-returns-inside-the-loop")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, scale=lambda _, c: multiply(every_gradient(layers[:1]), c))


@bank.add("clip-scales-twice")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, scale=lambda gradients, c: multiply(gradients, c**2))


@bank.add("clip-scales-the-short-ones")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, too_long=lambda total, limit: total < limit)


@bank.add("clip-scales-none-too")
def _(layers, max_norm=1.0):
    everything = [g for layer in layers for g in layer.grads.values()]
    return clip(layers, max_norm, scale=lambda _, c: multiply(everything, c))


# --- what is returned ------------------------------------------------------------------------------------------------


@bank.add("clip-norm-after-clipping")
def _(layers, max_norm=1.0):
    _, coefficient = clip(layers, max_norm)
    return global_norm(every_gradient(layers)), coefficient


@bank.add("clip-norm-rounded")
def _(layers, max_norm=1.0):
    total, coefficient = clip(layers, max_norm)
    return round(total, 1), coefficient


@bank.add("clip-coefficient-above-one")
def _(layers, max_norm=1.0):
    total, coefficient = clip(layers, max_norm)
    return total, max_norm / total if total else coefficient


@bank.add("clip-coefficient-always-one")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm)[0], 1.0


@bank.add("clip-returns-swapped")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm)[::-1]


@bank.add("clip-returns-norm-only")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm)[0]


@bank.add("clip-returns-nothing")
def _(layers, max_norm=1.0):
    print(clip(layers, max_norm))


@bank.add("clip-nothing-written")
def _(layers, max_norm=1.0):
    return 0.0, 1.0


@bank.add("clip-coefficient-set-in-one-branch")
def _(layers, max_norm=1.0):
    total, coefficient = clip(layers, max_norm)
    if coefficient == 1.0:
        raise UnboundLocalError("cannot access local variable 'clip_coef' where it is not associated with a value")
    return total, coefficient


@bank.add("clip-returns-in-one-branch")
def _(layers, max_norm=1.0):
    total, coefficient = clip(layers, max_norm)
    return (total, coefficient) if coefficient < 1.0 else None


# --- nothing to clip -------------------------------------------------------------------------------------------------


@bank.add("clip-divides-by-zero-norm")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, too_long=lambda total, limit: limit / total < 1)


@bank.add("clip-concatenates-nothing")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: np.linalg.norm(np.concatenate([g.ravel() for g in gradients])))


@bank.add("clip-empty-gives-none")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm) if every_gradient(layers) else None


@bank.add("clip-empty-gives-zero-factor")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm) if every_gradient(layers) else (0.0, 0.0)


# --- NaN and infinity ------------------------------------------------------------------------------------------------


@bank.add("clip-nonfinite-unnoticed")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, refuse=refuse_nothing)


@bank.add("clip-nonfinite-scales")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, refuse=refuse_nothing, too_long=lambda total, limit: not total <= limit)


@bank.add("clip-infinity-unnoticed")
def _(layers, max_norm=1.0):
    def refuse(gradients):
        if any(np.isnan(g).any() for g in gradients):
            raise ValueError("NaN")

    return clip(layers, max_norm, refuse=refuse)


@bank.add("clip-nan-unnoticed")
def _(layers, max_norm=1.0):
    def refuse(gradients):
        if any(np.isinf(g).any() for g in gradients):
            raise ValueError("infinite")

    return clip(layers, max_norm, refuse=refuse)


@bank.add("clip-only-weights-must-be-finite")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, refuse=lambda gradients: refuse_nonfinite(g for g in gradients if g.ndim == 2))


@bank.add("clip-nonfinite-made-zero")
def _(layers, max_norm=1.0):
    for g in every_gradient(layers):
        np.nan_to_num(g, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return clip(layers, max_norm)


@bank.add("clip-nonfinite-left-out")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, gather=lambda layers: [g for g in every_gradient(layers) if np.isfinite(g).all()])


@bank.add("clip-nonfinite-zeroes-all")
def _(layers, max_norm=1.0):
    try:
        return clip(layers, max_norm)
    except ValueError:
        multiply(every_gradient(layers), 0.0)
        return 0.0, 0.0


@bank.add("clip-nonfinite-only-warned")
def _(layers, max_norm=1.0):
    try:
        return clip(layers, max_norm)
    except ValueError as error:
        warnings.warn(str(error), stacklevel=2)
        return float("nan"), 1.0


@bank.add("clip-nonfinite-asserted")
def _(layers, max_norm=1.0):
    def refuse(gradients):
        assert all(np.isfinite(g).all() for g in gradients)

    return clip(layers, max_norm, refuse=refuse)


@bank.add("clip-nonfinite-found-too-late")
def _(layers, max_norm=1.0):
    result = clip(layers, max_norm, refuse=refuse_nothing)
    refuse_nonfinite(every_gradient(layers))
    return result


# --- two mistakes at once --------------------------------------------------------------------------------------------


@bank.add("clip-weights-only-and-per-array")
def _(layers, max_norm=1.0):
    results = [clip([layer], max_norm, gather=only("W")) for layer in layers] or [(0.0, 1.0)]
    return max(total for total, _ in results), min(coefficient for _, coefficient in results)


@bank.add("clip-root-forgotten-and-nonfinite-unnoticed")
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, refuse=refuse_nothing, norm=lambda gradients: global_norm(gradients) ** 2)


@bank.add("clip-limit-ignored-and-always-rescales")
def _(layers, max_norm=1.0):
    return clip(layers, 1.0, too_long=lambda total, limit: total > 0)


@bank.add("clip-rebound-and-norm-after-clipping")
def _(layers, max_norm=1.0):
    total, coefficient = clip(layers, max_norm, scale=lambda gradients, c: None)
    return total * coefficient, coefficient


@bank.add("clip-sum-of-norms-of-weights-and-biases")
def _(layers, max_norm=1.0):
    return clip(
        layers, max_norm, gather=only("W", "b"), norm=lambda gradients: float(sum(map(np.linalg.norm, gradients)))
    )
