"""A moment tensor potential in plain NumPy: read this first. The compiled kernel must agree with it.

    E = Σ_i V_i,   V_i = ξ_0(z_i) + Σ_α ξ_α B_α(n_i)
    basic moments  M_{μ,abc} = Σ_j f_μ(r_ij) x̂^a ŷ^b ẑ^c,   r̂ = (x̂, ŷ, ẑ)
    radial         f_μ(r) = s Σ_k c_{z_i z_j μ k} T_k(x) (R_c − r)²
    contractions   m[k] += factor · m[i] · m[j]   for the rows of the table, in order
    B_α = m[scalars[α]]

Shapeev 2016, doi 10.1137/15M1054183. Neighbours come from ASE, so that nothing is shared with the kernel.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray

from alflow.potentials.mtp import MomentTensorPotential


def basis(potential: MomentTensorPotential, atoms: Atoms) -> NDArray[np.float64]:
    """Basis functions B_α of every atom, (N, B)."""
    centers, neighbors, vectors, distances = neighbor_list("ijDd", atoms, potential.cutoff_A)
    types = potential.types_of(atoms.numbers)
    low, high = potential.min_distance_A, potential.cutoff_A
    x = (2 * distances - low - high) / (high - low)
    radial_basis = (
        chebvander(x, potential.radial_coefficients.shape[3] - 1) * (high - distances)[:, None] ** 2
    )
    coefficients = potential.radial_coefficients[types[centers], types[neighbors]]
    radial = potential.scaling * np.einsum("pmk,pk->pm", coefficients, radial_basis)
    units = vectors / distances[:, None]

    moments = np.zeros((potential.tables.moment_count, len(atoms)))
    for index, (mu, *powers) in enumerate(potential.tables.basic):
        terms = radial[:, mu] * np.prod(units**powers, axis=1)
        moments[index] = np.bincount(centers, terms, len(atoms))
    for left, right, factor, out in potential.tables.times:
        moments[out] += factor * moments[left] * moments[right]
    return moments[potential.tables.scalars].T


def energies(potential: MomentTensorPotential, atoms: Atoms) -> NDArray[np.float64]:
    """Energy of every atom, (N,), eV."""
    types = potential.types_of(atoms.numbers)
    return potential.species_energies_eV[types] + basis(potential, atoms) @ potential.moment_coefficients


def forces(potential: MomentTensorPotential, atoms: Atoms, step_A: float = 1e-4) -> NDArray[np.float64]:
    """Forces (N, 3), eV/Å, by central differences of the energy."""
    result = np.zeros((len(atoms), 3))
    for index in np.ndindex(result.shape):
        plus, minus = atoms.copy(), atoms.copy()
        plus.positions[index] += step_A
        minus.positions[index] -= step_A
        result[index] = -(energies(potential, plus).sum() - energies(potential, minus).sum()) / (2 * step_A)
    return result


def virial(potential: MomentTensorPotential, atoms: Atoms, step: float = 1e-5) -> NDArray[np.float64]:
    """∂E/∂ε (3, 3), eV, by central differences; works without periodicity too."""
    result = np.zeros((3, 3))
    for index in np.ndindex(3, 3):
        energy = []
        for sign in (1, -1):
            strained = atoms.copy()
            strain = np.eye(3)
            strain[index] += sign * step
            strained.set_cell(atoms.cell.array @ strain)
            strained.positions = atoms.positions @ strain
            energy.append(energies(potential, strained).sum())
        result[index] = (energy[0] - energy[1]) / (2 * step)
    return result
