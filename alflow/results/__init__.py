"""The typed read model: what status, reports and scripts know of a campaign, as plain immutable values."""

from __future__ import annotations

from alflow.results.labels import LabelRecord
from alflow.results.overview import NothingMore, Overview, Part
from alflow.results.rounds import ROUND_COLUMNS, RoundRecord
from alflow.results.runs import RunRecord
from alflow.results.table import Table
from alflow.results.versions import ParitySet, VersionRecord
from alflow.store.cost import Cost

__all__ = [
    "ROUND_COLUMNS",
    "Cost",
    "LabelRecord",
    "NothingMore",
    "Overview",
    "ParitySet",
    "Part",
    "RoundRecord",
    "RunRecord",
    "Table",
    "VersionRecord",
]
