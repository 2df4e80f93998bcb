"""What the exercises promise: right code has full marks however it is written, wrong code loses the points it should.

Each wrong implementation changes one thing of a right one, and its table names the checks that must take points for it.
"""

import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import SOLUTIONS

from autograder.checks import encoding, values
from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, Stopped, StudentError
from autograder.checks.expect import same
from autograder.checks.judge import MOST_REASON, Trial, interrupted, judge
from autograder.checks.numeric import central_differences
from autograder.checks.results import Ending, Outcome
from autograder.checks.values import Opaque, Raised
from autograder.exercises import assignments
from autograder.exercises.recorded import RECORDINGS, recorded, trials
from autograder.grading.reference import Reference
from autograder.layers import Layer, Linear, MSELoss, Problem, forward_backward
from autograder.locale import speaking
from reference.gradient_pathology.batch_norm.mistakes import Staged

EXERCISES = {exercise.id: exercise for exercise in assignments()["gradient-pathology"]}
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

pytestmark = pytest.mark.filterwarnings("error")
"""Checking exploded or missing values must not add warnings of its own to a student's notebook."""

CHECKS = [(exercise.id, check.id) for exercise in EXERCISES.values() for check in exercise.checks]


@pytest.fixture(autouse=True)
def english():
    with speaking("en"):
        yield


@cache
def expectations(exercise_id, seed):
    """The public cases (seed None), or private ones."""
    exercise = EXERCISES[exercise_id]
    if seed is None:
        return recorded(exercise)
    return tuple(REFERENCE.expect(exercise, np.random.default_rng(seed)))


def grade(exercise_id, names, seed=None):
    """The result of an implementation with these names."""
    exercise, implementation = EXERCISES[exercise_id], Implementation(names)
    wanted = expectations(exercise_id, seed)
    return judge(exercise, trials(wanted, [exercise.observe(implementation, e.case) for e in wanted]))


def item(result, check):
    return next(item for item in result.items if item.id == check)


def lost(result):
    """Check id -> message, of every check that took points."""
    return {item.id: item.message for item in result.items if item.points < item.max}


def solution(exercise_id):
    """What the reference defines for an exercise."""
    exercise = EXERCISES[exercise_id]
    return getattr(REFERENCE.implementation(exercise), exercise.defines)


# --- every exercise --------------------------------------------------------------------------------------------------

each_exercise = pytest.mark.parametrize("name", EXERCISES)


def test_points_are_those_of_the_contract():
    assert {name: exercise.points for name, exercise in EXERCISES.items()} == POINTS
    assert sum(POINTS.values()) + 4 == 40


@each_exercise
@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_the_reference_has_full_marks(name, seed):
    result = grade(name, {EXERCISES[name].defines: solution(name)}, seed)
    assert lost(result) == {} and result.full


@each_exercise
def test_an_empty_notebook_has_attempted_nothing(name):
    result = grade(name, {})
    assert {(item.outcome, item.points) for item in result.items} == {(Outcome.NOT_ATTEMPTED, 0.0)}
    assert result.items[0].message == f"`{EXERCISES[name].defines}` is not defined: write its cell and run it."


def stub(*_args, **_kwargs):
    raise NotImplementedError


@each_exercise
def test_the_stub_has_attempted_nothing(name):
    result = grade(name, {EXERCISES[name].defines: stub})
    assert {(item.outcome, item.points, item.message) for item in result.items} == {
        (Outcome.NOT_ATTEMPTED, 0.0, "Not written yet.")
    }


@each_exercise
@pytest.mark.parametrize("value", [None, 3, "code", print, Layer])
def test_a_name_that_means_something_else_earns_nothing(name, value):
    assert grade(name, {EXERCISES[name].defines: value}).score == 0


