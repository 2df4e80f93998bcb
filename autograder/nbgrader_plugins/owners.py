"""Tells whose a notebook is from where it lies, as learning management systems name files and as people do.

`assign` looks at all files of a class at once: only then can be told a folder of students from a student's folder, and
which of a student's notebooks is the one to grade.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from types import MappingProxyType

from autograder.beside import files_beside
from autograder.i18n import _
from autograder.nbgrader_plugins.archives import Packed, folded, is_junk, shown
from autograder.nbgrader_plugins.roster import NOBODY, Roster

FORMS = {
    # "Full Name_123456_assignsubmission_file_" as a folder, or before the file's own name. The number is
    # another one in every assignment.
    "Moodle": r"(?P<key>(?P<student>.+)_\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?",
    # "Assignment_userid_attempt_2026-11-01-12-00-00_nb.ipynb".
    "Blackboard": r"(?P<key>.+_(?P<student>[^_]+))_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.+))?",
    # "lastnamefirstname_LATE_12345_67890_nb.ipynb"; the first number is the user's.
    "Canvas": r"(?P<key>(?P<student>[^_]+)(?:_late)?_(?P<number>\d+))_\d+_(?P<file>.+)",
    # A folder "Lastname, Firstname(userid)".
    "Sakai": r"(?P<key>(?P<name>[^,()]+,[^()]*)\((?P<student>[^()]+)\))",
}
COPY_OF_FILE = r"[ _]?\(\d+\)|[-_ ]+copy ?\d*|のコピー|[-_ ]+コピー"
"""What browsers and systems add to the name of a file that they have met before."""
COPY = rf"(?:{COPY_OF_FILE}|-\d+)*"
"""The same, and what Canvas adds."""

MAX_ID_BYTES = 120
TIMESTAMP = "timestamp.txt"
"""From a file of this name nbgrader reads when something was handed in; no student may write it."""


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
    """

    key: str
    student: str
    file: str = ""
    time: datetime | None = None
    name: str = ""
    number: str = ""
    system: str = ""


@dataclass(frozen=True)
class Choice:
    """A notebook to collect.

    Attributes:
        student: nbgrader's student id.
        notebook: the name of the assignment's notebook, without extension.
        time: when it was handed in, or None if the path does not say.
        seconds: the same as the archive knows it, in seconds since 1970, or None.
    """

    student: str
    notebook: str
    time: datetime | None
    seconds: float | None = None


def assign(
    files: Iterable[Path],
    root: Path,
    notebooks: list[str],
    assignment: str,
    belongs: Callable[[Path], bool],
    roster: Roster = NOBODY,
    packed: Mapping[Path, Packed] = MappingProxyType({}),
) -> tuple[dict[Path, Choice], list[str]]:
    """Which of `files`, all below `root`, are whose notebooks.

    Args:
        notebooks: names of the assignment's notebooks, without extension.
        belongs: whether the notebook in a file is one of the assignment's.
        roster: who is in the course.
        packed: file -> what the archive it was in says of it.

    Returns:
        The notebooks to collect, one for each student and each of the assignment's notebooks, and warnings.
    """
    files = [path for path in files if not is_junk(PurePath(path.relative_to(root)))]
    owners, warnings = find_owners({path: path.relative_to(root) for path in files}, notebooks, assignment, roster)
    ids, renamed = student_ids(owners.values(), roster)
    warnings += renamed
    candidates: dict[tuple[str, str], list[Path]] = defaultdict(list)
    without = {ids[owner.key]: path for path, owner in owners.items()}
    for path, owner in owners.items():
        if path.suffix == ".ipynb":
            notebook = _notebook_of(owner.file or path.stem, notebooks)
            if notebook is None:
                warnings.append(
                    _("{path} is none of this assignment's notebooks ({notebooks}); it was not collected.").format(
                        path=shown(str(path)), notebooks=", ".join(notebooks)
                    )
                )
            else:
                candidates[ids[owner.key], notebook].append(path)
                without.pop(ids[owner.key], None)
    for student, path in without.items():
        warnings.append(
            _("{student} handed in no notebook, but {path}.").format(student=student, path=shown(path.name))
        )
    chosen = {}
    for (student, notebook), paths in candidates.items():
        best = _best(paths, owners, notebook, belongs)
        chosen[best] = Choice(student, notebook, owners[best].time, _seconds(packed.get(best), owners[best]))
        if len(paths) > 1:
            left = ", ".join(shown(str(path.relative_to(root))) for path in paths if path != best)
            warnings.append(
                _("{student} handed in more than one notebook: {path} is collected, and {left} is not.").format(
                    student=student, path=shown(str(best.relative_to(root))), left=left
                )
            )
    return chosen, warnings


def _best(paths: list[Path], owners: dict[Path, Owner], notebook: str, belongs: Callable[[Path], bool]) -> Path:
    if len(paths) == 1:
        return paths[0]

    def merits(path: Path) -> tuple[bool, bool, float]:
        owner = owners[path]
        time = owner.time.timestamp() if owner.time else path.stat().st_mtime
        return (owner.file or path.stem) == notebook, belongs(path), time

    return max(paths, key=merits)


