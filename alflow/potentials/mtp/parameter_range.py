"""The directions of the parameters θ that a potential can tell apart.

A row b = ∂V/∂θ never has a component along certain directions of θ, whatever the neighborhood: the moment
coefficients can undo the mixing of one radial function into another, and at high levels some basis functions
depend on each other. There are 3, 6, 11, 21 such directions at levels 8, 12, 16, 20. An active set can span
only the remaining range, so grades are computed in coordinates of that range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.potentials.flat_structures import FlatStructures
from alflow.potentials.mtp.evaluate import evaluate_mtp

if TYPE_CHECKING:
    from alflow.potentials.mtp.potential import MomentTensorPotential

NULL_TOLERANCE = 1e-12
"""Singular values below this fraction of the largest are zero. After scaling, those of the range are above
1e-7 (level 24, four species at level 16), those of the null directions below 1e-16."""
LARGEST_CLUSTER = 25
"""Largest number of neighbors in a random neighborhood. Sparse and dense neighborhoods together keep the
singular values within few decades."""
SCALING_PASSES = 3


def parameter_range(potential: MomentTensorPotential) -> NDArray[np.float64]:
    """A basis of the directions of θ that neighborhoods can tell apart.

    Rows of random neighborhoods span the range of all rows: they are analytic functions of the positions.
    The rows and columns are first scaled to similar sizes, because the columns differ widely.
    The same potential gives the same basis.

    Returns
    -------
    (m, r) array
        `rows @ basis` are coordinates in which rows of random neighborhoods have lengths of the order of
        one. They represent every row that a neighborhood can have.
    """
    clusters = FlatStructures.of(random_neighborhoods(potential, 2 * potential.parameter_count))
    gradients = evaluate_mtp(potential, clusters, forces=False, gradients=True).gradients
    assert gradients is not None
    scaled, scales = _equilibrate(gradients)
    _, singular_values, directions = np.linalg.svd(scaled, full_matrices=False)
    rank = int((singular_values > NULL_TOLERANCE * singular_values[0]).sum())
    return np.ascontiguousarray(directions[:rank].T / scales[:, None])


def random_neighborhoods(potential: MomentTensorPotential, atom_count: int) -> list[Atoms]:
    """Clusters around their first atom, with at least `atom_count` atoms in total."""
    rng = np.random.default_rng(0)
    clusters: list[Atoms] = []
    missing = atom_count
    while missing > 0:
        neighbors = int(rng.integers(1, LARGEST_CLUSTER + 1))
        directions = rng.normal(size=(neighbors, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        distances_A = rng.uniform(potential.min_distance_A, potential.cutoff_A, (neighbors, 1))
        positions = np.vstack([np.zeros(3), distances_A * directions])
        clusters.append(Atoms(rng.choice(potential.species, neighbors + 1), positions))
        missing -= neighbors + 1
    return clusters


def _equilibrate(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale columns to similar mean squares and rows to length one; return matrix and column scales."""
    scales = _nonzero(np.abs(matrix).max(axis=0))
    for _ in range(SCALING_PASSES):
        scaled = _unit_rows(matrix / scales)
        scales *= _nonzero(np.sqrt((scaled**2).mean(axis=0)))
    return _unit_rows(matrix / scales), scales


def _unit_rows(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(matrix / np.linalg.norm(matrix, axis=1, keepdims=True))


def _nonzero(scales: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(scales > 0, scales, 1.0)
