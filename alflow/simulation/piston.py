"""Constant pressure by a Langevin piston: the volume, the lengths of the axes or the whole cell changes.

The rows of the cell h, the positions x and the momenta p (row vectors) follow (Martyna, Tobias and Klein,
J. Chem. Phys. 101, 4177, 1994, eqs. 2.9; with Langevin thermostats, Quigley and Probert, J. Chem. Phys. 120,
11432, 2004, eqs. 5 and 6; Gao, Fang and Wang, J. Chem. Phys. 144, 124113, 2016)

    ẋ = p/m + x D,  ḣ = h D,  ṗ = f − p Dᵀ − (tr D / 3N) p − γ p + noise,
    π̇_k = Σ_ab (Σ_i p_a p_b / m − V σ − V P)_ab (B_k)_ab + (tr B_k / 3N) Σ_i p²/m − π_k / τ + noise,

with the strain rate D = Σ_k (π_k / M_k) B_k. Matrices B_k span the allowed changes of the cell:

- isotropic: the unit matrix;
- axes: b_k ⊗ a_k, which lengthens the axis a_k alone (b_k is its reciprocal vector);
- free: the six symmetric matrices, so that the cell is strained and not turned.

All of them sample x, p and h with exp(−(U + K + P V) / k_B T) dV, where the shapes of equal volume have the
measure that is invariant under deformations: V^(1−3) dh for a free cell, dL₁ dL₂ dL₃ for its axes.

A step is the palindrome B A O A B; between the thermostats O, each part is solved exactly. So the step keeps
phase-space volume exactly, and no force is part of the state: a step is a function of x, p, h, π and the
random generator.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray
from scipy.special import exprel

from alflow.simulation.ramps import value_at
from alflow.simulation.settings import MDSettings, NptCell

Array = NDArray[np.float64]

_UNIT = np.eye(3)
_ROOT_HALF = np.sqrt(0.5)
_SYMMETRIC = np.zeros((6, 3, 3))
for _k, (_i, _j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
    _SYMMETRIC[_k, _i, _j] = _SYMMETRIC[_k, _j, _i] = 1.0 if _i == _j else _ROOT_HALF

PISTON_SIZE: dict[NptCell, int] = {"isotropic": 1, "axes": 3, "free": 6}


class _StrainRate(NamedTuple):
    """D as `inverse` diag(`rates`) `directions`; the first and the last are each other's inverse."""

    inverse: Array
    rates: Array
    directions: Array


