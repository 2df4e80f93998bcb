"""Hints: one at a time, for the first check that does not pass.

They go on from what the card says. Before anything is written they say how to begin; while a line raises an error, they
are about that line. Otherwise those for the cause that the card names come first, then where to look, then which
formula. The last one has a link to the section of the lesson. None of them gives the solution.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.checks.values import Raised
from autograder.exercises import Guide, guide
from autograder.locale import _, current_language
from autograder.report.html import card, escape, note_html
from autograder.report.words import Note, Story, read_again


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
        self._given: dict[tuple[str, str], set[str]] = {}
        self._queues: dict[tuple, tuple[Iterator[tuple[int, Note]], int]] = {}

    def next(self, result: ExerciseResult) -> Hint:
        """The next hint for the check of `result` that its card begins with.

        After the last one comes what else helps, then the first one again.

        Each mistake and each error has its own hints, counted from 1: first those that were not given for another one.
        """
        item = first_unmet(result)
        if item is None:
            return Hint(result.id, "", Note(_("Everything passed: you need no more hints.")))
        about, given = guide(result.id), self._given.setdefault((result.id, item.id), set())
        error = item.told if item.outcome is Outcome.RAISED else ""
        mistake = (result.id, item.id, item.outcome, item.causes, item.unwritten, error)
        if mistake not in self._queues:
            notes = hints_for(item, about)
            notes = [note for note in notes if note.text not in given] or notes
            numbered = [*enumerate(notes, start=1), (0, _after_the_last(item, result.id, about))]
            self._queues[mistake] = cycle(numbered), len(notes)
        queue, of = self._queues[mistake]
        number, note = next(queue)
        given.update([note.text] if number else [])
        return Hint(result.id, item.sentence, note, number, of if number else 0)


def _after_the_last(item: Item, exercise: str, about: Guide) -> Note:
    if item.outcome is Outcome.NOT_ATTEMPTED:
        return read_again(
            about, _("Write one line, even a wrong one, and check it: the card then says what comes next.")
        )
    text = _(
        'You have seen all hints for this mistake. Take the input of the case with `example("{exercise}")`, work out '
        "one number of the answer by hand, and compare it with each step of your code; or ask a person to look at it "
        "with you. `hint` begins with the first hint again."
    )
    return read_again(about, text.format(exercise=exercise))


def first_unmet(result: ExerciseResult) -> Item | None:
    """The check that the card begins with; None if all pass."""
    return Story.of(result).first or next((item for item in result.items if not item.full), None)


def hints_for(item: Item, about: Guide) -> list[Note]:
    """All hints for a check that does not pass, from the vaguest to the clearest; at least one."""
    texts = _before_a_result(item, about) or _authored(item, about)
    *texts, last = texts or [_("Read the exercise's specification once more, sentence by sentence.")]
    return [*map(Note, texts), read_again(about, last)]


def _authored(item: Item, about: Guide) -> list[str]:
    """The hints for this check: those for its causes first. None of the others is about code that is not there."""
    hints = about.hints.get(item.id, ())
    for_this_cause = [hint for hint in hints if set(item.causes).intersection(hint.get("causes", ()))]
    others = [hint for hint in hints if "causes" not in hint]
    for_this_state = [hint for hint in others if hint.get("unwritten", False) == item.unwritten]
    if item.unwritten and not for_this_state:
        for_this_state = about.begin or others
    return [hint[current_language()] for hint in (*for_this_cause, *for_this_state)]


def _before_a_result(item: Item, about: Guide) -> list[str]:
    """What to do while there is no result to look at: hints for the check assume one. Empty if there is one."""
    if item.outcome is Outcome.NOT_ATTEMPTED:
        first = _(
            "Write a first version, even an incomplete one, and check it: the card then says what is still missing."
        )
        return [*(hint[current_language()] for hint in about.begin), first]
    if item.outcome is Outcome.STOPPED:
        loop = _("Is it a loop? What should make it end? Print its variables in the first few iterations.")
        return [loop, _line_by_line()]
    return _for_an_error(item.raised) if item.outcome is Outcome.RAISED else []


def _line_by_line() -> str:
    return _("Take the input with `example`, and run your code on it in a cell of its own, line by line.")


def _for_an_error(raised: Raised | None) -> list[str]:
    """What to look at where a line raises an error of this kind."""
    message = raised.message if raised else ""
    if raised and raised.is_a("NameError"):
        return _for_a_name()
    # An attribute that a value of Python's or NumPy's own types has not, such as 'float', is none that could be set.
    if re.search(r"\bNone(Type)?\b|not supported for the input types|^'[a-z0-9_.]+' object has no", message):
        return _for_a_type()
    if re.search(r"^module '|was removed", message):
        return [
            _("Is the name spelled as in the documentation of its library, and is it in the version that runs here?")
        ]
    if raised and raised.is_a("AttributeError", "KeyError"):
        return _for_what_is_not_kept()
    if re.search(r"\bshapes?\b|\bdimensions?\b|broadcast", message):
        return _for_a_shape()
    stops = _(
        "Your code stops with an error at the line that the card shows. Print its variables just before it: "
        "what values and shapes do they have?"
    )
    return [stops, _line_by_line()]


def _for_a_name() -> list[str]:
    return [
        _(
            "Where is the name in the error given a value, and is that before this line? Is it spelled the same in "
            "both places?"
        ),
        _(
            "A name is known only in the function or method that gives it a value. What one method needs of another "
            "must be kept where both can reach it, as in `self.cache`."
        ),
    ]


def _for_a_type() -> list[str]:
    return [
        _(
            "Print the type of each value in this line, just before it: is one of them None, or otherwise not what it "
            "should be? Where does it come from?"
        ),
        _(
            "May this value be None? If so, what does the specification say about it, and which of your lines sees to "
            "that before this one? If not, where should it have been set or returned?"
        ),
    ]


def _for_what_is_not_kept() -> list[str]:
    return [
        _(
            "Which line should put the name in the error into this object or dictionary, and does it run before this "
            "line? Is the name spelled the same in both places?"
        ),
        _(
            "Print what is there just before the line: `vars(...)` of an object, or the keys of a dictionary. What is "
            "missing?"
        ),
    ]


def _for_a_shape() -> list[str]:
    return [
        _(
            "Print the shape of each array in this line. Which has one number for each row, and which one for each "
            "column?"
        ),
        _("Which shape should each of them have? Look for the line where the first wrong one is made: which axis?"),
    ]
