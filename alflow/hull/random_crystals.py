"""Random crystals with a random space group, by PyXtal (Fredericks et al. 2021,
doi 10.1016/j.cpc.2020.107810)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

import numpy as np
from ase import Atoms

from alflow.errors import InputError

ATTEMPTS = 200
"""About one small composition in four fits a random space group."""


def random_crystals(species: Sequence[str], max_atoms: int, count: int, seed: int) -> Iterator[Atoms | None]:
    """Yield crystals of random space group and composition; None if no crystal was found in `ATTEMPTS`.

    Parameters
    ----------
    species
        Chemical symbols; a crystal holds one or more of them.
    max_atoms
        Largest number of atoms in the primitive cell.
    count
        Number of crystals; with a larger count, the first crystals stay the same.
    seed
        The same seed gives the same crystals.

    Raises
    ------
    InputError
        If PyXtal is not installed.
    """
    if find_spec("pyxtal") is None:
        raise InputError("random crystals need PyXtal, which is not installed: pip install 'alflow[hull]'")
    return (
        _random_crystal(species, max_atoms, np.random.default_rng((seed, index))) for index in range(count)
    )


def _random_crystal(species: Sequence[str], max_atoms: int, random: np.random.Generator) -> Atoms | None:
    from icet.tools import get_primitive_structure
    from pyxtal import pyxtal
    from pyxtal.msg import Comp_CompatibilityError

    for _ in range(ATTEMPTS):
        atom_count = int(random.integers(1, max_atoms + 1))
        counts = np.bincount(random.integers(0, len(species), atom_count), minlength=len(species))
        present = np.flatnonzero(counts).tolist()
        crystal = pyxtal()
        try:
            crystal.from_random(
                dim=3,
                group=int(random.integers(1, 231)),
                species=[species[index] for index in present],
                numIons=counts[present].tolist(),
                random_state=int(random.integers(2**31)),
            )
        except Comp_CompatibilityError:
            continue
        if crystal.valid:
            atoms: Atoms = get_primitive_structure(crystal.to_ase())
            return atoms
    return None
