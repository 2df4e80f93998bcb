"""`nbgrader export` with nbgrader's own columns, for spreadsheets: no cell is a formula, and no comma splits one."""

from __future__ import annotations

from typing import Any

from nbgrader.api import Gradebook
from nbgrader.plugins import CsvExportPlugin

from autograder.report.csv_safe import cell


class SafeCsvExport(CsvExportPlugin):
    """nbgrader's CSV file, safe with any names of students and assignments."""

    def export(self, gradebook: Gradebook) -> None:
        """Write the grades in `gradebook`."""
        super().export(_CellsOf(gradebook))


class _Cell(str):
    """Text that is formatted as a CSV cell but compares like the original."""

    def __format__(self, spec: str) -> str:
        return cell(str(self))


class _CellsOf:
    """A gradebook, assignment or student whose texts are cells."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._original, name)
        if name in ("assignments", "students"):
            return [_CellsOf(item) for item in value]
        return _Cell(value) if isinstance(value, str) else value
