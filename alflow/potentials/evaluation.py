"""Energies, forces, virials, basis values and parameter gradients of many structures in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.potentials import kernel
from alflow.potentials.mtp.potential import MomentTensorPotential

_VOIGT = np.array([0, 4, 8, 5, 2, 1])
"""Entries xx yy zz yz xz xy of a 3 × 3 matrix."""
_VOIGT_TRANSPOSED = np.array([0, 4, 8, 7, 6, 3])
"""And of its transpose."""


@dataclass(frozen=True)
class Evaluation:
    """What a potential says of a list of structures; arrays run over all atoms of all structures.

    Attributes
    ----------
    offsets : (structures + 1,) int
        First atom of each structure.
    energies : (N,)
        Energy of each atom, eV.
    forces : (N, 3) or None
        eV/Å.
    virials : (structures, 3, 3) or None
        ∂E/∂ε of each structure, eV: stress times volume, in ASE's sign.
    basis : (N, B) or None
        Basis functions B_α of each neighbourhood.
    gradients : (N, m) or None
        ∂V_i/∂θ of each neighbourhood.
    min_distances_A : (structures,)
        Shortest distance within each structure; infinite where no pair is within the cutoff.
    grades : (N,) or None
        Largest magnitude in ∂V_i/∂θ · `grade_matrix`; infinite where that is not a number.
    """

    offsets: NDArray[np.int64]
    energies: NDArray[np.float64]
    forces: NDArray[np.float64] | None
    virials: NDArray[np.float64] | None
    basis: NDArray[np.float64] | None
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


@dataclass(frozen=True)
class FlatStructures:
    """Structures as flat arrays over all their atoms.

    Attributes
    ----------
    positions : (N, 3)
        Å.
    numbers : (N,) int
        Atomic numbers.
    cells : (structures, 3, 3)
        Rows are cell vectors, Å; not singular even where a direction is not periodic.
    periodic : (structures, 3) bool
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
        """Flatten; directions without a cell vector get a unit vector, which changes nothing since they are
        not periodic."""
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

    def for_kernel(self, potential: MomentTensorPotential) -> tuple[NDArray[np.generic], ...]:
        """In the order of the kernel's arguments."""
        return self.positions, potential.types_of(self.numbers), self.cells, self.periodic, self.offsets


def evaluate(
    potential: MomentTensorPotential,
    structures: Sequence[Atoms] | FlatStructures,
    *,
    forces: bool = True,
    basis: bool = False,
    gradients: bool = False,
    grade_matrix: NDArray[np.float64] | None = None,
    threads: int = 1,
    verlet_list: kernel.VerletList | None = None,
) -> Evaluation:
    """Evaluate a potential on structures with any cells and boundary conditions.

    Parameters
    ----------
    potential : MomentTensorPotential
    structures : sequence of ase.Atoms, or FlatStructures
        Flat arrays spare the twenty microseconds that each `Atoms` costs.
    forces : bool
        Also forces and virials.
    basis : bool
        Also the basis functions of every neighbourhood.
    gradients : bool
        Also the derivatives of every atom's energy with respect to all parameters.
    grade_matrix : (m, r), optional
        Also grades, without the gradients ever being stored.
    threads : int
        The result depends on the number of threads only through the order of sums.
    verlet_list : VerletList, optional
        Kept from call to call of a single structure that moves little, by one thread of Python at a time. The
        result does not depend on its age.

    Raises
    ------
    InputError
        If a species is missing from the potential, a position is not finite, two atoms coincide or a cell has
        no volume.
    """
    flat = structures if isinstance(structures, FlatStructures) else FlatStructures.of(structures)
    arrays = flat.for_kernel(potential)
    wanted = forces, basis, gradients, grade_matrix
    try:
        results = kernel.evaluate(potential.compiled, *arrays, *wanted, threads, verlet_list)
    except ValueError as error:
        raise InputError(f"a structure cannot be evaluated: {error}") from None
    return Evaluation(flat.offsets, *results)


def jacobian(potential: MomentTensorPotential, structures: Sequence[Atoms]) -> NDArray[np.float64]:
    """Derivatives of all energies, forces and virials with respect to all parameters.

    Good to about six digits: those of forces and virials are computed in single precision.

    Returns
    -------
    (m, rows) array
        The rows of a structure of N atoms: the energy (eV), 3N force components (eV/Å), six virial components
        (xx yy zz yz xz xy, eV); 7 + 3N in all, structure after structure.

    Raises
    ------
    InputError
        As `evaluate`.
    """
    arrays = FlatStructures.of(structures).for_kernel(potential)
    try:
        return kernel.jacobian(potential.compiled, *arrays)
    except ValueError as error:
        raise InputError(f"a structure cannot be evaluated: {error}") from None
