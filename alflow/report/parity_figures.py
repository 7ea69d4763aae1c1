"""Errors of the potential round by round, and predictions against QM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

from alflow.report.figure import Column, DataTable, ReportFigure
from alflow.report.filters import number
from alflow.report.style import BLUE, CYCLE, GREEN, GREY, VERMILION, new_figure
from alflow.results import ParitySet, VersionRecord
from alflow.results.versions import all_unseen

EV_A3_IN_GPA = 160.21766208
MARGIN = 0.05  # of the range of QM, on either side of it
ROUNDING = 1e-9  # forces that symmetry makes zero have errors below it
SPREAD = 20  # values that differ by more than this factor are drawn on a logarithmic axis
MARKS = {"training set": ("o", BLUE), "new labels, unseen": ("s", VERMILION), "validation": ("D", GREEN)}
OTHER_MARKS = tuple(zip("osD^vP", CYCLE, strict=True))
LEGEND_COLUMNS = 4


@dataclass(frozen=True)
class Quantity:
    """A quantity of a parity plot: names in `ParitySet`, factor to the figure's unit, size of a point."""

    name: str
    unit: str
    labelled: str
    predicted: str
    factor: float = 1.0
    size: float = 2.2

    def values(self, parity: ParitySet) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Labelled and predicted values in the unit of the figure."""
        return self.factor * getattr(parity, self.labelled), self.factor * getattr(parity, self.predicted)


QUANTITIES = (
    Quantity("energy", "eV per atom", "energies", "predicted_energies", size=4.5),
    Quantity("force component", "eV/Å", "forces", "predicted_forces"),
    Quantity("stress component", "GPa", "stresses", "predicted_stresses", EV_A3_IN_GPA, size=3.0),
)


def learning_curve(versions: Sequence[VersionRecord]) -> ReportFigure:
    """RMSE of each version on its training set, on labels that it was not trained on, and on validation."""
    later = [version.unseen for version in versions]
    errors = [version.judged_validation for version in versions]
    frames = next((found.frames for found in errors if found), 0)
    columns: dict[str, Column] = {
        "round": [version.round for version in versions],
        "version": [version.version for version in versions],
        "training_labels": [version.labels for version in versions],
        "train_energy_rmse_eV_per_atom": [version.energy_rmse_eV_per_atom for version in versions],
        "train_force_rmse_eV_A": [version.force_rmse_eV_A for version in versions],
        "next_labels_energy_rmse_eV_per_atom": [unseen.energy_rmse_eV_per_atom for unseen in later],
        "next_labels_force_rmse_eV_A": [unseen.force_rmse_eV_A for unseen in later],
    }
    validated: dict[str, Column] = {
        f"validation_{name}{ending}": [getattr(getattr(each, name), end) if each else None for each in errors]
        for name in ("energy_rmse_eV_per_atom", "force_rmse_eV_A")
        for end, ending in (("value", ""), ("low", "_low"), ("high", "_high"))
        if frames
    }
    return ReportFigure(
        "error",
        "Root-mean-square errors after each round. Circles: errors on the training set; they may "
        "rise, because each round adds the structures that are hardest to predict. Squares: errors on the "
        "labels of a round before training on them. That test is independent and hard, because the potential "
        "extrapolated most on these structures."
        + (
            f" Diamonds: errors of each version on the same {frames} validation frames, which were drawn at "
            "random steps of the runs and never trained on; bars are 95 % confidence intervals."
            if frames
            else ""
        ),
        DataTable(columns | validated),
        lambda: _draw_learning_curve(versions),
    )


def _draw_learning_curve(versions: Sequence[VersionRecord]) -> Figure:
    figure = new_figure(3.2)
    panels = figure.subplots(1, 2)
    rounds = [version.round for version in versions]
    judged = [version for version in versions if version.unseen.energies.size]
    later = [version.round + 1 for version in judged]
    for axes, attribute, factor, title in (
        (panels[0], "energy_rmse_eV_per_atom", 1000.0, "Energy RMSE (meV per atom)"),
        (panels[1], "force_rmse_eV_A", 1.0, "Force RMSE (eV/Å)"),
    ):
        trained = [factor * getattr(version, attribute) for version in versions]
        unseen = [factor * getattr(version.unseen, attribute) for version in judged]
        for name, x, y in (("training set", rounds, trained), ("new labels, unseen", later, unseen)):
            marker, colour = MARKS[name]
            axes.plot(x, y, f"{marker}-", color=colour, ms=4, label=name)
        measured = [
            (version.round, getattr(errors, attribute))
            for version in versions
            if (errors := version.judged_validation)
        ]
        validated = [factor * estimate.value for _, estimate in measured]
        if measured:
            marker, colour = MARKS["validation"]
            bars = factor * np.array([[e.value - e.low, e.high - e.value] for _, e in measured]).T
            axes.errorbar(
                [round_ for round_, _ in measured], validated, np.where(np.isfinite(bars), bars, np.nan),
                fmt=f"{marker}-", color=colour, ms=4.5, capsize=2.5, elinewidth=1, label="validation",
            )  # fmt: skip
        axes.set_title(title)
        axes.set_xlabel("round")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        scale_of_errors(axes, [*trained, *unseen, *validated])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def scale_of_errors(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis for errors that differ much, else an axis from zero."""
    positive = np.array([value for value in values if value > ROUNDING])
    if positive.size and positive.max() > SPREAD * positive.min():
        axes.set_yscale("log")
        axes.set_ylim(positive.min() / 1.5, positive.max() * 1.5)
        axes.yaxis.set_major_locator(
            LogLocator(subs=(1, 2, 5) if positive.max() < 1000 * positive.min() else (1,))
        )
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    else:
        axes.set_ylim(bottom=0)


