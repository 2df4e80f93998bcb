"""What moves in a notebook: widgets, where Jupyter and ipywidgets are there to show them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from autograder.student.figures import show


def live_widgets() -> Any:
    """The module ipywidgets; None without it, and where nobody can click, as in a shell, nbconvert and nbgrader."""
    if not _somebody_is_there():
        return None
    try:
        import ipywidgets
    except ImportError:
        return None
    return ipywidgets


def _somebody_is_there() -> bool:
    """Whether a front end asked for this cell that could also answer `input()`; what only executes notebooks cannot."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None or "NBGRADER_EXECUTION" in os.environ:
        return False
    return bool(kernel.get_parent().get("content", {}).get("allow_stdin"))


def slider(draw: Callable[[Any], str | None], values: Mapping[str, Any], start: str) -> None:
    """A slider below a figure: when it is moved, `draw` draws once more. Nothing where widgets do not work.

    Args:
        draw: draws a figure for one of the values, and may return a description of it in words.
        values: what the slider reads -> the value.
        start: where it stands at first.

    >>> slider(draw, {"0.5": 0.5, "1.0": 1.0, "2.0": 2.0}, start="1.0")
    """
    widgets = live_widgets()
    if widgets is None:
        return
    from IPython.display import display

    picture = widgets.Output()
    handle = widgets.SelectionSlider(options=list(values), value=start, continuous_update=False)

    def moved(change: Mapping[str, Any]) -> None:
        with picture:
            picture.clear_output(wait=True)
            show(draw(values[change["new"]]) or change["new"])

    handle.observe(moved, names="value")
    display(widgets.VBox([handle, picture]))
