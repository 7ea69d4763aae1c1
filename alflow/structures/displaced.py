"""Randomly displaced and strained structures for the first labels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from ase import Atoms
from pydantic import Field

from alflow.settings import Section


class Displacements(Section):
    """First structures to label: the given structures in turn, displaced and strained at random."""

    count: int = Field(default=6, ge=1, le=10_000, description="structures to make and label")
    displacement_A: float = Field(
        default=0.08, ge=0, le=1, description="standard deviation of displacements, Å"
    )
    strain: float = Field(default=0.03, ge=0, le=0.3, description="largest component of the random strain")
    seed: int = Field(default=0, ge=0, description="seed of displacements and strains")


def displaced(starts: list[Atoms], settings: Displacements) -> list[Atoms]:
    """Starting structures with random normal displacements and a random symmetric strain.

    The starting structures are taken in turn. If there are more of them than `settings.count`, they are taken
    at even spacing from the list.

    Parameters
    ----------
    starts
        The structures to vary.
    settings
        Number of structures, size of displacements (Å) and strain, and the seed.
    """
    random = np.random.default_rng(settings.seed)
    structures = []
    for number in range(settings.count):
        place = number * len(starts) // settings.count if len(starts) > settings.count else number
        atoms = starts[place % len(starts)].copy()
        strain = random.uniform(-settings.strain, settings.strain, (3, 3))
        if atoms.pbc.any():
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        atoms.positions += random.normal(scale=settings.displacement_A, size=atoms.positions.shape)
        structures.append(atoms)
    return structures


def distinct(structures: Iterable[Atoms]) -> list[Atoms]:
    """The structures that differ in species, positions or cell from all before them."""
    different: dict[tuple[bytes, ...], Atoms] = {}
    for atoms in structures:
        key = (atoms.numbers.tobytes(), atoms.positions.tobytes(), atoms.cell.array.tobytes())
        different.setdefault(key, atoms)
    return list(different.values())
