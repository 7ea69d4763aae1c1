"""Convex-hull screening: find the stable crystals among very many candidates."""

from __future__ import annotations

from workflows.campaign_kind import CampaignKind
from workflows.hull_screening import procedure
from workflows.hull_screening.overview import overview
from workflows.hull_screening.page import page
from workflows.hull_screening.schema import Screening

KIND = CampaignKind(
    Settings=Screening,
    procedure=procedure,
    overview=overview,
    page=page,
    old_keys=frozenset({"candidates", "stages"}),
)
