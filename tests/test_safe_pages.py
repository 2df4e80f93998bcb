"""Nothing that a student wrote runs, loads or covers anything on feedback pages, in formgrader or in a spreadsheet."""

from __future__ import annotations

import csv
import html
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import COURSE
from nbformat.notebooknode import from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from traitlets.config import PyFileConfigLoader

from autograder import locale as i18n
from autograder.nbgrader_plugins.safe_html import (
    ID_PREFIX,
    MAX_MARKDOWN,
    SafeContent,
    clean_html,
    highlight_code,
    markdown2html,
)
from autograder.report.csv_safe import cell, matched, neutral

ASSIGNMENT, NOTEBOOK = "gradient-pathology", "gradient_pathology"
HARMLESS = "no harm, and still there: $x < y$"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

# Each makes a browser do something if it reaches the page as it is.
MARKDOWN = [
    "<script>student()</script>",
    "<img src=x onerror=student()>",
    '<a href="jav&#x09;ascript:student()">a</a> [b](javascript:student()) [c](data:text/html,<b>student</b>)',
    '<a href="da&#9;ta:text/html,student">d</a>',
    '<a href="/files/javascript:student()">e</a> [f](files/javascript:student())',
    '<a href="evil.html">a file that was handed in</a> <a href="//student.example/">g</a>',
    '<iframe src="https://student.example"></iframe><object data="https://student.example"></object>',
    '<form action="https://student.example"><input name="score"><button>s</button></form>',
    '<meta http-equiv="refresh" content="0; url=https://student.example"><base href="https://student.example">',
    '<style>body { display: none }</style><link rel="stylesheet" href="https://student.example/s.css">',
    '<svg onload="student()"><script>student()</script></svg><math><mi xlink:href="javascript:student()">m</mi></math>',
    '<div style="position: fixed; top: 0; left: 0; width: 100%">covered</div>',
    '<div style="margin: -400px 0 0 0; background: white">covered</div>',
    '<p style="background: url(https://student.example/p.png); color: red">tracked</p>',
    "![tracked](https://student.example/pixel.png) <img src='//student.example/p.png'>",
    '<div class="modal in navbar-fixed-top score nbgrader_cell">covered</div>',
    f'<p id="check_clip_gradients">x</p><a name="top" id="statusmessage">y</a> {HARMLESS}',
    "</div></div></div></body></html><h1>out of the panel</h1>",
    "<noscript><p title='</noscript><img src=x onerror=student()>'></noscript>",
    "```mermaid\n<img src=x onerror=student()>\n```",
    '```"><script>student()</script>\ncode\n```',
    "$\\href{javascript:student()}{x}$ $\\text{<img src=x onerror=student()>}$ $$\\cssId{statusmessage}{y}$$",
    "$<script>student()</script>$ \\begin{x}<img src=x onerror=student()>\\end{x}",
]
ODD = "\"'><img src=x onerror=student()>"


