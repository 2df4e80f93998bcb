"""gradient_slope: which number stands in for small norms, told from the slopes alone."""

import math

import numpy as np
import pytest

from autograder.exercises import exercise
from autograder.locale import speaking
from tests.judging import judged

PROFILE = exercise("gradient_profile")


def first_line(change, logarithm=np.log10):
    """The first failure of a slope whose norms are changed."""

    def gradient_slope(delta_norms):
        norms = np.array(delta_norms, dtype=float)
        if not np.isfinite(norms).all():
            raise ValueError
        return np.polyfit(np.arange(len(norms)), logarithm(change(norms)), 1)[0]

    items = judged(PROFILE, {"gradient_slope": gradient_slope}, causes=False).items
    return next((item.message.splitlines()[0] for item in items if item.message), "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda norms: norms + 1e-5, "1e-5 is added to every norm."),
        (lambda norms: norms + 2.5e-9, "2.5e-9 is added to every norm."),
        (lambda norms: norms + 0.01, "0.01 is added to every norm."),
        (lambda norms: norms + np.finfo(np.float32).eps, "np.finfo(np.float32).eps is added to every norm."),
        (lambda norms: norms + 1e-200, "A norm of zero counts as 1e-200."),
        (lambda norms: np.maximum(norms, 0.008), "Norms below 0.008 count as 0.008."),
        (lambda norms: np.clip(norms, 1.5e-3, None), "Norms below 0.0015 count as 0.0015."),
        (lambda norms: np.maximum(norms, 1e-16), "A norm of zero counts as 1e-16."),
        (lambda norms: np.where(norms == 0, 1.0, norms), "A norm of zero counts as 1."),
        (
            lambda norms: np.where(norms == 0, np.finfo(float).eps, norms),
            "A norm of zero counts as np.finfo(float).eps.",
        ),
    ],
)
@pytest.mark.parametrize("logarithm", [np.log10, np.log])
def test_what_stands_in_for_small_norms_is_told(change, words, logarithm):
    natural = lambda norms: logarithm(norms) if logarithm is np.log10 else np.log(norms) / math.log(10)  # noqa: E731
    with speaking("en"):
        assert first_line(change, natural).startswith(f"{words} gradient_slope(...) is ")


def test_it_is_told_in_japanese():
    with speaking("ja"):
        assert first_line(lambda norms: norms + 1e-5).startswith("すべてのノルムに 1e-5 を足しています。")


@pytest.mark.parametrize(
    "change", [lambda norms: norms[::-1], lambda norms: np.cumsum(norms), lambda norms: norms / norms.max() + 1e-7]
)
def test_nothing_is_told_of_other_slopes(change):
    with speaking("en"):
        assert first_line(lambda norms: change(np.maximum(norms, np.finfo(float).tiny))).startswith(
            "gradient_slope(...) is"
        )


def test_the_right_slope_passes():
    assert first_line(lambda norms: np.maximum(norms, np.finfo(float).tiny)) == ""
