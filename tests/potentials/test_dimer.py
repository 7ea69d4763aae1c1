from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from alflow.potentials import evaluate
from alflow.potentials.dimer import dimer_curves
from alflow.potentials.mtp import Core, MomentTensorPotential
from alflow.selection import ActiveSet


def test_curves_of_each_pair_of_elements() -> None:
    core = Core(np.full((2, 2), 0.9), np.full((2, 2), 1.8))
    potential = MomentTensorPotential.random(["Cu", "Li"], 6, 5.0, min_distance_A=1.8, core=core)
    trained = [Atoms("CuLi", [[0, 0, 0], [0, 0, r]]) for r in np.linspace(2.0, 4.9, 30)]
    curves = dimer_curves(potential, ActiveSet.from_structures(potential, trained), count=20)
    assert [curve.elements for curve in curves] == [("Cu", "Cu"), ("Cu", "Li"), ("Li", "Li")]
    curve = curves[1]
    assert curve.core_A == (0.9, 1.8)
    assert curve.grades is not None and curve.grades.shape == (20,)
    dimer = Atoms("CuLi", [[0, 0, 0], [curve.distances_A[7], 0, 0]])
    result = evaluate(potential, [dimer])
    alone = potential.species_energies_eV.sum()
    assert curve.energies_eV[7] == pytest.approx(result.energy[0] - alone)
    assert result.forces is not None and curve.forces_eV_A[7] == pytest.approx(result.forces[1, 0])
    assert curve.energies_eV[-1] == 0 and curve.forces_eV_A[-1] == 0
    # the force is the slope of the curve
    fine = dimer_curves(potential, shortest_A=1.0, longest_A=2.0, count=2001)[1]
    slope = np.gradient(fine.energies_eV, fine.distances_A)
    assert -slope[1:-1] == pytest.approx(fine.forces_eV_A[1:-1], rel=1e-4, abs=1e-4)
