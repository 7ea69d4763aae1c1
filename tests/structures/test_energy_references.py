from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from alflow.structures.energy_references import compare, frames_to_compare, shifted


def labelled(count: int = 6) -> list[Atoms]:
    structures = []
    for number in range(count):
        atoms = bulk("Cu", cubic=True, a=3.6 + 0.02 * number)
        atoms.symbols[: number % 4] = "Pd"
        atoms.rattle(0.05, seed=number)
        atoms.calc = EMT()
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **results)
        structures.append(atoms)
    return structures


def test_a_constant_shift_per_element_is_found_and_taken_back() -> None:
    computed = labelled()
    given = [shifted(atoms, {"Cu": 3.2, "Pd": -1.5}) for atoms in computed]
    found = compare(given, computed)
    assert found.same_physics
    assert not found.same_reference
    assert found.shifts_eV == pytest.approx({"Cu": -3.2, "Pd": 1.5}, abs=1e-9)
    assert "shift them with `initial.energy_shift_eV: {Cu: -3.2000, Pd: 1.5000}`" in found.sentence(
        "x.extxyz"
    )
    again = compare([shifted(atoms, found.shifts_eV) for atoms in given], computed)
    assert again.same_reference
    assert again.sentence("x.extxyz") == ""


def test_another_level_of_theory_is_no_shift() -> None:
    computed, given = labelled(), []
    for atoms in computed:
        other = atoms.copy()
        results = {"energy": 0.8 * atoms.get_potential_energy(), "forces": 0.8 * atoms.get_forces()}
        other.calc = SinglePointCalculator(other, **results)
        given.append(other)
    found = compare(given, computed)
    assert not found.same_physics
    assert "the levels of theory differ" in found.sentence("x.extxyz")


def test_frames_to_compare_have_independent_compositions() -> None:
    structures = labelled()
    chosen = frames_to_compare(structures)
    fractions = [[structures[i].symbols.count(s) for s in ("Cu", "Pd")] for i in chosen]
    assert len(chosen) == 2
    assert np.linalg.matrix_rank(fractions) == 2
    alone = [Atoms("Cu", cell=[9, 9, 9], pbc=True), *structures[::4]]
    assert 0 not in frames_to_compare(alone)
