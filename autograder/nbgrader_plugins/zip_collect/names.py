"""What the name of a file or folder says about its owner, as learning management systems and people write it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePath
from typing import Literal

from autograder.nbgrader_plugins.zip_collect.roster import Match, Roster


@dataclass(frozen=True)
class Form:
    """How one learning management system names a person's files.

    Attributes:
        pattern: of the name of a file, without extension, or of a folder: `key`, which identifies a person, and in it
            `student`; also `name`, `number`, `time`, and `file`, the student's own words.
        files: whether it names files in this way, not only folders.
        time: the format of the time, for `strptime`.
        before: words that may come before the person in `student`, which `told_apart` removes: those of an "assignment"
            or a full "name" before a user name, or of a "group" before a full name.
        strict: whether only students in the roster count: what it writes about others cannot be an id.
    """

    pattern: str
    files: bool = True
    time: str = ""
    before: Literal["", "group", "assignment", "name"] = ""
    strict: bool = False


FORMS = {
    # "Full Name_123456_assignsubmission_file_" as a folder, or before the file's own name, and where groups hand in
    # "Group A-Full Name_123456_…". The number is another one in every assignment (moodle/moodle,
    # mod/assign/locallib.php, `download_submissions`: of the group and the name, _ becomes a blank).
    "Moodle": Form(
        r"(?P<key>(?P<student>.+?)_\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?",
        before="group",
    ),
    # "Assignment_userid_attempt_2026-11-01-12-00-00_nb.ipynb"; either of the first two may hold a _.
    "Blackboard": Form(
        r"(?P<key>(?P<student>.+?_.+?))_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.+))?",
        time="%Y-%m-%d-%H-%M-%S",
        before="assignment",
    ),
    # "lastnamefirstname_LATE_12345_67890_nb.ipynb"; the first number is the user's.
    "Canvas": Form(r"(?P<key>(?P<student>[^_]+)(?:_late)?_(?P<number>\d+))_\d+_(?!attempt_\d{4}-)(?P<file>.+)"),
    # A folder "Lastname, Firstname(userid)", in one that is named after the assignment.
    "Sakai": Form(r"(?P<key>(?P<name>[^,()]+,[^()]*)\((?P<student>[^()]+)\))"),
    # A folder "12345-67890 - Full Name - Jan 5, 2027 1103 PM", or that before the file's own name.
    "Brightspace": Form(
        r"(?P<key>\d+-\d+ ?- ?(?P<student>.+?)) ?- ?(?P<time>[^-]*\b(?:19|20)\d\d\b[^-]*?)(?: ?- ?(?P<file>.+))?",
        time="%b %d, %Y %I%M %p",
        strict=True,
    ),
    # A folder "Lastname_Firstname_login_123", in ASCII (ILIAS-eLearning/ILIAS, `getDirectoryNameFromUserData`); where
    # teams hand in, in one that is called "Team 7". Archives of the systems above, unpacked, may look alike.
    "ILIAS": Form(
        r"(?!.*_(?:attempt|assignsubmission)_)(?![^_]+_(?:late_)?\d+_\d+_)(?P<key>(?P<student>[^_]*_[^_]*_.+)_\d+)",
        files=False,
        before="name",
        strict=True,
    ),
    # A folder "submission_123456"; a file beside it says whose it is.
    "Gradescope": Form(r"(?P<key>(?P<student>submission_\d+))", files=False, strict=True),
}
"""What systems write in the name of a file or folder. After the first that fits come the student's own words."""
TEAMS = "Teams"
"""Microsoft's writes a folder with the full name, in it one for the assignment or none, and in that "Version 1"."""
_TEAMS_FOLDER = re.compile(r"version (?P<number>\d+)|(?:submitted|working) files|student work", re.IGNORECASE)
"""The folders that it adds to these."""
_ILIAS_TEAM = re.compile(r"team \d+", re.IGNORECASE)
"""The folder around those of ILIAS, where teams hand in."""
STRICT = {TEAMS, *(system for system, form in FORMS.items() if form.strict)}
"""The systems whose people are looked for in the roster alone, where there is one."""
COPY_OF_FILE = r"[ _]?\(\d+\)|[-_ ]+copy ?\d*|のコピー|[-_ ]+コピー"
"""What browsers and systems add to the name of a file that they have met before."""
COPY = rf"(?:{COPY_OF_FILE}|-\d+)*"
"""The same, and what Canvas adds."""


