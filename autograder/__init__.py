"""Auto-graded exercises on why gradients vanish, explode and stall.

Students' notebooks import these names:

    check("clip_gradients")              # test an exercise; shows a card with points and likely causes
    check()                              # the progress in all exercises
    hint("clip_gradients")               # one hint for the first check that fails
    example("clip_gradients")            # the input of that check, to run by hand
    with waiting_for("clip_gradients"):  # a cell that needs the exercise; says so while it is not written
        ...
    predict("1.1")                       # what will this experiment show? Answered at once, never graded
    show("Left: the loss falls.")        # plt.show(), with a description of the figure
    slider(draw, {"1": 1.0}, start="1")  # a figure that is drawn again when the slider moves
    use_language("en")                   # the language of messages
    use_exercises("gradient-pathology")  # the assignment of this notebook
    use_exercises(clip_gradients=12)     # its exercises and points, where they differ from the kit's

The course library is `autograder.layers`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autograder.locale import use_language

if TYPE_CHECKING:
    from autograder.student.figures import show, slider
    from autograder.student.notebook import check, example, hint, use_exercises, waiting_for
    from autograder.student.predictions import predict

__version__ = "0.1.0"
__all__ = ["check", "example", "hint", "predict", "show", "slider", "use_exercises", "use_language", "waiting_for"]

_MODULES = {"predict": "predictions", "show": "figures", "slider": "figures"}


def __dir__() -> list[str]:
    return [*globals(), *__all__]


def __getattr__(name: str) -> Any:
    """Import lazily, so that the `autograder` command can report missing packages."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"autograder.student.{_MODULES.get(name, 'notebook')}"), name)
