"""gradient_slope: how many decades a gradient loses per layer, by a least-squares line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, StudentError, attempt
from autograder.checks.expect import close, is_close, is_pair, kind_of, number, refused, returned, unchanged
from autograder.checks.values import numbers, simplify
from autograder.locale import _


@dataclass(frozen=True)
class Profile:
    """Norms of the gradient with respect to each layer's output, input side first."""

    title: str
    norms: np.ndarray


def straight(rng: np.random.Generator, n: int, slope: float) -> np.ndarray:
    """Norms on a straight line."""
    return 10 ** (rng.uniform(-3, 1) + slope * np.arange(n))


def scattered(rng: np.random.Generator) -> np.ndarray:
    """Norms around a straight line, vanishing towards the input side."""
    return straight(rng, 8, rng.uniform(0.3, 0.7)) * 10 ** rng.normal(0, 0.5, 8)


def with_value(rng: np.random.Generator, value: float, *layers: int) -> np.ndarray:
    """A scattered profile with `value` in the place of some norms."""
    norms = scattered(rng)
    norms[list(layers)] = value
    return norms


def draw_line(rng: np.random.Generator) -> list[Profile]:
    """Straight profiles. Both explode, since a sign that is lost shows there alone."""
    return [
        Profile("a straight line, exploding", straight(rng, 8, -rng.uniform(0.1, 0.5))),
        Profile("four layers, exploding", straight(rng, 4, -rng.uniform(0.1, 0.5))),
    ]


def draw_scatter(rng: np.random.Generator) -> list[Profile]:
    """Profiles that are not quite straight, as all real ones."""
    return [Profile("a scattered profile", scattered(rng)), Profile("five layers, scattered", scattered(rng)[:5])]


def draw_zeros(rng: np.random.Generator) -> list[Profile]:
    """Norms that are zero, as where the gradient has vanished or a layer is dead."""
    return [
        Profile("the first norms are zero", with_value(rng, 0.0, 0, 1)),
        Profile("a zero in the middle", with_value(rng, 0.0, int(rng.integers(2, 4)))),
    ]


def draw_nonfinite(rng: np.random.Generator) -> list[Profile]:
    """NaN, in whose place the probe then puts infinity."""
    return [
        Profile("the first norm is NaN or infinite", with_value(rng, np.nan, 0)),
        Profile("a norm in the middle is NaN or infinite", with_value(rng, np.nan, int(rng.integers(1, 7)))),
    ]


def probe(implementation: Implementation, case: Profile) -> Iterator[tuple[str, Any]]:
    """Asks for the slope, for that of the same norms as a list, and for those of other norms."""

    def slope(norms: Any) -> Any:
        return simplify(attempt(lambda: implementation.gradient_slope(norms)))

    norms = case.norms.copy()
    yield "slope", slope(norms)
    yield "norms", norms
    yield "zeros", int(np.sum(norms == 0))  # which a diagnosis cannot tell from the smallest numbers
    as_list = case.norms.tolist()
    yield "slope of the list", slope(as_list)
    yield "list", as_list
    yield "slope of others", slope(np.sqrt(case.norms[::-1]))
    yield "slope of ten times the norms", slope(10 * case.norms)
    yield "slope of one decade a layer", slope(10.0 ** np.arange(-len(case.norms), 0))
    yield "slope of two layers fewer", slope(10.0 ** np.arange(2 - len(case.norms), 0))
    if not case.norms.all():
        yield "zero counts as tiny", _counts_as_tiny(slope, case.norms)
    if np.isnan(case.norms).any():
        yield "slope with infinity", slope(np.where(np.isnan(case.norms), np.inf, case.norms))


ROUNDING = 1e-9
"""Slopes this near differ by rounding alone: a norm in the very middle has no weight."""


def _counts_as_tiny(slope: Callable[[Any], Any], norms: np.ndarray) -> bool:
    """Whether zeros give what the smallest number gives in their place, to half a decade, whatever the slope is of.

    The smaller a number is, the further its slope has to go one way, for where the smallest are left out it comes back;
    or no number makes a difference.
    """
    tiny = np.finfo(float).tiny
    got, smallest, small, large = (
        _first(slope(np.where(norms == 0, value, norms))) for value in (0.0, tiny, np.sqrt(tiny), 0.1)
    )
    if is_close(smallest, small):
        return bool(max(abs(got - smallest), abs(smallest - large)) < ROUNDING)
    decades = -np.log10(tiny) / 2  # between the two small numbers
    goes_on = (small - large) * (smallest - small) > 0
    return bool(goes_on and abs(got - smallest) <= abs(small - smallest) / (2 * decades))


