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
from alflow.report.hull_data import HullData
from alflow.report.hull_files import write_hull
from alflow.report.hull_gather import gather_hull
from alflow.report.page import build_report

__all__ = [
    "HullData",
    "LabelRecord",
    "ParitySet",
    "ReportData",
    "RunRecord",
    "VersionRecord",
    "build_report",
    "gather",
    "gather_hull",
    "write_hull",
]
