"""The loss that the fits of all kinds of potentials minimise, and its minimum for a linear potential.

The loss is Σ_k w_k [ w_E ΔE_k²/N_k + w_F Σ|ΔF|² + w_S |ΔW_k|²/N_k ] over the structures k of N_k atoms, with
the virial W = σV (the weighting that MLIP calls "vibrations").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.potentials.errors import evaluate_errors
from alflow.potentials.evaluation import Evaluation, evaluate
from alflow.potentials.fit_settings import FitSettings
from alflow.potentials.labels import Labels, labels_of
from alflow.potentials.protocol import FitResult, Potential


def targets_and_weights(
    labels: Sequence[Labels], settings: FitSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Labels in the order of `predictions`, and the square roots of their weights, (rows,) each.

    Labels that are not known are zero, and so are their weights.
    """
    targets: list[NDArray[np.float64]] = []
    weights: list[NDArray[np.float64]] = []
    for label in labels:
        energy = np.zeros(1) if label.energy is None else np.array([label.energy])
        forces = np.zeros((label.atoms, 3)) if label.forces is None else label.forces
        virial = np.zeros(6) if label.virial is None else label.virial
        targets += [energy, forces.ravel(), virial]
        per_atom = label.weight / label.atoms
        # the shear components occur twice in |ΔW|²
        shear = np.array([1, 1, 1, 2, 2, 2.0])
        weights += [
            np.full(1, np.sqrt(per_atom * settings.energy_weight) * (label.energy is not None)),
            np.full(forces.size, np.sqrt(label.weight * settings.force_weight) * (label.forces is not None)),
            np.sqrt(per_atom * settings.stress_weight * shear) * (label.virial is not None),
        ]
    return np.concatenate(targets), np.concatenate(weights)


def predictions(evaluation: Evaluation) -> NDArray[np.float64]:
    """An evaluation as one array (rows,): energy, forces and virial, structure after structure.

    Each structure has one energy (eV), 3N force components (eV/Å) and six virial components (xx yy zz yz xz
    xy, eV).
    """
    assert evaluation.forces is not None
    parts: list[NDArray[np.float64]] = []
    for virial, energy, atoms in zip(
        evaluation.voigt_virials, evaluation.energy, evaluation.slices(), strict=True
    ):
        parts += [np.atleast_1d(energy), evaluation.forces[atoms].ravel(), virial]
    return np.concatenate(parts)


def fit_linear(
    potential_of: Callable[[NDArray[np.float64]], Potential],
    parameter_count: int,
    structures: Sequence[Atoms],
    settings: FitSettings,
    *,
    threads: int = 1,
) -> FitResult:
    """Fit a potential whose energy is linear in all its parameters by one linear least-squares problem.

    Parameters
    ----------
    potential_of
        Function that makes the potential with parameters θ, (m,).
    parameter_count
        Number m of parameters. The potential is evaluated m times on all structures.
    structures
        Labelled structures, as in `PotentialKind.fit`.
    settings
        Only the weights and `ridge` are used. Parameters that the data do not determine become zero.

    Raises
    ------
    InputError
        If there is no structure, a structure has no label, or a species is unknown.
    """
    if not structures:
        raise InputError("there is no labelled structure to fit to")
    if settings.isolated_atoms_eV:
        raise InputError(
            "isolated_atoms_eV: this kind of potential cannot fix the energies of isolated atoms"
        )
    targets, weights = targets_and_weights([labels_of(atoms) for atoms in structures], settings)

    def weighted(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return weights * predictions(evaluate(potential_of(parameters), structures, threads=threads))

    columns = np.array([weighted(unit) for unit in np.eye(parameter_count)])
    lengths = np.linalg.norm(columns, axis=1)
    scales = np.where(lengths > 0, lengths, 1.0)
    damped = np.vstack([(columns / scales[:, None]).T, np.sqrt(settings.ridge) * np.eye(parameter_count)])
    aims = np.concatenate([weights * targets, np.zeros(parameter_count)])
    potential = potential_of(np.linalg.lstsq(damped, aims, rcond=None)[0] / scales)
    loss = float(np.sum((weights * targets - weighted(potential.parameters)) ** 2))
    return FitResult(potential, evaluate_errors(potential, structures, threads=threads), loss)
