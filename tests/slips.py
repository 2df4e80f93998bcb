"""Slips in all styles, made once for all tests of a process: this takes long."""

from __future__ import annotations

from functools import cache

from reference.mutants.sources import Mutant, Style, mutants, styles


@cache
def styles_of(solution: str) -> list[Style]:
    """The right styles of a solution cell."""
    return styles(solution)


@cache
def mutants_in(style: Style) -> list[Mutant]:
    """All slips that can be made in `style`."""
    return list(mutants(style))
