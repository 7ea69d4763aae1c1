"""Near-duplicates: structures that differ only by small displacements.

The fingerprint of a structure consists of distances: from each atom to its nearest neighbors of each
species, in ascending order. These columns, each sorted over the atoms of a species, do not depend on
translation, rotation, reflection, the order of the atoms or the origin and shape of the cell. Sorting never
increases the largest difference of two lists, so atoms that move by at most δ change no number by more than
2δ: the tolerance is a length, and no near-duplicate escapes. Two different structures may agree in all
numbers, but this is very unlikely, especially at finite temperature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

NEIGHBORS_PER_SPECIES = 16
"""This exceeds the first two shells of bcc and the first shell of fcc."""
HORIZON_A = 6.0
"""Longer distances count as this one."""
DUPLICATE_TOLERANCE_A = 0.005
"""In stiff solids such small displacements change forces by some 0.05 eV/Å, the error of a good potential:
they are not worth a label."""


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Numbers by which structures are compared.

    Attributes
    ----------
    numbers : (N,) int
        Atomic numbers in ascending order.
    distances_A : (N, species · NEIGHBORS_PER_SPECIES) float32
        Distances to neighbors; each column is sorted within the atoms of a species.
    """

    numbers: NDArray[np.int64]
    distances_A: NDArray[np.float32]


def fingerprint(atoms: Atoms) -> Fingerprint:
    """Fingerprint of a structure with any cell and boundary conditions."""
    first, second, distances_A = neighbor_list("ijd", atoms, HORIZON_A)
    columns = [
        _nearest(first[to_species], distances_A[to_species], len(atoms))
        for to_species in (atoms.numbers[second] == species for species in np.unique(atoms.numbers))
    ]
    table = np.hstack(columns)
    groups = [np.sort(table[atoms.numbers == species], axis=0) for species in np.unique(atoms.numbers)]
    return Fingerprint(np.sort(atoms.numbers), np.vstack(groups).astype(np.float32))


def find_duplicate(
    candidate: Fingerprint, known: Sequence[Fingerprint], tolerance_A: float = DUPLICATE_TOLERANCE_A
) -> int | None:
    """Index of the first structure in `known` that `candidate` nearly duplicates, or None.

    Two structures are near-duplicates if they have the same atoms and no distance differs by more than
    `tolerance_A`. This holds if no atom is displaced by more than half of it.
    """
    for index, other in enumerate(known):
        if np.array_equal(candidate.numbers, other.numbers):
            difference_A = np.abs(candidate.distances_A - other.distances_A).max(initial=0.0)
            if difference_A <= tolerance_A:
                return index
    return None


def _nearest(
    atom: NDArray[np.int64], distances_A: NDArray[np.float64], atom_count: int
) -> NDArray[np.float64]:
    """Ascending distances of each atom, truncated or padded with the horizon to NEIGHBORS_PER_SPECIES."""
    order = np.lexsort((distances_A, atom))
    atom, distances_A = atom[order], distances_A[order]
    begins = np.searchsorted(atom, np.arange(atom_count))
    place = np.arange(len(atom)) - begins[atom]
    table = np.full((atom_count, NEIGHBORS_PER_SPECIES), HORIZON_A)
    near = place < NEIGHBORS_PER_SPECIES
    table[atom[near], place[near]] = distances_A[near]
    return table
