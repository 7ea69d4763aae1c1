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
from alflow.simulation import Checkpoint, GradeControl, Guards, MDSettings, run_md


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MDSettings(ensemble="nph"), "ensemble is 'nph', but must be one of nve, nvt, npt"),
        (lambda: MDSettings(temperature_K=0), "temperature_K is 0, but must be greater than 0"),
        (lambda: MDSettings(ensemble="nve", temperature_K=-1), "temperature_K is -1, but must be at least 0"),
        (lambda: MDSettings(timestep_fs=-1), "timestep_fs is -1, but must be greater than 0"),
        (lambda: MDSettings(steps=-1), "steps is -1, but must be at least 0"),
        (lambda: MDSettings(pressure_GPa=np.nan), "pressure_GPa is nan, but must be a finite number"),
        (lambda: GradeControl(gamma_save=3, gamma_break=2), "gamma_break is 2, but must be at least 3"),
        (lambda: GradeControl(max_saved=0), "max_saved is 0, but must be at least 1"),
        (lambda: Guards(min_distance_A=0), "min_distance_A is 0, but must be greater than 0"),
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
