"""Known mistakes in `gradient_slope`: the reference in steps, each mistake with one or two steps of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference.bank import Bank

bank = Bank(__file__, "gradient_slope")

TINY = np.finfo(float).tiny


def refuse_nonfinite(norms: np.ndarray) -> None:
    if not np.isfinite(norms).all():
        raise ValueError("a norm is not finite")


def refuse_nothing(norms: np.ndarray) -> None:
    """For mistakes about NaN and infinity."""


def zeros_as(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """A `positive` that puts `value` in the place of zeros."""
    return lambda norms: np.where(norms == 0, value, norms)


ZEROS_AS_TINY = zeros_as(TINY)


def least_squares(decades: np.ndarray) -> float:
    # Not np.polyfit, which on some machines raises for NaN.
    centred = np.arange(len(decades)) - (len(decades) - 1) / 2
    return float(centred @ decades / (centred @ centred))


def slope(
    delta_norms: Any,
    *,
    refuse: Callable = refuse_nonfinite,
    positive: Callable = ZEROS_AS_TINY,
    log: Callable = np.log10,
    fit: Callable = least_squares,
) -> Any:
    """The reference, in steps that can be replaced."""
    norms = np.array(delta_norms, dtype=float)
    refuse(norms)
    return fit(log(positive(norms)))


# --- the logarithm ---------------------------------------------------------------------------------------------------


@bank.add("slope-natural-logarithm")
def _(delta_norms):
    return slope(delta_norms, log=np.log)


@bank.add("slope-binary-logarithm")
def _(delta_norms):
    return slope(delta_norms, log=np.log2)


@bank.add("slope-without-logarithm")
def _(delta_norms):
    return slope(delta_norms, log=np.array)


@bank.add("slope-logarithm-twice")
def _(delta_norms):
    return slope(delta_norms, log=lambda norms: np.log10(np.abs(np.log10(norms))))


# --- the line --------------------------------------------------------------------------------------------------------


@bank.add("slope-two-ends")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: (y[-1] - y[0]) / (len(y) - 1))


@bank.add("slope-median-of-steps")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.median(np.diff(y))))


@bank.add("slope-median-of-pairs")
def _(delta_norms):
    def fit(y):
        return float(np.median([(y[j] - y[i]) / (j - i) for j in range(len(y)) for i in range(j)]))

    return slope(delta_norms, fit=fit)


@bank.add("slope-mean-ratio")
def _(delta_norms):
    return slope(delta_norms, log=np.array, fit=lambda norms: float(np.log10(np.mean(norms[1:] / norms[:-1]))))


@bank.add("slope-per-number-of-layers")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: (y[-1] - y[0]) / len(y))


@bank.add("slope-total-decades")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: least_squares(y) * (len(y) - 1))


@bank.add("slope-output-side-first")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: least_squares(y[::-1]))


@bank.add("slope-without-sign")
def _(delta_norms):
    return abs(slope(delta_norms))


@bank.add("slope-norms-sorted")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: least_squares(np.sort(y)))


@bank.add("slope-is-the-intercept")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.polyfit(np.arange(len(y)), y, 1)[1]))


@bank.add("slope-both-coefficients")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: np.polyfit(np.arange(len(y)), y, 1))


@bank.add("slope-through-the-origin")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.arange(len(y)) @ y / sum(i**2 for i in range(len(y)))))


@bank.add("slope-through-the-first-point")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.arange(len(y)) @ (y - y[0]) / sum(i**2 for i in range(len(y)))))


@bank.add("slope-axes-swapped")
def _(delta_norms):
    def fit(y):
        x = np.arange(len(y))
        return float(np.polyfit(y, x, 1)[0]) if np.ptp(y) else 0.0

    return slope(delta_norms, fit=fit)


@bank.add("slope-is-the-correlation")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.corrcoef(np.arange(len(y)), y)[0, 1]) if np.ptp(y) else 0.0)


@bank.add("slope-covariance-and-variance-differ")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.cov(np.arange(len(y)), y)[0, 1] / np.var(np.arange(len(y)))))


@bank.add("slope-divided-by-deviation")
def _(delta_norms):
    return slope(
        delta_norms, fit=lambda y: float(np.cov(np.arange(len(y)), y, ddof=0)[0, 1] / np.std(np.arange(len(y))))
    )


@bank.add("slope-weighted-by-norm")
def _(delta_norms):
    weights = np.abs(np.array(delta_norms, dtype=float)) + TINY
    return slope(delta_norms, fit=lambda y: float(np.polyfit(np.arange(len(y)), y, 1, w=weights / weights.max())[0]))


@bank.add("slope-of-a-parabola")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.polyfit(np.arange(len(y)), y, 2)[0]))


@bank.add("slope-last-layer-left-out")
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: least_squares(y[:-1] if len(y) > 2 else y))


@bank.add("slope-is-a-constant")
def _(delta_norms):
    return 1.0


@bank.add("slope-rounded")
def _(delta_norms):
    return round(slope(delta_norms), 1)


@bank.add("slope-in-an-array-of-one")
def _(delta_norms):
    return np.array([slope(delta_norms)])


@bank.add("slope-not-centred")
def _(delta_norms):
    return slope(
        delta_norms, fit=lambda y: float((np.arange(len(y)) - len(y) / 2) @ y / np.var(np.arange(len(y))) / len(y))
    )


# --- zeros -----------------------------------------------------------------------------------------------------------


@bank.add("slope-zeros-dropped")
def _(delta_norms):
    def fit(y):
        kept = np.isfinite(y)
        return float(np.polyfit(np.flatnonzero(kept), y[kept], 1)[0]) if kept.any() else 0.0

    return slope(delta_norms, positive=np.array, fit=fit)


@bank.add("slope-zeros-dropped-and-renumbered")
def _(delta_norms):
    return slope(delta_norms, positive=lambda norms: norms[norms > 0] if norms.any() else norms + 1)


@bank.add("slope-zeros-not-treated")
def _(delta_norms):
    return slope(delta_norms, positive=np.array)


@bank.add("slope-zeros-as-epsilon")
def _(delta_norms):
    return slope(delta_norms, positive=zeros_as(np.finfo(float).eps))


@bank.add("slope-zeros-as-small-constant")
def _(delta_norms):
    return slope(delta_norms, positive=lambda norms: norms + 1e-12)


@bank.add("slope-zeros-as-1e-300")
def _(delta_norms):
    return slope(delta_norms, positive=zeros_as(1e-300))


@bank.add("slope-zeros-as-subnormal")
def _(delta_norms):
    return slope(delta_norms, positive=zeros_as(np.finfo(float).smallest_subnormal))


@bank.add("slope-zeros-as-single-precision-tiny")
def _(delta_norms):
    return slope(delta_norms, positive=zeros_as(float(np.finfo(np.float32).tiny)))


@bank.add("slope-zeros-become-zero-decades")
def _(delta_norms):
    return slope(delta_norms, positive=zeros_as(1.0))


@bank.add("slope-zeros-refused")
def _(delta_norms):
    def refuse(norms):
        if not (np.isfinite(norms) & (norms > 0)).all():
            raise ValueError("not positive")

    return slope(delta_norms, refuse=refuse)


# --- NaN and infinity ------------------------------------------------------------------------------------------------


@bank.add("slope-nonfinite-unnoticed")
def _(delta_norms):
    return slope(delta_norms, refuse=refuse_nothing)


@bank.add("slope-infinity-unnoticed")
def _(delta_norms):
    def refuse(norms):
        if np.isnan(norms).any():
            raise ValueError("NaN")

    return slope(delta_norms, refuse=refuse)


@bank.add("slope-nan-unnoticed")
def _(delta_norms):
    def refuse(norms):
        if np.isinf(norms).any():
            raise ValueError("infinite")

    return slope(delta_norms, refuse=refuse)


@bank.add("slope-nonfinite-left-out")
def _(delta_norms):
    return slope([norm for norm in delta_norms if np.isfinite(norm)])


@bank.add("slope-nonfinite-made-finite")
def _(delta_norms):
    return slope(np.nan_to_num(delta_norms))


@bank.add("slope-nonfinite-gives-nan")
def _(delta_norms):
    return slope(delta_norms) if np.isfinite(delta_norms).all() else float("nan")


@bank.add("slope-nonfinite-asserted")
def _(delta_norms):
    def refuse(norms):
        assert np.isfinite(norms).all()

    return slope(delta_norms, refuse=refuse)


# --- the caller's norms ----------------------------------------------------------------------------------------------


@bank.add("slope-zeros-replaced-in-place")
def _(delta_norms):
    norms = np.asarray(delta_norms, dtype=float)
    refuse_nonfinite(norms)
    norms[norms == 0] = TINY
    return slope(norms)


@bank.add("slope-logarithms-in-place")
def _(delta_norms):
    result = slope(delta_norms)
    for i, norm in enumerate(delta_norms):
        delta_norms[i] = np.log10(norm or TINY)
    return result


@bank.add("slope-caller-reversed")
def _(delta_norms):
    result = slope(delta_norms)
    delta_norms[:] = list(delta_norms[::-1])
    return result


@bank.add("slope-list-taken-for-array")
def _(delta_norms):
    norms = delta_norms.copy()
    if not np.isfinite(norms).all():
        raise ValueError("not finite")
    norms[norms == 0] = TINY
    return slope(norms)


# --- two mistakes at once --------------------------------------------------------------------------------------------


@bank.add("slope-natural-logarithm-and-zeros-dropped")
def _(delta_norms):
    return slope(delta_norms, log=np.log, positive=lambda norms: norms[norms > 0] if norms.any() else norms + 1)


@bank.add("slope-two-ends-and-nonfinite-unnoticed")
def _(delta_norms):
    return slope(delta_norms, refuse=refuse_nothing, fit=lambda y: (y[-1] - y[0]) / (len(y) - 1))


@bank.add("slope-output-side-first-and-epsilon")
def _(delta_norms):
    return slope(delta_norms, positive=zeros_as(np.finfo(float).eps), fit=lambda y: least_squares(y[::-1]))
