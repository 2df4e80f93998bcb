"""Cells for CSV files that spreadsheets show as text and never run as a formula.

Students choose names and comments, and `=HYPERLINK(...)` in one of them would run on the instructor's machine
(https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import csv
import io
import re

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE | re.ASCII)
_FORMULA = re.compile(r"(^|[,;|\t\r\n])(?=[\s\ufeff\u200b'\"]*[=+\-@＝＋－＠])|^(?=[\t\r\n])")
"""Where a formula could begin: at the start, or after anything that some spreadsheet takes for the end of a cell. If
the decimal sign is a comma, cells end at semicolons, even within quotes."""


_HARMLESS = re.compile(r"[-+@][\w.@-]*")
"""Harmless even as a formula: a call needs brackets, another program or file needs | or !."""


def neutral(text: str) -> str:
    """`text`, with an apostrophe before anything that a spreadsheet could run as a formula; numbers stay numbers."""
    text = text.replace("\0", "")
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'", text)


def matched(text: str) -> str:
    """`text` for a column by which another system finds students, changed only if it could do harm.

    With an apostrophe before it, an id such as "-abc" would match nobody. A spreadsheet that takes it for a formula
    only shows an error.
    """
    return text if _HARMLESS.fullmatch(text) else neutral(text)


def cell(text: str) -> str:
    """`text` as one cell of a CSV line: neutral, and quoted if necessary."""
    line = io.StringIO()
    csv.writer(line).writerow([neutral(text), ""])  # an empty cell alone would be written as two quotes
    return line.getvalue().removesuffix(",\r\n")
