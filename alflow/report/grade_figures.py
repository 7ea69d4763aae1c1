"""Extrapolation grades of each round, with the thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

from alflow.report.figure import DataTable, ReportFigure
from alflow.report.style import INK, PAPER, new_figure
from alflow.results import RoundGrades

LOWEST_GRADE, HIGHEST_GRADE = 1e-2, 1e4  # on logarithmic axes
INTERVALS_PER_DECADE = 12
COUNTS = "Blues"


def grade_histogram(
    grades: Sequence[RoundGrades], gamma_save: float, gamma_break: float, met_by: str
) -> ReportFigure:
    """Number of grades in each interval of γ and each round, with both thresholds.

    Parameters
    ----------
    grades
        At least one round.
    gamma_save, gamma_break
    met_by
        What the grades belong to, as the beginning of a sentence, such as ``Steps of the runs``.
    """
    edges = grade_edges(grades, gamma_save, gamma_break)
    counts = [each.counts(edges) for each in grades]
    return ReportFigure(
        "gamma",
        f"{met_by} by extrapolation grade γ, round by round. Below 1 the potential interpolates. Above the "
        "lower line a structure is a candidate for a label; above the upper line the work pauses until the "
        "potential is refitted. Learning moves the dark cells down; a dark cell above a line in a late round "
        "is a kind of structure that the training set still lacks.",
        DataTable(
            {
                "round": [each.round for each in grades for _ in edges[1:]],
                "gamma_from": [value for _ in grades for value in edges[:-1].tolist()],
                "gamma_to": [value for _ in grades for value in edges[1:].tolist()],
                "count": [int(count) for of_round in counts for count in of_round],
            }
        ),
        lambda: _draw(grades, edges, np.array(counts), gamma_save, gamma_break),
    )


def grade_edges(grades: Sequence[RoundGrades], gamma_save: float, gamma_break: float) -> NDArray[np.float64]:
    """Limits of the intervals of γ, equal in width on a logarithmic axis, one of them 1."""
    low = min(0.5, *(float(each.grades.min()) for each in grades))
    high = max(1.5 * gamma_break, *(float(each.grades.max()) for each in grades))
    first = np.floor(INTERVALS_PER_DECADE * np.log10(max(low, LOWEST_GRADE)))
    last = np.ceil(INTERVALS_PER_DECADE * np.log10(min(high, HIGHEST_GRADE)))
    edges: NDArray[np.float64] = 10 ** (np.arange(first, last + 1) / INTERVALS_PER_DECADE)
    return edges


def _draw(
    grades: Sequence[RoundGrades],
    edges: NDArray[np.float64],
    counts: NDArray[np.int64],
    gamma_save: float,
    gamma_break: float,
) -> Figure:
    figure = new_figure(3.4)
    axes = figure.subplots()
    rounds = [each.round for each in grades]
    numbers = np.arange(rounds[0], rounds[-1] + 1)
    cells = np.zeros((len(edges) - 1, len(numbers)))
    cells[:, np.searchsorted(numbers, rounds)] = counts.T
    mesh = axes.pcolormesh(
        np.append(numbers, numbers[-1] + 1) - 0.5, edges, np.ma.masked_equal(cells, 0),
        cmap=COUNTS, norm=LogNorm(0.5, max(2.0, float(counts.max()))), rasterized=True,
    )  # fmt: skip
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=30)
    bar.set_label("number")
    bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.ax.yaxis.set_minor_formatter("")
    bar.outline.set_visible(False)
    grade_axis(axes, gamma_save, gamma_break)
    axes.set(xlabel="round", ylabel="extrapolation grade γ", ylim=(edges[0], edges[-1]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def grade_axis(axes: Axes, gamma_save: float, gamma_break: float) -> None:
    """A logarithmic axis of γ with both thresholds as dashed lines."""
    axes.set_yscale("log")
    for gamma, name in ((gamma_save, "save"), (gamma_break, "pause")):
        axes.axhline(gamma, color=INK, lw=0.9, ls=(0, (4, 3)))
        axes.annotate(
            f"{name} above {gamma:g}",
            (1, gamma),
            xycoords=axes.get_yaxis_transform(),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            fontsize=8.5,
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 1},
        )
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
