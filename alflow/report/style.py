"""The look of all figures: colours, sizes, and how much of a long history is drawn.

The colours are those of Okabe and Ito, which people with any kind of colour vision can distinguish.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

BLUE, VERMILION, GREEN, SKY, ORANGE, PURPLE = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#E69F00", "#CC79A7"
GREY, INK, FAINT, PAPER = "#8a8f98", "#2b2f36", "#e3e5e8", "#fcfcfb"
CYCLE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
POINTS = 1500  # a screen cannot show more points per line; they would only make the file larger
WIDTH_IN = 8.4

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.4,
    "figure.constrained_layout.use": True,
    "text.color": INK,
    "svg.hashsalt": "alflow",
}


def new_figure(height_in: float) -> Figure:
    """An empty figure as wide as the page."""
    return Figure(figsize=(WIDTH_IN, height_in))


def peaks(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most `POINTS` points: from each stretch, the point with the largest y."""
    if len(x) <= POINTS:
        return x, y
    picks = [part[np.argmax(y[part])] for part in np.array_split(np.arange(len(x)), POINTS)]
    return x[picks], y[picks]


def thinned(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """About `POINTS` points at equal steps."""
    stride = max(1, len(x) // POINTS)
    return x[::stride], y[::stride]
