"""Hints: one at a time, for the first check that does not pass.

They become more specific: where to look, which formula, the question of the likely cause, the section of the lesson.
None of them gives the solution.
"""

from __future__ import annotations

from dataclasses import dataclass

from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.exercises import Guide, guide
from autograder.locale import _, current_language
from autograder.report.html import card, escape, lines


@dataclass(frozen=True)
class Hint:
    """One hint.

    Attributes:
        exercise: the exercise's id.
        promise: the sentence of the check that does not pass; "" if all checks pass.
        text: the hint, which may have several lines.
        number, of: its place among the hints for this check.
    """

    exercise: str
    promise: str
    text: str
    number: int = 0
    of: int = 0

    @property
    def heading(self) -> str:
        """What the hint is about."""
        if not self.promise:
            return self.exercise
        return _('{exercise}, hint {number} of {of} for "{promise}"').format(
            exercise=self.exercise, number=self.number, of=self.of, promise=self.promise
        )

    def __repr__(self) -> str:
        return f"{self.heading}\n  " + self.text.replace("\n", "\n  ")

    def _repr_html_(self) -> str:
        heading = f"<p><strong>{escape(self.heading)}</strong><br>{lines(self.text)}</p>"
        return card(_("A hint for {exercise}").format(exercise=self.exercise), heading)


class Hints:
    """Gives hints, and remembers those that it gave."""

    def __init__(self) -> None:
        self._given: set[tuple[str, str, str]] = set()

    def next(self, result: ExerciseResult) -> Hint:
        """The next hint for the first check of `result` that does not pass; after the last hint, the last one again."""
        item = first_unmet(result)
        if item is None:
            return Hint(result.id, "", _("Everything passed: you need no more hints."))
        texts = hints_for(item, guide(result.id))
        for number, text in enumerate(texts, start=1):
            if (result.id, item.id, text) not in self._given:
                self._given.add((result.id, item.id, text))
                return Hint(result.id, item.sentence, text, number, len(texts))
        kind = _(
            "That was the last hint. If you are still stuck, ask a person: it is quicker, and they will be glad to "
            "help."
        )
        return Hint(result.id, item.sentence, f"{texts[-1]}\n{kind}", len(texts), len(texts))


def first_unmet(result: ExerciseResult) -> Item | None:
    """The first check that the student's code does not pass; None if there is none."""
    return next((item for item in result.items if not item.full), None)


def hints_for(item: Item, about: Guide) -> list[str]:
    """All hints for a check that does not pass, from the vaguest to the clearest; at least one."""
    language = current_language()
    authored = [hint[language] for hint in about.hints.get(item.id, ())]
    return [text for text in (_first_of_all(item.outcome), *authored, item.question, _pointer(about)) if text]


def _first_of_all(outcome: Outcome) -> str:
    """What to do before there is a result to look at; "" if there is one."""
    return {
        Outcome.NOT_ATTEMPTED: _(
            "Begin with this one check and leave the rest for later: a first version may be wrong."
        ),
        Outcome.RAISED: _(
            "Your code does not run to the end. At which line does it stop, and what values do its variables have "
            "there?"
        ),
        Outcome.STOPPED: _("Is it a loop? What should make it end? Print its variables in the first few iterations."),
    }.get(outcome, "")


def _pointer(about: Guide) -> str:
    if not about.section:
        return _("Read the exercise's specification once more, sentence by sentence.")
    return _("Read {section} once more, and its specification sentence by sentence.").format(
        section=about.section[current_language()]
    )