def _first(answer: Any) -> float:
    """The first number of an answer; NaN if there is none."""
    try:
        return float(np.ravel(answer)[0])
    except (TypeError, ValueError, IndexError):
        return np.nan


gradient_profile = Exercise(
    "gradient_profile",
    Profile,
    {"line": draw_line, "scatter": draw_scatter, "zeros": draw_zeros, "nonfinite": draw_nonfinite},
    probe,
    title="Measuring the slope",
    defines="gradient_slope",
    calls="gradient_slope(given.norms)",
)

SLOPE = "gradient_slope(...)"


def _slope(seen: Observation, name: str = "slope") -> float:
    """A slope that came back, alone, before an intercept, or as a text."""
    answer = seen[name]
    returned("gradient_slope", answer, "return slope")
    slope = answer[0] if is_pair(answer) or isinstance(answer, np.ndarray) and answer.shape == (1,) else answer
    if type(slope) is str:
        with suppress(ValueError):
            slope = float(slope)
    _require_one_number(slope, answer)
    return number(SLOPE, slope)


def _require_one_number(slope: Any, answer: Any) -> None:
    if not isinstance(slope, (int, float, np.number)) and not (isinstance(slope, np.ndarray) and slope.ndim == 0):
        text = _("gradient_slope returned {kind}; one number is asked for.")
        raise Failed(text.format(kind=kind_of(answer)))


def _close_slopes(got: float, wanted: float, words: Callable[[], str] = str) -> None:
    """Slopes agree to 1e-5 decades per layer, or that share of the slope where it is steeper than one."""
    close(SLOPE, got, wanted, scale=max(1.0, abs(wanted)), words=words)


def _fits_line(seen: Observation, expected: Observation, words: Callable[[], str] = str) -> None:
    """The slope is that of the least-squares line, in the student's own unit and rounded as they like.

    One decade a layer is 2.3 for whom the logarithm is another one; that is for the promise about the straight line.
    """
    got, unit, right = _slope(seen), _slope(seen, "slope of one decade a layer"), expected["slope"]
    if abs(unit) > 0.01:  # a unit at all
        in_unit = is_close(got / unit, right, scale=max(1.0, abs(right)))
        if in_unit or any(abs(got - round(unit * right, digits)) < 1e-9 for digits in (1, 2, 3, 4)):
            return
    _close_slopes(got, right, words)


def _as_shown(case: Profile, seen: Observation, expected: Observation) -> str:
    """What the numbers show: the intercept, one factor for all norms, or a slope that is right on a line alone."""
    got, unit, right = _slope(seen), _slope(seen, "slope of one decade a layer"), expected["slope"]
    middle = np.log10(np.maximum(case.norms, np.finfo(float).tiny)).mean()
    starts = (middle - right * ((len(case.norms) - 1) / 2 + first) for first in (0, 1))
    if any(is_close(got, height) for height in starts):
        return _("That is the height at which the line begins, its intercept; the slope is the other number.")
    if unit > 0.01 and is_close(got / unit, right, scale=max(1.0, abs(right))):
        return _factor_in_words(unit, seen, len(case.norms))
    if is_close(unit, 1.0):
        return _(
            "Where all points lie on one line your slope is right, and elsewhere not. The line of least squares is "
            "near all points, and need not pass through any of them."
        )
    with suppress(Failed, StudentError):
        return _of_ten_times(got, _slope(seen, "slope of ten times the norms"))
    return ""


def _factor_in_words(unit: float, seen: Observation, n: int) -> str:
    if is_close(unit, 1.0):
        return ""
    with suppress(Failed, StudentError):
        fewer = _slope(seen, "slope of two layers fewer")
        if not np.isfinite(fewer):
            return ""
        if not is_close(fewer, unit):
            text = _(
                "With {n} layers your slope is {unit:.4g} times the right one, with {m} layers {fewer:.4g} times, for "
                "any norms: does the divisor, which depends on the layer numbers alone, come out right?"
            )
            return text.format(n=n, unit=unit, m=n - 2, fewer=fewer)
        text = _(
            "Your slope is {unit:.4g} times the right one, for any norms and any number of layers: another logarithm, "
            "a square or a root in the wrong place gives such a factor."
        )
        return text.format(unit=unit)
    return ""


