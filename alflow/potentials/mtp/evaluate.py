"""Evaluation of a moment tensor potential by the compiled kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.potentials import kernel
from alflow.potentials.evaluation import Evaluation
from alflow.potentials.flat_structures import FlatStructures

if TYPE_CHECKING:
    from alflow.potentials.mtp.potential import MomentTensorPotential


def evaluate_mtp(
    potential: MomentTensorPotential,
    structures: FlatStructures,
    *,
    forces: bool = True,
    gradients: bool = False,
    grade_matrix: NDArray[np.float64] | None = None,
    threads: int = 1,
    neighbors: kernel.VerletList | None = None,
) -> Evaluation:
    """`Potential.evaluate` of a moment tensor potential; `neighbors` is a Verlet list.

    The result depends on the number of threads only through the order of sums. It does not depend on the age
    of the Verlet list. Only one Python thread at a time may use a Verlet list.
    """
    wanted = forces, False, gradients, grade_matrix, threads, neighbors
    energies, force_array, virials, _, rows, distances_A, grades = _call(potential, structures, *wanted)
    return Evaluation(structures.offsets, energies, force_array, virials, rows, distances_A, grades)


def basis_functions(
    potential: MomentTensorPotential, structures: Sequence[Atoms], *, threads: int = 1
) -> NDArray[np.float64]:
    """Basis functions B_α of every neighborhood, (N, B) over all atoms of all structures.

    Raises
    ------
    InputError
        As `evaluate`.
    """
    results = _call(potential, FlatStructures.of(structures), False, True, False, None, threads, None)
    basis: NDArray[np.float64] = results[3]
    return basis


def jacobian(potential: MomentTensorPotential, structures: Sequence[Atoms]) -> NDArray[np.float64]:
    """Derivatives of all energies, forces and virials with respect to all parameters.

    They are accurate to about six digits, because those of forces and virials are computed in single
    precision.

    Returns
    -------
    (m, rows) array
        Structure after structure, the 7 + 3N rows of a structure of N atoms are the energy (eV), 3N force
        components (eV/Å) and six virial components (xx yy zz yz xz xy, eV).

    Raises
    ------
    InputError
        As `evaluate`.
    """
    arrays = _arrays(potential, FlatStructures.of(structures))
    try:
        rows: NDArray[np.float64] = kernel.jacobian(potential.compiled, *arrays)
    except ValueError as error:
        raise InputError(f"a structure cannot be evaluated: {error}") from None
    return rows


def _call(potential: MomentTensorPotential, structures: FlatStructures, *wanted: object) -> Any:
    try:
        return kernel.evaluate(potential.compiled, *_arrays(potential, structures), *wanted)
    except ValueError as error:
        raise InputError(f"a structure cannot be evaluated: {error}") from None


def _arrays(potential: MomentTensorPotential, flat: FlatStructures) -> tuple[NDArray[np.generic], ...]:
    """Arrays in the order of the kernel's arguments."""
    return flat.positions, potential.types_of(flat.numbers), flat.cells, flat.periodic, flat.offsets
