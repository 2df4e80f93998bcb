"""The words and marks that all renderers share."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autograder.checks.numeric import SHADES
from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.exercises import Guide, UnknownExercise, exercise
from autograder.locale import _, current_language

MARKS = {
    Outcome.PASSED: "✓",
    Outcome.FAILED: "✗",
    Outcome.RAISED: "✗",
    Outcome.STOPPED: "✗",
    Outcome.NOT_ATTEMPTED: "·",
    Outcome.BLOCKED: "–",
    Outcome.GRADER_ERROR: "?",
}

WRONG = (Outcome.FAILED, Outcome.RAISED, Outcome.STOPPED)
"""Outcomes with something to mend."""


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


def standing_of(item: Item) -> str:
    """The outcome of a check in a story, and where the reason stands, if it was told before."""
    word = outcome_word(item.outcome)
    return _("{outcome}, see above").format(outcome=word) if item.outcome in WRONG and not item.message else word


def duration(seconds: float) -> str:
    """ "2 d 3 h 5 min"; at least a minute."""
    minutes = max(1, round(seconds / 60))
    numbers = minutes // 1440, minutes // 60 % 24, minutes % 60
    units = _("{n} d"), _("{n} h"), _("{n} min")
    return " ".join(unit.format(n=n) for unit, n in zip(units, numbers, strict=True) if n)


def points(score: float, maximum: float) -> str:
    """ "3.5 / 4"."""
    return f"{score:.6g} / {maximum:.6g}"


def standing(result: ExerciseResult) -> str:
    """The state of the exercise, in a few words."""
    if result.full:
        return _("everything passed")
    if result.untouched:
        return _("nothing written yet")
    passed = sum(item.outcome is Outcome.PASSED for item in result.items)
    return _("{passed} of {n} passed").format(passed=passed, n=len(result.items))


def headline(result: ExerciseResult) -> str:
    """One line with the state of the exercise."""
    line = _("{exercise}: {points} points, {standing}")
    if result.untouched:
        line = _("{exercise}: {points} points. {standing}")
    return line.format(exercise=result.id, points=points(result.score, result.max), standing=state(result))


def state(result: ExerciseResult) -> str:
    """How the exercise stands, or why there is nothing to say of it yet, and what is to come."""
    if not result.untouched:
        return standing(result)
    message, n = result.items[0].message, len(result.items)
    coming = _("1 thing will be tested.") if n == 1 else _("{n} things will be tested.").format(n=n)
    return f"{message} {coming}"


@dataclass(frozen=True)
class Story:
    """What a card tells of an exercise, in this order.

    Attributes:
        first: the check that the box is about: the first one with a cause, or that says more than two numbers, or that
            fails; None if none does.
        open: checks that have not passed, and those that crashed. What was said before is left out of their messages.
        waiting: checks that another one must come before.
        passed: the others.
    """

    first: Item | None
    open: tuple[Item, ...]
    waiting: tuple[Item, ...]
    passed: tuple[Item, ...]

    @classmethod
    def of(cls, result: ExerciseResult) -> Story:
        """The story of `result`."""
        missed = [item for item in result.items if item.outcome not in (Outcome.PASSED, Outcome.BLOCKED)]
        waiting = tuple(item for item in result.items if item.outcome is Outcome.BLOCKED)
        wrong = [item for item in missed if item.outcome in WRONG]
        telling = [item for item in wrong if item.cause or item.unwritten]
        telling += [item for item in wrong if not item.compared] + wrong
        first = telling[0] if telling else None
        said = {first.cause, first.question, first.printed, _without_case(first)} if first else set()
        others = tuple(_unsaid(item, said) for item in missed)
        return cls(first, others, waiting, tuple(item for item in result.items if item.outcome is Outcome.PASSED))

    def folded(self) -> dict[str, tuple[Item, ...]]:
        """The checks that share a line, by what it says."""
        waiting, n = len(self.waiting), len(self.open) + len(self.waiting) + len(self.passed)
        wait = _("1 waits for another check") if waiting == 1 else _("{n} wait for another check").format(n=waiting)
        passed = _("{passed} of {n} passed").format(passed=len(self.passed), n=n)
        return {line: items for line, items in ((wait, self.waiting), (passed, self.passed)) if items}


def _unsaid(item: Item, said: set[str]) -> Item:
    """`item` without what is `said` already; its own words are said from now on."""
    words, seen, cause, question = item.words, item.seen, item.cause, item.question
    if _without_case(item) in said:
        words = seen = ""
    if cause in said:
        cause = ""
    if question in said:
        question = ""
    printed = "" if item.printed in said else item.printed
    said.update((_without_case(item), item.cause, item.question, item.printed))
    told = replace(item, words=words, seen=seen, cause=cause, question=question, printed=printed)
    return told if seen else replace(told, picture=(), printed="")


def _without_case(item: Item) -> str:
    """What was seen, without the line that does not run, which is told once; one error is the same in every case."""
    if item.outcome is Outcome.RAISED and item.case is not None:
        return item.told.rpartition("\n")[0]
    told = replace(item, words=item.words.replace(item.unreached.told, "").strip()) if item.unreached else item
    return told.told


@dataclass(frozen=True)
class Link:
    """A heading of the notebook, which cards link to."""

    heading: str

    @property
    def url(self) -> str:
        """Its address within the page, as Jupyter makes it."""
        return "#" + self.heading.replace(" ", "-")


@dataclass(frozen=True)
class Note:
    """A line below a result. "{link}" in `text` stands for the link."""

    text: str
    link: Link | None = None

    def __str__(self) -> str:
        return self.text.replace("{link}", self.link.heading) if self.link else self.text


def section_of(about: Guide) -> Link | None:
    """Where the lesson treats an exercise."""
    heading = about.section.get(current_language())
    return Link(heading) if heading else None


def read_again(about: Guide, text: str = "") -> Note:
    """`text`, and where to read again, if the lesson treats the exercise."""
    link = section_of(about)
    return Note(f"{text} {_('Read again: {link}')}".lstrip(), link) if link else Note(text)


def legend() -> str:
    """The meaning of the characters of an error picture."""
    return _("size of the error: {right} none, {between} growing, {large} as large as the value").format(
        right=SHADES[0], between="".join(SHADES[1:-1]), large=SHADES[-1]
    )
