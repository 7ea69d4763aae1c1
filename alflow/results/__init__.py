"""The typed read model of campaigns, for status, reports and scripts: plain immutable values.

Records hold the values; the functions ``read_…`` read them from the store.
"""

from __future__ import annotations

from alflow.results.campaign import CampaignRecord, read_campaign
from alflow.results.distances import Coverage, PairDistances
from alflow.results.grades import RoundGrades, read_grades
from alflow.results.labels import LabelRecord
from alflow.results.overview import NothingMore, Overview, Part, read_overview
from alflow.results.rounds import ROUND_COLUMNS, RoundRecord
from alflow.results.runs import Quantity, RunRecord, read_runs
from alflow.results.table import Cell, Table
from alflow.results.validation import ValidationRecord, read_validations
from alflow.results.versions import ParitySet, VersionRecord, read_trained, read_versions
from alflow.store.cost import Cost

__all__ = [
    "ROUND_COLUMNS",
    "CampaignRecord",
    "Cell",
    "Cost",
    "Coverage",
    "LabelRecord",
    "NothingMore",
    "Overview",
    "PairDistances",
    "ParitySet",
    "Part",
    "Quantity",
    "RoundGrades",
    "RoundRecord",
    "RunRecord",
    "Table",
    "ValidationRecord",
    "VersionRecord",
    "read_campaign",
    "read_grades",
    "read_overview",
    "read_runs",
    "read_trained",
    "read_validations",
    "read_versions",
]
