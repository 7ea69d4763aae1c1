"""Extrapolation grades of structures, and the selection of structures to label."""

from __future__ import annotations

from alflow.selection.active_set import ActiveSet
from alflow.selection.batch import Selection, select
from alflow.selection.fingerprint import Fingerprint, find_duplicate, fingerprint
from alflow.selection.maxvol import MaxvolResult, maxvol
from alflow.selection.rows import Mode, rows

__all__ = [
    "ActiveSet",
    "Fingerprint",
    "MaxvolResult",
    "Mode",
    "Selection",
    "find_duplicate",
    "fingerprint",
    "maxvol",
    "rows",
    "select",
]