NOTHING_DONE = {
    "zeros": ("clip_gradients", lambda layers, max_norm=1.0: (0.0, 1.0)),
    "the limit itself": ("clip_gradients", lambda layers, max_norm=1.0: (max_norm, 1.0)),
    "a large norm": ("clip_gradients", lambda layers, max_norm=1.0: (1e10, 1e-10)),
    "an error": ("clip_gradients", lambda layers, max_norm=1.0: int("x")),
    "no slope": ("gradient_profile", lambda delta_norms: 0.0),
    "one decade": ("gradient_profile", lambda delta_norms: 1.0),
    "not a number": ("gradient_profile", lambda delta_norms: float("nan")),
    "the input": ("gradient_profile", lambda delta_norms: delta_norms),
    "whatever comes is refused": ("gradient_profile", lambda delta_norms: int("x")),
}


@pytest.mark.parametrize("name, code", NOTHING_DONE.values(), ids=NOTHING_DONE)
def test_an_answer_that_took_no_work_earns_nothing(name, code):
    assert grade(name, {EXERCISES[name].defines: code}).score == 0


def thousandths(layers, max_norm=1.0):
    """One factor for all gradients, and the norm that it would belong to: they fit each other, and nothing else."""
    for layer in layers:
        layer.grads = {name: None if g is None else 1e-3 * g for name, g in layer.grads.items()}
    return 1e3 * max_norm, 1e-3


