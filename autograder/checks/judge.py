"""Runs an exercise's checks on observations and puts the results into words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from autograder.checks.diagnosis import Fingerprint, Sketches, departures, explain, sketches_of
from autograder.checks.exercise import Check, Exercise, Failed, Observation, Stopped, StudentError
from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.checks.values import Raised
from autograder.locale import _, current_language

MOST_REASON = 3000
"""Longest reason in characters: it may quote texts that students choose. An error and its line fit in."""


@dataclass(frozen=True)
class Trial:
    """One case of `group`, with the observations of the student's implementation and of the reference.

    Attributes:
        public: whether the case is a recorded one, which every student has. Messages name hidden cases only by title.
    """

    group: str
    case: Any
    seen: Observation
    expected: Observation
    public: bool = True


@dataclass(frozen=True)
class _Finding:
    """What one check found in one trial."""

    outcome: Outcome
    message: str
    picture: tuple[str, ...] = ()
    unwritten: bool = False
    printed: str = ""
    case: Any = None


def judge(exercise: Exercise, trials: Sequence[Trial], mistakes: Sequence[Fingerprint] = ()) -> ExerciseResult:
    """The results of all checks of `exercise`, each on the `trials` of its own groups.

    Args:
        mistakes: fingerprints of known mistakes, to find causes; made from the public cases, in the order of the public
            trials.

    Raises:
        ValueError: there are no checks or no trials; without them everybody would get full marks.
    """
    if not exercise.checks:
        raise ValueError(f"nothing to judge in {exercise.id}: it has no checks")
    diagnosis = _Diagnosis([trial for trial in trials if trial.public], mistakes)
    items: dict[str, Item] = {}
    for check in exercise.checks:
        own = [trial for trial in trials if trial.group in check.on]
        if not own:
            raise ValueError(f"nothing to judge in {exercise.id}: no trial for {check.id}")
        unmet = [items[name] for name in check.needs if items[name].outcome is not Outcome.PASSED]
        items[check.id] = _judge_check(check, own, unmet, diagnosis)
    return ExerciseResult(exercise.id, tuple(items.values()))


def interrupted(exercise: Exercise, reason: str, printed: str = "") -> ExerciseResult:
    """The result of an exercise whose code ended, with or without an error, before it could be observed."""
    ending = reason.ending if isinstance(reason, Stopped) else None
    outcome = Outcome.STOPPED if ending else Outcome.RAISED
    items = (
        Item(check.id, _(check.sentence), outcome, 0.0, check.points, str(reason), printed=printed)
        for check in exercise.checks
    )
    return ExerciseResult(exercise.id, tuple(items), ending=ending)


def falls_short(check: Check, trial: Trial) -> bool:
    """Whether `check` fails on `trial`."""
    return _try(check, trial) is not None


def _judge_check(check: Check, trials: Sequence[Trial], unmet: list[Item], diagnosis: _Diagnosis) -> Item:
    findings = [finding for trial in trials if (finding := _try(check, trial)) is not None]
    failures = [f for f in findings if f.outcome in (Outcome.FAILED, Outcome.RAISED)]

    def item(outcome: Outcome, **details: Any) -> Item:
        points = check.points if outcome in (Outcome.PASSED, Outcome.GRADER_ERROR) else 0.0
        return Item(check.id, _(check.sentence), outcome, points, check.points, **details)

    missing = [finding for finding in findings if finding.outcome is Outcome.NOT_ATTEMPTED]
    if missing and not failures:
        return item(Outcome.NOT_ATTEMPTED, message=missing[0].message)
    if unmet and unmet[0].outcome is Outcome.NOT_ATTEMPTED:
        return item(Outcome.NOT_ATTEMPTED, message=unmet[0].message)
    if unmet:
        return item(Outcome.BLOCKED, message=_('First: "{sentence}"').format(sentence=unmet[0].sentence))
    if failures:
        first = failures[0]  # public cases come first
        causes = [] if first.unwritten else diagnosis.causes(check)
        words = _cause_in_words(causes)
        return item(
            first.outcome,
            message="\n".join(filter(None, [words.get("cause"), first.message, words.get("question")])),
            causes=tuple(cause.id for cause in causes),
            picture=first.picture,
            printed=first.printed,
            case=first.case,
            unwritten=first.unwritten,
            **words,
        )
    if findings:
        return item(findings[0].outcome, message=findings[0].message)
    return item(Outcome.PASSED)


class _Diagnosis:
    """Finds known mistakes that explain a failed check, from the values that it read in its public trials."""

    def __init__(self, trials: Sequence[Trial], mistakes: Sequence[Fingerprint]) -> None:
        self._trials = trials
        self._mistakes = mistakes

    def causes(self, check: Check) -> list[Fingerprint]:
        """The known mistakes that explain what `check` has just read, best first; empty if there are none."""
        if not self._mistakes:
            return []
        reads = [set(trial.seen.read) if trial.group in check.on else set() for trial in self._trials]
        return explain(reads, self._departures, self._mistakes)

    @cached_property
    def _departures(self) -> Sketches:
        seen, expected = zip(*((trial.seen, trial.expected) for trial in self._trials), strict=True)
        return departures(sketches_of(seen), sketches_of(expected))


def _cause_in_words(causes: list[Fingerprint]) -> dict[str, str]:
    if not causes:
        return {}
    likely = alternatives(cause.cause[current_language()] for cause in causes)
    return {"cause": _("Likely cause: {cause}").format(cause=likely), "question": causes[0].hint[current_language()]}


def alternatives(causes: Iterable[str]) -> str:
    """Equally good causes in one line, without duplicates."""
    return _(" Or: ").join(dict.fromkeys(causes))


def _try(check: Check, trial: Trial) -> _Finding | None:
    """What `check` finds in `trial`; None if it passes."""
    found = _find(check, trial)
    return replace(found, printed=trial.seen.printed, case=trial.case) if found and trial.public else found


def _find(check: Check, trial: Trial) -> _Finding | None:
    trial.seen.read.clear()
    try:
        check.test(trial.case, trial.seen, trial.expected)
    except StudentError as error:
        return _student_error(trial, error.raised)
    except Failed as failed:
        picture = failed.picture if trial.public else ()
        return _Finding(Outcome.FAILED, _with_case(trial, failed.reason), picture, failed.unwritten)
    except Exception:
        return _strange_observation(check, trial)
    return None


def _student_error(trial: Trial, raised: Raised) -> _Finding:
    if raised.is_a("NotDefined"):
        message = _("`{name}` is not defined: write its cell and run it.").format(name=raised.message[:60])
        return _Finding(Outcome.NOT_ATTEMPTED, message)
    if raised.is_a("NotImplementedError"):
        return _Finding(Outcome.NOT_ATTEMPTED, _("Nothing here yet."))
    message = _("Your code raised {type}: {message}").format(type=raised.type, message=raised.message or "-")
    return _Finding(Outcome.RAISED, _with_case(trial, with_line(message, raised), hide=False))


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
        return _Finding(
            Outcome.GRADER_ERROR,
            _("The checker crashed here ({error}). You lose no points; please tell your instructor.").format(
                error=type(error).__name__
            ),
        )
    return _Finding(Outcome.FAILED, _with_case(trial, _("The result has an unexpected type or shape.")))


def _with_case(trial: Trial, reason: str, hide: bool = True) -> str:
    title = _(trial.case.title)
    if len(reason) > MOST_REASON:
        reason = reason[:MOST_REASON] + " ..."
    if trial.public:
        return _("{reason}\n(case: {title})").format(reason=reason, title=title)
    hidden = _("It fails on a hidden case: {title}.").format(title=title)
    return hidden if hide else f"{reason}\n{hidden}"
