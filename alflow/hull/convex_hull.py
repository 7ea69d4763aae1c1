"""The convex hull of formation energies: it shows which structures are stable against decomposition."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import ConvexHull

from alflow.errors import InputError

Array = NDArray[np.float64]

SAME_FRACTION = 1e-9
"""Atomic fractions are ratios of small integers; two fractions closer than this are equal."""
ZERO_EV = 1e-10
"""Rounding errors of the hull's planes; energies are meaningful to 1e-6 eV at best."""


def formation_energies(fractions: ArrayLike, energies_eV: ArrayLike, references_eV: ArrayLike) -> Array:
    """Formation energies: energies per atom minus those of the elements, (n,) eV per atom.

    Parameters
    ----------
    fractions : (n, species)
        Fractions of atoms.
    energies_eV : (n,)
        Energies per atom.
    references_eV : (species,)
        Energies per atom of the elements.
    """
    mixed_eV: NDArray[np.float64] = np.asarray(fractions, dtype=float) @ np.asarray(references_eV)
    return np.asarray(energies_eV, dtype=float) - mixed_eV


def element_energies(fractions: ArrayLike, energies_eV: ArrayLike) -> Array:
    """Lowest energy of each pure element, (species,) eV per atom.

    Raises
    ------
    InputError
        If an element is missing.
    """
    fractions, energies_eV = np.asarray(fractions, dtype=float), np.asarray(energies_eV, dtype=float)
    pure = fractions > 1 - SAME_FRACTION
    missing = np.flatnonzero(~pure.any(axis=0))
    if missing.size:
        raise InputError(
            f"species {missing[0] + 1} has no pure structure; the hull needs the energy of every element"
        )
    return np.asarray(np.where(pure, energies_eV[:, None], np.inf).min(axis=0))


def hull_distances(fractions: ArrayLike, energies_eV: ArrayLike) -> Array:
    """Distance of each structure to the lower convex hull of all structures, (n,) eV per atom; 0 on the hull.

    Parameters
    ----------
    fractions : (n, species)
        Fractions of atoms.
    energies_eV : (n,)
        Energies per atom.

    Raises
    ------
    InputError
        If an element is missing.

    Notes
    -----
    The hull is the maximum of the planes through its lower facets. Only the lowest structure of each
    composition enters, so the hull has few points.
    """
    fractions, energies_eV = np.asarray(fractions, dtype=float), np.asarray(energies_eV, dtype=float)
    formation_eV = formation_energies(fractions, energies_eV, element_energies(fractions, energies_eV))
    _, first, composition = np.unique(
        np.rint(fractions / SAME_FRACTION), axis=0, return_index=True, return_inverse=True
    )
    composition = composition.ravel()  # NumPy 2.0 keeps the axis
    coordinates, lowest_eV = fractions[first, 1:], formation_eV[first]
    np.minimum.at(lowest_eV, composition, formation_eV)
    hull_eV = np.full(len(first), -np.inf)
    for slopes, offset_eV in _lower_planes(coordinates, lowest_eV):
        np.maximum(hull_eV, coordinates @ slopes + offset_eV, out=hull_eV)
    distances_eV = formation_eV - hull_eV[composition]
    return np.where(distances_eV < ZERO_EV, 0.0, distances_eV)


def _lower_planes(coordinates: Array, formation_eV: Array) -> list[tuple[Array, float]]:
    """Slopes and offset of the plane through each lower facet."""
    species = coordinates.shape[1] + 1
    elements = np.vstack([np.zeros(species - 1), np.eye(species - 1)])
    ground = [(np.zeros(species - 1), 0.0)]  # the plane through the elements
    bound = formation_eV < -ZERO_EV
    if species == 1 or not bound.any():
        return ground
    # A point above zero closes the hull from above, even if few compounds make it nearly flat.
    top = np.append(np.full(species - 1, 1 / species), -formation_eV.min())
    corners = np.column_stack([elements, np.zeros(species)])
    points = np.vstack([corners, top, np.column_stack([coordinates, formation_eV])[bound]])
    normals = ConvexHull(points).equations
    lower = normals[normals[:, -2] < -ZERO_EV]
    return [(-row[:-2] / row[-2], float(-row[-1] / row[-2])) for row in np.unique(lower.round(14), axis=0)]