def hostile_notebook():
    """What a student could hand in, and more: as if outputs and metadata had come through, too."""
    cells = [new_markdown_cell(text) for text in MARKDOWN]
    cells.append(new_markdown_cell("![missing](attachment:no.png) ![w](attachment:w.png) ![図](attachment:図.png)"))
    cells[-1]["attachments"] = {
        "w.png": {"text/html": "<script>student()</script>"},
        "図.png": {"image/png": PNG[:20] + "\n" + PNG[20:]},
    }
    for mimetype in ("text/html", 5):
        cells.append(new_raw_cell("<script>student()</script>"))
        cells[-1]["metadata"] = {"raw_mimetype": mimetype}
    code = new_code_cell(f"x = '<script>student()</script>'  # {HARMLESS}")
    code["metadata"] = {
        "tags": [ODD],
        "alt": ODD,
        "magics_language": ["no", "lexer"],
        "transient": {"remove_source": True},
    }
    picture = {"width": "1 onerror=student()", "height": ODD, "alt": ODD}
    display, result = {"output_type": "display_data", "metadata": {}}, {"output_type": "execute_result"}
    code.outputs = [
        {"output_type": "stream", "name": "stdout", "text": "\x1b[31m<script>student()</script>\x1b[0m"},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[1;31m<img src=x onerror=student()>"]},
        {**display, "data": {"text/html": "<script>student()</script>"}, "metadata": {"text/html": {"isolated": True}}},
        {**display, "data": {"image/png": PNG}, "metadata": {"image/png": picture}},
        {**display, "data": {"image/png": PNG}, "metadata": {"filenames": {"image/png": "https://student.example/p"}}},
        {**display, "data": {"image/svg+xml": "<svg onload='student()'/>"}},
        {**display, "data": {"text/latex": "$\\text{<script>student()</script>}$"}},
        {**display, "data": {"text/markdown": "<img src=x onerror=student()>"}},
        {**display, "data": {"application/javascript": "student()"}},
        {**display, "data": {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}}},
        {**display, "data": {"text/vnd.mermaid": ODD}},
        {**result, "data": {"text/plain": "<script>student()</script>"}, "metadata": {}, "execution_count": 1},
    ]
    cells.append(code)
    nb = new_notebook()
    nb["cells"] = cells
    nb["metadata"] = {
        "title": "</title><script>student()</script>",
        "authors": [{"name": ODD}],
        "language_info": {"name": "x", "pygments_lexer": ODD},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": ODD}},
    }
    return nb


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.ids, self.styles = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]

    handle_startendtag = handle_starttag

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


# --- pages, made by nbgrader ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings():
    """What nbgrader_config.py sets."""
    return PyFileConfigLoader("nbgrader_config.py", path=str(COURSE)).load_config()


@pytest.fixture(scope="module")
def course(tmp_path_factory, settings):
    """A course folder with one graded submission: the hostile notebook, between two graded cells."""
    from nbgrader.api import Gradebook
    from nbgrader.utils import compute_checksum

    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # for alembic
    folder = tmp_path_factory.mktemp("course")
    notebook = hostile_notebook()
    for position, (name, solution) in enumerate([("clip_gradients", True), ("check_clip_gradients", False)]):
        mark = {
            "schema_version": 3,
            "grade_id": name,
            "solution": solution,
            "grade": not solution,
            "locked": not solution,
            "task": False,
        }
        marked = new_code_cell("pass", metadata={"nbgrader": mark | ({} if solution else {"points": 6})})
        mark["checksum"] = compute_checksum(marked)
        notebook.cells.insert(position * len(notebook.cells), marked)
    target = folder / "autograded" / "aoki" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(notebook), encoding="utf-8")
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as gradebook:
        gradebook.add_assignment(ASSIGNMENT)
        gradebook.add_notebook(NOTEBOOK, ASSIGNMENT)
        gradebook.add_solution_cell("clip_gradients", NOTEBOOK, ASSIGNMENT)
        gradebook.add_grade_cell("check_clip_gradients", NOTEBOOK, ASSIGNMENT, max_score=6, cell_type="code")
        gradebook.add_student("aoki")
        gradebook.add_submission(ASSIGNMENT, "aoki")
        comment = gradebook.find_comment("clip_gradients", NOTEBOOK, ASSIGNMENT, "aoki")
        comment.auto_comment = "<script>student()</script><img src=x onerror=student()> a comment"
        gradebook.db.commit()
    return folder


@pytest.fixture(scope="module")
def feedback(course, settings):
    """The feedback page, as `nbgrader generate_feedback` writes it."""
    from nbgrader.converters import GenerateFeedback
    from nbgrader.coursedir import CourseDirectory

    directory = CourseDirectory(config=settings, root=str(course), assignment_id=ASSIGNMENT)
    GenerateFeedback(coursedir=directory, config=settings).start()
    return (course / "feedback" / "aoki" / ASSIGNMENT / f"{NOTEBOOK}.html").read_text(encoding="utf-8")


