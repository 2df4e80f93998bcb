"""Figures of a notebook. `show` is `plt.show()` for a figure that is also described in words.

The words become the picture's alternative text in the notebook's file, which the feedback pages show. JupyterLab,
Notebook 7 and nbconvert's default template show pictures without one (jupyter/enhancement-proposals#120), so the same
words are also folded below the figure.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Iterable

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
