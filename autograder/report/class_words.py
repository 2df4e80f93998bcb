"""What to say of a class: standings, causes, code that was stopped or died, and who needs a look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from autograder.checks.diagnosis import Cause
from autograder.checks.results import Ending, Outcome, SubmissionResult
from autograder.exercises import UnknownExercise, exercise
from autograder.exercises.recorded import known_mistakes
from autograder.locale import _, current_language
from autograder.report.class_record import Standing, StudentRecord


def open_words(students: Iterable[StudentRecord]) -> str:
    """Whether the scores of those who wait for hand grading have your points for it; "" if nobody waits."""
    waiting = [student for student in students if student.waiting]
    unscored = sum(bool(student.unscored) for student in waiting)
    if not waiting:
        return ""
    if unscored == len(waiting):
        return _("Their scores do not include it yet.")
    if not unscored:
        return _("Their scores include the points that you gave before.")
    return _("Scores of {n} do not include it yet; the others include the points that you gave before.").format(
        n=unscored
    )


def standing_word(standing: Standing) -> str:
    """The standing in the language of the reader."""
    return {
        Standing.JUDGED: _("graded"),
        Standing.UNREADABLE: _("could not be read"),
        Standing.WITHOUT_RESULT: _("has points, but no check results"),
        Standing.NOT_GRADED: _("handed in, not graded yet"),
        Standing.ABSENT: _("not handed in"),
    }[standing]


def cause_in_words(exercise_id: str, cause: str, own: Mapping[str, Cause] = {}) -> str:
    """A known mistake as a student's card has it; an id stands for one that is no longer known.

    Args:
        own: the instructor's, which causes.toml holds.
    """
    titles = _titles(exercise_id)
    texts = own[cause].cause if cause in own else titles.get(cause)
    return texts[current_language()] if texts else cause


@cache
def _titles(exercise_id: str) -> dict[str, Mapping[str, str]]:
    try:
        return {known.id: known.cause for known in known_mistakes(exercise(exercise_id)).causes if known.cause}
    except (UnknownExercise, FileNotFoundError):  # an older kit's
        return {}


def ending_words(ending: Ending) -> str:
    """How a student's code ended, in the language of the reader."""
    return {
        Ending.OUT_OF_TIME: _("stopped: it took too long"),
        Ending.PROCESS_ENDED: _("the process died"),
        Ending.UNREADABLE: _("what it sent back could not be read"),
    }[ending]


def endings(student: StudentRecord) -> Iterator[tuple[str, Ending]]:
    """Each exercise in which the student's code was stopped, or died, and how it ended."""
    for name, result in (student.result.checks if student.result else {}).items():
        if result.ending:
            yield name, result.ending


def reasons_in(result: SubmissionResult) -> Iterator[str]:
    """Why somebody should look at a submission with this result."""
    if result.status == "failed":
        yield _("Could not be graded; ask the student for another file. The student reads: “{message}”").format(
            message=result.message
        )
    yield from result.looks
    broken = [
        f"{name}: {item.id}"
        for name, found in result.checks.items()
        for item in found.items
        if item.outcome is Outcome.GRADER_ERROR
    ]
    if broken:
        yield _("The checker crashed ({checks}); full points were given.").format(checks=", ".join(broken))


def reasons_to_look(student: StudentRecord) -> Iterator[str]:
    """Why somebody should look at the submission by hand; nothing where nobody need."""
    result = student.result
    if student.standing is Standing.WITHOUT_RESULT:
        yield _(
            "The gradebook has points, but autograded/ has no results of the checks; to have them here too, run "
            "autograder grade."
        )
    if student.standing is Standing.NOT_GRADED:
        yield _("Handed in, but not graded yet; run autograder grade.")
    if result is None:
        return
    if not student.grades:
        yield _("There are results of the checks, but the gradebook has no submission; run autograder grade.")
    if result.message and result.status != "failed":  # cells of the assignment are gone
        yield result.message
    yield from reasons_in(result)
