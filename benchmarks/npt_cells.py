"""Cells of hcp copper at constant pressure: averages and fluctuations beside those that NVT runs predict.

The model is a moment tensor potential that is fitted to EMT, in which hcp copper is metastable. The reference
knows nothing of a barostat: NVT runs in strained cells give the cell in which the mean stress vanishes, and
the isothermal elastic constants C. From these follow the fluctuations of each kind of cell,

    ⟨δq δqᵀ⟩ = (k_B T / V) (Tᵀ C T)⁻¹,

where the columns of T are the strains (Voigt) that the variables q of the cell make: the six of a free cell,
the logarithms of the lengths of three axes at fixed angles, or that of the length of all.

    python benchmarks/npt_cells.py [--picoseconds 400]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.velocitydistribution import thermalize_momenta
from ase.stress import full_3x3_to_voigt_6_stress as voigt
from ase.stress import voigt_6_to_full_3x3_strain as deformation_of  # with the unit matrix
from ase.stress import voigt_6_to_full_3x3_stress as full
from numpy.typing import NDArray

from alflow.potentials import FitSettings, PotentialCalculator
from alflow.potentials.mtp import MTPSettings, fit
from alflow.simulation import MDSettings, Relaxation, relax
from alflow.simulation.integrators import make_integrator
from alflow.simulation.piston import LangevinPiston
from alflow.simulation.settings import NptCell

Array = NDArray[np.float64]

TEMPERATURE_K = 300.0
KT_EV = units.kB * TEMPERATURE_K
STRAIN = 0.008
REPEATS = (4, 4, 3)
BLOCKS = 20
EQUILIBRATION = 2500
"""Steps before anything counts."""
ENGINEERING = np.array([1, 1, 1, 2, 2, 2])
"""Shear strains count twice in Voigt's notation."""


def model() -> PotentialCalculator:
    """Fitted to displaced and strained crystals."""
    random = np.random.default_rng(0)
    labelled = []
    for _ in range(40):
        atoms = bulk("Cu", "hcp", a=2.54, c=4.15) * (2, 2, 2)
        deformation = np.eye(3) * random.uniform(0.98, 1.03) + 0.02 * random.normal(size=(3, 3))
        atoms.set_cell(atoms.cell.array @ (deformation + deformation.T) / 2, scale_atoms=True)
        atoms.positions += 0.1 * random.normal(size=atoms.positions.shape)
        atoms.calc = EMT()
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **results, stress=atoms.get_stress())
        labelled.append(atoms)
    settings = FitSettings(max_iterations=100)
    return PotentialCalculator(
        fit(labelled, species=["Cu"], form=MTPSettings(level=8, cutoff_A=5.0), settings=settings).potential
    )


class Sample:
    """Cells (n, 3, 3), stresses with their kinetic part (n, 3, 3) and temperatures of the piston of a run."""

    def __init__(
        self, start: Atoms, calculator: PotentialCalculator, picoseconds: float, **method: Any
    ) -> None:
        settings = MDSettings(temperature_K=TEMPERATURE_K, timestep_fs=2.0, **method)
        random = np.random.default_rng(1)
        atoms = start.copy()
        atoms.calc = calculator
        thermalize_momenta(atoms, TEMPERATURE_K, rng=random)
        dynamics = make_integrator(atoms, settings, random, np.empty(0))
        cells, stresses, warmth = [], [], []
        steps = round(1000 * picoseconds / settings.timestep_fs)
        for step in range(EQUILIBRATION + steps):
            dynamics.advance(step)
            if step < EQUILIBRATION or step % 5:
                continue
            momenta = atoms.arrays["momenta"]
            kinetic = momenta.T @ (momenta / atoms.get_masses()[:, None]) / atoms.cell.volume
            cells.append(atoms.cell.array.copy())
            stresses.append(voigt(full(calculator.get_stress(atoms)) - kinetic))
            if isinstance(dynamics, LangevinPiston):
                warmth.append((dynamics.momenta**2).mean() / dynamics.piston_mass / units.kB)
        self.cells, self.stresses, self.warmth = np.array(cells), np.array(stresses), np.array(warmth)


def mean(series: Array) -> tuple[Array, Array]:
    """Mean along the first axis, and its standard error by blocks."""
    blocks = np.array([block.mean(axis=0) for block in np.array_split(series, BLOCKS)])
    return blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(BLOCKS)


def strained(atoms: Atoms, strain: Array) -> Atoms:
    """With this strain (Voigt)."""
    deformed = atoms.copy()
    deformed.set_cell(atoms.cell.array @ deformation_of(strain), scale_atoms=True)
    return deformed


