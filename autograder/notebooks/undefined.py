"""Explains a missing name of an exercise: the error with which its cell ended before it could define the name.

In IPython a cell with a syntax error leaves no trace in the namespace, so it looks like a cell that was never written.
Its error is in the outputs of a fresh run, and in the history of an open notebook.
"""

from __future__ import annotations

import ast
import linecache
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from autograder.checks.exercise import Exercise
from autograder.checks.judge import Trial, with_line
from autograder.checks.values import Raised
from autograder.locale import _
from autograder.notebooks.cells import defines, without_magics
from autograder.notebooks.submission import Submission

Outputs = Sequence[Mapping[str, Any]]
"""What one cell put out, in the notebook format."""

Tried = dict[str, list[Trial] | str]
"""By exercise id, what was observed, case by case, or a sentence that says why nothing was."""


def explain_unrun(submission: Submission, outputs: Mapping[int, Outputs], tried: Tried) -> Tried:
    """`tried`, with a sentence about the error where a name is missing because its cell ended with one.

    Args:
        outputs: by cell index, the outputs of a fresh run of the submission.
    """
    explained = dict(tried)
    for exercise in submission.exercises:
        if _is_undefined(exercise, tried.get(exercise.id, "")):
            error = _error_in_outputs(submission, exercise, outputs)
            if error is not None:
                explained[exercise.id] = _sentence(exercise, error)
    return explained


def cells_run(namespace: Mapping[str, Any]) -> list[str]:
    """The texts of the cells that were run in this IPython session, each at its number; none outside IPython."""
    history = namespace.get("In")
    return list(map(str, history)) if isinstance(history, list) and "get_ipython" in namespace else []


def unrun_here(exercise: Exercise, namespace: Mapping[str, Any]) -> str | None:
    """The error of the newest run of the exercise's cell in this IPython session; None if it succeeded.

    A syntax error counts even if an older definition still exists, because the notebook's text is what is graded.
    """
    candidates = (cell for cell in reversed(cells_run(namespace)) if exercise.defines in cell)
    newest = next((cell for cell in candidates if defines(cell, exercise.defines)), None)
    if newest is None:
        return None
    error = _syntax_error(newest)
    if error is not None:
        return _sentence(exercise, error)
    if exercise.defines in namespace:
        return None
    return _sentence(exercise, last_error_of(newest))


def _is_undefined(exercise: Exercise, tried: list[Trial] | str) -> bool:
    seen = [trial.seen for trial in tried] if isinstance(tried, list) else []
    values = [value for o in seen for value in (o.stopped, *o.values.values())]
    return any(type(v) is Raised and v.is_a("NotDefined") and v.message == exercise.defines for v in values)


def _error_in_outputs(submission: Submission, exercise: Exercise, outputs: Mapping[int, Outputs]) -> Raised | None:
    """The error of the last cell that should have defined the name and ended with an error."""
    for cell in reversed(submission.cells):
        if cell.grade_id == exercise.solution or defines(cell.source, exercise.defines):
            for output in outputs.get(cell.index, ()):
                if output["output_type"] == "error":
                    return _raised(output, cell.source)
    return None


def _raised(output: Mapping[str, Any], source: str) -> Raised:
    """The exception in an output of type "error"."""
    if output["ename"] in ("SyntaxError", "IndentationError", "TabError"):
        error = _syntax_error(source)
        if error is not None:
            return error
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output["traceback"]))
    frames = re.findall(r"Cell In\[(\d+)\],? line (\d+)", text)
    own = [int(line) for cell, line in frames if cell == frames[0][0]]  # the others are functions of other cells
    return _at_line(output["ename"], output["evalue"], own[-1] if own else 0, source)


def _syntax_error(source: str) -> Raised | None:
    """The syntax error of a cell, in Python's words: IPython calls an open bracket "incomplete input"."""
    try:
        ast.parse(without_magics(source))
    except SyntaxError as error:
        return _at_line(type(error).__name__, error.msg, error.lineno or 0, source)
    except (ValueError, RecursionError, MemoryError):
        pass
    return None


def last_error_of(source: str) -> Raised | None:
    """The exception that this session showed last, if it came from the cell with this text."""

    def is_the_cell(filename: str | None) -> bool:
        return "".join(linecache.getlines(filename or "")).strip() == source.strip()

    error = getattr(sys, "last_value", None)
    if isinstance(error, SyntaxError) and is_the_cell(error.filename):  # one that is found after parsing
        return _at_line(type(error).__name__, error.msg, error.lineno or 0, source)
    if isinstance(error, BaseException):
        frames = traceback.walk_tb(error.__traceback__)
        if any(is_the_cell(frame.f_code.co_filename) for frame, _line in frames):
            return Raised.of(error)
    return None


def _at_line(kind: str, message: str, line: int, source: str) -> Raised:
    lines = source.splitlines()
    text = lines[line - 1].strip()[:300] if 0 < line <= len(lines) else ""
    return Raised(kind, (kind,), message, line, text)


def _sentence(exercise: Exercise, error: Raised | None) -> str:
    if error is None:
        return _("`{name}` is not defined: its cell ended with an error. Run the cell again to see the error.").format(
            name=exercise.defines
        )
    sentence = _("The cell with `{name}` did not run: {type}: {message}").format(
        name=exercise.defines, type=error.type, message=error.message or "-"
    )
    return with_line(sentence, error)