def as_formgrader(settings):
    """What makes formgrader's pages, and what it tells them."""
    from nbconvert.exporters import HTMLExporter
    from nbgrader.server_extensions.formgrader import handlers

    config = settings.copy()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    names = {"assignment_id": ASSIGNMENT, "notebook_id": NOTEBOOK, "submission_id": "1", "index": 0, "total": 1}
    resources = names | {"base_url": "", "student": "aoki", "notebook_path": "x", "last_name": "", "first_name": ""}
    return HTMLExporter(config=config), resources


@pytest.fixture(scope="module")
def formgrader(course, settings):
    """The page on which an instructor grades the submission, as formgrader renders it."""
    exporter, resources = as_formgrader(settings)
    path = course / "autograded" / "aoki" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    return exporter.from_filename(str(path), resources=resources)[0]


def marked(name, **mark):
    mark = {"grade_id": name, "solution": False, "grade": False, "task": False, "locked": False, "points": 2.0} | mark
    score = new_output("execute_result", {"text/plain": "1.25"}, execution_count=1)
    return new_code_cell(f"# {name}", metadata={"nbgrader": mark}, outputs=[score])


def test_formgrader_begins_with_links_to_what_a_person_grades_and_shows_no_score_as_an_output(settings):
    cells = [
        marked("f", solution=True), marked("check_f", grade=True), marked("a_plot", solution=True, grade=True),
        marked("words", task=True), marked("forged) [x](http://evil", solution=True, grade=True),
    ]  # fmt: skip
    exporter, resources = as_formgrader(settings)
    text, _resources = exporter.from_notebook_node(new_notebook(cells=cells), resources=resources)
    page = BeautifulSoup(text, "html.parser")
    links = [(e.get_text(), e["href"]) for e in page.find_all("a") if "by-hand" in e.get("href", "")]
    assert links == [("a_plot", "#text-by-hand-a_plot"), ("words", "#text-by-hand-words")]
    texts = page.get_text()
    assert texts.index("To grade by hand:") < texts.index("# f")
    for name, href in links:
        target = page.find(id=href[1:])
        assert target.find_next(class_="nbgrader_cell").find("input", class_="score")["id"] == name
    assert texts.count("1.25") == len(cells) - 1, "all but the test cell's"


