"""Runs that go wrong stop before they leave anything behind."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from model_calculators import PairModel, argon

from alflow.simulation import GradeControl, Guards, MDSettings, run_md


class Collider(PairModel):
    """Pulls the first two atoms together, hard, and may say how near they are."""

    def __init__(self, tells_distance: bool) -> None:
        super().__init__(grade=lambda atoms: 1.0)
        self.tells_distance = tells_distance

    def calculate(self, *args: object, **kwargs: object) -> None:
        super().calculate(*args, **kwargs)  # type: ignore[arg-type]
        assert self.atoms is not None
        separation = self.atoms.get_distance(0, 1, mic=True, vector=True)
        forces = np.zeros((len(self.atoms), 3))
        forces[0], forces[1] = separation, -separation
        self.results["forces"] = forces
        if self.tells_distance:
            self.results["min_distance_A"] = float(np.linalg.norm(separation))


@pytest.mark.parametrize("tells_distance", [True, False])
def test_atoms_too_near_pause_the_run_and_the_frame_is_not_saved(tells_distance: bool) -> None:
    result = run_md(
        argon(),
        Collider(tells_distance),
        MDSettings(ensemble="nve", temperature_K=0, timestep_fs=2, steps=200),
        control=GradeControl(),
        guards=Guards(min_distance_A=2.0, max_temperature_K=None),
    )
    assert result.state == "paused"
    assert "nearer than min_distance_A = 2" in result.reason
    assert result.saved == []
    assert 2.0 <= result.checkpoint.to_atoms().get_distance(0, 1, mic=True) < 2.6
    assert f"step {result.checkpoint.step + 1}:" in result.reason


def test_too_hot_pauses_and_the_frame_is_saved() -> None:
    settings = MDSettings(ensemble="nvt", temperature_K=500, timestep_fs=2, friction_per_fs=0.1, steps=500)
    start = argon()
    start.set_momenta(np.full((32, 3), 1e-3))
    guards = Guards(max_temperature_K=505)
    result = run_md(start, PairModel(lambda atoms: 1.0), settings, control=GradeControl(), guards=guards)
    assert result.state == "paused"
    assert "above max_temperature_K = 505" in result.reason
    assert [frame.info["step"] for frame in result.saved] == [result.checkpoint.step + 1]


def test_the_volume_is_compared_with_the_start_also_after_resuming() -> None:
    def compress(steps: int) -> MDSettings:
        return MDSettings(ensemble="npt", temperature_K=80, pressure_GPa=1.5, timestep_fs=2, steps=steps)

    guards = Guards(max_volume_change=0.1)
    begun = run_md(argon(), PairModel(), compress(15), guards=guards)
    assert begun.state == "finished"
    result = run_md(begun.checkpoint, PairModel(), compress(500), guards=guards)
    assert result.state == "paused"
    assert "beyond max_volume_change = 0.1" in result.reason
    volume = argon().get_volume()
    assert (
        0.88 * volume < result.checkpoint.to_atoms().get_volume() < begun.checkpoint.to_atoms().get_volume()
    )


def test_numbers_that_are_not_finite_pause_the_run() -> None:
    class Broken(PairModel):
        def calculate(self, atoms: Atoms | None = None, *args: object, **kwargs: object) -> None:
            super().calculate(atoms, *args, **kwargs)  # type: ignore[arg-type]
            assert atoms is not None
            if atoms.get_kinetic_energy() > 0 and abs(atoms.positions - argon().positions).max() > 0.05:
                self.results["forces"][3, 1] = np.inf

    result = run_md(argon(), Broken(), MDSettings(ensemble="nvt", temperature_K=80, timestep_fs=4, steps=500))
    assert result.state == "paused"
    assert "not finite" in result.reason
    assert np.isfinite(result.checkpoint.positions).all() and np.isfinite(result.checkpoint.momenta).all()
