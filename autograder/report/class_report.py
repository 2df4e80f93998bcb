"""The files that `autograder report` writes; what writes them is imported when it does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from autograder.report.class_record import ClassRecord

FILES = {
    "html": "report.html",
    "json": "report.json",
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
    from autograder.report.exports import gradescope_files

    old = [FILES[name] for name in formats_in(folder) if name not in formats]
    if "gradescope" in formats:
        results = folder / FILES["gradescope"]
        gone = {path.name for path in results.glob("*.json")} - set(gradescope_files(record).values())
        old += [f"{results.name}/{name}" for name in sorted(gone)]
    return old


def write_report(record: ClassRecord, formats: tuple[str, ...], folder: Path) -> list[Path]:
    """Write each of `formats` into `folder`, which is made if necessary."""
    from autograder.report.class_page import class_page
    from autograder.report.exports import canvas_csv, gradescope_results, junit_xml, moodle_csv
    from autograder.report.item_analysis import analysis_json

    writers = {"html": class_page, "json": analysis_json, "canvas": canvas_csv, "moodle": moodle_csv}
    paths = [folder / FILES[name] for name in formats]
    for name, path in zip(formats, paths, strict=True):
        contents: Iterable[tuple[Path, Iterable[str]]]
        if name == "gradescope":
            contents = ((path / file, [content]) for file, content in gradescope_results(record))
        else:
            contents = [(path, junit_xml(record) if name == "junit" else [writers[name](record)])]
        for target, pieces in contents:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
    return paths
