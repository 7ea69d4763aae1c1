"""The figures of a screening: hull and stages of two species, or the Gibbs triangle of three."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from alflow.report.cost_figures import stacked_bars
from alflow.report.figure import DataTable, ReportFigure
from alflow.report.filters import with_subscripts
from alflow.report.style import BLUE, FAINT, GREY, INK, ORANGE, PAPER, SKY, STYLE, VERMILION, new_figure
from workflows.hull_screening.compounds import Compound
from workflows.hull_screening.results import EnergySet, HullData, StageRecord

DISTANCES = "viridis"
SCATTERED = 20_000  # more points look the same and only make the file larger
LABEL_WIDTH = 0.06  # width of a formula, as a share of the composition axis
STEEPEST = 1e-6  # cosine of a facet with the vertical; a facet beyond it is a side of the hull
TRIANGLE = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])


def hull_figure(data: HullData) -> Figure | None:
    """The hull of two or three species; None for other numbers of species, or without a hull."""
    if not has_hull_figure(data):
        return None
    with rc_context(STYLE):
        return _draw_hull(data)


def screening_figures(data: HullData) -> list[ReportFigure]:
    """``hull`` and ``work``, without figures that have no data."""
    figures = []
    if has_hull_figure(data):
        figures.append(
            ReportFigure("hull", _hull_caption(data), _hull_table(data), partial(_draw_hull, data))
        )
    if any(share.seconds for share in data.work):
        bars = {"wall": {share.what: share.seconds for share in data.work}}
        figures.append(
            ReportFigure(
                "work",
                "Wall time of the relaxations by QM, of the labels for training and validation, and of "
                "relaxations with potentials and their fits.",
                DataTable(
                    {
                        "work": [share.what for share in data.work],
                        "wall_s": [share.seconds for share in data.work],
                        "qm_evaluations": [share.evaluations for share in data.work],
                    }
                ),
                partial(stacked_bars, bars),
            )
        )
    return figures


def has_hull_figure(data: HullData) -> bool:
    """Whether there is a hull of two or three species."""
    return data.hull_of is not None and len(data.species) in (2, 3)


def _draw_hull(data: HullData) -> Figure:
    return _binary(data) if len(data.species) == 2 else _ternary(data)


def _hull_caption(data: HullData) -> str:
    if len(data.species) == 2:
        return (
            f"Above: formation energies by {data.hull_of}; crystals on the line do not decompose into "
            "others. Below: the candidates that each stage relaxed with its potential, and the band above "
            "its hull in which it kept them; the width of the band is a multiple of σ, the error of the "
            "stage's potential."
        )
    return (
        f"Formation energies by {data.hull_of}. Dots: phases on the hull; lines join those that coexist. "
        "Diamonds: crystals near the hull, coloured by distance; if several have one composition, the lowest "
        "is in front."
    )


def _hull_table(data: HullData) -> DataTable:
    sets = {f"stage {stage.number}": stage.energies for stage in data.stages}
    return DataTable.of_sets(
        "energies_of",
        {
            name: {f"fraction_{symbol}": energies.fractions[:, i] for i, symbol in enumerate(data.species)}
            | {
                "formation_energy_eV_per_atom": energies.formation_eV,
                "above_hull_eV_per_atom": energies.above_hull_eV,
            }
            for name, energies in {f"hull ({data.hull_of})": data.energies, **sets}.items()
        },
    )


def _binary(data: HullData) -> Figure:
    done = [stage for stage in data.stages if stage.energies.formation_eV.size]
    figure = new_figure(6.6)
    grid = figure.add_gridspec(2, len(done), height_ratios=[1.45, 1])
    axes = figure.add_subplot(grid[0, :])
    depth_eV = float(-data.energies.hull_eV.min())
    top_eV = max(0.35 * depth_eV, 1.6 * data.window_eV, 0.01)
    bottom_eV = -1.2 * depth_eV - 0.25 * top_eV  # room for the formulas
    _scatter(axes, data.energies, INK, size=10, label="relaxed")
    _draw_hull_line(axes, data.energies, VERMILION)
    near = [compound for compound in data.compounds if not compound.stable]
    name = f"up to {1000 * data.window_eV:g} meV above the hull"
    axes.plot(*_places(near), "D", color=ORANGE, mec=PAPER, mew=0.5, ms=5, label=name)
    axes.plot(*_places(data.stable), "o", color=VERMILION, mec=PAPER, mew=0.8, ms=7.5, label="on the hull")
    _name_compounds(axes, data.stable)
    axes.set(ylim=(bottom_eV, top_eV), ylabel="formation energy (eV per atom)")
    axes.set_title(f"Hull of {data.hull_of}, {len(data.energies.formation_eV)} structures")
    axes.legend(loc="upper center", ncols=3, handletextpad=0.2)
    highest_eV = max(top_eV, *(1.4 * (stage.band_eV or 0) for stage in done))
    for column, stage in enumerate(done):
        panel = figure.add_subplot(grid[1, column])
        _draw_stage(panel, stage)
        panel.set_ylim(bottom_eV, highest_eV)
        if column == 0:
            panel.set_ylabel("formation energy (eV per atom)")
    for each in figure.axes:
        each.set(xlim=(-0.02, 1.02), xlabel=f"fraction of {data.species[1]}")
    return figure


def _draw_stage(axes: Axes, stage: StageRecord) -> None:
    """The candidates that a stage relaxed, and the band above its hull that it kept."""
    kept = (
        f"{stage.relaxed} relaxed so far" if stage.kept is None else f"kept {stage.kept} of {stage.relaxed}"
    )
    if stage.band_eV is not None:
        x, hull_eV = _hull_line(stage.energies)
        axes.fill_between(x, hull_eV, hull_eV + stage.band_eV, color=SKY, alpha=0.4, lw=0)
        axes.annotate(
            f"{stage.rule} = {1000 * stage.band_eV:.3g} meV",
            (0.97, 0.05), xycoords="axes fraction", ha="right", fontsize=8.5,
        )  # fmt: skip
    _scatter(axes, stage.energies, BLUE, size=6)
    _draw_hull_line(axes, stage.energies, INK)
    axes.set_title(f"Stage {stage.number}, {stage.potential_text}: {kept}", fontsize=9.5)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _scatter(axes: Axes, energies: EnergySet, colour: str, *, size: float, label: str | None = None) -> None:
    """Draw points; the more there are, the lighter they are."""
    step = -(-len(energies.formation_eV) // SCATTERED)
    x, y = energies.fractions[::step, 1], energies.formation_eV[::step]
    alpha = min(max(100 / len(x), 0.2), 0.7)
    axes.scatter(x, y, s=size, color=colour, alpha=alpha, lw=0, label=label, rasterized=True)


def _hull_line(energies: EnergySet) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    stable = energies.above_hull_eV == 0
    x, first = np.unique(energies.fractions[stable, 1], return_index=True)
    return x, energies.formation_eV[stable][first]


def _draw_hull_line(axes: Axes, energies: EnergySet, colour: str) -> None:
    axes.plot(*_hull_line(energies), color=colour, lw=1.3)


def _places(compounds: Sequence[Compound]) -> tuple[list[float], list[float]]:
    return [c.fractions[1] for c in compounds], [c.formation_energy_eV for c in compounds]


def _name_compounds(axes: Axes, stable: Sequence[Compound]) -> None:
    """Write formulas below their points, one line lower if they would overlap the neighbour's formula."""
    last = [-1.0, -1.0]  # right ends of the formulas in either line
    for compound in sorted({c.formula: c for c in stable}.values(), key=lambda c: c.fractions[1]):
        x, y = compound.fractions[1], compound.formation_energy_eV
        line = 0 if x - last[0] > LABEL_WIDTH or last[1] > last[0] else 1
        last[line] = x
        axes.annotate(
            with_subscripts(compound.formula), (x, y), xytext=(0, -9 - 11 * line), textcoords="offset points",
            ha="center", va="top", fontsize=9,
        )  # fmt: skip