def test_wrong_answers_that_fit_each_other_earn_nothing():
    assert grade("clip_gradients", {"clip_gradients": thousandths}).score == 0


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
def test_drawing_depends_on_the_seed_alone(name):
    draw = EXERCISES[name].draw
    drawn = (draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    one, same, other = ([values.to_record(case) for _group, case in cases] for cases in drawn)
    assert encoding.pack(one) == encoding.pack(same) != encoding.pack(other)
    assert [case["title"] for case in one] == [case["title"] for case in other]


@each_exercise
def test_titles_are_unique_within_an_exercise(name):
    titles = [e.case.title for e in expectations(name, None)]
    assert len(set(titles)) == len(titles)


# --- the other exercises: wrong ones ---------------------------------------------------------------------------------

clip = solution("clip_gradients")
study = solution("depth_study")
Monitor = solution("gradient_monitor")


def gradients(layers):
    return [g for layer in layers for g in layer.grads.values() if g is not None]


def length(arrays):
    return float(np.sqrt(sum(np.sum(g**2) for g in arrays)))


def update(layers, lr):
    for layer in layers:
        for name in layer.params:
            layer.params[name] = layer.params[name] - lr * layer.grads[name]


def training(
    step=update,
    record=forward_backward,
    made=lambda build, depth, seed: build(depth, np.random.default_rng(seed)),
    recorded_after=False,
    options=lambda **kw: kw,
    finish=lambda results: results,
):
    """depth_study in parts: how a network is made, what is recorded of a step, the update, the settings, the result."""

    def depth_study(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
        results, o = {}, options(lr=lr, steps=steps, seed=seed)
        for depth in depths:
            layers, rows = made(build_network, depth, o["seed"]), []
            for _ in range(o["steps"]):
                row = record(layers, X, t)
                step(layers, o["lr"])
                rows.append(record(layers, X, t) if recorded_after else row)
            loss, norms = zip(*rows)
            results[depth] = {"loss": np.array(loss), "grad_norms": np.array(norms)}
        return finish(results)

    return {"depth_study": depth_study}


def one_network(build, depth, _seed, made=[]):
    """The first network, for every depth."""
    return made[0] if made else made.append(build(depth, np.random.default_rng(0))) or made[0]


def one_generator():
    """The generator is made once and not anew for each depth."""
    rngs = {}
    return lambda build, depth, seed: build(depth, rngs.setdefault(seed, np.random.default_rng(seed)))


def recording(change):
    """What `forward_backward` gives, changed."""
    return lambda layers, X, t: change(*forward_backward(layers, X, t), layers)


def all_norms(_loss, _norms, layers):
    return _loss, [length(gradients([layer])) for layer in layers if isinstance(layer, Linear)]


def update_linear(layers, lr):
    update([layer for layer in layers if isinstance(layer, Linear)], lr)


def update_known_names(layers, lr):
    for layer in layers:
        for name in ("W", "b", "gamma", "beta"):
            if name in layer.params:
                layer.params[name] = layer.params[name] - lr * layer.grads[name]


def momentum_update(layers, lr):
    for layer in layers:
        layer.velocity = {k: 0.9 * getattr(layer, "velocity", {}).get(k, 0.0) + g for k, g in layer.grads.items()}
        for name, v in layer.velocity.items():
            layer.params[name] = layer.params[name] - lr * v


def clipped_update(layers, lr):
    clip(layers, 0.1)
    update(layers, lr)


def relabelled(results):
    """The first depth's curves under every name."""
    first = next(iter(results.values()))
    return {
        depth: {"loss": first["loss"], "grad_norms": np.resize(first["grad_norms"], run["grad_norms"].shape)}
        for depth, run in results.items()
    }


def mapped(change):
    return lambda results: {depth: change(run) for depth, run in results.items()}


def invented(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    return {
        d: {"loss": 1 / (1 + np.arange(steps)), "grad_norms": np.full((steps, d), 0.25) ** np.arange(d, 0, -1)}
        for d in depths
    }


def stops_at_overflow(layers, X, t):
    loss, norms = forward_backward(layers, X, t)
    if not np.isfinite(loss) or not np.isfinite(norms).all():
        raise OverflowError
    return loss, norms


def without_first_step(run):
    return {k: np.vstack([v[1:], v[-1:]]) if v.ndim == 2 else np.append(v[1:], v[-1]) for k, v in run.items()}


STUDY_MISTAKES = {
    "one network for all": (training(made=lambda *a: one_network(*a)), {"depths"}),
    "generator not made anew": (training(made=one_generator()), {"depths"}),
    "global random numbers": (
        training(made=lambda build, depth, seed: build(depth, np.random.default_rng(np.random.randint(10**6)))),
        {"initial_loss", "settings"},
    ),
    "output side first": (
        training(record=recording(lambda loss, norms, _: (loss, norms[::-1]))),
        {"initial_gradients"},
    ),
    "norms sorted": (training(record=recording(lambda loss, norms, _: (loss, sorted(norms)))), {"initial_gradients"}),
    "bias in the norm": (training(record=recording(all_norms)), {"initial_gradients", "gradient_curves"}),
    "squared norms": (
        training(record=recording(lambda loss, norms, _: (loss, np.square(norms)))),
        {"initial_gradients"},
    ),
    "norms of the weights": (
        training(
            record=recording(lambda loss, _, ls: (loss, [length([x.params["W"]]) for x in ls if isinstance(x, Linear)]))
        ),
        {"initial_gradients"},
    ),
    "activations counted": (
        training(record=recording(lambda loss, norms, ls: (loss, [0.0 if not x.params else 1.0 for x in ls]))),
        {"initial_gradients"},
    ),
    "loss after the update": (training(recorded_after=True), {"initial_loss", "loss_curve", "initial_gradients"}),
    "first step left out": (training(finish=mapped(without_first_step)), {"initial_loss", "loss_curve"}),
    "norms after the update": (
        training(finish=mapped(lambda run: run | {"grad_norms": without_first_step(run)["grad_norms"]})),
        {"gradient_curves"},
    ),
    "half the loss": (
        training(record=recording(lambda loss, norms, _: (loss / 2, norms))),
        {"initial_loss", "loss_curve"},
    ),
    "biases not updated": (
        training(
            step=lambda layers, lr: [
                x.params.update(W=x.params["W"] - lr * x.grads["W"]) for x in layers if "W" in x.params
            ]
        ),
        {"loss_curve", "gradient_curves"},
    ),
    "Linear alone updated": (training(step=update_linear), {"all_parameters"}),
    "uphill": (training(step=lambda layers, lr: update(layers, -lr)), {"loss_curve"}),
    "with momentum": (training(step=momentum_update), {"loss_curve", "gradient_curves"}),
    "with clipping": (training(step=clipped_update), {"loss_curve"}),
    "lr ignored": (training(options=lambda **kw: kw | {"lr": 0.1}), {"settings"}),
    "seed ignored": (training(options=lambda **kw: kw | {"seed": 0}), {"initial_loss", "settings"}),
    "steps ignored": (training(options=lambda **kw: kw | {"steps": 200}), {"initial_loss", "initial_gradients"}),
    "updates once too often": (
        training(step=lambda layers, lr: (update(layers, lr), update(layers, lr))),
        {"loss_curve"},
    ),
    "first depth relabelled": (training(finish=relabelled), {"depths"}),
    "keys as text": (
        training(finish=lambda results: {str(k): v for k, v in results.items()}),
        {"initial_loss", "initial_gradients"},
    ),
    "a list of runs": (training(finish=lambda results: list(results.values())), {"initial_loss", "initial_gradients"}),
    "loss alone": (training(finish=mapped(lambda run: {"loss": run["loss"]})), {"initial_gradients"}),
    "last values alone": (
        training(finish=mapped(lambda run: {k: v[-1] for k, v in run.items()})),
        {"initial_loss", "initial_gradients"},
    ),
    "smoothed": (
        training(finish=mapped(lambda run: run | {"loss": np.convolve(run["loss"], [0.5, 0.5])[: len(run["loss"])]})),
        {"loss_curve"},
    ),
    "invented curves": ({"depth_study": invented}, {"initial_loss", "initial_gradients", "loss_curve", "settings"}),
    "stops at overflow": (training(record=stops_at_overflow), {"overflow"}),
    "NaN becomes zero": (
        training(finish=mapped(lambda run: {k: np.where(np.abs(v) < 1e6, v, 0.0) for k, v in run.items()})),
        {"overflow"},
    ),
}


def monitoring(find=None, records=lambda history: history[-1:], problem=Problem, result=lambda found: found):
    """GradientMonitor.detect_problems in parts: the illness of a norm, the records that count, the answer."""

    def right(norm, low, high):
        return (
            "nonfinite"
            if not np.isfinite(norm)
            else "vanishing"
            if norm < low
            else "exploding"
            if norm > high
            else None
        )

    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        found = []
        for epoch, norms in records(self.history):
            for layer, norm in norms.items():
                kind = (find or right)(norm, vanish_threshold, explode_threshold)
                if kind:
                    found.append(problem(layer, kind, norm, epoch))
        return result(found)

    return {"GradientMonitor": type("GradientMonitor", (Monitor,), {"detect_problems": detect_problems})}


def seen_by(**rules):
    """An illness by the first rule that holds."""
    return lambda norm, low, high: next((kind for kind, rule in rules.items() if rule(norm, low, high)), None)


BELOW, ABOVE, ODD = (lambda n, low, _: n < low), (lambda n, _, high: n > high), (lambda n, *_: not np.isfinite(n))
MONITOR_MISTAKES = {
    "NaN not seen": (monitoring(seen_by(vanishing=BELOW, exploding=ABOVE)), {"nonfinite"}),
    "infinite explodes": (monitoring(seen_by(exploding=ABOVE, vanishing=BELOW, nonfinite=ODD)), {"nonfinite"}),
    "only NaN": (
        monitoring(seen_by(nonfinite=lambda n, *_: n != n, vanishing=BELOW, exploding=lambda n, _, h: h < n < np.inf)),
        {"nonfinite"},
    ),
    "explosions not seen": (monitoring(seen_by(nonfinite=ODD, vanishing=BELOW)), {"kinds", "thresholds"}),
    "kinds swapped": (monitoring(seen_by(nonfinite=ODD, exploding=BELOW, vanishing=ABOVE)), {"kinds"}),
    "thresholds swapped": (
        monitoring(lambda n, low, high: seen_by(nonfinite=ODD, vanishing=BELOW, exploding=ABOVE)(n, high, low)),
        {"kinds"},
    ),
    "thresholds ignored": (
        monitoring(seen_by(nonfinite=ODD, vanishing=lambda n, *_: n < 1e-7, exploding=lambda n, *_: n > 1e3)),
        {"thresholds"},
    ),
    "one threshold ignored": (
        monitoring(seen_by(nonfinite=ODD, vanishing=BELOW, exploding=lambda n, *_: n > 1e3)),
        {"thresholds"},
    ),
    "zero is healthy": (
        monitoring(seen_by(nonfinite=ODD, vanishing=lambda n, low, _: 0 < n < low, exploding=ABOVE)),
        {"kinds"},
    ),
    "first record": (monitoring(records=lambda history: history[:1]), {"newest"}),
    "all records": (monitoring(records=lambda history: history), {"newest"}),
    "highest epoch": (
        monitoring(records=lambda history: [max(history, key=lambda r: r[0])] if history else []),
        {"newest"},
    ),
    "crashes without a record": (monitoring(records=lambda history: [history[-1]]), {"healthy"}),
    "sorted": (monitoring(result=lambda found: sorted(found, key=lambda p: p.layer)), {"newest"}),
    "first problem alone": (monitoring(result=lambda found: found[:1]), {"kinds"}),
    "None where healthy": (monitoring(result=lambda found: found or None), {"healthy"}),
    "sentences": (monitoring(result=lambda found: [str(p) for p in found]), {"kinds"}),
    "a count": (monitoring(result=len), {"kinds", "newest"}),
    "prints": (monitoring(result=lambda found: print(*found)), {"kinds", "newest", "history_stays"}),
    "number of the layer": (monitoring(problem=lambda layer, *rest: Problem(int(layer[-1]), *rest)), {"kinds"}),
    "epoch missing": (monitoring(problem=lambda layer, kind, norm, epoch: Problem(layer, kind, norm, 0)), {"kinds"}),
    "norm missing": (monitoring(problem=lambda layer, kind, norm, epoch: Problem(layer, kind, None, epoch)), {"kinds"}),
    "norm and epoch swapped": (
        monitoring(problem=lambda layer, kind, norm, epoch: Problem(layer, kind, epoch, norm)),
        {"kinds"},
    ),
}


def table(exercise_id, mistakes):
    return [
        pytest.param(exercise_id, names, checks, id=f"{exercise_id}: {m}") for m, (names, checks) in mistakes.items()
    ]


MISTAKES = [
    *table("depth_study", STUDY_MISTAKES),
    *table("gradient_monitor", MONITOR_MISTAKES),
]


@pytest.mark.parametrize("exercise_id, names, checks", MISTAKES)
def test_a_mistake_costs_points_where_it_should(exercise_id, names, checks):
    for seed in (None, *SEEDS[:2]):
        assert checks <= lost(grade(exercise_id, names, seed)).keys()


# --- right implementations, written in unusual ways ------------------------------------------------------------------


class Recorder:
    """A study written as a class, with its own loss and loops, in-place updates, and more keys than asked."""

    def __init__(self, layers, X, t):
        self.layers, self.X, self.t = layers, X, t

    def step(self, lr):
        h, loss = self.X, MSELoss()
        for layer in self.layers:
            h = layer.forward(h)
        value, dout = loss.forward(h, self.t), loss.backward()
        for layer in self.layers[::-1]:
            dout = layer.backward(dout)
        norms = [math.sqrt(np.sum(x.grads["W"] ** 2)) for x in self.layers if type(x).__name__ == "Linear"]
        for layer in self.layers:
            for name, g in layer.grads.items():
                layer.params[name] -= lr * g
        return float(value), norms


def own_loop(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    results = {}
    for depth in map(np.int64, sorted(depths, reverse=True)):
        recorder = Recorder(build_network(depth, np.random.default_rng(seed)), X, t)
        rows = [recorder.step(lr) for _ in range(steps)]
        last, _ = forward_backward(recorder.layers, X, t)
        results[depth] = {"loss": [r[0] for r in rows], "grad_norms": [r[1] for r in rows], "final_loss": last}
    return results


STUDY_VARIANTS = {
    "every layer with a W": training(
        record=recording(lambda loss, _, ls: (loss, [length([x.grads["W"]]) for x in ls if "W" in x.params]))
    ),
    "the lesson's names updated": training(step=update_known_names),
    "own loop, lists, more keys": {"depth_study": own_loop},
    "tuples": training(finish=mapped(lambda run: {k: tuple(v.tolist()) for k, v in run.items()})),
    "more forward passes": training(record=lambda ls, X, t: [forward_backward(ls, X, t) for _ in range(3)][-1]),
    "more depths than asked": {
        "depth_study": lambda depths, *args, **kw: training()["depth_study"]([*depths, 6], *args, **kw)
    },
    "a key for the settings": training(finish=lambda results: results | {"settings": object()}),
    "copies of every parameter in place": training(
        step=lambda layers, lr: [np.copyto(v, v - lr * x.grads[k]) for x in layers for k, v in x.params.items()]
    ),
    "transposed in memory": training(
        finish=mapped(lambda run: run | {"grad_norms": np.asfortranarray(run["grad_norms"])})
    ),
}


class Finding:
    """A problem of the student's own class, with one more field."""

    def __init__(self, layer, kind, norm, epoch):
        self.layer, self.kind, self.norm, self.epoch, self.advice = (
            np.str_(layer),
            kind,
            np.float32(norm),
            np.int64(epoch),
            "!",
        )


def with_arrays(self, vanish_threshold=1e-7, explode_threshold=1e3):
    """Everything at once: names and norms as arrays."""
    if not self.history:
        return []
    epoch, record = self.history[-1]
    names, norms = np.array(list(record)), np.array(list(record.values()))
    kinds = np.select(
        [~np.isfinite(norms), norms <= vanish_threshold, norms >= explode_threshold],
        ["nonfinite", "vanishing", "exploding"],
        "",
    )
    return [Problem(name, kind, norm, epoch) for name, kind, norm in zip(names, kinds, norms) if kind]


MONITOR_VARIANTS = {
    "arrays, and thresholds that count": {"GradientMonitor": type("M", (Monitor,), {"detect_problems": with_arrays})},
    "own class": monitoring(problem=Finding),
    "math.isnan": monitoring(
        lambda n, low, high: (
            "nonfinite"
            if math.isnan(n) or math.isinf(n)
            else "vanishing"
            if n < low
            else "exploding"
            if high < n
            else ""
        )
    ),
    "a list of a class": monitoring(result=type("Problems", (list,), {})),
}


def variants():
    for exercise_id, table in (
        ("depth_study", STUDY_VARIANTS),
        ("gradient_monitor", MONITOR_VARIANTS),
    ):
        for name, names in table.items():
            yield exercise_id, name, names


RIGHT = [pytest.param(exercise_id, names, id=f"{exercise_id}: {name}") for exercise_id, name, names in variants()]


@pytest.mark.parametrize("exercise_id, names", RIGHT)
def test_right_code_has_full_marks_however_it_is_written(exercise_id, names):
    for seed in (None, *SEEDS):
        assert lost(grade(exercise_id, names, seed)) == {}


# --- a backward that fits a wrong forward ----------------------------------------------------------------------------


def staged(**changed):
    """The steps of a right BatchNorm, some of them changed."""
    return {"BatchNorm": type("BatchNorm", (Staged,), changed)}


def numerical_dx(self, dout):
    """The numerical gradient of the own forward, whatever that is."""
    twin = type(self)(len(self.gamma), self.eps)
    twin.params = self.params
    return central_differences(twin.forward, self.x, dout, 1e-5 * np.hypot(self.x.std(axis=0), self.eps**0.5))


NEARLY = {
    "variance with N - 1": dict(var_of=lambda self, x: x.var(axis=0, ddof=1)),
    "eps outside the root": dict(std_of=lambda self, var: np.sqrt(var) + self.eps),
    "eps a constant": dict(std_of=lambda self, var: np.sqrt(var + 1e-3)),
    "gamma forgotten": dict(affine=lambda self: self.x_hat + self.beta, dgamma=lambda self, dout: 0 * dout[0]),
    "beta forgotten": dict(affine=lambda self: self.gamma * self.x_hat, dbeta=lambda self, dout: 0 * dout[0]),
    "scaling alone": dict(normalise=lambda self, x: x / self.std),
}


@pytest.mark.parametrize("changes", NEARLY.values(), ids=NEARLY)
@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_a_backward_that_fits_a_wrong_normalisation_loses_little(changes, seed):
    result = grade("batch_norm_backward", staged(**changes, dx=numerical_dx), seed)
    assert item(result, "own_forward").outcome is Outcome.PASSED
    assert lost(result).keys() <= {"dgamma", "dbeta", "dx_through_mean", "dx_through_variance"}
    assert result.score >= 2 / 3 * result.max


TRIVIAL = {
    "identity": dict(normalise=lambda self, x: x),
    "centring alone": dict(normalise=lambda self, x: x - self.mean),
    "a constant": dict(normalise=lambda self, x: 0 * x),
}


@pytest.mark.parametrize("changes", TRIVIAL.values(), ids=TRIVIAL)
@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_a_backward_that_fits_no_normalisation_earns_nothing_for_it(changes, seed):
    result = grade("batch_norm_backward", staged(**changes, dx=numerical_dx), seed)
    assert {"own_forward", "dx_direct", "dx_through_variance"} <= lost(result).keys()
    assert seed is not None or "does not normalise its columns yet" in item(result, "own_forward").message


@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_a_wrong_backward_of_a_wrong_forward_loses_what_is_wrong_in_it(seed):
    names = staged(**NEARLY["variance with N - 1"], mean_path=lambda self, dx_hat: 0)
    assert lost(grade("batch_norm_backward", names, seed)).keys() == {"own_forward", "dx_through_mean"}


@pytest.mark.parametrize("changes", [NEARLY["variance with N - 1"], dict(affine=lambda self: None)])
def test_a_backward_that_fits_the_formula_and_not_the_own_forward_keeps_the_other_promises(changes):
    right = solution("batch_norm_backward")

    def backward(self, dout):
        layer = right(len(self.gamma), self.eps)
        layer.params = self.params
        layer.forward(self.x)
        dx = layer.backward(dout)
        self.grads = layer.grads
        return dx

    assert set(lost(grade("batch_norm_backward", staged(**changes, backward=backward)))) == {"own_forward"}


LAZY = {
    "x and dout": dict(forward=lambda self, x: x, backward=lambda self, dout: dout),
    "zeros": dict(forward=lambda self, x: 0 * x, backward=lambda self, dout: 0 * dout),
    "beta": dict(forward=lambda self, x: 0 * x + self.params["beta"], backward=lambda self, dout: None),
    "nan": dict(forward=lambda self, x: np.nan * x, backward=lambda self, dout: np.nan * dout),
}


@pytest.mark.parametrize("exercise_id", [name for name in EXERCISES if name.startswith("batch_norm")])
@pytest.mark.parametrize("methods", LAZY.values(), ids=LAZY)
def test_a_layer_that_does_nothing_earns_nothing(exercise_id, methods):
    assert grade(exercise_id, staged(**methods)).score == 0


def test_what_is_wrong_in_dx_is_told_in_numbers_that_one_can_compute():
    def message(check, **changes):
        return item(grade("batch_norm_backward", staged(**changes)), check).message

    told = message("dx_through_mean", mean_path=lambda self, dx_hat: 0)
    assert re.match(r"backward\(dout\)\.sum\(axis=0\)\[\d\] is \S+, but 0 was expected", told)
    assert message("dx_through_variance", variance_path=lambda *_: 0).startswith(
        "(backward(dout) * x_hat).sum(axis=0)["
    )
    assert "2 times what it should be" in message("dx_direct", backward_std=lambda self: self.std / 2)


# --- the judge -------------------------------------------------------------------------------------------------------


@pytest.fixture
def exercise():
    """Three checks: of a value, of what needs it, and of another value."""
    made = Exercise("made", dict, {"one": lambda rng: [{}], "two": lambda rng: [{}]}, lambda *_: iter(()))

    @made.check(points=1.0, on="one")
    def test_value(case, seen, expected):
        """The value is the expected one."""
        if seen["value"] != expected["value"]:
            raise Failed(f"it is {seen['value']}", share=0.5 if seen["value"] == "nearly" else 0.0)

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


def test_a_share_of_the_points_is_that_of_the_worst_case(exercise):
    right, nearly, wrong = ({"value": value, "more": 10} for value in (1, "nearly", 2))
    assert judge(exercise, [trial(right), trial(nearly)]).items[0].points == 0.5
    assert judge(exercise, [trial(nearly), trial(wrong)]).items[0].points == 0.0
    assert judge(exercise, [trial(nearly), trial(wrong)]).items[0].message == "it is 2\n(case: a title)"


def test_an_exception_of_the_students_is_told_with_its_line(exercise):
    error = Raised("KeyError", ("KeyError", "Exception"), "'W'", 3, "x['W']")
    for public, hint in ((True, "(case: a title)"), (False, "It fails on a case that is not published: a title.")):
        found = judge(exercise, [trial({"value": error, "more": 10}, public=public)]).items[0]
        assert (found.outcome, found.points) == (Outcome.RAISED, 0.0)
        assert found.message == f"Your code raised KeyError: 'W'\nin line 3 of the cell: x['W']\n{hint}"


def test_a_hidden_case_is_named_by_its_title_alone(exercise):
    found = judge(exercise, [trial({"value": "secret", "more": 10}, public=False)]).items[0]
    assert found.message == "It fails on a case that is not published: a title."


def test_a_public_case_is_told_before_a_hidden_one(exercise):
    wrong = {"value": 2, "more": 10}
    assert judge(exercise, [trial(wrong), trial(wrong, public=False)]).items[0].message.startswith("it is 2")


def test_a_check_that_breaks_on_the_reference_too_costs_nothing(exercise):
    breaks = {"value": "breaks", "more": 20}
    found = judge(exercise, [trial(breaks, breaks)]).items[2]
    assert (found.outcome, found.points) == (Outcome.GRADER_ERROR, 4.0)
    assert "ZeroDivisionError" in found.message and "costs you nothing" in found.message


def test_a_check_that_breaks_on_the_students_data_alone_has_failed(exercise):
    found = judge(exercise, [trial({"value": 1, "more": "text"})]).items[1]
    assert (found.outcome, found.points) == (Outcome.FAILED, 0.0)
    assert found.message.startswith("What came back is of an unexpected kind or shape.")


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
    assert (found.outcome, found.points, found.message) == (Outcome.NOT_ATTEMPTED, 0.0, "Not written yet.")


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


STRANGE = {
    "None": None,
    "text": "1.0",
    "empty list": [],
    "ragged list": [[1.0], [2.0, 3.0]],
    "list of None": [None, None],
    "empty dictionary": {},
    "wrong dictionary": {"loss": 1, 3: {"loss": [], "grad_norms": {}}},
    "not finite": np.full((3, 2), np.nan),
    "huge": 1e308,
    "huge integer": 2**62,
    "huge array": np.full((7, 5), 1e308),
    "empty array": np.zeros((0, 5)),
    "truth": True,
    "complex": 1j,
    "array of truths": np.ones((7, 5), dtype=bool),
    "complex array": np.ones((7, 5), dtype=complex),
    "many dimensions": np.ones((1,) * 16),
    "no data": Opaque("Module"),
    "pair of None": (None, None),
    "list of dictionaries": [{"layer": None, "kind": {}, "norm": [], "epoch": ""}],
    "list of wrong dictionaries": [{}, {"grads": 1}],
    "an exception": Raised("TypeError", ("TypeError",), "text"),
}


@each_exercise
@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE)
def test_strange_observations_earn_nothing(name, value):
    wanted = expectations(name, None)
    everywhere = [Observation(dict.fromkeys(e.expected.values, value)) for e in wanted]
    result = judge(EXERCISES[name], trials(wanted, everywhere))
    assert result.score == 0 and all(i.message for i in result.items)
    assert Outcome.GRADER_ERROR not in {i.outcome for i in result.items}


@each_exercise
@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE)
def test_a_strange_value_among_right_ones_breaks_nothing(name, value):
    wanted = expectations(name, None)
    for key in wanted[0].expected.values:
        seen = [Observation(e.expected.values | {key: value}) for e in wanted]
        result = judge(EXERCISES[name], trials(wanted, seen))
        assert 0 <= result.score <= result.max
        assert Outcome.GRADER_ERROR not in {i.outcome for i in result.items}


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


def test_observing_prints_nothing_and_keeps_the_random_state(capsys, recwarn):
    def noisy(delta_norms):
        print("noise")
        np.random.seed(0)
        np.log(np.zeros(1))
        return np.random.random()

    np.random.seed(5)
    expected = np.random.RandomState(5).random()
    one, two = observed(noisy)["slope"], observed(noisy)["slope"]
    assert one == two and np.random.random() == expected
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
