from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from structures import awkward, potential

from alflow.errors import InputError
from alflow.potentials import PotentialCalculator, evaluate
from alflow.potentials.mtp import write_mtp


class LargestEntry:
    """Stands for an active set: the grade is the largest entry of a row."""

    def __init__(self, mode):
        self.mode = mode
        self.grade_matrix = np.eye(potential(8).parameter_count)

    def check_belongs_to(self, potential):
        pass

    def grades(self, rows):
        return np.abs(rows).max(axis=1)


def test_forces_and_stress_are_derivatives_of_the_energy():
    atoms = awkward(2)["skewed cell"]
    atoms.calc = PotentialCalculator(potential(10, 2))
    forces, stress = atoms.get_forces(), atoms.get_stress()
    np.testing.assert_allclose(
        calculate_numerical_forces(atoms, eps=1e-4), forces, atol=1e-6 * np.abs(forces).max()
    )
    np.testing.assert_allclose(
        calculate_numerical_stress(atoms, eps=1e-5), stress, atol=1e-6 * np.abs(stress).max()
    )
    assert atoms.get_potential_energy() == pytest.approx(atoms.get_potential_energies().sum())


def test_a_file_and_a_potential_are_the_same(tmp_path):
    mtp = potential(8)
    write_mtp(tmp_path / "p.mtp", mtp)
    atoms = awkward()["slab"]
    energies = []
    for source in (mtp, tmp_path / "p.mtp"):
        atoms.calc = PotentialCalculator(source, ["Cu"])
        energies.append(atoms.get_potential_energy())
    assert energies[0] == energies[1]


def test_results_follow_the_structure():
    atoms = awkward()["slab"]
    atoms.calc = PotentialCalculator(potential(8))
    before = atoms.get_potential_energy()
    atoms.positions[0, 0] += 0.1
    assert atoms.get_potential_energy() != before
    atoms.get_forces()[:] = 0
    assert np.abs(atoms.get_forces()).max() > 0


def test_a_structure_that_cannot_be_evaluated_leaves_no_results_behind():
    atoms = awkward()["slab"]
    atoms.calc = PotentialCalculator(potential(8))
    energy = atoms.get_potential_energy()
    x = atoms.positions[0, 0]
    atoms.positions[0, 0] = np.nan
    for _ in range(2):
        with pytest.raises(InputError, match="not a finite number"):
            atoms.get_potential_energy()
    assert atoms.calc.atoms is None
    atoms.positions[0, 0] = x
    assert atoms.get_potential_energy() == energy
    np.testing.assert_array_equal(atoms.calc.atoms.positions, atoms.positions)


def test_a_structure_without_atoms_has_no_energy():
    atoms = Atoms(cell=np.eye(3), pbc=True, calculator=PotentialCalculator(potential(8)))
    assert atoms.get_potential_energy() == 0


@pytest.mark.parametrize("mode", ["configuration", "neighborhood"])
def test_grades_come_with_an_active_set(mode):
    atoms = awkward()["slab"]
    atoms.calc = PotentialCalculator(potential(8), active_set=LargestEntry(mode))
    atoms.get_potential_energy()
    assert atoms.calc.results["extrapolation_grade"] > 0
    assert ("extrapolation_grades" in atoms.calc.results) == (mode == "neighborhood")
    rows = evaluate(potential(8), [atoms], gradients=True).gradients
    if mode == "neighborhood":
        np.testing.assert_allclose(atoms.calc.results["extrapolation_grades"], np.abs(rows).max(axis=1))
    else:
        assert atoms.calc.results["extrapolation_grade"] == pytest.approx(np.abs(rows.mean(axis=0)).max())


def test_what_the_calculator_lacks():
    atoms = awkward()["slab"]
    atoms.calc = PotentialCalculator(potential(8))
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_charges()
    with pytest.raises(PropertyNotImplementedError, match="active set"):
        atoms.calc.get_property("extrapolation_grade", atoms)
