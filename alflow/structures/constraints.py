"""Constraints on single atoms, as the Cartesian components that they fix."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian, FixConstraint, FixedLine, FixedPlane, FixScaled
from numpy.typing import NDArray

PARALLEL = 1e-10  # a component of a lattice vector below this fraction of the largest is zero


def fixed_components(atoms: Atoms) -> NDArray[np.bool_]:
    """Whether a constraint fixes each Cartesian component of each position, shape (N, 3)."""
    fixed = np.zeros((len(atoms), 3), dtype=bool)
    for constraint in atoms.constraints:
        if (mask := _mask(constraint, atoms)) is not None:
            fixed[constraint.get_indices()] |= mask
    return fixed


def other_constraints(atoms: Atoms) -> int:
    """Number of constraints that are not Cartesian ones on single atoms."""
    return sum(_mask(constraint, atoms) is None for constraint in atoms.constraints)


def constraints_of(fixed: NDArray[np.bool_]) -> list[FixConstraint]:
    """The inverse of `fixed_components`."""
    constraints: list[FixConstraint] = []
    for mask in np.unique(fixed[fixed.any(axis=1)], axis=0):
        indices = np.flatnonzero((fixed == mask).all(axis=1))
        constraints.append(FixAtoms(indices) if mask.all() else FixCartesian(indices, mask))
    return constraints


def with_cartesian_constraints(atoms: Atoms) -> Atoms:
    """A copy, with results, whose constraints are all Cartesian; others are left out."""
    copy: Atoms = atoms.copy()
    copy.calc = atoms.calc
    copy.set_constraint(constraints_of(fixed_components(atoms)))
    return copy


def with_lattice_constraints(atoms: Atoms) -> Atoms:
    """A copy, with results, whose constraints along lattice vectors are `FixScaled`, as in POSCAR files.

    Constraints of another kind stay as they are.
    """
    copy: Atoms = atoms.copy()
    copy.calc = atoms.calc
    kept = [constraint for constraint in atoms.constraints if _mask(constraint, atoms) is None]
    components = np.abs(atoms.cell.array) > PARALLEL * np.abs(atoms.cell.array).max()
    for constraint in constraints_of(fixed_components(atoms)):
        if isinstance(constraint, FixCartesian):
            fixed = np.asarray(constraint.mask, dtype=bool)
            vectors = components[:, fixed].any(axis=1)
            if vectors.sum() == fixed.sum():
                constraint = FixScaled(constraint.get_indices(), vectors)
        kept.append(constraint)
    copy.set_constraint(kept)
    return copy


def not_along_lattice(atoms: Atoms) -> int:
    """Number of constraints that a POSCAR file cannot hold."""
    known = (FixAtoms, FixScaled, FixedPlane, FixedLine)
    return sum(not isinstance(c, known) for c in with_lattice_constraints(atoms).constraints)


def _mask(constraint: FixConstraint, atoms: Atoms) -> NDArray[np.bool_] | None:
    if isinstance(constraint, FixAtoms):
        return np.ones(3, dtype=bool)
    if isinstance(constraint, FixCartesian):
        return np.asarray(constraint.mask, dtype=bool)
    if isinstance(constraint, FixScaled):
        # Fixed fractions are fixed components if the vectors that an atom may follow span axes.
        free = atoms.cell.array[~np.asarray(constraint.mask, dtype=bool)]
        axes = (np.abs(free) > PARALLEL * np.abs(atoms.cell.array).max()).any(axis=0)
        return ~axes if axes.sum() == len(free) else None
    return None