def _of_ten_times(got: float, higher: float) -> str:
    """What the slope shows that comes of norms ten times as large."""
    if not np.isfinite((got, higher)).all():
        return ""
    if got and is_close(higher, 10 * got):
        return _("Norms ten times as large make your slope ten times as large: is it the slope of their logarithms?")
    if abs(higher - got) <= 1e-6 * max(1.0, abs(got)):
        return ""
    text = _(
        "Norms ten times as large move the line up and leave it as steep, but your slope changes by {change:.4g}: "
        "what the logarithms are multiplied by does not add up to 0. Where is the mean layer number taken off?"
    )
    return text.format(change=higher - got)


def _stand_in(case: Profile, seen: Observation) -> str:
    """Which power of ten stands in for zero: the slope is a weighted sum of logarithms, all known but that one."""
    layers, zero = np.arange(len(case.norms)) - (len(case.norms) - 1) / 2, case.norms == 0
    weights = layers / (layers @ layers)
    others = weights[~zero] @ np.log10(case.norms[~zero])
    for unit in (1.0, np.log(10), np.log2(10)):
        decades = (_slope(seen) / unit - others) / weights[zero].sum()
        if np.isfinite(decades) and abs(decades - np.round(decades)) < 1e-3 and decades < 0:
            return _("A norm of zero counts as about {value}.").format(value=f"1e{decades:.0f}")
    return ""


@gradient_profile.check(points=0.25, on="line")
def test_depends_on_norms(case: Profile, seen: Observation, expected: Observation) -> None:
    """The answer is finite, and other norms give another answer."""
    slope = _slope(seen)
    if not np.isfinite(slope):
        raise Failed(_("{name} is {value}.").format(name=SLOPE, value=slope))
    if slope == _slope(seen, "slope of others"):
        raise Failed(_("{name} is {value:.6g} for other norms, too.").format(name=SLOPE, value=slope))


@gradient_profile.check(points=0.25, on="line", needs=("depends_on_norms",))
def test_one_number(case: Profile, seen: Observation, expected: Observation) -> None:
    """The answer is one number."""
    _require_one_number(seen["slope"], seen["slope"])


@gradient_profile.check(points=1.0, on="line")
def test_line(case: Profile, seen: Observation, expected: Observation) -> None:
    """On a straight line the answer is the exact slope with the right sign."""
    _close_slopes(_slope(seen), expected["slope"], partial(_as_shown, case, seen, expected))


@gradient_profile.check(points=1.0, on="scatter")
def test_scatter(case: Profile, seen: Observation, expected: Observation) -> None:
    """On a scattered profile it is the slope of the least-squares line through all layers."""
    _fits_line(seen, expected, partial(_as_shown, case, seen, expected))


@gradient_profile.check(points=0.5, on="zeros", needs=("depends_on_norms",))
def test_zeros(case: Profile, seen: Observation, expected: Observation) -> None:
    """A norm of zero counts as `np.finfo(float).tiny`."""
    if not seen["zero counts as tiny"]:
        _fits_line(seen, expected, partial(_stand_in, case, seen))


@gradient_profile.check(points=0.5, on="nonfinite", needs=("depends_on_norms",))
def test_nonfinite(case: Profile, seen: Observation, expected: Observation) -> None:
    """NaN or an infinite norm raises `ValueError`."""
    # Both are read before one is judged: a cause has to agree with both.
    raised = seen.raised("slope"), seen.raised("slope with infinity")
    for value, error in zip(("NaN", _("infinity")), raised, strict=True):
        refused(value, error, "ValueError")


@gradient_profile.check(points=0.25, on=("line", "scatter"), needs=("depends_on_norms",))
def test_list(case: Profile, seen: Observation, expected: Observation) -> None:
    """A list of norms has the same slope as an array of them."""
    _close_slopes(_slope(seen, "slope of the list"), _slope(seen))


@gradient_profile.check(points=0.25, on=("scatter", "zeros"), needs=("depends_on_norms",))
def test_input_stays(case: Profile, seen: Observation, expected: Observation) -> None:
    """The caller's norms stay unchanged."""
    seen["zeros"]  # for a diagnosis, which cannot tell 0 from the smallest numbers
    for name in ("norms", "list"):
        unchanged("delta_norms", case.norms, numbers(seen[name]))
