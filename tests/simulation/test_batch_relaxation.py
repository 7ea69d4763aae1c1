from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.filters import FrechetCellFilter
from ase.optimize import LBFGS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from alflow.errors import InputError
from alflow.potentials import FitSettings, FlatStructures, PotentialCalculator
from alflow.potentials.mtp import MomentTensorPotential, MTPSettings, fit
from alflow.selection import ActiveSet
from alflow.simulation import (
    BatchForces,
    BatchResult,
    GradeControl,
    GradedPotential,
    Guards,
    Relaxation,
    relax_batch,
)

TIGHT = Relaxation(max_force_eV_A=1e-4, max_stress_GPa=1e-3)


def crystals() -> list[Atoms]:
    """One and several atoms, one and two species, a skewed cell, a supercell; strained and displaced."""
    random = np.random.default_rng(0)
    skewed = bulk("Cu", "fcc", a=3.7)
    skewed.set_cell([[1, 0, 0], [3, 1, 0], [-2, 1, 1]] @ skewed.cell.array)
    found = [
        bulk("Cu", "fcc", a=3.75),
        bulk("Pd", "fcc", a=3.8),
        skewed,
        bulk("CuPd", "cesiumchloride", a=3.1),
        bulk("Pd", "fcc", a=3.8, cubic=True),
        bulk("Cu", "fcc", a=3.7, cubic=True).repeat((2, 1, 1)),
    ]
    found[4].symbols[:2] = "Cu"
    found[5].symbols[[0, 5]] = "Pd"
    for atoms in found:
        strain = 0.02 * random.normal(size=(3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain + strain.T), scale_atoms=True)
        atoms.positions += 0.05 * random.normal(size=atoms.positions.shape)
    return found


@pytest.fixture(scope="module")
def training() -> list[Atoms]:
    """Labelled crystals on the way from the start to the minimum, and around both."""
    random = np.random.default_rng(1)
    labelled = []
    for start in crystals() * 4:
        atoms = start.copy()
        strain = 0.03 * random.normal(size=(3, 3))
        scale = random.uniform(0.95, 1.0)
        atoms.set_cell(atoms.cell.array @ (scale * np.eye(3) + strain + strain.T), scale_atoms=True)
        atoms.positions += 0.05 * random.normal(size=atoms.positions.shape)
        atoms.calc = EMT()
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **results, stress=atoms.get_stress())
        labelled.append(atoms)
    return labelled


@pytest.fixture(scope="module")
def potential(training: list[Atoms]) -> MomentTensorPotential:
    form = MTPSettings(level=6, cutoff_A=5.0, radial_basis_size=6)
    quick = FitSettings(max_iterations=30)
    return fit(training, species=["Cu", "Pd"], form=form, settings=quick).potential


class FromCalculators:
    """A batch potential that asks an ASE calculator for one structure after the other."""

    def __init__(self, grade: Callable[[Atoms], float] | None = None) -> None:
        self.grade = grade

    def __call__(self, structures: FlatStructures) -> BatchForces:
        each = [structures.part(k, k + 1) for k in range(len(structures))]
        crystals = [Atoms(s.numbers, s.positions, cell=s.cells[0], pbc=True, calculator=EMT()) for s in each]
        return BatchForces(
            energies_eV=np.array([atoms.get_potential_energy() for atoms in crystals]),
            forces_eV_A=np.concatenate([atoms.get_forces() for atoms in crystals]),
            virials_eV=np.array([atoms.get_stress(voigt=False) * atoms.cell.volume for atoms in crystals]),
            min_distances_A=np.full(len(crystals), 2.0),
            grades=np.array([self.grade(atoms) for atoms in crystals]) if self.grade else None,
        )


def relaxed(*args: object, **options: object) -> list[BatchResult]:
    results = list(relax_batch(*args, **options))  # type: ignore[arg-type]
    return sorted(results, key=lambda result: result.index)


