"""Crystals of a screening on the hull or near it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ase import Atoms


@dataclass(frozen=True)
class Compound:
    """A crystal on the hull or near it.

    Attributes
    ----------
    name
        Of the candidates that relaxed to this crystal, the one with the smallest cell; `atoms` is its
        relaxed structure.
    formula
        Reduced formula, in the order of the species.
    fractions
        Atomic fractions, in the order of the species.
    energy_eV, formation_energy_eV, above_hull_eV
        Energies per atom, of the lowest candidate that relaxed to this crystal.
    space_group, space_group_number
        International symbol and number.
    same
        Names of the other candidates that relaxed to this crystal.
    """

    name: str
    formula: str
    fractions: tuple[float, ...]
    atoms: Atoms
    energy_eV: float
    formation_energy_eV: float
    above_hull_eV: float
    space_group: str
    space_group_number: int
    same: tuple[str, ...] = ()

    @property
    def stable(self) -> bool:
        """Whether the crystal is on the hull."""
        return self.above_hull_eV == 0

    @property
    def volume_A3(self) -> float:
        """Volume per atom."""
        return float(self.atoms.cell.volume / len(self.atoms))

    def row(self, species: Sequence[str]) -> dict[str, Any]:
        """A row of a table, with units in the names."""
        return {
            "formula": self.formula,
            "candidate": self.name,
            "space_group": self.space_group,
            "space_group_number": self.space_group_number,
            "atoms": len(self.atoms),
            "formation_energy_eV_per_atom": self.formation_energy_eV,
            "above_hull_eV_per_atom": self.above_hull_eV,
            "energy_eV_per_atom": self.energy_eV,
            "volume_A3_per_atom": self.volume_A3,
            "relaxed_to_it": len(self.same) + 1,
            **{f"fraction_{symbol}": x for symbol, x in zip(species, self.fractions, strict=True)},
        }
