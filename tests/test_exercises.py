"""What the exercises promise: right code has full marks however it is written, wrong code loses the points it should.

Known mistakes are in the bank, which test_audit.py judges. Here is what is charged once, or earns nothing.
"""

import random
import re
import textwrap
import tracemalloc
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import SOLUTIONS

from autograder.checks import encoding, values
from autograder.checks.diagnosis import Cause, Fingerprints
from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, Stopped, StudentError
from autograder.checks.expect import same
from autograder.checks.judge import MOST_REASON, Trial, interrupted, judge
from autograder.checks.numeric import central_differences
from autograder.checks.results import Ending, Outcome
from autograder.checks.sketches import departures, sketches_of
from autograder.checks.values import Raised
from autograder.exercises import assignments, every_exercise
from autograder.exercises.gradient_pathology.batch_norm.shared import Batches
from autograder.exercises.recorded import RECORDINGS, recorded, trials
from autograder.grading.reference import Reference
from autograder.layers import Layer, MSELoss, Problem, forward_backward
from autograder.locale import _, speaking
from reference import bank
from tests.judging import edited, judged, lost

EXERCISES = {exercise.id: exercise for exercise in every_exercise()}
REFERENCE = Reference(Path(__file__).parents[1])
POINTS = {
    "clip_gradients": 6,
    "batch_norm_forward": 4,
    "batch_norm_backward": 8,
    "batch_norm_inference": 4,
    "depth_study": 6,
    "gradient_monitor": 4,
    "gradient_profile": 4,
}
"""As the contract with students says; another 4 of its 40 are given by hand."""

SEEDS = range(100, 102)
"""Private draws."""

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.usefixtures("english")]
"""Checking exploded or missing values must not add warnings of its own to a student's notebook."""

CHECKS = [(exercise.id, check.id) for exercise in EXERCISES.values() for check in exercise.checks]


@cache
def expectations(exercise_id, seed):
    """The public cases (seed None), or private ones."""
    exercise = EXERCISES[exercise_id]
    if seed is None:
        return recorded(exercise)
    return tuple(REFERENCE.expect(exercise, np.random.default_rng(seed)))


def grade(exercise_id, names, seed=None):
    """The result of an implementation with these names."""
    return judged(EXERCISES[exercise_id], names, expectations(exercise_id, seed), causes=False)


def item(result, check):
    return next(item for item in result.items if item.id == check)


def solution(exercise_id):
    """What the reference defines for an exercise."""
    exercise = EXERCISES[exercise_id]
    return getattr(REFERENCE.implementation(exercise), exercise.defines)


# --- every exercise --------------------------------------------------------------------------------------------------

each_exercise = pytest.mark.parametrize("name", EXERCISES)


def test_points_are_those_of_the_contract():
    assert {exercise.id: exercise.points for exercise in assignments()["gradient-pathology"]} == POINTS
    assert sum(POINTS.values()) + 4 == 40


def stub(*_args, **_kwargs):
    raise NotImplementedError


@each_exercise
def test_the_stub_has_attempted_nothing(name):
    result = grade(name, {EXERCISES[name].defines: stub})
    assert {(item.outcome, item.points, item.message) for item in result.items} == {
        (Outcome.NOT_ATTEMPTED, 0.0, "Nothing here yet.")
    }


@each_exercise
@pytest.mark.parametrize("value", [None, 3, "code", print, Layer])
def test_a_name_that_means_something_else_earns_nothing(name, value):
    assert grade(name, {EXERCISES[name].defines: value}).score == 0


def without_root(layers, max_norm=1.0):
    squares = sum(np.sum(g**2) for layer in layers for g in layer.grads.values() if g is not None)
    if not np.isfinite(squares):
        raise ValueError
    factor = min(1.0, max_norm / squares) if squares else 1.0
    for layer in layers:
        layer.grads = {name: None if g is None else factor * g for name, g in layer.grads.items()}
    return squares, factor


def test_what_rests_on_a_wrong_value_is_judged_against_that_value():
    assert lost(grade("clip_gradients", {"clip_gradients": without_root})).keys() == {"total_norm"}
    natural = {"gradient_slope": lambda norms: solution("gradient_profile")(norms) * np.log(10)}
    assert lost(grade("gradient_profile", natural)).keys() == {"line"}


def test_a_message_quotes_only_so_much_of_what_an_answer_holds():
    monitor = type("Monitor", (solution("gradient_monitor"),), {})
    monitor.detect_problems = lambda self, **_thresholds: [Problem("A" * 19_000, "B", 1.0, 1)] * 100
    study = {"depth_study": lambda *_arguments, **_settings: {"k" * 19_000: 1}}
    messages = [*lost(grade("gradient_monitor", {"GradientMonitor": monitor})).values()]
    messages += lost(grade("depth_study", study)).values()
    assert messages and all(len(message) < MOST_REASON + 500 for message in messages)
    assert any(" ..." in message for message in messages)


def test_a_problem_that_is_found_without_a_record_is_told():
    right, problem = solution("gradient_monitor").detect_problems, Problem("Linear_0", "vanishing", 0.0, 0)
    monitor = answering(lambda self, **thresholds: right(self, **thresholds) if self.history else [problem])
    assert lost(grade("gradient_monitor", monitor))["healthy"].startswith("Problems found: some, but of no layer.")


@each_exercise
def test_the_recording_is_what_the_reference_shows(name):
    """Numerically: another processor may round another way."""
    stored, fresh = (
        encoding.unpack(data) for data in (recording_file(name).read_bytes(), REFERENCE.record(EXERCISES[name]))
    )
    assert_same_numbers(stored, fresh)


def recording_file(name):
    return RECORDINGS / f"{name}.msgpack"


