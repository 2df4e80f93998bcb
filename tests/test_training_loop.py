"""The assignment training-loop: its solutions against closed forms, its prices, and the numbers of its lesson."""

from pathlib import Path

import numpy as np
import pytest
from conftest import COURSE
from test_editions import numbers

from autograder.checks.results import Outcome
from autograder.exercises import assignments
from autograder.grading.reference import Reference
from autograder.layers import Linear
from autograder.student.predictions import questions
from reference.bank import folder_of
from source.build import build, editions
from tests.claims import agrees, number_in, run, words_of
from tests.judging import edited, judged, lost

EXERCISES = {exercise.id: exercise for exercise in assignments()["training-loop"]}
REFERENCE = Reference(Path(COURSE))
ENGLISH = editions()["training-loop-en"]

pytestmark = pytest.mark.usefixtures("english")


def solution(exercise_id):
    exercise = EXERCISES[exercise_id]
    return getattr(REFERENCE.implementation(exercise), exercise.defines)


def grade(exercise_id, code):
    """The result of `code`, as what the exercise asks for, on the public cases."""
    exercise = EXERCISES[exercise_id]
    return judged(exercise, {exercise.defines: code}, causes=False)


# --- closed forms ----------------------------------------------------------------------------------------------------


def moved(optimizer, *gradients):
    """Where a parameter that begins at 0 is after each step."""
    layer, path = Linear(1, 1), []
    layer.params["W"][:] = 0.0
    for g in gradients:
        layer.grads = {"W": np.array([[float(g)]]), "b": None}
        optimizer.step([layer])
        path.append(layer.params["W"].item())
    return path


def test_momentum_is_a_geometric_sum():
    """With a constant gradient g, step k is -lr g (1 - mu^k) / (1 - mu)."""
    path = moved(solution("sgd")(lr=0.1, momentum=0.8), *[2.0] * 6)
    steps = -0.1 * 2.0 * (1 - 0.8 ** np.arange(1, 7)) / (1 - 0.8)
    np.testing.assert_allclose(path, np.cumsum(steps), rtol=1e-12)


def test_adam_takes_steps_of_one_length_and_weighs_old_gradients_less():
    assert moved(solution("adam")(lr=0.1, eps=0.5), 2.0, 2.0) == pytest.approx([-0.08, -0.16])
    b1, b2 = 0.5, 0.75
    second = -0.1 * ((b1 * 1 + 3) * (1 - b1) / (1 - b1**2)) / np.sqrt((b2 * 1 + 9) * (1 - b2) / (1 - b2**2))
    path = moved(solution("adam")(lr=0.1, beta1=b1, beta2=b2, eps=0.0), 1.0, 3.0)
    assert path == pytest.approx([-0.1, -0.1 + second])


def test_a_straight_line_is_learned():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 1))
    layer = Linear(1, 1, rng=rng)
    losses = solution("train")([layer], solution("sgd")(lr=0.1), X, 3 * X - 1, epochs=200, batch_size=8, rng=rng)
    assert len(losses) == 200 * 3 and losses[-1] < 1e-12 < losses[0]
    assert (layer.params["W"].item(), layer.params["b"].item()) == pytest.approx((3, -1))


# --- what a slip costs -----------------------------------------------------------------------------------------------


def test_sgd_in_the_place_of_adam_earns_what_adam_has_of_it():
    result = grade("adam", type("Adam", (solution("sgd"),), {"__init__": lambda self, lr=0.001, **_: given(self, lr)}))
    assert lost(result).keys() == {"first_steps", "averages", "eps", "own_averages"}


def given(optimizer, lr):
    optimizer.lr, optimizer.momentum, optimizer.velocity = lr, 0.0, {}


class Idle:
    """An optimizer whose step is not written."""

    def __init__(self, **settings):
        self.settings = settings

    def step(self, layers):
        for layer in layers:
            for _name, p in layer.params.items():
                p = p - 1.0  # noqa: PLW2901  (as students write it)


UNWRITTEN = {
    "sgd": ("sgd", Idle, "`step(layers)` changes no parameter yet."),
    "adam": ("adam", Idle, "`step(layers)` changes no parameter yet."),
    "no loop": ("train", lambda *_: [], "`optimizer.step(layers)` is never called."),
    "no backward": ("train", lambda layers, optimizer, *_: [optimizer.step(layers)], "nothing came back to the first"),
    "nothing returned": ("train", lambda *given: solution("train")(*given) and None, "is there a `return losses`?"),
}


