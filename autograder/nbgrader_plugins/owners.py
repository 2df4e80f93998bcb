"""Tells whose a notebook is from where it lies, as learning management systems name files and as people do.

`assign` looks at all files of a class at once: only then can be told a folder of students from a student's folder,
which system wrote the names, and which of a student's notebooks is the one to grade. Students choose the names of their
files, and of all that is in their archives: these say nothing where a folder, an archive or a system says whose it is.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePath
from types import MappingProxyType

from autograder.beside import files_beside
from autograder.i18n import _
from autograder.nbgrader_plugins.archives import Packed, folded, is_junk, shown
from autograder.nbgrader_plugins.roster import NOBODY, Match, Roster

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


@dataclass(frozen=True)
class Choice:
    """A notebook to collect.

    Attributes:
        student: nbgrader's student id.
        notebook: the name of the assignment's notebook, without extension.
        time: when it was handed in, or None if the path does not say.
        seconds: the same as the archive knows it, in seconds since 1970, or None.
        in_own_folder: whether it lies in a folder of the student's.
    """

    student: str
    notebook: str
    time: datetime | None
    seconds: float | None
    in_own_folder: bool


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
        by_hand = [path for path in paths if path.parent == root and owners[path] == Owner(student, student)]
        if len({(owners[path].system, owners[path].student) for path in paths}) > 1 and not by_hand:
            warnings.append(
                _(
                    "{paths} name {student} in different ways and may be two people's; none was collected. Put the "
                    "right one into archive/ as {student}.ipynb and collect again."
                ).format(paths=_listed(paths, root), student=student)
            )
            continue
        best = _best(by_hand or paths, owners, notebook, belongs)
        owner = owners[best]
        in_own_folder = owner.place < len(best.relative_to(root).parts) - 1
        chosen[best] = Choice(student, notebook, owner.time, _seconds(packed.get(best), owner), in_own_folder)
        if len(paths) > 1:
            left = _listed((path for path in paths if path != best), root)
            warnings.append(
                _("{student} handed in more than one notebook: {path} is collected, and {left} is not.").format(
                    student=student, path=shown(str(best.relative_to(root))), left=left
                )
            )
    return chosen, warnings


def _listed(paths: Iterable[Path], root: Path) -> str:
    return ", ".join(shown(str(path.relative_to(root))) for path in paths)


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
    if packed is None or owner.system == "Canvas" or owner.place < len(packed.folder.parts):
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


def files_along(choices: dict[Path, Choice], notebooks: list[str], roster: Roster = NOBODY) -> dict[Path, str]:
    """What the grader takes from beside the notebooks to collect: file -> student.

    Only in a folder that is one student's: where a file's name says whose it is, others there may be anybody's.
    """
    students: dict[Path, set[str]] = defaultdict(set)
    for path, choice in choices.items():
        students[path.parent].add(choice.student)

    def names_a_stranger(path: Path, student: str) -> bool:
        return any(
            (match.id if (match := _match(owner, roster)) else safe_id(owner.student)) != student
            for owner in _all_named(path.stem, notebooks, roster)
        )

    return {
        path.with_name(name): choice.student
        for path, choice in choices.items()
        if choice.in_own_folder and len(students[path.parent]) == 1 and not names_a_stranger(path, choice.student)
        for name in files_beside(path)
        if not names_a_stranger(path.with_name(name), choice.student) and name.casefold() != TIMESTAMP
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
    tree = _Tree(paths, notebooks, assignment, roster)
    owners = tree.owners()
    unclear, warnings = tree.unclear(owners)
    warnings += [
        _("Nothing in the path {path} says whose it is; it was not collected.").format(path=shown(str(below)))
        for path, below in paths.items()
        if path.suffix == ".ipynb" and path not in owners
    ]
    return {path: owner for path, owner in owners.items() if path not in unclear}, warnings


class _Tree:
    """The paths of all files, without folders that mean nothing.

    Whose a file is stands at the top, or, where a folder there is a class's archive, directly in that folder.
    """

    def __init__(self, paths: dict[Path, Path], notebooks: list[str], assignment: str, roster: Roster) -> None:
        self._paths, self._notebooks, self._roster = paths, notebooks, roster
        transparent = {assignment, "submitted"}
        self._parts = {
            path: [
                *((place, part) for place, part in enumerate(below.parts[:-1]) if part not in transparent),
                (len(below.parts) - 1, below.stem),
            ]
            for path, below in paths.items()
        }

    def owners(self) -> dict[Path, Owner]:
        """Owners by what systems wrote, by folders ("student/…/nb.ipynb") and by prefixes ("student_nb.ipynb")."""
        at_top = self._owners_at(0, list(self._paths))
        owners = {path: owner for path, owner in at_top.items() if owner.system or len(self._parts[path]) == 1}
        tops: dict[str, list[Path]] = defaultdict(list)
        for path, parts in self._parts.items():
            if path not in owners and len(parts) > 1:
                tops[parts[0][1]].append(path)
        inside = {top: self._owners_at(self._depth(paths), paths) for top, paths in tops.items()}
        inside = {top: found for top, found in inside.items() if found or any(path in at_top for path in tops[top])}
        several = {top for top, found in inside.items() if len({owner.key for owner in found.values()}) > 1}
        by_system = {top for top, found in inside.items() if _systems(found)}
        students_inside = len(inside) == 1 or 2 * len(several | by_system) > len(inside)
        for top, found in inside.items():
            is_class = found and (students_inside or top in several & by_system)
            if is_class and not self._roster.find(top):
                owners |= found
            else:
                owners |= {path: at_top[path] for path in tops[top] if path in at_top}
        return owners

    def unclear(self, owners: dict[Path, Owner]) -> tuple[set[Path], list[str]]:
        """Files in the folder of somebody in the roster that could be a class's, and warnings.

        A section's name may be a student's number. Where the path names one other person, the file may be one that the
        student has named so.
        """
        folders: dict[PurePath, list[Path]] = defaultdict(list)
        for path, owner in owners.items():
            below = self._paths[path]
            if not owner.system and owner.place < len(below.parts) - 1:
                folders[PurePath(*below.parts[: owner.place + 1])].append(path)
        unclear, warnings = set(), []
        for folder, paths in folders.items():
            match = _match(owners[paths[0]], self._roster)
            if not match:
                continue
            named = {path: self._named_below(path, owners[path].place) for path in paths}
            others = {path: ", ".join(sorted(ids - {match.id})) for path, ids in named.items() if ids - {match.id}}
            if len(set().union(*named.values())) > 1:
                unclear.update(paths)
                warnings.append(
                    _(
                        "{folder} is named after {student}, but may be a class's, as others are named in it: {paths}. "
                        "Nothing in it was collected; if it is a class's, rename it."
                    ).format(
                        folder=shown(str(folder)),
                        student=match.id,
                        paths=", ".join(shown(str(self._paths[path])) for path in others),
                    )
                )
            else:
                warnings += [
                    _(
                        "{path} lies in the folder of {student} and counts as theirs, though it names {other} as well."
                    ).format(path=shown(str(self._paths[path])), student=match.id, other=other)
                    for path, other in others.items()
                ]
        return unclear, warnings

    def _named_below(self, path: Path, place: int) -> set[str]:
        """Ids of those in the roster whom the path names after `place`."""
        owners = [
            owner
            for here, part in self._parts[path]
            if here > place
            for owner in _all_named(part, self._notebooks, self._roster)
        ]
        return {match.id for owner in owners if (match := _match(owner, self._roster))}

    def _owners_at(self, depth: int, paths: list[Path]) -> dict[Path, Owner]:
        """Owners that the names at this depth give: as one system writes them, if most are so, or as people do."""
        here = {path: self._parts[path][depth] for path in paths if depth < len(self._parts[path])}
        names = {part for path, (_place, part) in here.items() if path.suffix == ".ipynb"}
        system = _system(names or {part for _place, part in here.values()})
        owners = {}
        for path, (place, part) in here.items():
            is_file = depth == len(self._parts[path]) - 1
            owner = _written(system, part, is_file) if system else None
            if owner is None and path.suffix == ".ipynb":
                owner = _named(part, self._notebooks, self._roster) if is_file else Owner(part, part)
            if owner:
                owners[path] = replace(owner, place=place)
        return owners

    def _depth(self, paths: list[Path]) -> int:
        """How deep names of students stand in a folder at the top: below folders that everybody's work lies in."""
        notebooks = [path for path in paths if path.suffix == ".ipynb"] or paths
        depth = 1
        while all(depth + 1 < len(self._parts[path]) for path in notebooks):
            names = {self._parts[path][depth][1] for path in notebooks}
            if len(names) > 1 or self._roster.find(*names) or _system(names):
                break
            inside = self._owners_at(depth + 1, paths)
            if len({owner.key for owner in inside.values()}) < 2 and "Sakai" not in _systems(inside):
                break
            depth += 1
        return depth


