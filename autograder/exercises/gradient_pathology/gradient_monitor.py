"""GradientMonitor.detect_problems: name the layers whose gradients are ill, and the illness.

A promise asks for one thing and no more: which layers are named, which kind they get, which threshold or record
decides. So problems are read however they are written, and where a monitor never finds one kind of illness, only the
promise to find all of them is broken.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, attempt
from autograder.checks.expect import close, is_close, kind_of, number, same
from autograder.checks.values import simplify
from autograder.layers import Linear, ReLU
from autograder.locale import _

FIELDS = ("layer", "kind", "norm", "epoch")
KINDS = ("vanishing", "exploding", "nonfinite")
MOST = 1000
"""So many problems of an answer are looked at."""
N_LAYERS = 12
"""More than ten, so that names do not sort as numbers do."""

Norms = dict[str, float]


@dataclass(frozen=True)
class History:
    """What a monitor has recorded when it is asked.

    Attributes:
        records: (epoch, {layer name: gradient norm}), oldest first.
        ill: the norms of another network, of which one layer vanishes and one explodes.
        thresholds: those that are passed.
        by_position: whether the thresholds are passed without their names.
    """

    title: str
    records: list[tuple[int, Norms]]
    ill: Norms
    thresholds: dict[str, float] = field(default_factory=dict)
    by_position: bool = False


def history(rng: np.random.Generator, title: str, *records: tuple[int, Norms], **options: Any) -> History:
    """A case with these records. Where layers are ill differs from draw to draw: answers learnt by heart do not fit."""
    ill = 10 ** rng.uniform(-1, 0, rng.integers(4, N_LAYERS))
    ill[[int(rng.integers(1, len(ill) - 1)), -1]] = tiny(rng), huge(rng)
    return History(title, list(records), named(*ill), **options)


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


def draw_ill(rng: np.random.Generator) -> list[History]:
    """Vanishing and exploding gradients by turns, at an end of the network, before its tenth layer, and after."""

    def by_turns(n: int) -> Norms:
        places = [10, rng.choice([0, 11]), *rng.choice(range(2, 10), n - 2, replace=False)]
        start = rng.integers(2)
        vanishing = iter([0.0, *(tiny(rng) for _place in places)])  # a dead layer has a norm of 0
        values = [next(vanishing) if (i + start) % 2 else huge(rng) for i in range(n)]
        return norms(rng, *zip(sorted(places), values, strict=True))

    titles = {"three layers are ill, one of them dead": 3, "five layers are ill": 5}
    return [history(rng, title, (epoch(rng), by_turns(n))) for title, n in titles.items()]


def draw_nonfinite(rng: np.random.Generator) -> list[History]:
    """NaN and infinity among other problems."""
    low, high = tiny(rng), huge(rng)
    one, two = (sorted(rng.choice(range(1, 11), n, replace=False)) for n in (2, 3))
    every_kind = norms(rng, (0, high), *zip(two, (np.inf, np.nan, np.inf), strict=True), (11, low))
    return [
        history(
            rng,
            "one norm is NaN, one infinite",
            (epoch(rng), norms(rng, *zip(one, (np.nan, np.inf), strict=True), (11, low))),
        ),
        history(rng, "norms are NaN and infinite, others are ill too", (epoch(rng), every_kind)),
    ]


def draw_thresholds(rng: np.random.Generator) -> list[History]:
    """Norms on both sides of the thresholds."""

    def near(low: float, high: float) -> tuple[int, Norms]:
        below, above = rng.uniform(0.9, 0.96), rng.uniform(1.04, 1.1)
        between = [np.sqrt(low * high)] * rng.integers(1, 8)
        return epoch(rng), named(below * low, above * low, *between, below * high, above * high)

    strict, loose = ({"vanish_threshold": low, "explode_threshold": high} for low, high in ((0.01, 1.0), (1e-12, 1e6)))
    return [
        history(rng, "the default thresholds", near(1e-7, 1e3)),
        history(rng, "stricter thresholds", near(0.01, 1.0), thresholds=strict),
        history(rng, "looser thresholds, passed by position", near(1e-12, 1e6), thresholds=loose, by_position=True),
    ]


def draw_newest(rng: np.random.Generator) -> list[History]:
    """A second training with the same monitor: epochs begin anew, and another network is well or ill."""
    low, high, n = tiny(rng), huge(rng), epoch(rng)
    a, b, c, d = rng.permutation(range(1, 11))[:4]
    first = (n + 5, norms(rng, (a, high), (b, low))), (n + 6, norms(rng, (c, high)))
    ill = norms(rng, (d, low), (int(rng.choice([0, 11])), high))
    return [
        history(rng, "a second training, well after an ill one", *first, (n, norms(rng))),
        history(rng, "a second training, otherwise ill than the first", *first, (n, ill)),
    ]


def probe(implementation: Implementation, case: History) -> Iterator[tuple[str, Any]]:
    """Asks a monitor with this history twice, and before that without the last record.

    Others are asked without a record, about a healthy network, and about an ill one, or record that from its layers.
    """
    other = implementation.GradientMonitor()
    yield "problems without a record", attempt(_plain, other.detect_problems)
    other.history.append((6, dict.fromkeys(case.ill, 0.5)))
    yield "problems of a healthy network", attempt(_plain, other.detect_problems)
    other = implementation.GradientMonitor()
    yield "recorded", attempt(lambda: other.record(7, _layers_with(*case.ill.values())) or other.history)
    other = implementation.GradientMonitor()
    other.history.append((8, dict(case.ill)))
    yield "problems of an ill network", attempt(_plain, other.detect_problems)

    monitor = implementation.GradientMonitor()

    def ask() -> Any:
        if case.by_position:
            return monitor.detect_problems(*case.thresholds.values())
        return monitor.detect_problems(**case.thresholds)

    for i, (epoch, norms) in enumerate(case.records):
        if i and i == len(case.records) - 1:
            ask()
        monitor.history.append((epoch, dict(norms)))
    yield "history before", monitor.history
    for again in ("", " when asked again"):
        problems = ask()
        yield f"container{again}", type(problems if isinstance(problems, Iterator) else simplify(problems)).__name__
        yield f"problems{again}", _plain(lambda: problems)  # noqa: B023 - called at once
    yield "history", monitor.history


def _plain(ask: Any) -> Any:
    """What `ask` answers: for each `Problem` a dict of its fields, for a dict a list of pairs."""
    answer = ask()
    if not isinstance(answer, (list, tuple, Iterator)):
        return answer
    return [
        {name: getattr(problem, name, None) for name in FIELDS}
        if hasattr(problem, "kind")
        else list(problem.items() if isinstance(problem, dict) else [problem])
        for problem in answer
    ]


def _layers_with(*norms: float) -> list[Any]:
    layers: list[Any] = []
    for norm in norms:
        linear = Linear(2, 2)
        linear.grads["W"] = np.array([[0.6, 0.0], [0.0, -0.8]]) * norm
        layers += [linear, ReLU()]
    return [*layers, Linear(2, 1)]  # the last has seen no backward yet


gradient_monitor = Exercise(
    "gradient_monitor",
    History,
    {
        "ill": draw_ill,
        "nonfinite": draw_nonfinite,
        "thresholds": draw_thresholds,
        "newest": draw_newest,
    },
    probe,
    title="A gradient monitor",
    defines="GradientMonitor",
)


# --- what was answered -----------------------------------------------------------------------------------------------


def _found(answer: Any, record: Norms) -> dict[str, str]:
    """Layer -> kind of all problems, however they are written; "" for a kind that is none."""
    if type(answer) not in (list, tuple):
        raise Failed(_("detect_problems should return a list, but it is {kind}.").format(kind=kind_of(answer)))
    found = {}
    for problem in answer[:MOST]:
        parts = list(problem.values()) if type(problem) is dict else problem
        words = re.findall(r"\w+", str(parts)[:500])
        by_number = [name for i, name in enumerate(record) if str(i) == words[0]] if words else []
        layer = next((word for word in words if word in record), by_number[0] if by_number else None)
        if layer is not None:
            found[layer] = next((word for word in words if word in KINDS), "")
    return found


def _answers(case: History, seen: Observation, expected: Observation) -> tuple[dict[str, str], dict[str, str]]:
    """Layer -> kind: what was found, and what should have been."""
    record = case.records[-1][1]
    return _found(seen["problems"], record), _found(expected["problems"], record)


def _known_kinds(case: History, seen: Observation, expected: Observation) -> set[str]:
    """Which kinds this monitor tells from a healthy gradient, whatever it calls them."""
    found, wanted = (_found(of["problems of an ill network"], case.ill) for of in (seen, expected))
    healthy = "problems of a healthy network"
    always = {} if seen.raised(healthy) or seen[healthy] is None else _found(seen[healthy], case.ill)
    if found.keys() - wanted.keys():
        return set()
    return {kind for layer, kind in wanted.items() if layer in found and layer not in always}


def _require_some_kind(case: History, seen: Observation, expected: Observation) -> set[str]:
    known = _known_kinds(case, seen, expected)
    if not known:
        raise Failed(_("detect_problems does not tell a network that is ill from a healthy one."))
    return known


def _require(holds: bool, found: dict[str, str], wanted: dict[str, str]) -> None:
    if not holds:
        got, should = (", ".join(f"{layer}: {kind}" for layer, kind in p.items()) or _("none") for p in (found, wanted))
        raise Failed(_("Problems found: {got}; expected: {wanted}.").format(got=got, wanted=should))


def _layers(problems: dict[str, str], kinds: Collection[str]) -> list[str]:
    return [layer for layer, kind in problems.items() if kind in kinds]


# --- the promises ----------------------------------------------------------------------------------------------------


@gradient_monitor.check(points=0.75, on="ill")
def test_layers(case: History, seen: Observation, expected: Observation) -> None:
    """Every layer with a vanishing or exploding gradient is reported, and no other."""
    found, wanted = _answers(case, seen, expected)
    _require(found.keys() == wanted.keys(), found, wanted)


@gradient_monitor.check(points=0.5, on="ill")
def test_kinds(case: History, seen: Observation, expected: Observation) -> None:
    """A gradient that is too small is "vanishing", one that is too large is "exploding"."""
    found, wanted = _answers(case, seen, expected)
    ill = found.keys() & wanted.keys()
    _require(bool(ill) and all(found[layer] == wanted[layer] for layer in ill), found, wanted)


@gradient_monitor.check(points=0.5, on="nonfinite")
def test_nonfinite(case: History, seen: Observation, expected: Observation) -> None:
    """NaN and infinite norms are found, and their kind is "nonfinite"; other problems are found beside them."""
    found, wanted = _answers(case, seen, expected)
    odd, called_odd = (set(_layers(problems, ["nonfinite"])) for problems in (wanted, found))
    _require(odd == called_odd, found, wanted)
    finite = _layers(wanted, _known_kinds(case, seen, expected))
    _require(not finite or not found.keys().isdisjoint(finite), found, wanted)


@gradient_monitor.check(points=0.75, on="thresholds")
def test_thresholds(case: History, seen: Observation, expected: Observation) -> None:
    """The thresholds decide: those that are passed, or 1e-7 and 1e3."""
    found, wanted = _answers(case, seen, expected)
    _require(
        found.keys() <= wanted.keys() and found.keys() >= {*_layers(wanted, _require_some_kind(case, seen, expected))},
        found,
        wanted,
    )


@gradient_monitor.check(points=0.5, on="newest")
def test_newest(case: History, seen: Observation, expected: Observation) -> None:
    """Only the newest record counts."""
    if seen["problems"] is None and not expected["problems"]:  # another promise speaks of that
        return
    found, wanted = _answers(case, seen, expected)
    _require(found.keys() <= wanted.keys() and bool(found) == bool(wanted), found, wanted)


@gradient_monitor.check(points=0.5, on=("ill", "nonfinite"))
def test_list_of_problems(case: History, seen: Observation, expected: Observation) -> None:
    """The answer is a list of `Problem`s in the order of the record, each with its layer's name, norm and epoch."""
    if seen["container"] != "list":
        raise Failed(_("detect_problems should return a list, but it is {kind}.").format(kind=seen["container"]))
    right_ones = {right["layer"]: right for right in expected["problems"]}
    layers = []
    for problem in seen["problems"][:MOST]:
        if type(problem) is not dict or problem.keys() != set(FIELDS):
            raise Failed(_("Each problem should be a Problem, but one is {kind}.").format(kind=kind_of(problem)))
        if type(problem["layer"]) is not str or problem["layer"] not in case.records[-1][1]:
            kind = kind_of(problem["layer"])
            raise Failed(_("Problem.layer should be a layer's name in the record, but it is {kind}.").format(kind=kind))
        if problem["layer"] in right_ones:
            layers.append(problem["layer"])
            for name in ("norm", "epoch"):
                value, right = number(f"Problem.{name}", problem[name]), right_ones[layers[-1]][name]
                if not same(value, right):
                    close(f"Problem.{name}", value, right)
    if layers != [layer for layer in right_ones if layer in layers] or not layers:
        raise Failed(_("The problems do not stand in the order of the record."))


