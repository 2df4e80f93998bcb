"""Finds the owner of each file from its path.

It looks at all files of a class together: only then can it tell a folder of students from a student's folder, and which
system wrote the names. Students choose the names of their files, and of everything in their archives: these do not
count if a folder, an archive or a system names the owner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import yaml

from autograder.locale import _
from autograder.nbgrader_plugins.zip_collect.archives import MB, shown
from autograder.nbgrader_plugins.zip_collect.names import (
    STRICT,
    TEAMS,
    Owner,
    all_meant,
    by_person,
    by_system,
    says_nothing,
    system_of,
    told_apart,
    version_in,
)
from autograder.nbgrader_plugins.zip_collect.roster import NOBODY, Roster
from autograder.notebooks.load import plain_content

METADATA = "submission_metadata.yml"
"""What Gradescope puts beside folders with numbers for names: folder -> `:submitters`, a list with `:name`, `:sid` and
`:email`, and much on results. Ruby writes it."""
MAX_METADATA_BYTES = 64 * MB

_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # which knows text, lists and dicts alone


def find_owners(
    paths: dict[Path, Path], notebooks: list[str], assignment: str, roster: Roster = NOBODY
) -> tuple[dict[Path, Owner], list[str]]:
    """The owner of each file.

    Args:
        paths: file -> its path below the folder of the class.
        notebooks: names of the assignment's notebooks, without extension.
        roster: the students of the course.

    Returns:
        file -> owner, and warnings about files that could be anybody's.
    """
    tree = _Tree(paths, notebooks, assignment, roster)
    owners = tree.owners()
    unclear, warnings = tree.unclear(owners)
    warnings += [
        _("The path {path} does not say which student it belongs to; it was not collected.").format(
            path=shown(str(below))
        )
        for path, below in paths.items()
        if path.suffix == ".ipynb" and path not in owners
    ]
    owners = {
        path: replace(owner, system=TEAMS) if not owner.system and version_in(paths[path], owner.place) else owner
        for path, owner in owners.items()
        if path not in unclear
    }
    nobodys = {path: why for path, owner in owners.items() if (why := _why_nobodys(owner, roster))}
    warnings += [f"{shown(str(paths[path]))}: {why}" for path, why in nobodys.items() if path.suffix == ".ipynb"]
    warnings += _assumptions(owners[path] for path in owners if path not in nobodys)
    return {path: owner for path, owner in owners.items() if path not in nobodys}, warnings


def _why_nobodys(owner: Owner, roster: Roster) -> str:
    """Why a file with this owner is not collected, or ""."""
    if owner.others:
        reason = _("it may belong to any of {ids}; it was not collected.").format(ids=", ".join(owner.others))
    elif owner.system == "Gradescope" and owner.student == owner.key:
        reason = _(
            "its student is unknown: {file}, which Gradescope puts beside these folders, is missing or does not name "
            "a student. It was not collected."
        ).format(file=METADATA)
    elif owner.system in STRICT and roster.is_filled and not owner.found_in(roster):
        reason = _("{name} is not in the gradebook, or matches more than one student; it was not collected.")
        reason = reason.format(name=shown(owner.name or owner.student))
    else:
        return ""
    return f"{reason} " + _("Put the notebook into archive/ as <id in the gradebook>.ipynb and collect again.")


def _assumptions(owners: Iterable[Owner]) -> list[str]:
    read: dict[str, dict[str, str]] = defaultdict(dict)
    for owner in owners:
        if owner.assumed:
            read[owner.system][owner.key] = owner.student
    return [
        _("In {system}'s file names, the start of the user name is not certain. Assumed: {read}.").format(
            system=system, read=", ".join(f"{shown(key)} → {shown(student)}" for key, student in people.items())
        )
        for system, people in read.items()
    ]


class _Tree:
    """The paths of all files, without folders that say nothing.

    The owner is named at the top or, if a folder there is a class's archive, directly in that folder.
    """

    def __init__(self, paths: dict[Path, Path], notebooks: list[str], assignment: str, roster: Roster) -> None:
        self._paths, self._notebooks, self._roster = paths, notebooks, roster
        self._submitters = _submitters(paths)
        self._parts = {
            path: [
                *(
                    (place, part)
                    for place, part in enumerate(below.parts[:-1])
                    if part not in (assignment, "submitted") and not says_nothing(below, place)
                ),
                (len(below.parts) - 1, below.stem),
            ]
            for path, below in paths.items()
        }

    def owners(self) -> dict[Path, Owner]:
        """Owners from systems' names, from folders ("student/…/nb.ipynb") and from prefixes ("student_nb.ipynb")."""
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
        """Files in the folder of a student in the roster that could be a class's, and warnings.

        A section's name may be a student's number. If the path names one other person, the student may have chosen that
        name.
        """
        folders: dict[PurePath, list[Path]] = defaultdict(list)
        for path, owner in owners.items():
            below = self._paths[path]
            if not owner.system and owner.place < len(below.parts) - 1:
                folders[PurePath(*below.parts[: owner.place + 1])].append(path)
        unclear, warnings = set(), []
        for folder, paths in folders.items():
            match = owners[paths[0]].found_in(self._roster)
            if not match:
                continue
            named = {path: self._named_below(path, owners[path].place) for path in paths}
            others = {path: ", ".join(sorted(ids - {match.id})) for path, ids in named.items() if ids - {match.id}}
            if len(set().union(*named.values())) > 1:
                unclear.update(paths)
                warnings.append(
                    _(
                        "{folder} has the name of {student}, but files in it name other students, so it may belong "
                        "to a class: {paths}. Nothing in it was collected. If it belongs to a class, rename it."
                    ).format(
                        folder=shown(str(folder)),
                        student=match.id,
                        paths=", ".join(shown(str(self._paths[path])) for path in others),
                    )
                )
            else:
                warnings += [
                    _(
                        "{path} is in the folder of {student} and was collected as theirs, although it also names "
                        "{other}."
                    ).format(path=shown(str(self._paths[path])), student=match.id, other=other)
                    for path, other in others.items()
                ]
        return unclear, warnings

    def _named_below(self, path: Path, place: int) -> set[str]:
        """Ids of students in the roster whom the path names after `place`."""
        owners = [
            owner
            for here, part in self._parts[path]
            if here > place
            for owner in all_meant(part, here == len(self._paths[path].parts) - 1, self._notebooks, self._roster)
        ]
        return {match.id for owner in owners if (match := owner.found_in(self._roster))}

    def _owners_at(self, depth: int, paths: list[Path]) -> dict[Path, Owner]:
        """Owners from the names at this depth: as a system writes them, if most match, otherwise as people do."""
        here = {
            path: (*self._parts[path][depth], depth == len(self._parts[path]) - 1)
            for path in paths
            if depth < len(self._parts[path])
        }
        names = {part: is_file for path, (_place, part, is_file) in here.items() if path.suffix == ".ipynb"}
        system = system_of(names or {part: is_file for _place, part, is_file in here.values()})
        owners = {}
        if system:
            written = {path: by_system(system, part, is_file) for path, (_place, part, is_file) in here.items()}
            owners = told_apart({path: owner for path, owner in written.items() if owner}, self._roster)
        for path, (_place, part, is_file) in here.items():
            if path not in owners and path.suffix == ".ipynb":
                owner = by_person(part, self._notebooks, self._roster) if is_file else Owner(part, part)
                if owner:
                    owners[path] = owner
        owners = {path: replace(owner, place=here[path][0]) for path, owner in owners.items()}
        return {path: self._submitted(path, o) if o.system == "Gradescope" else o for path, o in owners.items()}

    def _submitted(self, path: Path, owner: Owner) -> Owner:
        """The owner of a file in a Gradescope folder, whose name is a number."""
        people = self._submitters.get(PurePath(*self._paths[path].parts[: owner.place + 1]), [])
        if len(people) > 1:
            return replace(owner, others=tuple(person.get("name") or person.get("sid", "") for person in people))
        for person in people:
            ids = [text for key in ("sid", "email", "name") if (text := person.get(key))]
            known = (text for text in ids if self._roster.find(text))
            return replace(owner, student=next(known, ids[0] if ids else owner.key), name=person.get("name", ""))
        return owner

    def _depth(self, paths: list[Path]) -> int:
        """The depth of student names in a top folder: below folders that contain everybody's work."""
        notebooks = [path for path in paths if path.suffix == ".ipynb"] or paths
        depth = 1
        while all(depth + 1 < len(self._parts[path]) for path in notebooks):
            names = {self._parts[path][depth][1] for path in notebooks}
            if len(names) > 1 or self._roster.find(*names) or system_of(dict.fromkeys(names, False)):
                break
            inside = self._owners_at(depth + 1, paths)
            if len({owner.key for owner in inside.values()}) < 2 and "Sakai" not in _systems(inside):
                break
            depth += 1
        return depth