@pytest.mark.parametrize(("name", "code", "sentence"), UNWRITTEN.values(), ids=UNWRITTEN)
def test_half_written_code_is_told_what_is_missing(name, code, sentence):
    failures = [item for item in grade(name, code).items if item.outcome is Outcome.FAILED]
    assert sentence in failures[0].message and not failures[0].causes


FIRST_STEPS = {
    "neither is corrected": (
        {" / (1 - self.beta1**self.t)": "", " / (1 - self.beta2**self.t)": ""},
        "sqrt(1 - beta2), not lr = 0.001",
    ),
    "no learning rate, and no power of t": (
        {"self.lr * m_hat": "m_hat", "beta1**self.t": "beta1"},
        "is 1, not lr = 0.001",
    ),
    "no root, and no correction": (
        {"np.sqrt(v_hat)": "v_hat", "beta1**self.t": "beta1"},
        "first step is 0.5 times as long",
    ),
    "not divided": (
        {" / (np.sqrt(v_hat) + self.eps)": "", "-= self.lr": "-= 2 * self.lr"},
        "first step is 2 times as long",
    ),
}


@pytest.mark.parametrize(("edits", "sentence"), FIRST_STEPS.values(), ids=FIRST_STEPS)
def test_how_a_first_step_of_adam_depends_on_the_gradient_is_told(edits, sentence):
    names = {}
    exec(edited((folder_of("adam") / "solution.py").read_text(encoding="utf-8"), edits), names)
    assert sentence in lost(grade("adam", names["Adam"]))["first_steps"].split("\n")[0]


# --- the lesson ------------------------------------------------------------------------------------------------------

