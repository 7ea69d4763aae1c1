"""The figures of any campaign that labels and learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alflow.report.cost_figures import cost_figure
from alflow.report.dimer_figures import dimer_figure
from alflow.report.distance_figures import coverage_figure, rdf_figure
from alflow.report.figure import ReportFigure
from alflow.report.parity_figures import learning_curve, parity

if TYPE_CHECKING:
    from alflow.report.campaign_page import CampaignPage


def shared_figures(page: CampaignPage) -> list[ReportFigure]:
    """All of them, without figures that have no data."""
    figures = [cost_figure(page.campaign.cost)]
    if page.versions:
        figures += [learning_curve(page.versions), parity(page.versions, page.trained)]
    if page.coverage is not None:
        figures.append(coverage_figure(page.coverage))
    if page.rdfs:
        figures.append(rdf_figure(page.rdfs))
    if page.dimers:
        covered = {pair.name: pair.shortest_A for pair in page.coverage.training} if page.coverage else {}
        figures.append(dimer_figure(page.dimers, page.gamma_break, covered))
    return [figure for figure in figures if figure is not None]
