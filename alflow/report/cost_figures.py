"""The cost of a campaign as bars."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from alflow.report.figure import DataTable, ReportFigure
from alflow.report.style import GREEN, ORANGE, SKY, new_figure
from alflow.results import Cost
from alflow.states import Role

ATTRIBUTES = {"processor": "processor_s", "wall": "wall_s", "waiting": "waiting_s"}


def cost_figure(costs: Mapping[Role, Cost]) -> ReportFigure | None:
    """Processor time, wall time of the work and waiting, each divided by role; None if there is none yet."""
    if all(cost == Cost() for cost in costs.values()):
        return None
    bars = {
        name: {str(role): getattr(cost, attribute) for role, cost in costs.items()}
        for name, attribute in ATTRIBUTES.items()
    }
    return ReportFigure(
        "cost",
        "Processor time of the work and its child processes, wall time of the work, and time that workers "
        "waited, each by role: exploring, labelling by QM, and training with selection.",
        DataTable(
            {"role": list(map(str, costs))}
            | {
                attribute: [getattr(cost, attribute) for cost in costs.values()]
                for attribute in ATTRIBUTES.values()
            }
        ),
        lambda: stacked_bars(bars),
    )


def stacked_bars(bars: Mapping[str, Mapping[str, float]]) -> Figure:
    """Times (s) as horizontal bars, one below the other; all bars have the same kinds of work."""
    figure = new_figure(0.75 + 0.4 * len(bars))
    axes = figure.subplots()
    longest = max(max(sum(parts.values()) for parts in bars.values()), 1e-9)
    kinds = list(next(iter(bars.values())))
    left = np.zeros(len(bars))
    for kind, colour in zip(kinds, (SKY, ORANGE, GREEN), strict=False):
        widths = np.array([parts[kind] for parts in bars.values()])
        axes.barh(np.arange(len(bars)), widths, left=left, color=colour, height=0.62, label=kind)
        left += widths
    axes.set_yticks(np.arange(len(bars)), list(bars))
    axes.set(xlabel="time (s)", xlim=(0, longest), ylim=(len(bars) - 0.5, -0.5))
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, handlelength=1)
    return figure