def _systems(owners: dict[Path, Owner]) -> set[str]:
    return {owner.system for owner in owners.values()} - {""}


def _system(names: set[str]) -> str | None:
    """The learning management system that wrote most of the names, if that is one for certain."""
    counts = {system: sum(_written(system, name, False) is not None for name in names) for system in FORMS}
    most = max(counts.values())
    likely = [system for system, count in counts.items() if count == most]
    return likely[0] if len(likely) == 1 and 2 * most > len(names) else None


def _written(system: str, text: str, is_file: bool) -> Owner | None:
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


def _all_named(text: str, notebooks: list[str], roster: Roster) -> list[Owner]:
    """Everybody who may be meant by the name of a file, without extension, or of a folder."""
    owners = [_written(system, text, False) for system in FORMS] + [_named(text, notebooks, roster)]
    return [owner for owner in owners if owner]


def _match(owner: Owner, roster: Roster) -> Match | None:
    return roster.find(owner.student, owner.name, owner.number)


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
        # Who was graded before is in the gradebook under the id that was made then.
        keys = sorted(keys_of[student])
        for key in keys:
            made = [safe_id(key), *([safe_id(student)] if len(keys) == 1 and safe_id(student) != student else [])]
            known = next((id for id in made if id in roster.people and id not in ids.values()), None)
            if known:
                ids[key] = known
        new = [key for key in keys if key not in ids]
        for key in new:
            # An id that is somebody's in the roster, and yet not for certain theirs here, is nobody's here.
            name = student if len(keys) == 1 and folded(safe_id(student)) not in reserved else key
            safe = safe_id(name)
            if folded(safe) in taken:
                safe = safe_id(name, all_of_it=True)
            taken.add(folded(safe))
            ids[key] = safe
            if safe != name:
                warnings.append(_("The student {name} goes by the id {id} here.").format(name=shown(name), id=safe))
        if len(keys) > 1 and new:
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
                for key in new
            ]
    return ids, warnings


def _ids_in_roster(owners: Iterable[Owner], roster: Roster) -> dict[str, str]:
    """key -> id of those who are somebody in the roster for certain.

    A system keeps its people apart, so two of them are not one in the roster because of a name: names are not unique,
    and in Moodle students may change them.
    """
    found: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for owner in owners:
        match = _match(owner, roster)
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
