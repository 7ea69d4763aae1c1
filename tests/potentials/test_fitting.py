from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read
from hypothesis import given
from hypothesis import strategies as st

from alflow.errors import InputError
from alflow.potentials import FitSettings, PotentialCalculator
from alflow.potentials.errors import evaluate_errors
from alflow.potentials.mtp import MomentTensorPotential, MTPSettings
from alflow.potentials.mtp.fitting import ROWS_AT_ONCE, LeastSquares, _chunks, fit, split_holdout


def labelled(atoms, calculator):
    atoms = atoms.copy()
    atoms.calc = calculator
    results = {
        "energy": atoms.get_potential_energy(),
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def crystals(count, symbols="Cu", calculator=None, seed=0):
    rng = np.random.default_rng(seed)
    structures = []
    for _ in range(count):
        atoms = bulk("Cu", cubic=True).repeat(2)
        atoms.set_chemical_symbols(rng.choice([*symbols.split()], len(atoms)))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.02 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
        structures.append(labelled(atoms, calculator or EMT()))
    return structures


def test_finds_a_potential_of_its_own_form_again():
    truth = fit(crystals(4), species=["Cu"], form=MTPSettings(level=6, cutoff_A=4.5)).potential
    structures = crystals(6, calculator=PotentialCalculator(truth))
    result = fit(
        structures,
        species=["Cu"],
        form=MTPSettings(level=6, cutoff_A=4.5, min_distance_A=truth.min_distance_A),
        settings=FitSettings(max_iterations=60, ridge=1e-13),
    )
    unseen = crystals(3, calculator=PotentialCalculator(truth), seed=7)
    errors = evaluate_errors(result.potential, unseen)
    assert errors.energy_max_eV_per_atom < 1e-3
    assert errors.force_rmse_eV_A < 5e-3
    assert result.loss < 1e-3 * result.losses[0]


def test_gradient_is_that_of_the_loss():
    structures = crystals(2, "Cu Pd")
    settings = FitSettings(energy_weight=2.0, force_weight=0.3, stress_weight=0.05)
    problem = LeastSquares(structures, settings)
    potential = MomentTensorPotential.random(["Cu", "Pd"], 8, 4.5, seed=3)
    _, gradient = problem.normal_equations(potential)
    rng = np.random.default_rng(0)
    for direction in rng.normal(size=(5, potential.parameter_count)):
        step = 1e-6
        plus, minus = (
            problem.loss(potential.with_parameters(potential.parameters + sign * step * direction))
            for sign in (1, -1)
        )
        assert (plus - minus) / (2 * step) == pytest.approx(-2 * gradient @ direction, rel=1e-4)


def test_loss_is_the_documented_sum():
    structures = crystals(3)
    structures[0].info["weight"] = 4.0
    structures[1].calc.results.pop("stress")
    settings = FitSettings(energy_weight=1.5, force_weight=0.2, stress_weight=0.1)
    potential = MomentTensorPotential.random(["Cu"], 6, 4.5, seed=1)
    expected = 0.0
    for atoms in structures:
        other = atoms.copy()
        other.calc = PotentialCalculator(potential)
        energy = other.get_potential_energy() - atoms.get_potential_energy()
        loss = settings.energy_weight * energy**2 / len(atoms)
        loss += settings.force_weight * np.sum((other.get_forces() - atoms.get_forces()) ** 2)
        if "stress" in atoms.calc.results:
            virial = (other.get_stress(voigt=False) - atoms.get_stress(voigt=False)) * atoms.get_volume()
            loss += settings.stress_weight * np.sum(virial**2) / len(atoms)
        expected += atoms.info.get("weight", 1.0) * loss
    assert LeastSquares(structures, settings).loss(potential) == pytest.approx(expected)


def test_losses_fall_and_progress_tells_them():
    seen = []
    result = fit(
        crystals(4),
        species=["Cu"],
        form=MTPSettings(level=8, cutoff_A=5.0),
        settings=FitSettings(max_iterations=15),
        progress=seen.append,
    )
    assert [p.loss for p in seen] == result.losses
    assert [p.iteration for p in seen] == list(range(result.iterations + 1))
    assert all(later < earlier for earlier, later in zip(result.losses, result.losses[1:], strict=False))


def test_few_data_do_not_spoil_other_structures():
    """Five configurations, more parameters than a fifth of the forces: as in the first round of a
    campaign."""
    result = fit(
        crystals(5),
        species=["Cu"],
        form=MTPSettings(level=12, cutoff_A=5.0),
        settings=FitSettings(max_iterations=20),
    )
    errors = evaluate_errors(result.potential, crystals(5, seed=9))
    assert errors.force_rmse_eV_A < 0.15
    assert errors.energy_rmse_eV_per_atom < 0.01


def test_warm_start_begins_where_the_last_fit_ended():
    structures = crystals(5)
    first = fit(
        structures,
        species=["Cu"],
        form=MTPSettings(level=8, cutoff_A=5.0),
        settings=FitSettings(max_iterations=20),
    )
    again = fit(
        [*structures, *crystals(1, seed=5)],
        species=["Cu"],
        form=MTPSettings(level=8, cutoff_A=5.0),
        settings=FitSettings(max_iterations=3),
        start=first.potential,
    )
    assert again.losses[0] < 0.1 * first.losses[0]
    assert again.potential.min_distance_A == first.potential.min_distance_A


def test_refit_of_a_converged_potential_ends_at_once():
    structures = crystals(6)
    first = fit(
        structures,
        species=["Cu"],
        form=MTPSettings(level=4, cutoff_A=5.0),
        settings=FitSettings(max_iterations=300),
    )
    assert first.iterations > 10
    same = fit(structures, species=["Cu"], form=MTPSettings(level=4, cutoff_A=5.0), start=first.potential)
    assert same.iterations <= 3
    more = [*structures, *crystals(1, seed=5)]
    again = fit(more, species=["Cu"], form=MTPSettings(level=4, cutoff_A=5.0), start=first.potential)
    assert again.iterations < first.iterations / 2
    assert again.loss <= again.losses[0]


def test_a_warm_start_serves_pairs_closer_than_its_minimum_distance():
    structures = crystals(4)
    first = fit(
        structures,
        species=["Cu"],
        form=MTPSettings(level=6, cutoff_A=5.0),
        settings=FitSettings(max_iterations=20),
    )
    close = bulk("Cu", cubic=True).repeat(2)
    close.set_distance(0, 1, 0.9 * first.potential.min_distance_A, fix=0)
    again = fit(
        [*structures, labelled(close, EMT())],
        species=["Cu"],
        form=MTPSettings(level=6, cutoff_A=5.0),
        settings=FitSettings(max_iterations=20),
        start=first.potential,
    )
    assert again.potential.min_distance_A == first.potential.min_distance_A
    assert again.loss < 0.5 * again.losses[0]


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=60))
def test_the_jacobian_exists_in_pieces(sizes):
    """Every structure is in one piece, in order, and only a structure that is larger by itself exceeds the
    size of a piece."""
    pieces = list(_chunks(sizes))
    assert [i for piece in pieces for i in piece] == list(range(len(sizes)))
    assert all(len(piece) == 1 or sum(3 * sizes[i] + 7 for i in piece) <= ROWS_AT_ONCE for piece in pieces)