@pytest.fixture(scope="module", params=["feedback", "formgrader"])
def text(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_shows_what_is_harmless(text):
    assert "no harm, and still there: $x &lt; y$" in text
    assert text.count(PNG) == 3  # two outputs and an attachment
    assert "missing" in text and "out of the panel" in text and "covered" in text


def test_only_nbgraders_own_scripts_are_in_the_page(page, text):
    for script in page.of("script"):
        assert re.match(r"https://cdnjs\.cloudflare\.com/|/formgrader/static/|$", script.get("src", ""))
    for code in re.findall(r"(?s)<script.*?</script>", text):
        assert "student()" not in code


def test_no_attribute_runs_anything(page):
    own = {"toggle_name(true);", "toggle_name(false);"}
    assert [v for _, name, v in page.attributes if name.startswith("on") and v not in own] == []
    for _, _, value in page.attributes:
        assert not re.match(r"\s*(javascript|vbscript):", value, re.IGNORECASE)


def test_nothing_of_a_student_is_loaded_from_anywhere(page):
    for tag, name, value in page.attributes:
        if name in ("src", "data", "action", "formaction", "poster", "srcset", "background"):
            assert tag == "script" or value.startswith("data:image/"), (tag, name, value)
        if name == "style":
            assert "url" not in value
        if name == "href" and tag == "a":
            assert re.match(r"#|https?://|mailto:|/formgrader/", value), value
    assert {"iframe", "object", "form", "base", "svg", "math"}.isdisjoint(tag for tag, _ in page.tags)
    assert [meta for meta in page.of("meta") if "http-equiv" in meta] == []
    assert all("student.example" not in str(link) for link in page.of("link"))


def test_ids_and_classes_of_students_are_not_those_of_the_page(page):
    assert page.ids.count("check_clip_gradients") <= 1 and page.ids.count("statusmessage") <= 1
    assert f"{ID_PREFIX}check_clip_gradients" in page.ids
    for _, name, value in page.attributes:
        assert not (name == "class" and {"modal", "navbar-fixed-top"} & set(value.split()) and "modal" in value)


def test_nothing_leaves_its_place(page):
    for _, name, value in page.attributes:
        if name == "style":
            assert "position" not in value and "-" not in re.sub(r"[a-z]-[a-z]", "", value)


def test_wide_pictures_stay_in_their_panel_and_tables_have_room(text):
    style = " ".join(re.findall(r"(?s)<style[^>]*>(.*?)</style>", text))
    assert ".output_subarea img, .panel-footer img { max-width: 100%; height: auto; }" in style
    assert ".output_subarea img { border: 0; }" in style
    assert re.search(r"\.rendered_html td.*{ padding: 2px 8px; }", style)


def test_what_a_notebook_says_of_a_figure_is_text_in_the_page(page):
    described = [image["alt"] for image in page.of("img") if PNG in image.get("src", "")]
    assert described.count(ODD) == 2


@pytest.mark.parametrize(
    ("cell", "output", "described"),
    [
        ({}, {}, "このセルが描いた図"),
        ({"alt": 5}, {"image/png": {"alt": ["x"]}}, "このセルが描いた図"),
        ({"alt": "a falling line"}, {}, "a falling line"),
        ({"alt": "a falling line"}, {"image/png": {"alt": "two lines"}}, "two lines"),
        ({"alt": "a falling line"}, {"image/png": "x"}, "a falling line"),
        ({"alt": "x" * 5000}, {}, "x" * 1000),
    ],
)
def test_a_figure_is_described_by_its_output_else_its_cell_else_in_the_notebooks_language(cell, output, described):
    code = new_code_cell("show()", metadata=cell)
    code["outputs"] = [{"output_type": "display_data", "data": {"image/png": PNG}, "metadata": output}]
    nb = from_dict(new_notebook(cells=[code], metadata={"autograder": {"language": "ja"}}))
    shown, _ = SafeContent().preprocess(nb, {})
    assert shown.cells[0].outputs[0].metadata["image/png"] == {"alt": described}


def test_a_comment_is_shown_without_what_it_carried(feedback):
    footer = feedback[feedback.index(i18n._("Comments:")) :].split("</div>")[0]
    assert "a comment" in footer and "<script" not in footer and "onerror" not in footer and "src" not in footer


# --- filters ----------------------------------------------------------------------------------------------------------


def markdown(source, attachments=None):
    return markdown2html({"cell": {"attachments": attachments} if attachments else {}}, source)


@pytest.mark.parametrize(
    "source",
    [
        '<img alt="plot" src="attachment:図 1.png" width="30%">',
        "text <IMG width=30% SRC=attachment:%E5%9B%B3%201.png alt=plot> text",
        "<div><img src=' Attachment:図 1.png' alt='plot' width='30%' onerror='student()'></div>",
        '| a |\n|---|\n| <img src="attachment:&#x56f3; 1.png" alt="plot" width="30%"> |',
    ],
)
@pytest.mark.parametrize("mime", ["image/png", "image/jpeg", "image/gif"])
def test_an_attached_picture_is_shown_by_an_html_tag_too(source, mime):
    page = Page(markdown(source, {"図 1.png": {mime: PNG}}))
    assert page.of("img") == [{"src": f"data:{mime};base64,{PNG}", "alt": "plot", "width": "30%"}]


@pytest.mark.parametrize(
    "attachments",
    [
        {"other.png": {"image/png": PNG}},
        {"a.png": {"image/svg+xml": PNG}},
        {"a.png": {"text/html": "<script>student()</script>"}},
        {"a.png": {"image/png": '" onerror="student()'}},
        {"a.png": {"image/png": "https://student.example/p.png"}},
    ],
    ids=["another", "svg", "html", "quotes", "address"],
)
def test_what_is_no_attached_picture_leaves_its_description(attachments):
    assert Page(markdown('<img src="attachment:a.png" alt="plot">', attachments)).of("img") == [{"alt": "plot"}]
    assert Page(clean_html('<img src="attachment:a.png" alt="plot">')).of("img") == [{"alt": "plot"}]
    assert "href" not in markdown('<a href="attachment:a.png">x</a>', attachments)


def test_one_picture_named_again_and_again_does_not_fill_the_page():
    for source in ("![p](attachment:a.png) " * 900, '<img src="attachment:a.png" alt="p"> ' * 900):
        assert len(markdown(source, {"a.png": {"image/png": "A" * 2**20}})) < 2**20


@pytest.mark.parametrize(
    "source",
    [
        '<p style="color: #cf222e; padding: 2px 8px; width: 1.3em; background: rgba(207, 34, 46, 0.50)">x</p>',
        '<a href="https://example.org/a?b=c&amp;d=e#f" title="t">x</a>',
        f'<img src="data:image/png;base64,{PNG}" alt="plot" width="300">',
        '<table><thead><tr><th align="left">a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>',
        '<span class="kn">import</span>',
        "<details><summary>more</summary><p>x</p></details>",
    ],
)
def test_harmless_html_stays_as_it_is(source):
    assert clean_html(source) == source


def test_cleaning_twice_is_cleaning_once():
    source = '<h2 id="a">a</h2><a href="#a">to a</a>'
    assert (
        clean_html(clean_html(source))
        == clean_html(source)
        == (f'<h2 id="{ID_PREFIX}a">a</h2><a href="#{ID_PREFIX}a">to a</a>')
    )


def test_links_within_a_notebook_lead_to_its_headings():
    page = Page(markdown("[go](#1-勾配消失問題)\n\n# 1 勾配消失問題"))
    (target,) = page.ids
    assert [a["href"] for a in page.of("a")] == [f"#{target}"] * 2


@pytest.mark.parametrize("source", ["<div>" * 900, "> " * 900 + "x", "[" * 900, "*a " * 900, "$" * 901, "`" * 901])
def test_markdown_that_chokes_a_parser_is_shown_all_the_same(source):
    assert markdown(source).strip()


@pytest.mark.parametrize("source", ["<div>" * 9000, "\\begin{a}" * 5000])
def test_markdown_that_takes_forever_is_shown_as_it_stands(source):
    assert markdown(source) == f"<pre>{html.escape(source)}</pre>"


def test_endless_markdown_is_shown_as_it_stands():
    assert markdown("<b>x</b>" + "[" * MAX_MARKDOWN).startswith("<pre>&lt;b&gt;x")
    picture = f"![p](data:image/png;base64,{'A' * 2 * MAX_MARKDOWN})"
    assert "<img" in markdown(picture)  # an image is not text


def test_code_is_coloured_as_python_whatever_the_notebook_says():
    assert '<span class="k">def</span>' in highlight_code("def f(): pass", metadata={"magics_language": ["x"]})


# --- notebooks on their way in ----------------------------------------------------------------------------------------


def test_safe_content_keeps_answers_and_the_courses_own_metadata():
    mine = {"grade_id": "clip_gradients", "solution": True}
    nb = new_notebook(
        cells=[new_code_cell("x = 1", metadata={"nbgrader": mine, "tags": ["x"]}), new_markdown_cell("# text")],
        metadata={
            "autograder": {"language": "en"},
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
            "title": "x",
        },
    )
    nb, _ = SafeContent().preprocess(nb, {})
    assert [cell.source for cell in nb.cells] == ["x = 1", "# text"]
    assert nb.cells[0].metadata == {"nbgrader": mine}
    assert set(nb.metadata) == {"autograder", "kernelspec", "language_info"}
    nbformat.validate(nb)


def test_safe_content_makes_a_notebook_of_anything():
    mark = "<script>student()</script>"
    odd = [
        {"cell_type": 3},
        {"cell_type": "code", "outputs": 5, "source": None, "metadata": [], "execution_count": mark, "id": mark},
        {"cell_type": "markdown", "source": "x", "metadata": {"tags": [3]}, "attachments": [1]},
        "cell",
        {
            "cell_type": "code",
            "source": "y",
            "outputs": [
                5,
                {"output_type": mark, "data": {mark: 5, "text/plain": 5, "image/png": PNG}},
                {"output_type": "error", "traceback": ["z", 5], "ename": []},
                {"output_type": "stream", "name": mark, "text": 5},
                {"output_type": "execute_result", "data": [], "metadata": 3, "execution_count": mark},
            ],
        },
    ]
    nb = nbformat.from_dict({"cells": odd, "metadata": {"language_info": 5}, "nbformat": 4, "nbformat_minor": 4})
    nb, _ = SafeContent().preprocess(nb, {})
    nbformat.validate(nb)
    assert [cell.source for cell in nb.cells] == ["", "", "x", "y"]
    assert nb.cells[3].outputs[0].data == {"image/png": PNG}
    assert "student()" not in json.dumps(nb)


# --- spreadsheets -----------------------------------------------------------------------------------------------------

FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "  =1", '"=1', "'=1", "＝1", "-inf", "\ufeff=1", "=\0"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text):
    assert neutral(text).startswith("'")
    assert neutral(text).replace("'", "") == text.replace("\0", "").replace("'", "")


