"""`pytest --submission NOTEBOOK --pyargs autograder`: the same checks, for whoever prefers pytest.

Without `--submission` the plugin does nothing, so that it can stay installed beside any other tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --submission."""
    group = parser.getgroup("autograder")
    group.addoption("--submission", metavar="NOTEBOOK", type=Path, help="check the exercises in this notebook")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The submission is collected once, where pytest comes across the exercises of this package."""
    if parent.config.getoption("--submission") and file_path == Path(__file__).parent / "exercises" / "__init__.py":
        return SubmissionChecks.from_parent(parent, path=file_path)
    return None


def pytest_collection_finish(session: pytest.Session) -> None:
    """A submission that nothing was collected for must not look like one that passed."""
    wanted = session.config.getoption("--submission")
    if wanted and not any(isinstance(item, CheckItem) for item in session.items):
        raise pytest.UsageError("--submission goes with: --pyargs autograder")


class SubmissionChecks(pytest.File):
    """All checks of one submission. It is run in a worker once, when the checks are collected."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test a check."""
        from autograder.beside import files_beside
        from autograder.grading import grade_submission
        from autograder.i18n import use_language
        from autograder.report.text import printable
        from autograder.submission import UnreadableNotebook, read_notebook, submission_of
        from autograder.worker.host import HostBroken

        path = self.config.invocation_params.dir / self.config.getoption("--submission")
        try:
            submission = submission_of(read_notebook(path), str(path))
            use_language(submission.language)
            result = grade_submission(submission, files=files_beside(path)).result
        except (UnreadableNotebook, HostBroken) as error:
            raise pytest.UsageError(printable(str(error))) from None
        for exercise_id, exercise_result in result.checks.items():
            for item in exercise_result.items:
                yield CheckItem.from_parent(self, name=f"{exercise_id}::{item.id}", item=item)


class CheckItem(pytest.Item):
    """One check, already judged."""

    def __init__(self, *, item: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item = item

    def runtest(self) -> None:
        """Fail unless the check passed."""
        if not self.item.full:
            raise CheckFailed(self.item)

    def repr_failure(self, excinfo: pytest.ExceptionInfo, style: Any = None) -> Any:
        """The message a student reads, instead of a traceback through the checker."""
        if isinstance(excinfo.value, CheckFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the check is listed under."""
        return self.path, None, self.name


class CheckFailed(Exception):
    """A check that does not hold; its text is sentence, outcome and message."""

    def __init__(self, item: Any) -> None:
        from autograder.report.text import printable
        from autograder.report.words import outcome_word, points

        text = f"{item.sentence}\n{outcome_word(item.outcome)} ({points(item.points, item.max)})\n{item.message}"
        super().__init__(printable(text))
