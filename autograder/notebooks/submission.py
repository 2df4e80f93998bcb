"""A student's notebook as data: which file it is, what the grader needs from it, and which cells have to run."""

from __future__ import annotations

import builtins
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autograder.checks.exercise import Exercise
from autograder.exercises import assignments, hand_graded
from autograder.locale import LANGUAGES, _
from autograder.notebooks.attachments import TIMESTAMP
from autograder.notebooks.cells import (
    CHECK_PREFIX,
    defined_by,
    grade_id_of,
    is_answered,
    metadata_of,
    names_in,
    recognise,
    released_cells_of,
    source_of,
    worth,
)
from autograder.notebooks.load import UnreadableNotebook, as_text, is_notebook_name, read_notebook

MAX_CANDIDATES = 20
"""The largest number of files that are searched for the submission."""

MAX_NAMED = 5
"""The largest number of files in a message about a folder without a notebook."""


@dataclass(frozen=True)
class Cell:
    """A code cell.

    Attributes:
        index: its place among all cells of the notebook.
        grade_id: nbgrader's name for it, or None.
        experiment: whether it is an unchanged demonstration of the lesson.
        shown: whether a person will look at it although it has no name.
    """

    index: int
    source: str
    grade_id: str | None
    experiment: bool
    shown: bool = False

    @property
    def is_check(self) -> bool:
        """Whether it is a test cell."""
        return self.grade_id is not None and self.grade_id.startswith(CHECK_PREFIX)


@dataclass(frozen=True)
class Submission:
    """What the grader needs from a notebook.

    Attributes:
        assignment: its name, such as "gradient-pathology", without the language edition.
        language: the edition's language, or None if the notebook does not say.
        exercises: those exercises of the assignment that are in the instructor's notebook, by the order of their test
            cells.
        missing: grade_ids of the assignment's cells that the notebook lacks.
        points: exercise id -> points.
        by_hand: grade_id -> points of the hand-graded cells.
    """

    assignment: str
    language: str | None
    exercises: tuple[Exercise, ...]
    cells: tuple[Cell, ...]
    missing: tuple[str, ...]
    points: dict[str, float] = field(default_factory=dict)
    by_hand: dict[str, float] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """What identifies this submission: the source of its code."""
        return "\0".join(cell.source for cell in self.cells).encode("utf-8", "replace")

    def check_cell(self, exercise: Exercise) -> Cell | None:
        """The test cell of `exercise`, or None."""
        return next((cell for cell in self.cells if cell.grade_id == CHECK_PREFIX + exercise.id), None)

    def showing(self, indices: Collection[int]) -> Submission:
        """The same submission, with the cells at `indices` marked for a person to look at."""
        cells = (replace(cell, shown=True) if cell.index in indices else cell for cell in self.cells)
        return replace(self, cells=tuple(cells))

    def is_looked_at(self, cell: Cell) -> bool:
        """Whether a person looks at the output of `cell` to grade it."""
        return cell.shown or cell.grade_id in self.by_hand

    def cells_to_run(self, looked_at: bool = True) -> list[Cell]:
        """The cells that a grader runs, top to bottom: all but test cells and experiments that nothing needs.

        Args:
            looked_at: False to leave out what only a person looks at, too; a cell stays if it defines a name that other
                cells use or define, or that an exercise asks for.
        """
        chosen: dict[int, Cell] = {}
        makers = _makers(cell for cell in self.cells if cell.experiment)
        made = set(dir(builtins))
        needed = [cell for cell in self.cells if not cell.experiment and not cell.is_check]
        later = [] if looked_at else [cell for cell in needed if self.is_looked_at(cell)]
        needed = [cell for cell in needed if cell not in later]
        concerned, found = {exercise.defines for exercise in self.exercises}, needed
        while found:
            concerned.update(*(name for cell in found for name in names_in(cell.source)))
            found = [cell for cell in later if not names_in(cell.source)[0].isdisjoint(concerned)]
            needed, later = needed + found, [cell for cell in later if cell not in found]
        while needed:
            chosen |= {cell.index: cell for cell in needed}
            names = [names_in(cell.source) for cell in needed]
            made.update(*(makes for makes, _uses in names))
            unresolved = set().union(*(uses for _makes, uses in names)) - made
            needed = [cell for name in unresolved for cell in makers.get(name, ()) if cell.index not in chosen]
        return [chosen[index] for index in sorted(chosen)]

    def names_behind(self, names: Iterable[str]) -> set[str]:
        """All names that code using `names` may reach, through the cells that define them."""
        makers = _makers(self.cells)
        found, new = set(), set(names)
        while new:
            found |= new
            cells = {cell.index: cell for name in new for cell in makers.get(name, ())}
            new = set().union(*(made | used for made, used in (names_in(c.source) for c in cells.values()))) - found
        return found


