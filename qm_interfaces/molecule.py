"""Requirements of molecular codes."""

from __future__ import annotations

from ase import Atoms

from qm_interfaces.interface import CodeFailed


def require_molecule(atoms: Atoms, charge: int, unpaired_electrons: int) -> None:
    """Check that a structure is not periodic, and can have so many unpaired electrons.

    Raises
    ------
    CodeFailed
        If a condition does not hold; another attempt cannot help.
    """
    if atoms.pbc.any():
        raise CodeFailed("molecular codes cannot compute periodic structures", retryable=False)
    electrons = int(atoms.numbers.sum()) - charge
    if electrons < unpaired_electrons or (electrons - unpaired_electrons) % 2:
        raise CodeFailed(
            f"{atoms.get_chemical_formula()} with charge {charge} has {electrons} electrons, of which "
            f"{unpaired_electrons} cannot be unpaired",
            retryable=False,
        )
