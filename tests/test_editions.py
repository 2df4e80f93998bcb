"""The two language editions are one lesson: the same cells, code, points and numbers, in other words."""

import ast
import json
import re
from collections import Counter
from dataclasses import dataclass, replace

import nbformat
import numpy as np
import pytest

from autograder import layers
from autograder.exercises import assignments
from autograder.grading.grade_submission import grade_submission
from autograder.locale import speaking
from autograder.notebooks.submission import read_notebook, submission_of
from autograder.student.predictions import questions
from source import translation
from source.build import build, editions, lessons, read_cells, unwrapped, with_listings, with_points
from source.release import COURSE, kit_assignment
from source.translation import Untranslated, english_code, spans, translated
from tests.sample_class import ASSIGNMENT

EDITIONS = editions()
LESSON = lessons()[ASSIGNMENT]
ENGLISH = EDITIONS[f"{ASSIGNMENT}-en"]
CELLS = {lesson: read_cells(lesson) for lesson in lessons().values()}
ENGLISH_CELLS = {lesson: translated(cells, lesson) for lesson, cells in CELLS.items()}
PAIRS = [
    pytest.param(ja, en, id=f"{lesson.stem}-{ja.id}")
    for lesson in CELLS
    for ja, en in zip(CELLS[lesson], ENGLISH_CELLS[lesson], strict=True)
]
CODE = [pair for pair in PAIRS if pair.values[0].is_code]
PROSE = [pair for pair in PAIRS if not pair.values[0].is_code]

each_edition = pytest.mark.parametrize("edition", EDITIONS.values(), ids=EDITIONS)
each_lesson = pytest.mark.parametrize("lesson", CELLS, ids=lambda lesson: lesson.stem)
each_of_the_first = pytest.mark.parametrize("edition", [EDITIONS[ASSIGNMENT], ENGLISH], ids=["ja", "en"])
"""What the lesson on gradients alone promises."""

LENGTHS = {"depth_study_findings": ({"300", "500"}, {"100", "200"})}
"""Numbers that differ: 300 to 500 characters of Japanese are 100 to 200 English words."""


@pytest.mark.parametrize(("ja", "en"), CODE)
def test_code_differs_in_comments_and_strings_only_and_what_is_put_into_strings_is_the_same(ja, en):
    assert without_words(en.source) == without_words(ja.source)
    assert fields(en.source) == fields(ja.source)


@pytest.mark.parametrize(
    ("cells", "phrases"),
    [
        (
            CELLS[LESSON],
            ("全部で 48.5 点", "| 12 |", "`clip_gradients`（12 点", "`BatchNorm`（17 点", "考察 2 | 手動 | 5.5 |"),
        ),
        (
            ENGLISH_CELLS[LESSON],
            ("worth 48.5 points", "| 12 |", "`clip_gradients` (12 points", "`BatchNorm` (17 points", "by hand | 5.5 |"),
        ),
    ],
    ids=["ja", "en"],
)
def test_prose_takes_its_points_from_what_the_cells_are_worth(cells, phrases):
    worth = {"check_clip_gradients": 12, "check_batch_norm_forward": 5, "depth_study_plot": 3.5}
    made = with_points([replace(cell, points=worth.get(cell.id, cell.points)) for cell in cells])
    text = "\n".join(cell.source for cell in made if not cell.is_code)
    assert [phrase for phrase in phrases if phrase not in text] == []


@each_lesson
@pytest.mark.parametrize("editions_cells", [CELLS, ENGLISH_CELLS], ids=["ja", "en"])
def test_no_points_are_written_out(editions_cells, lesson):
    raw = "\n".join(cell.source for cell in editions_cells[lesson] if not cell.is_code)
    assert "{{" in raw and not re.search(r"[（(]\d+ (点|points?)[、,）)]", raw)


