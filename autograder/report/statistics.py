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

from array import array
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from autograder.checks.results import SubmissionResult

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


class ItemPoints:
    """The points of a class in every check and exercise: all that the analysis needs of results, in little memory."""

    def __init__(self) -> None:
        self._columns: dict[tuple[str, str | None], array[float]] = defaultdict(lambda: array("d"))

    def add(self, result: SubmissionResult) -> None:
        """Count one student's result."""
        for name, found in result.checks.items():
            self._columns[name, None].extend((found.score, found.max, result.score))
            for item in found.items:
                self._columns[name, item.id].extend((item.points, item.max, result.score))

    def statistics(self, exercise: str, check: str | None = None) -> ItemStatistics:
        """Facility and discrimination of a check, or of a whole exercise, among students with a result for it.

        Raises:
            ValueError: nobody has a result.
        """
        if (exercise, check) not in self._columns:
            raise ValueError(f"nobody has a result for {exercise}, {check}")
        item, maxima, scores = np.reshape(self._columns[exercise, check], (-1, 3)).T
        shares = np.divide(item, maxima, out=np.zeros(len(item)), where=maxima > 0)  # an exercise may have no points
        return ItemStatistics(float(maxima[-1]), len(item), float(np.mean(shares)), discrimination(item, scores - item))
