"""Active learning on the fly: explorers run until the potential extrapolates too far."""

from __future__ import annotations

from alflow.report import Page
from alflow.store import Store
from workflows.active_learning import procedure
from workflows.active_learning.overview import overview
from workflows.active_learning.schema import ActiveLearning
from workflows.campaign_kind import CampaignKind


def _page(store: Store, name: str) -> Page:
    """The report. Matplotlib loads slowly, and workers do not draw."""
    from workflows.active_learning import page

    return page.page(store, name)


KIND = CampaignKind(Settings=ActiveLearning, procedure=procedure, overview=overview, page=_page)
