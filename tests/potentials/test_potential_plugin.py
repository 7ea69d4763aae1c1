"""A potential of another package: examples/plugins/pair_potential.py, installed beside alflow."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.calculators.singlepoint import SinglePointCalculator
from ase.filters import FrechetCellFilter
from ase.optimize import LBFGS
from structures import awkward

from alflow import registry
from alflow.errors import InputError
from alflow.potentials import (
    POTENTIALS,
    FitResult,
    FitSettings,
    Potential,
    PotentialCalculator,
    evaluate,
    evaluate_errors,
    read_potential,
    write_potential,
)
from alflow.selection import ActiveSet, select
from alflow.simulation import GradedPotential, Relaxation, relax_batch

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugins" / "pair_potential.py"


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What pip leaves of a package."""
    folder = tmp_path_factory.mktemp("site-packages")
    shutil.copy(EXAMPLE, folder)
    facts = folder / "alflow_pair-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: alflow-pair\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[{POTENTIALS.group}]\npair = pair_potential:KIND\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        registry._entry_points.cache_clear()
        yield
    registry._entry_points.cache_clear()


def labelled(atoms: Atoms, calculator: Calculator) -> Atoms:
    atoms.calc = calculator
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    atoms.calc = SinglePointCalculator(atoms, **results, stress=atoms.get_stress())
    return atoms


def copper(count: int, seed: int = 0, size: float = 0.05, symbols: str = "Cu") -> list[Atoms]:
    """Displaced and strained crystals, labelled by EMT."""
    random = np.random.default_rng(seed)
    crystals = []
    for _ in range(count):
        atoms = bulk("Cu", cubic=True).repeat((2, 1, 1))
        atoms.set_chemical_symbols(random.choice(symbols.split(), len(atoms)))
        strain = 0.3 * size * random.normal(size=(3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain + strain.T), scale_atoms=True)
        atoms.positions += size * random.normal(size=atoms.positions.shape)
        crystals.append(labelled(atoms, EMT()))
    return crystals


def fitted(structures: list[Atoms], species: tuple[str, ...] = ("Cu",), *, ridge: float = 1e-12) -> FitResult:
    kind = POTENTIALS.get("pair")
    form = kind.Settings(cutoff_A=6.0)
    return kind.fit(structures, species=species, form=form, settings=FitSettings(ridge=ridge))


@pytest.fixture(scope="module")
def potential(installed: None) -> Potential:
    model: Potential = fitted(copper(12)).potential
    return model


@pytest.fixture(scope="module")
def alloy(installed: None) -> Potential:
    model: Potential = fitted(copper(12, symbols="Cu Pd"), ("Cu", "Pd")).potential
    return model


def test_it_is_found_by_its_entry_point() -> None:
    assert POTENTIALS.names() == ["mtp", "pair"]
    assert POTENTIALS.get("pair").Settings(cutoff_A=5.0).kind == "pair"


def test_it_fits_copper(potential: Potential) -> None:
    errors = evaluate_errors(potential, copper(6, seed=1))
    assert errors.energy_mae_eV_per_atom < 5e-3
    assert errors.force_rmse_eV_A < 0.1


def test_a_fit_finds_a_potential_of_its_own_form_again(alloy: Potential) -> None:
    structures = [labelled(atoms.copy(), PotentialCalculator(alloy)) for atoms in copper(12, 2, 0.1, "Cu Pd")]
    again = fitted(structures, alloy.species, ridge=0.0)
    assert again.loss < 1e-16
    unseen = copper(3, 3, symbols="Cu Pd")
    expected = evaluate(alloy, unseen)
    found = evaluate(again.potential, unseen)
    np.testing.assert_allclose(found.energy, expected.energy, atol=1e-5)
    np.testing.assert_allclose(found.forces, expected.forces, atol=1e-4)


def test_the_loss_is_the_least(alloy: Potential) -> None:
    structures, settings = copper(12, symbols="Cu Pd"), FitSettings()

    def loss(parameters: np.ndarray) -> float:
        total = 0.0
        for atoms in structures:
            other = atoms.copy()
            other.calc = PotentialCalculator(type(alloy)(alloy.species, alloy.cutoff_A, parameters))  # type: ignore[call-arg, attr-defined]
            energy = other.get_potential_energy() - atoms.get_potential_energy()
            virial = (other.get_stress(voigt=False) - atoms.get_stress(voigt=False)) * atoms.get_volume()
            total += settings.energy_weight * energy**2 / len(atoms)
            total += settings.force_weight * np.sum((other.get_forces() - atoms.get_forces()) ** 2)
            total += settings.stress_weight * np.sum(virial**2) / len(atoms)
        return total

    result = fitted(structures, alloy.species)
    theta = result.potential.parameters
    assert result.loss == pytest.approx(loss(theta))
    for direction in np.random.default_rng(0).normal(size=(2, len(theta))):
        assert loss(theta + 1e-3 * np.abs(theta) * direction) > result.loss


@pytest.mark.parametrize("kind", ["skewed cell", "slab", "wire without cell vectors"])
def test_forces_and_stress_are_derivatives_of_the_energy(alloy: Potential, kind: str) -> None:
    atoms = awkward(2)[kind]
    atoms.calc = PotentialCalculator(alloy)
    forces, stress = atoms.get_forces(), atoms.get_stress()
    scale = max(1e-3, np.abs(forces).max())
    np.testing.assert_allclose(calculate_numerical_forces(atoms, eps=1e-5), forces, atol=1e-5 * scale)
    if atoms.pbc.all():
        numerical = calculate_numerical_stress(atoms, eps=1e-6)
        np.testing.assert_allclose(numerical, stress, atol=1e-5 * np.abs(stress).max())