def parity(versions: Sequence[VersionRecord], trained: ParitySet) -> ReportFigure:
    """Predictions against QM: each label before training on it, and the newest version's training set."""
    sets = {"new labels, unseen": all_unseen(versions), "training set": trained}
    shown = [quantity for quantity in QUANTITIES if any(len(quantity.values(s)[0]) for s in sets.values())]
    missing = [line for quantity in shown if (line := _not_shown(quantity, sets))]
    return ReportFigure(
        "parity",
        "Potential against QM. Squares: each label as predicted before training on it. Circles: the newest "
        "potential on its training set. Points on the diagonal are exact. Root-mean-square errors: "
        + "; ".join(f"{name} {errors_in_words(parity)}" for name, parity in sets.items())
        + "."
        + "".join(missing),
        DataTable.of_sets(
            "set",
            {name: _columns(parity, shown) for name, parity in sets.items()},
        ),
        lambda: _draw_parity(sets, shown),
    )


def parity_of_groups(sets: Mapping[str, ParitySet]) -> ReportFigure:
    """Predictions against QM for groups of structures; the caption tells what the figure cannot show."""
    shown = [quantity for quantity in QUANTITIES if any(len(quantity.values(s)[0]) for s in sets.values())]
    return ReportFigure(
        "parity",
        "".join(line for quantity in shown if (line := _not_shown(quantity, sets))).strip(),
        DataTable.of_sets("set", {name: _columns(parity, shown) for name, parity in sets.items()}),
        lambda: _draw_parity(sets, shown),
    )


def errors_in_words(parity: ParitySet) -> str:
    """Root-mean-square errors of energy, forces and, where there are any, stress."""
    words = [
        f"{number(1000 * parity.energy_rmse_eV_per_atom)} meV/atom",
        f"{number(parity.force_rmse_eV_A)} eV/Å",
    ]
    if len(parity.stresses):
        words.append(f"{number(EV_A3_IN_GPA * parity.stress_rmse_eV_A3)} GPa")
    return ", ".join(words)


def qm_limits(quantity: Quantity, sets: Mapping[str, ParitySet]) -> tuple[float, float]:
    """Limits of both axes: the range of the labelled values of all sets, with a margin."""
    labelled = np.concatenate([quantity.values(parity)[0] for parity in sets.values()])
    if not labelled.size:
        return 0.0, 1.0
    low, high = float(labelled.min()), float(labelled.max())
    margin = MARGIN * max(high - low, 1e-3)
    return low - margin, high + margin


def outliers(quantity: Quantity, parity: ParitySet, limits: tuple[float, float]) -> NDArray[np.float64]:
    """Errors (predicted minus labelled) of predictions beyond the limits, which the figure cannot show."""
    labelled, predicted = quantity.values(parity)
    inside = (predicted >= limits[0]) & (predicted <= limits[1])
    errors: NDArray[np.float64] = (predicted - labelled)[~inside]
    return errors


def _not_shown(quantity: Quantity, sets: Mapping[str, ParitySet]) -> str:
    """A sentence on the predictions that the figure cannot show; empty if it shows all."""
    limits = qm_limits(quantity, sets)
    found = {name: outliers(quantity, parity, limits) for name, parity in sets.items()}
    parts = [
        f"{len(errors)} of {len(quantity.values(sets[name])[0])} of the {name}"
        for name, errors in found.items()
        if len(errors)
    ]
    if not parts:
        return ""
    worst = max(float(np.abs(errors).max()) for errors in found.values() if len(errors))
    return (
        f" Beyond the range of QM and not shown: {quantity.name} predicted for {' and '.join(parts)}; "
        f"the largest error among them is {number(worst)} {quantity.unit}."
    )


def _columns(parity: ParitySet, shown: Sequence[Quantity]) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {"quantity": [], "unit": [], "qm": [], "potential": []}
    for quantity in shown:
        labelled, predicted = quantity.values(parity)
        columns["quantity"] += [quantity.name] * len(labelled)
        columns["unit"] += [quantity.unit] * len(labelled)
        columns["qm"] += labelled.tolist()
        columns["potential"] += predicted.tolist()
    return columns


def _draw_parity(sets: Mapping[str, ParitySet], shown: Sequence[Quantity]) -> Figure:
    figure = new_figure(4.4 if len(shown) < 3 else 3.3)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, quantity in zip(panels, shown, strict=True):
        for index, (name, parity) in enumerate(sets.items()):
            marker, colour = MARKS.get(name, OTHER_MARKS[index % len(OTHER_MARKS)])
            axes.plot(
                *quantity.values(parity), marker, color=colour, ms=quantity.size, mew=0, alpha=0.55,
                label=name, rasterized=True,
            )  # fmt: skip
        low, high = qm_limits(quantity, sets)
        axes.plot([low, high], [low, high], color=GREY, lw=0.8, zorder=1)
        axes.set(xlim=(low, high), ylim=(low, high), xlabel="QM", ylabel="potential", aspect="equal")
        axes.set_title(f"{quantity.name.capitalize()} ({quantity.unit})")
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_locator(MaxNLocator(4))
    columns = min(len(sets), LEGEND_COLUMNS)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=columns, markerscale=1.4
    )
    return figure
