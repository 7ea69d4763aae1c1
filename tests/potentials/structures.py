"""Structures and potentials that are awkward on purpose."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk

from alflow.potentials.mtp import MomentTensorPotential

ELEMENTS = ["Cu", "Pd", "Al", "Ni", "Ti", "Mo", "Si", "Li", "Na", "Mg"]


def lively(potential: MomentTensorPotential, seed: int = 0) -> MomentTensorPotential:
    """The potential with coefficients of such a size that every basis function matters."""
    rng = np.random.default_rng(seed)
    theta = potential.parameters * (1 + 0.3 * rng.normal(size=potential.parameter_count))
    linear = slice(potential.radial_coefficients.size, None)
    theta[linear] = rng.normal(size=theta[linear].size) * 0.1
    return potential.with_parameters(theta)


def potential(level: int, species: int = 1, cutoff_A: float = 4.0, seed: int = 0) -> MomentTensorPotential:
    """A random potential."""
    return lively(MomentTensorPotential.random(ELEMENTS[:species], level, cutoff_A, seed=seed), seed)


def awkward(species: int = 1, seed: int = 0) -> dict[str, Atoms]:
    """One structure of each kind that has broken some code."""
    rng = np.random.default_rng(seed)
    symbols = lambda n: [ELEMENTS[i] for i in rng.integers(species, size=n)]  # noqa: E731
    skewed = Atoms(
        symbols(3),
        scaled_positions=rng.random((3, 3)),
        cell=[[4.1, 0, 0], [3.2, 3.5, 0], [-2.5, 2, 4.2]],
        pbc=True,
    )
    slab = bulk("Cu", cubic=True).repeat((1, 1, 2))
    slab.set_chemical_symbols(symbols(len(slab)))
    slab.center(vacuum=5, axis=2)
    slab.pbc = (True, True, False)
    slab.rattle(0.1, seed=seed)
    wire = Atoms(
        symbols(2), positions=[[0, 0, 0], [0.3, 1.9, 0.7]], cell=[0, 0, 2.7], pbc=(False, False, True)
    )
    supercell = bulk("Cu", cubic=True).repeat(2)
    supercell.set_chemical_symbols(symbols(len(supercell)))
    supercell.rattle(0.15, seed=seed)
    supercell.positions += 100.0
    return {
        "one atom, cell smaller than the cutoff": Atoms(
            symbols(1), cell=2.5 * (np.ones((3, 3)) - np.eye(3)) / 2**0.5, pbc=True
        ),
        "skewed cell": skewed,
        "slab": slab,
        "wire without cell vectors": wire,
        "cluster with an isolated atom": Atoms(
            symbols(5), positions=[*rng.random((4, 3)) * 2.5 + np.eye(4, 3) * 2, [50, 0, 0]]
        ),
        "far outside the cell": supercell,
    }
