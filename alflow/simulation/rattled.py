"""Frames that teach more than the symmetric ones of relaxations and paths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

RATTLE_A = 0.05
"""Standard deviation of a displacement: some tenths of eV/Å in a stiff solid, far above what a fit misses."""


def rattled(atoms: Atoms, seed: Sequence[int]) -> Atoms:
    """A copy with random normal displacements; the seed should differ between versions of a potential.

    Where symmetry makes forces vanish, a label says little, and the grade shoots up at the first step away
    from it: within the distance at which frames count as duplicates, so that no label would ever help.
    """
    copied = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copied.positions += np.random.default_rng(seed).normal(scale=RATTLE_A, size=copied.positions.shape)
    return copied
