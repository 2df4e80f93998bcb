"""Which cell of an open notebook a definition came from, and what became of that cell, as far as IPython knows."""

from __future__ import annotations

import difflib
import inspect
import linecache
import re
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any

from autograder.locale import _
from autograder.notebooks.cells import defined_by
from autograder.notebooks.undefined import cells_run, last_error_of

_DEFINITION = re.compile(r"(?m)^(?:def|class)\s+(\w+)")

ALIKE = 0.6
"""Two texts that are more alike than this are versions of one cell; two names, one name and a slip or a new idea."""


def judged(name: str, namespace: Mapping[str, Any], stubs: Sequence[str] = ()) -> str:
    """A sentence about the cell that defines `name` in this session; "" outside IPython or if nothing is known.

    Args:
        stubs: that cell as released, in each edition.
    """
    cells = {n: text.strip() for n, text in enumerate(cells_run(namespace))}
    if not cells:
        return ""
    try:
        source = _source_of(namespace[name]) if name in namespace else ""
    except Exception:  # an odd object of the student's that raises when it is looked at
        return ""
    number = max((n for n, text in cells.items() if source and text == source), default=None)
    later = {n: text for n, text in cells.items() if n > (number or 0)}
    said = [_("Judged: `{name}` from cell [{number}].").format(name=name, number=number)] if number else []
    if name not in namespace or number:
        said += _newer_version(name, source, later, stubs)
    return " ".join(said)


def _newer_version(name: str, source: str, later: Mapping[int, str], stubs: Sequence[str]) -> Iterator[str]:
    """What the newest version of the cell does in place of defining `name`."""
    for n, text in sorted(later.items(), reverse=True):
        defined = _DEFINITION.findall(text)
        if source and name in defined and last_error_of(text):
            yield _("Cell [{number}] ended with an error, so its `{name}` does not count.").format(number=n, name=name)
            return
        wanted = defined_by().values()
        others = [other for other in defined if other not in wanted and _are_alike(other.lower(), name.lower())]
        if name in defined or not others:
            continue
        renamed = re.sub(rf"\b{others[0]}\b", name, text)
        if _are_alike(renamed.splitlines(), source.splitlines()) if source else _begins_as(name, renamed, stubs):
            yield _("Cell [{number}] defines `{other}`; the exercise needs `{name}`.").format(
                number=n, other=others[0], name=name
            )
            return


def _begins_as(name: str, text: str, stubs: Sequence[str]) -> bool:
    """Whether `text` defines `name` with the first line of a stub; True where there is none to compare with."""
    first = re.compile(rf"(?m)^(?:def|class)\s+{name}\b[^:]*")
    found, known = first.search(text), [match[0] for match in map(first.search, stubs) if match]
    return not known or found is not None and found[0] in known


def _are_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() > ALIKE


def _source_of(value: Any) -> str:
    """The text of the cell that made a function or class; "" if it is not known."""
    made = [value] if not isinstance(value, type) else vars(value).values()
    for function in map(inspect.unwrap, made):
        code = function.__code__ if type(function) is FunctionType else None
        if type(code) is CodeType and (value is function or function.__qualname__.startswith(value.__qualname__)):
            return "".join(linecache.getlines(code.co_filename)).strip()
    return ""
