"""Simulations under grade control: they pause before they go wrong, and resume exactly."""

from __future__ import annotations

from alflow.simulation.checkpoint import Checkpoint
from alflow.simulation.md import MDResult, run_md
from alflow.simulation.relaxation import RelaxResult, relax
from alflow.simulation.settings import GradeControl, Guards, MDSettings

__all__ = ["Checkpoint", "GradeControl", "Guards", "MDResult", "MDSettings", "RelaxResult", "relax", "run_md"]
