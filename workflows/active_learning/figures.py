"""Figures of the runs of explorers of any kind; runs of one kind share an axis of progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from alflow.report.figures import BLUE, CYCLE, INK, PAPER, STYLE, new_figure, peaks, svg, thinned
from alflow.results import LabelRecord, RunRecord

NAMED_RUNS = len(CYCLE)  # if there are more runs than colours, all are drawn alike
TIME_UNITS = ("fs", "ps", "ns")
LOWEST_GRADE = 1e-2  # on the logarithmic axis


def draw_runs(
    runs: Sequence[RunRecord], labels: Sequence[LabelRecord], gamma_save: float, gamma_break: float
) -> dict[str, str]:
    """The figures of runs by name, as SVG text: ``calls``, ``grade``, and one figure of columns per kind.

    The function leaves out figures without data.
    """
    begun = [run for run in runs if len(run.along)]
    if not begun:
        return {}
    with rc_context(STYLE):
        figures = {
            "calls": svg(calls_figure(begun, labels)),
            "grade": svg(grade_figure(begun, gamma_save, gamma_break)),
        }
        for kind, members in by_kind(begun):
            if (figure := columns_figure(members)) is not None:
                figures[columns_name(kind)] = svg(figure)
    return figures


def by_kind(runs: Sequence[RunRecord]) -> list[tuple[str, list[RunRecord]]]:
    """The runs of each kind of explorer, kinds in alphabetic order."""
    in_order = sorted(runs, key=lambda run: run.kind)
    return [(kind, list(members)) for kind, members in groupby(in_order, key=lambda run: run.kind)]


def columns_name(kind: str) -> str:
    """Name of the figure of the histories of a kind's runs."""
    return f"columns-{kind}"


def calls_figure(runs: Sequence[RunRecord], labels: Sequence[LabelRecord]) -> Figure:
    """QM calls so far against progress."""
    figure = new_figure(3.2)
    given = sum(label.explorer is None for label in labels)
    for axes, members in _panels(figure, runs):
        for run, colour in zip(members, _colours(members), strict=True):
            steps = [label.step for label in labels if label.explorer == run.name]
            places = _places(run, sorted(step for step in steps if step is not None))
            counts = np.concatenate([np.arange(len(steps) + 1), [len(steps)]])
            if len(runs) == 1:
                counts = counts + given
            along = [0.0, *places, max([run.progress, *places])]
            axes.step(along, counts, where="post", color=colour, label=run.name)
        axes.set_ylim(0, max(axes.get_ylim()[1], 1))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.axes[0].set_ylabel("QM calls")
    return figure


def grade_figure(runs: Sequence[RunRecord], gamma_save: float, gamma_break: float) -> Figure:
    """Extrapolation grade against progress, with both thresholds."""
    figure = new_figure(3.2)
    for axes, members in _panels(figure, runs):
        for run, colour in zip(members, _colours(members), strict=True):
            grades = np.clip(run.grades, LOWEST_GRADE, None)
            axes.plot(*peaks(run.along, grades), color=colour, lw=0.9, alpha=0.9, label=run.name)
        axes.set_yscale("log")
        for gamma, name in ((gamma_save, "save"), (gamma_break, "pause")):
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
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    figure.axes[0].set_ylabel("extrapolation grade γ")
    return figure


def columns_figure(runs: Sequence[RunRecord]) -> Figure | None:
    """Histories of the runs of one kind, one panel per column that changes; None if no column does."""
    changing = dict.fromkeys(
        (quantity.name, quantity.label) for run in runs for quantity in run.quantities if quantity.changes
    )
    if not changing:
        return None
    figure = new_figure(0.4 + 2.1 * len(changing))
    panels = figure.subplots(len(changing), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, label) in zip(panels, changing, strict=True):
        axes.set_title(label[:1].upper() + label[1:])
        axes.ticklabel_format(useOffset=False)
        for run, colour in zip(runs, _colours(runs), strict=True):
            for quantity in run.quantities:
                if quantity.name == name:
                    axes.plot(*thinned(run.along, quantity.values), color=colour, lw=0.8, label=run.name)
                    if quantity.targets is not None:
                        axes.plot([0, _end(run)], quantity.targets, color=INK, lw=0.9, ls=(0, (4, 3)))
    panels[-1].set(xlabel=_progress_label(runs[0].unit), xlim=(0, _longest(runs)))
    _name_runs(panels[0], runs)
    return figure


def _panels(figure: Figure, runs: Sequence[RunRecord]) -> Iterator[tuple[Axes, list[RunRecord]]]:
    """One panel per kind of explorer, side by side."""
    kinds = by_kind(runs)
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axes, (kind, members) in zip(panels, kinds, strict=True):
        yield axes, members
        label = _progress_label(members[0].unit)
        axes.set(xlabel=label if len(kinds) == 1 else f"{kind}: {label}", xlim=(0, _longest(members)))
        _name_runs(axes, members)


def _progress_label(unit: str) -> str:
    """Label of an axis of progress."""
    return f"simulated time ({unit})" if unit in TIME_UNITS else unit


def _places(run: RunRecord, steps: Sequence[int]) -> list[float]:
    """Progress at these steps, with linear interpolation between the entries of the history."""
    order = np.argsort(run.steps, kind="stable")
    return [float(value) for value in np.interp(steps, run.steps[order], run.along[order])]


def _end(run: RunRecord) -> float:
    return run.progress if run.whole is None else run.whole


def _colours(runs: Sequence[RunRecord]) -> list[str]:
    return list(CYCLE[: len(runs)]) if len(runs) <= NAMED_RUNS else [BLUE] * len(runs)


def _longest(runs: Sequence[RunRecord]) -> float:
    return max(run.progress for run in runs) or 1.0


def _name_runs(axes: Axes, runs: Sequence[RunRecord]) -> None:
    if 1 < len(runs) <= NAMED_RUNS:
        axes.legend(ncols=NAMED_RUNS, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2)