def test_same_seed_same_potential_and_threads_do_not_matter():
    def potential(seed, threads=1):
        structures = crystals(3, "Cu Pd")
        return fit(
            structures,
            species=["Cu", "Pd"],
            form=MTPSettings(level=4, cutoff_A=4.5),
            settings=FitSettings(max_iterations=5, seed=seed),
            threads=threads,
        ).potential.parameters

    np.testing.assert_array_equal(potential(seed=1), potential(seed=1))
    np.testing.assert_array_equal(potential(seed=1), potential(seed=1, threads=2))
    assert not np.array_equal(potential(seed=1), potential(seed=2))


def test_several_starts_keep_the_best():
    losses = {}

    def progress(state):
        losses.setdefault(state.start, []).append(state.loss)

    settings = FitSettings(max_iterations=4, starts=3)
    result = fit(
        crystals(3),
        species=["Cu"],
        form=MTPSettings(level=6, cutoff_A=5.0),
        settings=settings,
        progress=progress,
    )
    assert len(losses) == 3
    assert result.loss == min(trace[-1] for trace in losses.values())


def test_weight_of_a_configuration_decides():
    structures = crystals(4)
    wrong = structures[0]
    wrong.calc.results["energy"] += 10
    errors = []
    for weight in (1.0, 0.0):
        wrong.info["weight"] = weight
        result = fit(
            structures,
            species=["Cu"],
            form=MTPSettings(level=6, cutoff_A=5.0),
            settings=FitSettings(max_iterations=10),
        )
        errors.append(evaluate_errors(result.potential, structures[1:]).energy_rmse_eV_per_atom)
    assert errors[1] < 0.5 * errors[0]


