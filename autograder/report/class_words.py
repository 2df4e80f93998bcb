"""What to say of a class: standings, causes, code that was stopped or died, and who needs a look."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from autograder.checks.judge import alternatives
from autograder.checks.results import Outcome
from autograder.exercises import UnknownExercise, exercise
from autograder.exercises.recorded import known_mistakes
from autograder.locale import LANGUAGES, _, current_language, speaking
from autograder.report.class_record import Standing, StudentRecord
from autograder.sandbox.limits import took_too_long


def standing_word(standing: Standing) -> str:
    """The standing in the language of the reader."""
    return {
        Standing.JUDGED: _("graded"),
        Standing.UNREADABLE: _("could not be read"),
        Standing.WITHOUT_RESULT: _("has points, but no check results"),
        Standing.NOT_GRADED: _("handed in, not graded yet"),
        Standing.ABSENT: _("not handed in"),
    }[standing]


def causes_in_words(exercise_id: str, causes: Iterable[str]) -> str:
    """The known mistakes `causes` as a student's card has them; an id stands for one that this kit no longer knows."""
    titles = _titles(exercise_id)
    return alternatives(titles[cause][current_language()] if cause in titles else cause for cause in causes)


@cache
def _titles(exercise_id: str) -> dict[str, dict[str, str]]:
    try:
        return {mistake.id: mistake.cause for mistake in known_mistakes(exercise(exercise_id))}
    except (UnknownExercise, FileNotFoundError):  # an older kit's
        return {}


def ending(message: str) -> str | None:
    """ "time-out" or "crash" where `message` says that the student's code was stopped, or died; None otherwise.

    A stored result keeps the sentence alone, in the student's language. What student code raises itself is told
    in another sentence around it, so nobody can feign an ending.
    """
    first = message.split("\n")[0]
    return next((kind for kind, pattern in _endings() if pattern.fullmatch(first)), None)


@cache
def _endings() -> list[tuple[str, re.Pattern[str]]]:
    found = []
    for language in LANGUAGES:
        with speaking(language):
            sentences = (  # of autograder.sandbox, and of an older kit
                ("time-out", took_too_long(0, on_the_clock=False)),
                ("time-out", took_too_long(0, on_the_clock=True)),
                (
                    "time-out",
                    _("Your code was stopped after {seconds:.0f} s. Is there a loop that never ends?").format(
                        seconds=0
                    ),
                ),
                ("time-out", _("The notebook as a whole took too long.")),
                (
                    "crash",
                    _(
                        "Your code ended the Python process (a crash, a call such as os._exit, or too many or too "
                        "large files)."
                    ),
                ),
                ("crash", _("What came back from your code could not be read.")),
            )
        for kind, sentence in sentences:
            pattern = re.escape(sentence).replace("0", r"\d+")
            found.append((kind, re.compile(pattern)))
    return found


def endings(student: StudentRecord) -> Iterator[tuple[str, str]]:
    """(exercise, "time-out" or "crash") for each exercise in which the student's code was stopped, or died."""
    for name, result in (student.result.checks if student.result else {}).items():
        ended = (Outcome.STOPPED, Outcome.RAISED)  # older kits had one word for both
        kinds = {ending(item.message) for item in result.items if item.outcome in ended} - {None}
        yield from ((name, kind) for kind in sorted(kinds))


def reasons_to_look(student: StudentRecord) -> Iterator[str]:
    """Why somebody should look at the submission by hand; nothing where nobody need."""
    result = student.result
    if student.standing is Standing.WITHOUT_RESULT:
        yield _(
            "The gradebook has points, but the results store has nothing; was nbgrader autograde used? To have the "
            "checks here too, run autograder grade."
        )
    if student.standing is Standing.NOT_GRADED:
        yield _("Handed in, but not graded yet; run autograder grade.")
    if result is None:
        return
    if not student.grades:
        yield _("The results store has a result, but the gradebook has no submission; run autograder grade.")
    if result.message:  # unreadable, or cells of the assignment are gone
        yield result.message
    yield from result.looks
    broken = [
        f"{name}: {item.id}"
        for name, found in result.checks.items()
        for item in found.items
        if item.outcome is Outcome.GRADER_ERROR
    ]
    if broken:
        yield _("The checker crashed ({checks}); full points were given.").format(checks=", ".join(broken))
