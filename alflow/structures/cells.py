"""Sizes of cells: heights, and empty layers."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from numpy.typing import NDArray


def heights_A(atoms: Atoms) -> NDArray[np.float64]:
    """Distances between opposite faces along the periodic directions, (3,); infinite for others."""
    heights = np.full(3, np.inf)
    if atoms.pbc.any():
        faces = np.linalg.norm(atoms.cell.complete().reciprocal().array, axis=1)
        heights[atoms.pbc] = 1 / faces[atoms.pbc]
    return heights


def gaps_A(atoms: Atoms) -> NDArray[np.float64]:
    """Thickness of the widest layer without atoms along each periodic direction, (3,); zero for others.

    In a crystal, it is the distance between two lattice planes; in a slab, the vacuum.
    """
    gaps = np.zeros(3)
    if not atoms.pbc.any():
        return gaps
    heights = heights_A(atoms)
    fractions = atoms.cell.complete().scaled_positions(atoms.positions) % 1.0
    for axis in np.flatnonzero(atoms.pbc):
        places = np.sort(fractions[:, axis])
        gaps[axis] = heights[axis] * np.diff(np.append(places, places[0] + 1)).max()
    return gaps


def repetitions(atoms: Atoms, height_A: float, most_atoms: int) -> list[int]:
    """Repetitions along each direction that make the cell at least this high, with few enough atoms.

    Parameters
    ----------
    atoms
        Structure to repeat; directions that are not periodic, and those with vacuum, are left alone.
    height_A
        Least distance between opposite faces, Å.
    most_atoms
        Repetition stops before the number of atoms exceeds this.
    """
    heights, gaps = heights_A(atoms), gaps_A(atoms)
    repeat = [1, 1, 1]
    while True:
        low = [
            axis
            for axis in np.flatnonzero(atoms.pbc)
            if repeat[axis] * heights[axis] < height_A and gaps[axis] < VACUUM_A
        ]
        if not low:
            return repeat
        axis = min(low, key=lambda axis: repeat[axis] * heights[axis])
        grown = [count + int(place == axis) for place, count in enumerate(repeat)]
        if len(atoms) * int(np.prod(grown)) > most_atoms:
            return repeat
        repeat = grown


VACUUM_A = 4.5
"""An empty layer thicker than this is a vacuum; lattice planes of crystals, even of graphite, are closer."""
