"""The piston samples exactly what it should: volumes, lengths of axes, shapes of cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from model_calculators import CellSpring, PairModel, argon

from alflow.simulation import Guards, MDSettings, run_md
from alflow.simulation.piston import LangevinPiston

NO_GUARDS = Guards(min_distance_A=None, max_temperature_K=None, max_volume_change=None)
HEXAGONAL_A = np.array([[3, 0, 0], [-1.5, 1.5 * np.sqrt(3), 0], [0, 0, 5]])
KT_EV = units.kB * 300
ATOMS = 2


def sampled_cells(model: CellSpring, steps: int) -> np.ndarray:
    """Cells of a run of two atoms at 300 K and no pressure, (steps, 3, 3) without the first part."""
    atoms = Atoms("Ar2", positions=[[0, 0, 0], [1, 1, 2]], cell=model.cell, pbc=True)
    settings = MDSettings(
        ensemble="npt",
        npt_cell=model.kind,
        temperature_K=300,
        timestep_fs=4,
        steps=steps,
        friction_per_fs=0.02,
        barostat_time_fs=50,
    )
    random = np.random.default_rng(0)
    atoms.calc = model
    atoms.set_momenta(np.sqrt(atoms.get_masses() * KT_EV)[:, None] * random.normal(size=(ATOMS, 3)))
    piston = LangevinPiston(atoms, settings, random, np.empty(0))
    cells = []
    for step in range(steps):
        piston.advance(step)
        cells.append(atoms.cell.array.copy())
    return np.array(cells[steps // 20 :])


def within(series: np.ndarray, exact: float, error: float, blocks: int = 20) -> bool:
    """Whether the mean is within 4 standard errors of what is exact, and these are below a part `error`."""
    means = np.array([block.mean() for block in np.array_split(series, blocks)])
    standard_error = means.std(ddof=1) / np.sqrt(blocks)
    return bool(standard_error < error * abs(exact) and abs(series.mean() - exact) < 4 * standard_error)


def test_lengths_of_axes_are_those_of_springs_under_a_gas() -> None:
    """p(q) ∝ exp((N + 1) Σ q − Σ k q²/2 k_B T) of q = ln L/L⁰: normal, with mean (N + 1) k_B T/k."""
    stiffness = np.array([10.0, 20.0, 40.0]) * KT_EV
    cells = sampled_cells(CellSpring(HEXAGONAL_A, stiffness, "axes"), 20_000)
    lengths = np.linalg.norm(cells, axis=2)
    for strain, softness in zip(np.log(lengths / [3, 3, 5]).T, KT_EV / stiffness, strict=True):
        mean = (ATOMS + 1) * softness
        assert within(strain, mean, 0.05)
        assert within((strain - mean) ** 2, softness, 0.06)
    cosines = (cells[:, 0] * cells[:, 1]).sum(axis=1) / lengths[:, 0] / lengths[:, 1]
    np.testing.assert_allclose(cosines, -0.5, atol=1e-10)
    np.testing.assert_allclose(cells[:, 2, :2], 0, atol=1e-10)


def test_free_cells_are_those_of_an_elastic_body_under_a_gas() -> None:
    """Of principal strains λ, p ∝ exp((N + 1) Σ λ − k Σ λ²/2 k_B T) Π sinh|λ_i − λ_j|, by quadrature.

    Without the sinh of the invariant measure, the mean square of the shear would be 8 % smaller.
    """
    stiffness = 12 * KT_EV
    grid = np.linspace(-1.6, 2.1, 120)
    axes = np.meshgrid(grid, grid, grid, indexing="ij")
    density = np.exp((ATOMS + 1) * sum(axes) - sum(a**2 for a in axes) * stiffness / KT_EV / 2)
    for i, j in ((0, 1), (1, 2), (0, 2)):
        density *= np.abs(np.sinh(axes[i] - axes[j]))

    def exact(values: np.ndarray) -> float:
        return float((density * values).sum() / density.sum())

    def measures(strains: Any) -> tuple[np.ndarray, np.ndarray]:
        volume = strains[0] + strains[1] + strains[2]
        return volume, sum((strain - volume / 3) ** 2 for strain in strains)

    cells = sampled_cells(CellSpring(HEXAGONAL_A, stiffness, "free"), 40_000)
    deformation = np.linalg.inv(HEXAGONAL_A) @ cells
    squares = np.linalg.eigvalsh(deformation.transpose(0, 2, 1) @ deformation)
    volume, shear = measures((np.log(squares) / 2).T)
    exact_volume, exact_shear = measures(axes)
    mean = exact(exact_volume)
    assert within(volume, mean, 0.03)
    assert within((volume - mean) ** 2, exact((exact_volume - mean) ** 2), 0.05)
    assert within(shear, exact(exact_shear), 0.02)
    assert not within(shear, 5 * KT_EV / stiffness, 0.02)


class Frictionless(LangevinPiston):
    """Without its thermostats."""

    def _thermostat(self, kT: float) -> None:
        pass


@pytest.mark.parametrize("npt_cell", ["isotropic", "axes", "free"])
def test_enthalpy_is_conserved_to_the_second_order_and_steps_can_be_taken_back(npt_cell: str) -> None:
    def enthalpies(timestep_fs: float, steps: int) -> tuple[Frictionless, np.ndarray]:
        atoms = argon()
        atoms.rattle(0.2, seed=1)
        atoms.set_momenta(np.random.default_rng(2).normal(scale=0.3, size=(32, 3)))
        atoms.calc = PairModel()
        settings = MDSettings(
            ensemble="npt",
            npt_cell=npt_cell,
            temperature_K=30,
            pressure_GPa=0.2,
            timestep_fs=timestep_fs,
            barostat_time_fs=200,
        )
        piston = Frictionless(atoms, settings, np.random.default_rng(0), np.empty(0))
        found = []
        for step in range(steps):
            piston.advance(step)
            kinetic = atoms.get_kinetic_energy() + (piston.momenta**2).sum() / 2 / piston.piston_mass
            work = settings.pressure_GPa * units.GPa * atoms.cell.volume
            found.append(atoms.calc.results["energy"] + kinetic + work)
        return piston, np.array(found)

    _, coarse = enthalpies(10.0, 60)
    piston, fine = enthalpies(5.0, 120)
    assert np.ptp(fine) < 0.35 * np.ptp(coarse)
    start = argon()
    start.rattle(0.2, seed=1)
    assert abs(piston.atoms.cell.volume / start.cell.volume - 1) > 1e-3
    piston.atoms.arrays["momenta"] *= -1
    piston.momenta *= -1
    for step in range(120):
        piston.advance(step)
    np.testing.assert_allclose(piston.atoms.positions, start.positions, atol=1e-9)
    np.testing.assert_allclose(piston.atoms.cell.array, start.cell.array, atol=1e-9)


@pytest.mark.parametrize("npt_cell", ["axes", "free"])
def test_the_stress_is_the_pressure_in_every_direction_and_the_piston_is_as_warm(npt_cell: str) -> None:
    """Of a crystal that begins far from its shape: 4 % too long along z, 3 % too short along x."""
    start = argon()
    start.set_cell(start.cell.array * [0.97, 1.0, 1.04], scale_atoms=True)
    settings = MDSettings(
        ensemble="npt",
        npt_cell=npt_cell,
        temperature_K=30,
        pressure_GPa=0.1,
        timestep_fs=8,
        steps=3000,
        friction_per_fs=0.02,
        barostat_time_fs=200,
    )
    model = PairModel()
    stresses: list[np.ndarray] = []
    energies: list[np.ndarray] = []
    start.calc = model
    random = np.random.default_rng(3)
    start.set_momenta(np.sqrt(start.get_masses() * units.kB * 30)[:, None] * random.normal(size=(32, 3)))
    piston = LangevinPiston(start, settings, random, np.empty(0))
    for step in range(settings.steps):
        piston.advance(step)
        momenta = start.arrays["momenta"]
        kinetic = momenta.T @ (momenta / start.get_masses()[:, None])
        stresses.append((kinetic / start.cell.volume - start.get_stress(voigt=False)) / units.GPa)
        energies.append(piston.momenta**2 / piston.piston_mass / units.kB)
    series = np.array(stresses)[300:]
    for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2)) if npt_cell == "free" else ((0, 0), (1, 1), (2, 2)):
        means = np.array([block.mean() for block in np.array_split(series[:, a, b], 20)])
        error = means.std(ddof=1) / np.sqrt(20)
        assert error < 0.01
        assert abs(means.mean() - 0.1 * (a == b)) < 4 * error
    assert within(np.array(energies)[300:].mean(axis=1), 30, 0.15)


def test_the_kinds_of_cells_agree_on_a_crystal_that_is_cubic() -> None:
    """Mean volumes, as far as the ensembles agree, and each keeps what it must keep."""
    volumes = {}
    for npt_cell in ("isotropic", "axes"):
        settings = MDSettings(
            ensemble="npt",
            npt_cell=npt_cell,
            temperature_K=10,
            pressure_GPa=0.2,
            timestep_fs=8,
            steps=2500,
            friction_per_fs=0.02,
            barostat_time_fs=200,
        )
        series: list[float] = []
        result = run_md(
            argon(),
            PairModel(),
            settings,
            on_progress=lambda step, info, to=series: to.append(info["volume_A3"]),  # type: ignore[misc]
            progress_interval=1,
        )
        volumes[npt_cell] = np.mean(series[300:]) / argon().cell.volume
        lengths = result.checkpoint.cell.diagonal()
        assert (np.ptp(lengths) < 1e-9) == (npt_cell == "isotropic")
        np.testing.assert_allclose(result.checkpoint.cell, np.diag(lengths), atol=1e-12)
    assert volumes["axes"] == pytest.approx(volumes["isotropic"], rel=4e-3)