def assert_same_numbers(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same_numbers(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_same_numbers(x, y)
    elif isinstance(a, (float, np.ndarray, np.floating)):
        # 1e-9 of the largest value: numerical gradients keep that many digits; a slope of equal norms is zero, but for
        # what rounding leaves.
        largest = np.max(np.abs(a), initial=0.0, where=np.isfinite(a))
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * float(largest) + 1e-12)
    else:
        assert a == b


@each_exercise
def test_a_recording_holds_no_line_of_the_reference(name):
    text = recording_file(name).read_bytes()
    assert b"self." not in text and b"raise " not in text and "勾配".encode() not in text


@pytest.mark.parametrize("name, check", CHECKS)
def test_a_check_has_a_sentence_points_and_known_needs(name, check):
    known = EXERCISES[name].checks
    here = next(c for c in known if c.id == check)
    assert here.sentence.endswith(".") and "\n\n" not in here.sentence and not here.sentence.startswith(check)
    assert here.points > 0
    assert set(here.needs) <= {c.id for c in known[: known.index(here)]}
    assert here.on and set(here.on) <= EXERCISES[name].groups.keys()


@each_exercise
def test_drawing_depends_on_the_seed_alone_and_titles_are_unique(name):
    draw = EXERCISES[name].draw
    drawn = (draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    one, same, other = ([values.to_record(case) for _group, case in cases] for cases in drawn)
    assert encoding.pack(one) == encoding.pack(same) != encoding.pack(other)
    titles = [case["title"] for case in one]
    assert titles == [case["title"] for case in other] and len(set(titles)) == len(titles)


# --- what a slip costs ------------------------------------------------------------------------


KNOWN = {mistake.id: mistake for mistake in bank.mistakes()}


@pytest.mark.parametrize(("kind", "says"), [(int, "an integer, which keeps no decimals"), (float, "is 0 everywhere")])
def test_a_record_made_for_integers_is_told(kind, says):
    def depth_study(*args, **settings):
        study = solution("depth_study")(*args, **settings)
        return {d: {name: np.zeros_like(v, dtype=kind) for name, v in curves.items()} for d, curves in study.items()}

    messages = lost(grade("depth_study", {"depth_study": depth_study})).values()
    assert all(any(name in text and says in text for text in messages) for name in ('["loss"]', '["grad_norms"]'))


def studying(curves):
    """A study that trains nothing: `curves(layers, X, t, steps, depth)`."""

    def depth_study(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
        networks = {depth: build_network(depth, np.random.default_rng(seed)) for depth in depths}
        named = ("loss", "grad_norms")
        return {d: dict(zip(named, curves(layers, X, t, steps, d))) for d, layers in networks.items()}

    return {"depth_study": depth_study}


def answering(answer):
    return {"GradientMonitor": type("M", (solution("gradient_monitor"),), {"detect_problems": answer})}


def test_a_network_that_learns_nothing_loses_what_is_about_learning():
    def first_row(layers, X, t, steps, depth):
        loss, norms = forward_backward(layers, X, t)
        return np.full(steps, loss), np.tile(norms, (steps, 1))

    for seed in (None, *SEEDS):
        result = grade("depth_study", studying(first_row), seed)
        assert lost(result).keys() == {"update", "settings", "all_parameters"}


WHOLE_STUDY = """
results = {}
for depth in depths:
    layers = build_network(depth, np.random.default_rng(seed))
    losses, norms = [], []
    for step in range(steps):
        loss_fn, h = MSELoss(), X
        for layer in layers:
            h = layer.forward(h)
        loss = loss_fn.forward(h, t)
        dout = loss_fn.backward()
        for layer in reversed(layers):
            dout = layer.backward(dout)
        losses.append(loss)
        norms.append([np.linalg.norm(layer.grads["W"]) for layer in layers if "W" in layer.grads])
        for layer in layers:
            for name in layer.params:
                layer.params[name] -= lr * layer.grads[name]
    results[depth] = {"loss": losses, "grad_norms": norms}
return results
""".strip().splitlines()

MISSING = {
    "layers = build_network": "build_network was never called: there is no network yet.",
    "h = layer.forward": "No data went through the network of depth {depth} as built: is the forward pass there, and "
    "reached?",
    "dout = layer.backward": "After a step, a layer has no gradient: the backward pass is missing, or leaves "
    "that layer out.",
    "layer.params[name] -=": (
        "Nothing in `layer.params` was changed: the update is missing or never reached, or its result is not "
        "put into `layer.params[name]`."
    ),
    "results[depth] =": "depth_study returned an empty dict: no record was put into it.",
    "return results": "depth_study returned None: is there a `return`?",
}
"""What is told as long as the line that begins so is missing."""


def first_lines(n, *more):
    """A study of which only the first lines are written, with `more` lines at its end."""
    lines = WHOLE_STUDY[:n]
    indent = len(lines[-1]) - len(lines[-1].lstrip()) + 4 if n else 0
    lines += [" " * indent + "pass"] if not n or lines[-1].endswith(":") else []
    body = "\n    ".join([*lines, *more])
    names = {"np": np, "MSELoss": MSELoss}
    exec(f"def depth_study(depths, build_network, X, t, lr=0.1, steps=200, seed=0):\n    {body}", names)
    return names


def first_message(names, language):
    with speaking(language):
        result = grade("depth_study", names)
    failed = next(item for item in result.items if item.points < item.max)
    assert not failed.causes or failed.causes == ("depth-returns-nothing",)
    return failed.message


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("n", range(len(WHOLE_STUDY)))
def test_half_a_study_is_told_what_it_lacks_first(n, language):
    missing = [line for start, line in MISSING.items() if not any(start in line for line in WHOLE_STUDY[:n])]
    with speaking(language):
        told = {line: _(line).format(depth=4) for line in missing}
    assert language == "en" or all(said != line for line, said in told.items())
    unreturned = [line for line in missing if "empty dict" not in line]
    assert first_message(first_lines(n), language).startswith(told[unreturned[0]])
    if 0 < n < len(WHOLE_STUDY) - 1:
        assert first_message(first_lines(n, "return results"), language).startswith(told[missing[0]])


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    "code, said",
    [
        ('{"loss": losses}', """result[4] has the keys "loss"; "grad_norms" is asked for."""),
        ('{"losses": losses, "norms": norms}', """result[4] has the keys "losses", "norms"; "loss" is asked for."""),
        ('{"loss": [], "grad_norms": norms}', """result[4]["loss"] is empty: nothing was recorded."""),
        ('{"loss": [str(x) for x in losses], "grad_norms": norms}', "a list of length 6 that holds texts"),
        ("losses", "result[4] should be a dict with two curves, but it is a list of length 6."),
    ],
)
def test_a_record_in_another_form_is_told_by_what_came(code, said, language):
    names = first_lines(len(WHOLE_STUDY) - 2, f"    results[depth] = {code}", "return results")
    message = first_message(names, language)
    assert said in message if language == "en" else message.split("\n")[0] != said and "result[4]" in message


def test_curves_that_fit_a_training_which_began_elsewhere_earn_nothing():
    exercise, expected = EXERCISES["depth_study"], expectations("depth_study", None)
    forged = []
    for e in expected:
        facts = {depth: dict(facts) for depth, facts in e.expected.values["trained"].items()}
        for own in facts.values():
            own |= {what: np.ones_like(own[what]) for what in ("loss", "grad_norms")}
        ones = {depth: {what: own[what] for what in ("loss", "grad_norms")} for depth, own in facts.items()}
        forged.append(Observation(e.expected.values | {"trained": facts, "result": ones}))
    kept = {item.id for item in judge(exercise, trials(expected, forged)).items if item.points}
    assert kept <= {"seed", "all_parameters"}


def test_a_long_text_in_a_record_takes_no_memory():
    """NumPy would give every item of the list the width of the longest."""
    texts = ["x" * 20_000, *["y"] * 2_000]
    names = {"depth_study": lambda depths, *_arguments, **_settings: {d: {"loss": texts, "n": texts} for d in depths}}
    tracemalloc.start()
    try:
        assert grade("depth_study", names).score == 0
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


# --- a backward that fits a wrong forward ----------------------------------------------------------------------------


AFFINE = 'self.params["gamma"] * x_hat + self.params["beta"]'


def staged(changes, **methods):
    """The reference's BatchNorm with other text in some places, and other methods; its cache also holds `x`."""
    right = bank.slip("batch_norm", {"self.cache = {": 'self.cache = {"x": x, '} | changes)
    return {"BatchNorm": type("BatchNorm", (right.BatchNorm,), methods)}


def numerical_backward(self, dout):
    """dx is the numerical gradient of the own forward, whatever that is."""
    super(type(self), self).backward(dout)
    x, twin = self.cache["x"], type(self)(dout.shape[1], self.eps)
    twin.params = self.params
    return central_differences(twin.forward, x, dout, 1e-5 * np.hypot(x.std(axis=0), self.eps**0.5))


NEARLY = {
    "variance with N - 1": {"x.var(axis=0)": "x.var(axis=0, ddof=1)"},
    "eps outside the root": {"np.sqrt(var + self.eps)": "np.sqrt(var) + self.eps"},
    "eps a constant": {"np.sqrt(var + self.eps)": "np.sqrt(var + 1e-3)"},
    "gamma forgotten": {AFFINE: 'x_hat + self.params["beta"]', "(dout * x_hat).sum(axis=0)": "0 * dout[0]"},
    "beta forgotten": {AFFINE: 'self.params["gamma"] * x_hat', "dout.sum(axis=0)": "0 * dout[0]"},
    "scaling alone": {"(x - mean) / std": "x / std"},
}


@pytest.mark.parametrize("changes", NEARLY.values(), ids=NEARLY)
@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_a_backward_that_fits_a_wrong_normalisation_loses_little(changes, seed):
    result = grade("batch_norm_backward", staged(changes, backward=numerical_backward), seed)
    assert item(result, "own_forward").outcome is Outcome.PASSED
    assert lost(result).keys() <= {"dgamma", "dbeta", "dx_through_mean", "dx_through_variance"}
    assert result.score >= 2 / 3 * result.max


TRIVIAL = {
    "identity": {"(x - mean) / std": "x"},
    "centring alone": {"(x - mean) / std": "x - mean"},
    "a constant": {"(x - mean) / std": "0 * x"},
}


@pytest.mark.parametrize("changes", TRIVIAL.values(), ids=TRIVIAL)
@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_a_backward_that_fits_no_normalisation_earns_nothing_for_it(changes, seed):
    result = grade("batch_norm_backward", staged(changes, backward=numerical_backward), seed)
    assert {"own_forward", "dx_direct", "dx_through_variance"} <= lost(result).keys()
    told = item(result, "own_forward").message
    assert seed is not None or "does not normalize its columns yet" in told or "does not depend on x" in told


@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_a_wrong_backward_of_a_wrong_forward_loses_what_is_wrong_in_it(seed):
    names = staged(NEARLY["variance with N - 1"] | {" - dx_hat.mean(axis=0)": ""})
    assert lost(grade("batch_norm_backward", names, seed)).keys() == {"own_forward", "dx_through_mean"}


@pytest.mark.parametrize("changes", [NEARLY["variance with N - 1"], {AFFINE: "None"}])
def test_a_backward_that_fits_the_formula_and_not_the_own_forward_keeps_the_other_promises(changes):
    right = solution("batch_norm_backward")

    def backward(self, dout):
        layer = right(dout.shape[1], self.eps)
        layer.params = self.params
        layer.forward(self.cache["x"])
        dx = layer.backward(dout)
        self.grads = layer.grads
        return dx

    assert set(lost(grade("batch_norm_backward", staged(changes, backward=backward)))) == {"own_forward"}


def test_what_is_wrong_in_dx_is_told_in_numbers_that_one_can_compute():
    def message(check, changes):
        return item(grade("batch_norm_backward", staged(changes)), check).message

    told = message("dx_through_mean", {" - dx_hat.mean(axis=0)": ""})
    assert re.search(r"\. backward\(dout\)\.sum\(axis=0\)\[\d\] is \S+, but 0 was expected", told)
    told = message("dx_through_variance", {" - x_hat * (dx_hat * x_hat).mean(axis=0)": ""})
    assert re.search(r"\. \(backward\(dout\) \* x_hat\)\.sum\(axis=0\)\[\d\] is \S+, but 0 was expected", told)
    assert "2 times the right value" in message("dx_direct", {"return dx_hat / std": "return dx_hat / (std / 2)"})


# --- no work, no points -----------------------------------------------------------------------------------------------


def thousandths(layers, max_norm=1.0):
    """One factor for all gradients, and the norm that it would belong to: they fit each other, and nothing else."""
    for layer in layers:
        layer.grads = {name: None if g is None else 1e-3 * g for name, g in layer.grads.items()}
    return 1e3 * max_norm, 1e-3


ONE_PROBLEM = [Problem("Linear_0", "vanishing", 0.0, 1)]
LAYERS = {
    "x and dout": dict(forward=lambda self, x: x, backward=lambda self, dout: dout),
    "zeros": dict(forward=lambda self, x: 0 * x, backward=lambda self, dout: 0 * dout),
    "beta": dict(forward=lambda self, x: 0 * x + self.params["beta"], backward=lambda self, dout: None),
    "nan": dict(forward=lambda self, x: np.nan * x, backward=lambda self, dout: np.nan * dout),
}
NO_WORK = {
    "zeros": ("clip_gradients", {"clip_gradients": lambda layers, max_norm=1.0: (0.0, 1.0)}),
    "the limit itself": ("clip_gradients", {"clip_gradients": lambda layers, max_norm=1.0: (max_norm, 1.0)}),
    "what fits itself": ("clip_gradients", {"clip_gradients": thousandths}),
    "an error": ("clip_gradients", {"clip_gradients": lambda layers, max_norm=1.0: int("x")}),
    "no slope": ("gradient_profile", {"gradient_slope": lambda delta_norms: 0.0}),
    "one decade": ("gradient_profile", {"gradient_slope": lambda delta_norms: 1.0}),
    "no number": ("gradient_profile", {"gradient_slope": lambda delta_norms: float("nan")}),
    "the input": ("gradient_profile", {"gradient_slope": lambda delta_norms: delta_norms}),
    "whatever comes is refused": ("gradient_profile", {"gradient_slope": lambda delta_norms: int("x")}),
    "no study": ("depth_study", {"depth_study": lambda *args, **settings: {}}),
    "a study of zeros": (
        "depth_study",
        studying(lambda layers, X, t, steps, d: (np.zeros(steps), np.zeros((steps, d)))),
    ),
    "the names of a study": ("depth_study", studying(lambda layers, X, t, steps, d: ([], []))),
    "a study that stops": ("depth_study", {"depth_study": lambda *args, **settings: int("x")}),
    "never a problem": ("gradient_monitor", answering(lambda self, *thresholds, **named: [])),
    "always the same problem": ("gradient_monitor", answering(lambda self, *thresholds, **named: ONE_PROBLEM)),
    "everything is NaN": (
        "gradient_monitor",
        answering(lambda self, *a, **k: [Problem(name, "nonfinite", np.nan, 0) for _, r in self.history for name in r]),
    ),
    "yes": ("gradient_monitor", answering(lambda self, *thresholds, **named: True)),
    "the record": ("gradient_monitor", answering(lambda self, *thresholds, **named: self.history[-1:])),
}
NO_WORK |= {
    f"{name}: {code}": (name, staged({}, **methods))
    for name in EXERCISES
    if name.startswith("batch_norm")
    for code, methods in LAYERS.items()
}


@pytest.mark.parametrize("name, names", NO_WORK.values(), ids=NO_WORK)
def test_an_answer_that_took_no_work_earns_nothing(name, names):
    for seed in (None, SEEDS[0]):
        assert grade(name, names, seed).score == 0


# --- half-written code ------------------------------------------------------------------------------------------------

MEASURED = """
gradients = [g for layer in layers for g in layer.grads.values() if g is not None]
if not all(np.isfinite(g).all() for g in gradients):
    raise ValueError("not finite")
total_norm = float(np.sqrt(sum(np.sum(g**2) for g in gradients)))
clip_coef = max_norm / total_norm if total_norm > max_norm else 1.0
"""
NO_RETURN = "clip_gradients returned None: is there a `return total_norm, clip_coef`?"
UNCHANGED = (
    "clip_coef is below 1, but no gradient is multiplied by it, or the products are not put into layer.grads. After "
    "the call the gradients are unchanged."
)
LOOP = """
if not self.history:
    return []
epoch, norms = self.history[-1]
problems = []
for layer, norm in norms.items():
    if not np.isfinite(norm):
        problems.append(Problem(layer, 'nonfinite', norm, epoch))
"""
NOTHING_IN_ANY = (
    "Every record gives an empty list, even where all layers are ill: does your code come to a loop over the newest "
    "record, or to a `return` first?"
)
NO_PROBLEMS = "detect_problems returned None: is there a `return problems`?"
NO_SLOPE = "gradient_slope returned None: is there a `return slope`?"
LOGARITHMS = """
norms = np.array(delta_norms, dtype=float)
norms[norms == 0] = np.finfo(float).tiny
y = np.log10(norms)
"""

HALF_WRITTEN = {
    "clip: pass": ("clip_gradients", "pass", NO_RETURN),
    "clip: scaled, no return": ("clip_gradients", MEASURED + "for g in gradients:\n    g *= clip_coef", NO_RETURN),
    "clip: only the short ones return": (
        "clip_gradients",
        MEASURED + "if total_norm <= max_norm:\n    return total_norm, 1.0",
        NO_RETURN,
    ),
    "clip: the norm alone": (
        "clip_gradients",
        MEASURED + "return total_norm",
        "clip_gradients returned one number; two values are asked for: `return total_norm, clip_coef`.",
    ),
    "clip: zeros": (
        "clip_gradients",
        "return 0.0, 1.0",
        'total_norm is 0 for every network, and layers[0].grads["W"] is multiplied by 1: nothing is measured.',
    ),
    "clip: nothing scaled": (
        "clip_gradients",
        MEASURED + "return total_norm, 1.0",
        "Nothing has been scaled yet, a `return` comes first, or clip_coef or the comparison with max_norm comes out "
        "wrong. After the call the gradients are unchanged, and clip_coef is 1.",
    ),
    "clip: nothing scaled, coefficient returned": (
        "clip_gradients",
        MEASURED + "return total_norm, clip_coef",
        UNCHANGED,
    ),
    "clip: copies not put back": (
        "clip_gradients",
        MEASURED + "for g in gradients:\n    g = g * clip_coef\nreturn total_norm, clip_coef",
        UNCHANGED,
    ),
    "monitor: pass": ("gradient_monitor", "pass", NO_PROBLEMS),
    "monitor: loop, no return": ("gradient_monitor", LOOP, NO_PROBLEMS),
    "monitor: an empty list": (
        "gradient_monitor",
        "return []",
        NOTHING_IN_ANY,
    ),
    "monitor: nonfinite alone": (
        "gradient_monitor",
        LOOP + "return problems",
        "No layer that is vanishing is found: is there a branch for it, and is its condition ever true?",
    ),
    "monitor: no branch for exploding": (
        "gradient_monitor",
        LOOP + "    elif norm < vanish_threshold:\n"
        "        problems.append(Problem(layer, 'vanishing', norm, epoch))\nreturn problems",
        "No layer that is exploding is found: is there a branch for it, and is its condition ever true?",
    ),
    "slope: pass": ("gradient_profile", "pass", NO_SLOPE),
    "slope: a line, no return": (
        "gradient_profile",
        LOGARITHMS + "a, b = np.polyfit(np.arange(len(y)), y, 1)",
        NO_SLOPE,
    ),
    "slope: zero": ("gradient_profile", "return 0.0", "gradient_slope(...) is 0 for other norms, too."),
    "slope: the logarithms returned": (
        "gradient_profile",
        LOGARITHMS + "return y",
        "gradient_slope returned an array of shape (8,); one number is asked for.",
    ),
    "slope: no check": (
        "gradient_profile",
        LOGARITHMS + "return np.polyfit(np.arange(len(y)), y, 1)[0]",
        "Likely cause: NaN is returned, and no exception is raised.",
    ),
}
"""The reference, or what beginners write, stopped at some line; and the first sentence of the first failure."""

HEADS = {
    "clip_gradients": "def clip_gradients(layers, max_norm=1.0):",
    "gradient_monitor": "def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):",
    "gradient_profile": "def gradient_slope(delta_norms):",
}


def half_written(exercise_id, body):
    """The names that a cell with this body defines."""
    names = {"np": np, "Problem": Problem}
    exec(HEADS[exercise_id] + textwrap.indent("\n" + body, "    "), names)
    return answering(names["detect_problems"]) if exercise_id == "gradient_monitor" else names


def first_failure(exercise_id, names):
    result = judged(EXERCISES[exercise_id], names)
    return next(item for item in result.items if item.outcome not in (Outcome.PASSED, Outcome.BLOCKED))


SAID = {
    "slope-as-text": ("one_number", "gradient_slope returned the text "),
    "depth-weights-only-updated": ("update", 'In step 0, only layers[0].params["W"], '),
    "monitor-names-alone": ("list_of_problems", "'Linear_0' is not a Problem; its type is str."),
    "monitor-kinds-in-capitals": ("kinds", "VANISHING instead of vanishing"),
    "monitor-dictionary": ("list_of_problems", "detect_problems returned dict; a list is asked for."),
    "monitor-fields-swapped": ("list_of_problems", "Fields: Problem(layer, kind, norm, epoch)."),
    "monitor-no-record-crashes": ("healthy", "(case: no record yet)"),
    "monitor-none-when-healthy": ("healthy", "detect_problems returned None; an empty list is asked for."),
    "monitor-healthy-layers-too": ("healthy", "): healthy instead of nothing"),
    "clip-nonfinite-unnoticed": (
        "nonfinite",
        "For a gradient that is NaN no exception was raised; the specification asks for ValueError.",
    ),
    "clip-nonfinite-asserted": (
        "nonfinite",
        "your code raised AssertionError (-); the specification asks for ValueError",
    ),
}
"""Known mistakes, and what their message says of what came."""


@pytest.mark.parametrize(("mistake", "check", "words"), [(known, *said) for known, said in SAID.items()], ids=SAID)
def test_a_message_says_what_came(mistake, check, words):
    code = KNOWN[mistake]
    defines = EXERCISES[code.solution].defines
    result = grade(code.solution, {defines: getattr(code.implementation, defines)})
    assert words in item(result, check).message


@pytest.mark.parametrize(("name", "body", "sentence"), HALF_WRITTEN.values(), ids=HALF_WRITTEN)
def test_half_written_code_is_told_what_is_missing(name, body, sentence):
    """Before any cause: the slope without a check has one, and its answer for NaN is NaN indeed."""
    names = half_written(name, body)
    failure = first_failure(name, names)
    assert failure.message.split("\n")[0] == sentence
    assert failure.cause in ("", "Likely cause: NaN is returned, and no exception is raised.")
    with speaking("ja"):
        told = first_failure(name, names).message
    assert sentence not in told and re.match("[^\n]*[ぁ-ん]", told)


CLIPPED = """
gradients = [g for layer in layers for g in layer.grads.values() if g is not None]
if not np.isfinite(sum(np.sum(g) for g in gradients)):
    raise ValueError("not finite")
total_norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
clip_coef = max_norm / total_norm if total_norm > max_norm else 1.0
for layer in layers:
    for key, g in layer.grads.items():
        if g is not None:
            layer.grads[key] = g * clip_coef
return total_norm, clip_coef
"""
MONITORED = (
    LOOP
    + """    elif norm < vanish_threshold:
        problems.append(Problem(layer, 'vanishing', norm, epoch))
    elif norm > explode_threshold:
        problems.append(Problem(layer, 'exploding', norm, epoch))
return problems
"""
)
SLOPE = (
    LOGARITHMS
    + """
x = np.arange(len(y)) - (len(y) - 1) / 2
return (x @ y) / (x @ x)
"""
)
FINISHED = {"clip_gradients": CLIPPED, "gradient_monitor": MONITORED, "gradient_profile": SLOPE}
WEIGHTS = 'sum(np.sum(layer.grads["W"] ** 2) for layer in layers if layer.grads.get("W") is not None)'
IN_WORDS = {
    "two slips in the norm": (
        "clip_gradients",
        {"np.sqrt(sum(np.sum(g**2) for g in gradients))": WEIGHTS},
        "total_norm",
        'total_norm is the sum of squares of layer.grads["W"].',
    ),
    "a mean of the norms": (
        "clip_gradients",
        {"np.sqrt(sum(np.sum(g**2) for g in gradients))": "np.mean([np.linalg.norm(g) for g in gradients])"},
        "total_norm",
        "total_norm is the mean of the norms of all gradients.",
    ),
    "a layer less, and no squares": (
        "clip_gradients",
        {"np.sqrt(sum(np.sum(g**2) for g in gradients))": "sum(np.sum(np.abs(g)) for g in gradients[2:])"},
        "total_norm",
        "total_norm is the sum of absolute values of all gradients but those of layers[0].",
    ),
    "a factor that forgets the norm, under another norm": (
        "clip_gradients",
        {"np.sqrt(": "(", "max_norm / total_norm if": "max_norm if"},
        "factor",
        'The factor of layers[0].grads["W"] is the same as max_norm.',
    ),
    "another coefficient than the factor": (
        "clip_gradients",
        {"return total_norm, clip_coef": "return total_norm, total_norm / max_norm", "np.sqrt(": "("},
        "coefficient",
        "clip_coef is the same as total_norm / max_norm.",
    ),
    "the other way round, and no root": (
        "clip_gradients",
        {"return total_norm, clip_coef": "return clip_coef, total_norm", "np.sqrt(": "("},
        "total_norm",
        "total_norm is the factor that gradients are multiplied by: are the two returned in this order?",
    ),
    "the factor in place of the gradient": (
        "clip_gradients",
        {"= g * clip_coef": "= np.full_like(g, clip_coef)", "np.sqrt(": "("},
        "factor",
        'Every element of layers[0].grads["W"] is the same number now: was the gradient left out of the product?',
    ),
    "not a number": (
        "clip_gradients",
        {"np.sqrt(": "np.nan * ("},
        "clips",
        "total_norm is nan: is that the root of a negative number, or 0 divided by 0?",
    ),
    "no logarithm, and another divisor": (
        "gradient_profile",
        {"np.log10(norms)": "norms", "(x @ x)": "len(x)"},
        "line",
        "Norms ten times as large make your slope ten times as large: is it the slope of their logarithms?",
    ),
    "through the origin, and another logarithm": (
        "gradient_profile",
        {" - (len(y) - 1) / 2": "", "np.log10(": "np.log2("},
        "line",
        "Norms ten times as large move the line up and leave it as steep, but your slope changes by 0.66",
    ),
    "layers without gradients are counted": (
        "clip_gradients",
        {"return total_norm": "total_norm += sum(not layer.grads for layer in layers)\nreturn total_norm"},
        "every_layer",
        "Put into Linear layers, the same gradients give a different answer: what does your code do with a layer "
        "that has no gradients, and with gamma and beta?",
    ),
    "no gamma": (
        "clip_gradients",
        {"if g is not None:\n            layer": 'if key in "Wb" and g is not None:\n            layer'},
        "every_layer",
        'layers[3].grads["gamma"] was not scaled, but other gradients were.',
    ),
    "an index that begins at 1": (
        "gradient_monitor",
        {"norms.items()": "list(norms.items())[1:]", "'nonfinite'": "'exploding'"},
        "layers",
        "Only the first layer of the record is missing: where does your loop begin?",
    ),
    "a comparison turned round": (
        "gradient_monitor",
        {"norm > explode": "norm < explode", "'nonfinite'": "'exploding'"},
        "layers",
        "Healthy layers are called exploding, and those that are exploding are not: is the condition turned round?",
    ),
    "a condition that is always true": (
        "gradient_monitor",
        {"norm < vanish_threshold": "vanish_threshold", "if not np.isfinite(norm)": "if False"},
        "tells_apart",
        "Every layer here is called vanishing: is that condition always true?",
    ),
    "a threshold of one's own": (
        "gradient_monitor",
        {"norm < vanish_threshold": "norm < 1e-7", "'nonfinite'": "'exploding'"},
        "thresholds",
        "Your answer is the one for the default vanish_threshold: does your code use the argument?",
    ),
}


@pytest.mark.parametrize(("exercise_id", "edits", "check", "says"), IN_WORDS.values(), ids=IN_WORDS)
def test_how_an_answer_came_about_is_told_in_words(exercise_id, edits, check, says):
    """Whatever else is wrong, and without fingerprints."""
    names = half_written(exercise_id, edited(FINISHED[exercise_id], edits))
    told = judged(EXERCISES[exercise_id], names, causes=False)
    assert item(told, check).message.startswith(says)
    with speaking("ja"):
        message = item(judged(EXERCISES[exercise_id], names, causes=False), check).message
    assert says not in message and re.match("[^\n]*[ぁ-ん]", message)


ZEROS = {
    "the intercept": ({"return (x @ y) / (x @ x)": "return y.mean()"}, True),
    "tiny added to all": (
        {"norms[norms == 0] = np.finfo(float).tiny\n": "norms = norms + np.finfo(float).tiny\n"},
        True,
    ),
    "two ends": ({"return (x @ y) / (x @ x)": "return (y[-1] - y[0]) / (len(y) - 1)"}, True),
    "zeros left out": ({"norms[norms == 0] = np.finfo(float).tiny\n": "norms = norms[norms > 0]\n"}, False),
    "a floor": ({"norms[norms == 0] = np.finfo(float).tiny\n": "norms = np.maximum(norms, 1e-12)\n"}, False),
    "another number": ({"np.finfo(float).tiny\n": "1e-300\n"}, False),
    "no logarithm": ({"np.log10(norms)": "norms"}, False),
    "one number": ({"return (x @ y) / (x @ x)": "return 1.0"}, False),
}


@pytest.mark.parametrize(("edits", "kept"), ZEROS.values(), ids=ZEROS)
def test_what_zero_counts_as_is_judged_whatever_the_slope_is_of(edits, kept):
    names = half_written("gradient_profile", edited(FINISHED["gradient_profile"], edits))
    result = judged(EXERCISES["gradient_profile"], names, causes=False)
    assert (item(result, "zeros").outcome is Outcome.PASSED) is kept


RECORDED = {
    "all layers are counted": (
        "{f'Linear_{2 * i}': norm for i, norm in enumerate(norms)}",
        "record keeps the names Linear_0, Linear_2, Linear_4, ...; right are Linear_0, Linear_1, Linear_2, ....",
    ),
    "another norm": (
        "{f'Linear_{i}': norm / 2 for i, norm in enumerate(norms)}",
        "The norm of Linear_0 in the record is ",
    ),
}


@pytest.mark.parametrize(("record", "says"), RECORDED.values(), ids=RECORDED)
def test_what_record_keeps_is_told_by_its_names_and_norms(record, says):
    body = f"""
    norms = [np.linalg.norm(layer.grads['W']) for layer in layers if layer.grads.get('W') is not None]
    self.history.append((epoch, {record}))
    """
    names = half_written("gradient_monitor", MONITORED)
    space = {"np": np}
    exec("def record(self, epoch, layers):" + body, space)
    names["GradientMonitor"].record = space["record"]
    kept = item(judged(EXERCISES["gradient_monitor"], names, causes=False), "history_stays")
    assert kept.message.startswith(says) and "NaN" not in kept.message


MEASURED_AS = {
    'np.max(np.abs(layer.grads["W"]))': 'the largest absolute value of grads["W"]',
    'np.mean(np.abs(layer.grads["W"]))': 'the mean absolute value of grads["W"]',
    'np.sum(layer.grads["W"] ** 2)': 'the sum of squares of grads["W"]',
    'np.linalg.norm(layer.params["W"])': 'the norm of params["W"]',
    'np.hypot(*(np.linalg.norm(layer.grads[name]) for name in "Wb"))': 'the norm of grads["W"], grads["b"]',
}


@pytest.mark.parametrize(("formula", "measured"), MEASURED_AS.items(), ids=MEASURED_AS)
def test_what_a_record_holds_in_place_of_the_norms_is_told(formula, measured):
    step = "forward_backward(layers, X, t)"
    code = bank.slip("depth_study", {step: f'({step}[0], [{formula} for layer in layers if "W" in layer.grads])'})
    told = judged(EXERCISES["depth_study"], {"depth_study": code.depth_study}, causes=False)
    text = f'result[4]["grad_norms"] holds {measured} in each layer.'
    assert item(told, "gradient_norms").message.startswith(text)


def test_a_record_that_ends_early_is_not_put_down_to_overflow():
    both = "            losses.append(loss)\n            norms.append(grad_norms)\n"
    code = bank.slip("depth_study", {both: "            if not losses:\n" + textwrap.indent(both, "    ")})
    told = item(judged(EXERCISES["depth_study"], {"depth_study": code.depth_study}, causes=False), "overflow").message
    assert "ends after 1 of 8 steps." in told and "where its values" not in told


@pytest.mark.parametrize("edits", [{"lr * ": "learning_rate * "}, {"layer.grads[": "layer.gradients["}])
def test_an_exception_is_not_explained_by_two_mistakes_that_raise_another_one(edits):
    result = judged(EXERCISES["depth_study"], {"depth_study": bank.slip("depth_study", edits).depth_study})
    raised = [item for item in result.items if item.outcome is Outcome.RAISED]
    assert len(raised) >= 5 and not any(item.causes for item in raised)


# --- the judge -------------------------------------------------------------------------------------------------------


@pytest.fixture
def exercise():
    """Three checks: of a value, of what needs it, and of another value."""
    made = Exercise("made", dict, {"one": lambda rng: [{}], "two": lambda rng: [{}]}, lambda *_: iter(()))

    @made.check(points=1.0, on="one")
    def test_value(case, seen, expected):
        """The value is the expected one."""
        if seen["value"] != expected["value"]:
            raise Failed(f"it is {seen['value']}", unwritten=seen["value"] == "as it was")

    @made.check(points=2.0, on="one", needs=("value",))
    def test_more(case, seen, expected):
        """More is at least ten."""
        if seen["more"] < 10:
            raise Failed("it is less")

    @made.check(points=4.0, on=("one", "two"))
    def test_broken(case, seen, expected):
        """This check cannot be kept."""
        if expected["value"] == "breaks":
            raise ZeroDivisionError

    return made


class Titled:
    title = "a title"


def trial(seen, expected=None, public=True, group="one"):
    return Trial(group, Titled(), Observation(seen), Observation(expected or {"value": 1, "more": 20}), public)


def outcomes(result):
    return [(item.outcome.value, item.points) for item in result.items]


def test_what_needs_a_failed_check_is_blocked_whatever_it_would_say(exercise):
    result = judge(exercise, [trial({"value": 2, "more": 3})])
    assert outcomes(result) == [("failed", 0.0), ("blocked", 0.0), ("passed", 4.0)]
    assert result.items[1].message == 'First: "The value is the expected one."'
    assert outcomes(judge(exercise, [trial({"value": 2, "more": 10})]))[1] == ("blocked", 0.0)


@pytest.mark.parametrize(("value", "cause"), [(2, "Likely cause: Known."), ("as it was", "")])
def test_what_is_not_written_yet_explains_itself_and_no_cause_is_looked_for(exercise, value, cause):
    wrong = trial({"value": value, "more": 10})
    assert judge(exercise, [wrong], lambda: known_as("Known.", wrong)).items[0].cause == cause


def known_as(sentence, wrong):
    """Fingerprints of one mistake that shows what is `wrong`."""
    (differs,) = departures(sketches_of([wrong.seen]), sketches_of([wrong.expected]))
    return Fingerprints(
        causes=[Cause("known", {"en": sentence}, {"en": "Why?"})],
        fails=[frozenset({"value"})],
        places=[(0, key) for key in differs],
        pools=[[sketch] for sketch in differs.values()],
        shows=np.zeros((1, len(differs)), dtype=int),
    )


def test_a_cause_takes_the_place_of_what_the_numbers_show(exercise):
    def failing(case, seen, expected):
        if seen["value"] != expected["value"]:
            raise Failed("it is 2", compared=True, words="It is doubled.")

    exercise.checks[0] = replace(exercise.checks[0], test=failing)
    wrong = trial({"value": 2, "more": 10})
    assert judge(exercise, [wrong]).items[0].message == "It is doubled. it is 2\n(case: a title)"
    item = judge(exercise, [wrong], lambda: known_as("Twice.", wrong)).items[0]
    assert item.message == "Likely cause: Twice.\nit is 2\n(case: a title)\nWhy?"


@pytest.mark.parametrize(
    ("shapes", "by_row"),
    [
        ("(12,3) (12,)", True),
        ("(12,) (12,3)", True),
        ("(3,) (7,)", True),  # of the columns and the rows of the case
        ("(7,) (3,)", True),
        ("(3,) (8,)", False),
        ("(12,3) (4,)", False),
        ("(2,3) (3,2)", False),
    ],
)
def test_a_vector_along_the_wrong_axis_is_told_as_one_number_for_each_row(exercise, shapes, by_row):
    message = f"operands could not be broadcast together with shapes {shapes} "
    seen = Raised("ValueError", ("ValueError", "Exception"), message, 3, "x - m")
    case = Batches("a title", [{"x": np.zeros((7, 3))}])
    item = judge(exercise, [replace(trial({"value": seen, "more": 30}), case=case)]).items[0]
    assert item.seen.startswith("Your code raised ValueError") and item.raised == seen
    told = "One of the arrays has one number for each row, but every column needs a number of its own."
    asked = "Which axis runs over the rows of the batch?"
    assert (item.cause, item.question) == ((told, asked) if by_row else ("", ""))


def test_an_exception_of_the_students_is_told_with_its_line(exercise):
    error = Raised("KeyError", ("KeyError", "Exception"), "'W'", 3, "x['W']")
    for public, hint in ((True, "(case: a title)"), (False, "It fails on a hidden case: a title.")):
        found = judge(exercise, [trial({"value": error, "more": 10}, public=public)]).items[0]
        assert (found.outcome, found.points) == (Outcome.RAISED, 0.0)
        assert found.message == f"Your code raised KeyError: 'W'\nin line 3 of the cell: x['W']\n{hint}"


def test_a_hidden_case_is_named_by_its_title_alone(exercise):
    found = judge(exercise, [trial({"value": "secret", "more": 10}, public=False)]).items[0]
    assert found.message == "It fails on a hidden case: a title."


def test_a_public_case_is_told_before_a_hidden_one(exercise):
    wrong = {"value": 2, "more": 10}
    assert judge(exercise, [trial(wrong), trial(wrong, public=False)]).items[0].message.startswith("it is 2")


def test_a_check_that_breaks_on_the_reference_too_costs_nothing(exercise):
    breaks = {"value": "breaks", "more": 20}
    found = judge(exercise, [trial(breaks, breaks)]).items[2]
    assert (found.outcome, found.points) == (Outcome.GRADER_ERROR, 4.0)
    assert "ZeroDivisionError" in found.message and "You lose no points" in found.message


def test_a_check_that_breaks_on_the_students_data_alone_has_failed(exercise):
    found = judge(exercise, [trial({"value": 1, "more": "text"})]).items[1]
    assert (found.outcome, found.points) == (Outcome.FAILED, 0.0)
    assert found.message.startswith("The result has an unexpected type or shape.")


def test_a_missing_value_has_failed_and_an_exception_before_it_is_told(exercise):
    assert outcomes(judge(exercise, [trial({"more": 10})]))[0] == ("failed", 0.0)
    raised = Observation({}, Raised("E", ("E",), "text"))
    stopped = Trial("one", Titled(), raised, Observation({"value": 1, "more": 20}))
    assert outcomes(judge(exercise, [stopped]))[:2] == [("raised", 0.0), ("blocked", 0.0)]


def test_one_case_that_was_attempted_makes_the_check_attempted(exercise):
    stub = {"value": Raised("NotImplementedError", ("NotImplementedError",), ""), "more": 10}
    assert outcomes(judge(exercise, [trial(stub)]))[0] == ("not attempted", 0.0)
    assert outcomes(judge(exercise, [trial(stub), trial({"value": 2, "more": 10})]))[0] == ("failed", 0.0)


def test_what_needs_something_that_was_not_attempted_is_not_attempted_either(exercise):
    stub = {"value": Raised("NotImplementedError", ("NotImplementedError",), ""), "more": 10}
    found = judge(exercise, [trial(stub)]).items[1]
    assert (found.outcome, found.points, found.message) == (Outcome.NOT_ATTEMPTED, 0.0, "Nothing here yet.")


def test_a_check_is_judged_on_its_own_groups_alone(exercise):
    result = judge(exercise, [trial({"value": 1, "more": 20}), trial({"value": 2, "more": 3}, group="two")])
    assert result.full
    breaks = {"value": "breaks", "more": 20}
    result = judge(exercise, [trial({"value": 1, "more": 20}), trial(breaks, breaks, group="two")])
    assert [i.outcome for i in result.items] == [Outcome.PASSED, Outcome.PASSED, Outcome.GRADER_ERROR]


def test_a_check_without_a_case_is_an_error_and_not_full_marks(exercise):
    with pytest.raises(ValueError, match="nothing to judge in made: no trial for value"):
        judge(exercise, [trial({"value": 1, "more": 20}, group="two")])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(on="tow"), "made has no group 'tow'; there are: one, two"),
        (dict(on=()), "made.new is judged on no group of cases"),
        (dict(on="one", needs=("valeu",)), "made has no check 'valeu'; there are: value, more, broken"),
    ],
)
def test_a_misspelt_group_or_need_is_an_error_where_it_is_written(exercise, settings, message):
    def test_new(case, seen, expected):
        """Nothing."""

    with pytest.raises(ValueError, match=re.escape(message)):
        exercise.check(points=1.0, **settings)(test_new)


