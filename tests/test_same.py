"""What equals the reference's values, byte for byte, is neither read nor judged again, and nothing else is."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest
from conftest import EXERCISES, SOLUTIONS, small_notebook

from autograder.checks import encoding
from autograder.checks.exercise import Exercise, Failed, Observation
from autograder.checks.judge import Trial, judge
from autograder.checks.results import Outcome
from autograder.checks.values import MAX_TEXT, Opaque, Raised
from autograder.exercises import exercise
from autograder.exercises.recorded import Expectation, recorded
from autograder.notebooks.submission import submission_of
from autograder.sandbox.client import run_submission

JUNK = Opaque("junk")


@dataclass(frozen=True)
class Number:
    x: float
    title: str = "a number"


def toy(calls):
    """An exercise with a check that reads "y" and one that reads "z"; `calls` collects what they are given."""
    made = Exercise("toy", Number, {"numbers": lambda rng: [Number(1.0)]}, lambda implementation, case: iter(()))

    @made.check(points=1.0, on="numbers")
    def test_y(case, seen, expected):
        """y is right."""
        calls.append(("y", seen["y"]))
        if seen["y"] != expected["y"]:
            raise Failed("y")

    @made.check(points=1.0, on="numbers")
    def test_z(case, seen, expected):
        """z is right."""
        calls.append(("z", seen["z"]))
        if seen["z"] != expected["z"]:
            raise Failed("z")

    return made


EXPECTED = Observation({"y": 2.0, "z": np.array([1.0, np.nan])})


def sent(values, stopped=None, expected=EXPECTED):
    """What comes over the wire of an observation, read beside what is expected."""
    packed = encoding.pack_observation(Observation(values, stopped).to_data())
    return Expectation("numbers", Number(1.0), expected, public=False).read(packed, encoding.Parts(MAX_TEXT))


def test_equal_bytes_are_the_references_own_values():
    seen = sent({"y": 2.0, "z": np.array([1.0, np.nan])})
    assert seen.same == {"y", "z"}
    assert seen.values["z"] is EXPECTED.values["z"]


@pytest.mark.parametrize(
    "other",
    [2, np.float64(2.0), np.nextafter(2.0, 3.0), np.array(2.0), [2.0], None, True, Raised("ValueError", (), "")],
    ids=repr,
)
def test_what_differs_in_a_bit_or_in_its_type_is_read(other):
    seen = sent({"y": other, "z": np.array([1.0, np.nan])})
    assert seen.same == {"z"}
    assert type(seen.values["y"]) is type(other) and repr(seen.values["y"]) == repr(other)


def test_zeros_of_another_sign_are_not_the_same():
    assert sent({"y": -0.0}, expected=Observation({"y": 0.0})).same == set()


@pytest.mark.parametrize(
    ("values", "stopped"),
    [
        ({"y": 2.0}, None),
        ({"y": 2.0}, Raised("ValueError", (), "")),
        (EXPECTED.values, Raised("E", (), "")),
        ({**EXPECTED.values, "more": 1}, None),
    ],
    ids=["a value is missing", "the probe was ended", "ended after the last value", "more than expected"],
)
def test_nothing_is_the_same_where_the_probe_ended_elsewhere(values, stopped):
    assert sent(values, stopped).same == set()


@pytest.mark.parametrize(
    "forged", [None, 3, [], {}, {"values": 1, "end": b"\x80"}, {"values": {"y": 2.0}}, {"end": b"\x80"}]
)
def test_what_is_no_observation_is_refused(forged):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Expectation("numbers", Number(1.0), EXPECTED, public=False).read(forged, encoding.Parts(MAX_TEXT))


def test_an_end_cannot_replace_values():
    packed = encoding.pack_observation({"values": dict(EXPECTED.values), "stopped": None})
    packed["end"] = encoding.pack({"values": {"y": 0.0, "z": 0.0}, "stopped": None})
    seen = Expectation("numbers", Number(1.0), EXPECTED, public=False).read(packed, encoding.Parts(MAX_TEXT))
    assert seen.values == EXPECTED.values


def test_many_parts_have_the_limits_of_one_message():
    parts, large = encoding.Parts(MAX_TEXT), encoding.pack([None] * 90_000)
    with pytest.raises(encoding.WireError, match="too many items"):
        for _part in range(100):
            parts.unpack(large)


def test_a_check_that_reads_the_references_values_alone_is_not_run_again():
    calls = []
    exercise, expected = toy(calls), Observation({"y": 2.0, "z": 3.0})
    for z, full in ((3.0, True), (4.0, False), (3.0, True)):
        seen = sent({"y": 2.0, "z": z}, expected=expected)
        assert judge(exercise, [Trial("numbers", Number(1.0), seen, expected)]).full is full
    # Once each on the reference's values, which tells what it reads, and on those that are others.
    assert calls == [("y", 2.0), ("z", 3.0), ("z", 4.0)]


def test_a_check_that_crashes_on_the_references_values_is_a_grader_error():
    made = Exercise("toy", Number, {"numbers": lambda rng: [Number(1.0)]}, lambda implementation, case: iter(()))

    @made.check(points=1.0, on="numbers")
    def test_y(case, seen, expected):
        """y is right."""
        raise ZeroDivisionError(seen["y"])

    seen = sent({"y": 2.0}, expected=(expected := Observation({"y": 2.0})))
    (item,) = judge(made, [Trial("numbers", Number(1.0), seen, expected)]).items
    assert (item.outcome, item.points) == (Outcome.GRADER_ERROR, 1.0)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_a_check_depends_on_nothing_but_what_it_reads(exercise):
    """In place of every value that it did not read is junk: it finds the same."""
    for expectation in recorded(exercise):
        for check in exercise.checks:
            if expectation.group not in check.on:
                continue
            right = Observation(copy.deepcopy(expectation.expected.values))
            check.test(expectation.case, right, right)
            values = {name: value if name in right.read else JUNK for name, value in right.values.items()}
            check.test(expectation.case, Observation(values), expectation.expected)


@pytest.mark.parametrize(("root", "tried"), [("np.sqrt", 1), ("np.abs", 2)], ids=["right", "wrong"])
def test_only_where_a_series_finds_a_fault_is_the_next_one_tried(root, tried):
    answer = SOLUTIONS["clip_gradients"].replace("np.sqrt", root)
    submission = submission_of(small_notebook(clip_gradients=answer), "test")
    series = recorded(exercise("clip_gradients"))
    run = run_submission(submission, {"clip_gradients": [series, series]})
    assert len(run.trials["clip_gradients"]) == tried * len(series)
