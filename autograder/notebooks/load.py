"""Reads a notebook file with json, because importing nbformat takes longer than a check may.

The result is nested dicts and lists with a list of cells, safe to write as UTF-8. Its cells may still be malformed;
`autograder.notebooks.repair` repairs them.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import math
import os
import re
import stat
import unicodedata
from pathlib import Path
from typing import Any

from autograder.locale import _

MAX_NOTEBOOK_BYTES = 50 * 2**20
MAX_DEPTH = 100
"""The deepest nesting of a notebook; plots stored as JSON reach about 30."""

MAX_BRACKETS = 1_000_000
"""How many lists and dicts a notebook may hold, brackets in its texts included: one of 3 bytes takes 70 in memory."""

MAX_DIGITS = 300
"""Integers longer than that mean nothing in a notebook; millions of digits would hold the reader up."""


_NOTEBOOK_NAME = re.compile(r"\.ipynb(?:\.(?:json|txt))?\Z", re.IGNORECASE)
"""The end of a notebook's name; browsers add their own extension."""

_CONFLICT_BEGINS, _CONFLICT_ENDS = re.compile(r"(?m)^<{7}\s"), re.compile(r"(?m)^>{7}\s")


class UnreadableNotebook(Exception):
    """This file is not a submission; the message says why and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(as_text(message))


def as_text(name: str) -> str:
    """`name` with "?" for invalid characters: files from other systems may have names that are not UTF-8."""
    return name.encode("utf-8", "replace").decode("utf-8")


def folded(name: object) -> str:
    """A name as the least strict file system compares it: without case, width and composition."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", str(name)).casefold())


def is_notebook_name(name: str) -> bool:
    """Whether a file of this name is a notebook, with any spelling of the extension."""
    return _NOTEBOOK_NAME.search(name.rstrip(". ")) is not None


def plain_content(path: Path, most_bytes: int) -> bytes | None:
    """The content of `path`; None if it is too large or no longer a plain file."""
    try:
        # A file may become a link or a pipe a moment later.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            content = file.read(most_bytes + 1)
    except OSError:
        return None
    return content if len(content) <= most_bytes else None


def encodings(content: bytes, *more: str) -> tuple[str, ...]:
    """How a text may be encoded, the likeliest first: UTF-8, or what programs on Windows write, UTF-16 and Shift-JIS.

    Args:
        more: what it may be besides, where nothing at its beginning tells.
    """
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return ("utf-32",)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    start = content.rstrip(b"\0")[:4]
    even, odd = 0 in start[::2], 0 in start[1::2]
    if even != odd:  # UTF-16 without a mark: one of the first two characters is in ASCII
        return ("utf-16-be",) if even else ("utf-16-le",)
    return ("utf-8", "cp932", *more)


def decoded(content: bytes) -> str:
    """The text in `content`, in one of its `encodings`.

    Raises:
        UnicodeDecodeError: it is in none of these.
    """
    likeliest, *others = encodings(content)
    for name in (likeliest, *others):
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode(name).removeprefix("\ufeff").rstrip("\0")
    return content.decode(likeliest)  # which raises


def read_notebook(path: Path) -> dict[str, Any]:
    """The notebook in `path`, of format 4: nested dicts and lists.

    Numbers that JSON does not have (NaN, 1e999) become None, and half characters "?".

    Raises:
        UnreadableNotebook: it is not a readable notebook.
    """
    text = _read_text(path)
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise UnreadableNotebook(
            _("{path} contains too much data for a notebook. Clear all outputs, save, and try again.").format(path=path)
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
            _("{path} is not a Jupyter notebook of format 4. {advice}").format(path=path, advice=_own_copy())
        )
    return notebook


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait
            raise UnreadableNotebook(_("{path} is not a file. Hand in the notebook itself.").format(path=path))
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
    try:
        return decoded(content)
    except UnicodeDecodeError as error:
        raise UnreadableNotebook(
            _("{path} is not a notebook: its content is not UTF-8 text. {advice}").format(path=path, advice=_own_copy())
        ) from error


def _own_copy() -> str:
    """Advice for a file that Jupyter cannot open either."""
    return _("Make sure that your own copy opens in Jupyter, then hand it in again.")


def _parse(text: str, path: Path) -> Any:
    if not text.strip():
        raise UnreadableNotebook(_("{path} is empty. {advice}").format(path=path, advice=_own_copy()))
    try:
        notebook = json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=lambda _name: None)
        if re.search(r"\\u[dD][89a-fA-F]", text):  # half of a character, unless the other half follows
            notebook = json.loads(json.dumps(notebook, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        conflict = _CONFLICT_BEGINS.search(text)
        if conflict and _CONFLICT_ENDS.search(text, conflict.end()):
            line = text.count("\n", 0, conflict.start()) + 1
            raise UnreadableNotebook(
                _(
                    "{path} has Git conflict markers, the first in line {line} (<<<<<<<). Choose one of the two "
                    "versions, make sure that it opens in Jupyter, then hand it in again."
                ).format(path=path, line=line)
            ) from error
        raise UnreadableNotebook(
            _(
                "{path} is not a notebook: its content is not JSON (it may be cut off, or another kind of file). "
                "{advice}"
            ).format(path=path, advice=_own_copy())
        ) from error
    return notebook


def _decimal(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _integer(text: str) -> int | None:
    return int(text) if len(text) <= MAX_DIGITS else None


def _depth(value: Any) -> int:
    """The nesting depth of `value`, counted to slightly more than is allowed."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        children = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [child for values in children for child in values]
    return depth


def _from_format_3(notebook: dict[str, Any], path: Path) -> dict[str, Any]:
    """A notebook in the IPython format used until 2015, converted."""
    import nbformat

    try:
        return nbformat.convert(nbformat.from_dict({"metadata": {}, "nbformat_minor": 0, **notebook, "nbformat": 3}), 4)
    except Exception as error:  # nbformat has no common class for its errors
        raise UnreadableNotebook(
            _("{path} is damaged: {reason}. Open it in Jupyter, save it, and try again.").format(
                path=path, reason=str(error).split("\n")[0][:200]
            )
        ) from error
