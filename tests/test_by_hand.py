"""Cells that a person grades: an empty one gets 0 by itself only where nothing else may be the answer."""

import copy
import json
from functools import cache

import pytest
from conftest import code_cell

from autograder.grading.by_hand import answers_beside, comment_on, untouched
from autograder.locale import speaking
from autograder.notebooks.mend import mend, released_in
from autograder.notebooks.submission import source_of
from source.release import COURSE
from tests.sample_class import NOTEBOOK, cell_of

PLOT, FINDINGS = "depth_study_plot", "depth_study_findings"
WORDS = "The gradients vanish: 9e-13 in layer 1 of 20."
DRAWN = "results = depth_study([5, 10, 20], build_sigmoid, X, t)\nplt.plot(results[5]['loss'])"


@cache
def release(assignment="gradient-pathology-en"):
    return json.loads((COURSE / "release" / assignment / NOTEBOOK).read_text(encoding="utf-8"))


def prose(text, **more):
    return {"cell_type": "markdown", "id": "own-text", "metadata": {}, "source": text, **more}


def place(notebook, name):
    return next(index for index, cell in enumerate(notebook["cells"]) if cell["id"] == name)


def mended(change, assignment):
    """The cells of a released notebook that a student has changed, what they were released as, and the other texts."""
    notebook, released = copy.deepcopy(release(assignment)), released_in(release(assignment))
    given = [source_of(cell) for cell in notebook["cells"] if "nbgrader" not in cell["metadata"]]
    change(notebook)
    mend(notebook, released)
    return notebook["cells"], released, given


def beside(change, assignment="gradient-pathology-en"):
    """Empty cell -> whether what may answer it is above, and how that begins."""
    found = answers_beside(*mended(change, assignment))
    return {name: [(place.above, place.words) for place in places] for name, places in found.items()}


def copied(notebook):
    notebook["cells"].append(prose(source_of(notebook["cells"][place(notebook, "prose-49")])))


def insert(cell, at, offset=1):
    return lambda notebook: notebook["cells"].insert(place(notebook, at) + offset, cell)


def add_to(name, text):
    def change(notebook):
        cell = notebook["cells"][place(notebook, name)]
        cell["source"] = [*cell["source"], text]

    return change


def replace_cell(name, cell):
    def change(notebook):
        notebook["cells"][place(notebook, name)] = cell

    return change


def answer(name, text):
    def change(notebook):
        cell = cell_of(notebook, name)
        cell["source"] = (
            "".join(cell["source"])
            .replace("Write your answer here.", text)
            .replace("    # Write your code here\n    raise NotImplementedError", f"    {text}")
        )

    return change


def all_of(*changes):
    def change(notebook):
        for step in changes:
            step(notebook)

    return change


def lose_marks(notebook):
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        del cell["id"]


@pytest.mark.parametrize(
    ("change", "above"),
    [
        (insert(prose(WORDS), FINDINGS), False),
        (insert(prose(WORDS), FINDINGS, 0), True),
        (insert(prose(WORDS), "prose-51"), False),
        (insert({**prose(WORDS), "cell_type": "raw"}, FINDINGS), False),
        (insert(code_cell(f"# {WORDS}"), FINDINGS), False),
        (add_to("prose-49", f"\n\n{WORDS}"), True),
        (add_to("prose-50", f"\n\n{WORDS}"), False),
        (add_to("check_depth_study", f"\n{WORDS}"), True),
        (replace_cell(FINDINGS, prose(WORDS)), False),
        (all_of(insert(prose(WORDS), FINDINGS), lose_marks), False),
    ],
    ids=["below", "above", "end", "raw", "code", "question", "next", "check", "replaced", "lost"],
)
def test_findings_beside_their_cell_wait_for_a_person(change, above):
    found = beside(change)[FINDINGS]
    assert [(side, words.removeprefix("# ")) for side, words in found] == [(above, WORDS)]


def test_a_cell_in_the_place_of_the_findings_is_the_answer_where_all_marks_are_lost():
    cells, released, _given = mended(all_of(replace_cell(FINDINGS, prose(WORDS)), lose_marks), "gradient-pathology-en")
    assert FINDINGS not in untouched(cells, released)


@pytest.mark.parametrize(
    "change",
    [
        insert(code_cell(DRAWN), PLOT),
        insert(code_cell(DRAWN), "check_depth_study"),
        insert(code_cell(DRAWN), "depth_study"),
        insert(code_cell(DRAWN), "prose-51"),
        insert(prose("![my plot](attachment:a.png)", attachments={"a.png": {"image/png": "AA=="}}), PLOT),
        replace_cell(PLOT, code_cell(DRAWN)),
        add_to("code-04", f"\n{DRAWN}"),
    ],
    ids=["below", "above", "before the check", "end", "picture", "replaced", "given code"],
)
def test_a_plot_beside_its_cell_waits_for_a_person(change):
    assert PLOT in beside(change)


@pytest.mark.parametrize(
    "change",
    [
        lambda notebook: None,
        lose_marks,
        lambda notebook: notebook["cells"].pop(place(notebook, PLOT)),
        lambda notebook: notebook["cells"].pop(place(notebook, FINDINGS)),
        insert(code_cell("  \n"), FINDINGS),
        insert(code_cell("import numpy as np\ncheck()\nhint('depth_study')"), PLOT),
        insert(code_cell("%matplotlib inline\n!pip list"), PLOT),
        insert(prose("<a href='https://deepnote.com'>Created in <span>Deepnote</span></a>"), "prose-51"),
        copied,
        insert(code_cell(DRAWN), "clip_gradients"),
        add_to("prose-12", WORDS),
    ],
    ids=["as given", "marks lost", "plot deleted", "findings deleted", "blank", "kit", "magics", "footer", "copy"]
    + ["far code", "far text"],
)
@pytest.mark.parametrize("assignment", ["gradient-pathology-en", "gradient-pathology"])
def test_where_nothing_was_written_nobody_has_to_look(change, assignment):
    assert beside(change, assignment) == {}


def test_an_answer_in_its_own_cell_waits_anyway_and_lends_nothing_to_others():
    assert beside(answer(FINDINGS, WORDS)) == {}
    assert beside(answer(PLOT, "plt.plot([1, 2])")) == {}
    helper = insert(code_cell(DRAWN), "prose-49")
    assert beside(all_of(answer(PLOT, "plt.plot(results[5]['loss'])"), helper)) == {}, "code for the plot"


def test_a_picture_among_the_findings_may_be_the_plot():
    assert beside(answer(FINDINGS, f"{WORDS} <img src='attachment:image.png'>")) == {PLOT: [(False, WORDS)]}


def test_no_tag_of_the_students_gets_into_a_comment():
    with speaking("en"):
        assert beside(answer(FINDINGS, "<img src='attachment:image.png'>")) == {PLOT: [(False, "a picture")]}
        assert beside(insert(prose(f"<b>{WORDS}</b>"), FINDINGS))[FINDINGS] == [(False, WORDS)]


def test_the_comment_says_where_to_look_in_both_languages():
    notebook = mended(insert(prose(f"{WORDS}\nMore."), FINDINGS), "gradient-pathology-en")
    places = answers_beside(*notebook)[FINDINGS]
    with speaking("en"):
        assert f"below: “{WORDS}”" in comment_on(places)
    with speaking("ja"):
        assert WORDS in comment_on(places) and "below" not in comment_on(places)
