"""Reads a notebook file, with json: nbformat's import alone takes longer than a check may.

What comes back is nested dicts and lists with a list of cells, safe to write as UTF-8 again. Its cells may still be
odd; `autograder.mending` repairs them.
"""

from __future__ import annotations

import codecs
import json
import math
import re
import unicodedata
from pathlib import Path
from typing import Any

from autograder.i18n import _

MAX_NOTEBOOK_BYTES = 50 * 2**20
MAX_DEPTH = 100
"""How deep a notebook may be nested; plots that are stored as JSON reach about 30."""

MAX_BRACKETS = 1_000_000
"""How many lists and dicts a notebook may hold, brackets in its texts included: one of 3 bytes takes 70 in memory."""

MAX_DIGITS = 300
"""Integers longer than that mean nothing in a notebook; millions of digits would hold the reader up."""


class UnreadableNotebook(Exception):
    """There is no submission in this file; the message says why and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(as_text(message))


def as_text(name: str) -> str:
    """`name` with "?" for what is no character: files from another system may have names that are no UTF-8."""
    return name.encode("utf-8", "replace").decode("utf-8")


def folded(name: object) -> str:
    """A name as the pickiest file system compares it: case, width and composition make no difference."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", str(name)).casefold())


def read_notebook(path: Path) -> dict[str, Any]:
    """The notebook in `path`, of format 4: nested dicts and lists.

    Numbers that JSON does not have (NaN, 1e999) become None, and halves of characters "?".

    Raises:
        UnreadableNotebook: it is no readable notebook.
    """
    text = _read_text(path)
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise UnreadableNotebook(
            _("{path} holds more than a notebook should. Clear all outputs, save, and try again.").format(path=path)
        )
    notebook = _parse(text, path)
    if _depth(notebook) > MAX_DEPTH:
        raise UnreadableNotebook(
            _("{path} is nested too deeply for a notebook. Open it in Jupyter, save it, and try again.").format(
                path=path
            )
        )
    if isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list) and "cells" not in notebook:
        notebook = _from_format_3(notebook, path)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise UnreadableNotebook(
            _("{path} is no Jupyter notebook of format 4. {advice}").format(path=path, advice=_own_copy())
        )
    return notebook


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise UnreadableNotebook(_("{path} is no file. Hand in the notebook itself.").format(path=path))
        with path.open("rb") as file:
            content = file.read(MAX_NOTEBOOK_BYTES + 1)
    except OSError as error:
        raise UnreadableNotebook(
            _("{path} cannot be read: {reason}.").format(path=path, reason=error.strerror or error)
        ) from error
    if len(content) > MAX_NOTEBOOK_BYTES:
        raise UnreadableNotebook(
            _("{path} is larger than {limit} MB. Clear all outputs, save, and try again.").format(
                path=path, limit=MAX_NOTEBOOK_BYTES // 2**20
            )
        )
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableNotebook(
            _("{path} is no notebook: its content is not text in UTF-8. {advice}").format(path=path, advice=_own_copy())
        ) from error


def _own_copy() -> str:
    """What to do about a file that Jupyter cannot open either."""
    return _("Make sure that your own copy opens in Jupyter, and hand that in again.")


def _parse(text: str, path: Path) -> Any:
    if not text.strip():
        raise UnreadableNotebook(_("{path} is empty. {advice}").format(path=path, advice=_own_copy()))
    try:
        notebook = json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=lambda _name: None)
        if re.search(r"\\u[dD][89a-fA-F]", text):  # half of a character, unless the other half follows
            notebook = json.loads(json.dumps(notebook, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise UnreadableNotebook(
            _(
                "{path} is no notebook: its content is not JSON (it may be cut off, or another kind of file). {advice}"
            ).format(path=path, advice=_own_copy())
        ) from error
    return notebook


def _decimal(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _integer(text: str) -> int | None:
    return int(text) if len(text) <= MAX_DIGITS else None


def _depth(value: Any) -> int:
    """How deep `value` is nested, up to a little more than is allowed."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        children = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [child for values in children for child in values]
    return depth


def _from_format_3(notebook: dict[str, Any], path: Path) -> dict[str, Any]:
    """The notebook as IPython kept it until 2015, converted."""
    import nbformat

    try:
        return nbformat.convert(nbformat.from_dict({"metadata": {}, "nbformat_minor": 0, **notebook, "nbformat": 3}), 4)
    except Exception as error:  # nbformat has no common class for what it finds wrong
        raise UnreadableNotebook(
            _("{path} is damaged: {reason}. Open it in Jupyter, save it, and try again.").format(
                path=path, reason=str(error).split("\n")[0][:200]
            )
        ) from error
