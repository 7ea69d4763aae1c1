"""Batches whose cells are fixed: any periodicity, and atoms that do not move."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixedPlane

from alflow.potentials import FitSettings, Potential, PotentialCalculator
from alflow.potentials.registry import POTENTIALS
from alflow.simulation import GradedPotential, Relaxation, relax_batch

CRYSTAL = bulk("Cu", cubic=True, a=3.7).repeat((2, 1, 1))


@pytest.fixture(scope="module")
def potential() -> Potential:
    """One that has minima where EMT has them, more or less."""
    random = np.random.default_rng(0)
    labelled = []
    for number in range(12):
        atoms = CRYSTAL.copy()
        atoms.pbc = (True, True, number % 2)
        atoms.set_cell(atoms.cell * random.uniform(0.92, 1.04), scale_atoms=True)
        atoms.positions += random.normal(scale=0.1, size=atoms.positions.shape)
        atoms.calc = EMT()
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **results)
        labelled.append(atoms)
    kind = POTENTIALS.get("mtp")
    form = kind.Settings(level=4, cutoff_A=5.0)
    fitted: Potential = kind.fit(
        labelled, species=["Cu"], form=form, settings=FitSettings(max_iterations=30)
    ).potential
    return fitted


def test_each_comes_to_the_minimum_of_ase(potential: Potential) -> None:
    slab, cluster, tied, crystal = (CRYSTAL.copy() for _ in range(4))
    for seed, atoms in enumerate((slab, cluster, tied, crystal)):
        atoms.rattle(0.05, seed=seed)
    slab.pbc = (True, True, False)
    slab.cell[2] *= 2
    cluster.pbc, cluster.cell = False, np.zeros((3, 3))
    tied.set_constraint(FixAtoms([0, 3]))
    starts = [slab, cluster, tied, crystal]
    tight = Relaxation(max_force_eV_A=1e-4, steps=3000)
    results = sorted(
        relax_batch(starts, GradedPotential(potential), settings=tight, cell=False), key=lambda r: r.index
    )
    for start, result in zip(starts, results, strict=True):
        assert (result.state, result.max_stress_GPa) == ("converged", 0.0)
        np.testing.assert_array_equal(result.atoms.cell.array, start.cell.array)
        assert (result.atoms.pbc == start.pbc).all()
        peer = result.atoms.copy()
        peer.calc = PotentialCalculator(potential)
        assert np.linalg.norm(peer.get_forces(), axis=1).max() == pytest.approx(
            result.max_force_eV_A, abs=1e-9
        )
        assert peer.get_potential_energy() == pytest.approx(result.energy_eV, abs=1e-9)
        start.calc = PotentialCalculator(potential)
        assert result.energy_eV < start.get_potential_energy() - 1e-4
    np.testing.assert_array_equal(results[2].atoms.positions[[0, 3]], tied.positions[[0, 3]])


def test_other_constraints_are_refused(potential: Potential) -> None:
    plane, fixed = CRYSTAL.copy(), CRYSTAL.copy()
    plane.set_constraint(FixedPlane([0], (0, 0, 1)))
    fixed.set_constraint(FixAtoms([0]))
    (result,) = relax_batch([plane], GradedPotential(potential), cell=False)
    assert (result.state, result.reason) == ("guarded", "only FixAtoms is supported, but there is FixedPlane")
    (result,) = relax_batch([fixed], GradedPotential(potential))
    assert result.reason == "the cell is to be relaxed, but atoms have constraints"