def test_a_group_without_cases_or_without_a_check_is_an_error(exercise):
    exercise.require_complete()
    with pytest.raises(ValueError, match="the group 'two' of made has no cases"):
        replace(exercise, groups={**exercise.groups, "two": lambda rng: []}).require_complete()
    with pytest.raises(ValueError, match="no check of made is judged on the group 'three'"):
        replace(exercise, groups={**exercise.groups, "three": lambda rng: [{}]}).require_complete()


def test_the_registry_refuses_an_exercise_that_is_not_complete(monkeypatch):
    chosen = EXERCISES["gradient_profile"]
    monkeypatch.setattr(chosen, "groups", {**chosen.groups, "forgotten": lambda rng: [None]})
    with pytest.raises(ValueError, match="gradient_profile is judged on the group 'forgotten'"):
        assignments.__wrapped__()


@pytest.mark.parametrize("change", [{"checks": []}, {}])
def test_nothing_to_judge_is_an_error_and_not_full_marks(exercise, change):
    with pytest.raises(ValueError, match="nothing to judge in made"):
        judge(replace(exercise, **change), [trial({})] if change else [])


@pytest.mark.parametrize("ending", [*Ending, None])
def test_what_was_interrupted_earns_nothing_and_says_why(exercise, ending):
    result = interrupted(exercise, Stopped("it took too long", ending) if ending else "it took too long")
    outcome = Outcome.STOPPED if ending else Outcome.RAISED
    assert result.ending is ending and result.to_json()["ending"] == ending
    assert {(i.outcome, i.points, i.message) for i in result.items} == {(outcome, 0.0, "it took too long")}
    assert result.max == 7.0


