"""Energies of dimers of each pair of species: how the potential continues where it has no data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from alflow.potentials.dimer import DimerCurve
from alflow.report.distance_figures import COLUMNS, ROW_IN, panels
from alflow.report.figure import DataTable, ReportFigure
from alflow.report.filters import number
from alflow.report.style import BLUE, GREY, SKY, VERMILION, new_figure

DEPTHS = 4.0  # the height of a panel, in depths of the well
LEAST_HEIGHT_EV = 4.0


def dimer_figure(
    curves: Sequence[DimerCurve], gamma_break: float | None = None, covered_A: dict[str, float] | None = None
) -> ReportFigure:
    """Energy against distance, one panel per pair.

    Parameters
    ----------
    curves
    gamma_break
        Grade above which a curve is dashed, if the curves have grades.
    covered_A
        Shortest distance in the training set by pair, such as Cu–Pd; it is marked.
    """
    covered_A = covered_A or {}
    repulsive = [_repulsion(curve) for curve in curves]
    return ReportFigure(
        "dimers",
        "Energies of two atoms alone, relative to the same atoms far apart, with the newest potential. "
        "Two atoms alone are unlike any crystal or liquid, so the curves predict no binding energy; they "
        "show how the potential continues at short distances, where it must rise."
        + (" Dashed: the grade of the dimer is above γ_break." if _graded(curves, gamma_break) else "")
        + (" Dotted line: the shortest distance in the training set." if covered_A else "")
        + (
            " Shaded: the Ziegler–Biersack–Littmark core is switched on from its outer to its inner radius."
            if any(curve.core_A for curve in curves)
            else ""
        )
        + "".join(repulsive),
        DataTable.of_sets("pair", {"–".join(curve.elements): _columns(curve) for curve in curves}),
        lambda: _draw(curves, gamma_break, covered_A),
    )


def _repulsion(curve: DimerCurve) -> str:
    """A sentence on a curve that falls towards short distances; empty if it rises."""
    highest = int(np.argmax(curve.energies_eV))
    if highest == 0:
        return ""
    highest_eV, at_A = float(curve.energies_eV[highest]), curve.distances_A[highest]
    return (
        f" The curve of {'–'.join(curve.elements)} has its maximum of {number(highest_eV)} eV at {at_A:.2f} "
        "Å: nothing keeps atoms apart that come nearer (potential.core would)."
    )


def _graded(curves: Sequence[DimerCurve], gamma_break: float | None) -> bool:
    return gamma_break is not None and any(
        curve.grades is not None and bool((curve.grades > gamma_break).any()) for curve in curves
    )


def _columns(curve: DimerCurve) -> dict[str, list[object]]:
    grades = curve.grades.tolist() if curve.grades is not None else [None] * len(curve.distances_A)
    return {
        "distance_A": curve.distances_A.tolist(),
        "energy_eV": curve.energies_eV.tolist(),
        "force_eV_A": curve.forces_eV_A.tolist(),
        "gamma": grades,
    }


def _draw(curves: Sequence[DimerCurve], gamma_break: float | None, covered_A: dict[str, float]) -> Figure:
    figure = new_figure(0.5 + ROW_IN * math.ceil(len(curves) / COLUMNS))
    for axes, curve in zip(panels(figure, len(curves)), curves, strict=True):
        pair = "–".join(curve.elements)
        r, energies = curve.distances_A, curve.energies_eV
        known = np.ones(len(r), dtype=bool)
        if curve.grades is not None and gamma_break is not None:
            known = curve.grades <= gamma_break
        axes.plot(r, energies, color=BLUE, lw=1.1, ls=(0, (3, 2)))
        axes.plot(r, np.where(known, energies, np.nan), color=BLUE, lw=1.8)
        if curve.core_A is not None:
            axes.axvspan(*curve.core_A, color=SKY, alpha=0.25, lw=0)
        if pair in covered_A:
            axes.axvline(covered_A[pair], color=VERMILION, lw=1, ls=":")
        axes.axhline(0, color=GREY, lw=0.8)
        beyond = energies[r >= covered_A.get(pair, r[0])]
        depth = max(0.0, -float(beyond.min(initial=0.0)))
        height = max(LEAST_HEIGHT_EV, DEPTHS * depth)
        axes.set(xlim=(r[0], r[-1]), ylim=(-max(1.4 * depth, 0.25 * height), height))
        axes.set_title(pair)
        axes.set_xlabel("distance (Å)")
        axes.set_ylabel("energy (eV)")
    return figure
