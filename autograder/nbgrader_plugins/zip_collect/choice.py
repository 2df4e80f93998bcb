"""Chooses a student's files to collect: one for each notebook of the assignment, and the files beside it."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from autograder.locale import _
from autograder.nbgrader_plugins.zip_collect.archives import Packed, is_junk, shown
from autograder.nbgrader_plugins.zip_collect.ids import student_ids
from autograder.nbgrader_plugins.zip_collect.names import COPY, TEAMS, Owner, all_meant, version_in
from autograder.nbgrader_plugins.zip_collect.owners import find_owners
from autograder.nbgrader_plugins.zip_collect.roster import NOBODY, Roster
from autograder.notebooks.attachments import TIMESTAMP, files_beside
from autograder.notebooks.cells import CHECK_PREFIX, grade_id_of, recognise, source_of
from autograder.notebooks.file_names import safe_name
from autograder.notebooks.submission import UnreadableNotebook, read_notebook


@dataclass(frozen=True)
class Choice:
    """A notebook to collect.

    Attributes:
        student: nbgrader's student id.
        notebook: the name of the assignment's notebook, without extension.
        time: the submission time, or None if neither the path nor the archive says it; in names without a time zone.
        in_own_folder: whether it is in the student's own folder.
    """

    student: str
    notebook: str
    time: datetime | None
    in_own_folder: bool


def assign(
    files: Iterable[Path],
    root: Path,
    notebooks: list[str],
    assignment: str,
    worth: Callable[[Path], Any],
    roster: Roster = NOBODY,
    packed: Mapping[Path, Packed] = MappingProxyType({}),
) -> tuple[dict[Path, Choice], list[str]]:
    """The notebook files of each student among `files`, all below `root`.

    Args:
        notebooks: names of the assignment's notebooks, without extension.
        worth: rates a file as a notebook of the assignment; the best one counts.
        roster: the students of the course.
        packed: file -> what its archive says about it.

    Returns:
        The notebooks to collect, one per student and notebook of the assignment, and warnings.
    """
    files = [path for path in files if not is_junk(path.relative_to(root))]
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
                    _("{path} is not a notebook of this assignment ({notebooks}); it was not collected.").format(
                        path=shown(str(path)), notebooks=", ".join(notebooks)
                    )
                )
            else:
                candidates[ids[owner.key], notebook].append(path)
                without.pop(ids[owner.key], None)
    for student, path in without.items():
        warnings.append(_("{student} submitted {path} but no notebook.").format(student=student, path=shown(path.name)))
    chosen = {}
    for (student, notebook), paths in candidates.items():
        by_hand = [path for path in paths if path.parent == root and owners[path] == Owner(student, student)]
        if len({(owners[path].system, owners[path].student) for path in paths}) > 1 and not by_hand:
            warnings.append(
                _(
                    "{paths} name {student} in different ways and may come from two people; none was collected. Put "
                    "the right one into archive/ as {student}.ipynb and collect again."
                ).format(paths=_listed(paths, root), student=student)
            )
            continue
        best = _best(by_hand or paths, root, owners, notebook, worth)
        owner = owners[best]
        in_own_folder = owner.place < len(best.relative_to(root).parts) - 1
        chosen[best] = Choice(student, notebook, owner.time or _time(packed.get(best), owner), in_own_folder)
        if len(paths) > 1:
            left = _listed((path for path in paths if path != best), root)
            warnings.append(
                _("{student} submitted more than one notebook: {path} was collected, {left} was not.").format(
                    student=student, path=shown(str(best.relative_to(root))), left=left
                )
            )
    return chosen, warnings


def _listed(paths: Iterable[Path], root: Path) -> str:
    return ", ".join(shown(str(path.relative_to(root))) for path in paths)


def _best(
    paths: list[Path], root: Path, owners: dict[Path, Owner], notebook: str, worth: Callable[[Path], Any]
) -> Path:
    """The best of one student's files: by content, then by submission time, then by name."""
    if len(paths) == 1:
        return paths[0]

    def merits(path: Path) -> tuple[Any, ...]:
        owner = owners[path]
        version = version_in(path.relative_to(root), owner.place) if owner.system == TEAMS else 0
        time = owner.time.timestamp() if owner.time else path.stat().st_mtime
        return worth(path), version, time, (owner.file or path.stem) == notebook

    return max(paths, key=merits)


