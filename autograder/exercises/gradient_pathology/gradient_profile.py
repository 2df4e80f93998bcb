"""gradient_slope: how many decades a gradient loses per layer, by a least-squares line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, StudentError, attempt
from autograder.checks.expect import close, number
from autograder.locale import _


@dataclass(frozen=True)
class Profile:
    """Norms of the gradient with respect to each layer's output, input side first.

    Attributes:
        as_list: whether the norms are given as a list.
    """

    title: str
    norms: np.ndarray
    as_list: bool = False


def straight(rng: np.random.Generator, n: int, slope: float) -> np.ndarray:
    """Norms on a straight line."""
    return 10 ** (rng.uniform(-3, 1) + slope * np.arange(n))


def scattered(rng: np.random.Generator, n: int, slope: float) -> np.ndarray:
    """Norms around a straight line."""
    return straight(rng, n, slope) * 10 ** rng.normal(0, 0.5, n)


def vanishing(rng: np.random.Generator) -> float:
    """The slope of gradients that vanish towards the input side."""
    return rng.uniform(0.3, 1)


def exploding(rng: np.random.Generator) -> float:
    """The slope of gradients that explode towards the input side."""
    return -rng.uniform(0.1, 0.5)


def with_value(rng: np.random.Generator, value: float, layer: int) -> np.ndarray:
    """A scattered profile with `value` in the place of one norm."""
    norms = scattered(rng, 6, 0.3)
    norms[layer] = value
    return norms


def draw_line(rng: np.random.Generator) -> list[Profile]:
    """Straight profiles that fall or rise."""
    return [
        Profile("a straight line, vanishing", straight(rng, 8, vanishing(rng))),
        Profile("a straight line, exploding, as a list", straight(rng, 5, exploding(rng)), as_list=True),
        Profile("two layers", straight(rng, 2, vanishing(rng))),
    ]


def draw_scatter(rng: np.random.Generator) -> list[Profile]:
    """Scattered profiles of few and many layers."""
    return [
        Profile("a scattered profile", scattered(rng, 8, vanishing(rng))),
        Profile("a scattered profile, as a list", scattered(rng, 7, exploding(rng)), as_list=True),
        Profile("healthy, hardly any slope", scattered(rng, 20, 0.0)),
        # The ratio of any two is still a float: who divides by one of them is right.
        Profile("norms of very different size", 10.0 ** np.linspace(-140, 140, 30) * scattered(rng, 30, 0.0)),
        Profile("a hundred layers", scattered(rng, 100, exploding(rng))),
        Profile("three layers", scattered(rng, 3, vanishing(rng))),
    ]


def draw_zeros(rng: np.random.Generator) -> list[Profile]:
    """Norms that are zero, in any place."""
    return [
        Profile("some norms are zero", np.concatenate([[0.0, 0.0], scattered(rng, 6, vanishing(rng)), [0.0]])),
        Profile("every norm is zero", np.zeros(4)),
        Profile("a zero in the middle, as a list", with_value(rng, 0.0, rng.integers(1, 5)), as_list=True),
    ]


def draw_nonfinite(rng: np.random.Generator) -> list[Profile]:
    """NaN and infinity, in any place."""
    return [
        Profile("a norm is NaN", with_value(rng, np.nan, rng.integers(6))),
        Profile("a norm is infinite", with_value(rng, np.inf, rng.integers(6))),
        Profile("a norm is NaN, as a list", with_value(rng, np.nan, rng.integers(6)), as_list=True),
        Profile("a norm is infinite, as a list", with_value(rng, np.inf, rng.integers(6)), as_list=True),
    ]


def probe(implementation: Implementation, case: Profile) -> Iterator[tuple[str, Any]]:
    """Asks for the slope, then for that of other norms."""

    def given(norms: np.ndarray) -> Any:
        return norms.tolist() if case.as_list else norms.copy()

    norms = given(case.norms)
    yield "slope", attempt(lambda: implementation.gradient_slope(norms))
    yield "norms", norms
    others = given(np.sqrt(case.norms[::-1]))
    yield "slope of others", attempt(lambda: implementation.gradient_slope(others))


gradient_profile = Exercise(
    "gradient_profile",
    Profile,
    {"line": draw_line, "scatter": draw_scatter, "zeros": draw_zeros, "nonfinite": draw_nonfinite},
    probe,
    title="Measuring the slope",
    defines="gradient_slope",
)

SLOPE = "gradient_slope(...)"


def _close_slopes(seen: Observation, expected: Observation) -> None:
    """Slopes agree to 1e-5 decades per layer, or that share of the slope where it is steeper than one."""
    close(SLOPE, seen["slope"], expected["slope"], scale=max(1.0, abs(expected["slope"])))


@gradient_profile.check(points=0.25, on="line")
def test_depends_on_norms(case: Profile, seen: Observation, expected: Observation) -> None:
    """The answer is one finite number, and another one for other norms."""
    slope, other = (number(SLOPE, seen[name]) for name in ("slope", "slope of others"))
    if not np.isfinite(slope):
        raise Failed(_("{name} is {value}.").format(name=SLOPE, value=slope))
    if slope == other:
        raise Failed(_("{name} is {value:.6g} for other norms, too.").format(name=SLOPE, value=slope))


@gradient_profile.check(points=1.0, on="line")
def test_line(case: Profile, seen: Observation, expected: Observation) -> None:
    """On a straight line the slope is exact, with the right sign."""
    _close_slopes(seen, expected)


@gradient_profile.check(points=1.25, on="scatter")
def test_scatter(case: Profile, seen: Observation, expected: Observation) -> None:
    """On a scattered profile it is the slope of the least-squares line through all layers."""
    _close_slopes(seen, expected)


@gradient_profile.check(points=0.5, on="zeros")
def test_zeros(case: Profile, seen: Observation, expected: Observation) -> None:
    """A norm of zero counts as `np.finfo(float).tiny`."""
    _close_slopes(seen, expected)


@gradient_profile.check(points=0.5, on="nonfinite", needs=("depends_on_norms",))
def test_nonfinite(case: Profile, seen: Observation, expected: Observation) -> None:
    """NaN or an infinite norm raises `ValueError`."""
    raised = seen.raised("slope")
    if raised is None:
        raise Failed(_("A norm is NaN or infinite, and nothing was raised."))
    if not raised.is_a("ValueError"):
        raise StudentError(raised)


@gradient_profile.check(points=0.5, on=("line", "scatter", "zeros", "nonfinite"), needs=("depends_on_norms",))
def test_input_stays(case: Profile, seen: Observation, expected: Observation) -> None:
    """The caller's norms stay unchanged."""
    if not np.array_equal(np.asarray(seen["norms"]), case.norms, equal_nan=True):
        raise Failed(_("{name} should stay as it was, but it was changed.").format(name="delta_norms"))
