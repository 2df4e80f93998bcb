"""Tells whose a notebook is from where it lies, as learning management systems name files and as people do.

`assign` looks at all files of a class at once: only then can be told a folder of students from a student's folder, and
which of a student's notebooks is the one to grade.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath

from autograder.beside import files_beside
from autograder.i18n import _
from autograder.nbgrader_plugins.archives import is_junk, shown

FORMS = [
    # Moodle: "Full Name_123456_assignsubmission_file_" as a folder, or before the file's own name. The number is
    # another one in every assignment.
    r"(?P<key>(?P<student>.+)_\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?",
    # Blackboard: "Assignment_userid_attempt_2026-11-01-12-00-00_nb.ipynb".
    r"(?P<key>.+_(?P<student>[^_]+))_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.+))?",
    # Canvas: "lastnamefirstname_LATE_12345_67890_nb.ipynb"; the first number is the user's.
    r"(?P<key>(?P<student>[^_]+)(?:_late)?_(?P<number>\d+))_\d+_(?P<file>.+)",
    # Sakai: a folder "Lastname, Firstname(userid)".
    r"(?P<key>[^,()]+,[^()]*\((?P<student>[^()]+)\))",
]
COPY = r"(?:[ _]?\(\d+\)|[-_ ]+copy ?\d*|のコピー|[-_ ]+コピー|-\d+)*"
"""What browsers, systems and Canvas add to the name of a file that they have met before."""

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
    """

    key: str
    student: str
    file: str = ""
    time: datetime | None = None


@dataclass(frozen=True)
class Choice:
    """A notebook to collect.

    Attributes:
        student: nbgrader's student id.
        notebook: the name of the assignment's notebook, without extension.
        time: when it was handed in, or None if the path does not say.
    """

    student: str
    notebook: str
    time: datetime | None


def assign(
    files: Iterable[Path], root: Path, notebooks: list[str], assignment: str, belongs: Callable[[Path], bool]
) -> tuple[dict[Path, Choice], list[str]]:
    """Which of `files`, all below `root`, are whose notebooks.

    Args:
        notebooks: names of the assignment's notebooks, without extension.
        belongs: whether the notebook in a file is one of the assignment's.

    Returns:
        The notebooks to collect, one for each student and each of the assignment's notebooks, and warnings.
    """
    files = [path for path in files if not is_junk(PurePath(path.relative_to(root)))]
    owners, warnings = find_owners({path: path.relative_to(root) for path in files}, notebooks, assignment)
    ids, renamed = student_ids(owners.values())
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
        chosen[best] = Choice(student, notebook, owners[best].time)
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


def _notebook_of(file: str, notebooks: list[str]) -> str | None:
    """The assignment's notebook that a file of this name should be: where there is one only, whatever the name."""
    if len(notebooks) == 1:
        return notebooks[0]
    named = [name for name in notebooks if re.search(rf"(?:^|[\W_]){re.escape(name)}{COPY}$", _plain(file))]
    return max(named, key=len, default=None)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def files_along(choices: dict[Path, Choice], root: Path, notebooks: list[str]) -> dict[Path, str]:
    """What the grader takes from beside the notebooks to collect: file -> student.

    Only in a folder that is one student's: where a file's name says whose it is, others there may be anybody's.
    """
    students: dict[Path, set[str]] = defaultdict(set)
    for path, choice in choices.items():
        students[path.parent].add(choice.student)

    def names_somebody(name: str) -> bool:
        return bool(owner_in(Path(name)) or _prefixed(Path(name).stem, notebooks))

    return {
        path.with_name(name): choice.student
        for path, choice in choices.items()
        if path.parent != root and len(students[path.parent]) == 1 and not names_somebody(path.name)
        for name in files_beside(path)
        if not names_somebody(name) and name.casefold() != TIMESTAMP
    }


# --- whose a path is --------------------------------------------------------------------------------------------------


