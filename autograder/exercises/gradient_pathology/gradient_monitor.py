"""GradientMonitor.detect_problems: name the layers whose gradients are ill, and the illness.

A promise asks for one thing and no more, and leaves out what the monitor never finds. So problems are read however they
are written, and an answer is compared with that of the same monitor for another record wherever that says enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from autograder.checks.exercise import Exercise, Failed, Implementation, Observation, attempt
from autograder.checks.expect import close, in_words, is_close, kind_of, number, returned, same
from autograder.checks.values import simplify
from autograder.layers import Linear, ReLU
from autograder.locale import _

FIELDS = ("layer", "kind", "norm", "epoch")
KINDS = ("vanishing", "exploding", "nonfinite")
MOST = 1000  # problems of an answer that are looked at
MOST_SHOWN = 3
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

    return [case("three layers are ill, each in its way"), case("three other layers are ill, each in its way")]


def draw_ill(rng: np.random.Generator) -> list[History]:
    """Vanishing and exploding gradients by turns, at both ends of the network, before its tenth layer, and after."""

    def by_turns(n: int) -> Norms:
        places = sorted([0, *rng.choice(range(2, 10), n - 3, replace=False), 10, 11])
        start = rng.integers(2)
        vanishing = iter([0.0, *(tiny(rng) for _place in places)])  # a dead layer has a norm of 0
        values = [next(vanishing) if (i + start) % 2 else huge(rng) for i in range(n)]
        return norms(rng, *zip(places, values, strict=True))

    titles = {"five layers are ill, one of them dead": 5, "six layers are ill": 6}
    return [History(title, [(epoch(rng), by_turns(n))], alone=all_ill(rng)) for title, n in titles.items()]


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
        History("a second training, well after an ill one", [*first, (n, well)], well),
        History("a second training, otherwise ill than the first", [*first, (n, ill)], ill),
        History("a network that has become ill", [(n, well), (n + 1, ill)], ill),
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


def _alone(case: History) -> dict[str, Norms]:
    return {f" of network {i}, all ill": norms for i, norms in enumerate(case.alone)}


def _others(case: History) -> dict[str, Norms]:
    """The records of other monitors, by what is added to the names of their answers."""
    return ({BESIDE: case.beside} if case.beside else {}) | _alone(case)


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


NO_KIND = ""


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
)


def _found(seen: Observation, note: str = "") -> dict[str, str]:
    """Layer -> kind of all problems."""
    if f"kinds{note}" in seen.values:
        return seen[f"kinds{note}"]
    answer = seen[f"problems{note}"]
    if answer is not None:
        raise Failed(_("detect_problems returned {kind}; a list is asked for.").format(kind=kind_of(answer)))
    return {}


def _require_problems(answer: Any) -> None:
    """What is in the answer are problems."""
    for problem in answer[:MOST]:
        if type(problem) is not dict or problem.keys() != set(FIELDS):
            text = _("{value} is not a Problem; its type is {type}.")
            raise Failed(text.format(value=repr(problem[1])[:60], type=problem[0]))


def _answers(seen: Observation, expected: Observation, note: str = "") -> tuple[dict[str, str], dict[str, str]]:
    """Layer -> kind: what was found, and what should have been."""
    found = _found(seen, note)
    if not found:
        returned("detect_problems", seen[f"problems{note}"], "return problems")
        _require_problems(seen[f"problems{note}"])
    return found, expected[f"kinds{note}"]


def _require(holds: bool, found: dict[str, str], wanted: dict[str, str]) -> None:
    if not holds:
        differing = [layer for layer in wanted | found if found.get(layer) != wanted.get(layer)]
        text, nothing = _("{layer}: {got} instead of {wanted}"), _("nothing")
        parts = [
            text.format(layer=i, got=found.get(i, nothing) or _("no kind"), wanted=wanted.get(i, nothing))
            for i in differing
        ]
        parts = parts or [_("some, but of no layer")]
        more = [_("and others")] if len(parts) > MOST_SHOWN else []
        raise Failed(_("Problems found: {parts}.").format(parts="; ".join(parts[:MOST_SHOWN] + more)))


def _require_some(found: Any) -> None:
    if not found:
        raise Failed(_("No layer that is vanishing or exploding is found yet."), unwritten=True)


@gradient_monitor.check(points=0.5, on="some")
def test_tells_apart(case: History, seen: Observation, expected: Observation) -> None:
    """An ill network is told apart from a healthy one."""
    notes = [note for note in ("", *_alone(case)) if seen.raised(f"problems{note}") is None]
    if not notes:
        seen["problems"]
    answers = [seen[f"problems{note}"] for note in notes]
    if all(answer == [] for answer in answers):
        raise Failed(_("No problem is found, although three layers are ill."), unwritten=True)
    if seen[f"problems{BESIDE}"] == [] and any(answers):
        return
    healthy, found = _found(seen, BESIDE), [_found(seen, note) for note in notes]
    if not any(kind != healthy.get(layer) for kinds in found for layer, kind in kinds.items()):
        for answer in answers:
            returned("detect_problems", answer, "return problems")
        _require_problems(answers[0])
        _require(False, found[0], expected[f"kinds{notes[0]}"])


@gradient_monitor.check(points=0.5, on="ill", needs=("tells_apart",))
def test_layers(case: History, seen: Observation, expected: Observation) -> None:
    """Every layer with a vanishing or exploding gradient is reported, and no other."""
    found, wanted = _answers(seen, expected)
    forgotten = {kind for layer, kind in wanted.items() if layer not in found}
    if found.keys() == {layer for layer, kind in wanted.items() if kind not in forgotten}:
        for (note, norms), kind in zip(_alone(case).items(), KINDS, strict=False):
            if kind in forgotten:
                text = _("No layer that is {kind} is found: is there a branch for it, and is its condition ever true?")
                if norms.keys() == _found(seen, note).keys():
                    text = _(
                        "Layers that are {kind} are found where all are, but not among others: does one of these end "
                        "the loop, or empty the list?"
                    )
                raise Failed(text.format(kind=kind), unwritten=True)
    _require(found.keys() == wanted.keys(), found, wanted)


@gradient_monitor.check(points=0.5, on="ill", needs=("tells_apart",))
def test_kinds(case: History, seen: Observation, expected: Observation) -> None:
    """A gradient that is too small is "vanishing", one that is too large is "exploding"."""
    answers = [_answers(seen, expected, note) for note in ("", *_alone(case))]
    _require_some([layer for found, wanted in answers for layer in found.keys() & wanted.keys()])
    for found, wanted in answers:
        in_words(
            partial(_exchanged, found, wanted),
            _require,
            all(found[layer] == wanted[layer] for layer in found.keys() & wanted.keys()),
            found,
            wanted,
        )


def _exchanged(found: dict[str, str], wanted: dict[str, str]) -> str:
    """Which kinds are all called by another name."""
    called = {kind: {found[layer] for layer in found if wanted.get(layer) == kind} for kind in KINDS}
    text = _("What is {kind} is called {name}.")
    others = {kind: names.pop() for kind, names in called.items() if len(names) == 1}
    return " ".join(text.format(kind=kind, name=name or _("no kind")) for kind, name in others.items() if name != kind)


@gradient_monitor.check(points=0.5, on="nonfinite", needs=("tells_apart",))
def test_nonfinite(case: History, seen: Observation, expected: Observation) -> None:
    """NaN and infinite norms are found, and their kind is "nonfinite"; other problems are found beside them."""
    found, wanted = _answers(seen, expected)
    odd, called_odd = ({i for i, kind in of.items() if kind == "nonfinite"} for of in (wanted, found))
    right = odd == called_odd and _found(seen, BESIDE).keys() <= found.keys()
    in_words(
        partial(_exchanged, found, {i: kind for i, kind in wanted.items() if i in odd}), _require, right, found, wanted
    )


@gradient_monitor.check(points=0.5, on="thresholds", needs=("tells_apart",))
def test_thresholds(case: History, seen: Observation, expected: Observation) -> None:
    """The thresholds decide: those that are passed, or 1e-7 and 1e3."""
    found, wanted = _answers(seen, expected)
    beside = _found(
        seen, BESIDE
    )  # far from the thresholds: what is not found or called otherwise there is charged there
    known = {layer: beside[layer] for layer in wanted if layer in beside}
    _require_some(known)
    right = known.keys() <= found.keys() <= wanted.keys() and all(found[layer] == known[layer] for layer in known)
    _require(right, found, wanted | known)


@gradient_monitor.check(points=0.5, on="newest", needs=("tells_apart",))
def test_newest(case: History, seen: Observation, expected: Observation) -> None:
    """Only the newest record counts."""
    found, alone = _found(seen), _found(seen, BESIDE)
    _require(found == alone, found, alone)
    _require_some(alone or seen[f"problems{BESIDE}"] or not expected["problems"])
    *earlier, newest = (epoch for epoch, _norms in case.records)
    for problem in (seen["problems"] or ())[:MOST]:
        if type(problem) is dict and problem.get("epoch") in earlier:  # another one is no epoch at all
            close("Problem.epoch", problem["epoch"], newest)


@gradient_monitor.check(points=0.5, on="ill", needs=("tells_apart",))
def test_list_of_problems(case: History, seen: Observation, expected: Observation) -> None:
    """The answer is a list of `Problem`s in the order of the record, each with its layer's name, norm and epoch."""
    records = {"": case.records[-1][1]} | _alone(case)
    _require_some([problem for note in records for problem in seen[f"problems{note}"] or ()])
    for note, record in records.items():
        if seen[f"container{note}"] != "list":
            text = _("detect_problems returned {kind}; a list is asked for.")
            raise Failed(text.format(kind=seen[f"container{note}"]))
        _require_problems(seen[f"problems{note}"])
        _require_fields(seen[f"problems{note}"][:MOST], expected[f"problems{note}"], record)


