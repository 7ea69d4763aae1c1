"""Identify the crystals of relaxed structures: formula, space group, and structures that became the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import gcd

from ase import Atoms

from alflow.errors import InputError
from workflows.hull_screening.compounds import Compound

SAME_ENERGY_EV = 1e-4
"""Per atom: relaxations of one crystal from different cells may differ by this energy."""
SYMMETRY_TOLERANCE_A = 0.05
"""After a relaxation to 0.01 eV/Å and 0.1 GPa, atoms are about 0.01 Å away from their symmetric positions."""


def reduced_formula(atoms: Atoms, species: Sequence[str]) -> str:
    """The formula with the smallest whole numbers, such as Cu3Pd, in the order of the species."""
    counts = [atoms.symbols.count(symbol) for symbol in species]
    divisor = gcd(*counts)
    return "".join(
        symbol + (str(count // divisor) if count > divisor else "")
        for symbol, count in zip(species, counts, strict=True)
        if count
    )


def space_group(atoms: Atoms, tolerance_A: float = SYMMETRY_TOLERANCE_A) -> tuple[str, int]:
    """International symbol and number, by spglib.

    Raises
    ------
    InputError
        If spglib is not installed.
    """
    try:
        from spglib import get_symmetry_dataset
    except ImportError:
        raise InputError(
            "space groups need spglib, which is not installed: pip install 'alflow[hull]'"
        ) from None
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    found = get_symmetry_dataset(cell, symprec=tolerance_A)
    return ("P1", 1) if found is None else (str(found.international), int(found.number))


def distinct(compounds: Sequence[Compound]) -> list[Compound]:
    """Each crystal once, stable ones first, then by distance to the hull.

    Structures of one composition and space group whose energies are within `SAME_ENERGY_EV` of the lowest
    relaxed to the same crystal. The structure with the smallest cell represents it, with the lowest energies.
    """
    groups: list[list[Compound]] = []
    newest: dict[tuple[str, int], list[Compound]] = {}
    for compound in sorted(compounds, key=lambda c: (c.energy_eV, c.name)):
        key = (compound.formula, compound.space_group_number)
        if key in newest and compound.energy_eV - newest[key][0].energy_eV <= SAME_ENERGY_EV:
            newest[key].append(compound)
        else:
            newest[key] = [compound]
            groups.append(newest[key])
    return sorted(map(_one_of, groups), key=lambda c: (c.above_hull_eV, c.formation_energy_eV, c.name))


def _one_of(group: Sequence[Compound]) -> Compound:
    lowest = group[0]
    smallest = min(group, key=lambda compound: len(compound.atoms))
    return replace(
        smallest,
        energy_eV=lowest.energy_eV,
        formation_energy_eV=lowest.formation_energy_eV,
        above_hull_eV=lowest.above_hull_eV,
        same=tuple(compound.name for compound in group if compound is not smallest),
    )
