"""Figures of a notebook. `show` is `plt.show()` for a figure that is also described in words; `slider` moves one, where
Jupyter and ipywidgets are there.

The words become the picture's alternative text in the notebook's file, which the feedback pages show. JupyterLab,
Notebook 7 and nbconvert's default template show pictures without one (jupyter/enhancement-proposals#120), so the same
words are also folded below the figure.
"""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from autograder.locale import _, current_language


def show(description: str) -> None:
    """Show the current figure like `plt.show()`, with a description.

    Args:
        description: what the figure shows, for people who cannot see it.

    >>> show("Left: the loss falls. Right: the gradients of all layers are alike.")
    """
    import matplotlib
    import matplotlib.pyplot as plt
    from IPython.display import display

    if not matplotlib.get_backend().endswith("inline"):  # a window, or no display at all
        plt.show()
        return
    figure = plt.gcf()
    display(figure, metadata={"image/png": {"alt": description}})
    plt.close(figure)
    display({"text/html": _folded(description), "text/plain": description}, raw=True)


def open_figures() -> set[int]:
    """The numbers of the figures that are begun and not shown yet."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set(pyplot.get_fignums()) if pyplot else set()


def close_figures(numbers: Iterable[int]) -> None:
    """Throw figures away, so that they are never shown."""
    for number in numbers:
        sys.modules["matplotlib.pyplot"].close(number)


def _folded(description: str) -> str:
    summary, text = html.escape(_("This figure in words")), html.escape(description)
    return f'<details lang="{current_language()}"><summary>{summary}</summary><p>{text}</p></details>'


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