def _require_fields(problems: list[dict[str, Any]], right: list[dict[str, Any]], record: Norms) -> None:
    """Every problem has the layer, norm and epoch of a right one, and they come in its order."""
    right_ones = {problem["layer"]: problem for problem in right}
    layers = []
    for problem in problems:
        if type(problem["layer"]) is not str or problem["layer"] not in record:
            text = _("Problem.layer is {value}, and no layer has that name. Fields: Problem(layer, kind, norm, epoch).")
            raise Failed(text.format(value=kind_of(problem["layer"])))
        if problem["layer"] in right_ones:
            layers.append(problem["layer"])
            for name in ("norm", "epoch"):
                value, wanted = number(f"Problem.{name}", problem[name]), right_ones[layers[-1]][name]
                if not same(value, wanted):
                    close(f"Problem.{name}", value, wanted)
    order = [layer for layer in right_ones if layer in layers]
    if layers != order:
        text = _("The order is {got}; in the record it is {wanted}.")
        raise Failed(text.format(got=", ".join(layers), wanted=", ".join(order)))


@gradient_monitor.check(points=0.25, on="healthy", needs=("tells_apart",))
def test_healthy(case: History, seen: Observation, expected: Observation) -> None:
    """The list is empty without a record, and where no layer is ill."""
    if seen["problems"] is None:
        raise Failed(_("detect_problems returned None; an empty list is asked for."))
    if seen["problems"] != []:
        _require_problems(seen["problems"])
        _require(False, _found(seen), {})


@gradient_monitor.check(points=0.25, on=("ill", "nonfinite", "newest"), needs=("tells_apart",))
def test_history_stays(case: History, seen: Observation, expected: Observation) -> None:
    """`record` adds what it is given, and asking changes nothing: the same question has the same answer."""
    if case.beside and not _same_history(seen["recorded"], expected["recorded"]):
        raise Failed(_("After one call of record, history holds {got:.300}.").format(got=str(seen["recorded"])))
    if not same(seen["problems"], seen[f"problems{AGAIN}"]):
        raise Failed(_("When asked a second time, detect_problems answers something else."))
    if not same(seen["history before"], seen["history"]):
        raise Failed(_("{name} should stay as it was, but it was changed.").format(name="history"))


def _same_history(got: Any, wanted: Any) -> bool:
    """Whether two histories have the same epochs, names and, within rounding, norms."""
    pairs = [(epoch, list(norms)) for epoch, norms in got] == [(epoch, list(norms)) for epoch, norms in wanted]
    norms = ([list(norms.values()) for _epoch, norms in history] for history in (got, wanted))
    return pairs and all(is_close(ours, theirs) for ours, theirs in zip(*norms, strict=True))
