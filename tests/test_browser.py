"""A student in JupyterLab, an instructor in formgrader, and the pages that both are given, in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from conftest import ALL_POINTS, AUTOMATIC, EXERCISES
from playwright.sync_api import expect

from autograder.exercises import hand_graded
from tests.browser import (
    DARK,
    LIGHT,
    Formgrader,
    OpenNotebook,
    Troubles,
    headless,
    new_page,
    open_file,
    overflow,
    release,
    texts,
)
from tests.browser_class import EDITION, EPS_OUTSIDE, RIGHT, graded_course
from tests.class_folder import environment, grades_in
from tests.colours import READABLE, contrast
from tests.lab_server import jupyter_lab
from tests.report_class import ASSIGNMENT, HOSTILE_NAME, make_class
from tests.sample_class import NOTEBOOK

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # they start servers and kernels

EPS = "eps is added to the variance, under the root: columns of tiny spread come out as the formula says."


@pytest.fixture(scope="module")
def browser():
    with headless() as started:
        yield started


@pytest.fixture
def page(browser):
    opened = new_page(browser)
    yield opened
    opened.context.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A student's folder with both editions, and the server that was started in it."""
    folder = tmp_path_factory.mktemp("student")
    for edition in (ASSIGNMENT, EDITION):
        release(edition, folder)
    with jupyter_lab(folder, tmp_path_factory.mktemp("jupyter")) as server:
        yield server, folder


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """An instructor's course folder with a graded class, and the server that was started in it."""
    course = graded_course(tmp_path_factory.mktemp("instructor") / "course")
    with jupyter_lab(course, tmp_path_factory.mktemp("jupyter"), AUTOGRADER_LANG="en") as server:
        yield server, course


@pytest.fixture(scope="module")
def notebook(browser, desk):
    """The English edition, open, with its setup cell run."""
    server, folder = desk
    page = new_page(browser)
    opened = OpenNotebook(page, server, folder, folder / EDITION / NOTEBOOK)
    expect(opened.run("setup")).to_contain_text("The environment is ready")
    yield opened
    page.context.close()


# --- a student --------------------------------------------------------------------------------------------------------


def test_an_exercise_is_checked_and_put_right(notebook):
    notebook.write("batch_norm", EPS_OUTSIDE)
    notebook.run("batch_norm")
    card = notebook.card("check_batch_norm_forward")
    expect(card).to_have_accessible_name("Result of batch_norm_forward")
    expect(card.get_by_role("listitem").filter(has_text=EPS)).to_contain_text("✗ failed")
    expect(card).to_contain_text("3 / 4 points")
    expect(card).to_contain_text("Likely cause: eps is added to the standard deviation, outside the root.")
    expect(card.get_by_role("img")).to_have_accessible_name(re.compile("^Picture of the errors: 19 of 35 elements"))

    notebook.write("batch_norm", RIGHT["batch_norm"])
    notebook.run("batch_norm")
    card = notebook.card("check_batch_norm_forward")
    card.get_by_text("5 of 5 passed").click()
    expect(card.get_by_role("listitem").filter(has_text=EPS)).to_contain_text("✓ passed")
    expect(card).to_contain_text("4 / 4 points")
    expect(card).to_contain_text("Next: clip_gradients (2.2 Gradient clipping)")
    expect(card).not_to_contain_text("✗")


def test_a_card_names_the_cell_and_leads_back_to_the_lesson(notebook):
    notebook.write("batch_norm", EPS_OUTSIDE)
    prompt = notebook.run("batch_norm").locator("xpath=ancestor::*[contains(@class, 'jp-Cell')]")
    number = prompt.locator(".jp-InputPrompt").inner_text().strip("[]: ")
    card = notebook.card("check_batch_norm_forward")
    expect(card).to_contain_text(f"Judged: BatchNorm from cell [{number}].")
    # JupyterLab guesses the height of a cell that was never in view from its lines of code, also where they are folded.
    # Until a reader has come past the folded cells, it scrolls too far.
    notebook.read_to("check_batch_norm_forward")
    heading = notebook.page.get_by_role("heading", name="8.1 Implementing Batch Normalization")
    expect(heading).not_to_be_in_viewport()
    card.get_by_role("link", name="8.1 Implementing Batch Normalization").click()
    expect(heading).to_be_in_viewport()


@pytest.mark.parametrize("width", [600, 900, 1400])
def test_a_card_fits_into_a_narrow_window(notebook, width):
    notebook.write("batch_norm", EPS_OUTSIDE)
    notebook.run("batch_norm")
    notebook.page.set_viewport_size({"width": width, "height": 900})
    notebook.page.keyboard.press("ControlOrMeta+B")  # without the list of files
    card = notebook.card("check_batch_norm_forward")
    assert overflow(card) <= 0
    assert card.evaluate("card => card.getBoundingClientRect().right") <= width


def test_a_card_can_be_read_in_dark_and_light(notebook):
    notebook.write("batch_norm", EPS_OUTSIDE)
    notebook.run("batch_norm")
    card = notebook.card("check_batch_norm_forward")
    grounds = []
    for theme in (DARK, LIGHT):
        notebook.use_theme(theme)
        seen = texts(card)
        assert [text for text, colour, ground in seen if contrast(colour, ground) < READABLE] == []
        assert overflow(card) <= 0
        grounds.append(seen[0][2])
    assert contrast(*grounds) > READABLE, "the theme did not change"