@dataclass(frozen=True)
class Owner:
    """What a path says about the file's owner.

    Attributes:
        key: identifies the person, such as "Taro Yamada_123456".
        student: a shorter name, used if it is unique, such as "Taro Yamada".
        file: the student's name for the file, without extension; "" if the path does not say.
        time: the submission time, or None if the path does not say.
        name: the full name, if it is known to be one.
        number: Canvas's number for the person.
        system: the learning management system that wrote the path; "" if a person did.
        place: the part of the path that says all this, from 0.
        others: ids of all possible students in the roster, if there are several; then nobody gets the file.
        assumed: whether the start of the user name in the path is a guess.
    """

    key: str
    student: str
    file: str = ""
    time: datetime | None = None
    name: str = ""
    number: str = ""
    system: str = ""
    place: int = 0
    others: tuple[str, ...] = ()
    assumed: bool = False

    def found_in(self, roster: Roster) -> Match | None:
        """The match in the roster, if any."""
        return roster.find(self.student, self.name, self.number)


def system_of(names: Mapping[str, bool]) -> str | None:
    """The learning management system that wrote most of the names, if it is certain.

    Args:
        names: name -> whether it is a file's.
    """
    counts = {
        system: sum(by_system(system, name, is_file) is not None for name, is_file in names.items()) for system in FORMS
    }
    most = max(counts.values())
    likely = [system for system, count in counts.items() if count == most]
    return likely[0] if len(likely) == 1 and 2 * most > len(names) else None


def by_system(system: str, text: str, is_file: bool) -> Owner | None:
    """The owner that a learning management system wrote into the name of a file, without extension, or of a folder.

    Words before the person are still part of `student`.
    """
    form = FORMS[system]
    found = re.fullmatch(form.pattern, text, re.IGNORECASE | re.DOTALL)
    if not found or (is_file and not form.files):
        return None
    groups = found.groupdict(default="")
    student, number = groups["student"].strip(), groups.get("number", "")
    name = groups.get("name", "" if form.before in ("assignment", "name") else student)
    file = groups.get("file", "") if is_file else ""
    if number:
        student = f"{student}_{number}"
    # Canvas's key leaves out whether it came late.
    key = student if number else groups["key"]
    return Owner(key, student, file, _time(groups.get("time", ""), form.time), name, number, system)


def _time(text: str, form: str) -> datetime | None:
    if "%I%M" in form:  # strptime takes 103 for 10:03
        text = re.sub(r"\b(\d\d\d)(?= [AP]M)", r"0\1", text)
    try:
        return datetime.strptime(text.strip(), form) if text else None
    except ValueError:
        return None


def by_person(stem: str, notebooks: list[str], roster: Roster) -> Owner | None:
    """The student in "student_gradient_pathology", or "student" alone if in the roster, and in copies of these."""
    for name in sorted(notebooks, key=len, reverse=True):
        found = re.fullmatch(rf"(?P<student>.+?)[_\- ](?P<file>{re.escape(name)}{COPY})", stem, re.DOTALL)
        if found:
            return Owner(found["student"], found["student"], found["file"])
    copied = re.fullmatch(rf"(?s)(.+?)(?:{COPY_OF_FILE})*", stem)
    return next((Owner(name, name) for name in (stem, copied[1] if copied else stem) if roster.find(name)), None)


def says_nothing(path: PurePath, place: int) -> bool:
    """Whether the folder at `place` was added by a system and says nothing about the owner."""
    folder, below = path.parts[place : place + 2]
    in_ilias = _ILIAS_TEAM.fullmatch(folder) and by_system("ILIAS", below, place + 2 == len(path.parts))
    return bool(in_ilias or _TEAMS_FOLDER.fullmatch(folder))


def version_in(path: PurePath, place: int) -> int:
    """The version that Teams' folders give a file below the folder at `place`; 0 if there is none."""
    found = [_TEAMS_FOLDER.fullmatch(part) for part in path.parts[place + 1 : -1]]
    return max((int(match["number"]) for match in found if match and match["number"]), default=0)


# --- words before the person ------------------------------------------------------------------------------------------
# "HW_1_ken_ito" may belong to the user ken_ito, ito or 1_ken_ito, and "Red-Ann Smith-Jones" to Ann Smith-Jones of the
# group Red. All names of a download together, and the roster, decide.


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