@pytest.mark.parametrize(
    "text", ["", "-1.5", "+3e-5", "0", "青木", "a=b", "O'Brien", "2026-11-01 12:00", "x@example.org"]
)
def test_numbers_and_names_stay(text):
    assert neutral(text) == text


@pytest.mark.parametrize(
    "text", ["-abc", "-1-2", "+81-90", "@taro", "-x@example.org", "--", "-青木", "s1", "1001", "-5"]
)
def test_ids_that_another_system_looks_for_stay(text):
    assert matched(text) == text


@pytest.mark.parametrize(
    "text",
    [*FORMULAS[:10], "=abc", "-1+cmd|' /C calc'!A0", "-HYPERLINK(A1)", "@SUM(A1)", "-a;=1+1", "-a,b", "-a\tb", "-a b"],
)
def test_formulas_are_neutral_in_such_columns_too(text):
    assert matched(text) == neutral(text) != text


@pytest.mark.parametrize("text", ["", "a,b", 'say "x"', "two\nlines", "cr\rx", " x "])
def test_a_cell_is_read_back_as_one(text):
    assert next(csv.reader([cell(text) + ",next"], strict=True)) == [text, "next"] or "\n" in text or "\r" in text
    assert "\n" not in text or cell(text) == f'"{text}"'


def test_the_export_is_nbgraders_but_for_formulas_and_commas(course, settings, tmp_path):
    from nbgrader.api import Gradebook
    from nbgrader.plugins import CsvExportPlugin

    from autograder.nbgrader_plugins.export import SafeCsvExport

    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        CsvExportPlugin(to=str(tmp_path / "stock.csv")).export(gradebook)
        SafeCsvExport(to=str(tmp_path / "same.csv")).export(gradebook)
        gradebook.add_student("evil", last_name='=HYPERLINK("https://x")', first_name="A,\nB", email="@x")
        try:
            SafeCsvExport(to=str(tmp_path / "safe.csv"), student=["evil"]).export(gradebook)
        finally:
            gradebook.remove_student("evil")
    assert (tmp_path / "same.csv").read_text() == (tmp_path / "stock.csv").read_text()
    with (tmp_path / "safe.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["student_id"] == "evil" and row["max_score"] == "6.0" and row["score"] == "0.0"
    assert row["last_name"] == '\'=HYPERLINK("https://x")' and row["first_name"] == "A,\nB" and row["email"] == "'@x"