def _seconds(packed: Packed | None, owner: Owner) -> float | None:
    """When it was handed in, as the class's archive says.

    In an archive of their own, students set the time. In Canvas's, it is that of the download (instructure/canvas-lms,
    lib/content_zipper.rb), on a server in another time zone, so that the archive's own date need not show it.
    """
    if packed is None or owner.system == "Canvas" or owner.key in packed.folder.parts or owner_in(packed.folder / "_"):
        return None
    return packed.time


def _notebook_of(file: str, notebooks: list[str]) -> str | None:
    """The assignment's notebook that a file of this name should be: where there is one only, whatever the name."""
    if len(notebooks) == 1:
        return notebooks[0]
    named = [name for name in notebooks if re.search(rf"(?:^|[\W_]){re.escape(name)}{COPY}$", _plain(file))]
    return max(named, key=len, default=None)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def files_along(
    choices: dict[Path, Choice], root: Path, notebooks: list[str], roster: Roster = NOBODY
) -> dict[Path, str]:
    """What the grader takes from beside the notebooks to collect: file -> student.

    Only in a folder that is one student's: where a file's name says whose it is, others there may be anybody's.
    """
    students: dict[Path, set[str]] = defaultdict(set)
    for path, choice in choices.items():
        students[path.parent].add(choice.student)

    def names_somebody(path: Path) -> bool:
        """Whether the file's name says whose it is, and its folders do not say the same."""
        owner = owner_in(Path(path.name)) or _named(path.stem, notebooks, roster)
        return owner is not None and owner.key not in path.relative_to(root).parts[:-1]

    return {
        path.with_name(name): choice.student
        for path, choice in choices.items()
        if path.parent != root and len(students[path.parent]) == 1 and not names_somebody(path)
        for name in files_beside(path)
        if not names_somebody(path.with_name(name)) and name.casefold() != TIMESTAMP
    }


# --- whose a path is --------------------------------------------------------------------------------------------------


def find_owners(
    paths: dict[Path, Path], notebooks: list[str], assignment: str, roster: Roster = NOBODY
) -> tuple[dict[Path, Owner], list[str]]:
    """Whose each file is.

    Args:
        paths: file -> its path below the folder of the class.
        notebooks: names of the assignment's notebooks, without extension.
        roster: who is in the course.

    Returns:
        file -> owner, and warnings about files that could be anybody's.
    """
    owners = {path: owner for path, below in paths.items() if (owner := owner_in(below))}
    others = {path: below for path, below in paths.items() if path not in owners}
    unnamed = {path: below for path, below in others.items() if path.suffix == ".ipynb"}
    by_place = _owners_by_place(unnamed, notebooks, assignment, roster)
    lost = [path for path in unnamed if path not in by_place]
    warnings = [
        _("Nothing in the path {path} says whose it is; it was not collected.").format(path=shown(str(paths[path])))
        for path in lost
    ]
    return owners | by_place, warnings


def owner_in(path: PurePath) -> Owner | None:
    """The owner that a learning management system wrote into a path."""
    for part in path.parts:
        text = path.stem if part == path.name else part
        for system, form in FORMS.items():
            found = re.fullmatch(form, text, re.IGNORECASE | re.DOTALL)
            if found:
                groups = found.groupdict(default="")
                student, number = groups["student"].strip(), groups.get("number", "")
                name = groups.get("name", "" if system == "Blackboard" else student)
                file = groups.get("file", "") if part == path.name else ""
                if number:
                    student = f"{student}_{number}"
                # Canvas's key leaves out whether it came late.
                key = student if number else groups["key"]
                return Owner(key, student, file, _time(groups.get("time")), name, number, system)
    return None


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d-%H-%M-%S") if text else None
    except ValueError:
        return None


def _owners_by_place(
    paths: dict[Path, Path], notebooks: list[str], assignment: str, roster: Roster
) -> dict[Path, Owner]:
    """Owners by folders ("student/…/nb.ipynb") and prefixes ("student_nb.ipynb").

    A folder at the top is an archive: a class's, with students in its folders and prefixes, or one student's.
    """
    transparent = {assignment, "submitted"}
    folders = {path: [f for f in below.parts[:-1] if f not in transparent] for path, below in paths.items()}
    prefixes = {path: _named(path.stem, notebooks, roster) for path in paths}
    owners = {path: prefixes[path] for path in paths if not folders[path] and prefixes[path]}
    tops: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        if folders[path]:
            tops[folders[path][0]].append(path)
    for top in tops.values():
        _drop_wrapper(top, folders, prefixes)
    classes = [top for top in tops.values() if len(_people(top, folders, prefixes)) > 1]
    students_inside = len(tops) == 1 or 2 * len(classes) > len(tops)
    for top, own in tops.items():
        one = not students_inside or roster.find(top) or not _people(own, folders, prefixes)
        for path in own:
            if one:
                owners[path] = Owner(top, top)
            elif len(folders[path]) > 1:
                owners[path] = Owner(folders[path][1], folders[path][1])
            elif prefixes[path]:
                owners[path] = prefixes[path]
    return owners


