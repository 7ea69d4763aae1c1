"""The figures of a report, as SVG text; the same data give the same bytes.

Colours are those of Okabe and Ito, which people with any kind of colour vision can tell apart.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

from alflow.report.data import ParitySet, ReportData, RunRecord

BLUE, VERMILION, GREEN, SKY, ORANGE, PURPLE = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#E69F00", "#CC79A7"
GREY, INK, FAINT, PAPER = "#8a8f98", "#2b2f36", "#e3e5e8", "#fcfcfb"
CYCLE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
NAMED_RUNS = len(CYCLE)  # more runs than colours are drawn alike
POINTS = 1500  # more points per line than a screen shows only make the file large

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


def calls_figure(data: ReportData) -> str:
    """QM calls so far against simulated time."""
    figure = new_figure(3.2)
    axes = figure.subplots()
    given = sum(label.step is None for label in data.labels)
    for run, colour in zip(data.runs, _colours(data.runs), strict=True):
        steps = sorted(
            label.step for label in data.labels if label.explorer == run.name and label.step is not None
        )
        times = np.array([0.0, *steps, run.step]) * run.timestep_fs / 1000
        counts = np.concatenate([np.arange(len(steps) + 1), [len(steps)]])
        if len(data.runs) == 1:
            counts = counts + given
        axes.step(times, counts, where="post", color=colour, label=run.name)
    axes.set(xlabel="simulated time (ps)", ylabel="QM calls", xlim=(0, _longest_ps(data.runs)))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _name_runs(axes, data.runs)
    return svg(figure)


def grade_figure(data: ReportData) -> str:
    """Extrapolation grade against simulated time, with both thresholds."""
    figure = new_figure(3.2)
    axes = figure.subplots()
    for run, colour in zip(data.runs, _colours(data.runs), strict=True):
        grades = np.clip(run.history["extrapolation_grade"], 1e-2, None)
        axes.plot(*_peaks(run.time_ps, grades), color=colour, lw=0.9, alpha=0.9, label=run.name)
    axes.set_yscale("log")
    for gamma, name in ((data.gamma_save, "save"), (data.gamma_break, "pause")):
        axes.axhline(gamma, color=INK, lw=0.9, ls=(0, (4, 3)))
        axes.annotate(
            f"{name} above {gamma:g}",
            (1, gamma),
            xycoords=axes.get_yaxis_transform(),
            xytext=(0, 2),
            textcoords="offset points",
            ha="right",
            fontsize=8.5,
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 1},
        )
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="simulated time (ps)", ylabel="extrapolation grade γ", xlim=(0, _longest_ps(data.runs)))
    _name_runs(axes, data.runs)
    return svg(figure)


def error_figure(data: ReportData) -> str:
    """RMSE of each version on its training set and on labels that it had not seen."""
    figure = new_figure(3.2)
    panels = figure.subplots(1, 2)
    rounds = [version.round for version in data.versions]
    judged = [version for version in data.versions if version.unseen.energies.size]
    for axes, attribute, factor, title in (
        (panels[0], "energy_rmse_eV_per_atom", 1000.0, "Energy RMSE (meV per atom)"),
        (panels[1], "force_rmse_eV_A", 1.0, "Force RMSE (eV/Å)"),
    ):
        trained = [factor * getattr(version, attribute) for version in data.versions]
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


def parity_figure(data: ReportData) -> str:
    """Predicted against labelled energies and forces."""
    figure = new_figure(4.0)
    panels = figure.subplots(1, 2)
    for axes, reference, predicted, title, size in (
        (panels[0], "energies", "predicted_energies", "Energy (eV per atom)", 4.5),
        (panels[1], "forces", "predicted_forces", "Force component (eV/Å)", 2.2),
    ):
        sets: tuple[tuple[ParitySet, str, str, str], ...] = (
            (data.unseen, "s", VERMILION, "new labels, unseen"),
            (data.trained, "o", BLUE, "training set, final potential"),
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


def sanity_figure(data: ReportData) -> str:
    """Temperature and potential energy of the runs, and the volume where it changes."""
    quantities = {"temperature_K": "Temperature (K)", "energy_eV": "Potential energy (eV per atom)"}
    if any(run.ensemble == "npt" for run in data.runs):
        quantities["volume_A3"] = "Volume (Å³ per atom)"
    figure = new_figure(0.4 + 2.1 * len(quantities))
    panels = figure.subplots(len(quantities), 1, sharex=True)
    for axes, (quantity, title) in zip(panels, quantities.items(), strict=True):
        for run, colour in zip(data.runs, _colours(data.runs), strict=True):
            values = run.history[quantity] / (1 if quantity == "temperature_K" else run.atoms)
            axes.plot(*_thinned(run.time_ps, values), color=colour, lw=0.8, label=run.name)
        axes.set_title(title)
        axes.ticklabel_format(useOffset=False)
    for target in sorted({run.target_temperature_K for run in data.runs if run.ensemble != "nve"}):
        panels[0].axhline(target, color=INK, lw=0.9, ls=(0, (4, 3)))
    panels[-1].set(xlabel="simulated time (ps)", xlim=(0, _longest_ps(data.runs)))
    _name_runs(panels[0], data.runs)
    return svg(figure)


def cost_figure(data: ReportData) -> str:
    """Wall time by role."""
    return svg(cost_bar(data.cost_s))


def cost_bar(cost_s: Mapping[str, float]) -> Figure:
    """Wall time of up to three kinds of work, as one bar."""
    figure = new_figure(1.15)
    axes = figure.subplots()
    left = 0.0
    total = max(sum(cost_s.values()), 1e-9)
    for (what, seconds), colour in zip(cost_s.items(), (SKY, ORANGE, GREEN), strict=False):
        axes.barh(
            0, seconds, left=left, color=colour, height=0.6, label=f"{what} {100 * seconds / total:.0f} %"
        )
        left += seconds
    axes.set(yticks=[], xlabel="wall time (s)", xlim=(0, total))
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, handlelength=1)
    return figure


def new_figure(height_in: float) -> Figure:
    """An empty figure of the width of the page."""
    return Figure(figsize=(8.4, height_in))


def svg(figure: Figure) -> str:
    """A figure as SVG text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True, dpi=180)
    return buffer.getvalue()