class LangevinPiston:
    """Integrator of atoms and cell at a temperature and a pressure.

    Parameters
    ----------
    atoms
        Atoms to move, with a calculator of forces and stress.
    settings
        Settings with ensemble npt.
    random
        Generator of the noise.
    momenta : (1,), (3,) or (6,)
        π, √(eV amu) Å; momenta of another kind of cell are replaced by zeros.

    Notes
    -----
    M = (N + 1) k_B T τ² (isotropic: three times that, because all three axes move) with the highest
    temperature of the run. M is constant along a ramp: a changing mass would do work on the piston.
    """

    def __init__(
        self, atoms: Atoms, settings: MDSettings, random: np.random.Generator, momenta: Array
    ) -> None:
        self.atoms = atoms
        self.settings = settings
        self.random = random
        size = PISTON_SIZE[settings.npt_cell]
        self.momenta = momenta.copy() if len(momenta) == size else np.zeros(size)
        time = settings.barostat_time_fs * units.fs
        of_axis = (len(atoms) + 1) * units.kB * settings.highest_temperature_K * time**2
        self.piston_mass = of_axis * (3 if settings.npt_cell == "isotropic" else 1)
        self._masses = atoms.get_masses()[:, None]
        self._timestep = settings.timestep_fs * units.fs
        self._keep = np.exp(-settings.friction_per_fs * settings.timestep_fs)
        self._keep_piston = np.exp(-settings.timestep_fs / settings.barostat_time_fs)
        self._evaluate()

    @property
    def cell_momenta(self) -> Array:
        """π, in the form that the constructor takes."""
        return self.momenta.copy()

    def advance(self, step: int) -> None:
        """Do one step, the one that ends at number `step` of the run."""
        settings = self.settings
        kT = units.kB * value_at(settings.temperature_K, step, settings.steps)
        pressure = units.GPa * value_at(settings.pressure_GPa, step, settings.steps)
        basis = _basis(settings.npt_cell, self.atoms.cell.array)
        half = self._timestep / 2
        momenta = self.atoms.arrays["momenta"]
        self.momenta += half * self._piston_force(basis, pressure)
        momenta += half * self._forces
        strain = self._strain_rate(basis)
        self._drift(strain, half)
        self._strain_momenta(strain, half)
        self._thermostat(kT)
        strain = self._strain_rate(basis)
        self._strain_momenta(strain, half)
        self._drift(strain, half)
        self._evaluate()
        momenta += half * self._forces
        self.momenta += half * self._piston_force(basis, pressure)

    def _evaluate(self) -> None:
        self._forces = self.atoms.get_forces()
        self._stress = self.atoms.get_stress(voigt=False)

    def _piston_force(self, basis: Array, pressure: float) -> Array:
        momenta = self.atoms.arrays["momenta"]
        kinetic = momenta.T @ (momenta / self._masses)
        volume = self.atoms.cell.volume
        share = kinetic.trace() / (3 * len(self.atoms))
        work = kinetic - volume * self._stress + (share - volume * pressure) * _UNIT
        of_each: Array = basis.reshape(-1, 9) @ work.ravel()
        return of_each

    def _drift(self, strain: _StrainRate, time: float) -> None:
        """Move positions and cell by the solution of ẋ = v + x D, ḣ = h D."""
        grow = (strain.inverse * np.exp(time * strain.rates)) @ strain.directions
        move = (strain.inverse * (time * exprel(time * strain.rates))) @ strain.directions
        atoms = self.atoms
        velocities = atoms.arrays["momenta"] / self._masses
        atoms.arrays["positions"][:] = atoms.arrays["positions"] @ grow + velocities @ move
        atoms.set_cell(atoms.cell.array @ grow)

    def _strain_momenta(self, strain: _StrainRate, time: float) -> None:
        """Change the momenta by the solution of ṗ = −p Dᵀ − (tr D / 3N) p."""
        shrink = np.exp(-time * (strain.rates + strain.rates.sum() / (3 * len(self.atoms))))
        momenta = self.atoms.arrays["momenta"]
        momenta[:] = momenta @ ((strain.directions.T * shrink) @ strain.inverse.T)

    def _thermostat(self, kT: float) -> None:
        """Apply the Ornstein–Uhlenbeck process to the atoms, then to the cell."""
        momenta, keep = self.atoms.arrays["momenta"], self._keep
        noise = self.random.normal(size=momenta.shape)
        momenta *= keep
        momenta += np.sqrt((1 - keep**2) * kT * self._masses) * noise
        keep = self._keep_piston
        noise = self.random.normal(size=self.momenta.shape)
        self.momenta = keep * self.momenta + np.sqrt((1 - keep**2) * kT * self.piston_mass) * noise

    def _strain_rate(self, basis: Array) -> _StrainRate:
        velocities = self.momenta / self.piston_mass
        kind = self.settings.npt_cell
        if kind == "isotropic":
            return _StrainRate(_UNIT, velocities.repeat(3), _UNIT)
        if kind == "axes":
            directions = _directions(self.atoms.cell.array)
            return _StrainRate(_inverse(directions), velocities, directions)
        rates, vectors = np.linalg.eigh((velocities @ basis.reshape(-1, 9)).reshape(3, 3))
        return _StrainRate(vectors, rates, vectors.T)


def _basis(kind: NptCell, cell: Array) -> Array:
    """The matrices B_k, (k, 3, 3)."""
    if kind == "isotropic":
        return _UNIT[None]
    if kind == "free":
        return _SYMMETRIC
    directions = _directions(cell)
    lengthening: Array = np.einsum("ak,kb->kab", _inverse(directions), directions)
    return lengthening


def _directions(cell: Array) -> Array:
    """Unit vectors along the axes of the cell, in rows."""
    lengths: Array = np.sqrt(np.square(cell).sum(axis=1))
    return cell / lengths[:, None]


def _inverse(matrix: Array) -> Array:
    return np.linalg.inv(matrix).astype(np.float64)