def _people(paths: list[Path], folders: dict[Path, list[str]], prefixes: dict[Path, Owner | None]) -> set[str]:
    """Names that stand in the place of a student's, one folder or prefix below the top."""
    found = {folders[path][1] for path in paths if len(folders[path]) > 1}
    return found | {prefixes[path].key for path in paths if len(folders[path]) == 1 and prefixes[path]}


def _drop_wrapper(paths: list[Path], folders: dict[Path, list[str]], prefixes: dict[Path, Owner | None]) -> None:
    """Forget a folder that everybody's work lies in, as where a folder of students was packed."""
    while len({tuple(folders[path][1:2]) for path in paths}) == 1 and len(folders[paths[0]]) > 1:
        inside = {path: [folders[path][0], *folders[path][2:]] for path in paths}
        if len(_people(paths, inside, prefixes)) < 2:
            return
        folders.update(inside)


def _named(stem: str, notebooks: list[str], roster: Roster) -> Owner | None:
    """The student in "student_gradient_pathology", or "student" alone if in the roster, and in copies of these."""
    for name in sorted(notebooks, key=len, reverse=True):
        found = re.fullmatch(rf"(?P<student>.+?)[_\- ](?P<file>{re.escape(name)}{COPY})", stem, re.DOTALL)
        if found:
            return Owner(found["student"], found["student"], found["file"])
    original = re.fullmatch(rf"(?s)(.+?)(?:{COPY_OF_FILE})*", stem)[1]
    return next((Owner(name, name) for name in (stem, original) if roster.find(name)), None)


# --- students' ids ----------------------------------------------------------------------------------------------------


def student_ids(owners: Iterable[Owner], roster: Roster = NOBODY) -> tuple[dict[str, str], list[str]]:
    """Ids for nbgrader: those of the roster, others safe as the name of a folder, and no two people's the same.

    Returns:
        key -> id, and warnings about ids that are not what the path said, or not in the roster.
    """
    owners = list(owners)
    ids, warnings = _ids_in_roster(owners, roster), []
    reserved = {folded(id) for id in roster.people}
    taken = set(reserved)
    keys_of: dict[str, set[str]] = defaultdict(set)
    for owner in owners:
        if owner.key not in ids:
            keys_of[owner.student].add(owner.key)
    for student in sorted(keys_of, key=str.swapcase):  # small letters first: they keep their id beside capitals
        keys = sorted(keys_of[student])
        for key in keys:
            # An id that is somebody's in the roster, and yet not for certain theirs here, is nobody's here.
            name = student if len(keys) == 1 and folded(safe_id(student)) not in reserved else key
            safe = safe_id(name)
            if folded(safe) in taken:
                safe = safe_id(name, all_of_it=True)
            taken.add(folded(safe))
            ids[key] = safe
            if safe != name:
                warnings.append(_("The student {name} goes by the id {id} here.").format(name=shown(name), id=safe))
        if len(keys) > 1:
            warnings.append(
                _("More than one student is called {name}; they go by the ids {ids} here.").format(
                    name=shown(student), ids=", ".join(ids[key] for key in keys)
                )
            )
        if roster.people:
            warnings += [
                _(
                    "{id} is not in the gradebook. If this is somebody who is there, put the notebook into archive/ as "
                    "<id in the gradebook>.ipynb and collect again."
                ).format(id=ids[key])
                for key in keys
            ]
    return ids, warnings


def _ids_in_roster(owners: Iterable[Owner], roster: Roster) -> dict[str, str]:
    """key -> id of those who are somebody in the roster for certain.

    A system keeps its people apart, so two of them are not one in the roster because of a name: names are not unique,
    and in Moodle students may change them.
    """
    found: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for owner in owners:
        match = roster.find(owner.student, owner.name, owner.number)
        if match and safe_id(match.id) == match.id:
            found[owner.system, match.id][owner.key] = match.by_id and owner.name != owner.student
    ids = {}
    for (_system, id), certain in found.items():
        by_id = [key for key, told in certain.items() if told]
        if by_id or len(certain) == 1:
            ids |= dict.fromkeys(by_id or certain, id)
    return ids


def safe_id(name: str, all_of_it: bool = False) -> str:
    """`name`, with every character that a folder, a shell pattern or nbgrader could mistake as ~ and its UTF-8 in hex.

    Args:
        all_of_it: write everything so but small letters and digits, for names that differ in case or width alone.
    """
    harmless = r"[a-z0-9]" if all_of_it else r"[\w.@ -]"

    def kept(match: re.Match[str]) -> str:
        character, place = match[0], match.start()
        inside = 0 < place < len(name) - 1
        if re.fullmatch(harmless, character) and (inside or character not in ". -"):
            return character
        return "".join(f"~{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))

    safe = re.sub(r"(?s).", kept, name)
    if len(safe.encode()) > MAX_ID_BYTES:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        safe = safe.encode()[: MAX_ID_BYTES - 13].decode(errors="ignore") + f"~{digest}"
    return safe
