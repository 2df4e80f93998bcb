"""The course library's own code as the lesson shows it: without docstrings and comments, which are in one language.

listing("Sigmoid")        the lines of that class or function in autograder/layers.py
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1] / "autograder" / "layers.py"


def listing(name: str) -> str:
    """The code of the class or function `name`, without `__repr__`. A method with only a docstring becomes `...`.

    Raises:
        ValueError: the library has no such class or function.
    """
    text = LIBRARY.read_text(encoding="utf-8")
    found = [node for node in ast.parse(text).body if getattr(node, "name", None) == name]
    if not found:
        raise ValueError(f"{LIBRARY.name} has no {name}")
    lines = _without_comments(text)
    for node in ast.walk(found[0]):
        if isinstance(node, ast.FunctionDef) and node.name == "__repr__":
            lines[node.lineno - 1 : node.end_lineno + 1] = [None] * (node.end_lineno + 2 - node.lineno)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            _remove_docstring(node, lines)
    code = "\n".join(line for line in lines[found[0].lineno - 1 : found[0].end_lineno] if line is not None)
    return re.sub(r":\n\n+", ":\n", code).strip()


def _remove_docstring(node: ast.ClassDef | ast.FunctionDef, lines: list[str | None]) -> None:
    docstring = node.body[0]
    first, last = docstring.lineno - 1, docstring.end_lineno
    lines[first:last] = [None] * (last - first)
    if len(node.body) == 1:
        lines[first] = " " * docstring.col_offset + "..."


def _without_comments(text: str) -> list[str | None]:
    """The lines of `text`; None for a line that is a comment and nothing else."""
    lines: list[str | None] = list(text.splitlines())
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = token.line[:column].rstrip() or None
    return lines
