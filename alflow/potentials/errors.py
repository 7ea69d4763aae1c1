"""Errors of a potential on labelled structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.potentials.predictions import Prediction, predict

if TYPE_CHECKING:
    from alflow.potentials.protocol import Potential


@dataclass(frozen=True)
class Errors:
    """Mean absolute, root-mean-square and largest errors; forces and stress count per component.

    Energies per atom are in eV, forces in eV/Å, stress in eV/Å³; NaN for what no structure has. Only known
    labels count.
    """

    structures: int
    energy_mae_eV_per_atom: float
    energy_rmse_eV_per_atom: float
    energy_max_eV_per_atom: float
    force_mae_eV_A: float
    force_rmse_eV_A: float
    force_max_eV_A: float
    stress_mae_eV_A3: float
    stress_rmse_eV_A3: float
    stress_max_eV_A3: float


def evaluate_errors(potential: Potential, structures: Sequence[Atoms], *, threads: int = 1) -> Errors:
    """Compare a potential with the labels of structures.

    Raises
    ------
    InputError
        If a structure has no label or the potential lacks a species.
    """
    return errors_of(predict(potential, structures, threads=threads))


def errors_of(predictions: Sequence[Prediction]) -> Errors:
    """Errors of predictions."""
    energies = [
        (p.energy - p.labels.energy) / p.labels.atoms for p in predictions if p.labels.energy is not None
    ]
    forces = [(p.forces - p.labels.forces).ravel() for p in predictions if p.labels.forces is not None]
    stresses = [
        (p.virial - p.labels.virial) / p.atoms.get_volume()
        for p in predictions
        if p.labels.virial is not None
    ]
    return Errors(
        len(predictions),
        *_summary(np.array(energies)),
        *_summary(np.concatenate([np.zeros(0), *forces])),
        *_summary(np.array(stresses)),
    )


def _summary(errors: NDArray[np.float64]) -> tuple[float, float, float]:
    if errors.size == 0:
        return float("nan"), float("nan"), float("nan")
    magnitude = np.abs(errors)
    return float(magnitude.mean()), float(np.sqrt(np.mean(errors**2))), float(magnitude.max())
