"""Runs an exercise's checks on observations and puts the results into words."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any

import numpy as np

from autograder.checks.diagnosis import Diagnosis, Explanation, Fingerprints
from autograder.checks.exercise import Check, Exercise, Failed, Observation, Stopped, StudentError
from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.checks.sketches import (
    Sketch,
    Sketches,
    alike,
    departures,
    digest_of,
    holds_numbers,
    inputs_in,
    sketches_of,
)
from autograder.checks.unreached import RENAMED, RUNS, Unreached, nowhere, overlooking
from autograder.checks.values import Raised
from autograder.locale import _, current_language

FAILURES = (Outcome.FAILED, Outcome.RAISED)

BATCHES = ("x", "X", "dout")
"""What batches are called in cases: arrays with a row for each example."""

MOST_REASON = 3000
"""Longest reason in characters: it may quote texts that students choose. An error and its line fit in."""


@dataclass(frozen=True)
class Trial:
    """One case of `group`, with the observations of the student's implementation and of the reference.

    Attributes:
        public: whether the case is a recorded one, which every student has. Messages name hidden cases only by title.
        found: by a check's test, what it found; None if it passed.
    """

    group: str
    case: Any
    seen: Observation
    expected: Observation
    public: bool = True
    found: dict[Callable[..., None], _Finding | None] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class _Finding:
    """What one check found in one trial, in which it did not pass.

    Attributes:
        item: its result, if this trial decides.
        read: the names of the values that it read.
    """

    trial: Trial
    item: Item
    read: frozenset[str] = frozenset()

    @property
    def fails(self) -> bool:
        return self.item.outcome in FAILURES


@np.errstate(all="ignore")  # what students compute may be NaN or infinite, and so may what is told of it
def judge(
    exercise: Exercise, trials: Sequence[Trial], mistakes: Callable[[], Fingerprints] = Fingerprints
) -> ExerciseResult:
    """The results of all checks of `exercise`, each on the `trials` of its own groups.

    Args:
        mistakes: returns the fingerprints of known mistakes, made from the public cases, in the order of the public
            trials. It is called only if a check fails.

    Raises:
        ValueError: there are no checks or no trials; without them everybody would get full marks.
    """
    if not exercise.checks:
        raise ValueError(f"nothing to judge in {exercise.id}: it has no checks")
    tried = {check.id: _try_all(exercise, check, trials) for check in exercise.checks}
    items: dict[str, Item] = {}
    for check in exercise.checks:
        unmet = [items[name] for name in check.needs if items[name].outcome is not Outcome.PASSED]
        items[check.id] = _judge_check(check, tried[check.id], unmet)
    public = [trial for trial in trials if trial.public]
    if public and any(item.outcome in FAILURES for item in items.values()):
        known = mistakes()
        expected = [_once(trial, "sketches", lambda trial: sketches_of([trial.expected])[0]) for trial in public]
        departed = departures(sketches_of((trial.seen for trial in public), expected), expected, known.noise)
        _tell_causes(exercise, items, tried, public, known, departed, expected)
        _tell_unreached(items, tried, public, departed)
    return ExerciseResult(exercise.id, tuple(items.values()))


def interrupted(exercise: Exercise, reason: str, printed: str = "") -> ExerciseResult:
    """The result of an exercise whose code ended, with or without an error, before it could be observed."""
    ending = reason.ending if isinstance(reason, Stopped) else None
    outcome = Outcome.STOPPED if ending else Outcome.RAISED
    items = [_item(check, outcome, seen=str(reason), printed=printed) for check in exercise.checks]
    return ExerciseResult(exercise.id, tuple(items), ending=ending)


def falls_short(check: Check, trial: Trial) -> bool:
    """Whether `check` fails on `trial`."""
    return _find(check, trial) is not None


def all_pass(exercise: Exercise, trials: Sequence[Trial]) -> bool:
    """Whether every check passes on all its trials."""
    return not any(
        falls_short(check, trial) for check in exercise.checks for trial in trials if trial.group in check.on
    )


def _try_all(exercise: Exercise, check: Check, trials: Sequence[Trial]) -> list[_Finding]:
    """What `check` finds in the trials of its own groups, where it does not pass.

    Where a public one that comes before says what is wrong, hidden ones are not asked.
    """
    own = [trial for trial in trials if trial.group in check.on]
    if not own:
        raise ValueError(f"nothing to judge in {exercise.id}: no trial for {check.id}")
    findings: list[_Finding] = []
    for trial in own:
        told = any(finding.fails and finding.trial.public for finding in findings)
        if (trial.public or not told) and (finding := _find(check, trial)) is not None:
            findings.append(finding)
    return findings


def _item(check: Check, outcome: Outcome, **details: Any) -> Item:
    points = check.points if outcome in (Outcome.PASSED, Outcome.GRADER_ERROR) else 0.0
    return Item(check.id, _(check.sentence), outcome, points, check.points, **details)


def _judge_check(check: Check, findings: list[_Finding], unmet: list[Item]) -> Item:
    failures = [finding.item for finding in findings if finding.fails]
    missing = [finding.item for finding in findings if finding.item.outcome is Outcome.NOT_ATTEMPTED]
    if missing and not failures:
        return missing[0]
    if unmet and unmet[0].outcome is Outcome.NOT_ATTEMPTED:
        return _item(check, Outcome.NOT_ATTEMPTED, seen=unmet[0].message)
    if unmet:
        return _item(check, Outcome.BLOCKED, seen=_('First: "{sentence}"').format(sentence=unmet[0].sentence))
    if failures:
        return failures[0]  # public cases come first
    return findings[0].item if findings else _item(check, Outcome.PASSED)


def _tell_causes(
    exercise: Exercise,
    items: dict[str, Item],
    tried: dict[str, list[_Finding]],
    public: list[Trial],
    known: Fingerprints,
    departed: Sketches,
    expected: Sketches,
) -> None:
    """Add causes to the failed `items`: the known mistakes that explain what was seen in the public trials.

    Where there are none, the items share a digest of what was seen, so that equal mistakes are found in a class.
    """
    passed = [name for name, item in items.items() if item.outcome is Outcome.PASSED]
    inputs = [_inputs(trial) for trial in public]
    diagnosis = Diagnosis(known, departed, passed, inputs, digest_of(exercise.id, departed, expected))
    checks = {check.id: check for check in exercise.checks}
    numbers = {id(trial): number for number, trial in enumerate(public)}
    unexplained: dict[str, set[tuple[int, str]]] = {}
    for name, item in items.items():
        failures = [finding for finding in tried[name] if finding.fails]
        if item.outcome not in FAILURES or item.unwritten:
            continue
        reads = [(numbers[id(f.trial)], f.read) for f in failures if id(f.trial) in numbers]
        own = [(number, trial) for number, trial in enumerate(public) if trial.group in checks[name].on]
        asked = [(number, _asked(checks[name], trial)[0]) for number, trial in own]
        explanation = diagnosis.explain(name, reads, asked)
        if explanation:  # in place of what the numbers show: nothing is told twice, and in two ways
            items[name] = explained(item, explanation)
        else:
            unexplained[name] = {(number, key) for number, keys in (*reads, *asked) for key in keys}
    digest = digest_of(exercise.id, departed, expected, set().union(*unexplained.values()))
    items |= {name: replace(items[name], behaviour=digest) for name in unexplained}


def _tell_unreached(
    items: dict[str, Item], tried: dict[str, list[_Finding]], public: Sequence[Trial], departed: Sketches
) -> None:
    """Tell the first failed item which line of the code does not run in its case, and where NaN, say, is overlooked."""
    told: set[Unreached] = set()
    failed = [item for item in items.values() if item.outcome is Outcome.FAILED]
    for item in failed:
        own = [finding.trial for finding in tried[item.id] if finding.fails and finding.trial.public]
        line = overlooking(own[0].seen.unreached) if own and item.overlooked else None
        if own and item is failed[0] and not line:
            line = _unreached(item, own, public, departed)
            if item.cause and line and line.why not in RUNS:
                line = None  # it may be a branch for other inputs
        if line and line not in told:
            told.add(line)
            words = items[item.id].words
            if item.unwritten and line.why == RENAMED:  # the line says which of the guesses is right
                for other in [other for other in items.values() if words and other.words == words]:
                    items[other.id] = replace(other, words="")
                words = ""
            parts = (line.told, words) if item.unwritten else (words, line.told)  # what numbers show says more
            items[item.id] = replace(item, words=" ".join(filter(None, parts)), unreached=line, compared=False)


def _unreached(item: Item, own: list[Trial], public: Sequence[Trial], departed: Sketches) -> Unreached | None:
    """The line that does not run in the first of the `item`'s own trials.

    What runs in another case is left out, as a branch for other inputs. Where nothing was done to an array, only what
    runs in a case in which everything is right is left out.
    """
    here = next(here for trial, here in zip(public, departed, strict=True) if trial is own[0])
    arrays = [value for value in here.values() if holds_numbers(value) and value[1]]
    undone = item.unwritten and any(alike(value, given) for value in arrays for given in _inputs(own[0]))
    others = [trial for trial, here in zip(public, departed, strict=True) if not (undone and here)]
    return nowhere(own[0].seen.unreached, (trial.seen.unreached for trial in (*own, *others)))


def _asked(check: Check, trial: Trial) -> tuple[frozenset[str], bool]:
    """What `check` reads in a trial where everything is right, and whether it passes."""

    def ask(trial: Trial) -> tuple[frozenset[str], bool]:
        expected, passes = trial.expected, False
        expected.read.clear()
        with contextlib.suppress(Exception):  # the checker crashes: what it says of that is said already
            check.test(trial.case, expected, expected)
            passes = True
        return frozenset(expected.read), passes

    return _once(trial, check.test, ask)


def _inputs(trial: Trial) -> list[Sketch]:
    return _once(trial, "inputs", lambda trial: inputs_in(trial.case))


def _once(trial: Trial, key: Any, work: Callable[[Trial], Any]) -> Any:
    """What `work` finds of the reference in a trial, which is the same for everybody."""
    known = trial.expected.worked_out
    if key not in known:
        known[key] = work(trial)
    return known[key]


def explained(item: Item, why: Explanation) -> Item:
    """`item` with its causes and a question around what was seen, in place of words that tell less."""
    causes, between = why.causes, _(" And: ") if why.all_apply else _(" Or: ")
    likely = between.join(dict.fromkeys(cause.cause[current_language()] for cause in causes))
    cause, question = _("Likely cause: {cause}").format(cause=likely), causes[0].hint[current_language()]
    return replace(
        item, words="", unreached=None, causes=tuple(cause.id for cause in causes), cause=cause, question=question
    )


def _find(check: Check, trial: Trial) -> _Finding | None:
    """What `check` finds in `trial`, looked at once.

    A check is a function of the case and of what it reads: where that is the reference's own, byte for byte, it passes.
    """
    if check.test not in trial.found:
        trial.found[check.test] = None if _is_as_right(check, trial) else _try(check, trial)
    return trial.found[check.test]


def _is_as_right(check: Check, trial: Trial) -> bool:
    if not trial.seen.same:
        return False
    asked, passes = _asked(check, trial)
    return passes and asked <= trial.seen.same


def _try(check: Check, trial: Trial) -> _Finding | None:
    """What `check` finds in `trial`; None if it passes."""
    trial.seen.read.clear()
    try:
        check.test(trial.case, trial.seen, trial.expected)
        return None
    except StudentError as error:
        finding = _student_error(check, trial, error)
    except Failed as failed:
        words, picture = (failed.words, failed.picture) if trial.public else ("", ())
        about: dict[str, Any] = {"picture": picture, "unwritten": failed.unwritten, "overlooked": failed.overlooked}
        about["compared"] = failed.compared and not words
        finding = _failure(check, trial, Outcome.FAILED, _with_case(trial, failed.reason), words, **about)
    except Exception:
        finding = _strange_observation(check, trial)
    return replace(finding, read=frozenset(trial.seen.read))


def _failure(check: Check, trial: Trial, outcome: Outcome, seen: str, words: str = "", **about: Any) -> _Finding:
    """A failure in `trial`; `words` tell how it came about."""
    if trial.public:
        about |= {"printed": trial.seen.printed, "case": trial.case}
    return _Finding(trial, _item(check, outcome, seen=seen, words=words, **about))


def _student_error(check: Check, trial: Trial, error: StudentError) -> _Finding:
    raised = error.raised
    if raised.is_a("NotDefined", "NotImplementedError"):
        seen = _("Nothing here yet.")
        if raised.is_a("NotDefined"):
            seen = _("`{name}` is not defined: write its cell and run it.").format(name=raised.message[:60])
        return _Finding(trial, _item(check, Outcome.NOT_ATTEMPTED, seen=seen))
    message = _("Your code raised {type}: {message}").format(type=raised.type, message=raised.message or "-")
    about: dict[str, Any] = {"raised": raised}
    if error.words:
        pass  # these tell more
    elif word := raised.on_purpose:
        about["cause"] = _("Your own `{word}` stops an input that is allowed.").format(word=word)
        about["question"] = _("For which inputs should that line run?")
    elif _is_by_row(raised.message, trial.case):
        about["cause"] = _("One of the arrays has one number for each row, but every column needs a number of its own.")
        about["question"] = _("Which axis runs over the rows of the batch?")
    seen = _with_case(trial, with_line(message, raised), hide=False)
    return _failure(check, trial, Outcome.RAISED, seen, error.words, **about)


def _is_by_row(message: str, case: Any) -> bool:
    """Whether arrays do not fit since one of them has a number for each row of a batch, not for each column."""
    shapes = re.search(r"operands could not be broadcast together with shapes ((\(\d+(,\d*)*\) ?){2})", message)
    found = {tuple(map(int, re.findall(r"\d+", shape))) for shape in shapes[1].split()} if shapes else set()
    batches = {array.shape for name, array in _arrays(case) if name in BATCHES and array.ndim == 2}
    widths = {d for _n, d in batches}
    batches |= {shape for shape in found if len(shape) == 2 and shape[1] in widths}
    rows = {shape for shape in found if len(shape) == 1 and any(shape == (n,) and n != d for n, d in batches)}
    columns = {shape[-1:] for shape in found - rows}
    return len(rows) == 1 and any((*row, *column) in batches for row in rows for column in columns)


def _arrays(value: Any, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """All arrays in a case, however deep, each with the name that it has there."""
    if isinstance(value, np.ndarray):
        yield name, value
    named = vars(value) if is_dataclass(value) else value if isinstance(value, dict) else {}
    unnamed = value if isinstance(value, (list, tuple)) else ()
    for inner, part in (*named.items(), *((name, part) for part in unnamed)):
        yield from _arrays(part, inner)


def with_line(message: str, raised: Raised) -> str:
    """`message` and, if known, the student's line that `raised` came from."""
    if not raised.source:
        return message
    return message + "\n" + _("in line {line} of the cell: {source}").format(line=raised.line, source=raised.source)


def _strange_observation(check: Check, trial: Trial) -> _Finding:
    """The finding for a check that crashed: on odd data, or by a bug if it crashes on the reference's data, too."""
    try:
        check.test(trial.case, trial.expected, trial.expected)
    except Exception as error:
        text = _("The checker crashed here ({error}). You lose no points; please tell your instructor.")
        seen = text.format(error=type(error).__name__)
        return _Finding(trial, _item(check, Outcome.GRADER_ERROR, seen=seen))
    seen = _with_case(trial, _("The result has an unexpected type or shape."))
    return _failure(check, trial, Outcome.FAILED, seen)


def _with_case(trial: Trial, reason: str, hide: bool = True) -> str:
    title = _(trial.case.title)
    if len(reason) > MOST_REASON:
        reason = reason[:MOST_REASON] + " ..."
    if trial.public:
        return _("{reason}\n(case: {title})").format(reason=reason, title=title)
    hidden = _("It fails on a hidden case: {title}.").format(title=title)
    return hidden if hide else f"{reason}\n{hidden}"
