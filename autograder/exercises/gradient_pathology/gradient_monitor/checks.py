"""What the checks of `gradient_monitor` demand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograder.checks.exercise import Failed, Observation
from autograder.checks.expect import close, is_close, kind_of, number, returned, same
from autograder.exercises.gradient_pathology.gradient_monitor.probe import (
    AGAIN,
    BESIDE,
    FIELDS,
    KINDS,
    MOST,
    History,
    Norms,
    alone_in,
    gradient_monitor,
)
from autograder.exercises.gradient_pathology.gradient_monitor.words import as_shown, exchanged, fixed_thresholds
from autograder.locale import _

MOST_SHOWN = 3


def _newest(case: History) -> Norms:
    return case.records[-1][1] if case.records else {}


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


def _require(
    holds: bool, found: dict[str, str], wanted: dict[str, str], norms: Norms, words: str = "", overlooked: bool = False
) -> None:
    if not holds:
        differing = [layer for layer in wanted | found if found.get(layer) != wanted.get(layer)]
        text, nothing = _("{layer}: {got} instead of {wanted}"), _("nothing")
        parts = [
            text.format(
                layer=f"{i} ({norms[i]:.3g})" if i in norms else i,
                got=found.get(i, nothing) or _("no kind"),
                wanted=wanted.get(i, nothing),
            )
            for i in differing
        ]
        parts = parts or [_("some, but of no layer")]
        more = [_("and others")] if len(parts) > MOST_SHOWN else []
        text = _("Problems found: {parts}.").format(parts="; ".join(parts[:MOST_SHOWN] + more))
        raise Failed(text, compared=True, words=words or as_shown(found, wanted, norms), overlooked=overlooked)


def _require_some(found: Any) -> None:
    if not found:
        raise Failed(_("No layer that is vanishing or exploding is found yet."), unwritten=True)


def _says_something(answer: Any) -> bool:
    """Whether there is a problem in the answer, or a text, in whatever form: see `probe._plain`."""
    if type(answer) is not list:
        return type(answer) is str and bool(answer)
    return any(type(one) is dict and one.keys() == set(FIELDS) or _is_pair_of_type(one) for one in answer[:MOST])


def _is_pair_of_type(one: Any) -> bool:
    return type(one) is list and len(one) == 2 and type(one[0]) is str


@gradient_monitor.check(points=0.5, on="some")
def test_tells_apart(case: History, seen: Observation, expected: Observation) -> None:
    """An ill network is told apart from a healthy one."""
    notes = [note for note in ("", *alone_in(case)) if seen.raised(f"problems{note}") is None]
    if not notes:
        seen["problems"]
    answers = [seen[f"problems{note}"] for note in notes]
    if all(answer == [] for answer in answers):
        text = _("No problem is found, although three layers are ill.")
        if len(notes) > 1:
            text = _(
                "Every record gives an empty list, even where all layers are ill: does your code come to a loop over "
                "the newest record, or to a `return` first?"
            )
        raise Failed(text, unwritten=True)
    if seen[f"problems{BESIDE}"] == [] and any(map(_says_something, answers)):
        return
    healthy, found = _found(seen, BESIDE), [_found(seen, note) for note in notes]
    record = _newest(case)
    if not any(kind != healthy.get(i) for kinds in found for i, kind in kinds.items() if i in record):
        for answer in answers:
            returned("detect_problems", answer, "return problems")
        _require_problems(answers[0])
        _require(False, found[0], expected[f"kinds{notes[0]}"], ({"": record} | alone_in(case))[notes[0]])


@gradient_monitor.check(points=0.5, on="ill", needs=("tells_apart",))
def test_layers(case: History, seen: Observation, expected: Observation) -> None:
    """Every layer with a vanishing or exploding gradient is reported, and no other."""
    found, wanted = _answers(seen, expected)
    forgotten = {kind for layer, kind in wanted.items() if layer not in found}
    if found.keys() == {layer for layer, kind in wanted.items() if kind not in forgotten}:
        for (note, norms), kind in zip(alone_in(case).items(), KINDS, strict=False):
            if kind in forgotten:
                text = _("No layer that is {kind} is found: is there a branch for it, and is its condition ever true?")
                if norms.keys() == _found(seen, note).keys():
                    text = _(
                        "Layers that are {kind} are found where all are, but not among others: does one of these end "
                        "the loop, or empty the list?"
                    )
                raise Failed(text.format(kind=kind), unwritten=True)
    _require(found.keys() == wanted.keys(), found, wanted, _newest(case))


@gradient_monitor.check(points=0.5, on="ill", needs=("tells_apart",))
def test_kinds(case: History, seen: Observation, expected: Observation) -> None:
    """A gradient that is too small is "vanishing", one that is too large is "exploding"."""
    records = {"": _newest(case)} | alone_in(case)
    answers = [_answers(seen, expected, note) for note in records]
    _require_some([layer for found, wanted in answers for layer in found.keys() & wanted.keys()])
    for (found, wanted), norms in zip(answers, records.values(), strict=True):
        right = all(found[layer] == wanted[layer] for layer in found.keys() & wanted.keys())
        _require(right, found, wanted, norms, exchanged(found, wanted))


@gradient_monitor.check(points=0.5, on="nonfinite", needs=("tells_apart",))
def test_nonfinite(case: History, seen: Observation, expected: Observation) -> None:
    """NaN and infinite norms are found, and their kind is "nonfinite"; other problems are found beside them."""
    found, wanted = _answers(seen, expected)
    odd, called_odd = ({i for i, kind in of.items() if kind == "nonfinite"} for of in (wanted, found))
    right = odd == called_odd and _found(seen, BESIDE).keys() <= found.keys()
    words = exchanged(found, {layer: kind for layer, kind in wanted.items() if layer in odd})
    _require(right, found, wanted, _newest(case), words, overlooked=bool(odd - called_odd))


@gradient_monitor.check(points=0.5, on="thresholds", needs=("tells_apart",))
def test_thresholds(case: History, seen: Observation, expected: Observation) -> None:
    """The thresholds decide: those that are passed, or 1e-7 and 1e3."""
    found, wanted = _answers(seen, expected)
    beside = _found(seen, BESIDE)  # far from the thresholds: what is not found or called otherwise there costs there
    known = {layer: beside[layer] for layer in wanted if layer in beside}
    _require_some(known)
    right = known.keys() <= found.keys() <= wanted.keys() and all(found[layer] == known[layer] for layer in known)
    as_beside = {layer: kind for layer, kind in known.items() if found.get(layer) == kind}
    _require(right, found, wanted | as_beside, _newest(case), fixed_thresholds(found, case, _newest(case)))


@gradient_monitor.check(points=0.5, on="newest", needs=("tells_apart",))
def test_newest(case: History, seen: Observation, expected: Observation) -> None:
    """Only the newest record counts."""
    found, alone = _found(seen), _found(seen, BESIDE)
    words = _("The newest record alone has another answer: does your code also look at the records before it?")
    _require(found == alone, found, alone, {}, words)  # without norms: those of another record are the student's
    _require_some(alone or seen[f"problems{BESIDE}"] or not expected["problems"])
    *earlier, newest = (epoch for epoch, _norms in case.records)
    for problem in (seen["problems"] or ())[:MOST]:
        if type(problem) is dict and problem.get("epoch") in earlier:  # another one is no epoch at all
            close("Problem.epoch", problem["epoch"], newest)


@gradient_monitor.check(points=0.5, on="ill", needs=("tells_apart",))
def test_list_of_problems(case: History, seen: Observation, expected: Observation) -> None:
    """The answer is a list of `Problem`s in the order of the record, each with its layer's name, norm and epoch."""
    records = {"": _newest(case)} | alone_in(case)
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
        _require(False, _found(seen), {}, _newest(case))


