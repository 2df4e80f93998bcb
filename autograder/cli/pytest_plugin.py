"""`pytest --submission NOTEBOOK --pyargs autograder`: the same checks as pytest tests.

Without `--submission` the plugin does nothing, so it can stay installed beside any other tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

EXERCISES = Path(__file__).parents[1] / "exercises" / "__init__.py"

SAID_ONCE = ("stopped", "raised")
"""Outcomes that usually affect all checks of an exercise, for one reason."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --submission."""
    group = parser.getgroup("autograder")
    group.addoption("--submission", metavar="NOTEBOOK", type=Path, help="check the exercises in this notebook")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the submission once, when pytest finds the exercises of this package."""
    if parent.config.getoption("--submission") and file_path == EXERCISES:
        return SubmissionChecks.from_parent(parent, path=file_path)
    return None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fail if nothing was collected for the submission, so that it does not look as if it passed."""
    wanted = session.config.getoption("--submission")
    if wanted and not any(isinstance(item, CheckItem) for item in session.items):
        raise pytest.UsageError("--submission goes with: --pyargs autograder")


class SubmissionChecks(pytest.File):
    """All checks of one submission, which runs in a worker once, when the checks are collected."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._said: set[tuple[str, str]] = set()

    def said_before(self, exercise_id: str, message: str) -> bool:
        """Whether another check of the exercise already had this message."""
        said = (exercise_id, message) in self._said
        self._said.add((exercise_id, message))
        return said

    def collect(self) -> Iterator[pytest.Item]:
        """One test per check."""
        from autograder.grading.grade_submission import grade_submission
        from autograder.locale import use_language
        from autograder.notebooks.attachments import files_beside
        from autograder.notebooks.submission import UnreadableNotebook, read_notebook, submission_of
        from autograder.report.text import printable
        from autograder.sandbox.fork_server import HostBroken

        path = self.config.invocation_params.dir / self.config.getoption("--submission")
        try:
            submission = submission_of(read_notebook(path), str(path))
            use_language(submission.language)
            result = grade_submission(submission, files=files_beside(path)).result
        except (UnreadableNotebook, HostBroken) as error:
            raise pytest.UsageError(printable(str(error))) from None
        for exercise_id, exercise_result in result.checks.items():
            for item in exercise_result.items:
                yield CheckItem.from_parent(self, name=f"{exercise_id}::{item.id}", item=item, exercise_id=exercise_id)


class CheckItem(pytest.Item):
    """One check, already judged."""

    parent: SubmissionChecks

    def __init__(self, *, item: Any, exercise_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item, self._exercise_id = item, exercise_id

    def runtest(self) -> None:
        """Fail unless the check passed."""
        from autograder.locale import _
        from autograder.report.text import printable
        from autograder.report.words import outcome_word, points

        item = self.item
        if not item.full:
            again = item.outcome in SAID_ONCE and self.parent.said_before(self._exercise_id, item.message)
            message = _("Same as above.") if again else item.message
            text = f"{item.sentence}\n{outcome_word(item.outcome)} ({points(item.points, item.max)})\n{message}"
            pytest.fail(printable(text))

    def repr_failure(self, excinfo: pytest.ExceptionInfo, style: Any = None) -> Any:
        """The message a student reads, instead of a traceback through the checker."""
        failed = isinstance(excinfo.value, pytest.fail.Exception)
        return str(excinfo.value) if failed else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where pytest lists the check."""
        return self.path, None, self.name
