"""Active learning on the fly: explorers run until the potential extrapolates too far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alflow.store import Store
from workflows.active_learning import procedure
from workflows.active_learning.overview import overview
from workflows.active_learning.schema import ActiveLearning
from workflows.campaign_kind import CampaignKind

if TYPE_CHECKING:
    from alflow.report import Page


def _page(store: Store, name: str) -> Page:
    """The report. Matplotlib loads slowly, and workers do not draw."""
    from workflows.active_learning import page

    return page.page(store, name)


KIND = CampaignKind(Settings=ActiveLearning, procedure=procedure, overview=overview, page=_page)
