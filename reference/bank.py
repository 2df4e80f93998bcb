"""The bank: every known wrong and every right but unusual implementation, each written down once.

Each solution cell has a folder, `reference/<assignment>/<cell>/`, with `solution.py`, and beside it `mistakes.py` with
`mistakes.toml`, and `variants.py`. The code of a mistake is written on top of the reference: it shows the mistake
and nothing else. Its entry in the TOML file says which checks must fail, and what a student reads:

    [clip-root-forgotten]
    fails = ["clip_gradients.total_norm"]
    cause.en = "The sum of squares is used without its root."
    hint.en = "If every gradient doubles, by how much does your total_norm grow?"

What is an edit of the solution needs no Python: its entry, in any TOML file of the folder, has `edit`, text of
solution.py and what stands there instead, or `code`, another text of the cell. Without `fails` it is right:

    [clip-without-square-root]
    edit = {"np.sqrt(total)" = "total ** 0.5"}

The audit also judges a mistake without a cause, but students get no explanation for it. `touches` limits what one
mistake may cost: a third of an exercise for a "detail", the default; two thirds for its "core"; more only if nothing
works ("all").
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.checks.exercise import Implementation

FOLDER = Path(__file__).parent
CELL = "\n# %%\n"
"""The line of solution.py below which the cell's text stands."""
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
    """

    id: str
    solution: str
    implementation: Implementation
    fails: tuple[str, ...]
    cause: dict[str, str] = field(default_factory=dict)
    hint: dict[str, str] = field(default_factory=dict)
    pair: bool = False
    touches: str = "detail"


@dataclass(frozen=True)
class Variant:
    """One right but unusual implementation of the solution cell `solution`."""

    id: str
    solution: str
    implementation: Implementation


class Bank:
    """The mistakes of one solution cell; `@bank.add(id)` decorates the function or class that makes one.

    Raises:
        ValueError: a mistake has no entry in mistakes.toml.
    """

    def __init__(self, file: str, defines: str) -> None:
        """`file` is `__file__` of a module mistakes.py, and `defines` the name that the solution cell defines."""
        self._folder, self._defines = Path(file).parent, defines
        self._entries = tomllib.loads((self._folder / "mistakes.toml").read_text(encoding="utf-8"))
        self.mistakes: list[Mistake] = []

    def add(self, id: str) -> Callable[[Any], Any]:
        """Add a mistake."""
        if id not in self._entries:
            raise ValueError(f"{self._folder / 'mistakes.toml'} has no entry [{id}]")
        entry = self._entries[id]

        def register(code: Any) -> Any:
            about = entry | {"fails": tuple(entry["fails"])}
            self.mistakes.append(Mistake(id, self._folder.name, Implementation({self._defines: code}), **about))
            return code

        return register


def mistakes() -> list[Mistake]:
    """All known mistakes of all assignments."""
    found = [mistake for module in _modules("mistakes") for mistake in module.bank.mistakes]
    for id, cell, implementation, about in _edited():
        if "fails" in about:
            found.append(Mistake(id, cell, implementation, **about | {"fails": tuple(about["fails"])}))
    return found


def variants() -> list[Variant]:
    """All right but unusual implementations; a module variants.py has them in a dict, by id."""
    found = [
        Variant(name, Path(module.__file__).parent.name, Implementation({module.DEFINES: code}))
        for module in _modules("variants")
        for name, code in module.VARIANTS.items()
    ]
    return found + [Variant(id, cell, code) for id, cell, code, about in _edited() if "fails" not in about]


def edited(solution: str, edit: Mapping[str, str], code: str) -> str:
    """The text of solution.py with `code` as its cell ("" for its own), and with other text in some places.

    Raises:
        ValueError: what is to be replaced does not stand there, or more than once.
    """
    text = solution.partition(CELL)[0] + CELL + code if code else solution
    for old, new in edit.items():
        if text.count(old) != 1:
            raise ValueError(f"{old!r} stands {text.count(old)} times in the solution, not once")
        text = text.replace(old, new)
    return text


def slip(cell: str, edit: Mapping[str, str]) -> Implementation:
    """The solution of `cell` with other text in some places."""
    (path,) = FOLDER.glob(f"*/{cell}/solution.py")
    return _run(edited(path.read_text(encoding="utf-8"), edit, ""), cell)


def _edited() -> Iterator[tuple[str, str, Implementation, dict[str, Any]]]:
    """(id, solution cell, implementation, the rest of its entry) of all that are edits of a solution."""
    for path in sorted(FOLDER.glob("*/*/*.toml")):
        solution = path.with_name("solution.py").read_text(encoding="utf-8")
        for id, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if id not in TEXTS and isinstance(entry, dict) and entry.keys() & {"edit", "code"}:
                text = edited(solution, entry.pop("edit", {}), entry.pop("code", ""))
                yield id, path.parent.name, _run(text, id), entry


def _run(text: str, name: str) -> Implementation:
    namespace: dict[str, Any] = {}
    exec(compile(text, f"<{name}>", "exec"), namespace)
    return Implementation(namespace)


def _modules(name: str) -> list[Any]:
    paths = sorted(path.relative_to(FOLDER).with_suffix("") for path in FOLDER.glob(f"*/*/{name}.py"))
    return [importlib.import_module(".".join(("reference", *path.parts))) for path in paths]
