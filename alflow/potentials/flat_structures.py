"""Many structures as flat arrays over all their atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from ase import Atoms
from numpy.typing import NDArray


@dataclass(frozen=True)
class FlatStructures:
    """Structures as flat arrays over all their atoms.

    Attributes
    ----------
    positions : (N, 3)
        Positions, Å.
    numbers : (N,) int
        Atomic numbers.
    cells : (structures, 3, 3)
        Rows are cell vectors, Å; never singular, even if a direction is not periodic.
    periodic : (structures, 3) bool
        Periodic directions of each structure.
    offsets : (structures + 1,) int
        First atom of each structure.
    """

    positions: NDArray[np.float64]
    numbers: NDArray[np.int64]
    cells: NDArray[np.float64]
    periodic: NDArray[np.bool_]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, structures: Sequence[Atoms]) -> FlatStructures:
        """Flatten structures. Directions without a cell vector get a unit vector, which has no effect because
        they are not periodic."""
        cells = np.array([atoms.cell.array for atoms in structures]).reshape(-1, 3, 3)
        vectors: NDArray[np.bool_] = np.any(cells, axis=2)
        if not vectors.all():
            for index in np.flatnonzero(~vectors.all(axis=1)).tolist():
                cells[index] = structures[index].cell.complete().array
        return cls(
            positions=np.concatenate([np.empty((0, 3)), *(atoms.positions for atoms in structures)]),
            numbers=np.concatenate([np.empty(0, np.int64), *(atoms.numbers for atoms in structures)]),
            cells=cells,
            periodic=np.array([atoms.pbc for atoms in structures], dtype=bool).reshape(-1, 3) & vectors,
            offsets=np.array([0, *accumulate(map(len, structures))], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.cells)

    def part(self, begin: int, end: int) -> FlatStructures:
        """The structures from `begin` to before `end`."""
        atoms = slice(self.offsets[begin], self.offsets[end])
        return FlatStructures(
            self.positions[atoms],
            self.numbers[atoms],
            self.cells[begin:end],
            self.periodic[begin:end],
            self.offsets[begin : end + 1] - self.offsets[begin],
        )
