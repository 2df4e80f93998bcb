"""The words and marks that all renderers share."""

from __future__ import annotations

from dataclasses import replace

from autograder.checks.numeric import SHADES
from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.exercises import UnknownExercise, exercise
from autograder.locale import _

MARKS = {
    Outcome.PASSED: "✓",
    Outcome.FAILED: "✗",
    Outcome.RAISED: "✗",
    Outcome.STOPPED: "✗",
    Outcome.NOT_ATTEMPTED: "·",
    Outcome.BLOCKED: "–",
    Outcome.GRADER_ERROR: "?",
}


def outcome_word(outcome: Outcome) -> str:
    """The outcome in the student's language."""
    return {
        Outcome.PASSED: _("passed"),
        Outcome.FAILED: _("failed"),
        Outcome.RAISED: _("raised an error"),
        Outcome.STOPPED: _("stopped"),
        Outcome.NOT_ATTEMPTED: _("not attempted"),
        Outcome.BLOCKED: _("waits for another check"),
        Outcome.GRADER_ERROR: _("error in the checker"),
    }[outcome]


def title(result: ExerciseResult) -> str:
    """The exercise's title in the student's language; "" if it has none."""
    try:
        name = exercise(result.id).title
    except UnknownExercise:
        return ""
    return _(name) if name else ""


def points(score: float, maximum: float) -> str:
    """ "3.5 / 4"."""
    return f"{score:.6g} / {maximum:.6g}"


def standing(result: ExerciseResult) -> str:
    """The state of the exercise, in a few words."""
    if result.full:
        return _("everything passed")
    if all(item.outcome is Outcome.NOT_ATTEMPTED for item in result.items):
        return _("nothing written yet")
    passed = sum(item.outcome is Outcome.PASSED for item in result.items)
    return _("{passed} of {n} checks passed").format(passed=passed, n=len(result.items))


def headline(result: ExerciseResult) -> str:
    """One line with the state of the exercise."""
    return _("{exercise}: {points} points, {standing}").format(
        exercise=result.id, points=points(result.score, result.max), standing=standing(result)
    )


def shared_message(result: ExerciseResult) -> str:
    """The message that all items share (a stub, a crash), to be shown once; "" if they differ."""
    messages = {item.message for item in result.items}
    return messages.pop() if len(messages) == 1 and len(result.items) > 1 else ""


def without_repeats(result: ExerciseResult) -> list[Item]:
    """The items, without long repetitions of an earlier error or cause."""
    said: set[str] = set()

    def shortened(item: Item) -> Item:
        if item.outcome not in (Outcome.FAILED, Outcome.RAISED):
            return item
        again = bool(item.seen) and item.seen in said
        seen = _("Same as above.") if again else item.seen
        cause, question = ("", "") if item.cause in said else (item.cause, item.question)
        said.update((item.seen, item.cause))
        message = "\n".join(text for text in (seen, cause, question) if text)
        return replace(item, message=message, cause=cause, question=question, picture=() if again else item.picture)

    return [shortened(item) for item in result.items]


def legend() -> str:
    """The meaning of the characters of an error picture."""
    return _("size of the error: {right} none, {small} small, {large} as large as the value").format(
        right=SHADES[0], small=SHADES[1], large=SHADES[-1]
    )
