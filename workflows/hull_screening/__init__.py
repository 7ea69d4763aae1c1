"""Convex-hull screening: find the stable crystals among very many candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alflow.store import Store
from workflows.campaign_kind import CampaignKind
from workflows.hull_screening import procedure
from workflows.hull_screening.overview import overview
from workflows.hull_screening.schema import Screening

if TYPE_CHECKING:
    from alflow.report import Page


def _page(store: Store, name: str) -> Page:
    """The report. Matplotlib loads slowly, and workers do not draw."""
    from workflows.hull_screening import page

    return page.page(store, name)


KIND = CampaignKind(
    Settings=Screening,
    procedure=procedure,
    overview=overview,
    page=_page,
    old_keys=frozenset({"candidates", "stages"}),
)
