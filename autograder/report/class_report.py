"""The files that `autograder report` writes."""

from __future__ import annotations

from pathlib import Path

from autograder.grading.records import ClassRecord
from autograder.report.class_page import class_page
from autograder.report.exports import write_exports


def write_report(record: ClassRecord, formats: tuple[str, ...], folder: Path) -> list[Path]:
    """Write each of `formats` ("html", or one of `write_exports`) into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_page(record, folder) if name == "html" else write_exports(record, name, folder) for name in formats]


def _page(record: ClassRecord, folder: Path) -> Path:
    target = folder / "report.html"
    target.write_text(class_page(record), encoding="utf-8", newline="\n")
    return target
