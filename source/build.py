"""Build the instructor's notebooks from the lessons' texts and the reference solutions.

    python source/build.py        writes source/<assignment>/<lesson>.ipynb, for each lesson one in each language

A lesson is a jupytext "percent" file, `source/<package>.py`, named like the assignment's package of exercises. The
header of a cell says what the cell is:

    # %% [markdown]                                   prose
    # %% [markdown] prose="update-ratio"              prose with an id of its own, which does not shift others' numbers
    # %%                                              code that later cells need
    # %% tags=["experiment"]                          a demonstration; no later cell needs a name from it
    # %% experiment="histograms"                      the same, with an id of its own
    # %% locked="setup"                               read-only code
    # %% solution="clip_gradients"                    written by students; its text is in reference/
    # %% solution="depth_study_plot" points=2         the same, graded by hand
    # %% [markdown] solution="..." points=2           a written answer, graded by hand
    # %% check="clip_gradients"                       a test cell

A demonstration that draws ends with `show("...")`, which describes the figure in words. Its code is folded in the
notebook, and the words also become the cell's `alt`, for pages that are made of the notebook.

In prose, `{{clip_gradients}}` stands for the points of that exercise or hand-graded cell, `{{batch_norm}}` for those of
all exercises that share a solution, `{{all}}` for all there are, and `{{one + another}}` for a sum; `{{code Linear}}`
stands for the code of that class or function of the course library.

`build` is three steps: `read_cells` gives the cells with their ids, `with_points` and `with_listings` fill in points
and code, `notebook_of` adds what nbgrader, the grader and Jupyter read in their metadata. Ids come from the kind and
place of a cell, never from its wording: the English edition, made after the first step by source/translation.py, keeps
them.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat.notebooknode import NotebookNode

from autograder.exercises import assignments, exercise
from autograder.notebooks.submission import digest
from reference.bank import folder_of
from source.listing import listing
from source.translation import JAPANESE as JAPANESE_CHARACTER
from source.translation import translated

SOURCE = Path(__file__).resolve().parent


_LINE_END = re.compile(
    r"(?P<kept>^```.*?^```$|^\$\$.*?\$\$$|^#+ [^\n]*\n)"
    rf"|(?<={JAPANESE_CHARACTER.pattern})\n(?={JAPANESE_CHARACTER.pattern})"
    r"|(?<=[、。])\n(?=[a-zA-Z]|`(?!``)|\$(?!\$)|\*\*\S)",
    re.DOTALL | re.MULTILINE,
)


_POINTS = re.compile(r"\{\{(\w+(?: \+ \w+)*)\}\}")

_LISTING = re.compile(r"\{\{code (\w+)\}\}")


@dataclass(frozen=True)
class Edition:
    """One language edition of a lesson.

    Attributes:
        assignment: nbgrader's name of the assignment, also the folder of the built notebook.
        language: the language of the prose and of the kit's messages, "ja" or "en".
        text: the lesson's percent file, the source of all code.
    """

    assignment: str
    language: str
    text: Path

    @property
    def notebook(self) -> Path:
        return SOURCE / self.assignment / f"{self.text.stem}.ipynb"


def editions() -> dict[str, Edition]:
    """Name ("gradient-pathology-en") -> edition: two of each lesson, the Japanese one first."""
    return {
        f"{assignment}{suffix}": Edition(f"{assignment}{suffix}", language, text)
        for assignment, text in lessons().items()
        for language, suffix in (("ja", ""), ("en", "-en"))
    }


def lessons() -> dict[str, Path]:
    """Assignment -> the text of its lesson, if it has one: a notebook may also be written in Jupyter."""
    texts = {assignment: SOURCE / f"{assignment.replace('-', '_')}.py" for assignment in assignments()}
    return {assignment: text for assignment, text in texts.items() if text.is_file()}


@dataclass(frozen=True)
class Cell:
    """One cell of the lesson: its kind ("prose", "code", "experiment", "locked", "solution" or "check"), id and text.

    `id` is the grade_id where the cell has one; `points` is None where nothing is graded.
    """

    kind: str
    id: str
    source: str
    is_code: bool
    points: float | None = None


def build(edition: Edition) -> NotebookNode:
    """The notebook of `edition`, without outputs. The same text always gives the same notebook."""
    cells = read_cells(edition.text)
    cells = translated(cells, edition.text) if edition.language == "en" else cells
    return notebook_of(with_listings(with_points(cells)), edition)


def read_cells(text: Path) -> list[Cell]:
    """The cells of a lesson, solutions filled in from the reference.

    Raises:
        ValueError: two cells have one id.
    """
    counts: Counter[str] = Counter()
    raw_cells = jupytext.reads(text.read_text(encoding="utf-8"), fmt="py:percent").cells
    cells = [_read_cell(raw, counts) for raw in raw_cells]
    ids = [cell.id for cell in cells]
    repeated = sorted({id for id in ids if ids.count(id) > 1})
    if repeated:
        raise ValueError(f"{text.name}: more than one cell is called {', '.join(repeated)}")
    return cells


def with_points(cells: list[Cell]) -> list[Cell]:
    """The cells, with points filled in where prose asks for them.

    Raises:
        ValueError: it asks for those of something that has none.
    """
    points: Counter[str] = Counter()
    for cell in cells:
        name = cell.id.removeprefix("check_")
        for holder in {name, "all", exercise(name).solution if cell.kind == "check" else name}:
            points[holder] += cell.points or 0

    def filled(found: re.Match[str]) -> str:
        names = found[1].split(" + ")
        if any(not points[name] for name in names):
            raise ValueError(f"{found[0]} is not worth any points")
        return f"{sum(points[name] for name in names):g}"

    return [cell if cell.is_code else replace(cell, source=_POINTS.sub(filled, cell.source)) for cell in cells]


def with_listings(cells: list[Cell]) -> list[Cell]:
    """The cells, with the code of the course library where prose asks for it.

    Raises:
        ValueError: the library has no such class or function.
    """

    def filled(found: re.Match[str]) -> str:
        return f"```python\n{listing(found[1])}\n```"

    return [cell if cell.is_code else replace(cell, source=_LISTING.sub(filled, cell.source)) for cell in cells]


def notebook_of(cells: list[Cell], edition: Edition) -> NotebookNode:
    """The cells as an nbformat 4.5 notebook."""
    notebook = nbformat.v4.new_notebook(
        metadata={
            "autograder": {"assignment": edition.assignment, "language": edition.language},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    new_cell = {True: nbformat.v4.new_code_cell, False: nbformat.v4.new_markdown_cell}
    notebook.cells = [new_cell[cell.is_code](cell.source, id=cell.id, metadata=_metadata(cell)) for cell in cells]
    nbformat.validate(notebook)
    return notebook


def unwrapped(markdown: str) -> str:
    """`markdown` without the line ends inside Japanese sentences, which a browser would show as spaces.

    After punctuation a space is as wrong before a formula, code, bold or Latin text. Headings, displayed formulas and
    blocks of code stay; a table's row, or whatever begins a block of its own, has no Japanese at that side.
    """
    return _LINE_END.sub(lambda found: found["kept"] or "", markdown)


def description(code: str) -> str:
    """What `code` says of the figure that it shows; "" if it shows none."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Call(func=ast.Name(id="show"), args=[ast.Constant(value=str(words))]):
                return words
    return ""