def test_the_overview_and_hints_show_themselves(notebook):
    notebook.add_below("check_clip_gradients", "check()")
    overview = notebook.card("check()")
    expect(overview).to_have_accessible_name("Your progress")
    expect(overview.get_by_role("row")).to_have_count(1 + len(EXERCISES) + len(hand_graded(ASSIGNMENT)))
    expect(overview.get_by_role("row").filter(has_text="clip_gradients")).to_contain_text("nothing written yet")
    assert overflow(overview) <= 0
    asked = 'hint("clip_gradients")'
    notebook.add_below("check()", asked)
    for number in (1, 2):
        expect(notebook.card(asked)).to_contain_text(f"clip_gradients, hint {number} of ")


def test_a_prediction_is_a_click_and_is_answered_at_once(notebook):
    output = notebook.run("predict-2-1")
    expect(output).to_contain_text("Predict first: With ReLU, width 10 and sd=2")
    output.get_by_role("button", name="a) about 2").click()
    answer = output.get_by_role("group", name="Prediction 2.1")
    expect(answer).to_contain_text("✗ You predicted a) about 2; the experiment shows b) about 4.")
    expect(output.get_by_role("button", name="b) about 4")).to_be_disabled()
    assert [text for text, colour, ground in texts(answer) if contrast(colour, ground) < READABLE] == []
    assert overflow(output) <= 0


def test_a_figure_is_also_told_in_words_and_drawn_again_by_a_slider(notebook):
    notebook.run("code-01")
    output = notebook.run_folded("weight-scale")
    words = output.get_by_text("Left: |δ| in 10 layers for scale 1.")
    expect(words).to_be_hidden()
    output.get_by_text("This figure in words").click()
    expect(words).to_be_visible()
    expect(output.locator("img")).to_have_count(1)
    output.get_by_role("slider").press("ArrowRight")
    expect(output).to_contain_text("× 1.33")
    expect(output.locator("img")).to_have_count(2)
    expect(output).to_contain_text("Slopes with the weights × 1.33 (decades per layer): sigmoid +0.")


def test_the_japanese_edition_starts_and_answers_in_japanese(page, desk):
    server, folder = desk
    notebook = OpenNotebook(page, server, folder, folder / ASSIGNMENT / NOTEBOOK)
    expect(notebook.run("setup")).to_contain_text("環境セットアップ完了")
    card = notebook.card("check_clip_gradients")
    expect(card).to_have_attribute("lang", "ja")
    expect(card).to_contain_text("定義されていません")


# --- an instructor ----------------------------------------------------------------------------------------------------


def test_formgrader_lists_the_assignment_and_who_handed_in(page, office):
    formgrader = Formgrader(page, office[0])
    expect(formgrader.row(EDITION).locator(".num-submissions")).to_have_text("3")
    formgrader.open_submissions(EDITION)
    expect(formgrader.row("aoki").locator(".score")).to_have_text(f"{AUTOMATIC:g} / {ALL_POINTS:g}")
    expect(formgrader.row("aoki").locator(".status")).to_have_text("needs manual grading")


def test_a_plot_is_graded_by_hand_and_feedback_given(page, browser, office):
    server, course = office
    assert grades_in(course / "gradebook.db")["fujii"]["depth_study_plot"][1:] == (None, True)
    formgrader = Formgrader(page, server)
    formgrader.open_submissions(EDITION)
    formgrader.open_submission("fujii")
    plot = formgrader.plot("depth_study_plot")
    expect(plot).to_be_visible()
    assert plot.evaluate("image => image.naturalWidth") > 300
    formgrader.score("depth_study_plot", 1.5)
    assert grades_in(course / "gradebook.db")["fujii"]["depth_study_plot"][1:] == (1.5, False)

    formgrader.give_feedback(EDITION, "fujii")
    reader = new_page(browser, offline=True)
    open_file(reader, course / "feedback" / "fujii" / EDITION / NOTEBOOK.replace(".ipynb", ".html"))
    expect(reader.locator('a[name="depth_study_plot"]').locator("..")).to_contain_text("Score: 1.5 / 2.0")
    card = reader.get_by_role("group", name="Result of batch_norm_forward")
    expect(card).to_contain_text("Likely cause: eps is added to the standard deviation, outside the root.")
    assert [text for text, colour, ground in texts(card) if contrast(colour, ground) < READABLE] == []
    assert overflow(card) <= 0


def test_the_class_report_loads_nothing_runs_nothing_and_fits(browser, tmp_path):
    course = make_class(tmp_path / "course", students=20).folder
    subprocess.run(
        [sys.executable, "-m", "autograder", "report", ASSIGNMENT, "--course", str(course)],
        env=environment(course),
        check=True,
    )
    page = new_page(browser)
    troubles = Troubles.of(page)
    open_file(page, course / "report" / ASSIGNMENT / "report.html")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Class report: {ASSIGNMENT}")
    expect(page.get_by_text(HOSTILE_NAME).first).to_be_visible()
    expect(page.locator("figure svg")).to_be_visible()
    expect(page.get_by_role("img")).to_have_accessible_name(re.compile(r"^0–4: \d+, .*36–40: \d+$"))
    assert overflow(page.locator("body")) <= 0
    assert troubles == Troubles()
