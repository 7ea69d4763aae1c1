"""Positions and cells of many structures as one vector of variables.

A structure of N atoms has N + 3 rows of three numbers. The first N are z, the positions in its starting cell;
the last three are s F with the symmetric deformation F, so that its cell is C F and its positions are z F
(Tadmor et al., Phys. Rev. B 59, 235, 1999, without rotations). With s = √N (V/N)^(1/3) the cell is about as
stiff as an atom, whatever the number of atoms, and a supercell relaxes in the steps of its primitive cell.
If cells are fixed, F stays the identity, and structures need not be periodic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from numpy.typing import NDArray

from alflow.potentials import FlatStructures

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BatchCoordinates:
    """The map between the rows of n structures and their positions and cells.

    Attributes
    ----------
    sizes : (n,) int
        Atoms of each structure.
    numbers : (N,) int
        Atomic numbers.
    start_cells : (n, 3, 3)
        C, Å.
    periodic : (n, 3) bool
        Periodic directions of each structure.
    fixed : (N,) bool
        Atoms that do not move.
    cells_move
        Whether the cells are variables.
    """

    sizes: NDArray[np.int64]
    numbers: NDArray[np.int64]
    start_cells: Array
    periodic: NDArray[np.bool_]
    fixed: NDArray[np.bool_]
    cells_move: bool = True

    @classmethod
    def of(cls, structures: Sequence[Atoms], *, cells_move: bool = True) -> BatchCoordinates:
        """Coordinates that start at these structures; if `cells_move`, the structures must be periodic in
        three directions and have no fixed atoms."""
        flat = FlatStructures.of(structures)
        return cls(
            sizes=np.diff(flat.offsets),
            numbers=flat.numbers,
            start_cells=flat.cells,
            periodic=flat.periodic,
            fixed=np.concatenate([np.empty(0, bool), *map(_fixed_atoms, structures)]),
            cells_move=cells_move,
        )

    def joined(self, other: BatchCoordinates) -> BatchCoordinates:
        """Coordinates of these structures followed by the other ones."""
        return BatchCoordinates(
            np.concatenate([self.sizes, other.sizes]),
            np.concatenate([self.numbers, other.numbers]),
            np.concatenate([self.start_cells, other.start_cells]),
            np.concatenate([self.periodic, other.periodic]),
            np.concatenate([self.fixed, other.fixed]),
            self.cells_move,
        )

    def only(self, keep: NDArray[np.bool_]) -> BatchCoordinates:
        """Coordinates of the structures where `keep` (n,) is true."""
        atoms = np.repeat(keep, self.sizes)
        return BatchCoordinates(
            self.sizes[keep],
            self.numbers[atoms],
            self.start_cells[keep],
            self.periodic[keep],
            self.fixed[atoms],
            self.cells_move,
        )

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """First atom of each structure, (n + 1,)."""
        return np.concatenate([[0], np.cumsum(self.sizes)])

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Count of variables of each structure, 3N + 9."""
        return 3 * self.sizes + 9

    @cached_property
    def start_volumes_A3(self) -> Array:
        """Volume of each starting cell, (n,)."""
        volumes: Array = np.abs(np.linalg.det(self.start_cells))
        return volumes

    @cached_property
    def stiffness_length_A(self) -> Array:
        """(V/N)^(1/3), (n,)."""
        lengths: Array = np.cbrt(self.start_volumes_A3 / self.sizes)
        return lengths

    @cached_property
    def cell_scale(self) -> Array:
        """s, (n, 1, 1)."""
        return (np.sqrt(self.sizes) * self.stiffness_length_A)[:, None, None]

    @cached_property
    def _owners(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def _atom_rows(self) -> NDArray[np.int64]:
        return np.arange(len(self.numbers)) + 3 * self._owners

    @cached_property
    def _cell_rows(self) -> NDArray[np.int64]:
        return (self.offsets[1:] + 3 * np.arange(len(self.sizes)))[:, None] + np.arange(3)

    def start(self, structures: Sequence[Atoms]) -> Array:
        """The vector of the starting structures, (Σ (3N + 9),)."""
        positions = np.concatenate([np.empty((0, 3)), *(atoms.positions for atoms in structures)])
        return self._vector(positions, self.cell_scale * np.eye(3))

    def structures(self, vector: Array) -> FlatStructures:
        """The structures at a vector."""
        rows = vector.reshape(-1, 3)
        deformation = self._deformation(rows)
        return FlatStructures(
            positions=np.matmul(rows[self._atom_rows, None, :], deformation[self._owners])[:, 0],
            numbers=self.numbers,
            cells=self.start_cells @ deformation,
            periodic=self.periodic,
            offsets=self.offsets,
        )

    def gradient(self, vector: Array, forces: Array, virials: Array) -> Array:
        """Derivative of the energy with respect to the vector, from forces (N, 3) and virials (n, 3, 3)."""
        forces = np.where(self.fixed[:, None], 0.0, forces)
        if not self.cells_move:
            return self._vector(-forces, np.zeros((len(self.sizes), 3, 3)))
        deformation = self._deformation(vector.reshape(-1, 3))
        of_deformation = virials @ np.linalg.inv(deformation)
        symmetric = (of_deformation + of_deformation.transpose(0, 2, 1)) / 2
        of_positions = -np.matmul(forces[:, None, :], deformation[self._owners])[:, 0]
        return self._vector(of_positions, symmetric / self.cell_scale)

    def longest_move_A(self, step: Array) -> Array:
        """Length (n,) of the longest row of a step; rows of a cell count as the move of an atom at its
        surface."""
        lengths = np.linalg.norm(step.reshape(-1, 3), axis=1)
        lengths[self._cell_rows] /= np.sqrt(self.sizes)[:, None]
        return np.maximum.reduceat(lengths, self.offsets[:-1] + 3 * np.arange(len(self.sizes)))

    def _deformation(self, rows: Array) -> Array:
        return rows[self._cell_rows] / self.cell_scale

    def _vector(self, positions: Array, cells: Array) -> Array:
        rows = np.empty((len(self.numbers) + 3 * len(self.sizes), 3))
        rows[self._atom_rows] = positions
        rows[self._cell_rows] = cells
        return rows.ravel()


def _fixed_atoms(atoms: Atoms) -> NDArray[np.bool_]:
    """Mask (N,) of the atoms that a FixAtoms constraint holds."""
    fixed = np.zeros(len(atoms), dtype=bool)
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            fixed[constraint.index] = True
    return fixed
