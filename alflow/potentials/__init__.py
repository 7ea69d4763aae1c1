"""Potentials of any kind: protocol, evaluation, grades, errors, files, the ASE calculator."""

from __future__ import annotations

from alflow.potentials.calculator import PotentialCalculator
from alflow.potentials.errors import Errors, evaluate_errors
from alflow.potentials.evaluation import Evaluation, evaluate
from alflow.potentials.files import read_potential, write_potential
from alflow.potentials.fit_settings import FitSettings
from alflow.potentials.flat_structures import FlatStructures
from alflow.potentials.grading import evaluate_graded
from alflow.potentials.protocol import FitResult, Potential, PotentialKind
from alflow.potentials.registry import POTENTIALS, AnyPotential
from alflow.potentials.settings import PotentialSettings

__all__ = [
    "POTENTIALS",
    "AnyPotential",
    "Errors",
    "Evaluation",
    "FitResult",
    "FitSettings",
    "FlatStructures",
    "Potential",
    "PotentialCalculator",
    "PotentialKind",
    "PotentialSettings",
    "evaluate",
    "evaluate_errors",
    "evaluate_graded",
    "read_potential",
    "write_potential",
]
