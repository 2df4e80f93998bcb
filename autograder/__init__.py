"""Auto-graded exercises on why gradients vanish, explode and stall.

A student's notebook needs four names from here: `check`, which judges an exercise where it stands; `hint`, which
helps on; `waiting_for`, which lets a cell stay quiet until the exercise it builds on is written; and `use_language`.
The course library is `autograder.layers`.
"""

from autograder.i18n import use_language
from autograder.notebook import check, hint, waiting_for

__version__ = "0.1.0"
__all__ = ["check", "hint", "use_language", "waiting_for"]
