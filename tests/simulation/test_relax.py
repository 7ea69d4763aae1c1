from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.constraints import FixAtoms
from model_calculators import FreshEMT, PairModel, argon

from alflow.errors import InputError
from alflow.simulation import CandidateFrames, GradeControl, Guards, Relaxation, relax


def test_cell_and_atoms_reach_the_minimum() -> None:
    copper = bulk("Cu", cubic=True, a=3.75)
    copper.rattle(0.05, seed=1)
    result = relax(copper, FreshEMT(), Relaxation(max_force_eV_A=0.02, max_stress_GPa=0.2))
    assert result.state == "converged"
    assert result.max_force_eV_A < 0.02
    np.testing.assert_allclose(result.atoms.cell.lengths(), 3.59, atol=0.01)
    assert result.atoms.info["step"] == result.steps > 3
    np.testing.assert_array_equal(copper.cell.lengths(), 3.75)


def test_pressure_is_that_of_the_relaxed_cell() -> None:
    result = relax(argon(), PairModel(), Relaxation(max_stress_GPa=1e-3), pressure_GPa=0.5)
    model = PairModel()
    atoms = result.atoms
    atoms.calc = model
    np.testing.assert_allclose(-atoms.get_stress()[:3] / units.GPa, 0.5, atol=1e-3)


def test_cell_and_fixed_atoms_can_be_kept() -> None:
    start = argon()
    start.rattle(0.1, seed=2)
    start.set_constraint(FixAtoms([3]))
    result = relax(start, PairModel(), Relaxation(max_force_eV_A=1e-3), cell=False)
    assert result.state == "converged"
    np.testing.assert_array_equal(result.atoms.cell.array, start.cell.array)
    np.testing.assert_array_equal(result.atoms.positions[3], start.positions[3])


def test_a_relaxation_pauses_in_extrapolation_and_gives_back_the_last_safe_frame() -> None:
    start = argon()
    start.set_cell(start.cell.array * 0.93, scale_atoms=True)
    model = PairModel(lambda atoms: 40 * abs(atoms.cell.volume / start.cell.volume - 1))
    result = relax(start, model, control=GradeControl(gamma_save=1.0, gamma_break=4.0))
    assert result.state == "paused"
    assert "above gamma_break = 4" in result.reason
    grades = [frame.info["extrapolation_grade"] for frame in result.saved]
    assert grades[-1] > 4.0 >= max(grades[:-1]) > 1.0
    assert abs(result.atoms.cell.volume / start.cell.volume - 1) <= 1 / 40
    assert result.atoms.info["step"] < result.saved[0].info["step"]


def test_frames_are_kept_where_one_is_told_to() -> None:
    start = argon()
    start.set_cell(start.cell.array * 0.93, scale_atoms=True)
    model = PairModel(lambda atoms: 40 * abs(atoms.cell.volume / start.cell.volume - 1))
    frames = CandidateFrames(200)
    control = GradeControl(gamma_save=1.0, gamma_break=4.0)
    result = relax(start, model, control=control, frames=frames)
    assert [f.info for f in frames.all()] == [f.info for f in result.saved]


def test_steps_and_requests_end_a_relaxation() -> None:
    start = argon()
    start.rattle(0.1, seed=2)
    short = relax(start, PairModel(), Relaxation(steps=2))
    assert (short.state, short.steps) == ("unconverged", 2)
    assert relax(start, PairModel(), stop_requested=lambda: True).state == "interrupted"
    assert relax(start, PairModel(), guards=Guards(min_distance_A=3.7)).state == "paused"


def test_what_cannot_be_relaxed() -> None:
    cluster = argon()
    cluster.pbc = False
    with pytest.raises(InputError, match="not periodic"):
        relax(cluster, PairModel())
    with pytest.raises(InputError, match="`max_force_eV_A` is 0, but it must be greater than 0"):
        Relaxation(max_force_eV_A=0)
    with pytest.raises(InputError, match="no extrapolation_grade"):
        relax(argon(), PairModel(), control=GradeControl())
