"""Right solutions as syntax trees, and the wrong ones that operators make of them."""

from __future__ import annotations

import ast
import copy
import importlib
import linecache
import tomllib
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from autograder.checks.exercise import Implementation
from autograder.exercises import every_exercise
from autograder.layers import Linear
from reference.bank import FOLDER, folder_of
from reference.mutants.operators import OPERATORS, Change, Place

SHARED = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)
"""Of these there is one object in all trees."""

REFERENCE = "reference"
"""The style of the reference itself."""


@dataclass(frozen=True)
class Style:
    """One right solution of a cell.

    Attributes:
        id: "reference", or the id of a variant.
        defines, name: what the cell must define, and what that is called here.
        given: names of the functions that students are given, and which have no slips.
    """

    id: str
    solution: str
    defines: str
    name: str
    tree: ast.Module
    given: frozenset[str]


@dataclass(frozen=True)
class Mutant:
    """A right solution with one slip, or with several.

    Attributes:
        changes: the number of each node that is replaced, and the change.
    """

    style: Style
    changes: tuple[tuple[int, Change], ...]

    @property
    def change(self) -> Change:
        """The first slip."""
        return self.changes[0][1]

    @property
    def raises(self) -> bool:
        """Whether it raises an exception of its own in other cases than the right code."""
        new = [change.new if isinstance(change.new, list) else [change.new] for _number, change in self.changes]
        nodes = [node for nodes in new for node in nodes if node is not None]
        return any(isinstance(inner, ast.Raise) for node in nodes for inner in ast.walk(node))

    @cached_property
    def source(self) -> str:
        """The code."""
        new = {number: change.new for number, change in self.changes}
        tree = _Replace(new).visit(copy.deepcopy(self.style.tree))
        return ast.unparse(ast.fix_missing_locations(tree))

    def implementation(self) -> Implementation:
        """What the code defines.

        Raises:
            SyntaxError, TypeError, ValueError: the slip makes no program.
        """
        space: dict[str, Any] = {"__name__": "mutant", "Linear": Linear}
        cell = f"<mutant {zlib.crc32(self.source.encode())}>"
        lines = self.source.splitlines(keepends=True)
        linecache.cache[cell] = (len(self.source), None, lines, cell)  # errors tell their line, as in a notebook
        exec(compile(self.source, cell, "exec"), space)
        return Implementation({self.style.defines: space[self.style.name]})


def styles(solution: str) -> list[Style]:
    """The right solutions of a cell that slips are made in, the reference first; quantities.toml names the others."""
    folder = folder_of(solution)
    defines = next(exercise.defines for exercise in every_exercise() if exercise.solution == solution)
    text = (folder / "solution.py").read_text(encoding="utf-8")
    given = frozenset(_given(text))
    found = [Style(REFERENCE, solution, defines, defines, _needed(text, defines), given)]
    names = quantities(solution).get("styles", [])
    if names:
        variants = importlib.import_module(".".join(("reference", *folder.relative_to(FOLDER).parts, "variants")))
        text = Path(variants.__file__).read_text(encoding="utf-8")
    for name in names:
        own = variants.VARIANTS[name].__name__
        found.append(Style(name, solution, defines, own, _needed(text, own), given))
    return found


@cache
def quantities(solution: str) -> dict[str, Any]:
    """The content of a cell's quantities.toml: the names of its styles, and words for names in the code."""
    path = folder_of(solution) / "quantities.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def pair_styles(solution: str) -> list[str]:
    """The styles in which two slips are tried at once: the reference, unless quantities.toml names others."""
    return list(quantities(solution).get("pair_styles", [REFERENCE]))


