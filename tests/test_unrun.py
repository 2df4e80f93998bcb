"""A solution cell that did not run: the student is told its error, wherever the exercise is judged."""

import sys

import pytest
from conftest import EXERCISES, code_cell, small_notebook

from autograder.checks.exercise import Implementation
from autograder.checks.judge import interrupted
from autograder.checks.results import Outcome
from autograder.exercises import exercise
from autograder.exercises.recorded import recorded, trials
from autograder.notebooks.submission import submission_of
from autograder.notebooks.undefined import explain_unrun
from autograder.sandbox.client import run_submission
from autograder.sandbox.limits import Limits
from autograder.student.notebook import check, judge_here

pytestmark = pytest.mark.usefixtures("english")

CLIP = exercise("clip_gradients")
STUB = "def clip_gradients(layers, max_norm=1.0):\n    raise NotImplementedError\n"
OPEN_BRACKET = "def clip_gradients(layers, max_norm=1.0):\n    total = np.sqrt(sum(\n    return total\n"
INDENT = "def clip_gradients(layers, max_norm=1.0):\n    a = 1\n      b = 2\n"
NO_MODULE = "import nosuchmodule\ndef clip_gradients(layers, max_norm=1.0):\n    return 0.0, 1.0\n"
BAD_DEFAULT = "x = 1\ndef clip_gradients(layers, max_norm=LIMIT):\n    return 0.0, 1.0\n"
RIGHT_THEN_ERROR = "def clip_gradients(layers, max_norm=1.0):\n    return 0.0, 1.0\nnothing\n"

UNRUN = pytest.mark.parametrize(
    ("source", "words"),
    [
        (OPEN_BRACKET, ["SyntaxError: '(' was never closed", "in line 2 of the cell: total = np.sqrt(sum("]),
        (INDENT, ["IndentationError: unexpected indent", "in line 3 of the cell: b = 2"]),
        (
            NO_MODULE,
            ["ModuleNotFoundError: No module named 'nosuchmodule'", "in line 1 of the cell: import nosuchmodule"],
        ),
        (BAD_DEFAULT, ["NameError: name 'LIMIT' is not defined", "in line 2 of the cell: def clip_gradients"]),
        ("return 3\n" + STUB, ["SyntaxError: 'return' outside function"]),
    ],
)


# --- in a clean run --------------------------------------------------------------------------------------------------


def clean_run(extra=(), **solutions):
    """What is told of every exercise after a run in a worker."""
    submission = submission_of(small_notebook(extra, **solutions), "test")
    cases = {e.id: [recorded(e)[:1]] for e in submission.exercises}
    run = run_submission(submission, cases, limits=Limits(cell_seconds=2.0, probe_seconds=5.0))
    return explain_unrun(submission, run.outputs, run.trials)


@UNRUN
def test_a_clean_run_tells_the_error_of_a_cell_that_did_not_run(source, words):
    told = clean_run(clip_gradients=source)
    assert all(word in told["clip_gradients"] for word in ["`clip_gradients`", *words])
    assert all(not isinstance(told[e.id], str) for e in EXERCISES if e is not CLIP)


def test_each_exercise_of_a_cell_is_told():
    told = clean_run(batch_norm="class BatchNorm(Layer):\n    width = n_features\n")
    for name in ("batch_norm_forward", "batch_norm_backward", "batch_norm_inference"):
        assert "NameError" in told[name] and "in line 2 of the cell: width = n_features" in told[name]


@pytest.mark.parametrize("source", ["", "# later\n", STUB, RIGHT_THEN_ERROR, "clip_gradients_ = 1/0 if False else 2\n"])
def test_what_was_not_written_or_is_defined_is_left_to_the_checks(source):
    assert not isinstance(clean_run(clip_gradients=source)["clip_gradients"], str)


def test_the_cell_that_was_written_elsewhere_counts():
    told = clean_run(extra=[code_cell(NO_MODULE)], clip_gradients="")
    assert "nosuchmodule" in told["clip_gradients"]


def test_what_a_student_is_told_costs_everything_and_is_no_missing_attempt():
    result = interrupted(CLIP, clean_run(clip_gradients=OPEN_BRACKET)["clip_gradients"])
    assert {(item.outcome, item.points) for item in result.items} == {(Outcome.RAISED, 0.0)}


@pytest.mark.parametrize("traceback", [[], ["\x1b[31mno frame\x1b[0m"], ["Cell In[9], line 99999"]])
def test_an_output_that_says_little_is_told_without_a_line(traceback):
    submission = submission_of(small_notebook(clip_gradients=NO_MODULE), "test")
    cell = next(cell for cell in submission.cells if cell.grade_id == "clip_gradients")
    error = {"output_type": "error", "ename": "Odd", "evalue": "words", "traceback": traceback}
    one = recorded(CLIP)[0]
    undefined = trials([one], [CLIP.observe(Implementation({}), one.case)])
    told = explain_unrun(submission, {cell.index: [error]}, {"clip_gradients": undefined})["clip_gradients"]
    assert told == "The cell with `clip_gradients` did not run: Odd: words"


# --- in a notebook ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    before = {name: getattr(sys, name) for name in ("displayhook", "excepthook")}
    shell = InteractiveShell()
    shell.history_manager.enabled = False
    shell.user_ns["check"] = check

    def run(*sources):
        for source in sources:
            shell.run_cell(source, store_history=True)
        capsys.readouterr()
        return judge_here(CLIP, shell.user_ns)

    yield run
    for name, value in before.items():
        setattr(sys, name, value)
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)


def told(result):
    assert {(item.outcome, item.points) for item in result.items} == {(Outcome.RAISED, 0.0)}
    return result.items[0].message


@UNRUN
def test_a_notebook_tells_the_error_of_a_cell_that_did_not_run(shell, source, words):
    message = told(shell(source))
    assert all(word in message for word in words)


def test_a_syntax_error_counts_although_an_older_definition_is_there(shell):
    assert "was never closed" in told(shell(STUB, OPEN_BRACKET, "1 + 1"))


def test_an_error_since_then_does_not_take_its_place(shell):
    assert "was never closed" in told(shell(OPEN_BRACKET, "1/0"))
    message = told(shell(NO_MODULE, "1/0"))
    assert (
        message == "`clip_gradients` is not defined: its cell ended with an error. Run the cell again to see the error."
    )


def test_a_cell_that_runs_again_is_judged(shell):
    result = shell(OPEN_BRACKET, STUB)
    assert {item.outcome for item in result.items} == {Outcome.NOT_ATTEMPTED}
    result = shell(RIGHT_THEN_ERROR)
    assert {item.outcome for item in result.items} == {Outcome.FAILED, Outcome.BLOCKED}, (
        "what is below the definition is no matter"
    )


def test_an_untouched_notebook_has_attempted_nothing(shell):
    result = shell("x = 'clip_gradients'", "1/0")
    assert {item.outcome for item in result.items} == {Outcome.NOT_ATTEMPTED}


@pytest.mark.parametrize("history", [None, 3, [None, 4], ["def clip_gradients(:"]])
def test_a_namespace_that_is_no_ipython_session_is_taken_as_it_is(history):
    result = judge_here(CLIP, {"In": history})
    assert {item.outcome for item in result.items} == {Outcome.NOT_ATTEMPTED}
