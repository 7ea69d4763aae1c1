"""The integrators sample what their names say."""

from __future__ import annotations

import numpy as np
from ase import units
from model_calculators import PairModel, argon

from alflow.simulation import Guards, MDSettings, PressureRamp, TemperatureRamp, run_md

NO_GUARDS = Guards(min_distance_A=None, max_temperature_K=None, max_volume_change=None)


def mean_and_error(series: list[float], blocks: int = 10) -> tuple[float, float]:
    values = np.array(series[len(series) // 5 :])
    means = np.array([block.mean() for block in np.array_split(values, blocks)])
    return float(values.mean()), float(means.std(ddof=1) / np.sqrt(blocks))


def test_nve_conserves_energy_and_momentum() -> None:
    result = run_md(
        argon(), PairModel(), MDSettings(ensemble="nve", temperature_K=60, timestep_fs=4, steps=1000)
    )
    kinetic = 1.5 * len(argon()) * units.kB * result.history["temperature_K"]
    total = result.history["energy_eV"] + kinetic
    assert np.ptp(total) < 0.01 * np.ptp(kinetic)
    assert result.history["temperature_K"][0] > 1.5 * result.history["temperature_K"][200:].mean()
    np.testing.assert_allclose(result.checkpoint.momenta.sum(axis=0), 0, atol=1e-10)


def test_nvt_has_the_temperature_asked_for_with_canonical_fluctuations() -> None:
    settings = MDSettings(ensemble="nvt", temperature_K=60, timestep_fs=8, friction_per_fs=0.02, steps=2500)
    temperatures = run_md(argon(), PairModel(), settings).history["temperature_K"]
    mean, error = mean_and_error(list(temperatures))
    assert error < 2
    assert abs(mean - 60) < 4 * error
    expected = 60 * np.sqrt(2 / (3 * len(argon())))
    assert 0.8 * expected < temperatures[300:].std() < 1.25 * expected


def test_npt_has_the_pressure_asked_for() -> None:
    settings = MDSettings(
        ensemble="npt",
        temperature_K=40,
        pressure_GPa=0.1,
        timestep_fs=6,
        steps=2000,
        friction_per_fs=0.02,
        barostat_time_fs=300,
    )
    model = PairModel()
    pressures: list[float] = []

    def note(step: int, info: dict[str, float]) -> None:
        kinetic = len(argon()) * units.kB * info["temperature_K"] / info["volume_A3"]
        pressures.append((kinetic - model.results["stress"][:3].mean()) / units.GPa)

    run_md(argon(), model, settings, on_progress=note, progress_interval=1)
    mean, error = mean_and_error(pressures)
    assert error < 0.03
    assert abs(mean - 0.1) < 4 * error


def test_npt_gives_the_volumes_of_an_ideal_gas() -> None:
    """p(V) ∝ Vᴺ exp(−PV / k_B T): mean (N + 1) k_B T / P, which a barostat that is a little wrong misses."""
    settings = MDSettings(
        ensemble="npt",
        temperature_K=300,
        pressure_GPa=0.01,
        timestep_fs=8,
        steps=5000,
        friction_per_fs=0.02,
        barostat_time_fs=100,
    )
    unit = units.kB * settings.temperature_K / (settings.pressure_GPa * units.GPa)
    gas = argon()[:2]
    gas.set_cell(np.eye(3) * (3 * unit) ** (1 / 3), scale_atoms=True)
    volumes: list[float] = []
    run_md(
        gas,
        PairModel(strength=0),
        settings,
        guards=NO_GUARDS,
        on_progress=lambda step, info: volumes.append(info["volume_A3"] / unit),
        progress_interval=1,
    )
    mean, error = mean_and_error(volumes)
    assert error < 0.25
    assert abs(mean - 3) < 3 * error


def test_temperature_and_pressure_follow_their_ramps() -> None:
    """Slow ones: over each quarter of the run, the means are those of the ramps there."""
    settings = MDSettings(
        ensemble="npt",
        temperature_K=TemperatureRamp.between(20, 60),
        pressure_GPa=PressureRamp.between(0.2, 1.0),
        timestep_fs=6,
        steps=4000,
        friction_per_fs=0.02,
        barostat_time_fs=200,
    )
    model = PairModel()
    seen: list[tuple[float, float]] = []

    def note(step: int, info: dict[str, float]) -> None:
        kinetic = len(argon()) * units.kB * info["temperature_K"] / info["volume_A3"]
        seen.append((info["temperature_K"], (kinetic - model.results["stress"][:3].mean()) / units.GPa))

    run_md(argon(), model, settings, on_progress=note, progress_interval=1)
    quarters = np.array([part.mean(axis=0) for part in np.array_split(np.array(seen), 4)])
    np.testing.assert_allclose(quarters[:, 0], [25, 35, 45, 55], atol=2.5)
    np.testing.assert_allclose(quarters[:, 1], [0.3, 0.5, 0.7, 0.9], atol=0.04)


def test_the_nvt_ensemble_follows_a_ramp() -> None:
    settings = MDSettings(
        ensemble="nvt",
        temperature_K=TemperatureRamp.between(20, 60),
        timestep_fs=8,
        steps=2000,
        friction_per_fs=0.02,
    )
    temperatures = run_md(argon(), PairModel(), settings).history["temperature_K"]
    quarters = [part.mean() for part in np.array_split(temperatures, 4)]
    np.testing.assert_allclose(quarters, [25, 35, 45, 55], atol=3)


def test_a_ramp_is_a_function_of_the_step() -> None:
    ramp = TemperatureRamp.between(300, 1500)
    assert [ramp.value(step, 1000) for step in (0, 250, 1000, 1001)] == [300, 600, 1500, 1500]
    assert ramp.model_dump() == {"from": 300, "to": 1500}
