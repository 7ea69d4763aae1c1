"""Explorers: one module per kind; each exports one object, `EXPLORER`."""

from __future__ import annotations

from alflow.explorers.protocol import (
    Column,
    Explorer,
    ExplorerSettings,
    Host,
    Outcome,
    OutcomeState,
    Run,
    Trajectory,
)
from alflow.explorers.registry import EXPLORERS, AnyExplorer

__all__ = [
    "EXPLORERS",
    "AnyExplorer",
    "Column",
    "Explorer",
    "ExplorerSettings",
    "Host",
    "Outcome",
    "OutcomeState",
    "Run",
    "Trajectory",
]
