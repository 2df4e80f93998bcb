"""The distribution of a class's scores as an SVG, to be placed in a page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from autograder.locale import _

BINS = 10


def score_bins(scores: Sequence[float], most: float) -> tuple[np.ndarray, np.ndarray]:
    """The number of students in each tenth of the points, and the edges of the tenths.

    A tenth includes its lower edge, the last one both edges and anything above `most` (extra credit).
    """
    edges = np.linspace(0.0, most, BINS + 1)
    counts, _edges = np.histogram(np.clip(scores, 0.0, most), edges)
    return counts, edges


def distribution_svg(scores: Sequence[float], most: float) -> str:
    """Bars with their numbers, and a line at the median; black and grey, so that it prints as it is."""
    import matplotlib_fontja  # noqa: F401  (makes its Japanese font the default)

    counts, edges = score_bins(scores, most)
    # Text as outlines: the page looks the same on a machine without the font. The salt keeps the ids the same.
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "autograder", "hatch.linewidth": 0.6}):
        figure = Figure(figsize=(6.6, 2.6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        bars = axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color="#d0d0d0", edgecolor="black", lw=0.8)
        median = float(np.median(scores))
        axes.axvline(median, color="black", ls="--", lw=1.2, label=_("median {value:.4g}").format(value=median))
        # After the line, on white, so that it crosses no number.
        for label in axes.bar_label(bars, [str(count) if count else "" for count in counts], padding=4):
            label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 2.5})
        axes.set(xlabel=_("Points"), ylabel=_("Students"), xticks=edges, xlim=(0.0, most))
        axes.set_ylim(0, max(1, counts.max()) * 1.25)
        axes.locator_params(axis="y", integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderpad=0.0)  # above all bars
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(text.getvalue())


def _inline(svg: str) -> str:
    """The <svg> element alone, as wide as its container, which describes it in words."""
    svg = svg[svg.index("<svg") :]
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'width="100%" aria-hidden="true"', svg, count=1)
