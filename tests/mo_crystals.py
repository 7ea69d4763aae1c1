"""Molybdenum as the tests of selection need it: a small potential and displaced bcc crystals."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk

from alflow.potentials.mtp import MomentTensorPotential


def mo_potential(level: int = 8, seed: int = 0) -> MomentTensorPotential:
    return MomentTensorPotential.random(
        ["Mo"], level, 5.0, min_distance_A=1.9, radial_basis_size=6, seed=seed
    )


def displaced(displacement_A: float, seed: int, repeat: int = 3) -> Atoms:
    """bcc with normally distributed displacements."""
    atoms = bulk("Mo", "bcc", a=3.17, cubic=True).repeat(repeat)
    atoms.positions += displacement_A * np.random.default_rng(seed).normal(size=(len(atoms), 3))
    return atoms


def several(displacement_A: float, seeds: range, repeat: int = 3) -> list[Atoms]:
    return [displaced(displacement_A, seed, repeat) for seed in seeds]
