"""Simulations under grade control: they pause before the potential goes wrong, and resume exactly."""

from __future__ import annotations

from alflow.simulation.batch_potential import BatchForces, BatchPotential, GradedPotential
from alflow.simulation.batch_relaxation import BatchResult, relax_batch
from alflow.simulation.candidate_frames import CandidateFrames
from alflow.simulation.checkpoint import Checkpoint
from alflow.simulation.md import MDResult, run_md
from alflow.simulation.ramps import PressureRamp, TemperatureRamp
from alflow.simulation.relaxation import RelaxResult, relax
from alflow.simulation.settings import GradeControl, Guards, MDSettings, Relaxation

__all__ = [
    "BatchForces",
    "BatchPotential",
    "BatchResult",
    "CandidateFrames",
    "Checkpoint",
    "GradeControl",
    "GradedPotential",
    "Guards",
    "MDResult",
    "MDSettings",
    "PressureRamp",
    "RelaxResult",
    "Relaxation",
    "TemperatureRamp",
    "relax",
    "relax_batch",
    "run_md",
]
