"""The files that `autograder report` writes."""

from __future__ import annotations

from pathlib import Path

from autograder.report.class_page import class_page
from autograder.report.class_record import ClassRecord
from autograder.report.exports import gradescope_files, write_exports

FILES = {
    "html": "report.html",
    "canvas": "canvas.csv",
    "moodle": "moodle.csv",
    "gradescope": "gradescope",
    "junit": "junit.xml",
}
"""Format -> the file or folder it is written to."""


def formats_in(folder: Path) -> tuple[str, ...]:
    """The formats that an earlier report wrote into `folder`."""
    return tuple(name for name, file in FILES.items() if (folder / file).exists())


def not_renewed(record: ClassRecord, formats: tuple[str, ...], folder: Path) -> list[str]:
    """Files in `folder` from an earlier report that are not of `formats`, or belong to students without a score now."""
    old = [FILES[name] for name in formats_in(folder) if name not in formats]
    if "gradescope" in formats:
        results = folder / FILES["gradescope"]
        gone = {path.name for path in results.glob("*.json")} - set(gradescope_files(record).values())
        old += [f"{results.name}/{name}" for name in sorted(gone)]
    return old


def write_report(record: ClassRecord, formats: tuple[str, ...], folder: Path) -> list[Path]:
    """Write each of `formats` ("html", or one of `write_exports`) into `folder`, which is made if necessary."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _page(record, folder / FILES[name]) if name == "html" else write_exports(record, name, folder / FILES[name])
        for name in formats
    ]


def _page(record: ClassRecord, target: Path) -> Path:
    target.write_text(class_page(record), encoding="utf-8", newline="\n")
    return target
