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
    labels = [labels_of(atoms) for atoms in structures]
    evaluation = evaluate(potential, structures, threads=threads)
    assert evaluation.forces is not None
    sizes = np.diff(evaluation.offsets)
    energies = [
        (energy - label.energy) / size
        for energy, label, size in zip(evaluation.energy, labels, sizes, strict=True)
        if label.energy is not None
    ]
    forces = [
        (evaluation.forces[atoms] - label.forces).ravel()
        for atoms, label in zip(evaluation.slices(), labels, strict=True)
        if label.forces is not None
    ]
    stresses = [
        (virial - label.virial) / atoms.get_volume()
        for virial, label, atoms in zip(evaluation.voigt_virials, labels, structures, strict=True)
        if label.virial is not None
    ]
    return Errors(
        len(structures),
        *_summary(np.array(energies)),
        *_summary(np.concatenate([np.zeros(0), *forces])),
        *_summary(np.array(stresses)),
    )


def _summary(errors: NDArray[np.float64]) -> tuple[float, float, float]:
    if errors.size == 0:
        return float("nan"), float("nan"), float("nan")
    magnitude = np.abs(errors)
    return float(magnitude.mean()), float(np.sqrt(np.mean(errors**2))), float(magnitude.max())
