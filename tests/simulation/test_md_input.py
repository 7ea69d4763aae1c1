"""What a person may get wrong is said in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms, FixBondLength
from model_calculators import PairModel, argon

from alflow.errors import InputError
from alflow.simulation import (
    Checkpoint,
    GradeControl,
    Guards,
    MDSettings,
    PressureRamp,
    TemperatureRamp,
    run_md,
)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: MDSettings(ensemble="nph"),
            "`ensemble` is 'nph', but it must be 'nve', 'nvt' or 'npt' (ensemble)",
        ),
        (
            lambda: MDSettings(temperature_K=0),
            "temperature_K is 0, but the thermostat of ensemble 'nvt' needs at least 1 K",
        ),
        (
            lambda: MDSettings(ensemble="nve", temperature_K=-1),
            "`temperature_K` is -1, but it must be greater than or equal to 0 "
            "(temperature, K, or a ramp {from, to} over the run)",
        ),
        (
            lambda: MDSettings(temperature_K={"from": 300, "too": 400}),
            "`too` in `temperature_K` is not a known key; did you mean `to`?",
        ),
        (
            lambda: MDSettings(temperature_K={"from": 300}),
            "`temperature_K.to` is missing (temperature at the end, K)",
        ),
        (
            lambda: MDSettings(temperature_K={"from": -300, "to": 300}),
            "`temperature_K.from` is -300, but it must be greater than or equal to 0 "
            "(temperature at the beginning, K)",
        ),
        (
            lambda: MDSettings(temperature_K=TemperatureRamp.between(300, 0)),
            "temperature_K is 0, but the thermostat of ensemble 'nvt' needs at least 1 K",
        ),
        (
            lambda: MDSettings(ensemble="nve", temperature_K=TemperatureRamp.between(300, 400)),
            "temperature_K is a ramp, but ensemble 'nve' has no thermostat; use nvt or npt",
        ),
        (
            lambda: MDSettings(pressure_GPa=PressureRamp.between(0, 1)),
            "pressure_GPa is a ramp, but ensemble 'nvt' has no barostat; use npt",
        ),
        (
            lambda: MDSettings(npt_cell="free"),
            "npt_cell is 'free', but the cell does not change in ensemble 'nvt'",
        ),
        (
            lambda: MDSettings(timestep_fs=-1),
            "`timestep_fs` is -1, but it must be greater than or equal to 0.05 (time step, fs)",
        ),
        (
            lambda: MDSettings(steps=-1),
            "`steps` is -1, but it must be greater than or equal to 0 "
            "(step at which the run ends, counted from its beginning, not from where it resumes)",
        ),
        (
            lambda: MDSettings(pressure_GPa=np.nan),
            "`pressure_GPa` is nan, but it must be a finite number "
            "(pressure (npt), GPa, or a ramp {from, to} over the run)",
        ),
        (
            lambda: GradeControl(gamma_save=3, gamma_break=2),
            "gamma_break = 2 must not be below gamma_save = 3",
        ),
        (
            lambda: GradeControl(max_saved=0),
            "`max_saved` is 0, but it must be greater than or equal to 1 (candidates kept per call; "
            "if there are more, those with the highest grade of each interval of steps)",
        ),
        (
            lambda: Guards(min_distance_A=0),
            "`min_distance_A` is 0, but it must be greater than or equal to 0.1 (closest approach, Å)",
        ),
    ],
)
def test_settings_out_of_range(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value) == message


def changed(**changes: Any) -> Atoms:
    atoms = argon()
    for name, value in changes.items():
        setattr(atoms, name, value)
    return atoms


@pytest.mark.parametrize(
    ("start", "settings", "message"),
    [
        (Atoms(), MDSettings(), "no atoms"),
        (changed(positions=np.full((32, 3), np.nan)), MDSettings(), "not finite"),
        (changed(constraints=[FixBondLength(0, 1)]), MDSettings(), "FixBondLength"),
        (changed(constraints=[FixAtoms([0])]), MDSettings(ensemble="npt"), "fixed atoms"),
        (changed(pbc=(True, True, False)), MDSettings(ensemble="npt"), "not periodic"),
        (argon(), MDSettings(temperature_K=10000), "max_temperature_K"),
        (argon(), MDSettings(temperature_K=TemperatureRamp.between(1, 10000)), "max_temperature_K"),
    ],
)
def test_starts_that_cannot_be_simulated(start: Atoms, settings: MDSettings, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_md(start, PairModel(), settings)


def test_npt_needs_stress() -> None:
    class NoStress(PairModel):
        implemented_properties = ["energy", "forces"]  # noqa: RUF012

    with pytest.raises(InputError, match="gives no stress"):
        run_md(argon(), NoStress(), MDSettings(ensemble="npt"))


@pytest.mark.parametrize("name", ["md.traj", "absent/md.extxyz"])
def test_trajectories_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="trajectory is"):
        run_md(argon(), PairModel(), MDSettings(), trajectory=tmp_path / name)


def test_damaged_checkpoints() -> None:
    data = run_md(argon(), PairModel(), MDSettings(steps=0)).checkpoint.to_dict()
    with pytest.raises(InputError, match="no field 'momenta'"):
        Checkpoint.from_dict({name: value for name, value in data.items() if name != "momenta"})
    with pytest.raises(InputError, match="damaged"):
        Checkpoint.from_dict({**data, "step": "many"})
    with pytest.raises(InputError, match=r"both must be \(32, 3\)"):
        Checkpoint.from_dict({**data, "positions": data["positions"][:5]})
