"""What molecular codes ask of a structure."""

from __future__ import annotations

from ase import Atoms

from qm_interfaces.interface import CodeFailed


def require_molecule(atoms: Atoms, charge: int, unpaired_electrons: int) -> None:
    """Refuse, for good, structures that are periodic or cannot have so many electrons of one spin."""
    if atoms.pbc.any():
        raise CodeFailed("molecular codes compute no periodic structures", retryable=False)
    electrons = int(atoms.numbers.sum()) - charge
    if electrons < unpaired_electrons or (electrons - unpaired_electrons) % 2:
        raise CodeFailed(
            f"{atoms.get_chemical_formula()} with charge {charge} has {electrons} electrons, of which "
            f"{unpaired_electrons} cannot be unpaired",
            retryable=False,
        )