def submission_of(notebook: dict[str, Any], name: str) -> Submission:
    """The submission in `notebook`; `name` is for messages.

    Cells that have lost their marks are recognised by their ids and by the names that they define.

    Raises:
        UnreadableNotebook: it does not belong to an assignment of this kit.
    """
    edition = metadata_of(notebook, "autograder").get("assignment")
    marked = {grade_id_of(cell) for cell in notebook["cells"]}

    def is_told(each: tuple[str, tuple[Exercise, ...]]) -> tuple[bool, int]:
        return _is_edition_of(edition, each[0]), len(marked.intersection(_cells_of(each[1])))

    # First what the notebook and its cells say of themselves: any code may define a name that another assignment wants.
    for assignment, known in sorted(assignments().items(), key=is_told, reverse=True):
        wanted = _cells_of(known)
        grade_ids = [grade_id_of(cell) for cell in notebook["cells"]]
        for index, grade_id in recognise(notebook["cells"], wanted).items():
            grade_ids[index] = grade_id
        if set(grade_ids).intersection(wanted) or _is_edition_of(edition, assignment):
            points = _points_in(notebook, assignment)
            order = [*grade_ids, *hand_graded(assignment), *sorted(points)]
            by_hand = sorted(set(points).difference(wanted), key=order.index)
            exercises = [e for e in known if CHECK_PREFIX + e.id in points]
            return Submission(
                assignment,
                language_of(notebook),
                tuple(sorted(exercises, key=lambda e: order.index(CHECK_PREFIX + e.id))),
                tuple(_code_cells(notebook, grade_ids)),
                tuple(grade_id for grade_id in _cells_of(exercises) if grade_id not in grade_ids),
                {e.id: points[CHECK_PREFIX + e.id] for e in exercises},
                {name: points[name] for name in by_hand},
            )
    raise UnreadableNotebook(
        _(
            "{name} does not belong to any known assignment ({known}): none of its cells has the name of an "
            "exercise. Is it the right file? If you pasted cells into a new notebook, download the assignment again "
            "and paste your answers into its cells."
        ).format(name=name, known=", ".join(assignments()))
    )


def choose_notebook(folder: Path, name: str, wanted: Collection[str] = ()) -> tuple[Path | None, list[str]]:
    """The file of a submitted folder to grade: the first of `candidates_in`.

    Returns:
        The file, or None if there is no notebook; and notes on the choice for the instructor.
    """
    candidates = candidates_in(folder, name, wanted)
    return (candidates[0], notes_on_choice(folder, name, candidates)) if candidates else (None, [])


def candidates_in(folder: Path, name: str, wanted: Collection[str] = ()) -> list[Path]:
    """The files of a submitted folder that may be the submission, the likeliest first.

    All notebooks in the folder and one folder down, with any name. First come those that can be read, belong to an
    assignment, to this one, and are answered; among equals the newest, then `name`.ipynb. If none can be graded,
    `name`.ipynb is first, so that reading it says what is wrong. Links are never followed.

    Args:
        wanted: grade_ids of this assignment's cells; empty for any assignment.
    """
    found = notebooks_in(folder, name)
    if len(found) > 1:
        named = folder / f"{name}.ipynb"
        merits = {path: _merit(path, wanted) for path in found}
        found.sort(key=lambda path: (-merits[path], not merits[path] and path != named))
    return found


def notebooks_in(folder: Path, name: str) -> list[Path]:
    """The same files, unread and newest first; if there are too many, `name`.ipynb is among those returned."""

    def is_other(path: Path) -> bool:
        return path != folder / f"{name}.ipynb"

    def age(path: Path) -> tuple[float, bool, str]:
        return -path.lstat().st_mtime, is_other(path), str(path)

    found = sorted(_notebooks_in(folder), key=lambda path: (is_other(path), age(path)))[:MAX_CANDIDATES]
    return sorted(found, key=age)


def notes_on_choice(folder: Path, name: str, candidates: list[Path]) -> list[str]:
    """Notes on taking the first of the `candidates`; none if the choice is clear."""
    taken, *others = [as_text(path.relative_to(folder).as_posix()) for path in candidates]
    if others:
        note = _(
            "Several notebooks were handed in. Graded: {taken}. Not graded: {others}. The kit prefers notebooks that "
            "can be read, belong to this assignment and are answered, and takes the newest of these. Please check "
            "the choice."
        )
        return [note.format(taken=taken, others=", ".join(others))]
    if taken == f"{name}.ipynb":
        return []
    return [_("There is no {name}.ipynb; {taken} was used instead.").format(name=name, taken=taken)]


