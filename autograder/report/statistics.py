"""The difficulty of each check, and how well it separates students: classical item analysis of a class's results.

The facility of an item is the mean share of its points that was earned, 1 if everybody has full points. Its
discrimination is the corrected item-total correlation, Pearson's correlation over students between the points of the
item and the rest of the score, which leaves the item itself out:

    facility_j       = mean_i(x_ij) / max_j
    discrimination_j = cov(x_j, r_j) / (sd(x_j) sd(r_j)),   r_ij = sum_{k != j} x_ik

Sources: Crocker and Algina, Introduction to Classical and Modern Test Theory, 1986, chapter 14;
https://docs.moodle.org/dev/Quiz_statistics_calculations (facility index, discrimination index);
https://easystats.github.io/performance/reference/item_discrimination.html (which also says what is usual: above 0.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autograder.checks.results import ExerciseResult, SubmissionResult

FEWEST = 3
"""Between two students every correlation is 1 or -1."""

NO_SPREAD = 1e-9
"""Points that differ by less differ only by rounding."""


@dataclass(frozen=True)
class ItemStatistics:
    """The results of a class in one check or one exercise.

    Attributes:
        students: the number of students with a result for it.
        discrimination: None if undefined: too few students, or no spread in the item or in the rest.
    """

    max: float
    students: int
    facility: float
    discrimination: float | None


def discrimination(item: np.ndarray, rest: np.ndarray) -> float | None:
    """The correlation of two columns of points; None if undefined."""
    if len(item) < FEWEST or min(np.ptp(item), np.ptp(rest)) < NO_SPREAD:
        return None
    return float(np.corrcoef(item, rest)[0, 1])


def item_statistics(results: Sequence[SubmissionResult], exercise: str, check: str | None = None) -> ItemStatistics:
    """Facility and discrimination of a check, or of a whole exercise, among students with a result for it.

    Raises:
        ValueError: nobody has a result.
    """
    rows = [(found, result.score) for result in results if (found := _points(result, exercise, check)) is not None]
    if not rows:
        raise ValueError(f"nobody has a result for {exercise}, {check}")
    item = np.array([earned for (earned, _max), _score in rows])
    rest = np.array([score - earned for (earned, _max), score in rows])
    maxima = np.array([most for (_earned, most), _score in rows])
    shares = np.divide(item, maxima, out=np.zeros(len(item)), where=maxima > 0)  # an exercise may have no points
    return ItemStatistics(float(maxima[-1]), len(rows), float(np.mean(shares)), discrimination(item, rest))


def _points(result: SubmissionResult, exercise: str, check: str | None) -> tuple[float, float] | None:
    """Earned and possible points."""
    found: ExerciseResult | None = result.checks.get(exercise)
    if found is None:
        return None
    if check is None:
        return found.score, found.max
    return next(((item.points, item.max) for item in found.items if item.id == check), None)
