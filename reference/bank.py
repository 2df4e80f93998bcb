"""The bank: every known wrong and every right but unusual implementation, each written down once.

Each solution cell has a folder, `reference/<assignment>/<cell>/`, with `solution.py`, and beside it `mistakes.toml`. A
mistake is an edit of the solution: it shows the mistake and nothing else. Its entry says what text of solution.py is
replaced, each standing there once, which checks must fail, and what a student reads:

    [clip-root-forgotten]
    edit = {"np.sqrt(sum(np.sum(g**2) for g in gradients))" = "sum(np.sum(g**2) for g in gradients)"}
    fails = ["clip_gradients.total_norm"]
    cause.en = "The sum of squares is used without its root."
    hint.en = "If every gradient doubles, by how much does your total_norm grow?"

Longer edits stand one below the other, as `edit."old" = "new"`. Where edits say too little, `code` is another text of
the whole cell. An entry without `fails`, in any TOML file of the folder (the lesson's own are in variants.toml), is
right:

    [clip-without-square-root]
    edit = {"np.sqrt(total)" = "total ** 0.5"}

Right answers that share little with the solution are the public functions or classes of `variants.py`.

The audit also judges a mistake without a cause, but students get no explanation for it. `touches` limits what one
mistake may cost: a third of an exercise for a "detail", the default; two thirds for its "core"; more only if nothing
works ("all").
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.checks.exercise import Implementation
from autograder.exercises import every_exercise
from autograder.grading.private import Disagreement
from autograder.grading.reference import CELL

FOLDER = Path(__file__).parent
TEXTS = ("prose", "words")
"""Tables of a TOML file that hold no implementations, but translations, see source/translation.py."""


@dataclass(frozen=True)
class Mistake:
    """One known mistake.

    Attributes:
        id: a few words with dashes, unique.
        solution: grade_id of its solution cell.
        implementation: the code.
        fails: the checks that must fail for it, as "exercise.check".
        cause: one sentence that says what the student did, by language ("en", "ja").
        hint: one question that leads to it without giving a formula, by language.
        pair: whether it combines two others.
        touches: "detail", "core" or "all" of an exercise.
        edit: what it replaces in the solution, if it is made there.
    """

    id: str
    solution: str
    implementation: Implementation
    fails: tuple[str, ...]
    cause: dict[str, str] = field(default_factory=dict)
    hint: dict[str, str] = field(default_factory=dict)
    pair: bool = False
    touches: str = "detail"
    edit: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """One right but unusual implementation of the solution cell `solution`."""

    id: str
    solution: str
    implementation: Implementation


def mistakes() -> list[Mistake]:
    """All known mistakes of all assignments, in the order of their entries."""
    return [
        Mistake(id, cell, implementation, **about | {"fails": tuple(about["fails"])})
        for id, cell, implementation, about in _edited()
        if "fails" in about
    ]


def public(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """By name, the functions and classes of a module; what they need for themselves begins with an underscore."""
    return {
        name: value
        for name, value in namespace.items()
        if getattr(value, "__module__", None) == namespace["__name__"] and not name.startswith("_")
    }


def variants() -> list[Variant]:
    """All right but unusual implementations."""
    defines = {exercise.solution: exercise.defines for exercise in every_exercise()}
    found = []
    for path in sorted(FOLDER.glob("*/*/variants.py")):
        cell = path.parent.name
        module = importlib.import_module(f"reference.{path.parent.parent.name}.{cell}.variants")
        found += [Variant(id, cell, Implementation({defines[cell]: code})) for id, code in module.VARIANTS.items()]
    return found + [Variant(id, cell, code) for id, cell, code, about in _edited() if "fails" not in about]


def edited(solution: str, edit: Mapping[str, str], code: str) -> str:
    """The text of solution.py with `code` as its cell ("" for its own), and with other text in some places.

    Raises:
        Disagreement: what is to be replaced does not stand there, or more than once.
    """
    text = solution.partition(CELL)[0] + CELL + code if code else solution
    for old, new in edit.items():
        if text.count(old) != 1:
            raise Disagreement(f"{old!r} stands {text.count(old)} times in solution.py, not once")
        text = text.replace(old, new)
    return text


def slip(cell: str, edit: Mapping[str, str]) -> Implementation:
    """The solution of `cell` with other text in some places."""
    path = folder_of(cell) / "solution.py"
    try:
        return _run(edited(path.read_text(encoding="utf-8"), edit, ""), cell)
    except Disagreement as error:
        raise Disagreement(f"a right variant of {cell}: {error}") from error


def both(one: Mistake, other: Mistake) -> Implementation | None:
    """Two mistakes at once, or None if they are not made in the solution, or one in what the other replaces."""
    if not one.edit or not other.edit:
        return None
    text = (folder_of(one.solution) / "solution.py").read_text(encoding="utf-8")
    with suppress(Disagreement, SyntaxError):
        return _run(edited(edited(text, one.edit, ""), other.edit, ""), f"{one.id} and {other.id}")
    return None


def folder_of(cell: str) -> Path:
    """The folder of a solution cell."""
    (folder,) = FOLDER.glob(f"*/{cell}")
    return folder


def _edited() -> Iterator[tuple[str, str, Implementation, dict[str, Any]]]:
    """(id, solution cell, implementation, the rest of its entry) of all that are edits of a solution."""
    for path in sorted(FOLDER.glob("*/*/*.toml")):
        solution = path.with_name("solution.py").read_text(encoding="utf-8")
        for id, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if id not in TEXTS and isinstance(entry, dict) and entry.keys() & {"edit", "code"}:
                code = entry.pop("code", "")
                try:
                    text = edited(solution, entry.get("edit", {}), code)
                except Disagreement as error:
                    raise Disagreement(f"[{id}] in {path.relative_to(FOLDER.parent)}: {error}") from error
                about = {key: value for key, value in entry.items() if not (code and key == "edit")}
                yield id, path.parent.name, _run(text, id), about


def _run(text: str, name: str) -> Implementation:
    namespace: dict[str, Any] = {}
    exec(compile(text, f"<{name}>", "exec"), namespace)
    return Implementation(namespace)
