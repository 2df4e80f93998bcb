"""The students of the course, and which of them a name on a file means."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from autograder.notebooks.load import folded
from autograder.report.class_record import Person


@dataclass(frozen=True)
class Match:
    """A student in the roster.

    Attributes:
        id: the student's id there.
        by_id: whether an id, a number or an e-mail address matched, not a name, which others may share.
    """

    id: str
    by_id: bool


class Roster:
    """The people in the gradebook, found by what identifies them there.

    Attributes:
        people: id -> person.
        is_filled: whether somebody imported it; grading alone adds ids without names.
    """

    def __init__(self, people: Iterable[Person] = ()) -> None:
        people = list(people)
        self._names = _index((name, person) for person in people for name in _full_names(person))
        self._numbers = _index((person.lms_user_id, person) for person in people)
        self.is_filled = any(person.details for person in people)
        self.people = {person.id: person for person in people if not self._is_leftover(person)}
        self._ids = _index((folded(text), person) for person in self.people.values() for text in _ids(person))

    def find(self, student: str, name: str = "", number: str = "") -> Match | None:
        """The one matching person; None if nobody matches, or more than one could.

        Args:
            student: the text in place of an id; it may be a name.
            name: the full name, if it is separate.
            number: Canvas's number for the person; `student` is then not an id.
        """
        if student in self.people:
            return Match(student, by_id=True)
        found = self._numbers.get(number, set()) if number else self._ids.get(folded(student), set())
        called = self._names.get(_letters(name or student), set())
        if number:
            called = {id for id in called if not self._has_other_number(id, number)}
        meant = found & called if found and called else found or called
        return Match(next(iter(meant)), by_id=bool(found)) if len(meant) == 1 else None

    def _has_other_number(self, id: str, number: str) -> bool:
        return self.people[id].lms_user_id.isdecimal() and self.people[id].lms_user_id != number

    def _is_leftover(self, person: Person) -> bool:
        """Whether grading added this entry, under a name on a file of somebody else in the roster.

        Most ids are neither a name with a system's number nor a full name as people write it.
        """
        if person.details:
            return False
        numbered = re.search(r"_(\d+)\Z", person.id)
        name, number = (person.id[: numbered.start()], numbered[1]) if numbered else (person.id, "")
        written_out = " " in name or not name.isascii()
        if _letters(name) in self._names:
            return bool(number) or written_out
        return written_out and number in self._numbers


def _index(entries: Iterable[tuple[str, Person]]) -> dict[str, set[str]]:
    index = defaultdict(set)
    for text, person in entries:
        if text:
            index[text].add(person.id)
    return dict(index)


def _ids(person: Person) -> tuple[str, ...]:
    return person.id, person.lms_user_id, person.email, person.email.rpartition("@")[0]


def _full_names(person: Person) -> set[str]:
    """In both orders, because Japanese and Canvas put the last name first."""
    first, last = person.first_name, person.last_name
    return {_letters(first + last), _letters(last + first)}


def _letters(name: str) -> str:
    """`name` without spaces, commas and hyphens, which systems may leave out; accents and digits stay."""
    return "".join(c for c in folded(name) if unicodedata.category(c)[0] in "LMN")


NOBODY = Roster()
