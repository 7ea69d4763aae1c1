"""Energies of dimers of every pair of elements: how a potential continues where it has no data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.potentials.evaluation import evaluate
from alflow.potentials.grading import Grader, evaluate_graded
from alflow.potentials.protocol import Potential

SHORTEST_A = 0.5
LONGEST_A = 6.0


@dataclass(frozen=True, eq=False)
class DimerCurve:
    """Binding of two atoms of a potential's species.

    Attributes
    ----------
    elements
        The two chemical symbols.
    distances_A : (n,)
        Distances, Å.
    energies_eV : (n,)
        Energy of the dimer minus the energies of its atoms far apart, eV.
    forces_eV_A : (n,)
        Force that drives the atoms apart, eV/Å.
    grades : (n,) or None
        Extrapolation grade of the dimer, if there is an active set. It is about dimers: in a crystal the same
        distance has another grade.
    core_A : (2,) or None
        Distances between which a core takes over, Å, if the potential has one.
    """

    elements: tuple[str, str]
    distances_A: NDArray[np.float64]
    energies_eV: NDArray[np.float64]
    forces_eV_A: NDArray[np.float64]
    grades: NDArray[np.float64] | None
    core_A: tuple[float, float] | None


def dimer_curves(
    potential: Potential,
    active_set: Grader | None = None,
    *,
    shortest_A: float = SHORTEST_A,
    longest_A: float = LONGEST_A,
    count: int = 276,
) -> list[DimerCurve]:
    """The dimer curve of each pair of the potential's species, in the order of the species."""
    distances_A = np.linspace(shortest_A, longest_A, count)
    core = getattr(potential, "core", None)
    curves = []
    for i, j in combinations_with_replacement(range(len(potential.species)), 2):
        elements = potential.species[i], potential.species[j]
        dimers = [Atoms(elements, [[0, 0, 0], [r, 0, 0]]) for r in distances_A]
        grades = None
        if active_set is None:
            result = evaluate(potential, dimers)
        else:
            result, grades = evaluate_graded(potential, dimers, active_set)
        assert result.forces is not None
        alone = evaluate(potential, [Atoms(symbol) for symbol in elements], forces=False).energy
        radii = None if core is None else (float(core.inner_A[i, j]), float(core.outer_A[i, j]))
        curves.append(
            DimerCurve(
                elements, distances_A, result.energy - alone.sum(), result.forces[1::2, 0], grades, radii
            )
        )
    return curves