@each_exercise
def test_an_observation_survives_the_wire(name):
    for e in expectations(name, SEEDS[0]):
        data = e.expected.to_data()
        assert_same_numbers(Observation.from_data(encoding.unpack(encoding.pack(data))).to_data(), data)


@pytest.mark.parametrize("data", [None, [], {}, {"values": []}, {"values": {}, "stopped": "KeyError"}])
def test_what_is_no_observation_is_refused(data):
    with pytest.raises(ValueError, match="not an observation"):
        Observation.from_data(data)


def test_reading_what_raised_raises():
    raised = Raised("KeyError", ("KeyError",), "'W'")
    seen = Observation({"a": 1, "b": raised}, stopped=raised)
    assert seen["a"] == 1 and seen.raised("a") is None
    for name in ("b", "never reached"):
        assert seen.raised(name) is raised
        with pytest.raises(StudentError):
            seen[name]


SAME = [
    (float("nan"), np.float64("nan")),
    ([(1, {"a": np.float64(0.5)})], [[1, {"a": 0.5}]]),
    (np.arange(3), np.arange(3.0)),
    ("a", "a"),
    (None, None),
    ([], ()),
]
DIFFERENT = [(0.5, 0.25), (0.5, "0.5"), ({"a": 1}, {"b": 1}), ([1], [1, 1]), (None, []), (1.0, None), ({}, [])]