def draw_all(data: ReportData) -> dict[str, str]:
    """Every figure by name, as SVG text; those without data are left out."""
    makers = {
        "error": error_figure if data.versions else None,
        "parity": parity_figure if data.versions else None,
        "cost": cost_figure if any(data.cost_s.values()) else None,
    }
    if any(len(run.history["step"]) for run in data.runs):
        makers |= {"calls": calls_figure, "grade": grade_figure, "sanity": sanity_figure}
    with rc_context(STYLE):
        return {name: maker(data) for name, maker in makers.items() if maker}


def _colours(runs: Sequence[RunRecord]) -> list[str]:
    return list(CYCLE[: len(runs)]) if len(runs) <= NAMED_RUNS else [BLUE] * len(runs)


def _longest_ps(runs: Sequence[RunRecord]) -> float:
    return max(run.step * run.timestep_fs / 1000 for run in runs) or 1.0


def _name_runs(axes: Axes, runs: Sequence[RunRecord]) -> None:
    if 1 < len(runs) <= NAMED_RUNS:
        axes.legend(ncols=NAMED_RUNS, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2)


def _peaks(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most `POINTS` points, of each stretch the one with the largest y."""
    if len(x) <= POINTS:
        return x, y
    picks = [part[np.argmax(y[part])] for part in np.array_split(np.arange(len(x)), POINTS)]
    return x[picks], y[picks]


def _thinned(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    stride = max(1, len(x) // POINTS)
    return x[::stride], y[::stride]


def _range(arrays: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    values = np.concatenate(arrays)
    if values.size == 0:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * max(high - low, 1e-3)
    return low - margin, high + margin
