"""The results store: what was found of every submission, and from what, in one SQLite file in the course folder.

A row says that everything of a submission is done: executed notebook, gradebook and result. It is written last, so that
grading which was cut off, at whatever moment, does that submission again and finds the same.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.checks.results import SubmissionResult

FILE_NAME = "results.db"
NOT_DONE = ""
"""The digest of a submission that the grader could not bring to an end."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS result (
    assignment TEXT NOT NULL,
    student TEXT NOT NULL,
    content TEXT NOT NULL,   -- digest of all that decides the result: notebook, kit, reference, secret
    isolation TEXT NOT NULL,
    status TEXT NOT NULL,
    result TEXT NOT NULL,    -- as in a results file, JSON
    PRIMARY KEY (assignment, student)
)
"""


class ResultStore:
    """Results by assignment and student."""

    def __init__(self, course: Path) -> None:
        self._database = sqlite3.connect(course / FILE_NAME, timeout=30.0)
        with self._database:
            self._database.execute(_SCHEMA)

    def contents(self, assignment: str) -> dict[str, str]:
        """Student -> the digest that the stored result was made from."""
        return dict(self._database.execute("SELECT student, content FROM result WHERE assignment = ?", [assignment]))

    def put(self, assignment: str, student: str, content: str, isolation: str, result: SubmissionResult) -> None:
        """Store a result in place of any earlier one."""
        text = json.dumps(result.to_json(), ensure_ascii=False)
        with self._database:
            self._database.execute(
                "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?)",
                [assignment, student, content, isolation, result.status, text],
            )

    def result(self, assignment: str, student: str) -> str:
        """One student's result as JSON."""
        query = "SELECT result FROM result WHERE assignment = ? AND student = ?"
        return self._database.execute(query, [assignment, student]).fetchone()[0]

    def put_failure(self, assignment: str, student: str, isolation: str, message: str) -> None:
        """Say in place of a result why there is none: the submission is graded again next time."""
        self.put(assignment, student, NOT_DONE, isolation, SubmissionResult(message=message))

    def results(self, assignment: str, done: bool = False) -> Iterator[tuple[str, str, str]]:
        """(student, isolation, result as JSON), by student, a row at a time: of everybody, or of those who are done."""
        query = "SELECT student, isolation, result FROM result WHERE assignment = ?"
        query += f" AND content != '{NOT_DONE}'" * done + " ORDER BY student"
        yield from self._database.execute(query, [assignment])

    def __enter__(self) -> ResultStore:
        return self

    def __exit__(self, *_error: Any) -> None:
        self._database.close()
