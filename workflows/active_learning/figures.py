"""Figures of the runs of explorers of any kind; runs of one kind share an axis of progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from alflow.report.figure import DataTable, ReportFigure
from alflow.report.grade_figures import LOWEST_GRADE, grade_axis, grade_histogram
from alflow.report.style import BLUE, CYCLE, INK, new_figure, peaks, thinned
from alflow.results import LabelRecord, RoundGrades, RunRecord

NAMED_RUNS = len(CYCLE)  # if there are more runs than colours, all are drawn alike
TIME_UNITS = ("fs", "ps", "ns")


def run_figures(
    runs: Sequence[RunRecord],
    labels: Sequence[LabelRecord],
    grades: Sequence[RoundGrades],
    gamma_save: float,
    gamma_break: float,
) -> list[ReportFigure]:
    """``calls``, ``grade``, ``gamma``, and one figure of columns per kind, without figures that lack data."""
    begun = [run for run in runs if len(run.along)]
    figures = [calls(begun, labels), grade(begun, gamma_save, gamma_break)] if begun else []
    if grades:
        figures.append(grade_histogram(grades, gamma_save, gamma_break, "Recorded steps of the runs"))
    for kind, members in by_kind(begun):
        if changing_columns(members):
            figures.append(columns(kind, members))
    return figures


def calls(runs: Sequence[RunRecord], labels: Sequence[LabelRecord]) -> ReportFigure:
    """QM calls so far against progress."""
    initial = "count at zero" if len(runs) == 1 else "are not counted"
    given = sum(label.explorer is None for label in labels) if len(runs) == 1 else 0
    sets: dict[str, dict[str, list[Any]]] = {}
    for run in runs:
        places = _places(run, _met(run, labels))
        sets[run.name] = {
            "progress": [0.0, *places],
            "unit": [run.unit] * (len(places) + 1),
            "qm_calls": [given + number for number in range(len(places) + 1)],
        }
    return ReportFigure(
        "calls",
        "QM calls so far against the progress of the runs. A curve that is steep at first and then flat "
        "means that the potential knows the structures that the runs visit. A late step means that a run met "
        f"a new kind of structure. Initial structures {initial}.",
        DataTable.of_sets("run", sets),
        lambda: calls_figure(runs, labels),
    )


def grade(runs: Sequence[RunRecord], gamma_save: float, gamma_break: float) -> ReportFigure:
    """Extrapolation grade against progress."""
    return ReportFigure(
        "grade",
        "Extrapolation grade γ of the frames; each point is the largest grade of an interval. Below 1 the "
        "potential interpolates. Frames above the lower line are kept as candidates for a label. At the "
        "upper line the run pauses until the potential is refitted.",
        DataTable.of_sets(
            "run",
            {
                run.name: {
                    "step": run.steps.tolist(),
                    "progress": run.along.tolist(),
                    "unit": [run.unit] * len(run.along),
                    "extrapolation_grade": run.grades.tolist(),
                }
                for run in runs
            },
        ),
        lambda: grade_figure(runs, gamma_save, gamma_break),
    )


def columns(kind: str, runs: Sequence[RunRecord]) -> ReportFigure:
    """Histories of the runs of a kind."""
    names = changing_columns(runs)
    aimed = any(quantity.targets is not None for run in runs for quantity in run.quantities)
    values = {run.name: {q.name: q.values.tolist() for q in run.quantities} for run in runs}
    return ReportFigure(
        columns_name(kind),
        f"Runs of kind {kind}{' (dashed: the value that a run aims at)' if aimed else ''}; quantities that "
        "never change are left out. Look for steady values without jumps; a short drift at the start is "
        "equilibration. Long runs record one step per interval, the step with the highest grade.",
        DataTable.of_sets(
            "run",
            {
                run.name: {"step": run.steps.tolist(), f"progress_{run.unit}": run.along.tolist()}
                | {name: values[run.name].get(name, [None] * len(run.steps)) for name in names}
                for run in runs
            },
        ),
        lambda: columns_figure(runs),
    )


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
            places = _places(run, _met(run, labels))
            counts = np.append(np.arange(len(places) + 1), len(places))
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
        grade_axis(axes, gamma_save, gamma_break)
    figure.axes[0].set_ylabel("extrapolation grade γ")
    return figure


def changing_columns(runs: Sequence[RunRecord]) -> dict[str, str]:
    """Names and labels of the columns that change in some run."""
    return {quantity.name: quantity.label for run in runs for quantity in run.quantities if quantity.changes}


def columns_figure(runs: Sequence[RunRecord]) -> Figure:
    """Histories of the runs of one kind, one panel per column that changes; there must be one."""
    changing = changing_columns(runs)
    figure = new_figure(0.4 + 2.1 * len(changing))
    panels = figure.subplots(len(changing), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, label) in zip(panels, changing.items(), strict=True):
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


def _met(run: RunRecord, labels: Sequence[LabelRecord]) -> list[int]:
    """Steps at which the run met the structures of labels, in order."""
    return sorted(label.step for label in labels if label.explorer == run.name and label.step is not None)


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
