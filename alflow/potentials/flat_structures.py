"""Temporary."""

from __future__ import annotations

from alflow.potentials.evaluation import FlatStructures

__all__ = ["FlatStructures"]