def _ternary(data: HullData) -> Figure:
    figure = new_figure(6.2)
    axes = figure.subplots()
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.plot(*TRIANGLE[[0, 1, 2, 0]].T, color=GREY, lw=1)
    for first, second in tie_lines(data.stable):
        ends = _corners([first, second])
        axes.plot(*ends.T, color=INK, lw=1, zorder=2)
    x, y = (data.energies.fractions @ TRIANGLE).T
    axes.scatter(x, y, s=6, color=FAINT, lw=0, zorder=1, rasterized=True)
    near = [compound for compound in reversed(data.compounds) if not compound.stable]
    if near:
        x, y = _corners(near).T
        points = axes.scatter(
            x, y, c=[1000 * c.above_hull_eV for c in near], cmap=DISTANCES, vmin=0,
            vmax=1000 * data.window_eV, s=34, marker="D", edgecolors=PAPER, linewidths=0.5, zorder=3,
        )  # fmt: skip
        bar = figure.colorbar(points, ax=axes, shrink=0.55, aspect=22, pad=0.02)
        bar.set_label("distance to the hull (meV per atom)")
        bar.outline.set_visible(False)
    x, y = _corners(data.stable).T
    axes.scatter(x, y, s=70, color=INK, edgecolors=PAPER, linewidths=1, zorder=4)
    _name_phases(axes, data)
    axes.set_title(f"Hull of {data.hull_of}, {len(data.energies.formation_eV)} structures")
    return figure


