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
import time
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.velocitydistribution import thermalize_momenta
from ase.stress import full_3x3_to_voigt_6_stress as voigt
from ase.stress import voigt_6_to_full_3x3_strain as strain_matrix
from numpy.typing import NDArray

from alflow.potentials import FitSettings, PotentialCalculator
from alflow.potentials.mtp import MTPSettings, fit
from alflow.simulation import MDSettings, Relaxation, relax
from alflow.simulation.integrators import make_integrator
from alflow.simulation.piston import LangevinPiston

Array = NDArray[np.float64]

TEMPERATURE_K = 300.0
KT_EV = units.kB * TEMPERATURE_K
STRAIN = 0.008
REPEATS = (4, 4, 3)
BLOCKS = 20


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
        began = time.perf_counter()
        for step in range(steps + 5000):
            dynamics.advance(step)
            if step < 5000 or step % 5:
                continue
            momenta = atoms.arrays["momenta"]
            kinetic = momenta.T @ (momenta / atoms.get_masses()[:, None]) / atoms.cell.volume
            cells.append(atoms.cell.array.copy())
            stresses.append(
                voigt(calculator.get_stress(atoms)[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3) - kinetic)
            )
            if isinstance(dynamics, LangevinPiston):
                warmth.append((dynamics.momenta**2).mean() / dynamics.piston_mass / units.kB)
        self.cells, self.stresses, self.warmth = np.array(cells), np.array(stresses), np.array(warmth)
        self.us_per_step = (time.perf_counter() - began) / (steps + 5000) * 1e6


def mean(series: Array) -> tuple[Array, Array]:
    """Mean along the first axis, and its standard error by blocks."""
    blocks = np.array([block.mean(axis=0) for block in np.array_split(series, BLOCKS)])
    return blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(BLOCKS)


def strained(atoms: Atoms, strain: Array) -> Atoms:
    """With this strain (Voigt)."""
    deformed = atoms.copy()
    deformed.set_cell(atoms.cell.array @ (np.eye(3) + strain_matrix(strain)), scale_atoms=True)
    return deformed


def reference(calculator: PotentialCalculator, picoseconds: float) -> tuple[Atoms, Array, Array]:
    """The crystal without mean stress in NVT, elastic constants (6, 6) in eV/Å³, errors of its strain."""
    start = bulk("Cu", "hcp", a=2.54, c=4.15) * REPEATS
    crystal = relax(start, calculator, Relaxation(max_force_eV_A=1e-4, max_stress_GPa=1e-3)).atoms
    print(f"relaxed: a = {crystal.cell.lengths()[0] / 4:.4f} Å, c = {crystal.cell.lengths()[2] / 3:.4f} Å")
    crystal.set_cell(crystal.cell.array * 1.004, scale_atoms=True)
    for _ in range(2):
        columns = []
        for k in range(6):
            pull = STRAIN * np.eye(6)[k]
            runs = [Sample(strained(crystal, sign * pull), calculator, picoseconds) for sign in (1, -1)]
            columns.append((runs[0].stresses.mean(axis=0) - runs[1].stresses.mean(axis=0)) / 2 / STRAIN)
        elastic = hexagonal(np.array(columns))
        stress, error = mean(Sample(crystal, calculator, 2 * picoseconds).stresses)
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


def strains(cells: Array, crystal: Atoms) -> Array:
    """(n, 6) Voigt strains against a crystal, whatever the orientation."""
    deformation = np.linalg.solve(crystal.cell.array, cells)
    return np.array([voigt((f @ f.T - np.eye(3)) / 2) for f in deformation]) * [1, 1, 1, 2, 2, 2]


def logarithms(cells: Array, crystal: Atoms) -> Array:
    """(n, 3) of the lengths of axes."""
    return np.log(np.linalg.norm(cells, axis=2) / crystal.cell.lengths())


def table(title: str, names: list[str], series: Array, expected: Array, factor: float) -> None:
    """Means of series beside what is expected of them."""
    print(f"\n{title}\n{'':>8} {'run':>10} {'error':>8} {'reference':>10} {'difference/error':>17}")
    for name, value, error, right in zip(names, *mean(series), expected, strict=True):
        off = (value - right) / error
        print(f"{name:>8} {factor * value:10.4f} {factor * error:8.4f} {factor * right:10.4f} {off:17.1f}")


def compare(title: str, names: list[str], q: Array, change: Array, elastic: Array, volume_A3: float) -> None:
    """Means and covariances of the variables of the cell beside those of the reference."""
    table(f"{title}: mean strain, 1e-4", names, q, np.zeros(len(names)), 1e4)
    expected = KT_EV / volume_A3 * np.linalg.inv(change.T @ elastic @ change)
    off = q - q.mean(axis=0)
    pairs = [(i, j) for i in range(len(names)) for j in range(i, len(names)) if abs(expected[i, j]) > 2e-7]
    products = np.array([off[:, i] * off[:, j] for i, j in pairs]).T
    of_pairs = [f"{names[i]} {names[j]}" for i, j in pairs]
    table(f"{title}: covariances, 1e-6", of_pairs, products, np.array([expected[p] for p in pairs]), 1e6)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--picoseconds", type=float, default=400.0, help="length of each npt run")
    picoseconds = parser.parse_args().picoseconds
    calculator = model()
    crystal, elastic, error = reference(calculator, picoseconds / 8)
    a_A, c_A = crystal.cell.lengths()[0] / REPEATS[0], crystal.cell.lengths()[2] / REPEATS[2]
    print(f"NVT without stress: a = {a_A:.4f} Å, c = {c_A:.4f} Å, c/a = {c_A / a_A:.4f}")
    print("error of its strains, 1e-4:", np.round(error * 1e4, 2))
    print("elastic constants, GPa:\n", np.round(elastic / units.GPa, 1))
    volume_A3 = crystal.cell.volume
    directions = crystal.cell.array / crystal.cell.lengths()[:, None]
    lengthening = [np.outer(b, d) for b, d in zip(np.linalg.inv(directions).T, directions, strict=True)]
    to_voigt = np.array([1, 1, 1, 2, 2, 2])
    axes = np.array([voigt((m + m.T) / 2) * to_voigt for m in lengthening]).T
    for npt_cell in ("isotropic", "axes", "free"):
        run = Sample(
            crystal, calculator, picoseconds, ensemble="npt", npt_cell=npt_cell, barostat_time_fs=1000.0
        )
        print(
            f"\n=== {npt_cell}: {len(crystal)} atoms, {picoseconds:g} ps, {run.us_per_step:.0f} µs per step"
        )
        table("temperature of the piston, K", [""], run.warmth[:, None], np.array([TEMPERATURE_K]), 1)
        table("stress, GPa", ["xx", "yy", "zz", "yz", "xz", "xy"], run.stresses / units.GPa, np.zeros(6), 1)
        if npt_cell == "free":
            names = ["xx", "yy", "zz", "yz", "xz", "xy"]
            compare(npt_cell, names, strains(run.cells, crystal), np.eye(6), elastic, volume_A3)
            u, _, v = np.linalg.svd(np.linalg.solve(run.cells[0], run.cells[-1]))
            print(f"\nturned by {np.degrees(np.arccos((np.trace(u @ v) - 1) / 2)):.2f}°")
            continue
        q = logarithms(run.cells, crystal)
        if npt_cell == "axes":
            compare(npt_cell, ["a", "b", "c"], q, axes, elastic, volume_A3)
        else:
            compare(npt_cell, ["length"], q[:, :1], np.array([[1, 1, 1, 0, 0, 0.0]]).T, elastic, volume_A3)


if __name__ == "__main__":
    main()