VALLEY, BALL, CORRECTION, UNITS, XOR = (f"experiment-0{i}" for i in range(1, 6))
CLAIMS = [
    ("prose-05", "steep direction is «-0.75»", lambda p: p(VALLEY, "η = 0.07", 1)),
    ("prose-05", "after 60 steps is «0.0083»", lambda p: p(VALLEY, "η = 0.07", -1)),
    ("prose-05", "below the «1.3» of", lambda p: p(VALLEY, "η = 0.03", -1)),
    ("prose-05", "steep direction is «-1.05»", lambda p: p(VALLEY, "η = 0.082", 1)),
    ("prose-05", "rises to «4400»", lambda p: p(VALLEY, "η = 0.082", -1)),
    ("prose-05", "direction by «0.93»", lambda p: p(VALLEY, "η = 0.07", 0)),
    ("prose-08", "0.5 takes «24» steps", lambda p: p(BALL, "momentum 0.5:", 0)),
    ("prose-08", "half of the «59» without", lambda p: p(BALL, "momentum 0.0:", 0)),
    ("prose-08", "0.9 takes «83» steps", lambda p: p(BALL, "momentum 0.9:", 0)),
    ("prose-10", "first step is «3.16» times", lambda p: p(CORRECTION, "without correction: first step", 0)),
    ("prose-10", "and step «12» is", lambda p: p(CORRECTION, "without correction: first step", 1)),
    ("prose-10", "is «6.6» times", lambda p: p(CORRECTION, "without correction: first step", 2)),
    ("prose-10", "up to step «1750»", lambda p: p(CORRECTION, "without correction: the last", -1)),
    ("prose-12", "about $«10^{270}»$", lambda p: p(UNITS, "SGD", 2)),
    ("prose-12", "ends at «0.1» in both", lambda p: p(UNITS, "Adam", 1)),
    ("prose-12", "ends at «0.1» in both", lambda p: p(UNITS, "Adam", 2)),
    ("prose-12", "the «0.0083» of SGD", lambda p: p(UNITS, "SGD", 1)),
    ("prose-15", "takes «203» steps", lambda p: p(XOR, "SGD, η = 0.1:", 2)),
    ("prose-15", "it takes «48», and", lambda p: p(XOR, "Momentum 0.9, η = 0.1:", 2)),
    ("prose-15", "all «20» networks", lambda p: p(XOR, "Momentum 0.9, η = 0.1:", 0)),
    ("prose-15", "none of the «20»", lambda p: 20 - p(XOR, "SGD, η = 1:", 0)),
    ("prose-15", "Adam takes «42» steps", lambda p: p(XOR, "Adam, η = 0.1:", 2)),
]
CLAIMS += [
    ("answer 1.1", "0.03 the height is «1.3»", lambda p: p(VALLEY, "η = 0.03", -1)),
    ("answer 1.1", "0.07 it is «0.0083»", lambda p: p(VALLEY, "η = 0.07", -1)),
    ("answer 1.1", "rises to «4400»", lambda p: p(VALLEY, "η = 0.082", -1)),
    ("answer 1.3", "takes «24» steps", lambda p: p(BALL, "momentum 0.5:", 0)),
    ("answer 1.3", "momentum «59».", lambda p: p(BALL, "momentum 0.0:", 0)),
    ("answer 1.3", "takes «83»:", lambda p: p(BALL, "momentum 0.9:", 0)),
    ("answer 2.1", "is «3.16» times", lambda p: p(CORRECTION, "without correction: first step", 0)),
    ("answer 2.2", "ends at «0.1» in both", lambda p: p(UNITS, "Adam", 2)),
    ("answer 2.2", "about «1e270»", lambda p: p(UNITS, "SGD", 2)),
    ("answer 3.2", "the «20» networks", lambda p: 20 - p(XOR, "SGD, η = 1:", 0)),
    ("answer 3.2", "in «48» steps", lambda p: p(XOR, "Momentum 0.9, η = 0.1:", 2)),
    ("answer 3.2", "takes «203»", lambda p: p(XOR, "SGD, η = 0.1:", 2)),
]
SHOWN = {
    "1.1": lambda p: least([p(VALLEY, f"η = {lr}:", -1) for lr in ("0.03", "0.07", "0.082")]),
    "1.3": lambda p: least([p(BALL, f"momentum {momentum}:", 0) for momentum in ("0.0", "0.5", "0.9")]),
    "2.1": lambda p: "c" if p(CORRECTION, "without correction: first step", 0) > 1 else "a",
    "2.2": lambda p: "abc"[[p(UNITS, name, 1) == p(UNITS, name, 2) for name in ("SGD", "Adam")].index(True)],
    "3.2": lambda p: "c" if p(XOR, "SGD, η = 1:", 0) == 0 else "ab",
}
"""The letter that the experiment shows."""


def least(values):
    return "abc"[int(np.argmin(values))]


SETTINGS = {
    "answer 1.1": {"0.03", "0.07", "0.082", "0.08"},
    "answer 1.3": {"0.5", "0.9"},
    "answer 3.2": {"0.9", "0.1"},
    "prose-05": {"0.07", "60", "0.03", "0.082", "25", "0.08"},
    "prose-08": {"0.5", "0.9", "10"},
    "prose-10": {"1.1"},
    "prose-12": {"100"},
    "prose-15": {"0.1", "0.9"},
}
"""What is no result, but a setting or follows from one."""

QUESTIONS = questions("training-loop")
CELLS = {cell.id: cell.source for cell in build(ENGLISH).cells}
NOTICED = [id for id, source in CELLS.items() if "<summary><b>Notice" in source]
CELLS |= {f"answer {name}": question.answer["en"] for name, question in QUESTIONS.items()}


@pytest.fixture(scope="module")
def printed():
    return run(ENGLISH)


@pytest.mark.parametrize(("cell", "quotation", "measured"), CLAIMS)
def test_a_claim_is_what_the_experiment_shows(cell, quotation, measured, printed):
    assert words_of(quotation) in CELLS[cell]
    assert agrees(measured(printed), number_in(quotation)), measured(printed)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_right_choice_is_what_the_experiment_shows(name, printed):
    assert SHOWN[name](printed) == QUESTIONS[name].right


def test_no_number_goes_without_a_claim():
    assert len(NOTICED) == len(QUESTIONS) == 5
    for cell in [*NOTICED, *(id for id in CELLS if id.startswith("answer"))]:
        quoted = " ".join(words_of(quotation) for id, quotation, _ in CLAIMS if id == cell)
        assert not numbers(CELLS[cell]) - numbers(quoted) - SETTINGS.get(cell, set()), cell
