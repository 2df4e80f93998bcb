"""The reference solutions: the folder reference/ beside a course's nbgrader_config.py, which only an instructor has.

It gives the private cases and the expected values on them: a few series of every exercise are drawn from the secret,
once, and kept beside it, where no student's code can read. Each student gets one of them.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import os
import secrets
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autograder.checks import values
from autograder.checks.exercise import Exercise, Implementation, Observation, keep_random_state
from autograder.exercises import assignments
from autograder.exercises.recorded import Expectation, Series, series_to_bytes
from autograder.grading.private import BadDraws, Disagreement, series_of
from autograder.locale import _

CELL = "\n# %%\n"
"""The line of solution.py below which the cell's text stands."""


class NoReference(Exception):
    """Grading needs a usable reference/ folder; the message says what to do."""


class Reference:
    """The hidden solutions of a course folder.

    Raises:
        NoReference: the folder is not there.
    """

    def __init__(self, course: Path) -> None:
        self.folder = course / "reference"
        if not self.folder.is_dir():
            raise NoReference(
                _(
                    "Grading needs the reference solutions, but there is no folder {folder}. Grade in the course "
                    "folder, which has reference/ beside nbgrader_config.py."
                ).format(folder=self.folder)
            )
        self._modules: dict[str, Implementation] = {}
        self._private: dict[str, tuple[Series, ...]] = {}

    def implementation(self, exercise: Exercise) -> Implementation:
        """The reference solution of `exercise`."""
        if exercise.solution not in self._modules:
            path = self.cell(exercise) / "solution.py"
            spec = importlib.util.spec_from_file_location(f"reference_{exercise.solution}", path)
            if not path.is_file() or spec is None or spec.loader is None:
                raise NoReference(_("Grading needs the reference solution {path}, which is missing.").format(path=path))
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            self._modules[exercise.solution] = Implementation(vars(module))
        return self._modules[exercise.solution]

    def cell(self, exercise: Exercise) -> Path:
        """The folder of the solution cell of `exercise`."""
        package = next(name for name, exercises in assignments().items() if exercise in exercises)
        return self.folder / package.replace("-", "_") / exercise.solution

    def expect(self, exercise: Exercise, rng: np.random.Generator) -> list[Expectation]:
        """Cases drawn from `rng`, and the reference's observations on them; exceptions lose their source lines."""
        implementation = self.implementation(exercise)
        with keep_random_state():
            return [
                Expectation(group, case, _without_source(exercise.observe(implementation, case)), public=False)
                for group, case in exercise.draw(rng)
            ]

    def expectations(self, exercise: Exercise, content: bytes) -> Series:
        """The private cases of a submission: the series that its content and the secret choose, at every regrade."""
        found = self.series(exercise)
        chosen = self.drawn(exercise, hashlib.sha256(content).digest())
        return found[int.from_bytes(chosen) % len(found)]

    def prepare(self, exercises: Iterable[Exercise]) -> None:
        """Make the private cases of these exercises, if there are none yet."""
        for exercise in exercises:
            self.series(exercise)

    def series(self, exercise: Exercise) -> tuple[Series, ...]:
        """All private cases of `exercise`, made if there are none yet."""
        if exercise.id not in self._private:
            try:
                self._private[exercise.id] = series_of(self, exercise)
            except Disagreement as error:
                text = _(
                    "The private cases cannot be made: a solution and the bank of known mistakes disagree ({reason}). "
                    "Look at solution.py in reference/ first, then at the entry that is named."
                )
                raise NoReference(text.format(reason=error)) from error
            except BadDraws as error:
                raise NoReference(_("The private cases cannot be made ({reason}).").format(reason=error)) from error
        return self._private[exercise.id]

    def drawn(self, exercise: Exercise, of: bytes) -> bytes:
        """32 bytes that nobody can predict who does not know the secret."""
        return hmac.digest(self.secret(), f"{exercise.id}:".encode() + of, "sha256")

    def record(self, exercise: Exercise) -> bytes:
        """The content of the recording of `exercise`: the public cases and the reference's observations."""
        return series_to_bytes(self.expect(exercise, np.random.default_rng([76, *exercise.id.encode()])))

    def files(self) -> dict[str, bytes]:
        """Path in the folder -> content of all that grading reads: solutions, the secret, what is drawn from it."""
        files = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        wanted = (p for p in files if p.name == "solution.py" or p.suffix not in (".py", ".pyc", ".toml"))
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in wanted}

    def secret(self) -> bytes:
        """This course's secret, made on first use and never committed."""
        path = self.folder / "secret.txt"
        if not path.exists():
            # Written to a temporary file and renamed, so that two graders that start together agree on one.
            draft = path.with_suffix(f".{os.getpid()}")
            draft.write_text(secrets.token_hex(32), encoding="ascii")
            draft.chmod(0o600)
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_bytes()


def _without_source(observation: Observation) -> Observation:
    def strip(value: Any) -> Any:
        return replace(value, message="", line=0, source="") if type(value) is values.Raised else value

    return Observation({name: strip(value) for name, value in observation.values.items()}, strip(observation.stopped))