def reference(calculator: PotentialCalculator, picoseconds: float) -> tuple[Atoms, Array, Array]:
    """The crystal without mean stress in NVT, elastic constants (6, 6) in eV/Å³, errors of its strain."""
    start = bulk("Cu", "hcp", a=2.54, c=4.15) * REPEATS
    crystal = relax(start, calculator, Relaxation(max_force_eV_A=1e-4, max_stress_GPa=1e-3)).atoms
    print(f"relaxed: a = {crystal.cell.lengths()[0] / 4:.4f} Å, c = {crystal.cell.lengths()[2] / 3:.4f} Å")
    crystal.set_cell(crystal.cell.array * 1.004, scale_atoms=True)
    for length_ps in (picoseconds / 4, picoseconds):
        columns = []
        for k in range(6):
            pull = STRAIN * np.eye(6)[k]
            runs = [Sample(strained(crystal, sign * pull), calculator, length_ps) for sign in (1, -1)]
            columns.append((runs[0].stresses.mean(axis=0) - runs[1].stresses.mean(axis=0)) / 2 / STRAIN)
        elastic = hexagonal(np.array(columns))
        stress, error = mean(Sample(crystal, calculator, 4 * length_ps).stresses)
        stress = np.array([(stress[0] + stress[1]) / 2] * 2 + [stress[2], 0, 0, 0])
        crystal = strained(crystal, -np.linalg.solve(elastic, stress))
        print("strain by", np.round(-np.linalg.solve(elastic, stress), 5))
    return crystal, elastic, np.abs(np.linalg.solve(elastic, error))


def hexagonal(elastic: Array) -> Array:
    """The five constants that a hexagonal crystal has, each a mean of what should be equal."""
    c33, c44 = elastic[2, 2], (elastic[3, 3] + elastic[4, 4]) / 2
    c13 = (elastic[0, 2] + elastic[2, 0] + elastic[1, 2] + elastic[2, 1]) / 4
    bulk_like = (elastic[0, 0] + elastic[1, 1] + elastic[0, 1] + elastic[1, 0]) / 4
    shear = (elastic[0, 0] + elastic[1, 1] - elastic[0, 1] - elastic[1, 0]) / 4
    c66 = (shear + elastic[5, 5]) / 2
    c11, c12 = bulk_like + c66, bulk_like - c66
    constants = np.diag([c11, c11, c33, c44, c44, c66])
    constants[0, 1] = constants[1, 0] = c12
    constants[:2, 2] = constants[2, :2] = c13
    return constants


def table(
    title: str, names: list[str], series: Array, expected: Array, factor: float, inexact: Array | float = 0.0
) -> None:
    """Means of series beside what is expected of them; errors include those of the expectation, `inexact`."""
    print(f"\n{title}\n{'':>8} {'run':>10} {'error':>8} {'reference':>10} {'difference/error':>17}")
    values, errors = mean(series)
    errors = np.sqrt(errors**2 + np.square(inexact))
    for name, value, error, right in zip(names, values, errors, expected, strict=True):
        off = (value - right) / error
        print(f"{name:>8} {factor * value:10.4f} {factor * error:8.4f} {factor * right:10.4f} {off:17.1f}")


class Variables:
    """The variables q of one kind of cell about a crystal: zero in the crystal itself."""

    names: list[str]
    change: Array
    """T, (6, k)."""

    def __init__(self, crystal: Atoms) -> None:
        self.cell = crystal.cell.array
        self.lengths_A = crystal.cell.lengths()

    def of(self, cells: Array) -> Array:
        """(n, k) of cells (n, 3, 3)."""
        raise NotImplementedError

    def to_cell(self, q: Array) -> Array:
        """The cell of values (k,)."""
        raise NotImplementedError

    def slope(self, cell: Array, stress: Array) -> Array:
        """Derivative (k,) of free energy − k_B T ln(density of q), from the mean stress (3, 3) of a cell."""
        raise NotImplementedError


class Length(Variables):
    """ln L of an isotropic cell: its density is V."""

    names = ["length"]  # noqa: RUF012
    change = np.array([[1.0, 1, 1, 0, 0, 0]]).T

    def of(self, cells: Array) -> Array:
        return np.log(np.linalg.det(cells) / np.linalg.det(self.cell))[:, None] / 3

    def to_cell(self, q: Array) -> Array:
        return self.cell * np.exp(q[0])

    def slope(self, cell: Array, stress: Array) -> Array:
        return np.array([np.linalg.det(cell) * np.trace(stress) - 3 * KT_EV])


class Axes(Variables):
    """ln L of the three axes: their density is V."""

    names = ["a", "b", "c"]  # noqa: RUF012

    def __init__(self, crystal: Atoms) -> None:
        super().__init__(crystal)
        directions = self.cell / self.lengths_A[:, None]
        self.basis = np.einsum("ak,kb->kab", np.linalg.inv(directions), directions)
        symmetric = (self.basis + self.basis.transpose(0, 2, 1)) / 2
        self.change = np.array([voigt(b) * ENGINEERING for b in symmetric]).T

    def of(self, cells: Array) -> Array:
        return np.log(np.linalg.norm(cells, axis=2) / self.lengths_A)

    def to_cell(self, q: Array) -> Array:
        return self.cell * np.exp(q)[:, None]

    def slope(self, cell: Array, stress: Array) -> Array:
        return np.linalg.det(cell) * np.tensordot(self.basis, stress, axes=2) - KT_EV


