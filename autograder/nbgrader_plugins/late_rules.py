"""A late policy for nbgrader_config.py: the later, the larger the share of the score that is taken."""

from __future__ import annotations

from typing import Any

from nbgrader.plugins import BasePlugin
from traitlets import Dict, Float, TraitError

from autograder.locale import _


class LateRules(BasePlugin):
    """Takes the percentage of the last rule that applies; before the first one, nothing."""

    percent = Dict(
        value_trait=Float(min=0.0, max=100.0),
        key_trait=Float(min=0.0),
        help="Rules: from how many hours late -> how many percent of the score are taken, as in {0: 10, 24: 30}.",
    ).tag(config=True)

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        if not self.percent:
            raise TraitError(
                _("c.LateRules.percent is missing; write it like {example}").format(example="{0: 10, 24: 30}")
            )

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float:
        """The points to take from `score`; nbgrader asks for them."""
        return score * self._rule(total_seconds_late)[1] / 100

    def rule(self, total_seconds_late: float) -> str:
        """The rule that applies, in words."""
        hours, percent = self._rule(total_seconds_late)
        if not percent:
            return _("late: nothing is taken")
        return _("more than {hours:g} h late: {percent:g} % of the score").format(hours=hours, percent=percent)

    def _rule(self, seconds: float) -> tuple[float, float]:
        """Hours and percentage."""
        rules = [(float(hours), float(percent)) for hours, percent in self.percent.items()]
        return max((rule for rule in rules if seconds > 3600 * rule[0]), default=(0.0, 0.0))
