"""Auto-graded exercises on why gradients vanish, explode and stall.

A student's notebook needs these names from here: `check`, which judges an exercise where it stands; `hint`, which
helps on; `waiting_for`, which lets a cell stay quiet until the exercise it builds on is written; `use_language`; and,
where an instructor has changed exercises or points, `use_exercises`, in a line that the release brings along. The
course library is `autograder.layers`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autograder.locale import use_language

if TYPE_CHECKING:
    from autograder.student.notebook import check, hint, use_exercises, waiting_for

__version__ = "0.1.0"
__all__ = ["check", "hint", "use_exercises", "use_language", "waiting_for"]


def __dir__() -> list[str]:
    return [*globals(), *__all__]


def __getattr__(name: str) -> Any:
    """What a notebook needs, imported when it is asked for: the command has a word to say where numpy is missing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("autograder.student.notebook"), name)
