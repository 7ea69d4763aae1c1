from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from structures import awkward, potential

from alflow.errors import InputError
from alflow.potentials import PotentialCalculator, evaluate
from alflow.potentials.mtp import write_mtp
from alflow.selection import ActiveSet

COPIES: dict[str, Callable] = {"pickle": lambda x: pickle.loads(pickle.dumps(x)), "deepcopy": copy.deepcopy}  # noqa: S301


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


def graded_slab(mode="neighborhood"):
    """A structure with a calculator that has been used."""
    atoms, mtp = awkward(2)["slab"], potential(8, 2)
    trained = [atoms.copy() for _ in range(30)]
    for seed, structure in enumerate(trained):
        structure.rattle(0.1, seed=seed)
    atoms.calc = PotentialCalculator(mtp, active_set=ActiveSet.from_structures(mtp, trained, mode))
    atoms.get_potential_energy()
    return atoms


def assert_same_results(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("how", COPIES)
def test_a_copied_potential_gives_the_same_numbers(how):
    mtp, structures = potential(10, 3), list(awkward(3).values())
    before = COPIES[how](mtp)  # never used
    expected = evaluate(mtp, structures, gradients=True)
    for copied in (before, COPIES[how](mtp)):
        result = evaluate(copied, structures, gradients=True)
        for name in ("energies", "forces", "virials", "gradients", "min_distances_A"):
            np.testing.assert_array_equal(getattr(result, name), getattr(expected, name))
        np.testing.assert_array_equal(copied.identity, mtp.identity)


@pytest.mark.parametrize("mode", ["configuration", "neighborhood"])
@pytest.mark.parametrize("how", COPIES)
def test_a_copied_calculator_gives_the_same_numbers(how, mode):
    atoms = graded_slab(mode)
    calculator = atoms.calc
    copied = COPIES[how](calculator)
    assert_same_results(copied.results, calculator.results)
    assert not copied.calculation_required(atoms, ["energy"])
    atoms.positions += 0.05 * np.random.default_rng(0).normal(size=atoms.positions.shape)
    for each in (copied, calculator):
        each.calculate(atoms)
    assert_same_results(copied.results, calculator.results)
    assert copied.results["extrapolation_grade"] > 0
    copied.grades_wanted = False
    assert calculator.grades_wanted


@pytest.mark.parametrize("how", COPIES)
def test_a_structure_is_copied_with_its_calculator(how):
    atoms = graded_slab()
    expected = copy.deepcopy(atoms.calc.results)
    copied = COPIES[how](atoms)
    assert copied.calc is not atoms.calc
    assert_same_results(copied.calc.results, expected)
    copied.positions[0, 0] += 0.1
    assert copied.get_potential_energy() != expected["energy"]
    assert_same_results(atoms.calc.results, expected)
    copied.positions[0] = atoms.positions[0]
    copied.get_potential_energy()
    assert_same_results(copied.calc.results, expected)


def test_a_structure_goes_through_a_process_pool():
    atoms = graded_slab()
    moved = atoms.copy()
    moved.positions += 0.05 * np.random.default_rng(0).normal(size=moved.positions.shape)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with_calculator = pool.submit(Atoms.get_forces, atoms).result()
        other = pool.submit(PotentialCalculator.get_forces, atoms.calc, moved).result()
        grades = pool.submit(
            PotentialCalculator.get_property, atoms.calc, "extrapolation_grades", moved
        ).result()
    np.testing.assert_array_equal(with_calculator, atoms.get_forces())
    np.testing.assert_array_equal(other, atoms.calc.get_forces(moved))
    np.testing.assert_array_equal(grades, atoms.calc.get_property("extrapolation_grades", moved))


@pytest.mark.parametrize("mode", ["configuration", "neighborhood"])
def test_grades_that_are_not_wanted_are_left_out(mode):
    atoms = graded_slab(mode)
    graded = dict(atoms.calc.results)
    atoms.calc.grades_wanted = False
    atoms.calc.calculate(atoms)
    assert graded.keys() - atoms.calc.results.keys() >= {"extrapolation_grade"}
    assert not any(name.startswith("extrapolation") for name in atoms.calc.results)
    for name, value in atoms.calc.results.items():
        np.testing.assert_allclose(value, graded[name], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(atoms.calc.results["forces"], graded["forces"], rtol=1e-12, atol=1e-13)


def test_a_grade_that_is_wanted_again_is_computed_for_the_same_structure():
    atoms = graded_slab()
    grade = atoms.calc.results["extrapolation_grade"]
    atoms.calc.grades_wanted = False
    atoms.calc.calculate(atoms)
    atoms.calc.grades_wanted = True
    assert atoms.calc.get_property("extrapolation_grade", atoms) == grade
