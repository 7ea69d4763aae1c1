"""An interrupted and resumed run is the uninterrupted one, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bson
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms
from model_calculators import FreshEMT, PairModel, argon, farthest_displacement, same_state

from alflow.simulation import Checkpoint, GradeControl, MDSettings, PressureRamp, TemperatureRamp, run_md

STEPS = 40
ENSEMBLES = ["nve", "nvt", "npt", "npt-axes", "npt-free"]


def settings(ensemble: str, steps: int = STEPS) -> MDSettings:
    """Of an ensemble, and behind it the kind of cell."""
    ensemble, _, npt_cell = ensemble.partition("-")
    return MDSettings(
        ensemble=ensemble,
        npt_cell=npt_cell or "isotropic",
        temperature_K=80,
        pressure_GPa=0.05,
        timestep_fs=5,
        steps=steps,
        seed=3,
    )


def through_bson(checkpoint: Checkpoint) -> Checkpoint:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        return value.tolist() if isinstance(value, np.ndarray) else value

    return Checkpoint.from_dict(bson.decode(bson.encode(plain(checkpoint.to_dict()))))


def stop_after(checks: int) -> Callable[[], bool]:
    answers: Iterator[bool] = iter([False] * checks + [True])
    return lambda: next(answers)


@pytest.mark.parametrize("ensemble", ENSEMBLES)
@pytest.mark.parametrize("interruption", [0, 1, 17, STEPS - 1])
def test_resuming_continues_the_very_trajectory(ensemble: str, interruption: int) -> None:
    whole = run_md(argon(), PairModel(), settings(ensemble))
    part = run_md(argon(), PairModel(), settings(ensemble), stop_requested=stop_after(interruption))
    assert (part.state, part.checkpoint.step) == ("interrupted", interruption)
    resumed = run_md(through_bson(part.checkpoint), PairModel(), settings(ensemble))
    assert resumed.state == "finished"
    assert same_state(resumed.checkpoint, whole.checkpoint)
    assert not np.array_equal(whole.checkpoint.positions, argon().positions)


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_interrupting_at_every_step_changes_nothing(ensemble: str) -> None:
    whole = run_md(argon(), PairModel(), settings(ensemble, 12))
    checkpoint: Atoms | Checkpoint = argon()
    for _ in range(12):
        checkpoint = run_md(
            checkpoint, PairModel(), settings(ensemble, 12), stop_requested=stop_after(1)
        ).checkpoint
    assert isinstance(checkpoint, Checkpoint)
    assert same_state(checkpoint, whole.checkpoint)


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_a_real_potential_resumes_exactly(ensemble: str) -> None:
    copper = bulk("Cu", cubic=True)
    whole = run_md(copper, FreshEMT(), settings(ensemble, 20))
    part = run_md(copper, FreshEMT(), settings(ensemble, 9))
    assert same_state(
        run_md(part.checkpoint, FreshEMT(), settings(ensemble, 20)).checkpoint, whole.checkpoint
    )


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_a_run_paused_in_extrapolation_loses_nothing_by_it(ensemble: str) -> None:
    """Retraining that only makes the grades lower leaves the trajectory as it would have been."""
    whole = run_md(argon(), PairModel(), settings(ensemble))
    strict = PairModel(farthest_displacement(60.0))
    paused = run_md(argon(), strict, settings(ensemble), control=GradeControl())
    assert paused.state == "paused"
    assert 0 < paused.checkpoint.step < int(paused.saved[0].info["step"])
    lenient = PairModel(farthest_displacement(0.1))
    resumed = run_md(paused.checkpoint, lenient, settings(ensemble), control=GradeControl())
    assert same_state(resumed.checkpoint, whole.checkpoint)


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_fixed_atoms_stay_and_the_run_resumes_exactly(ensemble: str) -> None:
    start = argon()
    start.set_constraint(FixAtoms([0, 5]))
    whole = run_md(start, PairModel(), settings(ensemble))
    part = run_md(start, PairModel(), settings(ensemble, 11))
    resumed = run_md(through_bson(part.checkpoint), PairModel(), settings(ensemble))
    assert same_state(resumed.checkpoint, whole.checkpoint)
    np.testing.assert_array_equal(resumed.checkpoint.positions[[0, 5]], start.positions[[0, 5]])


def test_isotopes_are_kept() -> None:
    start = argon()
    start.set_masses(np.linspace(36, 42, len(start)))
    part = run_md(start, PairModel(), settings("nvt", 5))
    resumed = run_md(through_bson(part.checkpoint), PairModel(), settings("nvt"))
    assert same_state(resumed.checkpoint, run_md(start, PairModel(), settings("nvt")).checkpoint)


def test_the_trajectory_of_a_resumed_run_is_that_of_the_whole(tmp_path: Path) -> None:
    """Even where the file has frames beyond the checkpoint and ends amid one, as after a kill."""
    whole, resumed = tmp_path / "whole.extxyz", tmp_path / "resumed.extxyz"
    run_md(argon(), PairModel(), settings("nvt"), trajectory=whole, trajectory_interval=5)
    checkpoint = run_md(argon(), PairModel(), settings("nvt", 12)).checkpoint
    run_md(argon(), PairModel(), settings("nvt", 30), trajectory=resumed, trajectory_interval=5)
    resumed.write_bytes(resumed.read_bytes()[:-100])
    run_md(checkpoint, PairModel(), settings("nvt"), trajectory=resumed, trajectory_interval=5)
    assert resumed.read_text() == whole.read_text()


@pytest.mark.parametrize("npt_cell", ["isotropic", "axes", "free"])
def test_ramps_resume_exactly(npt_cell: str) -> None:
    ramps = MDSettings(
        ensemble="npt",
        npt_cell=npt_cell,
        temperature_K=TemperatureRamp.between(20, 120),
        pressure_GPa=PressureRamp.between(0.5, 0.0),
        timestep_fs=5,
        steps=STEPS,
    )
    whole = run_md(argon(), PairModel(), ramps)
    part = run_md(argon(), PairModel(), ramps, stop_requested=stop_after(13))
    resumed = run_md(through_bson(part.checkpoint), PairModel(), ramps)
    assert same_state(resumed.checkpoint, whole.checkpoint)


def test_a_checkpoint_of_an_earlier_release_goes_on() -> None:
    """It had the momentum of an isotropic barostat, and the force on it."""
    part = run_md(argon(), PairModel(), settings("npt", 17)).checkpoint
    whole = run_md(argon(), PairModel(), settings("npt"))
    old = part.to_dict()
    old["barostat"] = {"momentum": float(old.pop("cell_momenta")[0]), "force": 1.0}
    assert same_state(
        run_md(Checkpoint.from_dict(old), PairModel(), settings("npt")).checkpoint, whole.checkpoint
    )
    fixed = run_md(argon(), PairModel(), settings("nvt", 17)).checkpoint
    old = fixed.to_dict()
    old["barostat"] = {}
    del old["cell_momenta"]
    assert same_state(Checkpoint.from_dict(old), fixed)


def test_a_run_goes_on_with_another_kind_of_cell() -> None:
    """Its barostat begins at rest."""
    part = run_md(argon(), PairModel(), settings("npt", 17)).checkpoint
    result = run_md(part, PairModel(), settings("npt-free"))
    assert (result.state, len(result.checkpoint.cell_momenta)) == ("finished", 6)
