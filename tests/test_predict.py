"""`predict` asks before an experiment, answers at once, and is never in the way; `show` describes a figure."""

import re
import sys
from types import SimpleNamespace

import IPython.display
import ipywidgets
import matplotlib
import matplotlib.pyplot as plt
import pytest
from conftest import AUTOMATIC
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from test_editions import ENGLISH, each_edition, numbers

import autograder
from autograder.exercises import assignments
from autograder.grading.grade_submission import grade_submission
from autograder.locale import speaking
from autograder.notebooks.submission import read_notebook, submission_of
from autograder.student import figures, notebook, predictions
from autograder.student.notebook import use_exercises
from autograder.student.predictions import LETTERS, WIDGET, predict, questions
from source.build import build
from source.release import kit_assignment

QUESTIONS = [
    pytest.param(assignment, question, id=f"{assignment}-{name}")
    for assignment in assignments()
    for name, question in questions(assignment).items()
]
each_question = pytest.mark.parametrize(("assignment", "question"), QUESTIONS)
BACKEND = "module://matplotlib_inline.backend_inline"


@pytest.fixture(autouse=True)
def a_new_session(monkeypatch):
    monkeypatch.setattr(predictions, "_first_choices", {})
    monkeypatch.setattr(notebook, "_assignment", "")
    with speaking("en"):
        yield


def other(question):
    """A letter of a wrong choice."""
    return next(letter for letter in question.options if letter != question.right)


# --- the questions ----------------------------------------------------------------------------------------------------


@each_question
def test_a_question_says_the_same_in_both_languages(assignment, question):
    assert len(question.choices["ja"]) == len(question.choices["en"]) == len(question.options) > 2
    assert question.right in question.options
    for texts in (question.question, question.answer):
        assert numbers(texts["ja"]) == numbers(texts["en"])
    for choices in zip(question.choices["ja"], question.choices["en"], strict=True):
        assert numbers(choices[0]) == numbers(choices[1])


@each_question
def test_choices_fit_on_a_button(assignment, question):
    assert all(len(words) <= 50 for words in question.choices["en"])
    assert all(len(words) <= 30 for words in question.choices["ja"])


@each_edition
def test_every_question_is_asked_once_before_an_experiment_and_what_to_notice_is_folded_below(edition):
    cells = build(edition).cells
    asked = [i for i, cell in enumerate(cells) if cell.id.startswith("predict-")]
    names = [re.fullmatch(r'predict\("(.*)"\)', cells[i].source)[1] for i in asked]
    assert names == list(questions(kit_assignment(edition.assignment)))
    for i in asked:
        experiment, notice = cells[i + 1 : i + 3]
        assert "experiment" in experiment.metadata["tags"]
        assert notice.source.startswith("<details>\n<summary><b>" + {"ja": "注目", "en": "Notice"}[edition.language])
    texts = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert texts.count("<details>") == texts.count("</details>")


# --- asked and answered -----------------------------------------------------------------------------------------------


def test_a_question_shows_its_choices_and_how_to_answer():
    text = repr(predict("1.1"))
    assert text.startswith("Predict first: With which weights")
    assert "b) 6 times Xavier\n" in text and 'Answer with `predict("1.1", "b")`, say. It is not graded.' in text
    assert "0.70" not in text


@each_question
def test_an_answer_comes_at_once_with_what_the_experiment_shows(assignment, question):
    use_exercises(assignment)
    right, wrong = repr(predict(question.name, question.right)), repr(predict(question.name, other(question)))
    assert f"✓ You predicted {question.right}) {question.options[question.right]}, and that is right." in right
    assert f"✗ You predicted {other(question)}) " in wrong
    assert f"; the experiment shows {question.right}) {question.options[question.right]}." in wrong
    assert question.answer["en"] in right and question.answer["en"] in wrong


def test_the_first_choice_is_remembered_and_counted():
    first, second = questions()["1.1"], questions()["1.2"]
    predict("1.1", other(first))
    assert "Questions answered so far: 1. Right at the first answer: 0." in repr(predict("1.1", first.right))
    assert f"You predicted {other(first)})" in repr(predict("1.1")), "asked again, it is answered"
    both = repr(predict("1.2", f" {second.right.upper()} "))
    assert "Questions answered so far: 2. Right at the first answer: 1." in both


@pytest.mark.parametrize("choice", ["z", "", 5, "6 times Xavier"])
def test_a_choice_that_there_is_not_is_no_answer(choice):
    told, *question = repr(predict("1.1", choice)).splitlines()
    assert told == f'There is no choice "{str(choice).lower()}". Choose one of these: a, b, c, d.'
    assert question == repr(predict("1.1")).splitlines()
    assert predictions._first_choices == {}


@pytest.mark.parametrize("name", ["9.9", None, 1.1, ["x"]])
def test_no_name_stops_a_notebook(name):
    text = repr(predict(name, "a"))
    assert ("There is no question" in text) == (str(name) != "1.1")


def test_a_card_escapes_and_has_a_name(monkeypatch):
    question = questions()["1.2"]
    page = predict("1.2", question.right)._repr_html_()
    assert 'aria-label="Prediction 1.2"' in page and "|δ| loses 1.5 decades" in page
    monkeypatch.setitem(questions(), "x", predictions.Question("x", {"en": "<b>?"}, {"en": ["<i>"]}, "a", {"en": ""}))
    assert "<b>?" not in predict("x")._repr_html_()