def test_points_of_something_that_has_none_are_refused():
    with pytest.raises(ValueError, match="clip_gradient}}"):
        prose = next(c for c in CELLS[LESSON] if not c.is_code)
        with_points([replace(prose, source="{{clip_gradient}}"), *CELLS[LESSON]])


def without_words(source):
    for span in reversed(list(spans(source))):
        source = source[: span.start] + source[span.end :]
    return source


def test_each_edition_chooses_its_language_and_no_other_english_text_differs():
    for ja, en in (pair.values for pair in CODE):
        texts = [(a.text, b.text) for a, b in zip(spans(ja.source), spans(en.source), strict=True)]
        changed = [(old, new) for old, new in texts if old != new and not translation.JAPANESE.search(old)]
        assert changed == ([("ja", "en")] if ja.id == "setup" else [])


def fields(source):
    """What stands in the braces of f-strings, how often, with its precision; not its width, nor strings within."""
    found = Counter()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FormattedValue):
            spec = "".join(part.value for part in node.format_spec.values) if node.format_spec else ""
            value = re.sub(r"'[^']*'", "''", ast.unparse(node.value))
            found[value, re.search(r"\+?(\.\d+)?[a-z%]?$", spec)[0]] += 1
    return found


@pytest.mark.parametrize(("ja", "en"), PROSE)
def test_prose_has_the_same_numbers(ja, en):
    only_ja, only_en = numbers(ja.source) - numbers(en.source), numbers(en.source) - numbers(ja.source)
    ja_length, en_length = LENGTHS.get(ja.id, (set(), set()))
    assert (only_ja, only_en) == (ja_length - en_length, en_length - ja_length)


