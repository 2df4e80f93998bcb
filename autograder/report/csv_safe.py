"""Cells for CSV files that spreadsheets open as text and never run as a formula.

A student chooses names and comments, and `=HYPERLINK(...)` in one of them would be run on the instructor's machine
(https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import csv
import io
import re

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE | re.ASCII)
_FORMULA = re.compile(r"(^|[,;|\t\r\n])(?=[\s\ufeff\u200b'\"]*[=+\-@＝＋－＠])|^(?=[\t\r\n])")
"""Where a formula could begin: at the start, and behind what some spreadsheet takes for the end of a cell. Where the
decimal sign is a comma, cells end at semicolons, and quotes within one do not hold it together."""


_HARMLESS = re.compile(r"[-+@][\w.@-]*")
"""What does nothing even if it is taken for a formula: a call needs brackets, another program or file | or !."""


def neutral(text: str) -> str:
    """`text`, with an apostrophe before whatever a spreadsheet could take for a formula; numbers stay numbers."""
    text = text.replace("\0", "")
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'", text)


def matched(text: str) -> str:
    """`text` for a column by which another system finds somebody, letter by letter: only what could do harm is altered.

    An id such as "-abc" would lead to nobody with an apostrophe before it. A spreadsheet that takes it for a formula
    shows an error in that cell, and does nothing.
    """
    return text if _HARMLESS.fullmatch(text) else neutral(text)


def cell(text: str) -> str:
    """`text` as one cell of a CSV line: neutral, and in quotes where it needs them."""
    line = io.StringIO()
    csv.writer(line).writerow([neutral(text), ""])  # an empty cell alone would be written as two quotes
    return line.getvalue().removesuffix(",\r\n")
