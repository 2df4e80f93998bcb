"""Hints: one at a time, for the first check that does not pass.

They go on from what the card says. Before anything is written they say how to begin; while a line raises an error, they
are about that line. Otherwise those for the cause that the card names come first, then where to look, then which
formula. The last one has a link to the section of the lesson. None of them gives the solution.
"""

from __future__ import annotations

from dataclasses import dataclass

from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.exercises import Guide, guide
from autograder.locale import _, current_language
from autograder.report.html import card, escape, note_html
from autograder.report.words import Note, Story, section_of


@dataclass(frozen=True)
class Hint:
    """One hint.

    Attributes:
        exercise: the exercise's id.
        promise: the sentence of the check that does not pass; "" if all checks pass.
        note: the hint, which may have several lines and a link.
        number, of: its place among the hints for this check; 0 where it is none of them.
    """

    exercise: str
    promise: str
    note: Note
    number: int = 0
    of: int = 0

    @property
    def text(self) -> str:
        """The hint without its link."""
        return str(self.note)

    @property
    def heading(self) -> str:
        """What the hint is about."""
        if not self.promise:
            return self.exercise
        if not self.number:
            return f"{self.exercise}: {self.promise}"
        return _('{exercise}, hint {number} of {of} for "{promise}"').format(
            exercise=self.exercise, number=self.number, of=self.of, promise=self.promise
        )

    def __repr__(self) -> str:
        return f"{self.heading}\n  " + self.text.replace("\n", "\n  ")

    def _repr_html_(self) -> str:
        heading = f"<p><strong>{escape(self.heading)}</strong><br>{note_html(self.note)}</p>"
        return card(_("A hint for {exercise}").format(exercise=self.exercise), heading)


class Hints:
    """Gives hints, and remembers those that it gave."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str, str], list[str]] = {}

    def next(self, result: ExerciseResult) -> Hint:
        """The next hint for the check of `result` that its card begins with; after the last one, whom to ask."""
        item = first_unmet(result)
        if item is None:
            return Hint(result.id, "", Note(_("Everything passed: you need no more hints.")))
        error = item.seen if item.outcome is Outcome.RAISED else ""  # each error has its hints
        given = self._given.setdefault((result.id, item.id, error), [])
        fresh = [note for note in hints_for(item, guide(result.id)) if note.text not in given]
        if fresh:  # counted as they are given: a mistake that was mended may have had others
            given.append(fresh[0].text)
            return Hint(result.id, item.sentence, fresh[0], len(given), len(given) + len(fresh) - 1)
        kind = _("You have seen all hints for this check. Ask a person: it is quicker, and they will be glad to help.")
        return Hint(result.id, item.sentence, Note(kind))


def first_unmet(result: ExerciseResult) -> Item | None:
    """The check that the card begins with; None if all pass."""
    return Story.of(result).first or next((item for item in result.items if not item.full), None)


def hints_for(item: Item, about: Guide) -> list[Note]:
    """All hints for a check that does not pass, from the vaguest to the clearest; at least one."""
    texts = _before_a_result(item.outcome, about) or _authored(item, about)
    *texts, last = texts or [_("Read the exercise's specification once more, sentence by sentence.")]
    return [*map(Note, texts), _with_link(last, about)]


def _authored(item: Item, about: Guide) -> list[str]:
    """The hints for this check: those for its causes first. None of the others is about code that is not there."""
    hints = about.hints.get(item.id, ())
    for_this_cause = [hint for hint in hints if set(item.causes).intersection(hint.get("causes", ()))]
    others = [hint for hint in hints if "causes" not in hint]
    for_this_state = [hint for hint in others if hint.get("unwritten", False) == item.unwritten]
    if item.unwritten and not for_this_state:
        for_this_state = about.begin or others
    return [hint[current_language()] for hint in (*for_this_cause, *for_this_state)]


def _before_a_result(outcome: Outcome, about: Guide) -> list[str]:
    """What to do while there is no result to look at: hints for the check assume one. Empty if there is one."""
    example = _("Take the input with `example`, and run your code on it in a cell of its own, line by line.")
    return {
        Outcome.NOT_ATTEMPTED: [
            *(hint[current_language()] for hint in about.begin),
            _("Write a first version, even an incomplete one, and check it: the card then says what is still missing."),
        ],
        Outcome.RAISED: [
            _(
                "Your code stops with an error at the line that the card shows. Print its variables just before it: "
                "what values and shapes do they have?"
            ),
            example,
        ],
        Outcome.STOPPED: [
            _("Is it a loop? What should make it end? Print its variables in the first few iterations."),
            example,
        ],
    }.get(outcome, [])


def _with_link(hint: str, about: Guide) -> Note:
    link = section_of(about)
    return Note(f"{hint} " + _("Read again: {link}"), link) if link else Note(hint)
