"""What the guides show is what the kit prints, what they link to is there, and what they tell people to type works."""

from __future__ import annotations

import argparse
import re
import runpy
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from conftest import COURSE
from nbgrader.apps.nbgraderapp import NbGraderApp

from autograder import cli
from autograder.nbgrader_plugins.run import RunInWorker
from autograder.nbgrader_plugins.zip_collect import SafeExtractor
from source.build import lessons

page_of_messages = cache(runpy.run_path(str(COURSE / "source" / "messages.py"))["page"])

GUIDES = [*sorted(COURSE.glob("*.md")), *sorted((COURSE / "docs").glob("*.md"))]
FENCED = re.compile(r"(?ms)^ *```(\w*)\n(.*?)^ *```$")


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_pages_of_messages_are_up_to_date(language):
    assert (COURSE / "docs" / f"messages.{language}.md").read_text(encoding="utf-8") == page_of_messages(language)


@pytest.mark.parametrize(("guide", "language"), [("student.md", "en"), ("student.ja.md", "ja")])
def test_the_report_in_the_students_guide_is_a_real_one(guide, language):
    text = (COURSE / "docs" / guide).read_text(encoding="utf-8")
    shown = text.split("```\nbatch_norm_forward:")[1].split("```")[0]
    assert shown in page_of_messages(language)


@pytest.mark.parametrize("guide", ["student", "instructor"])
def test_a_guide_says_the_same_in_both_languages(guide):
    pages = [(COURSE / "docs" / name).read_text(encoding="utf-8") for name in (f"{guide}.md", f"{guide}.ja.md")]
    for pattern in (r"(?m)^#+ ", r"(?m)^- ", r"(?m)^\d\. ", r"(?m)^\| ", r"(?m)^\*\*", r"!\[", "```"):
        assert len({len(re.findall(pattern, page)) for page in pages}) == 1, pattern
    assert len({tuple(command for command, whole in commands(page) if whole) for page in pages}) == 1


def test_a_thing_has_one_name_in_japanese():
    catalogue = COURSE / "autograder" / "locale" / "ja" / "LC_MESSAGES" / "autograder.po"
    for page in (catalogue, *(COURSE / "docs").glob("*.ja.md"), *lessons().values()):
        text = page.read_text(encoding="utf-8")
        assert re.findall("フォルダ(?!ー)|コースのフォルダー|受け渡しのフォルダー", text) == [], page.name


@pytest.mark.parametrize("guide", ["instructor.md", "instructor.ja.md"])
def test_the_package_is_built_where_it_can_be_built(guide):
    text = (COURSE / "docs" / guide).read_text(encoding="utf-8")
    lines = [line.strip() for _language, block in FENCED.findall(text) for line in block.splitlines()]
    before = lines[: next(place for place, line in enumerate(lines) if line.startswith("pip wheel"))]
    folder = [line for line in before if re.match(r"cd |git clone", line)][-1]
    assert folder == "cd gradient-pathology" and (COURSE / "pyproject.toml").is_file()


# --- links ------------------------------------------------------------------------------------------------------------


def links() -> list[tuple[Path, str]]:
    """(guide, target) of every link and image that leads to a file or heading of this repository."""
    pages = {guide: FENCED.sub("", guide.read_text(encoding="utf-8")) for guide in GUIDES}
    targets = {(guide, target) for guide, page in pages.items() for target in re.findall(r"\]\(([^)\s]+)\)", page)}
    return sorted((guide, target) for guide, target in targets if "://" not in target)


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in re.findall(r"(?m)^#+ (.+)$", text)
    }


@pytest.mark.parametrize(("guide", "target"), links(), ids=lambda value: getattr(value, "name", value))
def test_a_link_leads_somewhere(guide, target):
    path, _, anchor = target.partition("#")
    page = (guide.parent / path).resolve() if path else guide
    assert page.exists() and page.is_relative_to(COURSE)
    assert not anchor or anchor in headings(page)


# --- commands ---------------------------------------------------------------------------------------------------------


def commands(page: str) -> Iterator[tuple[str, bool]]:
    """The command lines of the kit, nbgrader and make on a page, and whether each is a whole line, not a mention.

    Blocks marked `sh` are not among them: test_author_guide.py runs these.
    """
    known = re.compile(r"(?:autograder|nbgrader|make|python)(?= |$)")
    for language, block in FENCED.findall(page):
        if not language:
            lines = (re.split(r"\s#", line)[0].strip() for line in block.splitlines())
            yield from ((line, True) for line in lines if known.match(line))
    for mention in re.findall(r"`([^`]+)`", FENCED.sub("", page)):
        if known.match(mention):
            yield " ".join(mention.split()), False


def command_lines() -> list[tuple[str, bool]]:
    """Every command line of the guides, once."""
    pages = (guide.read_text(encoding="utf-8") for guide in GUIDES)
    return sorted({command for page in pages for command in commands(page)})


@pytest.mark.parametrize(("command", "whole"), command_lines())
def test_a_command_line_can_be_typed(command, whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program, *words = shlex.split(command)
    {"autograder": autograder, "nbgrader": nbgrader, "make": make, "python": python}[program](words, whole)


def autograder(words: list[str], whole: bool) -> None:
    """The command parses; where it is only mentioned, its name and options are known."""
    parser = cli.parser()
    if whole:
        parser.parse_args(words)
        return
    (subparsers,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    command = subparsers.choices[words[0]] if words else parser
    assert options_of(words) <= set(command._option_string_actions)


def nbgrader(words: list[str], whole: bool) -> None:
    """The command is one of nbgrader's, with options that it or a class of the kit has."""
    app = NbGraderApp()
    while words and words[0] in app.subcommands:
        app = app.subcommands[words.pop(0)][0]()
    assert not isinstance(app, NbGraderApp) and not (whole and app.subcommands)
    classes = {one.__name__: one for one in [*app.classes, RunInWorker, SafeExtractor]}
    for option in options_of(words):
        name, _, trait = option.removeprefix("--").partition(".")
        known = trait in classes[name].class_trait_names(config=True) if trait else name in {*app.flags, *app.aliases}
        assert known, option


def make(words: list[str], _whole: bool) -> None:
    """Makefile has these targets and variables."""
    makefile = (COURSE / "Makefile").read_text(encoding="utf-8").replace("$(READY):", ".venv/ready:")
    for word in words:
        name, is_variable, _value = word.partition("=")
        assert re.search(rf"\$\((?:if \$\()?{name}\)" if is_variable else rf"(?m)^{re.escape(name)}:", makefile), word


def python(words: list[str], _whole: bool) -> None:
    """The script is there, or the module."""
    script = words[1].replace(".", "/") if words[0] == "-m" else words[0]
    assert any((COURSE / f"{script}{end}").exists() for end in ("", ".py")) or words[1] in ("venv", "autograder")


def test_public_ci_runs_what_the_readme_says():
    """With make where it is, and by hand on Windows."""
    workflow = (COURSE / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    readme = (COURSE / "README.md").read_text(encoding="utf-8")
    with_make, by_hand, *_others = (block for _language, block in FENCED.findall(readme))
    for block in (with_make, by_hand):
        for line in block.splitlines():
            command = re.split(r"\s+#", line)[0].removeprefix("make ").replace("python3", "python")
            windows = command.replace(".venv/bin/pip", ".venv/bin/python -m pip").replace("/bin/", "\\Scripts\\")
            assert re.search(rf"(?m)- run: (?:make (?:PYTHON=python )?)?{re.escape(windows)}$", workflow), command


def options_of(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if word.startswith("--")}
