"""GradientMonitor.detect_problems: name the layers whose gradients are ill, and the illness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.exercises.exercise import Exercise, Failed, Implementation, Observation
from autograder.exercises.expect import close, kind_of, number
from autograder.i18n import _
from autograder.layers import Linear, ReLU
from autograder.wire import simplify

FIELDS = ("layer", "kind", "norm", "epoch")
ANSWERS = ("problems", "problems when asked again")
N_LAYERS = 12
"""More than ten, so that names do not sort as numbers do."""


@dataclass(frozen=True)
class History:
    """What a monitor has recorded when it is asked.

    Attributes:
        aspect: "kinds", "nonfinite", "thresholds" or "newest".
        records: (epoch, {layer name: gradient norm}), oldest first.
        thresholds: those that are passed.
        through_record: whether the norms come in through `record` and layers that have such gradients.
        by_position: whether the thresholds are passed without their names.
    """

    title: str
    aspect: str
    records: list[tuple[int, dict[str, float]]]
    thresholds: dict[str, float] = field(default_factory=dict)
    through_record: bool = False
    by_position: bool = False


def draw(rng: np.random.Generator) -> list[History]:
    """Networks with one or several kinds of illness in any place, healthy ones, and thresholds of many sizes."""

    def norms(*problems: tuple[int, float], n: int = N_LAYERS) -> dict[str, float]:
        values = 10 ** rng.uniform(-4, 1, n)
        for layer, value in problems:
            values[layer] = value
        return {f"Linear_{i}": float(value) for i, value in enumerate(values)}

    def anywhere(*values: float) -> list[tuple[int, float]]:
        """In other layers at every draw: answers learnt by heart do not fit."""
        return [(int(layer), value) for layer, value in zip(rng.permutation(N_LAYERS), values)]

    tiny, huge = 10 ** rng.uniform(-18, -9), 10 ** rng.uniform(4, 12)
    below, above = rng.uniform(0.9, 0.98), rng.uniform(1.02, 1.1)
    n = int(rng.integers(3, 40))
    return [
        History("one layer's gradient vanishes", "kinds", [(n, norms((0, tiny)))]),
        History("a layer in the middle explodes", "kinds", [(n, norms((3, huge)))]),
        History("several of both", "kinds", [(n, norms((1, tiny), (4, huge), (2, 0.0), (7, 2 * huge), (11, tiny)))]),
        History(
            "finite norms of any size",
            "nonfinite",
            [(n, norms(*anywhere(1e39, 1e200, 1e-290, np.finfo(float).max / 2)))],
        ),
        History("norms recorded from layers", "kinds", [(n, norms((0, tiny), (2, huge), n=3))], through_record=True),
        History("a norm is NaN", "nonfinite", [(n, norms((5, np.nan)))]),
        History(
            "norms are NaN and infinite, others are ill too",
            "nonfinite",
            [(n, norms((0, huge), (3, np.inf), (5, tiny), (6, np.nan), (9, huge), (10, np.inf), (11, tiny)))],
        ),
        History(
            "stricter thresholds",
            "thresholds",
            [(n, norms((1, 0.004), (4, 2.0), n=5) | {"Linear_0": 0.5, "Linear_2": 0.1, "Linear_3": 0.2})],
            {"vanish_threshold": 0.01, "explode_threshold": 1.0},
        ),
        History(
            "looser thresholds",
            "thresholds",
            [(n, norms(*anywhere(1e-9, 1e4, 1e-13)))],
            {"vanish_threshold": 1e-12, "explode_threshold": 1e6},
        ),
        History(
            "thresholds passed by position",
            "thresholds",
            [(n, norms(*anywhere(1e-9, 1e4, 1e-13, 1e7)))],
            {"vanish_threshold": 1e-12, "explode_threshold": 1e6},
            by_position=True,
        ),
        History(
            "both thresholds are 0",
            "thresholds",
            [(n, norms((1, 1e-9)))],
            {"vanish_threshold": 0.0, "explode_threshold": 0.0},
        ),
        History(
            "no norm is too large",
            "nonfinite",
            [(n, norms((1, 1e-9), (3, 1e9), (4, np.inf)))],
            {"explode_threshold": np.inf},
        ),
        History(
            "one threshold is 0, the other left at its default",
            "thresholds",
            [(n, norms((0, 1e-9), (3, 1e4), (5, 1e-13)))],
            {"vanish_threshold": 0.0},
        ),
        History(
            "norms near the default thresholds",
            "thresholds",
            [(n, norms((0, above / 1e7), (2, below * 1e3), (3, below / 1e7), (5, above * 1e3)))],
        ),
        History(
            "ill before, well now",
            "newest",
            [(n, norms((0, tiny), (3, huge))), (n + 1, norms((0, np.nan))), (n + 2, norms())],
        ),
        History("well before, ill now, epochs counted downwards", "newest", [(n + 9, norms()), (n, norms((3, tiny)))]),
        History("two records of one epoch", "newest", [(n, norms((7, huge))), (n, norms((2, tiny), n=6))]),
        History("the very first epoch", "newest", [(0, norms((3, huge)))]),
        History(
            "ill layers before and after the tenth",
            "newest",
            [(n, norms()), (n + 1, norms((2, tiny), (4, huge), (10, huge), (11, tiny)))],
        ),
        # After an ill network, of which a new monitor must know nothing.
        History("nothing recorded yet", "newest", []),
        History("a healthy network", "newest", [(n, norms())]),
        History("a record without any gradient", "newest", [(n, {})]),
    ]


def probe(implementation: Implementation, case: History) -> Iterator[tuple[str, Any]]:
    """Asks a monitor with this history twice; before that, without the last record, or with other thresholds."""
    monitor = implementation.GradientMonitor()

    def ask() -> Any:
        if case.by_position:
            return monitor.detect_problems(*case.thresholds.values())
        return monitor.detect_problems(**case.thresholds)

    for i, (epoch, norms) in enumerate(case.records):
        if i and i == len(case.records) - 1:
            ask()
        if case.through_record:
            monitor.record(epoch, _layers_with(norms))
        else:
            monitor.history.append((epoch, dict(norms)))
    if case.thresholds:
        monitor.detect_problems()
    for answer in ANSWERS:
        problems = ask()
        yield (
            f"container of {answer}",
            type(problems).__name__ if isinstance(problems, Iterator) else type(simplify(problems)).__name__,
        )
        if isinstance(problems, (list, tuple, Iterator)):
            problems = [{name: getattr(problem, name, None) for name in FIELDS} for problem in problems]
        yield answer, problems
    yield "history", monitor.history


def _layers_with(norms: dict[str, float]) -> list[Any]:
    layers: list[Any] = []
    for norm in norms.values():
        linear = Linear(2, 2)
        linear.grads["W"] = np.array([[0.6, 0.0], [0.0, -0.8]]) * norm
        layers += [linear, ReLU()]
    return [*layers, Linear(2, 1)]  # the last has seen no backward yet


gradient_monitor = Exercise(
    "gradient_monitor", "gradient_monitor", "GradientMonitor", History, draw, probe, title="A gradient monitor"
)


def _same_problems(seen: Observation, expected: Observation, in_order: bool = False, whole: bool = True) -> None:
    """The problems are the right ones, with norm and epoch where they are to be looked at as a `whole`."""
    answer = ANSWERS[0]
    seen.raised("history")  # a cause of other problems explains what became of it as well
    problems, right_ones = seen[answer], expected[answer]
    if type(problems) is not list:
        raise Failed(_("detect_problems should return a list, but it is {kind}.").format(kind=kind_of(problems)))
    if in_order:
        if _pairs(problems) != _pairs(right_ones) and _pairs(_sorted(problems)) == _pairs(_sorted(right_ones)):
            raise Failed(_("The problems are right, but they do not stand in the order of the record."))
    else:
        problems, right_ones = _sorted(problems), _sorted(right_ones)
    if _pairs(problems) != _pairs(right_ones):
        shown = ", ".join(f"{p['layer']}: {p['kind']}" for p in seen[answer]) or _("none")
        should = ", ".join(f"{p['layer']}: {p['kind']}" for p in expected[answer]) or _("none")
        raise Failed(_("Problems found: {got}; expected: {wanted}.").format(got=shown, wanted=should))
    for found, right in zip(problems, right_ones, strict=True) if whole else ():
        for name in ("norm", "epoch"):
            value = number(f"Problem.{name}", found[name])
            if np.isfinite(right[name]):
                close(f"Problem.{name}", value, right[name])
            elif not np.array_equal(value, right[name], equal_nan=True):
                wanted = _("{where} is {got}, but {expected} was expected")
                raise Failed(wanted.format(where=f"Problem.{name}", got=value, expected=right[name]))


def _pairs(problems: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    return [(problem["layer"], problem["kind"]) for problem in problems]


def _sorted(problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By layer; the order is one promise, which one check looks at."""
    return sorted(problems, key=lambda problem: (str(problem["layer"]), str(problem["kind"])))


