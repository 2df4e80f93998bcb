"""The cases, and what a monitor answers: read however it is written, and for each layer apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Implementation, attempt
from autograder.checks.expect import same
from autograder.checks.values import simplify
from autograder.layers import Linear, ReLU

FIELDS = ("layer", "kind", "norm", "epoch")
KINDS = ("vanishing", "exploding", "nonfinite")
MOST = 1000  # problems of an answer that are looked at
N_LAYERS = 12  # more than ten, so that names do not sort as numbers do

Norms = dict[str, float]


@dataclass(frozen=True)
class History:
    """What a monitor has recorded when it is asked.

    Attributes:
        records: (epoch, {layer name: gradient norm}), oldest first.
        beside: a record of another monitor, whose answer a promise compares with that of the first; {} if none.
        alone: records of others, in each of which all layers are ill, and in the same way.
        thresholds: those that are passed.
        by_position: whether the thresholds are passed without their names.
    """

    title: str
    records: list[tuple[int, Norms]]
    beside: Norms = field(default_factory=dict)
    alone: list[Norms] = field(default_factory=list)
    thresholds: dict[str, float] = field(default_factory=dict)
    by_position: bool = False


def norms(rng: np.random.Generator, *problems: tuple[int, float]) -> Norms:
    """Healthy norms, but for the `problems`: (layer, norm)."""
    values = 10 ** rng.uniform(-3, 1, N_LAYERS)
    for layer, value in problems:
        values[layer] = value
    return named(*values)


def named(*values: float) -> Norms:
    """The norms of Linear_0, Linear_1, ..."""
    return {f"Linear_{i}": float(value) for i, value in enumerate(values)}


def tiny(rng: np.random.Generator) -> float:
    """The norm of a vanishing gradient."""
    return 10 ** rng.uniform(-18, -9)


def huge(rng: np.random.Generator) -> float:
    """The norm of an exploding gradient."""
    return 10 ** rng.uniform(4, 9)


def epoch(rng: np.random.Generator) -> int:
    """Some epoch in the middle of a training."""
    return int(rng.integers(3, 40))


def all_ill(rng: np.random.Generator) -> list[Norms]:
    """Small networks whose layers all vanish, and all explode: where one healthy or other layer spoils the answer, they
    show what works nevertheless."""
    return [named(*(size(rng) for _layer in range(3))) for size in (tiny, huge)]


def draw_some(rng: np.random.Generator) -> list[History]:
    """One layer of each kind; the first is among them."""

    def case(title: str) -> History:
        places = 0, int(rng.integers(2, 10)), 11
        ill = norms(rng, *zip(places, (tiny(rng), huge(rng), np.inf), strict=True))
        return History(title, [(epoch(rng), ill)], norms(rng), all_ill(rng))

    return [case("three layers are ill, each in its own way"), case("three other layers are ill, each in its own way")]


def draw_ill(rng: np.random.Generator) -> list[History]:
    """Vanishing and exploding gradients, before the tenth layer and after, and each of them at both ends."""
    first, last = rng.integers(2, size=2)  # drawn apart, as are the layers between: nobody can foresee the kinds

    def ill(n: int, *ends: int) -> Norms:
        places = [0, *sorted(rng.choice(range(2, 10), n - 3, replace=False)), 10, 11]
        explodes: list[int] = []
        while np.count_nonzero(np.diff(explodes)) < 2:  # else the record has its kinds in groups
            explodes = [ends[0], *rng.permutation(np.arange(n - 2) % 2), ends[1]]
        vanishing = iter([0.0, *(tiny(rng) for _place in places)])  # a dead layer has a norm of 0
        values = [huge(rng) if kind else next(vanishing) for kind in explodes]
        return norms(rng, *zip(places, values, strict=True))

    drawn = {
        "five layers are ill, one of them dead": ill(5, first, last),
        "seven layers are ill": ill(7, 1 - first, 1 - last),
    }
    return [History(title, [(epoch(rng), record)], alone=all_ill(rng)) for title, record in drawn.items()]


def draw_nonfinite(rng: np.random.Generator) -> list[History]:
    """NaN and infinity among other problems; beside them the same norms without."""

    def case(title: str, *odd: float) -> History:
        places = sorted(rng.choice(range(1, 11), len(odd), replace=False))
        ill = norms(rng, (0, huge(rng)), *zip(places, odd, strict=True), (11, tiny(rng)))
        beside = {layer: norm if np.isfinite(norm) else 0.5 for layer, norm in ill.items()}
        return History(title, [(epoch(rng), ill)], beside)

    return [
        case("one norm is NaN, one infinite", np.nan, np.inf),
        case("norms are NaN and infinite, others are ill too", np.inf, np.nan, np.inf),
    ]


def draw_thresholds(rng: np.random.Generator) -> list[History]:
    """Norms on both sides of the thresholds; beside them, norms far from these."""

    def case(title: str, low: float, high: float, by_position: bool = False) -> History:
        below, above = rng.uniform(0.9, 0.96), rng.uniform(1.04, 1.1)
        between = [np.sqrt(low * high)] * rng.integers(2, 8)
        record = epoch(rng), named(below * low, above * low, *between, below * high, above * high)
        passed = {} if (low, high) == (1e-7, 1e3) else {"vanish_threshold": low, "explode_threshold": high}
        beside = named(low / 1e6, *between, *between[:2], high * 1e6)
        return History(title, [record], beside, thresholds=passed, by_position=by_position)

    return [
        case("the default thresholds", 1e-7, 1e3),
        case("stricter thresholds", 0.01, 1.0),
        case("looser thresholds, passed by position", 1e-12, 1e6, by_position=True),
    ]


def draw_newest(rng: np.random.Generator) -> list[History]:
    """A second training with the same monitor: epochs begin anew, and another network is well or ill."""
    low, high, n = tiny(rng), huge(rng), epoch(rng)
    a, b, c, d = rng.permutation(range(1, 11))[:4]
    first = [(n + 5, norms(rng, (a, high), (b, low))), (n + 6, norms(rng, (0, low), (c, high)))]
    well, ill = norms(rng), norms(rng, (0, high), (d, low), (11, high))
    return [
        History("a network that has become ill", [(n, well), (n + 1, ill)], ill),
        History("a healthy second training after an ill one", [*first, (n, well)], well),
        History("a second training, ill in another way than the first", [*first, (n, ill)], ill),
    ]


def draw_healthy(rng: np.random.Generator) -> list[History]:
    """Nothing to report."""
    return [
        History("no record yet", []),
        History("no record yet, thresholds passed", [], thresholds={"vanish_threshold": 1e-5}),
        History("a healthy network", [(epoch(rng), norms(rng))]),
        History("a healthy network of two layers", [(epoch(rng), named(*10 ** rng.uniform(-3, 1, 2)))]),
    ]


def probe(implementation: Implementation, case: History) -> Iterator[tuple[str, Any]]:
    """Asks a monitor with this history twice, and before that without the last record.

    Others are asked about the records beside it, and one more records the first of these from layers.
    """

    def ask(monitor: Any) -> Any:
        if case.by_position:
            return monitor.detect_problems(*case.thresholds.values())
        return monitor.detect_problems(**case.thresholds)

    for note, norms in _others(case).items():
        other = implementation.GradientMonitor()
        other.history.append((case.records[-1][0], dict(norms)))
        yield from _answered(note, norms, attempt(ask, other))
    if case.beside:
        other = implementation.GradientMonitor()
        yield "recorded", attempt(lambda: other.record(7, _layers_with(*case.beside.values())) or other.history)

    monitor = implementation.GradientMonitor()
    for i, (epoch, norms) in enumerate(case.records):
        if i and i == len(case.records) - 1:
            attempt(ask, monitor)
        monitor.history.append((epoch, dict(norms)))
    yield "history before", monitor.history
    for again in ("", AGAIN):
        yield from _answered(again, case.records[-1][1] if case.records else {}, attempt(ask, monitor))
    yield "history", monitor.history


BESIDE, AGAIN = " of the record beside", " when asked again"
NO_KIND = ""


def alone_in(case: History) -> dict[str, Norms]:
    return {f" of network {i}, all ill": norms for i, norms in enumerate(case.alone)}


def _others(case: History) -> dict[str, Norms]:
    """The records of other monitors, by what is added to the names of their answers."""
    return ({BESIDE: case.beside} if case.beside else {}) | alone_in(case)


def _answered(note: str, record: Norms, answer: Any) -> Iterator[tuple[str, Any]]:
    """An answer, and what can be read in it: the problems of each layer apart, so that one hides no other."""
    plain = simplify(attempt(_plain, answer))
    yield f"problems{note}", plain
    yield f"container{note}", "list" if isinstance(answer, list) else type(answer).__name__
    if type(plain) in (list, tuple):
        yield f"kinds{note}", _kinds(plain, record)


def _plain(answer: Any) -> Any:
    """For each `Problem` a dict of its fields, for anything else its type and itself."""
    if hasattr(answer, "kind"):
        answer = [answer]
    if isinstance(answer, dict):
        answer = list(answer.items())
    if not isinstance(answer, (list, tuple, set, Iterator)):
        return answer
    return [{f: getattr(p, f, None) for f in FIELDS} if hasattr(p, "kind") else [type(p).__name__, p] for p in answer]


def _kinds(problems: Any, record: Norms) -> dict[str, str]:
    """Layer -> kind of all problems, however they are written; a kind that is none is what stands in its place."""
    found = {}
    for problem in problems[:MOST]:
        parts = list(problem.values()) if type(problem) is dict else problem[1:]
        words = re.findall(r"\w+", str(parts)[:500])
        by_number = [name for i, name in enumerate(record) if str(i) == words[0]] if words else []
        layer = next((word for word in words if word in record), by_number[0] if by_number else None)
        norm = problem.get("norm") if type(problem) is dict else None
        by_norm = [name for name, value in record.items() if same(norm, value)]
        layer = by_norm[0] if len(by_norm) == 1 else layer  # whatever it is called: names are another promise
        if layer is not None:
            kind = problem.get("kind") if type(problem) is dict else None
            found[layer] = next((word for word in words if word in KINDS), str(kind)[:40] if kind else NO_KIND)
    return found


def _layers_with(*norms: float) -> list[Any]:
    layers: list[Any] = []
    rng = np.random.default_rng(0)  # one for all takes a tenth of the time, and gives the same weights every time
    for norm in norms:
        linear = Linear(2, 2, rng=rng)
        linear.grads["W"] = np.array([[0.6, 0.0], [0.0, -0.8]]) * norm
        layers += [linear, ReLU()]
    return [*layers, Linear(2, 1, rng=rng)]  # the last has seen no backward yet


gradient_monitor = Exercise(
    "gradient_monitor",
    History,
    {
        "some": draw_some,
        "ill": draw_ill,
        "nonfinite": draw_nonfinite,
        "thresholds": draw_thresholds,
        "newest": draw_newest,
        "healthy": draw_healthy,
    },
    probe,
    title="A gradient monitor",
    defines="GradientMonitor",
    example=lambda case: {
        "history": [(epoch, dict(norms)) for epoch, norms in case.records],
        "thresholds": case.thresholds,
    },
    calls="""\
monitor = GradientMonitor()
monitor.history.extend(given.history)
monitor.detect_problems(**given.thresholds)""",
)
