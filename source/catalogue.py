"""Keep the Japanese catalogue of messages up to date.

    python source/catalogue.py        rewrites autograder/locale/ja/LC_MESSAGES/autograder.{po,mo}

Messages are the English texts in `_("...")`, also in the demo, and texts that are looked up at run time: titles of
exercises and cases, sentences of checks, descriptions of commands, argparse's messages, and descriptions of the demo's
students. Existing translations stay, those of removed messages go, and a new message gets an empty translation, to be
filled in by hand before the next run. The same package and translations always give the same bytes, so line numbers,
dates and Babel's version are left out of the files.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from autograder.cli import COMMANDS, options  # noqa: E402
from autograder.exercises import every_exercise  # noqa: E402
from source.translation import texts_beside_solutions  # noqa: E402
from tests import demo, sample_class  # noqa: E402

PACKAGE = ROOT / "autograder"
CATALOGUE = PACKAGE / "locale" / "ja" / "LC_MESSAGES"
SEEDS = range(5)
"""Seeds whose case titles are collected; all draws should have the same titles."""


@dataclass(frozen=True)
class Source:
    """An English message, its file, and a note for translators ("" if it is marked with `_`)."""

    text: str
    file: Path
    note: str = ""


def messages() -> Iterator[Source]:
    """All messages of the package and the demo, file by file; some occur more than once."""
    for file in [*sorted(PACKAGE.rglob("*.py")), Path(demo.__file__)]:
        for text in marked(ast.parse(file.read_text(encoding="utf-8"))):
            yield Source(text, file)
    for command in COMMANDS:
        yield Source(command.run.__doc__, Path(command.__file__), "what the command does, in its help")
    for text in options.SAID_BY_ARGPARSE:
        yield Source(text, Path(options.__file__), "what argparse says of a command line")
    for student in sample_class.CLASS:
        yield Source(student.description, Path(sample_class.__file__), "what is in the notebook of a sample student")
    for exercise in every_exercise():
        file = Path(sys.modules[exercise.case.__module__].__file__)
        if exercise.title:
            yield Source(exercise.title, file, f"{exercise.id}: its title")
        for check in exercise.checks:
            yield Source(check.sentence, file, f"{exercise.id}: what the check {check.id} demands")
        for seed in SEEDS:
            for _group, case in exercise.draw(np.random.default_rng(seed)):
                yield Source(case.title, file, f"{exercise.id}: the title of a case")


def marked(node: ast.AST) -> Iterator[str]:
    """The texts in `_("...")` within `node`, top to bottom.

    Babel's own extraction reads tokens; before Python 3.12 an f-string is one token, and it misses `_` in the braces.
    """
    match node:
        case ast.Call(func=ast.Name(id="_"), args=[ast.Constant(value=str(text))]):
            yield text
    for child in ast.iter_child_nodes(node):
        yield from marked(child)


class _Catalogue(Catalog):
    """A catalogue whose header never changes."""

    mime_headers = (
        ("Language", "ja"),
        ("Plural-Forms", "nplurals=1; plural=0;"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "8bit"),
    )


def update(folder: Path = CATALOGUE) -> list[str]:
    """Write autograder.po and autograder.mo into `folder`, with the translations of the existing autograder.po.

    Returns:
        The messages that still have no translation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = translations(folder) | texts_beside_solutions("words")
    comment = "# The Japanese messages. Translate here, then run source/catalogue.py."
    catalogue = _Catalogue(header_comment=comment, fuzzy=False)
    for source in messages():
        place = (source.file.relative_to(ROOT).as_posix(), 0)
        notes = [source.note] if source.note else []
        catalogue.add(source.text, known.get(source.text, ""), locations=[place], auto_comments=notes)
    for message in _entries(catalogue):
        message.flags.clear()  # which formats Babel marks depends on its version
    po, mo = io.BytesIO(), io.BytesIO()
    write_po(po, catalogue, width=0, include_lineno=False)
    write_mo(mo, catalogue)
    (folder / "autograder.po").write_bytes(po.getvalue())
    (folder / "autograder.mo").write_bytes(mo.getvalue())
    return [message.id for message in _entries(catalogue) if not message.string]


def translations(folder: Path = CATALOGUE) -> dict[str, str]:
    """Message -> translation, from the autograder.po in `folder`; empty without one."""
    try:
        with (folder / "autograder.po").open("rb") as file:
            return {message.id: message.string for message in _entries(read_po(file))}
    except FileNotFoundError:
        return {}


def _entries(catalogue: Catalog) -> list[Message]:
    """The entries of `catalogue`, without its header."""
    return [message for message in catalogue if message.id]


def main() -> None:
    """Update the catalogue and list missing translations."""
    for message in update():
        print(f"no translation: {message!r}")


if __name__ == "__main__":
    main()