@pytest.mark.parametrize("pressure_GPa", [0.0, 8.0])
def test_minima_are_those_of_ase(potential: MomentTensorPotential, pressure_GPa: float) -> None:
    settings = Relaxation(max_force_eV_A=1e-3, max_stress_GPa=1e-2)
    starts = crystals()[2:5]  # one atom in a skewed cell, two and four atoms of two species
    results = relaxed(starts, GradedPotential(potential), settings=settings, pressure_GPa=pressure_GPa)
    for atoms, result in zip(starts, results, strict=True):
        assert (result.state, result.reason) == ("converged", "")
        atoms.calc = PotentialCalculator(potential)
        with LBFGS(FrechetCellFilter(atoms, scalar_pressure=pressure_GPa * units.GPa), logfile=None) as peer:
            assert peer.run(fmax=1e-3, steps=500)
        work = pressure_GPa * units.GPa * (result.atoms.cell.volume - atoms.cell.volume)
        assert result.energy_eV + work == pytest.approx(atoms.get_potential_energy(), abs=1e-5 * len(atoms))
        assert result.atoms.cell.volume == pytest.approx(atoms.cell.volume, rel=1e-3)
        found = result.atoms.copy()
        found.calc = PotentialCalculator(potential)
        assert found.get_potential_energy() == pytest.approx(result.energy_eV, abs=1e-10)
        assert np.abs(found.get_forces()).max() <= result.max_force_eV_A + 1e-9 <= 1.1e-3
        stress = found.get_stress(voigt=False) / units.GPa + pressure_GPa * np.eye(3)
        assert np.abs(stress).max() == pytest.approx(result.max_stress_GPa, abs=1e-7)


def test_structures_do_not_see_each_other() -> None:
    """Bit for bit, where the potential's numbers are a function of the structure alone."""
    starts = crystals()
    order = [4, 0, 3, 1, 5, 2]
    alone = relaxed(starts, FromCalculators(), batch_size=1)
    together = relaxed([starts[k] for k in order], FromCalculators(), batch_size=4)
    for place, k in enumerate(order):
        assert alone[k].steps == together[place].steps
        assert alone[k].energy_eV == together[place].energy_eV
        np.testing.assert_array_equal(alone[k].atoms.positions, together[place].atoms.positions)
        np.testing.assert_array_equal(alone[k].atoms.cell.array, together[place].atoms.cell.array)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 5), st.integers(0, 2**31), st.sampled_from([(1, 1, 1), (2, 1, 1), (1, 1, 3)]))
def test_rotations_translations_and_supercells_change_nothing(
    potential: MomentTensorPotential, which: int, seed: int, repeat: tuple[int, int, int]
) -> None:
    random = np.random.default_rng(seed)
    rotation = Rotation.random(rng=random).as_matrix()
    start = crystals()[which]
    other = start.repeat(repeat)
    other.set_cell(other.cell.array @ rotation, scale_atoms=True)
    other.positions += random.normal(scale=5, size=3)
    other = other[random.permutation(len(other))]
    one, two = relaxed([start, other], GradedPotential(potential), settings=TIGHT)
    assert one.state == two.state == "converged"
    count = int(np.prod(repeat))
    assert two.energy_eV == pytest.approx(count * one.energy_eV, abs=1e-6 * len(other))
    assert two.atoms.cell.volume == pytest.approx(count * one.atoms.cell.volume, rel=1e-4)


def test_what_is_relaxed_needs_no_step_and_what_is_not_stops_at_the_limit(
    potential: MomentTensorPotential,
) -> None:
    model = GradedPotential(potential)
    first = relaxed(crystals(), model, settings=TIGHT)
    again = relaxed([result.atoms for result in first], model, settings=TIGHT)
    assert [result.steps for result in again] == [0] * len(first)
    assert {result.state for result in again} == {"converged"}
    short = relaxed(crystals(), model, settings=Relaxation(max_force_eV_A=1e-4, steps=2))
    assert {(result.state, result.reason) for result in short} == {
        ("unconverged", "step 2: all 2 steps are done")
    }


def test_bad_structures_are_set_aside_and_the_others_go_on(potential: MomentTensorPotential) -> None:
    starts = crystals()
    flat, cluster, fixed, missing, same, near, nothing = (starts[4].copy() for _ in range(7))
    flat.set_cell(np.diag([3.8, 3.8, 0]))
    cluster.pbc = False
    fixed.set_constraint(FixAtoms([0]))
    missing.symbols[1] = "Au"
    same.positions[1] = same.positions[0]
    near.positions[1] = near.positions[0] + [0, 0, 0.3]
    nothing.positions[0] = np.nan
    bad = {
        "not periodic in three directions": [flat, cluster],
        "atoms have constraints": [fixed],
        "the potential has no species Au": [missing],
        "two atoms are at the same place": [same],
        "nearer than min_distance_A = 0.5": [near],
        "not finite": [nothing],
    }
    results = relaxed([*starts, *chain.from_iterable(bad.values())], GradedPotential(potential))
    assert [result.state for result in results] == ["converged"] * 6 + ["guarded"] * 7
    reasons = iter(result.reason for result in results[6:])
    for text, group in bad.items():
        for _ in group:
            assert text in next(reasons)