@pytest.mark.parametrize(("one", "other"), [*SAME, *DIFFERENT])
def test_plain_data_is_compared_by_value(one, other):
    assert same(one, other) == same(other, one) == any(one is a and other is b for a, b in SAME)


# --- observing -------------------------------------------------------------------------------------------------------


def observed(function):
    """What is seen of a `gradient_slope` on the first public case."""
    return EXERCISES["gradient_profile"].observe(
        Implementation({"gradient_slope": function}), expectations("gradient_profile", None)[0].case
    )


def test_observing_prints_nothing_and_neither_uses_nor_moves_the_random_state(capsys, recwarn):
    def noisy(delta_norms):
        print("noise")
        np.log(np.zeros(1))
        return [random.random(), np.random.random()]

    np.random.seed(5)
    expected, state = np.random.RandomState(5).random(), random.getstate()
    one, two = observed(noisy)["slope"], observed(noisy)["slope"]
    assert one == two and np.random.random() == expected and random.getstate() == state
    assert capsys.readouterr() == ("", "") and not list(recwarn)


@pytest.mark.parametrize("error", [ValueError("text"), SystemExit(1), RecursionError(), MemoryError()])
def test_an_exception_is_observed_and_not_raised(error):
    def raises(delta_norms):
        raise error

    assert (observed(raises).raised("slope") or observed(raises).stopped).type == type(error).__name__


