"""Reports: what the pages of all kinds of campaigns share."""

from __future__ import annotations

from alflow.report.page import Page, build_report, render_template

__all__ = ["Page", "build_report", "render_template"]