def numbers(text):
    """Numbers of more than one digit: single digits may be words ("the first", "four")."""
    text = re.sub(r"(\d+) 万", lambda match: f"{match[1]}0000", text)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    return {number for number in re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", text) if len(number) > 1}


@pytest.mark.parametrize(("ja", "en"), PROSE)
def test_prose_has_the_same_code_formulas_tables_and_headings(ja, en):
    for pattern in (r"(?m)^#+ ", r"(?m)^\|", r"\$\$", r"(?m)^> ", r"(?m)^\d\. ", r"(?m)^ *- ", r"(?m)^\s*$"):
        assert len(re.findall(pattern, en.source)) == len(re.findall(pattern, ja.source)), pattern
    code = r"`[^`\n]*`"
    foreign = {text for text in re.findall(code, ja.source) if translation.JAPANESE.search(text)}
    assert set(re.findall(code, ja.source)) - foreign <= set(re.findall(code, en.source))


@pytest.mark.parametrize("edition", [edition for edition in EDITIONS.values() if edition.language == "en"], ids=str)
def test_an_english_edition_is_in_english(edition):
    text = json.dumps(build(edition), ensure_ascii=False)
    assert not translation.JAPANESE.findall(text)
    release = (COURSE / "release" / edition.assignment / edition.notebook.name).read_text(encoding="utf-8")
    assert not translation.JAPANESE.findall(release)


@pytest.mark.parametrize("assignment", lessons())
def test_cells_have_the_same_marks(assignment):
    ja, en = build(EDITIONS[assignment]), build(EDITIONS[f"{assignment}-en"])
    for cell in ja.cells + en.cells:
        cell.metadata.get("autograder", {}).pop("experiment", None)  # a digest of the cell's text
        cell.metadata.pop("alt", None)  # words
    assert [(c.id, c.cell_type, c.metadata) for c in en.cells] == [(c.id, c.cell_type, c.metadata) for c in ja.cells]
    cells = (each[lessons()[assignment]] for each in (ENGLISH_CELLS, CELLS))
    one, other = ([(cell.kind, cell.id, cell.points) for cell in edition] for edition in cells)
    assert one == other


@each_edition
def test_links_lead_to_headings(edition):
    cells = [cell.source for cell in build(edition).cells if cell.cell_type == "markdown"]
    text, link = "\n".join(cells), r"\]\(#([^)]+)\)"
    headings = {heading.replace(" ", "-") for heading in re.findall(r"(?m)^#+ (.+)$", text)}
    chapters = [heading.replace(" ", "-") for heading in re.findall(r"(?m)^## (\d.*)$", text)]
    assert re.findall(link, cells[0]) == chapters != []
    assert set(re.findall(link, text)) <= headings


@each_of_the_first
def test_where_the_core_path_breaks_off_a_link_leads_on(edition):
    """A further section that follows one of the core path names the next one of the core path, if there is one."""
    all_sections = [section for section in sections(edition) if section.minutes]
    leads = {}
    for before, section, *after in (all_sections[i:] for i in range(len(all_sections) - 1)):
        if before.is_core and not section.is_core:
            leads[number_of(section)] = next((number_of(one) for one in after if one.is_core), None)
    told = {number_of(one): re.findall(r"(?m)^\*[^★\n]*\[([\d.]+)\]\(#.*\*$", one.text) for one in all_sections}
    assert {number: found for number, found in told.items() if found} == {
        number: [following] for number, following in leads.items() if following
    }
    assert {"2.3": "4.1", "6.2": "8.1", "8.3": "9"}.items() <= leads.items()


def number_of(section):
    """Its number, or the text of its heading where it has none."""
    heading = re.search(r"(?m)^#+ (.*)$", section.text)[1]
    number = re.match(r"[\d.]+", heading)
    return number[0] if number else heading


@each_edition
def test_experiments_that_draw_are_folded_and_their_figures_described(edition):
    experiments = [cell for cell in build(edition).cells if "experiment" in cell.metadata.get("tags", [])]
    draws = {cell.id for cell in experiments if re.search(r"\bshow\(", cell.source)}
    assert [cell.id for cell in experiments if "plt.show()" in cell.source] == []
    assert draws == {cell.id for cell in experiments if cell.metadata.get("jupyter") == {"source_hidden": True}}
    assert draws == {cell.id for cell in experiments if len(cell.metadata.get("alt", "")) > 40}
    assert draws


@each_edition
def test_figures_are_narrow_enough_for_their_letters_to_be_read(edition):
    # JupyterLab shrinks what is wider than its page: at 12 inches, letters keep two thirds of their size.
    widths = [float(width) for cell in build(edition).cells for width in re.findall(r"figsize=\((\d+)", cell.source)]
    assert widths and max(widths) <= 12


@each_of_the_first
def test_the_layers_that_are_shown_do_what_those_of_the_library_do(edition):
    (text,) = [cell.source for cell in build(edition).cells if "class Linear(Layer)" in cell.source]
    shown = "\n\n".join(re.findall(r"(?ms)^```python\n(.*?)^```", text))
    assert '"""' not in shown and "#" not in shown, "prose says what docstrings and comments say"
    assert "rng = np.random.default_rng() if rng is None else rng" in shown, (
        "no name that stands elsewhere in the library"
    )
    namespace = {"_": str, "_require_one_of": lambda *_: None}
    imports = "from __future__ import annotations\nfrom abc import ABC, abstractmethod\nimport numpy as np\n"
    exec(imports + shown, namespace)
    x, t = np.random.default_rng(1).standard_normal((2, 5, 3))
    for activation in ("Sigmoid", "ReLU", "Tanh"):
        results = []
        for names in (namespace, vars(layers)):
            rng = np.random.default_rng(0)
            network = [names["Linear"](3, 4, "he", rng), names[activation](), names["Linear"](4, 3, rng=rng)]
            results.append(names["forward_backward"](network, x, t))
        assert results[0] == results[1]


def test_code_that_the_library_does_not_have_is_refused():
    with pytest.raises(ValueError, match="no Lineal"):
        with_listings([replace(next(c for c in CELLS[LESSON] if not c.is_code), source="{{code Lineal}}")])


@each_edition
def test_the_contents_say_how_long_each_section_takes(edition):
    found = {}
    for section in sections(edition):
        found.setdefault(section.chapter, {}).setdefault(section.is_core, []).append(section.minutes)
    told = {
        int(chapter): {bool(core): [int(minutes)] for core, minutes in re.findall(r"(?:(★)|発展|optional) (\d+)", line)}
        for chapter, line in re.findall(r"(?m)^(\d)\. \[.*?\]\(#.*?\)(.*)$", build(edition).cells[0].source)
    }
    sums = {chapter: {core: [sum(minutes)] for core, minutes in kinds.items()} for chapter, kinds in found.items()}
    assert {chapter: kinds for chapter, kinds in sums.items() if chapter} == told != {}
    hours, minutes = divmod(sum(section.minutes for section in sections(edition) if section.is_core), 60)
    assert re.search(rf"[（(](?:約|about) {hours} (?:時間|h) {minutes} (?:分|min)[)）]", build(edition).cells[0].source)


def test_the_core_path_is_short_and_something_is_to_be_done_soon():
    core = sum(len(section.text.split()) for section in sections(ENGLISH) if section.is_core)
    assert 3000 < core <= 4500
    cells = build(ENGLISH).cells
    place = [cell.id for cell in cells].index("warm-up-sigmoid")
    assert sum(len(unfolded(cell.source).split()) for cell in cells[:place] if cell.cell_type == "markdown") <= 600


@dataclass
class Section:
    """A part of the lesson: its chapter (0 before the first), whether it is on the core path, how long it takes."""

    chapter: int
    is_core: bool
    minutes: int
    text: str


def sections(edition):
    """The sections, each of which begins at a heading with a line that says how long it takes."""
    mark = re.compile(r"(?m)^\*(★)?[^*\n]*?(\d+) (?:分|min).*\*$")
    chapter, found = 0, [Section(0, True, 0, "")]
    for cell in build(edition).cells:
        asked = re.fullmatch(r'predict\("(.*)"\)', cell.source)
        if asked:
            question = questions(kit_assignment(edition.assignment))[asked[1]]
            found[-1].text += " ".join(["", question.question[edition.language], *question.choices[edition.language]])
        if cell.cell_type == "markdown":
            for part in re.split(r"(?m)^(?=#{2,4} )", unfolded(cell.source)):
                heading, line = re.match(r"## (\d)", part), mark.search(part)
                chapter = int(heading[1]) if heading else chapter
                if line:
                    found.append(Section(chapter, bool(line[1]), int(line[2]), ""))
                found[-1].text += part
    return found


def unfolded(markdown):
    """`markdown` without what is folded, and without a solution. What to notice is to be read, only not at once."""
    noticed = r"(?!\n<summary><b>(?:Notice|注目)</b>)"
    return re.sub(rf"(?s)<details>{noticed}.*?</details>|### BEGIN SOLUTION.*?### END SOLUTION", "", markdown)


@each_edition
def test_the_instructors_notebook_is_what_the_text_says(edition):
    assert nbformat.read(edition.notebook, as_version=4) == build(edition), "run `make notebooks`"


@pytest.mark.parametrize(
    ("wrapped", "joined"),
    [
        ("学びます。\n医学の\n病理学", "学びます。医学の病理学"),
        ("（例）\n「鞍点」", "（例）「鞍点」"),
        ("すると、\nReLU では", "すると、ReLU では"),
        ("なら、\n$d = 2$ では", "なら、$d = 2$ では"),
        ("- 項目の\n続き", "- 項目の続き"),
    ],
)
def test_a_line_ends_nowhere_in_a_japanese_sentence(wrapped, joined):
    assert unwrapped(wrapped) == joined


@pytest.mark.parametrize(
    "markdown",
    [
        "一つ。\n\n二つ。",
        "次のとおり。\n- 項目\n- 項目\n* 項目\n1. 項目\n> 引用",
        "| 演習 | 点数 |\n|---|---|\n| 一 | 二 |",
        "式は、\n$$\n\\text{勾配}\n$$\nです",
        "例。\n```\n一行\n二行\n\n三行。\n四行\n```\n続き",
        "層の数が\nReLU では",  # a space between the two scripts, as within a line
        "改行  \n次の行",
        "One line.\nAnother line.",
    ],
)
def test_other_lines_end_where_they_did(markdown):
    assert unwrapped(markdown) == markdown


@each_lesson
def test_no_line_of_the_lessons_prose_ends_in_a_sentence(lesson):
    ends = [
        line
        for cell in CELLS[lesson]
        if not cell.is_code
        for line in re.findall(r"(?m)^[^#\n].*[、。]$\n(?=[^\W\d])", cell.source)
    ]
    assert ends == []


# --- nothing is forgotten -------------------------------------------------------------------------------------------


def test_texts_that_an_exercise_keeps_with_its_solution_are_those_of_a_table(tmp_path, monkeypatch):
    for cell, text in {
        "one": '[words]\n"一" = "one"\n[prose]\na = "A"\n',
        "two": '[words]\n"二" = "two"\n[x]\ny = 1\n',
    }.items():
        (tmp_path / "course" / cell).mkdir(parents=True)
        (tmp_path / "course" / cell / "texts.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(translation, "REFERENCE", tmp_path)
    assert translation.texts_beside_solutions("words") == {"一": "one", "二": "two"}
    assert translation.texts_beside_solutions("words", "other") == {}
    lesson = tmp_path / "course.py"
    lesson.with_suffix(".en.md").write_text("<!-- b -->\nB\n", encoding="utf-8")
    assert translation.read_prose(lesson) == {"a": "A", "b": "B"}


@pytest.mark.parametrize("read", ["read_prose", "read_catalogue"])
def test_a_text_that_is_missing_and_one_without_a_cell_are_named(monkeypatch, read):
    texts = getattr(translation, read)(LESSON)
    gone = next(iter(texts))
    monkeypatch.setattr(
        translation, read, lambda _: {name: texts[name] for name in texts if name != gone} | {"new": "x"}
    )
    with pytest.raises(Untranslated) as refusal:
        translated(CELLS[LESSON], LESSON)
    assert gone in str(refusal.value) and "of no cell: ['new']" in str(refusal.value)


@each_lesson
def test_the_catalogue_is_as_the_script_writes_it(tmp_path, lesson):
    copy, written = (translation.catalogue_of(path) for path in (tmp_path / lesson.name, lesson))
    copy.write_bytes(written.read_bytes())
    assert translation.update(CELLS[lesson], tmp_path / lesson.name) == []
    assert copy.read_bytes() == written.read_bytes()


def test_comments_and_strings_are_translated_and_nothing_else():
    source = '''x = f"{a['鍵']:>5} 層"  # 深さ\n"""長い\n文"""\n深さ = '深さ'\n'''
    messages = {"{a['鍵']:>5} 層": "{a['key']:>5} layers", "深さ": "depth", "長い\n文": "long\ntext"}
    assert english_code(source, messages) == (
        '''x = f"{a['key']:>5} layers"  # depth\n"""long\ntext"""\n深さ = 'depth'\n'''
    )


# --- grading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["source", "release"])
@pytest.mark.parametrize("assignment", lessons())
def test_the_english_edition_is_graded_in_english(folder, assignment):
    edition = EDITIONS[f"{assignment}-en"]
    path = COURSE / folder / edition.assignment / edition.notebook.name
    submission = submission_of(read_notebook(path), path.name)
    assert (submission.assignment, submission.language, submission.missing) == (assignment, "en", ())
    with speaking(submission.language):
        graded = grade_submission(submission)
        worth = sum(exercise.points for exercise in assignments()[assignment])
        assert graded.result.score == (worth if folder == "source" else 0)
        text = json.dumps(graded.result.to_json(), ensure_ascii=False)
    assert not translation.JAPANESE.findall(text)