def find_owners(paths: dict[Path, Path], notebooks: list[str], assignment: str) -> tuple[dict[Path, Owner], list[str]]:
    """Whose each file is.

    Args:
        paths: file -> its path below the folder of the class.
        notebooks: names of the assignment's notebooks, without extension.

    Returns:
        file -> owner, and warnings about files that could be anybody's.
    """
    owners = {path: owner for path, below in paths.items() if (owner := owner_in(below))}
    others = {path: below for path, below in paths.items() if path not in owners}
    by_place = _owners_by_place({p: b for p, b in others.items() if p.suffix == ".ipynb"}, notebooks, assignment)
    lost = [path for path in others if path.suffix == ".ipynb" and path not in by_place]
    warnings = [
        _("Nothing in the path {path} says whose it is; it was not collected.").format(path=shown(str(paths[path])))
        for path in lost
    ]
    return owners | by_place, warnings


def owner_in(path: Path) -> Owner | None:
    """The owner that a learning management system wrote into a path."""
    for part in path.parts:
        text = path.stem if part == path.name else part
        for form in FORMS:
            found = re.fullmatch(form, text, re.IGNORECASE | re.DOTALL)
            if found:
                groups = found.groupdict()
                number = groups.get("number")
                student = f"{groups['student']}_{number}" if number else groups["student"]
                time = _time(groups.get("time"))
                file = (groups.get("file") or "") if part == path.name else ""
                # Canvas's key leaves out whether it came late.
                return Owner(student if number else groups["key"], student.strip(), file, time)
    return None


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d-%H-%M-%S") if text else None
    except ValueError:
        return None


def _owners_by_place(paths: dict[Path, Path], notebooks: list[str], assignment: str) -> dict[Path, Owner]:
    """Owners by folders ("student/…/nb.ipynb") and prefixes ("student_nb.ipynb").

    A folder at the top is an archive: a class's, with students in its folders and prefixes, or one student's.
    """
    transparent = {assignment, "submitted"}
    folders = {path: [f for f in below.parts[:-1] if f not in transparent] for path, below in paths.items()}
    prefixes = {path: _prefixed(path.stem, notebooks) for path in paths}
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
        anybody = not students_inside or not _people(own, folders, prefixes)
        for path in own:
            if anybody:
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


def _prefixed(stem: str, notebooks: list[str]) -> Owner | None:
    """The student in "student_gradient_pathology", and in copies of that."""
    for name in sorted(notebooks, key=len, reverse=True):
        found = re.fullmatch(rf"(?P<student>.+?)[_\- ](?P<file>{re.escape(name)}{COPY})", stem, re.DOTALL)
        if found:
            return Owner(found["student"], found["student"], found["file"])
    return None


# --- students' ids ----------------------------------------------------------------------------------------------------


def student_ids(owners: Iterable[Owner]) -> tuple[dict[str, str], list[str]]:
    """Ids for nbgrader: safe as the name of a folder on every system, and no two people's the same.

    Returns:
        key -> id, and warnings about ids that are not what the path said.
    """
    keys_of: dict[str, set[str]] = defaultdict(set)
    for owner in owners:
        keys_of[owner.student].add(owner.key)
    ids, warnings, taken = {}, [], set()
    for student in sorted(keys_of, key=str.swapcase):  # small letters first: they keep their id beside capitals
        keys = sorted(keys_of[student])
        for key in keys:
            name = student if len(keys) == 1 else key
            safe = safe_id(name)
            if _plain(safe).casefold() in taken:
                safe = safe_id(name, all_of_it=True)
            taken.add(_plain(safe).casefold())
            ids[key] = safe
            if safe != name:
                warnings.append(_("The student {name} goes by the id {id} here.").format(name=shown(name), id=safe))
        if len(keys) > 1:
            warnings.append(
                _("More than one student is called {name}; they go by the ids {ids} here.").format(
                    name=shown(student), ids=", ".join(ids[key] for key in keys)
                )
            )
    return ids, warnings


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
