"""Potentials that evaluate many structures at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.potentials import FlatStructures, Potential, evaluate, evaluate_graded
from alflow.potentials.grading import Grader


@dataclass(frozen=True)
class BatchForces:
    """Results of a potential for n structures with N atoms in total.

    Attributes
    ----------
    energies_eV : (n,)
        Energy of each structure.
    forces_eV_A : (N, 3)
        Force on each atom.
    virials_eV : (n, 3, 3)
        ∂E/∂ε: stress times volume, in ASE's sign.
    min_distances_A : (n,)
        Shortest distance within each structure.
    grades : (n,) or None
        Extrapolation grade of each structure.
    """

    energies_eV: NDArray[np.float64]
    forces_eV_A: NDArray[np.float64]
    virials_eV: NDArray[np.float64]
    min_distances_A: NDArray[np.float64]
    grades: NDArray[np.float64] | None = None


class BatchPotential(Protocol):
    """Any function that maps structures to energies, forces and virials."""

    def __call__(self, structures: FlatStructures) -> BatchForces:
        """Evaluate the structures.

        Raises
        ------
        InputError
            If one of the structures cannot be evaluated.
        """


class GradedPotential:
    """A potential of any kind; with an active set, extrapolation grades are computed too.

    Parameters
    ----------
    potential : Potential
        Potential to evaluate.
    active_set : Grader, optional
        Active set of this potential.
    threads : int
        Threads of the evaluation.

    Raises
    ------
    InputError
        If the active set belongs to another potential.
    """

    def __init__(self, potential: Potential, active_set: Grader | None = None, *, threads: int = 1) -> None:
        if active_set is not None:
            active_set.check_belongs_to(potential)
        self.potential = potential
        self.active_set = active_set
        self.threads = threads

    def __call__(self, structures: FlatStructures) -> BatchForces:
        grades: NDArray[np.float64] | None = None
        if self.active_set is None:
            evaluation = evaluate(self.potential, structures, threads=self.threads)
        else:
            evaluation, grades = evaluate_graded(
                self.potential, structures, self.active_set, threads=self.threads
            )
        assert evaluation.forces is not None and evaluation.virials is not None
        return BatchForces(
            energies_eV=evaluation.energy,
            forces_eV_A=evaluation.forces,
            virials_eV=evaluation.virials,
            min_distances_A=evaluation.min_distances_A,
            grades=grades,
        )


def evaluate_apart(
    potential: BatchPotential, structures: FlatStructures
) -> tuple[BatchForces, dict[int, str]]:
    """Evaluate all structures that can be evaluated, and give the reason for each of the others.

    Energies, forces and virials of the others are NaN.
    """
    try:
        return potential(structures), {}
    except InputError as error:
        count = len(structures)
        if count == 1:
            return _unknown(structures), {0: str(error)}
    half = count // 2
    first, errors = evaluate_apart(potential, structures.part(0, half))
    second, more = evaluate_apart(potential, structures.part(half, count))
    return _joined(first, second), errors | {half + place: reason for place, reason in more.items()}


def _unknown(structures: FlatStructures) -> BatchForces:
    count = len(structures)
    return BatchForces(
        energies_eV=np.full(count, np.nan),
        forces_eV_A=np.full_like(structures.positions, np.nan),
        virials_eV=np.full((count, 3, 3), np.nan),
        min_distances_A=np.full(count, np.nan),
        grades=np.full(count, np.nan),
    )


def _joined(one: BatchForces, other: BatchForces) -> BatchForces:
    def grades(of: BatchForces) -> NDArray[np.float64]:
        return np.full(len(of.energies_eV), np.nan) if of.grades is None else of.grades

    return BatchForces(
        np.concatenate([one.energies_eV, other.energies_eV]),
        np.concatenate([one.forces_eV_A, other.forces_eV_A]),
        np.concatenate([one.virials_eV, other.virials_eV]),
        np.concatenate([one.min_distances_A, other.min_distances_A]),
        np.concatenate([grades(one), grades(other)]),
    )
