"""Active learning on the fly: explorers run until the potential extrapolates too far."""

from __future__ import annotations

from workflows.active_learning import procedure
from workflows.active_learning.overview import overview
from workflows.active_learning.page import page
from workflows.active_learning.schema import ActiveLearning
from workflows.campaign_kind import CampaignKind

KIND = CampaignKind(Settings=ActiveLearning, procedure=procedure, overview=overview, page=page)