def test_an_explosion_is_guarded(potential: MomentTensorPotential) -> None:
    def pulled_apart(structures: FlatStructures) -> BatchForces:
        count = len(structures)
        volumes = np.linalg.det(structures.cells)
        return BatchForces(
            energies_eV=-volumes,
            forces_eV_A=np.zeros_like(structures.positions),
            virials_eV=-volumes[:, None, None] * np.eye(3),
            min_distances_A=np.full(count, 2.0),
        )

    (result,) = relaxed([bulk("Cu")], pulled_apart)
    assert result.state == "guarded"
    assert "beyond max_volume_change = 0.5" in result.reason
    (free,) = relaxed([bulk("Cu")], pulled_apart, guards=Guards(max_volume_change=None))
    assert (free.state, free.steps) == ("unconverged", 500)


def test_forces_that_contradict_the_energy_end_with_a_reason() -> None:
    def uphill(structures: FlatStructures) -> BatchForces:
        right = FromCalculators()(structures)
        return BatchForces(
            right.energies_eV, -right.forces_eV_A, -right.virials_eV, right.min_distances_A, right.grades
        )

    (result,) = relaxed([bulk("Cu", a=3.8)], uphill)
    assert result.state == "unconverged"
    assert "no step lowers the energy" in result.reason


@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
def test_grades_are_those_of_the_calculator(
    potential: MomentTensorPotential, training: list[Atoms], mode: str
) -> None:
    active_set = ActiveSet.from_structures(potential, training, mode)  # type: ignore[arg-type]
    calculator = PotentialCalculator(potential, active_set=active_set)
    for result in relaxed(crystals(), GradedPotential(potential, active_set)):
        calculator.calculate(result.atoms)
        assert result.extrapolation_grade == pytest.approx(calculator.results["extrapolation_grade"], 1e-6)


def test_extrapolation_pauses_where_it_is() -> None:
    model = FromCalculators(lambda atoms: atoms.cell.volume / len(atoms))
    start = bulk("Cu", a=3.7)
    (minimum,) = relaxed([start], model, control=GradeControl(gamma_save=12, gamma_break=14))
    assert minimum.state == "converged"
    (saved,) = relaxed([start], model, control=GradeControl(gamma_save=11, gamma_break=14))
    assert (saved.state, saved.steps) == ("paused", minimum.steps)
    assert "of the minimum is 11.6, above gamma_save = 11" in saved.reason
    growing = bulk("Cu", a=3.4)
    (broken,) = relaxed([growing], model, control=GradeControl(gamma_save=1, gamma_break=11))
    assert broken.state == "paused"
    assert "above gamma_break = 11" in broken.reason
    assert broken.steps > 0
    assert broken.extrapolation_grade > 11
    assert broken.extrapolation_grade == pytest.approx(broken.atoms.cell.volume)


def test_requests_and_input() -> None:
    stopped = relaxed(crystals(), FromCalculators(), batch_size=3, stop_requested=lambda: True)
    assert [(result.state, result.steps) for result in stopped] == [("interrupted", 1)] * 3
    assert relaxed([], FromCalculators()) == []
    with pytest.raises(InputError, match="the potential gives none"):
        relaxed(crystals(), FromCalculators(), control=GradeControl())
    with pytest.raises(InputError, match="batch_size is 0"):
        relaxed(crystals(), FromCalculators(), batch_size=0)
    with pytest.raises(InputError, match="`max_stress_GPa` is 0, but it must be greater than 0"):
        Relaxation(max_stress_GPa=0)


def test_the_start_is_not_changed_and_its_info_is_kept() -> None:
    start = bulk("Cu", a=3.8)
    start.info["name"] = "copper"
    (result,) = relaxed([start], FromCalculators())
    assert start.cell.volume == pytest.approx(3.8**3 / 4)
    assert result.atoms.info["name"] == "copper"
    assert result.atoms.calc is None