def _name_phases(axes: Axes, data: HullData) -> None:
    """Write elements at the corners and compounds beside their points, outside the triangle on its edges."""
    outward = ((-11, -4, "right"), (11, -4, "left"), (0, 9, "center"))
    for corner, symbol, (x, y, align) in zip(TRIANGLE, data.species, outward, strict=True):
        axes.annotate(
            symbol, corner, xytext=(x, y), textcoords="offset points", ha=align, fontsize=12, weight="bold"
        )
    for compound in {c.formula: c for c in data.stable if max(c.fractions) < 1}.values():
        axes.annotate(
            with_subscripts(compound.formula), _corners([compound])[0], textcoords="offset points",
            fontsize=9, zorder=2.5, rotation_mode="anchor", **_beside(compound.fractions),
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 0.6},
        )  # fmt: skip


def _beside(fractions: tuple[float, ...]) -> dict[str, Any]:
    if fractions[2] == 0:
        return {"xytext": (1, -12), "ha": "left", "va": "center", "rotation": -45}
    if fractions[1] == 0:
        return {"xytext": (-9, 2), "ha": "right"}
    return {"xytext": (9, 2) if fractions[0] == 0 else (7, 5)}


def tie_lines(stable: Sequence[Compound]) -> Iterator[tuple[Compound, Compound]]:
    """Pairs of stable phases of three species that coexist: edges of the lower facets of the hull."""
    phases = list({c.fractions: c for c in stable}.values())
    heights = np.array([compound.formation_energy_eV for compound in phases])
    points = np.column_stack([np.array([c.fractions[:2] for c in phases]), heights])
    roof = [1 / 3, 1 / 3, heights.max() + 1.0]  # closes the hull from above, even if the hull is flat
    hull = ConvexHull(np.vstack([points, roof]))
    lower = hull.simplices[hull.equations[:, 2] < -STEEPEST]
    edges = {tuple(sorted(edge)) for simplex in lower for edge in combinations(simplex.tolist(), 2)}
    return ((phases[first], phases[second]) for first, second in sorted(edges))


def _corners(compounds: Iterable[Compound]) -> NDArray[np.float64]:
    fractions = np.array([compound.fractions for compound in compounds], dtype=float)
    corners: NDArray[np.float64] = fractions @ TRIANGLE
    return corners
