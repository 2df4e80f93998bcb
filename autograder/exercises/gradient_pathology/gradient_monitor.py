"""GradientMonitor.detect_problems: name the layers whose gradients are ill, and the illness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation
from autograder.checks.expect import close, kind_of, number, same
from autograder.checks.values import simplify
from autograder.layers import Linear, ReLU
from autograder.locale import _

FIELDS = ("layer", "kind", "norm", "epoch")
ANSWERS = ("problems", "problems when asked again")
N_LAYERS = 12
"""More than ten, so that names do not sort as numbers do."""


@dataclass(frozen=True)
class History:
    """What a monitor has recorded when it is asked.

    Attributes:
        records: (epoch, {layer name: gradient norm}), oldest first.
        thresholds: those that are passed.
        through_record: whether the norms come in through `record` and layers that have such gradients.
        by_position: whether the thresholds are passed without their names.
    """

    title: str
    records: list[tuple[int, dict[str, float]]]
    thresholds: dict[str, float] = field(default_factory=dict)
    through_record: bool = False
    by_position: bool = False


def norms(rng: np.random.Generator, *problems: tuple[int, float], n: int = N_LAYERS) -> dict[str, float]:
    """Healthy norms of `n` layers, but for the `problems`: (layer, norm)."""
    values = 10 ** rng.uniform(-4, 1, n)
    for layer, value in problems:
        values[layer] = value
    return {f"Linear_{i}": float(value) for i, value in enumerate(values)}


def anywhere(rng: np.random.Generator, *values: float) -> list[tuple[int, float]]:
    """Problems in other layers at every draw: answers learnt by heart do not fit."""
    return [(int(layer), value) for layer, value in zip(rng.permutation(N_LAYERS), values, strict=False)]


def tiny(rng: np.random.Generator) -> float:
    """The norm of a vanishing gradient."""
    return 10 ** rng.uniform(-18, -9)


def huge(rng: np.random.Generator) -> float:
    """The norm of an exploding gradient."""
    return 10 ** rng.uniform(4, 12)


def epoch(rng: np.random.Generator) -> int:
    """Some epoch in the middle of a training."""
    return int(rng.integers(3, 40))


def draw_kinds(rng: np.random.Generator) -> list[History]:
    """Vanishing and exploding gradients in any place."""
    n, low, high = epoch(rng), tiny(rng), huge(rng)
    several = norms(rng, (1, low), (4, high), (2, 0.0), (7, 2 * high), (11, low))
    return [
        History("one layer's gradient vanishes", [(n, norms(rng, (0, low)))]),
        History("a layer in the middle explodes", [(n, norms(rng, (3, high)))]),
        History("several of both", [(n, several)]),
        History("norms recorded from layers", [(n, norms(rng, (0, low), (2, high), n=3))], through_record=True),
    ]


def draw_nonfinite(rng: np.random.Generator) -> list[History]:
    """NaN and infinity, alone and among other problems; and norms that are finite, however large."""
    n, low, high = epoch(rng), tiny(rng), huge(rng)
    every_kind = norms(rng, (0, high), (3, np.inf), (5, low), (6, np.nan), (9, high), (10, np.inf), (11, low))
    finite = norms(rng, *anywhere(rng, 1e39, 1e200, 1e-290, np.finfo(float).max / 2))
    return [
        History("a norm is NaN", [(n, norms(rng, (5, np.nan)))]),
        History("norms are NaN and infinite, others are ill too", [(n, every_kind)]),
        History("finite norms of any size", [(n, finite)]),
    ]


def draw_thresholds(rng: np.random.Generator) -> list[History]:
    """Thresholds of many sizes, and norms near the defaults."""
    n = epoch(rng)
    below, above = rng.uniform(0.9, 0.98), rng.uniform(1.02, 1.1)
    moderate = norms(rng, (1, 0.004), (4, 2.0), n=5) | {"Linear_0": 0.5, "Linear_2": 0.1, "Linear_3": 0.2}
    loose = {"vanish_threshold": 1e-12, "explode_threshold": 1e6}
    return [
        History("stricter thresholds", [(n, moderate)], {"vanish_threshold": 0.01, "explode_threshold": 1.0}),
        History("looser thresholds", [(n, norms(rng, *anywhere(rng, 1e-9, 1e4, 1e-13)))], loose),
        History(
            "thresholds passed by position",
            [(n, norms(rng, *anywhere(rng, 1e-9, 1e4, 1e-13, 1e7)))],
            loose,
            by_position=True,
        ),
        History(
            "both thresholds are 0",
            [(n, norms(rng, (1, 1e-9)))],
            {"vanish_threshold": 0.0, "explode_threshold": 0.0},
        ),
        History(
            "one threshold is 0, the other left at its default",
            [(n, norms(rng, (0, 1e-9), (3, 1e4), (5, 1e-13)))],
            {"vanish_threshold": 0.0},
        ),
        History(
            "norms near the default thresholds",
            [(n, norms(rng, (0, above / 1e7), (2, below * 1e3), (3, below / 1e7), (5, above * 1e3)))],
        ),
    ]


def draw_newest(rng: np.random.Generator) -> list[History]:
    """Several records, of which only the last one counts."""
    n, low, high = epoch(rng), tiny(rng), huge(rng)
    in_order = norms(rng, (2, low), (4, high), (10, high), (11, low))
    return [
        History(
            "ill before, otherwise ill now",
            [(n, norms(rng, (0, low), (3, high))), (n + 1, norms(rng, (1, low))), (n + 2, norms(rng, (5, high)))],
        ),
        History("well before, ill now, epochs counted downwards", [(n + 9, norms(rng)), (n, norms(rng, (3, low)))]),
        History("two records of one epoch", [(n, norms(rng, (7, high))), (n, norms(rng, (2, low), n=6))]),
        History("the very first epoch", [(0, norms(rng, (3, high)))]),
        History("ill layers before and after the tenth", [(n, norms(rng)), (n + 1, in_order)]),
    ]


def draw_healthy(rng: np.random.Generator) -> list[History]:
    """Nothing to report."""
    n = epoch(rng)
    return [
        # After an ill network, of which a new monitor must know nothing.
        History("nothing recorded yet", []),
        History("a healthy network", [(n, norms(rng))]),
        History("ill before, well now", [(n, norms(rng, (0, tiny(rng)), (3, huge(rng)))), (n + 1, norms(rng))]),
        History("a record without any gradient", [(n, {})]),
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
    yield "history before", monitor.history
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
    "gradient_monitor",
    History,
    {
        "kinds": draw_kinds,
        "nonfinite": draw_nonfinite,
        "thresholds": draw_thresholds,
        "newest": draw_newest,
        "healthy": draw_healthy,
    },
    probe,
    title="A gradient monitor",
    defines="GradientMonitor",
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


@gradient_monitor.check(points=1.0, on="kinds")
def test_kinds(case: History, seen: Observation, expected: Observation) -> None:
    """Vanishing and exploding gradients are found in whichever layers they are, each as a `Problem` with all fields."""
    _same_problems(seen, expected)


@gradient_monitor.check(points=0.75, on="nonfinite")
def test_nonfinite(case: History, seen: Observation, expected: Observation) -> None:
    """NaN and infinite norms are found, and their kind is "nonfinite"."""
    _same_problems(seen, expected, whole=False)


@gradient_monitor.check(points=1.0, on="thresholds")
def test_thresholds(case: History, seen: Observation, expected: Observation) -> None:
    """The thresholds that are passed decide."""
    _same_problems(seen, expected, whole=False)


@gradient_monitor.check(points=0.75, on="newest")
def test_newest(case: History, seen: Observation, expected: Observation) -> None:
    """Only the newest record counts, and its problems come as a list, in the order of the record."""
    container = seen[f"container of {ANSWERS[0]}"]
    if container != "list":  # elsewhere it passes for one: one promise, one loss
        raise Failed(_("detect_problems should return a list, but it is {kind}.").format(kind=container))
    _same_problems(seen, expected, in_order=True)


@gradient_monitor.check(points=0.25, on="healthy", needs=("kinds",))
def test_healthy(case: History, seen: Observation, expected: Observation) -> None:
    """The list is empty without a record, and where no layer is ill."""
    _same_problems(seen, expected)


@gradient_monitor.check(points=0.25, on=("kinds", "nonfinite", "newest"), needs=("kinds",))
def test_history_stays(case: History, seen: Observation, expected: Observation) -> None:
    """Asking changes nothing: history stays, and the same question has the same answer."""
    if seen.raised(ANSWERS[0]):  # another promise speaks of that
        return
    if not same(*(seen[answer] for answer in ANSWERS)):
        raise Failed(_("When asked a second time, detect_problems answers something else."))
    if not same(seen["history before"], seen["history"]):
        raise Failed(_("{name} should stay as it was, but it was changed.").format(name="history"))
