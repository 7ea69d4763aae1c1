"""Randomly displaced frames, whose labels teach more than those of symmetric frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

RATTLE_A = 0.05
"""Standard deviation of a displacement: it causes some tenths of eV/Å in a stiff solid, far above errors of
a fit."""


def rattled(atoms: Atoms, seed: Sequence[int]) -> Atoms:
    """A copy with random normal displacements; the seed should differ between versions of a potential.

    If forces vanish by symmetry, a label carries little information, and the grade jumps at the first step
    away from symmetry. That step is within the distance at which frames count as duplicates, so no label
    would ever help.
    """
    copied = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copied.positions += np.random.default_rng(seed).normal(scale=RATTLE_A, size=copied.positions.shape)
    return copied
