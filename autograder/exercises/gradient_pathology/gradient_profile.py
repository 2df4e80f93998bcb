"""gradient_slope: how many decades a gradient loses per layer, by a least-squares line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.exercises.exercise import Exercise, Failed, Implementation, Observation, attempt
from autograder.exercises.expect import close, number
from autograder.i18n import _


@dataclass(frozen=True)
class Profile:
    """Norms of the gradient with respect to each layer's output, input side first.

    Attributes:
        aspect: "line", "scatter", "zeros" or "nonfinite".
        as_list: whether the norms are given as a list.
    """

    title: str
    aspect: str
    norms: np.ndarray
    as_list: bool = False


def draw(rng: np.random.Generator) -> list[Profile]:
    """Straight and scattered profiles that fall or rise, with zeros, and with NaN or inf."""

    def line(n: int, slope: float) -> np.ndarray:
        return 10 ** (rng.uniform(-3, 1) + slope * np.arange(n))

    def scattered(n: int, slope: float) -> np.ndarray:
        return line(n, slope) * 10 ** rng.normal(0, 0.5, n)

    def with_value(value: float, layer: int) -> np.ndarray:
        norms = scattered(6, 0.3)
        norms[layer] = value
        return norms

    vanishing, exploding = rng.uniform(0.3, 1), -rng.uniform(0.1, 0.5)
    return [
        Profile("a straight line, vanishing", "line", line(8, vanishing)),
        Profile("a straight line, exploding, as a list", "line", line(5, exploding), as_list=True),
        Profile("two layers", "line", line(2, vanishing)),
        Profile("a scattered profile", "scatter", scattered(8, vanishing)),
        Profile("a scattered profile, as a list", "scatter", scattered(7, exploding), as_list=True),
        Profile("healthy, hardly any slope", "scatter", scattered(20, 0.0)),
        # The ratio of any two is still a float: who divides by one of them is right.
        Profile("norms of very different size", "scatter", 10.0 ** np.linspace(-140, 140, 30) * scattered(30, 0.0)),
        Profile("a hundred layers", "scatter", scattered(100, exploding)),
        Profile("three layers", "scatter", scattered(3, vanishing)),
        Profile("some norms are zero", "zeros", np.concatenate([[0.0, 0.0], scattered(6, vanishing), [0.0]])),
        Profile("every norm is zero", "zeros", np.zeros(4)),
        Profile("a zero in the middle, as a list", "zeros", with_value(0.0, rng.integers(1, 5)), as_list=True),
        Profile("a norm is NaN", "nonfinite", with_value(np.nan, rng.integers(6))),
        Profile("a norm is infinite", "nonfinite", with_value(np.inf, rng.integers(6))),
        Profile("a norm is NaN, as a list", "nonfinite", with_value(np.nan, rng.integers(6)), as_list=True),
        Profile("a norm is infinite, as a list", "nonfinite", with_value(np.inf, rng.integers(6)), as_list=True),
    ]


def probe(implementation: Implementation, case: Profile) -> Iterator[tuple[str, Any]]:
    """Asks for the slope once."""
    norms = case.norms.tolist() if case.as_list else case.norms.copy()
    yield "slope", attempt(lambda: implementation.gradient_slope(norms))
    yield "norms", norms


gradient_profile = Exercise(
    "gradient_profile", "gradient_profile", "gradient_slope", Profile, draw, probe, title="Measuring the slope"
)


def _close_slopes(seen: Observation, expected: Observation) -> None:
    """Slopes agree to 1e-5 decades per layer, or that share of the slope where it is steeper than one."""
    close("gradient_slope(...)", seen["slope"], expected["slope"], scale=max(1.0, abs(expected["slope"])))


@gradient_profile.check(points=1.0)
def test_line(case: Profile, seen: Observation, expected: Observation) -> None:
    """On a straight line the slope is exact, with the right sign."""
    if case.aspect == "line":
        _close_slopes(seen, expected)


@gradient_profile.check(points=1.5)
def test_scatter(case: Profile, seen: Observation, expected: Observation) -> None:
    """On a scattered profile it is the slope of the least-squares line through all layers."""
    if case.aspect == "scatter":
        _close_slopes(seen, expected)


@gradient_profile.check(points=0.5)
def test_zeros(case: Profile, seen: Observation, expected: Observation) -> None:
    """A norm of zero counts as `np.finfo(float).tiny`."""
    if case.aspect == "zeros":
        _close_slopes(seen, expected)


@gradient_profile.check(points=0.5)
def test_nonfinite(case: Profile, seen: Observation, expected: Observation) -> None:
    """NaN or an infinite norm raises `ValueError`."""
    if case.aspect != "nonfinite":
        seen["slope"]  # an exception here is none that was asked for
        return
    raised = seen.raised("slope")
    if raised is None:
        raise Failed(_("A norm is NaN or infinite, and nothing was raised."))
    if not raised.is_a("ValueError"):
        seen["slope"]


@gradient_profile.check(points=0.5)
def test_input_stays(case: Profile, seen: Observation, expected: Observation) -> None:
    """The caller's norms stay unchanged, and the answer is a single number."""
    if not np.array_equal(np.asarray(seen["norms"]), case.norms, equal_nan=True):
        raise Failed(_("{name} should stay as it was, but it was changed.").format(name="delta_norms"))
    if case.aspect == "nonfinite":
        return
    slope = number("gradient_slope(...)", seen["slope"])
    if case.aspect == "line" and not slope * expected["slope"] > 0:  # NaN has no sign
        raise Failed(_("gradient_slope(...) has the wrong sign, or does not depend on the norms."))
