"""Energies, forces, virials, rows and grades of many structures in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.potentials.flat_structures import FlatStructures

if TYPE_CHECKING:
    from alflow.potentials.protocol import Potential

_VOIGT = np.array([0, 4, 8, 5, 2, 1])
"""Entries xx yy zz yz xz xy of a 3 × 3 matrix."""
_VOIGT_TRANSPOSED = np.array([0, 4, 8, 7, 6, 3])
"""The same entries of its transpose."""


@dataclass(frozen=True)
class Evaluation:
    """Energies of structures and their derivatives; arrays run over all N atoms of all structures.

    Attributes
    ----------
    offsets : (structures + 1,) int
        First atom of each structure.
    energies : (N,)
        Energy of each atom, eV.
    forces : (N, 3) or None
        Forces, eV/Å.
    virials : (structures, 3, 3) or None
        ∂E/∂ε of each structure, eV: stress times volume, in ASE's sign.
    gradients : (N, m) or None
        ∂V_i/∂θ of each neighborhood.
    min_distances_A : (structures,)
        Shortest distance within each structure; infinite if no pair is within the cutoff.
    grades : (N,) or None
        Largest magnitude in ∂V_i/∂θ · `grade_matrix`; infinite if that is not a number.
    """

    offsets: NDArray[np.int64]
    energies: NDArray[np.float64]
    forces: NDArray[np.float64] | None
    virials: NDArray[np.float64] | None
    gradients: NDArray[np.float64] | None
    min_distances_A: NDArray[np.float64]
    grades: NDArray[np.float64] | None

    @property
    def energy(self) -> NDArray[np.float64]:
        """Total energy of each structure, eV, shape (structures,)."""
        structure = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        sums = np.bincount(structure, self.energies, minlength=len(self.offsets) - 1)
        return sums.astype(np.float64, copy=False)

    @property
    def voigt_virials(self) -> NDArray[np.float64]:
        """Virials (structures, 6) in the order xx yy zz yz xz xy, eV."""
        assert self.virials is not None
        entries = self.virials.reshape(-1, 9)
        return (entries[:, _VOIGT] + entries[:, _VOIGT_TRANSPOSED]) / 2

    def slices(self) -> Iterator[slice]:
        """The atoms of each structure in the flat arrays."""
        for begin, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield slice(int(begin), int(end))


def evaluate(
    potential: Potential,
    structures: Sequence[Atoms] | FlatStructures,
    *,
    forces: bool = True,
    gradients: bool = False,
    grade_matrix: NDArray[np.float64] | None = None,
    threads: int = 1,
    neighbors: Any | None = None,
) -> Evaluation:
    """Evaluate a potential on structures with any cells and boundary conditions.

    Parameters
    ----------
    potential
        Potential to evaluate.
    structures : sequence of ase.Atoms, or FlatStructures
        Flat arrays save the twenty microseconds that each `Atoms` takes.
    forces, gradients, grade_matrix, threads, neighbors
        Same as in `Potential.evaluate`.

    Raises
    ------
    InputError
        If a species is missing from the potential, a position is not finite, two atoms coincide or a cell has
        no volume.
    """
    flat = structures if isinstance(structures, FlatStructures) else FlatStructures.of(structures)
    return potential.evaluate(
        flat,
        forces=forces,
        gradients=gradients,
        grade_matrix=grade_matrix,
        threads=threads,
        neighbors=neighbors,
    )
