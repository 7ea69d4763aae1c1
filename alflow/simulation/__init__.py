"""Simulations under grade control: they pause before they go wrong, and resume exactly."""

from __future__ import annotations

from alflow.simulation.batch_potential import BatchForces, BatchPotential, MTPBatchPotential
from alflow.simulation.batch_relaxation import BatchResult, relax_batch
from alflow.simulation.batch_verdict import BatchSettings
from alflow.simulation.checkpoint import Checkpoint
from alflow.simulation.md import MDResult, run_md
from alflow.simulation.relaxation import RelaxResult, relax
from alflow.simulation.settings import GradeControl, Guards, MDSettings

__all__ = [
    "BatchForces",
    "BatchPotential",
    "BatchResult",
    "BatchSettings",
    "Checkpoint",
    "GradeControl",
    "Guards",
    "MDResult",
    "MDSettings",
    "MTPBatchPotential",
    "RelaxResult",
    "relax",
    "relax_batch",
    "run_md",
]
