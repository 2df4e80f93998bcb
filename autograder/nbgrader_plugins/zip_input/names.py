"""What a file's or folder's name says of whose it is, as learning management systems write names and as people do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from autograder.nbgrader_plugins.zip_input.roster import Match, Roster

FORMS = {
    # "Full Name_123456_assignsubmission_file_" as a folder, or before the file's own name. The number is
    # another one in every assignment.
    "Moodle": r"(?P<key>(?P<student>.+?)_\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?",
    # "Assignment_userid_attempt_2026-11-01-12-00-00_nb.ipynb".
    "Blackboard": r"(?P<key>.+?_(?P<student>[^_]+))_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.+))?",
    # "lastnamefirstname_LATE_12345_67890_nb.ipynb"; the first number is the user's.
    "Canvas": r"(?P<key>(?P<student>[^_]+)(?:_late)?_(?P<number>\d+))_\d+_(?!attempt_\d{4}-)(?P<file>.+)",
    # A folder "Lastname, Firstname(userid)", in one that is named after the assignment.
    "Sakai": r"(?P<key>(?P<name>[^,()]+,[^()]*)\((?P<student>[^()]+)\))",
}
"""What systems write in the name of a file or folder. After the first that fits come the student's own words."""
COPY_OF_FILE = r"[ _]?\(\d+\)|[-_ ]+copy ?\d*|のコピー|[-_ ]+コピー"
"""What browsers and systems add to the name of a file that they have met before."""
COPY = rf"(?:{COPY_OF_FILE}|-\d+)*"
"""The same, and what Canvas adds."""


@dataclass(frozen=True)
class Owner:
    """What a path says about whose the file is.

    Attributes:
        key: what tells this person from all others, such as "Taro Yamada_123456".
        student: the shorter name that serves where nobody else has it, such as "Taro Yamada".
        file: the file's own name as the student gave it, without extension; "" if the path does not say.
        time: when it was handed in, or None if the path does not say.
        name: the full name, where it is known to be one.
        number: Canvas's number for the person.
        system: the learning management system that wrote the path; "" where people did.
        place: which part of the path says all this, from 0.
    """

    key: str
    student: str
    file: str = ""
    time: datetime | None = None
    name: str = ""
    number: str = ""
    system: str = ""
    place: int = 0

    def found_in(self, roster: Roster) -> Match | None:
        """Who in the roster this is, if anybody."""
        return roster.find(self.student, self.name, self.number)


def system_of(names: set[str]) -> str | None:
    """The learning management system that wrote most of the names, if that is one for certain."""
    counts = {system: sum(by_system(system, name, False) is not None for name in names) for system in FORMS}
    most = max(counts.values())
    likely = [system for system, count in counts.items() if count == most]
    return likely[0] if len(likely) == 1 and 2 * most > len(names) else None


def by_system(system: str, text: str, is_file: bool) -> Owner | None:
    """The owner that a learning management system wrote into the name of a file, without extension, or of a folder."""
    found = re.fullmatch(FORMS[system], text, re.IGNORECASE | re.DOTALL)
    if not found:
        return None
    groups = found.groupdict(default="")
    student, number = groups["student"].strip(), groups.get("number", "")
    name = groups.get("name", "" if system == "Blackboard" else student)
    file = groups.get("file", "") if is_file else ""
    if number:
        student = f"{student}_{number}"
    # Canvas's key leaves out whether it came late.
    key = student if number else groups["key"]
    return Owner(key, student, file, _time(groups.get("time")), name, number, system)


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d-%H-%M-%S") if text else None
    except ValueError:
        return None


def all_meant(text: str, notebooks: list[str], roster: Roster) -> list[Owner]:
    """Everybody who may be meant by the name of a file, without extension, or of a folder."""
    owners = [by_system(system, text, False) for system in FORMS] + [by_person(text, notebooks, roster)]
    return [owner for owner in owners if owner]


def by_person(stem: str, notebooks: list[str], roster: Roster) -> Owner | None:
    """The student in "student_gradient_pathology", or "student" alone if in the roster, and in copies of these."""
    for name in sorted(notebooks, key=len, reverse=True):
        found = re.fullmatch(rf"(?P<student>.+?)[_\- ](?P<file>{re.escape(name)}{COPY})", stem, re.DOTALL)
        if found:
            return Owner(found["student"], found["student"], found["file"])
    original = re.fullmatch(rf"(?s)(.+?)(?:{COPY_OF_FILE})*", stem)[1]
    return next((Owner(name, name) for name in (stem, original) if roster.find(name)), None)
