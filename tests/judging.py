"""An implementation judged as its student's would be, on the public cases or on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from autograder.checks.exercise import Exercise, Implementation
from autograder.checks.judge import judge
from autograder.checks.results import ExerciseResult
from autograder.exercises.recorded import Expectation, known_mistakes, recorded, trials


def judged(
    exercise: Exercise, names: Mapping[str, Any], wanted: Sequence[Expectation] = (), causes: bool = True
) -> ExerciseResult:
    """The result of an implementation with these names, with the causes that a student would read unless left out."""
    wanted = wanted or recorded(exercise)
    implementation = Implementation(dict(names))
    seen = [exercise.observe(implementation, expectation.case) for expectation in wanted]
    return judge(exercise, trials(wanted, seen), *([partial(known_mistakes, exercise)] if causes else []))


def lost(result: ExerciseResult) -> dict[str, str]:
    """Check id -> message, of every check that took points."""
    return {item.id: item.message for item in result.items if item.points < item.max}


def edited(code: str, edits: Mapping[str, str]) -> str:
    """`code` with other text in some places."""
    for old, new in edits.items():
        assert old in code, old
        code = code.replace(old, new)
    return code