def test_rows_are_derivatives_with_respect_to_the_parameters(alloy: Potential) -> None:
    """The energy is linear in the parameters."""
    evaluation = evaluate(alloy, list(awkward(2).values()), gradients=True)
    assert evaluation.gradients is not None
    np.testing.assert_allclose(evaluation.gradients @ alloy.parameters, evaluation.energies, rtol=1e-12)


@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
def test_training_data_have_grades_up_to_one_and_others_higher_ones(potential: Potential, mode: str) -> None:
    train = copper(12)
    active = ActiveSet.from_structures(potential, train, mode)  # type: ignore[arg-type]
    assert active.missing_count == 0
    known = [grade for grade, _ in active.grade_structures(potential, train)]
    assert max(known) <= 1.02
    far = copper(1, seed=5, size=0.4)[0]
    far.calc = PotentialCalculator(potential, active_set=active)
    assert far.calc.get_property("extrapolation_grade", far) > 2
    assert far.calc.results["extrapolation_grade"] == pytest.approx(
        active.grade_structures(potential, [far])[0][0]
    )


def test_the_most_extrapolative_structure_is_selected(potential: Potential) -> None:
    train = copper(12)
    active = ActiveSet.from_structures(potential, train)
    chosen = select(potential, active, [*copper(3, seed=6), *copper(1, seed=5, size=0.4)], 1)
    assert chosen.chosen == [3]


def test_an_active_set_belongs_to_its_potential(potential: Potential) -> None:
    active = ActiveSet.from_bytes(ActiveSet.from_structures(potential, copper(12)).to_bytes())
    active.check_belongs_to(potential)
    with pytest.raises(InputError, match="other parameters"):
        active.check_belongs_to(fitted(copper(5)).potential)


def test_batches_relax_to_the_minima_of_ase(potential: Potential) -> None:
    train = copper(12)
    active = ActiveSet.from_structures(potential, train)
    settings = Relaxation(max_force_eV_A=1e-3, max_stress_GPa=0.01)
    starts = [bulk("Cu", a=3.5), bulk("Cu", a=3.7, cubic=True)]
    starts[1].rattle(0.05, seed=0)
    results = list(relax_batch(starts, GradedPotential(potential, active), settings=settings))
    assert [result.state for result in results] == ["converged"] * 2
    for result in results:
        atoms = starts[result.index].copy()
        atoms.calc = PotentialCalculator(potential)
        LBFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-3, steps=200)
        assert result.energy_eV == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
        assert result.extrapolation_grade < 3


def test_a_file_holds_every_digit(alloy: Potential, tmp_path: Path) -> None:
    write_potential(tmp_path / "cu.pair", alloy)
    back = read_potential(tmp_path / "cu.pair")
    assert back.species == alloy.species
    np.testing.assert_array_equal(back.identity, alloy.identity)
    atoms = awkward(2)["slab"]
    energies = [PotentialCalculator(p).get_potential_energy(atoms) for p in (alloy, tmp_path / "cu.pair")]
    assert energies[0] == energies[1]


def test_files_of_the_wrong_name_or_content_are_refused(alloy: Potential, tmp_path: Path) -> None:
    (tmp_path / "bad.pair").write_text("{}")
    with pytest.raises(InputError, match=r"bad\.pair is no pair potential"):
        read_potential(tmp_path / "bad.pair")
    with pytest.raises(InputError, match=r"'pair' is written to a \.pair file"):
        write_potential(tmp_path / "cu.mtp", alloy)
    with pytest.raises(InputError, match=r"potentials end in \.mtp, \.almtp, \.pair"):
        read_potential(tmp_path / "cu.txt")


def test_a_package_that_cannot_be_imported_disturbs_no_other_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = registry.EntryPoint("lost", "no_such_module:KIND", POTENTIALS.group)
    monkeypatch.setattr(registry, "_entry_points", lambda group: (points,))
    with pytest.raises(InputError, match=r"p\.mtp: cannot be read"):
        read_potential(tmp_path / "p.mtp")


def test_it_can_be_pickled(alloy: Potential) -> None:
    atoms = awkward(2)["slab"]
    atoms.calc = PotentialCalculator(alloy)
    energy = atoms.get_potential_energy()
    again = pickle.loads(pickle.dumps(atoms))  # noqa: S301 - our own bytes
    again.rattle(0.01)
    assert again.get_potential_energy() != energy
    assert atoms.get_potential_energy() == energy


BROKEN = {
    "not a finite number": lambda atoms: atoms.positions.__setitem__((0, 0), np.nan),
    "the same place": lambda atoms: atoms.positions.__setitem__(1, atoms.positions[0]),
    "no volume": lambda atoms: atoms.cell.__setitem__(2, atoms.cell[1]),
    "no species Au": lambda atoms: atoms.set_chemical_symbols(["Au"] * len(atoms)),
}


@pytest.mark.parametrize("message", BROKEN)
def test_what_cannot_be_evaluated_is_one_sentence(potential: Potential, message: str) -> None:
    atoms = bulk("Cu", cubic=True)
    BROKEN[message](atoms)
    with pytest.raises(InputError, match=message):
        evaluate(potential, [bulk("Cu"), atoms])


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 80