def test_holdout_is_kept_out():
    structures = crystals(10)
    train, test = split_holdout(structures, 0.3, seed=0)
    assert (len(train), len(test)) == (7, 3)
    assert {id(atoms) for atoms in [*train, *test]} == {id(atoms) for atoms in structures}
    result = fit(
        structures,
        species=["Cu"],
        form=MTPSettings(level=4, cutoff_A=4.5),
        settings=FitSettings(max_iterations=3),
        holdout=0.3,
    )
    assert result.test is not None and result.test.structures == 3
    assert result.train.structures == 7


def test_clusters_and_crystals_together():
    cluster = Atoms("Cu4", positions=2.3 * np.array([[0, 0, 0], [1, 0.1, 0], [0, 1, 0], [0.2, 0, 1.1]]))
    cluster.calc = EMT()
    forces, energy = cluster.get_forces(), cluster.get_potential_energy()
    cluster.calc = SinglePointCalculator(cluster, energy=energy, forces=forces)
    result = fit(
        [cluster, *crystals(2)],
        species=["Cu"],
        form=MTPSettings(level=6, cutoff_A=5.0),
        settings=FitSettings(max_iterations=10),
    )
    assert np.isfinite(result.train.stress_rmse_eV_A3)


def test_molybdenum(reference_data):
    """A level-8 fit to an eighth of the data of Zuo et al. is already of the size that their benchmark
    reports."""
    train = read(reference_data / "zuo2020" / "Mo_train.extxyz", "::8")
    test = read(reference_data / "zuo2020" / "Mo_test.extxyz", ":")
    result = fit(
        train,
        species=["Mo"],
        form=MTPSettings(level=8, cutoff_A=5.2),
        settings=FitSettings(max_iterations=25),
    )
    errors = evaluate_errors(result.potential, test)
    assert errors.energy_mae_eV_per_atom < 0.025
    assert errors.force_mae_eV_A < 0.35


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: setattr(a, "calc", None), "no energy and no forces"),
        (lambda a: a.calc.results.clear(), "no energy and no forces"),
        (lambda a: a.calc.results.update(energy=np.nan), "energy .* not finite"),
        (lambda a: a.info.update(weight=-1.0), "weight .* is -1"),
        (lambda a: a.set_chemical_symbols(["Au"] * len(a)), "no species Au"),
    ],
)
def test_bad_data_are_named(spoil, message):
    structures = crystals(2)
    spoil(structures[1])
    with pytest.raises(InputError, match=message):
        fit(
            structures,
            species=["Cu"],
            form=MTPSettings(level=4, cutoff_A=4.5),
            settings=FitSettings(max_iterations=1),
        )


def test_nothing_to_fit_to():
    with pytest.raises(InputError, match="no labelled structure"):
        fit([], species=["Cu"], form=MTPSettings(level=4, cutoff_A=4.5))


def test_raising_the_ridge_shrinks_the_steps():
    structures = crystals(3)
    form = MomentTensorPotential.random(["Cu"], 8, 5.0, seed=0)
    norms = []
    for ridge in (1e-12, 1e-2):
        settings = FitSettings(ridge=ridge, max_iterations=1)
        potential = fit(
            structures, species=["Cu"], form=MTPSettings(level=8, cutoff_A=5.0), settings=settings, start=form
        ).potential
        norms.append(np.linalg.norm(potential.moment_coefficients))
    assert norms[1] < norms[0]