def _systems(owners: dict[Path, Owner]) -> set[str]:
    return {owner.system for owner in owners.values()} - {""}


# --- Gradescope's export ----------------------------------------------------------------------------------------------


def _submitters(files: Mapping[Path, Path]) -> dict[PurePath, list[dict[str, str]]]:
    """Folder -> its submitters: their `name`, `sid` and `email`.

    Args:
        files: file -> its path below the folder of the class; the returned folders are relative to the same.
    """
    found: dict[PurePath, list[dict[str, str]]] = {}
    for path, below in files.items():
        if below.name == METADATA:
            found |= {PurePath(below.parent, folder): people for folder, people in _read_metadata(path).items()}
    return found


def _read_metadata(path: Path) -> dict[str, list[dict[str, str]]]:
    try:
        data = yaml.load(plain_content(path, MAX_METADATA_BYTES) or b"", Loader=_Loader)
    except (ValueError, RecursionError, yaml.YAMLError):
        return {}
    entries = data.items() if isinstance(data, dict) else ()
    return {str(folder): _people(entry) for folder, entry in entries}


def _people(entry: Any) -> list[dict[str, str]]:
    listed = entry.get(":submitters") if isinstance(entry, dict) else None
    people = [person for person in listed if isinstance(person, dict)] if isinstance(listed, list) else []
    return [
        {key: text.strip() for key in ("name", "sid", "email") if isinstance(text := person.get(f":{key}", ""), str)}
        for person in people
    ]
