"""Known wrong implementations: what the checks are audited with, and what a failing student's cause is found by.

Each module holds those of one solution cell. A misconception is written on top of the reference, so that it shows the
mistake and nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autograder.exercises.exercise import Implementation


@dataclass(frozen=True)
class Misconception:
    """One known mistake.

    Attributes:
        id: a few words with dashes, unique.
        solution: grade_id of the solution cell it stands in.
        fails: the checks that must take points for it, as "exercise.check".
        cause: one sentence that says what was done, by language ("en", "ja").
        hint: one question that points to it and gives no formula, by language.
        implementation: the code.
        pair: whether it is two others at once.
    """

    id: str
    solution: str
    fails: tuple[str, ...]
    cause: dict[str, str]
    hint: dict[str, str]
    implementation: Implementation
    pair: bool = False


class Bank:
    """The misconceptions of one solution cell; `bank.add(...)` decorates the function or class that has the mistake."""

    def __init__(self, solution: str, defines: str) -> None:
        self.solution = solution
        self.defines = defines
        self.misconceptions: list[Misconception] = []

    def add(
        self, id: str, *, fails: tuple[str, ...], cause: tuple[str, str], hint: tuple[str, str], pair: bool = False
    ) -> Callable[[Any], Any]:
        """Add a mistake; `cause` and `hint` are pairs of English and Japanese."""

        def register(code: Any) -> Any:
            self.misconceptions.append(
                Misconception(
                    id,
                    self.solution,
                    fails,
                    dict(zip(("en", "ja"), cause, strict=True)),
                    dict(zip(("en", "ja"), hint, strict=True)),
                    Implementation({self.defines: code}),
                    pair,
                )
            )
            return code

        return register


def misconceptions() -> list[Misconception]:
    """All misconceptions of all modules in this folder."""
    found: list[Misconception] = []
    for info in pkgutil.iter_modules(__path__):
        found += importlib.import_module(f"{__name__}.{info.name}").bank.misconceptions
    return found