def test_it_speaks_japanese():
    with speaking("ja"):
        text = repr(predict("1.1", "b"))
    assert "✓ あなたの予想は「b) Xavier の 6 倍」。そのとおりです。" in text and "predicted" not in text
    assert "ここまでの 1 問のうち、最初の答えで当たったのは 1 問です。" in text


# --- buttons ----------------------------------------------------------------------------------------------------------


def test_buttons_answer_once(monkeypatch):
    monkeypatch.setattr(predictions, "live_widgets", lambda: ipywidgets)
    question = questions()["1.1"]
    bundle = predict("1.1")._repr_mimebundle_()
    assert bundle["text/plain"] == repr(predict("1.1")), "for those who see no buttons"
    box = ipywidgets.widgets.widget._instances[bundle[WIDGET]["model_id"]]
    asked, *buttons, answer = box.children
    assert question.question["en"] in asked.value and answer.value == ""
    assert [button.description for button in buttons] == [f"{a}) {words}" for a, words in question.options.items()]
    buttons[LETTERS.index(other(question))].click()
    assert "✗ You predicted" in answer.value and question.answer["en"] in answer.value
    assert all(button.disabled for button in buttons)
    assert predictions._first_choices == {"1.1": other(question)}
    assert WIDGET not in predict("1.1")._repr_mimebundle_(), "what is answered is text"


def test_without_jupyter_or_ipywidgets_there_are_no_buttons_and_no_slider(monkeypatch):
    assert figures.live_widgets() is None
    assert list(predict("1.1")._repr_mimebundle_()) == ["text/plain", "text/html"]
    drawn = []
    autograder.slider(drawn.append, {"1": 1}, start="1")
    assert drawn == []
    for asks in (True, False):
        parent = {"content": {"allow_stdin": asks}}
        kernel = SimpleNamespace(get_parent=lambda parent=parent: parent)
        monkeypatch.setattr("IPython.get_ipython", lambda kernel=kernel: SimpleNamespace(kernel=kernel))
        assert figures.live_widgets() is (ipywidgets if asks else None)
    parent["content"]["allow_stdin"] = True
    assert figures.live_widgets() is ipywidgets
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert figures.live_widgets() is None


def test_a_notebook_that_is_only_executed_has_text():
    asked = 'from autograder import predict, use_language\nuse_language("en")\npredict("1.1")'
    nb = new_notebook(cells=[new_code_cell(asked)])
    NotebookClient(nb, timeout=120).execute()
    (output,) = nb.cells[0].outputs
    assert set(output.data) == {"text/plain", "text/html"}
    assert "b) 6 times Xavier" in output.data["text/plain"]


def test_a_slider_draws_when_it_is_moved_and_says_in_words_what(monkeypatch):
    shown, described = [], []
    monkeypatch.setattr(figures, "live_widgets", lambda: ipywidgets)
    monkeypatch.setattr(figures, "show", described.append)
    monkeypatch.setattr(IPython.display, "display", shown.append)
    autograder.slider(lambda value: f"a line of slope {value}", {"one": 1, "two": 2}, start="one")
    autograder.slider(lambda value: None, {"one": 1, "two": 2}, start="one")
    assert described == []
    for box in shown:
        box.children[0].value = "two"
    assert described == ["a line of slope 2", "two"]


# --- figures ----------------------------------------------------------------------------------------------------------


def test_a_figure_is_shown_with_its_description(monkeypatch):
    shown = []
    monkeypatch.setattr(matplotlib, "get_backend", lambda: BACKEND)
    monkeypatch.setattr(IPython.display, "display", lambda *args, **kwargs: shown.append((*args, kwargs)))
    figure, _axes = plt.subplots()
    autograder.show("a line < a curve")
    assert shown[0] == (figure, {"metadata": {"image/png": {"alt": "a line < a curve"}}})
    words, _ = shown[1]
    assert words["text/plain"] == "a line < a curve"
    assert "This figure in words</summary><p>a line &lt; a curve</p>" in words["text/html"]
    assert plt.get_fignums() == []


def test_without_a_notebook_it_is_pyplots_show(monkeypatch):
    calls = []
    monkeypatch.setattr(plt, "show", lambda: calls.append("show"))
    autograder.show("a line")
    assert calls == ["show"]


# --- grading ----------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_where_nbgrader_runs_the_notebook(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert predict("1.1") is None and predict("9.9", "z") is None and figures.live_widgets() is None


def test_predictions_and_figures_of_a_student_do_not_touch_the_grade():
    notebook = read_notebook(ENGLISH.notebook)
    changed = {
        "predict-1-1": 'predict("1.1", "a")',
        "predict-1-2": 'predict("no such question", 5)',
        "batch-norm-graph": 'plt.plot([1, 2])\nshow("a line of my own")\nslider(print, {"1": 1}, start="1")',
    }
    for cell in notebook["cells"]:
        cell["source"] = changed.get(cell["id"], cell["source"])
    graded = grade_submission(submission_of(notebook, ENGLISH.notebook.name))
    assert graded.result.score == AUTOMATIC
    assert graded.cell_errors == []
