"""Central differences are accurate, and an error is described by where, how large and of which kind it is."""

import warnings

import numpy as np
import pytest

from autograder.checks.exercise import Failed
from autograder.checks.expect import close, describe, size_of_error
from autograder.checks.numeric import TOLERANCE, central_differences, compare, written
from autograder.locale import speaking

EXPECTED = np.array([[1.0, 2.0, -4.0], [3.0, -1.0, 2.0]])
SCALE = 4.0
"""The largest |EXPECTED|: the natural scale when none is given."""


@pytest.fixture
def rng():
    return np.random.default_rng(76)


@pytest.fixture(autouse=True)
def english_and_no_warnings():
    with speaking("en"), warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# --- central differences -------------------------------------------------------------------------------------------

FUNCTIONS = {
    # name: (f, derivative of each element)
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
}


@pytest.mark.parametrize("f, derivative", FUNCTIONS.values(), ids=FUNCTIONS)
def test_it_is_the_gradient_of_a_weighted_sum(f, derivative, rng):
    x, upstream = rng.uniform(-2, 2, (4, 3)), rng.standard_normal((4, 3))
    exact = upstream * derivative(x)
    # The truncation error is step^2 f'''/6 = 1e-10, the rounding error 1e-16 / step = 1e-11, of values near 10.
    assert np.abs(central_differences(f, x, upstream, 1e-5) - exact).max() < 2e-9


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 3)])
def test_it_has_the_shape_of_x(shape):
    assert central_differences(lambda x: x, np.ones(shape), np.ones(shape), 1e-5).shape == shape


def test_each_column_may_have_its_own_step(rng):
    """1e-5 of a column's spread keeps the error near 1e-10 of the gradient's scale whatever the spread is."""
    spreads = np.array([1e-3, 1.0, 1e3])
    x = rng.standard_normal((5, 3)) * spreads
    exact = np.cos(x / spreads) / spreads
    got = central_differences(lambda v: np.sin(v / spreads), x, np.ones((5, 3)), 1e-5 * spreads)
    assert np.abs((got - exact) * spreads).max() < 1e-9


def test_rows_move_at_a_time_where_no_column_depends_on_another(rng):
    """The same gradients, by fewer calls: one for each row and side."""
    x, upstream, calls = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)), []
    scale = rng.uniform(1, 2, 3)

    def centred(v):
        calls.append(v)
        return scale * (v - v.mean(axis=0))

    by_row = central_differences(centred, x, upstream, 1e-5, by_row=True)
    assert len(calls) == 2 * 4
    np.testing.assert_allclose(by_row, central_differences(centred, x, upstream, 1e-5), atol=1e-9)

    def of_parameters(v):
        return v * x

    by_row = central_differences(of_parameters, scale, upstream, 1e-5, by_row=True)
    np.testing.assert_allclose(by_row, (upstream * x).sum(axis=0), atol=1e-9)


def test_a_function_may_change_its_argument_and_reuse_its_output(rng):
    x, buffer = rng.standard_normal((2, 3)), np.zeros((2, 3))
    before = x.copy()

    def careless(v):
        v *= v
        buffer[...] = v
        return buffer

    np.testing.assert_allclose(central_differences(careless, x, np.ones((2, 3)), 1e-5), 2 * before, atol=1e-9)
    np.testing.assert_array_equal(x, before)


def test_a_function_without_a_value_gives_nan_and_no_warning():
    got = central_differences(lambda v: np.full(2, np.nan), np.ones(2), np.ones(2), 1e-5)
    assert np.isnan(got).all()


# --- compare -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [0.0, 0.9 * TOLERANCE, -0.9 * TOLERANCE])
def test_what_is_within_the_tolerance_of_the_scale_is_right(error):
    assert compare(EXPECTED + error * SCALE, EXPECTED) is None


def test_what_is_beyond_is_described():
    got = EXPECTED.copy()
    got[0, 1] += 0.1
    got[1, 2] -= 0.5
    mismatch = compare(got, EXPECTED)
    assert (mismatch.index, mismatch.got, mismatch.expected) == ((1, 2), 1.5, 2.0)
    assert mismatch.error == pytest.approx(0.5 / SCALE)
    assert mismatch.share == 2 / 6
    assert mismatch.pattern == "only some columns are wrong: 1, 2"


def test_the_worst_error_is_the_one_that_is_largest_on_its_own_scale():
    mismatch = compare(np.array([1.1, 101.0]), np.array([1.0, 100.0]), scale=np.array([1.0, 100.0]))
    assert mismatch.index == (0,)
    assert mismatch.error == pytest.approx(0.1)


def test_a_scale_of_zero_counts_as_one():
    assert compare(np.full(2, 0.9e-5), np.zeros(2)) is None
    assert compare(np.full(2, 1.1e-5), np.zeros(2)) is not None


