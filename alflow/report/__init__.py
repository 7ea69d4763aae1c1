"""Reports: the shared parts of the pages of all kinds of campaigns."""

from __future__ import annotations

from alflow.report.campaign_page import CampaignPage
from alflow.report.page import Page, build_report, render_template

__all__ = ["CampaignPage", "Page", "build_report", "render_template"]