@pytest.mark.parametrize(
    ("exercise", "check", "value", "used", "kept"),
    [
        ("forward", "standardises", "mean", "(x - mean)", "(x - kept)"),
        ("forward", "standardises", "var", "(var + self.eps)", "(kept + self.eps)"),
        ("inference", "running_statistics", "mean", "self.momentum) * mean", "self.momentum) * kept"),
        ("inference", "running_statistics", "var", "self.momentum) * var", "self.momentum) * kept"),
        ("backward", "last_forward", "var", "dx_hat / std", "dx_hat / np.sqrt(self.kept + self.eps)"),
    ],
)
def test_what_is_kept_of_the_first_batch_is_noticed(exercise, check, value, used, kept):
    moments = "mean, var = x.mean(axis=0), x.var(axis=0)"
    keeping = f"{moments}; kept = self.kept = getattr(self, 'kept', {value})"
    names = {"np": np, "Layer": Layer}
    exec(SOLUTIONS["batch_norm"].replace(used, kept).replace(moments, keeping), names)
    for seed in (None, *SEEDS):
        assert check in lost(grade(f"batch_norm_{exercise}", names, seed))


def test_rows_of_a_batch_are_spoken_of_only_where_there_is_a_batch():
    """The gradients of a weight matrix that are summed along one axis fit no bias either."""

    def clip_gradients(layers, max_norm=1.0):
        return sum(np.sum(g**2, axis=0) for layer in layers for g in layer.grads.values() if g is not None), 1.0

    found = [one for one in grade("clip_gradients", {"clip_gradients": clip_gradients}).items if one.raised]
    assert found and not any("batch" in one.message + one.question for one in found)