def no_notebook(folder: Path, name: str) -> str:
    """The message for a submitted folder without a notebook."""
    names = [_shown(entry) for entry in _visible(folder) if entry.name != TIMESTAMP]
    if not names:
        return _("The submission has no notebook. Hand in {name}.ipynb.").format(name=name)
    if len(names) > MAX_NAMED:
        names[MAX_NAMED:] = ["..."]
    return _("The submission has no notebook, only {files}. Hand in {name}.ipynb.").format(
        files=", ".join(names), name=name
    )


def language_of(notebook: dict[str, Any]) -> str | None:
    """The language of the edition, or None if the notebook does not say."""
    language = metadata_of(notebook, "autograder").get("language")
    return language if language in LANGUAGES else None


def digest(source: str) -> str:
    """A digest by which an unchanged experiment cell is recognised."""
    return hashlib.sha256(source.strip().encode("utf-8", "replace")).hexdigest()[:16]


def _code_cells(notebook: dict[str, Any], grade_ids: list[str | None]) -> Iterator[Cell]:
    for index, (cell, grade_id) in enumerate(zip(notebook["cells"], grade_ids, strict=True)):
        # A solution counts as code, whatever a slip of the keyboard made of its cell.
        if isinstance(cell, dict) and (cell.get("cell_type") == "code" or grade_id in defined_by()):
            source = source_of(cell)
            mark = metadata_of(cell, "autograder").get("experiment")
            yield Cell(index, source, grade_id, experiment=mark == digest(source))


def _cells_of(exercises: Iterable[Exercise]) -> list[str]:
    """grade_ids of the cells of `exercises`."""
    return list(dict.fromkeys(grade_id for e in exercises for grade_id in (e.solution, CHECK_PREFIX + e.id)))


def _points_in(notebook: dict[str, Any], assignment: str) -> dict[str, float]:
    """grade_id -> points: as the release says, otherwise from the kit and the cells."""
    released = {name: points for name, points in released_cells_of(notebook).items() if points is not None}
    if released:
        return released
    kit = {CHECK_PREFIX + e.id: float(e.points) for e in assignments()[assignment]} | hand_graded(assignment)
    marks = {grade_id_of(cell): worth(metadata_of(cell, "nbgrader").get("points")) for cell in notebook["cells"]}
    return kit | {name: points for name, points in marks.items() if name in kit and points is not None}


def _is_edition_of(edition: Any, assignment: str) -> bool:
    """Whether the notebook's own assignment name means `assignment`, in any language."""
    return edition in (assignment, *(f"{assignment}-{language}" for language in LANGUAGES))


def _makers(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """For each name, the `cells` that define it."""
    makers: dict[str, list[Cell]] = {}
    for cell in cells:
        for name in names_in(cell.source)[0]:
            makers.setdefault(name, []).append(cell)
    return makers


# --- which file of a folder is the submission -------------------------------------------------------------------------


def _notebooks_in(folder: Path) -> Iterator[Path]:
    """The notebooks in `folder` and one folder down, without copies that programs keep for themselves."""
    for entry in _visible(folder):
        inside = _visible(Path(entry)) if entry.is_dir(follow_symlinks=False) else [entry]
        yield from (
            Path(file) for file in inside if is_notebook_name(file.name) and file.is_file(follow_symlinks=False)
        )


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    try:
        found = [entry for entry in os.scandir(folder) if not entry.name.startswith((".", "__MACOSX"))]
    except OSError:
        return []
    return sorted(found, key=lambda entry: entry.name)


def _shown(entry: os.DirEntry[str]) -> str:
    name = as_text(entry.name)
    if entry.is_symlink():
        return _("{name} (a link)").format(name=name)
    return f"{name}/" if entry.is_dir(follow_symlinks=False) else name


def _merit(path: Path, wanted: Collection[str]) -> int:
    """A rank for a file: whether it belongs to an assignment, to that of `wanted`, and is answered."""
    try:
        notebook = read_notebook(path)
        submission = submission_of(notebook, path.name)
    except UnreadableNotebook:
        return 0
    if wanted and not any(cell.grade_id in wanted for cell in submission.cells):
        return 1
    return 3 if is_answered(notebook) else 2
