"""Derivative structures: all orderings of some species on a parent lattice, without duplicates.

The enumeration is icet's, after Hart and Forcade (Phys. Rev. B 77, 224115 (2008); 80, 014120 (2009)).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ase import Atoms
from ase.build import bulk

from alflow.errors import InputError
from alflow.structures.files import read_structures

PARENTS = ("fcc", "bcc", "hcp", "sc", "diamond")


def parent_lattice(parent: str | Path) -> Atoms:
    """A parent lattice by name (`PARENTS`; hcp with the ideal c/a) or from a file with one structure.

    Lengths and species of the result have no meaning: structures on the lattice get their own.

    Raises
    ------
    InputError
        If `parent` is neither a name nor a readable file, or the lattice is not periodic.
    """
    if parent in PARENTS:
        return bulk("Cu", str(parent), a=1.0)
    if not Path(parent).is_file():
        raise InputError(f"parent lattice {str(parent)!r} is neither one of {', '.join(PARENTS)} nor a file")
    atoms = read_structures(parent)[0]
    if not atoms.pbc.all():
        raise InputError(f"parent lattice {parent}: must be periodic in three directions, not {atoms.pbc}")
    return atoms


def derivative_structures(
    parent: Atoms, species: Sequence[str], max_atoms: int, *, min_atoms: int = 1
) -> Iterator[Atoms]:
    """All symmetrically inequivalent structures on a parent lattice, smallest cells first.

    Every site takes every species. Structures need not contain all species, so the elements and the
    subsystems are included. Supercells of other structures are left out. For two species and up to 12 atoms
    per cell there are 10,850 structures on fcc, as many on bcc and 5,777 on hcp; for three species and up to
    8 atoms there are 9,808, 9,808 and 6,075.

    Parameters
    ----------
    parent
        The lattice, with one or more sites. Its species do not matter, and it need not be primitive.
    species
        Chemical symbols.
    max_atoms, min_atoms
        Limits of the number of atoms in the primitive cell of a structure, both included.

    Raises
    ------
    InputError
        If icet is not installed, or `max_atoms` is too small for the lattice's primitive cell.
    """
    try:
        from icet.tools import enumerate_structures, get_primitive_structure
    except ImportError:
        raise InputError(
            "derivative structures need icet, which is not installed: pip install 'alflow[hull]'"
        ) from None
    sites = Atoms(
        "X" * len(parent), cell=parent.cell, pbc=True, scaled_positions=parent.get_scaled_positions()
    )
    primitive = get_primitive_structure(sites, no_idealize=True)
    cells = range(-(-min_atoms // len(primitive)), max_atoms // len(primitive) + 1)
    if not cells:
        raise InputError(
            f"max_atoms is {max_atoms} and min_atoms {min_atoms}, but the primitive cell of this "
            f"lattice has {len(primitive)} atoms; widen the range"
        )
    return iter(enumerate_structures(primitive, cells, list(species)))
