"""The two end structures of the hop of a vacancy."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from pydantic import Field

from alflow.errors import InputError
from alflow.settings import Name, Section

TOLERANCE_A = 1e-3
"""Distances of neighbors that differ by less count as equal; the first of the nearest neighbors hops."""


class Vacancy(Section):
    """A vacancy: one atom of a supercell is removed, and a neighbor hops into its place."""

    structure: Name = Field(description="supercell without the vacancy")
    site: int = Field(default=0, ge=0, description="atom that is removed, counted from 0")
    neighbor: int | None = Field(
        default=None, ge=0, description="atom that hops into its place; default: the nearest"
    )


def vacancy_hop(crystal: Atoms, vacancy: Vacancy) -> tuple[Atoms, Atoms]:
    """The supercell with the vacancy before and after the hop, not relaxed, atoms in the same order.

    Raises
    ------
    InputError
        If the atoms do not exist, or the supercell is too small to separate the vacancy from its images.
    """
    count = len(crystal)
    hopping = vacancy.neighbor
    for field, index in (("site", vacancy.site), ("neighbor", hopping)):
        if index is not None and index >= count:
            raise InputError(
                f"`vacancy.{field}` is {index}, but structure {vacancy.structure!r} has {count} atoms, "
                "counted from 0"
            )
    if hopping == vacancy.site:
        raise InputError(f"`vacancy.neighbor` is {hopping}, but that is the atom that is taken out")
    vectors, lengths = get_distances(
        crystal.positions[[vacancy.site]], crystal.positions, crystal.cell, crystal.pbc
    )
    distances = lengths[0]
    distances[vacancy.site] = np.inf
    periods = [np.linalg.norm(v) for v, p in zip(crystal.cell.array, crystal.pbc, strict=True) if p]
    if count < 2 or distances.min() > 0.6 * min(periods, default=np.inf):
        raise InputError(
            f"structure {vacancy.structure!r} is too small for a vacancy that hops; give a supercell"
        )
    if hopping is None:
        hopping = int(np.flatnonzero(distances < distances.min() + TOLERANCE_A)[0])
    initial, final = crystal.copy(), crystal.copy()
    final.positions[hopping] -= vectors[0, hopping]
    del initial[vacancy.site], final[vacancy.site]
    return initial, final
