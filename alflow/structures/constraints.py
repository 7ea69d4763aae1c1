"""Constraints on single atoms, as the Cartesian components that they fix."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian, FixConstraint, FixedLine, FixedPlane, FixScaled
from numpy.typing import NDArray

PARALLEL = 1e-10  # a component of a lattice vector below this fraction of the largest is zero
IN_POSCAR = (FixAtoms, FixScaled, FixedPlane, FixedLine)


def fixed_components(atoms: Atoms) -> NDArray[np.bool_]:
    """Whether a constraint fixes each Cartesian component of each position, shape (N, 3)."""
    fixed = np.zeros((len(atoms), 3), dtype=bool)
    for constraint in atoms.constraints:
        if (mask := _mask(constraint, atoms)) is not None:
            fixed[constraint.get_indices()] |= mask
    return fixed


def lost_constraints(atoms: Atoms, file_format: str) -> int:
    """Number of constraints that a file of this format (ASE's name) does not hold."""
    if file_format == "extxyz":
        return sum(_mask(constraint, atoms) is None for constraint in atoms.constraints)
    if file_format == "vasp":
        return sum(not isinstance(constraint, IN_POSCAR) for constraint in atoms.constraints)
    return len(atoms.constraints)


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


def with_fixed_fractions(atoms: Atoms) -> Atoms:
    """A copy, with results, whose constraints fix components of fractions of the cell, as POSCAR does.

    Cartesian constraints that fix no such components stay as they are.
    """
    copy: Atoms = atoms.copy()
    copy.calc = atoms.calc
    copy.set_constraint([part for constraint in atoms.constraints for part in _fractions(constraint, atoms)])
    return copy


def _fractions(constraint: FixConstraint, atoms: Atoms) -> list[FixConstraint]:
    if not isinstance(constraint, FixCartesian):
        return [constraint]
    mask, indices = np.asarray(constraint.mask, dtype=bool), constraint.get_indices()
    if mask.all() or not mask.any():
        return [FixAtoms(indices)] if mask.all() else []
    array = atoms.cell.array
    inside = ~(np.abs(array[:, mask]) > PARALLEL * np.abs(array).max()).any(
        axis=1
    )  # vectors of free axes only
    return [FixScaled(indices, ~inside)] if inside.sum() == (~mask).sum() else [constraint]


def _mask(constraint: FixConstraint, atoms: Atoms) -> NDArray[np.bool_] | None:
    if isinstance(constraint, FixAtoms):
        return np.ones(3, dtype=bool)
    if isinstance(constraint, FixCartesian):
        return np.asarray(constraint.mask, dtype=bool)
    if isinstance(constraint, FixScaled):
        # Fixed fractions are fixed components if the vectors that an atom may follow span axes.
        free = atoms.cell.array[~np.asarray(constraint.mask, dtype=bool)]
        axes = (np.abs(free) > 1e-10 * np.abs(atoms.cell.array).max()).any(axis=0)
        return ~axes if axes.sum() == len(free) else None
    return None
