"""The report of a campaign: one HTML file that needs nothing else."""

from __future__ import annotations

from alflow.report.data import (
    LabelRecord,
    ParitySet,
    ReportData,
    RunRecord,
    VersionRecord,
)
from alflow.report.gather import gather
from alflow.report.page import build_report

__all__ = [
    "LabelRecord",
    "ParitySet",
    "ReportData",
    "RunRecord",
    "VersionRecord",
    "build_report",
    "gather",
]