def mutants(style: Style) -> Iterator[Mutant]:
    """All single slips in `style`, and those made wherever a function has a place for them. None comes twice."""
    seen: set[str] = set()
    alike: dict[Any, list[tuple[int, Change]]] = defaultdict(list)
    for place in _places(style):
        for operator in OPERATORS:
            for change in operator(place):
                number = place.node.number  # type: ignore[attr-defined]
                yield from _new(Mutant(style, ((number, change),)), seen)
                alike[change.operator, change.quantity, change.part, place.function].append((number, change))
    for places in alike.values():
        if len(places) > 1 and len(dict(places)) == len(places):
            yield from _new(Mutant(style, tuple(places)), seen)


def both(one: Mutant, other: Mutant) -> Mutant | None:
    """Two slips at once, or None if they are made in two styles, or one within the other."""
    if one.style is not other.style:
        return None
    inside = [
        {
            getattr(inner, "number", None)
            for number, _change in mutant.changes
            for inner in ast.walk(_node(one.style, number))
        }
        for mutant in (one, other)
    ]
    return None if inside[0] & inside[1] - {None} else replace(one, changes=(*one.changes, *other.changes))


def _new(mutant: Mutant, seen: set[str]) -> Iterator[Mutant]:
    with suppress(SyntaxError, ValueError, TypeError, AttributeError, RecursionError):
        source = mutant.source
        compile(source, "mutant", "exec")
        if source not in seen:
            seen.add(source)
            yield mutant


def _node(style: Style, number: int) -> ast.AST:
    return next(node for node in ast.walk(style.tree) if getattr(node, "number", None) == number)


def _given(solution: str) -> Iterator[str]:
    """Functions of the reference with no line of the solution."""
    lines = solution.splitlines()
    for node in ast.walk(ast.parse(solution)):
        if isinstance(node, ast.FunctionDef):
            body = lines[node.lineno - 1 : node.end_lineno]
            if not any("### BEGIN SOLUTION" in line for line in body):
                yield node.name


def _needed(module: str, name: str) -> ast.Module:
    """The definition of `name` and all that it needs of its module, without docstrings, every node numbered."""
    tree = ast.parse(module)
    defined: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            defined[node.targets[0].id] = node
    wanted, kept = [name], set()
    while wanted:
        word = wanted.pop()
        if word in defined and word not in kept:
            kept.add(word)
            wanted += [node.id for node in ast.walk(defined[word]) if isinstance(node, ast.Name)]
    imports = (ast.Import, ast.ImportFrom)
    tree.body = [node for node in tree.body if isinstance(node, imports) or node in [defined[word] for word in kept]]
    for number, node in enumerate(ast.walk(tree)):
        if not isinstance(node, SHARED):
            node.number = number  # type: ignore[attr-defined]
        body = getattr(node, "body", [])
        documented = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None
        if documented and len(body) > 1:
            del body[0]
    return tree


def _places(style: Style) -> Iterator[Place]:
    def walk(node: ast.AST, parents: tuple[ast.AST, ...], inside: bool) -> Iterator[Place]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                if child.name not in style.given:
                    for statement in child.body:
                        yield from visit(statement, (*parents, node, child), True)
            else:
                yield from visit(child, (*parents, node), inside)

    def visit(node: ast.AST, parents: tuple[ast.AST, ...], inside: bool) -> Iterator[Place]:
        if inside and not isinstance(node, (*SHARED, ast.FunctionDef)):
            yield Place(node, parents)
        if isinstance(node, ast.FunctionDef):
            for statement in node.body:
                yield from visit(statement, (*parents, node), True)
        else:
            yield from walk(node, parents, inside)

    yield from walk(style.tree, (), False)


class _Replace(ast.NodeTransformer):
    def __init__(self, new: dict[int, Any]) -> None:
        self._new = dict(new)

    def visit(self, node: ast.AST) -> Any:
        """Replace a node by its number; in what comes in its place may be others that are replaced."""
        number = getattr(node, "number", None)
        if number not in self._new:
            return self.generic_visit(node)
        new = copy.deepcopy(self._new.pop(number))
        if new is None:
            return ast.Pass() if isinstance(node, ast.stmt) else None
        if isinstance(new, list):
            return [self.visit(one) for one in new] or ast.Pass()
        return self.visit(new)