def _time(packed: Packed | None, owner: Owner) -> datetime | None:
    """The submission time in the class's archive.

    In their own archives, students set the time. In Canvas's, it is that of the download (instructure/canvas-lms,
    lib/content_zipper.rb), on a server in another time zone, so it may differ from the archive's own date.
    """
    if packed is None or owner.system == "Canvas" or owner.place < len(packed.folder.parts):
        return None
    return datetime.fromtimestamp(packed.time, UTC)


def _notebook_of(file: str, notebooks: list[str]) -> str | None:
    """The notebook of the assignment that a file of this name should be; if there is only one, any name will do."""
    if len(notebooks) == 1:
        return notebooks[0]
    plain = unicodedata.normalize("NFKC", file)
    named = [name for name in notebooks if re.search(rf"(?:^|[\W_]){re.escape(name)}{COPY}$", plain)]
    return max(named, key=len, default=None)


def files_along(choices: dict[Path, Choice], notebooks: list[str], roster: Roster = NOBODY) -> dict[Path, str]:
    """The files beside the notebooks to collect that the grader takes: file -> student.

    Only from a student's own folder: where file names identify the student, other files may be anybody's.
    """
    students: dict[Path, set[str]] = defaultdict(set)
    for path, choice in choices.items():
        students[path.parent].add(choice.student)

    def names_a_stranger(path: Path, student: str) -> bool:
        return any(
            (match.id if (match := owner.found_in(roster)) else safe_name(owner.student)) != student
            for owner in all_meant(path.stem, True, notebooks, roster)
        )

    return {
        path.with_name(name): choice.student
        for path, choice in choices.items()
        if choice.in_own_folder and len(students[path.parent]) == 1 and not names_a_stranger(path, choice.student)
        for name in files_beside(path)
        # No student says when something was handed in.
        if not names_a_stranger(path.with_name(name), choice.student) and name.casefold() != TIMESTAMP
    }


# --- which of them is the notebook of the assignment ------------------------------------------------------------------


class Released:
    """The notebooks of an assignment as released or, without a release, as the instructor has them.

    Args:
        paths: the notebooks; unreadable ones are left out.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._sources: dict[str, str] = {}
        for path in paths:
            try:
                self._sources |= _graded(read_notebook(path)["cells"])
            except UnreadableNotebook:
                continue

    def worth(self, path: Path) -> tuple[bool, int, bool]:
        """The quality of the file `path` as a notebook of the assignment; greater is better.

        Returns:
            Whether it is a notebook; 2 if it has at least half of the assignment's graded cells, 1 if it has some,
            otherwise 0; and whether one of these differs from the release.
        """
        try:
            notebook = read_notebook(path)
        except UnreadableNotebook:
            return False, 0, False
        found = _graded(notebook["cells"], self._sources)
        mine = found.keys() & self._sources.keys()
        belonging = (len(mine) > 0) + (2 * len(mine) >= len(self._sources))
        return True, belonging, any(found[name] != self._sources[name] for name in mine)


def _graded(cells: list[Any], wanted: Iterable[str] = ()) -> dict[str, str]:
    """grade_id -> text of marked cells, and of cells that lost their mark and are among `wanted`."""
    lost = recognise(cells, wanted)
    names = {index: grade_id_of(cell) or lost.get(index) for index, cell in enumerate(cells)}
    return {
        name: "" if name.startswith(CHECK_PREFIX) else source_of(cells[index]).strip()
        for index, name in names.items()
        if name and isinstance(cells[index], dict)
    }
