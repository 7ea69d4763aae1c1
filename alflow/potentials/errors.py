"""Errors of a potential on labelled structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.potentials.evaluation import evaluate
from alflow.potentials.labels import labels_of

if TYPE_CHECKING:
    from alflow.potentials.protocol import Potential


@dataclass(frozen=True)
class Errors:
    """Mean absolute, root-mean-square and largest errors; forces and stress count per component.

    Energies per atom are in eV, forces in eV/Å, stress in eV/Å³ (NaN if no structure has a stress).
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
    labels = [labels_of(atoms) for atoms in structures]
    evaluation = evaluate(potential, structures, threads=threads)
    assert evaluation.forces is not None
    sizes = np.diff(evaluation.offsets)
    energies = (evaluation.energy - [label.energy for label in labels]) / sizes
    forces = evaluation.forces - np.concatenate([label.forces for label in labels])
    stresses = [
        (virial - label.virial) / atoms.get_volume()
        for virial, label, atoms in zip(evaluation.voigt_virials, labels, structures, strict=True)
        if label.virial is not None
    ]
    return Errors(len(structures), *_summary(energies), *_summary(forces), *_summary(np.array(stresses)))


def _summary(errors: NDArray[np.float64]) -> tuple[float, float, float]:
    if errors.size == 0:
        return float("nan"), float("nan"), float("nan")
    magnitude = np.abs(errors)
    return float(magnitude.mean()), float(np.sqrt(np.mean(errors**2))), float(magnitude.max())
