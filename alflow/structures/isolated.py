"""One isolated atom of each element, as a QM code can compute it."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms

BOX_A = 14.0
"""Edge of the box of an atom for codes with periodic boundaries."""


def isolated_atoms(species: Sequence[str], like: Sequence[Atoms]) -> list[Atoms]:
    """One atom of each species, with the boundary conditions of the structures `like`.

    If one of these is periodic, the code is one for periodic structures, and the atom sits in the middle of a
    periodic box. Otherwise it has no cell, as molecular codes need it.
    """
    if any(atoms.pbc.any() for atoms in like):
        middle = [BOX_A / 2] * 3
        return [Atoms(symbol, [middle], cell=[BOX_A] * 3, pbc=True) for symbol in species]
    return [Atoms(symbol) for symbol in species]
