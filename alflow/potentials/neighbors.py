"""Pairs of neighboring atoms as arrays, for potentials written in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from ase.neighborlist import primitive_neighbor_list
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.potentials.flat_structures import FlatStructures

SAME_PLACE_A = 1e-8
"""Atoms closer than this coincide; the compiled kernel has the same limit."""


@dataclass(frozen=True)
class Pairs:
    """All pairs of atoms within a distance, each in both directions; images of one atom are pairs too.

    Attributes
    ----------
    first, second : (P,) int
        Atoms i and j, as indices into the flat arrays.
    structure : (P,) int
        Structure of the pair.
    distances_A : (P,)
        r_ij.
    vectors_A : (P, 3)
        r_j - r_i.
    offsets : (structures + 1,) int
        First atom of each structure.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    structure: NDArray[np.int64]
    distances_A: NDArray[np.float64]
    vectors_A: NDArray[np.float64]
    offsets: NDArray[np.int64]

    @property
    def min_distances_A(self) -> NDArray[np.float64]:
        """Shortest distance within each structure (structures,); infinite if there is no pair."""
        shortest = np.full(len(self.offsets) - 1, np.inf)
        np.minimum.at(shortest, self.structure, self.distances_A)
        return shortest

    def forces_and_virials(
        self, slopes: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Forces (N, 3), eV/Å, and virials (structures, 3, 3), eV, of a sum of atomic energies.

        Parameters
        ----------
        slopes : (P, 3)
            ∂V_i/∂r_ij of the energy of the first atom with respect to the vector, eV/Å.
        """
        forces, virials = np.zeros((self.offsets[-1], 3)), np.zeros((len(self.offsets) - 1, 3, 3))
        np.add.at(forces, self.first, slopes)
        np.subtract.at(forces, self.second, slopes)
        np.add.at(virials, self.structure, self.vectors_A[:, :, None] * slopes[:, None, :])
        return forces, virials


def pairs_within(structures: FlatStructures, cutoff_A: float) -> Pairs:
    """Pairs of atoms closer than `cutoff_A`, from ASE's neighbor list.

    Raises
    ------
    InputError
        If a position is not finite, two atoms coincide or a cell has no volume.
    """
    if not np.isfinite(structures.positions).all():
        raise InputError("a structure cannot be evaluated: a position is not a finite number")
    if not np.linalg.det(structures.cells).all():
        raise InputError("a structure cannot be evaluated: a cell has no volume")
    parts = [(np.empty(0, int), np.empty(0, int), np.empty(0, int), np.empty(0), np.empty((0, 3)))]
    for number in range(len(structures)):
        one, begin = structures.part(number, number + 1), int(structures.offsets[number])
        if not len(one.positions):
            continue
        i, j, lengths_A, vectors_A = primitive_neighbor_list(
            "ijdD", one.periodic[0], one.cells[0], one.positions, cutoff_A
        )
        parts.append((begin + i, begin + j, np.full(len(i), number), lengths_A, vectors_A))
    first, second, structure, distances_A, vectors_A = (
        np.concatenate(each) for each in zip(*parts, strict=True)
    )
    pairs = Pairs(first, second, structure, distances_A, vectors_A, structures.offsets)
    if (pairs.distances_A < SAME_PLACE_A).any():
        raise InputError("a structure cannot be evaluated: two atoms are at the same place")
    return pairs


def types_of(species: Sequence[str], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index into `species` of each atom, from the atomic numbers.

    Raises
    ------
    InputError
        If an element is not among `species`.
    """
    types = np.full(len(chemical_symbols), -1)
    types[[atomic_numbers[symbol] for symbol in species]] = np.arange(len(species))
    found: NDArray[np.int64] = types[numbers]
    if (found < 0).any():
        missing = chemical_symbols[numbers[found < 0][0]]
        raise InputError(f"the potential has no species {missing}; it was made for {', '.join(species)}")
    return found
