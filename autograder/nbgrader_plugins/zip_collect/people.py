"""Finds the person in a name that a learning management system wrote, which may have other words before the person.

"HW_1_ken_ito" may belong to the user ken_ito, ito or 1_ken_ito, and "Red-Ann Smith-Jones" to Ann Smith-Jones of the
group Red. All names of a download together, and the roster, decide.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from autograder.nbgrader_plugins.zip_collect.names import FORMS, Owner, by_person, by_system
from autograder.nbgrader_plugins.zip_collect.roster import Roster


def told_apart(owners: Mapping[Path, Owner], roster: Roster) -> dict[Path, Owner]:
    """`owners`, by one system and from one download, without the words before the person."""
    students = sorted({owner.student for owner in owners.values()})
    tell = {"assignment": _after_assignment, "group": _after_group, "name": _after_name}
    return {
        path: tell[before](owner, students, roster) if (before := FORMS[owner.system].before) else owner
        for path, owner in owners.items()
    }


def all_meant(text: str, is_file: bool, notebooks: list[str], roster: Roster) -> list[Owner]:
    """Everybody whom the name of a file, without extension, or of a folder may mean."""
    written = [owner for system in FORMS if (owner := by_system(system, text, is_file))]
    owners = [told_apart({Path(): replace(owner, file="")}, roster)[Path()] for owner in written]
    by_hand = by_person(text, notebooks, roster)
    return [*owners, by_hand] if by_hand else owners


def _after_assignment(owner: Owner, students: Sequence[str], roster: Roster) -> Owner:
    """The user name after the assignment's name and a _.

    The assignment's name is at most the common beginning of all names: a shorter user name does not count, even if it
    is in the roster. If there is only one name, the longest user name in the roster counts.
    """
    words = owner.student.split("_")
    shared = len(os.path.commonprefix([student.split("_")[:-1] for student in students])) if len(students) > 1 else 0
    places = range(1, (shared or len(words) - 1) + 1)
    users = {place: "_".join(words[place:]) for place in places}
    ids = {place: match.id for place in places if (match := roster.find(users[place])) and match.by_id}
    if len(set(ids.values())) > 1 and shared:
        return replace(owner, student=users[places[-1]], others=tuple(sorted(set(ids.values()))))
    # An e-mail address is not cut: what is left of it could be somebody else's.
    place = min(ids, default=places[0] if "@" in owner.student and not shared else places[-1])
    return replace(owner, student=users[place], assumed=len(places) > 1 and not (ids and (shared or place == 1)))


def _after_group(owner: Owner, students: Sequence[str], roster: Roster) -> Owner:
    """The full name after a group's name and a -, which both names may contain.

    If groups hand in, every name begins with a group's.
    """
    if owner.found_in(roster) or not all("-" in student for student in students):
        return owner
    words = owner.student.split("-")
    names = ("-".join(words[place:]).strip() for place in range(1, len(words)))
    name = next((name for name in names if roster.find("", name)), None)
    return replace(owner, student=name, name=name) if name else owner


def _after_name(owner: Owner, students: Sequence[str], roster: Roster) -> Owner:
    """The user name after the last and first names, with _ between them, which each of them may contain."""
    words = owner.student.split("_")
    read = [
        replace(owner, student="_".join(words[place:]), name=" ".join(words[:place])) for place in range(2, len(words))
    ]
    fit = [found for found in read if (match := found.found_in(roster)) and match.by_id]
    agreed = [found for found in fit if roster.find("", found.name)]
    ids = {match.id for found in agreed or fit if (match := found.found_in(roster))}
    if len(ids) > 1:
        return replace(read[-1], others=tuple(sorted(ids)))
    return (agreed or fit or [replace(read[-1], assumed=len(read) > 1)])[0]