class Strain(Variables):
    """Green's strain (F Fᵀ − 1)/2 of h = h⁰ F, whatever the orientation: its density is V⁻³."""

    names = ["xx", "yy", "zz", "yz", "xz", "xy"]  # noqa: RUF012
    change = np.eye(6)

    def of(self, cells: Array) -> Array:
        deformation = np.linalg.solve(self.cell, cells)
        return np.array([voigt((f @ f.T - np.eye(3)) / 2) for f in deformation]) * ENGINEERING

    def to_cell(self, q: Array) -> Array:
        squares, vectors = np.linalg.eigh(2 * deformation_of(q) - np.eye(3))
        return self.cell @ (vectors * np.sqrt(squares)) @ vectors.T

    def slope(self, cell: Array, stress: Array) -> Array:
        inverse = np.linalg.inv(np.linalg.solve(self.cell, cell))
        conjugate = np.linalg.det(cell) * inverse.T @ stress @ inverse
        return voigt(conjugate + 3 * KT_EV * inverse.T @ inverse)


def mean_of(
    q: Variables, crystal: Atoms, elastic: Array, calculator: PotentialCalculator, picoseconds: float
) -> tuple[Array, Array, Array]:
    """Mean of q in a cell that fluctuates, its error, and the covariance, from NVT runs.

    Anharmonic crystals of some hundred atoms have another mean cell when it fluctuates: by 1e-4. To second
    order in q, ⟨q⟩ is where the mean slope vanishes over the 2k points ±√k times the columns of the root of
    the covariance.
    """
    compliance = np.linalg.inv(crystal.cell.volume * q.change.T @ elastic @ q.change)
    slopes, errors = [], []
    for column in np.linalg.cholesky(KT_EV * compliance).T * np.sqrt(len(compliance)):
        for point in (column, -column):
            deformed = crystal.copy()
            deformed.set_cell(q.to_cell(point), scale_atoms=True)
            cell = deformed.cell.array
            stress, error = (full(s) for s in mean(Sample(deformed, calculator, picoseconds).stresses))
            slopes.append(q.slope(cell, stress))
            errors.append(q.slope(cell, error) - q.slope(cell, 0 * error))
    error_of_slopes = np.sqrt(np.square(errors).sum(axis=0)) / len(errors)
    return -compliance @ np.mean(slopes, axis=0), np.abs(compliance) @ error_of_slopes, KT_EV * compliance


def compare(q: Variables, run: Sample, mean_q: Array, error: Array, covariance: Array) -> None:
    """Stress, mean and covariances of the variables beside those of the reference."""
    still = q.slope(q.cell, np.zeros((3, 3)))
    work = np.array([q.slope(q.cell, full(stress)) - still for stress in run.stresses])
    least = KT_EV * q.change[:3].sum(axis=0)  # ⟨V (stress + pressure)⟩ is k_B T, not zero
    volume = np.linalg.det(q.cell) * units.GPa
    table("stress along the variables, GPa", q.names, work / volume, least / volume, 1)
    series = q.of(run.cells)
    table("mean, 1e-4", q.names, series, mean_q, 1e4, error)
    off = series - series.mean(axis=0)
    size = len(mean_q)
    pairs = [(i, j) for i in range(size) for j in range(i, size) if abs(covariance[i, j]) > 2e-7]
    products = np.array([off[:, i] * off[:, j] for i, j in pairs]).T
    of_pairs = [f"{q.names[i]} {q.names[j]}" for i, j in pairs]
    table("covariances, 1e-6", of_pairs, products, np.array([covariance[p] for p in pairs]), 1e6)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--picoseconds", type=float, default=400.0, help="length of each npt run")
    picoseconds = parser.parse_args().picoseconds
    calculator = model()
    crystal, elastic, error = reference(calculator, picoseconds / 8)
    a_A, c_A = crystal.cell.lengths()[0] / REPEATS[0], crystal.cell.lengths()[2] / REPEATS[2]
    print(f"NVT without stress: a = {a_A:.4f} Å, c = {c_A:.4f} Å, c/a = {c_A / a_A:.4f}")
    print("errors of its strain, 1e-4:", np.round(error * 1e4, 2))
    print("elastic constants, GPa:\n", np.round(elastic / units.GPa, 1))
    kinds: list[tuple[NptCell, type[Variables]]] = [("isotropic", Length), ("axes", Axes), ("free", Strain)]
    for npt_cell, variables in kinds:
        q = variables(crystal)
        run = Sample(
            crystal, calculator, picoseconds, ensemble="npt", npt_cell=npt_cell, barostat_time_fs=1000.0
        )
        print(f"\n=== {npt_cell}: {len(crystal)} atoms, {picoseconds:g} ps")
        table("temperature of the piston, K", [""], run.warmth[:, None], np.array([TEMPERATURE_K]), 1)
        compare(q, run, *mean_of(q, crystal, elastic, calculator, picoseconds / 8))
        u, _, v = np.linalg.svd(np.linalg.solve(run.cells[0], run.cells[-1]))
        print(f"\nturned by {np.degrees(np.arccos(min(1.0, (np.trace(u @ v) - 1) / 2))):.2f}°")


if __name__ == "__main__":
    main()
