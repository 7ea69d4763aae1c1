"""Distances per pair of species: coverage of the training set, and radial distribution functions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from alflow.report.figure import DataTable, ReportFigure
from alflow.report.style import BLUE, CYCLE, GREY, SKY, VERMILION, new_figure
from alflow.results import Coverage, PairDistances

COLUMNS = 2
ROW_IN = 2.2


def coverage_figure(coverage: Coverage) -> ReportFigure:
    """Distances in the training set and in visited structures, one panel per pair of species."""
    pairs = {pair.pair: pair for pair in coverage.visited}
    names = {"training set": coverage.training, "visited": coverage.visited}
    shortest = "; ".join(
        f"{pair.name} {pair.shortest_A:.2f} Å"
        + (f" and {pairs[pair.pair].shortest_A:.2f} Å" if pair.pair in pairs else "")
        for pair in coverage.training
    )
    return ReportFigure(
        "coverage",
        "Distances between atoms, up to the cutoff. Filled: the training set. Line: structures that were "
        f"visited, {coverage.visited_are}. A line beyond the filled area, above all at short distances, is a "
        "region that the potential has not been trained on. Shortest distances (training set and visited): "
        f"{shortest}.{coverage.sampling}",
        DataTable.of_sets("set", {name: _columns(found) for name, found in names.items() if found}),
        lambda: _draw_coverage(coverage),
    )


def rdf_figure(rdfs: Mapping[str, Sequence[PairDistances]]) -> ReportFigure:
    """Radial distribution functions by run, one panel per pair of species."""
    return ReportFigure(
        "rdf",
        "Radial distribution functions over the second half of each trajectory; they approach 1 where order "
        "ends, which in a crystal it does not.",
        DataTable.of_sets(
            "run",
            {
                name: {
                    "pair": [pair.name for pair in pairs for _ in pair.counts],
                    "distance_A": [value for pair in pairs for value in pair.middles_A.tolist()],
                    "rdf": [value for pair in pairs for value in pair.rdf.tolist()],
                }
                for name, pairs in rdfs.items()
            },
        ),
        lambda: _draw_rdf(rdfs),
    )


def _columns(found: Sequence[PairDistances]) -> dict[str, list[object]]:
    return {
        "pair": [pair.name for pair in found for _ in pair.counts],
        "from_A": [value for pair in found for value in pair.edges_A[:-1].tolist()],
        "to_A": [value for pair in found for value in pair.edges_A[1:].tolist()],
        "count": [value for pair in found for value in pair.counts.tolist()],
        "neighbors_per_atom_and_A": [v for pair in found for v in pair.neighbors_per_A.tolist()],
    }


def _draw_coverage(coverage: Coverage) -> Figure:
    training = {pair.pair: pair for pair in coverage.training}
    visited = {pair.pair: pair for pair in coverage.visited}
    pairs = list(dict.fromkeys([*training, *visited]))
    figure = new_figure(0.5 + ROW_IN * math.ceil(len(pairs) / COLUMNS))
    lowest = min(pair.shortest_A for pair in [*training.values(), *visited.values()])
    for axes, pair in zip(panels(figure, len(pairs)), pairs, strict=True):
        if (found := training.get(pair)) is not None:
            axes.stairs(
                found.neighbors_per_A, found.edges_A, fill=True, color=SKY, alpha=0.55, label="training set"
            )
        if (found := visited.get(pair)) is not None:
            axes.stairs(found.neighbors_per_A, found.edges_A, color=VERMILION, lw=1.2, label="visited")
        axes.set_title("–".join(pair))
        axes.set(xlim=(max(0.0, lowest - 0.4), coverage.cutoff_A), ylim=(0, None))
    _label(figure, "distance (Å)", "neighbors per atom and Å")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


def _draw_rdf(rdfs: Mapping[str, Sequence[PairDistances]]) -> Figure:
    pairs = list(dict.fromkeys(pair.pair for found in rdfs.values() for pair in found))
    figure = new_figure(0.5 + ROW_IN * math.ceil(len(pairs) / COLUMNS))
    named = 1 < len(rdfs) <= len(CYCLE)
    colours = CYCLE if len(rdfs) <= len(CYCLE) else (BLUE,) * len(rdfs)
    for axes, pair in zip(panels(figure, len(pairs)), pairs, strict=True):
        for (name, found), colour in zip(rdfs.items(), colours, strict=False):
            for each in found:
                if each.pair == pair:
                    axes.plot(each.middles_A, each.rdf, color=colour, lw=1.1, label=name)
                    axes.set_xlim(0, each.edges_A[-1])
        axes.axhline(1, color=GREY, lw=0.8, ls=(0, (4, 3)))
        axes.set_title("–".join(pair))
        axes.set_ylim(0, None)
    _label(figure, "distance (Å)", "g(r)")
    if named:
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def panels(figure: Figure, count: int) -> Iterator[Axes]:
    """This number of panels, in rows; places of the last row that are not needed stay empty."""
    rows, columns = math.ceil(count / COLUMNS), min(count, COLUMNS)
    for number, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if number < count:
            yield axes
        else:
            axes.remove()


def _label(figure: Figure, x: str, y: str) -> None:
    for axes in figure.axes:
        axes.set_xlabel(x)
        if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
            axes.set_ylabel(y)