def test_an_empty_array_is_right():
    assert compare(np.zeros((0, 3)), np.zeros((0, 3))) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_wrong_and_worst(value):
    got = EXPECTED + np.array([[9.0, 0, 0], [0, 0, 0]])
    got[1, 1] = value
    mismatch = compare(got, EXPECTED)
    assert (mismatch.index, mismatch.error) == ((1, 1), np.inf)
    np.testing.assert_equal(mismatch.got, value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_even_the_same_nonfinite_value_counts_as_right(value):
    """Nothing is compared where the expected value is not finite, so such a case must not pass by accident."""
    assert compare(np.array([value, 1.0]), np.array([value, 1.0])) is not None


# --- patterns ------------------------------------------------------------------------------------------------------


def some_columns(*columns):
    got = EXPECTED.copy()
    got[:, list(columns)] = [[7.0], [-9.0]]
    return got


def with_value(value):
    got = EXPECTED.copy()
    got[1, 0] = value
    return got


SQUARE = np.array([[1.0, 2.0], [3.0, 4.0]])
UNRELATED = np.array([[5.0, -1.0, 3.0], [1.0, 7.0, -6.0]])
PATTERNS = {
    "NaN": (with_value(np.nan), EXPECTED, "it contains NaN, as the root of a negative number is, or 0 divided by 0"),
    "infinite": (with_value(-np.inf), EXPECTED, "it contains infinite values"),
    "zero": (np.zeros((2, 3)), EXPECTED, "everything is zero"),
    "sign": (-EXPECTED, EXPECTED, "the sign is wrong everywhere"),
    "sign of a number": (np.array(-2.0), np.array(2.0), "the sign is wrong everywhere"),
    "factor": (7 * EXPECTED, EXPECTED, "every element is 7 times the right value"),
    "a number has no factor": (np.array(3.0), np.array(2.0), ""),
    "transposed": (SQUARE.T, SQUARE, "it is the transpose of the right array"),
    "two columns": (some_columns(0, 2), EXPECTED, "only some columns are wrong: 0, 2"),
    "nothing regular": (UNRELATED, EXPECTED, ""),
}


FRACTIONS = np.array([[0.3, -1.7, 2.5], [4.2, 0.0, 31.9]])
WITHOUT = "these are the right values without their decimals, as an array of integers keeps them (see its dtype)"
ALL_ZERO = "everything is zero, and an integer, which keeps no decimals (see the dtype)"


@pytest.mark.parametrize(
    ("got", "expected", "words"),
    [
        (FRACTIONS.astype(int), FRACTIONS, WITHOUT),
        (np.trunc(FRACTIONS), FRACTIONS, WITHOUT),
        (np.rint(FRACTIONS[1]), FRACTIONS[1], WITHOUT),
        ((FRACTIONS / 100).astype(np.int8), FRACTIONS / 100, ALL_ZERO),
        (np.trunc(FRACTIONS / 100), FRACTIONS / 100, "everything is zero"),  # perhaps only not computed
        (7 * EXPECTED.astype(int), EXPECTED, "every element is 7 times the right value"),  # whole anyway
        (np.array(3), np.array(3.4), ""),
    ],
)
def test_decimals_that_were_cut_off_are_told(got, expected, words):
    assert compare(got, expected).pattern == words


def test_the_dtype_of_what_was_returned_is_looked_at():
    with pytest.raises(Failed, match="an integer, which keeps no decimals"):
        close("losses", np.zeros(3, dtype=int), np.array([0.3, 0.2, 0.1]))
    with pytest.raises(Failed, match=r"expected; everything is zero\."):
        close("losses", np.zeros(3), np.array([0.3, 0.2, 0.1]))


@pytest.mark.parametrize(("value", "text"), [(1e-7, "1e-7"), (2.5e-10, "2.5e-10"), (0.03, "0.03"), (1e12, "1e+12")])
def test_a_number_is_written_without_leading_zeros_in_its_exponent(value, text):
    assert written(value) == text


@pytest.mark.parametrize("got, expected, words", PATTERNS.values(), ids=PATTERNS)
def test_a_regular_error_is_put_in_words(got, expected, words):
    assert compare(got, expected).pattern == words


@pytest.mark.parametrize("scale", [None, np.array([1.0, 2.0, 4.0]), 1e-3])
def test_a_factor_is_seen_on_any_scale_and_through_rounding(scale):
    noise = 1e-12 * np.arange(6.0).reshape(2, 3)
    assert compare(6 * EXPECTED + noise, EXPECTED, scale).pattern == "every element is 6 times the right value"


def test_factors_that_differ_are_no_factor_however_large_the_scale():
    got, expected = np.array([1.38, 1.98, 3.9]), np.array([1.3, 1.8, 3.4])
    assert compare(got, expected, 1e4 * expected).pattern == ""
    assert compare(1.1 * expected, expected, 100 * expected).pattern == "every element is 1.1 times the right value"


HUGE = np.full((2, 2), np.finfo(float).max)


@pytest.mark.parametrize(
    "got, expected",
    [
        (-HUGE, HUGE),
        (HUGE / 3, HUGE),
        (HUGE, np.ones((2, 2))),
        (HUGE, HUGE * 1e-300 * 1e-100),
        (-HUGE / 2, HUGE * [[1, -1], [1, 1]]),
    ],
)
def test_exploded_values_are_compared_without_a_warning(got, expected):
    assert compare(got, expected).error > 0.5


# --- in words ------------------------------------------------------------------------------------------------------


def said(got, expected, scale=None):
    """What a student reads of two different values."""
    return describe("y", compare(np.array(got), np.array(expected), scale))


@pytest.mark.parametrize(
    ("got", "expected", "words"),
    [
        (0.89, 1.0, "11 % too small"),
        (-1.11, -1.0, "its absolute value is 11 % too large"),
        (-2.0, -6.0, "its absolute value is 3 times too small"),
        (6.0, 2.0, "3 times too large"),
        (2.0, 6.0, "3 times too small"),
        (1.001, 1.0, "0.1 % too large"),
        (34.0, 1.0, ""),
        (1e-9, 1.0, ""),
        (1.00005, 1.0, ""),  # both numbers show it
        (0.5, -1.0, ""),
        (1.0, 0.0, ""),
        (np.inf, 1.0, ""),
    ],
)
def test_by_how_much_a_value_is_off_is_said_in_words_where_they_help(got, expected, words):
    assert size_of_error(compare(got, expected)) == words
    assert "scale" not in said(got, expected)


def test_nothing_is_said_of_the_ratio_to_a_value_that_only_rounding_made():
    assert said([1.0, 0.4], [1.0, 1e-17]) == "y[1] is 0.4, but 1e-17 was expected; 1 of 2 elements is off."


@pytest.mark.parametrize(
    ("got", "count"),
    [([2.0, 1.0, 1.0], "1 of 3 elements is off"), ([2.0, 5.0, 1.0], "2 of 3 elements are off")],
)
def test_one_element_is_and_several_are(got, count):
    assert count in said(got, [1.0, 1.0, 1.0])


def test_every_element_is_said_of_all_and_no_fewer():
    expected = np.array([100.0, 0.01, 0.01])
    assert said(expected / 2, expected).endswith("expected; every element is 1/2 times the right value.")
    assert "every" not in said([50.0, 0.01, 0.01], expected)
    assert "everywhere" not in said([-100.0, 0.01, 0.01], expected)


@pytest.mark.parametrize(
    ("got", "expected", "words"),
    [
        (-0.0, 2.0, "y is 0, but 2 was expected."),
        (1.0, -0.0, "y is 1, but 0 was expected."),
        (1 + 2e-5, 1.0, "y is 1.00002, but 1 was expected."),
        (1 + 2e-9, 1.0, None),
        (np.nan, np.nan, "y is nan."),
        (np.nan, 0.1234567891, "y is nan, but 0.123457 was expected."),
        (np.inf, 2.0, "y is inf, but 2 was expected."),
    ],
)
def test_two_numbers_can_be_told_apart_or_are_not_compared(got, expected, words):
    assert (compare(got, expected) and said(got, expected)) == words


def test_where_both_are_nan_another_place_is_shown():
    assert said([np.nan, 1.0, 5.0], [np.nan, 1.0, 2.0]).startswith("y[2] is 5, but 2 was expected; 2.5 times too large")


@pytest.mark.parametrize(
    ("wrong", "rows"),
    [
        ([(0, 1), (1, 1)], ("·█·", "·█·")),
        ([(1, 0), (1, 1), (1, 2)], ("···", "███")),
        ([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)], ()),
        ([(0, 0), (0, 1), (1, 2)], ()),
        ([(1, 1)], ()),
    ],
    ids=["a column", "a row", "everything", "no pattern", "one element"],
)
def test_a_picture_is_drawn_where_it_shows_a_pattern(wrong, rows):
    got = EXPECTED.copy()
    for place in wrong:
        got[place] += 9 + sum(place)
    assert compare(got, EXPECTED).picture == rows


@pytest.mark.parametrize(("rows", "drawn"), [((15, 16), False), ((3, 16), True)])
def test_a_picture_is_of_the_beginning_of_a_large_array_and_not_drawn_if_nothing_is_wrong_there(rows, drawn):
    expected = np.arange(40.0).reshape(20, 2)
    got = expected.copy()
    got[list(rows)] += 99
    assert compare(got, expected).picture == (("··",) * 3 + ("██",) + ("··",) * 8 if drawn else ())


@pytest.mark.parametrize(
    ("got", "words"),
    [(0.89, "11 % 小さすぎます"), (6.0, "正しい値の 6 倍です"), (0.5, "正しい値の 2 分の 1 です")],
)
def test_the_same_is_said_in_japanese(got, words):
    with speaking("ja"):
        assert words in said(got, 1.0)
