"""Students' ids for nbgrader: those of the roster, and safe names for everybody else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from autograder.locale import _
from autograder.nbgrader_plugins.zip_collect.archives import shown
from autograder.nbgrader_plugins.zip_collect.names import Owner
from autograder.nbgrader_plugins.zip_collect.roster import NOBODY, Roster
from autograder.notebooks.file_names import safe_name
from autograder.notebooks.load import folded


def student_ids(owners: Iterable[Owner], roster: Roster = NOBODY) -> tuple[dict[str, str], list[str]]:
    """Ids for nbgrader: those of the roster, otherwise names that are safe as a folder; all different.

    Returns:
        key -> id, and warnings about ids that differ from the path, or are not in the roster.
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
        # Students graded earlier are in the gradebook under the id made then.
        keys = sorted(keys_of[student])
        for key in keys:
            made = [safe_name(key), *([safe_name(student)] if len(keys) == 1 and safe_name(student) != student else [])]
            known = next((id for id in made if id in roster.people and id not in ids.values()), None)
            if known:
                ids[key] = known
        new = [key for key in keys if key not in ids]
        for key in new:
            # Never reuse a roster id without a certain match.
            name = student if len(keys) == 1 and folded(safe_name(student)) not in reserved else key
            safe = safe_name(name)
            if folded(safe) in taken:
                safe = safe_name(name, all_of_it=True)
            taken.add(folded(safe))
            ids[key] = safe
            if safe != name:
                warnings.append(_("The student {name} has the id {id} here.").format(name=shown(name), id=safe))
        if len(keys) > 1 and new:
            warnings.append(
                _("More than one student has the name {name}; their ids here are {ids}.").format(
                    name=shown(student), ids=", ".join(ids[key] for key in keys)
                )
            )
        if roster.people:
            warnings += [
                _(
                    "{id} is not in the gradebook. If the student is there under another id, put the notebook into "
                    "archive/ as <id in the gradebook>.ipynb and collect again."
                ).format(id=ids[key])
                for key in new
            ]
    return ids, warnings


def _ids_in_roster(owners: Iterable[Owner], roster: Roster) -> dict[str, str]:
    """key -> id, for certain matches in the roster.

    A system separates its users, so two of them never become one student because of a name: names are not unique, and
    in Moodle students may change them.
    """
    found: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for owner in owners:
        match = owner.found_in(roster)
        if match and safe_name(match.id) == match.id:
            found[owner.system, match.id][owner.key] = match.by_id and owner.name != owner.student
    ids: dict[str, str] = {}
    for (_system, id), certain in found.items():
        by_id = [key for key, told in certain.items() if told]
        if by_id or len(certain) == 1:
            ids |= dict.fromkeys(by_id or certain, id)
    return ids
