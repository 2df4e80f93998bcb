"""`predict`: a question about an experiment before it runs, answered at once, never graded.

The questions stand in `predictions.toml` beside the exercises of an assignment. In Jupyter with
ipywidgets the choices are buttons; elsewhere, and in saved notebooks, they are text.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from autograder import exercises
from autograder.locale import _, current_language
from autograder.report.html import card, escape
from autograder.student.figures import live_widgets

LETTERS = "abcdef"

WIDGET = "application/vnd.jupyter.widget-view+json"

_first_choices: dict[str, str] = {}
"""What was chosen first in this session: question -> letter. Who has read the answer predicts no more."""


@dataclass(frozen=True)
class Question:
    """A question about an experiment, in each language.

    Attributes:
        name: the section of the lesson, with a further number where it has several: "2.1.2".
        choices: the words of each choice.
        right: the letter of the choice that the experiment shows.
        answer: what the experiment shows, with its numbers.
    """

    name: str
    question: dict[str, str]
    choices: dict[str, list[str]]
    right: str
    answer: dict[str, str]

    @property
    def options(self) -> dict[str, str]:
        """Letter -> words."""
        return dict(zip(LETTERS, self.choices[current_language()], strict=False))


@cache
def questions(assignment: str = "") -> dict[str, Question]:
    """The questions of an assignment, by name, in the order of its lesson; or those of all ("")."""
    found: dict[str, Question] = {}
    for package in [assignment] if assignment else exercises.assignments():
        file = resources.files(f"{exercises.__name__}.{package.replace('-', '_')}").joinpath("predictions.toml")
        entries = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        found = {name: Question(name, **entry) for name, entry in entries.items()} | found
    return found


def questions_here() -> dict[str, Question]:
    """The questions of the assignment that this notebook names, or else of all."""
    from autograder.student import notebook  # here: it needs the checks, and no question does

    return questions(notebook.assignment_named())


def predict(name: Any, choice: Any = None) -> Prediction | None:
    """Ask what an experiment will show, and answer at once. Nothing here is graded.

    Args:
        name: the question, by its section: "1.1".
        choice: the letter of your answer; without it, the question is shown, with its choices.

    Returns:
        The question or the answer, shown as a card in Jupyter (with buttons, if ipywidgets is installed) and as text
        elsewhere; None if nbgrader runs the notebook.

    >>> predict("1.1", "b")
    """
    if "NBGRADER_EXECUTION" in os.environ:
        return None
    question = questions_here().get(str(name))
    if question is None:
        return Prediction(str(name), None)
    if choice is None:
        return Prediction(question.name, question, _first_choices.get(question.name))
    return answered(question, str(choice).strip().lower())


def answered(question: Question, letter: str) -> Prediction:
    """The answer to a choice, of which the first is remembered; what may be chosen if there is no such choice."""
    if letter in question.options:
        _first_choices.setdefault(question.name, letter)
    return Prediction(question.name, question, letter)


@dataclass(frozen=True)
class Prediction:
    """A question as it is shown: open, or with the letter that was chosen; `question` is None if there is none.

    A `letter` that the question does not have leaves it open.
    """

    name: str
    question: Question | None
    letter: str | None = None

    def __repr__(self) -> str:
        return "\n".join(self._paragraphs())

    def _repr_html_(self) -> str:
        return _card(self.name, self._paragraphs())

    def _repr_mimebundle_(self, **_kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._repr_html_()}
        buttons = _buttons(self.question) if self.question and self.letter not in self.question.options else None
        return bundle if buttons is None else bundle | {WIDGET: buttons}

    def _paragraphs(self) -> list[str]:
        if self.question is None:
            line = _('There is no question "{name}". Choose one of these: {known}.')
            return [line.format(name=self.name, known=", ".join(questions_here()))]
        if self.letter in self.question.options:
            return [self.question.question[current_language()], *_answer(self.question, self.letter)]
        how = _('Answer with `predict("{name}", "{letter}")`, say. It is not graded.')
        options = [f"{letter}) {words}" for letter, words in self.question.options.items()]
        unknown = _('There is no choice "{letter}". Choose one of these: {known}.')
        known = ", ".join(self.question.options)
        refused = [] if self.letter is None else [unknown.format(letter=self.letter, known=known)]
        return [*refused, _asked(self.question), *options, how.format(name=self.name, letter="b")]


def _card(name: str, paragraphs: list[str]) -> str:
    return card(_("Prediction {name}").format(name=name), "".join(f"<p>{escape(line)}</p>" for line in paragraphs))


def _asked(question: Question) -> str:
    return _("Predict first: {question}").format(question=question.question[current_language()])


def _answer(question: Question, letter: str) -> list[str]:
    chosen, right = (f"{one}) {question.options[one]}" for one in (letter, question.right))
    line = (
        _("✓ You predicted {chosen}, and that is right.")
        if letter == question.right
        else _("✗ You predicted {chosen}; the experiment shows {right}.")
    )
    seen = question.answer[current_language()]
    first = [questions_here()[name].right == letter for name, letter in _first_choices.items()]
    score = _("Questions answered so far: {all}. Right at the first answer: {right}.")
    score = score.format(all=len(first), right=sum(first))
    return [
        line.format(chosen=chosen, right=right),
        seen,
        _("Now run the experiment below, then open “Notice”. {score}").format(score=score),
    ]


def _buttons(question: Question) -> dict[str, Any] | None:
    """The view of buttons that answer `question`; None where widgets do not work."""
    widgets = live_widgets()
    if widgets is None:
        return None
    answer = widgets.HTML()
    buttons = {letter: _button(widgets, f"{letter}) {words}") for letter, words in question.options.items()}

    def choose(letter: str) -> None:
        answered(question, letter)
        answer.value = _card(question.name, _answer(question, letter))
        for button in buttons.values():
            button.disabled = True

    for letter, button in buttons.items():
        button.on_click(lambda _clicked, letter=letter: choose(letter))
    asked = widgets.HTML(f"<p>{escape(_asked(question))}</p>")
    view: dict[str, Any] = widgets.VBox([asked, *buttons.values(), answer])._repr_mimebundle_()[WIDGET]
    return view


def _button(widgets: Any, words: str) -> Any:
    return widgets.Button(
        description=words, tooltip=words, layout=widgets.Layout(width="max-content", max_width="100%")
    )
