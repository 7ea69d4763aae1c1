from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import given
from hypothesis import strategies as st

from qm_interfaces import LabelLimits, QMResult, Reference, validate
from qm_interfaces.validation import energy_score

LIMITS = LabelLimits()
ATOMS = bulk("CuAu", "cesiumchloride", a=3.1) * (2, 1, 1)


def good(atoms: Atoms = ATOMS) -> QMResult:
    forces = np.random.default_rng(0).normal(size=(len(atoms), 3))
    return QMResult(
        -3.5 * len(atoms), forces - forces.mean(axis=0), np.zeros(6), "code", "1", computed=atoms.copy()
    )


def references(count: int, spread_eV: float = 0.01) -> list[Reference]:
    draws = np.random.default_rng(1)
    chosen = []
    for _ in range(count):
        numbers = draws.choice([29, 79], size=8)
        energy = np.where(numbers == 29, -3.0, -4.0).sum() + 8 * draws.normal(scale=spread_eV)
        volume = np.where(numbers == 29, 11.8, 17.0).sum() * draws.uniform(0.9, 1.1)
        chosen.append(Reference(numbers, energy, volume))
    return chosen


def test_a_good_label_passes() -> None:
    assert validate(ATOMS, good(), LIMITS, references(50)) == []
    assert validate(ATOMS, replace(good(), stress_eV_A3=None, computed=None), LIMITS) == []


@pytest.mark.parametrize("field", ["energy_eV", "forces_eV_A", "stress_eV_A3"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none(field: str, value: float) -> None:
    result = good()
    if field == "energy_eV":
        result = replace(result, energy_eV=value)
    else:
        getattr(result, field)[0] = value
    assert validate(ATOMS, result, LIMITS) == ["energy, forces or stress are not finite numbers"]


def test_forces() -> None:
    result = good()
    result.forces_eV_A[2] += [0, 60.0, 0]
    large, net = validate(ATOMS, result, LIMITS)
    assert "atom 2" in large
    assert "mean force" in net
    assert "shape" in validate(ATOMS, replace(result, forces_eV_A=np.zeros((3, 3))), LIMITS)[0]


def test_atoms_too_close_through_the_boundary() -> None:
    atoms = Atoms("Cu2", positions=[[0, 0, 0.1], [0, 0, 3.9]], cell=[4, 4, 4], pbc=True)
    assert validate(atoms, good(atoms), LIMITS)[0].startswith("two atoms are 0.2 Å apart")
    atoms.pbc = False
    assert validate(atoms, good(atoms), LIMITS) == []


def test_structure_as_computed() -> None:
    def reasons(change: Atoms) -> list[str]:
        return validate(ATOMS, replace(good(), computed=change), LIMITS)

    wrapped = ATOMS.copy()
    wrapped.positions[1] -= wrapped.cell[0] + 2 * wrapped.cell[2]
    assert reasons(wrapped) == []
    swapped = ATOMS[[2, 1, 0, 3]]
    assert reasons(swapped) == ["the code moved or reordered the atoms"]
    assert reasons(ATOMS[[1, 0, 2, 3]]) == ["the code changed the order of the species"]
    assert "not" in reasons(ATOMS[:2])[0]
    strained = ATOMS.copy()
    strained.set_cell(strained.cell.array * 1.01)
    assert reasons(strained) == ["the code changed the cell"]


def test_energy_outlier() -> None:
    known = references(50)
    shifted = replace(good(), energy_eV=good().energy_eV + len(ATOMS) * 1.0)
    assert "outlier" in validate(ATOMS, shifted, LIMITS, known)[0]
    assert validate(ATOMS, shifted, LIMITS, known[:5]) == []  # too few to judge
    assert (
        validate(ATOMS, shifted, LIMITS, [Reference(np.array([29]), -3.0)] * 20) == []
    )  # no gold among them


@pytest.mark.parametrize(("scale", "good_label"), [(0.65, True), (1.5, True), (0.55, False), (1.8, False)])
def test_volume_outlier(scale: float, good_label: bool) -> None:
    atoms = ATOMS.copy()
    atoms.set_cell(atoms.cell.array * scale, scale_atoms=True)
    limits = LIMITS.model_copy(update={"min_distance_A": 0.1})
    reasons = validate(atoms, good(atoms), limits, references(50))
    assert reasons == [] if good_label else "volume" in reasons[0]
    atoms.pbc = False
    assert validate(atoms, good(atoms), limits, references(50)) == []


def test_a_labelled_structure_is_a_reference() -> None:
    for pbc, volume_A3 in ((True, ATOMS.get_volume()), ((True, True, False), None)):
        atoms = ATOMS.copy()
        atoms.pbc = pbc
        atoms.calc = SinglePointCalculator(atoms, energy=-14.0)
        entry = Reference.of(atoms)
        assert (entry.energy_eV, entry.volume_A3) == (-14.0, volume_A3)


def test_the_score_is_robust_to_bad_references() -> None:
    known = references(50)
    spoiled = [*known[:-3], *(replace(entry, energy_eV=800.0) for entry in known[-3:])]
    before = energy_score(ATOMS.numbers, -13.0, known, 0.02)
    after = energy_score(ATOMS.numbers, -13.0, spoiled, 0.02)
    assert before == pytest.approx(0.25 / 0.02, rel=0.1)
    assert after == pytest.approx(before, rel=0.2)


@given(shift_eV=st.floats(-100, 100), count=st.integers(10, 30))
def test_the_score_does_not_depend_on_the_zero_of_energy(shift_eV: float, count: int) -> None:
    known = references(count)
    moved = [Reference(entry.numbers, entry.energy_eV + shift_eV * len(entry.numbers)) for entry in known]
    score = energy_score(ATOMS.numbers, -13.0, known, 0.02)
    other = energy_score(ATOMS.numbers, -13.0 + shift_eV * len(ATOMS), moved, 0.02)
    assert other == pytest.approx(score, abs=1e-3)