@gradient_monitor.check(points=0.25, on=("ill", "newest"))
def test_healthy(case: History, seen: Observation, expected: Observation) -> None:
    """The list is empty without a record, and where no layer is ill."""
    _require_some_kind(case, seen, expected)
    for name in ("problems without a record", "problems of a healthy network"):
        if seen[name] != []:
            _require(False, _found(seen[name], case.ill), {})


@gradient_monitor.check(points=0.25, on=("ill", "nonfinite", "newest"))
def test_history_stays(case: History, seen: Observation, expected: Observation) -> None:
    """`record` adds what it is given, and asking changes nothing: the same question has the same answer."""
    _require_some_kind(case, seen, expected)
    if not _same_history(seen["recorded"], expected["recorded"]):
        raise Failed(_("After one call of record, history holds {got:.300}.").format(got=str(seen["recorded"])))
    if not same(seen["problems"], seen["problems when asked again"]):
        raise Failed(_("When asked a second time, detect_problems answers something else."))
    if not same(seen["history before"], seen["history"]):
        raise Failed(_("{name} should stay as it was, but it was changed.").format(name="history"))


def _same_history(got: Any, wanted: Any) -> bool:
    """Whether two histories have the same epochs, names and, within rounding, norms."""
    pairs = [(epoch, list(norms)) for epoch, norms in got] == [(epoch, list(norms)) for epoch, norms in wanted]
    norms = ([list(norms.values()) for _epoch, norms in history] for history in (got, wanted))
    return pairs and all(is_close("", ours, theirs) for ours, theirs in zip(*norms, strict=True))