@gradient_monitor.check(points=1.0)
def test_kinds(case: History, seen: Observation, expected: Observation) -> None:
    """Vanishing and exploding gradients are found in whichever layers they are, each as a `Problem` with all fields."""
    if case.aspect == "kinds":
        _same_problems(seen, expected)


@gradient_monitor.check(points=1.0)
def test_nonfinite(case: History, seen: Observation, expected: Observation) -> None:
    """NaN and infinite norms are found, and their kind is "nonfinite"."""
    if case.aspect == "nonfinite":
        _same_problems(seen, expected, whole=False)


@gradient_monitor.check(points=1.0)
def test_thresholds(case: History, seen: Observation, expected: Observation) -> None:
    """The thresholds that are passed decide."""
    if case.aspect == "thresholds":
        _same_problems(seen, expected, whole=False)


@gradient_monitor.check(points=1.0, needs=("kinds",))
def test_newest(case: History, seen: Observation, expected: Observation) -> None:
    """Only the newest record counts, in its order, and history stays; the list is empty without record or problem."""
    if case.aspect == "newest":
        container = seen[f"container of {ANSWERS[0]}"]
        if container != "list":  # elsewhere it passes for one: one promise, one loss
            raise Failed(_("detect_problems should return a list, but it is {kind}.").format(kind=container))
        _same_problems(seen, expected, in_order=True)
    elif seen.raised("history"):  # other checks speak of that
        return
    first, again = (repr(seen[answer]) for answer in ANSWERS)  # equal, NaN included
    if first != again:
        raise Failed(_("When asked a second time, detect_problems answers something else."))
    if repr(seen["history"]) != repr(expected["history"]):
        raise Failed(_("{name} should stay as it was, but it was changed.").format(name="history"))
