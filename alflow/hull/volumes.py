"""Volumes of crystals from Vegard's law, before any energy is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ase import Atoms
from ase.build import bulk

from alflow.errors import InputError


def atomic_volumes_A3(
    species: Sequence[str], given_A3: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Volume per atom of each element, Å³: the given one, or else that of ASE's reference state (experiment).

    Raises
    ------
    InputError
        If a given volume is not positive or belongs to no species, or ASE has no crystal of an element.
    """
    given_A3 = given_A3 or {}
    for symbol, volume_A3 in given_A3.items():
        if symbol not in species:
            raise InputError(
                f"atomic volume of {symbol}: the species are {', '.join(species)}; leave this one out"
            )
        if not volume_A3 > 0:
            raise InputError(f"atomic volume of {symbol}: {volume_A3} Å³ must be positive")
    return {
        symbol: float(given_A3[symbol]) if symbol in given_A3 else _reference_volume_A3(symbol)
        for symbol in species
    }


def at_vegard_volume(atoms: Atoms, volumes_A3: Mapping[str, float], factor: float = 1.0) -> Atoms:
    """A copy whose volume is the sum of its elements' atomic volumes (Vegard's law) times a factor."""
    volume_A3 = factor * sum(volumes_A3[symbol] for symbol in atoms.symbols)
    scaled: Atoms = atoms.copy()
    scaled.set_cell(atoms.cell * (volume_A3 / atoms.cell.volume) ** (1 / 3), scale_atoms=True)
    return scaled


def _reference_volume_A3(symbol: str) -> float:
    try:
        crystal = bulk(symbol)
    except (ValueError, KeyError, RuntimeError, NotImplementedError):
        raise InputError(
            f"atomic volume of {symbol}: ASE knows no simple crystal of this element; "
            f"give its volume per atom in Å³"
        ) from None
    return float(crystal.cell.volume / len(crystal))
