"""The figures that reports of all kinds share, as SVG text; equal data give equal bytes.

The colours are those of Okabe and Ito, which people with any kind of colour vision can distinguish.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

from alflow.results import Cost, ParitySet, VersionRecord
from alflow.results.versions import all_unseen
from alflow.states import Role

BLUE, VERMILION, GREEN, SKY, ORANGE, PURPLE = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#E69F00", "#CC79A7"
GREY, INK, FAINT, PAPER = "#8a8f98", "#2b2f36", "#e3e5e8", "#fcfcfb"
CYCLE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
POINTS = 1500  # a screen cannot show more points per line; they would only make the file larger

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


def draw_shared(
    versions: Sequence[VersionRecord], trained: ParitySet, costs: Mapping[Role, Cost]
) -> dict[str, str]:
    """The shared figures by name, as SVG text, without figures that have no data."""
    figures = {}
    with rc_context(STYLE):
        if versions:
            figures["error"] = error_figure(versions)
            figures["parity"] = parity_figure(all_unseen(versions), trained)
    return figures | draw_cost(costs)


def draw_cost(costs: Mapping[Role, Cost]) -> dict[str, str]:
    """The figure ``cost``, as SVG text; empty if there is no cost yet."""
    if all(cost == Cost() for cost in costs.values()):
        return {}
    with rc_context(STYLE):
        return {"cost": cost_figure(costs)}


def error_figure(versions: Sequence[VersionRecord]) -> str:
    """RMSE of each version on its training set and on labels that it was not trained on."""
    figure = new_figure(3.2)
    panels = figure.subplots(1, 2)
    rounds = [version.round for version in versions]
    judged = [version for version in versions if version.unseen.energies.size]
    for axes, attribute, factor, title in (
        (panels[0], "energy_rmse_eV_per_atom", 1000.0, "Energy RMSE (meV per atom)"),
        (panels[1], "force_rmse_eV_A", 1.0, "Force RMSE (eV/Å)"),
    ):
        trained = [factor * getattr(version, attribute) for version in versions]
        unseen = [factor * getattr(version.unseen, attribute) for version in judged]
        axes.plot(rounds, trained, "o-", color=BLUE, ms=4, label="training set")
        later = [version.round + 1 for version in judged]
        axes.plot(later, unseen, "s-", color=VERMILION, ms=4, label="new labels, unseen")
        axes.set_title(title)
        axes.set_xlabel("round")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        values = np.array([value for value in [*trained, *unseen] if value > 0])
        if values.size and values.max() > 20 * values.min():
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("")
        else:
            axes.set_ylim(bottom=0)
    panels[0].legend()
    return svg(figure)


def parity_figure(unseen: ParitySet, trained: ParitySet) -> str:
    """Predicted against labelled energies and forces."""
    figure = new_figure(4.0)
    panels = figure.subplots(1, 2)
    for axes, reference, predicted, title, size in (
        (panels[0], "energies", "predicted_energies", "Energy (eV per atom)", 4.5),
        (panels[1], "forces", "predicted_forces", "Force component (eV/Å)", 2.2),
    ):
        sets: tuple[tuple[ParitySet, str, str, str], ...] = (
            (unseen, "s", VERMILION, "new labels, unseen"),
            (trained, "o", BLUE, "training set, final potential"),
        )
        for parity, marker, colour, name in sets:
            x, y = getattr(parity, reference), getattr(parity, predicted)
            axes.plot(x, y, marker, color=colour, ms=size, mew=0, alpha=0.55, label=name, rasterized=True)
        low, high = _range([getattr(parity, name) for parity, *_ in sets for name in (reference, predicted)])
        axes.plot([low, high], [low, high], color=GREY, lw=0.8, zorder=1)
        axes.set(xlim=(low, high), ylim=(low, high), xlabel="QM", ylabel="potential", aspect="equal")
        axes.set_title(title)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    panels[0].legend(loc="upper left")
    return svg(figure)


def cost_figure(costs: Mapping[Role, Cost]) -> str:
    """Processor time, wall time of the work and waiting, each divided by role."""
    bars = {
        name: {str(role): getattr(cost, attribute) for role, cost in costs.items()}
        for name, attribute in (("processor", "processor_s"), ("wall", "wall_s"), ("waiting", "waiting_s"))
    }
    return svg(stacked_bars(bars))


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


def new_figure(height_in: float) -> Figure:
    """An empty figure as wide as the page."""
    return Figure(figsize=(8.4, height_in))


def svg(figure: Figure) -> str:
    """A figure as SVG text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True, dpi=180)
    return buffer.getvalue()


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


def _range(arrays: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    values = np.concatenate(arrays)
    if values.size == 0:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * max(high - low, 1e-3)
    return low - margin, high + margin
