"""Potentials: protocol, evaluation, grades, the ASE calculator; kinds by name."""

from __future__ import annotations

from alflow.potentials.mtp.basis import ContractionTables, contraction_tables
from alflow.potentials.calculator import MTPCalculator
from alflow.potentials.calculator import MTPCalculator as PotentialCalculator
from alflow.potentials.evaluation import Evaluation, FlatStructures, evaluate, jacobian
from alflow.potentials.fit_settings import FitSettings
from alflow.potentials.mtp.fitting import FitResult, fit
from alflow.potentials.grading import evaluate_graded
from alflow.potentials.mtp.mtp_file import mtp_from_text, mtp_to_text, read_mtp, write_mtp
from alflow.potentials.mtp.potential import MomentTensorPotential
from alflow.potentials.protocol import Potential

__all__ = [
    "ContractionTables",
    "Evaluation",
    "FitResult",
    "FitSettings",
    "FlatStructures",
    "MTPCalculator",
    "Potential",
    "PotentialCalculator",
    "MomentTensorPotential",
    "contraction_tables",
    "evaluate",
    "evaluate_graded",
    "fit",
    "jacobian",
    "mtp_from_text",
    "mtp_to_text",
    "read_mtp",
    "write_mtp",
]
