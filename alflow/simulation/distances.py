"""The shortest distance between atoms, watched without a neighbor search at every step."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.cell import Cell
from ase.neighborlist import neighbor_list

# Search this far beyond the limit: atoms must move half of it, in tens of MD steps, before the next search.
SKIN_A = 1.0


class DistanceWatch:
    """Check whether any two atoms (or periodic images) are closer than a limit.

    After a search with the shortest distance d₀, no pair can be closer than σ_min (d₀ − 2u). Here u is the
    largest displacement since, measured in the cell of the search, and σ_min the smallest singular value of
    the cell's deformation. The search is repeated only when this bound falls below the limit.

    Parameters
    ----------
    limit_A
        The limit in Å.
    """

    def __init__(self, limit_A: float) -> None:
        self.limit_A = limit_A
        self._least_A = 0.0
        self._positions = np.empty((0, 3))
        self._cell = np.zeros((3, 3))

    def violation(self, atoms: Atoms) -> float | None:
        """The shortest distance in Å if it is below the limit, else None."""
        if len(self._positions) == len(atoms) and self._bound(atoms) >= self.limit_A:
            return None
        self._least_A = least_distance(atoms, self.limit_A + SKIN_A)
        self._positions = atoms.get_positions()
        self._cell = atoms.cell.array.copy()
        return self._least_A if self._least_A < self.limit_A else None

    def _bound(self, atoms: Atoms) -> float:
        positions, cell = atoms.positions, atoms.cell.array
        stretch = 1.0
        if not np.array_equal(cell, self._cell):
            deformation = np.linalg.solve(atoms.cell.complete().array, Cell(self._cell).complete().array)
            positions = positions @ deformation
            stretch = 1.0 / float(np.linalg.norm(deformation, ord=2))
        moved = np.sqrt(((positions - self._positions) ** 2).sum(axis=1).max())
        return float(stretch * (self._least_A - 2 * moved))


def least_distance(atoms: Atoms, cutoff_A: float) -> float:
    """The shortest distance in Å between two atoms or periodic images, at most `cutoff_A`."""
    return float(np.min(neighbor_list("d", atoms, cutoff_A), initial=cutoff_A))