def solution_text(name: str) -> str:
    """The solution cell `name`: all that follows the line `# %%` in its reference file."""
    return (folder_of(name) / "solution.py").read_text(encoding="utf-8").split("\n# %%\n", 1)[1].strip()


def _read_cell(raw: NotebookNode, counts: Counter[str]) -> Cell:
    header, is_code = raw.metadata, raw.cell_type == "code"
    source = raw.source if is_code else unwrapped(raw.source)
    if "check" in header:
        name = header["check"]
        return Cell("check", f"check_{name}", source, is_code, exercise(name).points)
    if "solution" in header:
        name = header["solution"]
        return Cell("solution", name, solution_text(name) if is_code else source, is_code, header.get("points"))
    if "locked" in header:
        return Cell("locked", header["locked"], source, is_code)
    for kind in ("prose", "experiment"):
        if kind in header:
            return Cell(kind, header[kind], source, is_code)
    kind = "experiment" if "experiment" in header.get("tags", []) else "code"
    kind = kind if is_code else "prose"
    counts[kind] += 1
    return Cell(kind, f"{kind}-{counts[kind]:02}", source, is_code)


def _metadata(cell: Cell) -> dict[str, Any]:
    if cell.kind == "experiment":
        metadata = {"tags": ["experiment"], "autograder": {"experiment": digest(cell.source)}}
        alt = description(cell.source)
        return metadata | ({"jupyter": {"source_hidden": True}, "alt": alt} if alt else {})
    if cell.kind in ("prose", "code"):
        return {}
    nbgrader = {
        "grade_id": cell.id,
        "grade": cell.points is not None,
        "solution": cell.kind == "solution",
        "locked": cell.kind != "solution",
        "task": False,
        "schema_version": 3,
    }
    if cell.points is not None:
        nbgrader["points"] = cell.points
    return {"nbgrader": nbgrader}


def main() -> None:
    for edition in editions().values():
        edition.notebook.parent.mkdir(parents=True, exist_ok=True)
        # One trailing newline, and "\n" on every platform: building twice gives the same bytes.
        text = nbformat.writes(build(edition)).rstrip("\n") + "\n"
        edition.notebook.write_text(text, encoding="utf-8", newline="\n")
        print(edition.notebook)


if __name__ == "__main__":
    main()