@gradient_monitor.check(points=0.25, on=("ill", "nonfinite", "newest"), needs=("tells_apart",))
def test_history_stays(case: History, seen: Observation, expected: Observation) -> None:
    """`record` adds what it is given, and asking changes nothing: the same question has the same answer."""
    is_recorded = case.beside and case.beside == _newest(case)  # so that the case's title fits
    if is_recorded and not _same_history(seen["recorded"], expected["recorded"]):
        _require_same_record(seen["recorded"], expected["recorded"])
        raise Failed(_("After one call of record, history holds {got:.300}.").format(got=str(seen["recorded"])))
    if not same(seen["problems"], seen[f"problems{AGAIN}"]):
        raise Failed(_("Called a second time, detect_problems gives another answer."))
    if not same(seen["history before"], seen["history"]):
        raise Failed(_("{name} should stay as it was, but it was changed.").format(name="history"))


def _require_same_record(got: Any, wanted: Any) -> None:
    """What was recorded has the right names and norms, if it is one epoch with its norms, as it should be."""
    if not (type(got) is list and len(got) == 1 and type(got[0]) in (tuple, list) and len(got[0]) == 2):
        return
    norms, right = got[0][1], wanted[0][1]
    if type(norms) is not dict or not all(type(name) is str for name in norms):
        return
    if list(norms) != list(right):
        text = _("record keeps the names {got}; right are {wanted}.")
        raise Failed(text.format(got=_begin(norms), wanted=_begin(right)))
    for name, norm in right.items():
        about = _("The norm of {name} in the record").format(name=name)
        close(about, number(about, norms[name]), norm)


def _begin(names: Iterable[str]) -> str:
    """The first names of a list."""
    shown = list(names)
    return ", ".join(shown[:MOST_SHOWN]) + ", ..." * (len(shown) > MOST_SHOWN)


def _same_history(got: Any, wanted: Any) -> bool:
    """Whether two histories have the same epochs, names and, within rounding, norms."""
    pairs = [(epoch, list(norms)) for epoch, norms in got] == [(epoch, list(norms)) for epoch, norms in wanted]
    norms = ([list(norms.values()) for _epoch, norms in history] for history in (got, wanted))
    return pairs and all(is_close(ours, theirs) for ours, theirs in zip(*norms, strict=True))
