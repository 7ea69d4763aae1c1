"""The ZBL core: LAMMPS' numbers, the handover, derivatives, files, fits; energies of isolated atoms."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import chemical_symbols

from alflow.errors import InputError
from alflow.potentials import FitSettings, evaluate
from alflow.potentials.mtp import (
    Core,
    CoreSettings,
    MomentTensorPotential,
    MTPSettings,
    fit,
    jacobian,
    mtp_from_text,
    mtp_to_text,
)
from alflow.potentials.mtp.core import core_of

LAMMPS = json.loads((Path(__file__).parents[1] / "data" / "lammps_zbl.json").read_text())
"""Energy (eV) and force (eV/Å) by LAMMPS 22 Jul 2025, pair_style zbl, of pairs `Z Z inner outer`."""


def with_core(
    species: tuple[str, ...], inner_A: float, outer_A: float, level: int = 8
) -> MomentTensorPotential:
    shape = len(species), len(species)
    core = Core(np.full(shape, inner_A), np.full(shape, outer_A))
    potential = MomentTensorPotential.random(species, level, 5.0, min_distance_A=1.8, core=core)
    return replace(potential, moment_coefficients=100 * potential.moment_coefficients)


def compressed(species: tuple[str, ...], seed: int = 0) -> Atoms:
    """Atoms with distances below, between and beyond radii of 1.2 and 2.2 Å."""
    atoms = bulk("Cu", a=2.7, cubic=True).repeat((2, 2, 1))
    atoms.set_chemical_symbols(np.random.default_rng(seed).choice(species, len(atoms)))
    atoms.rattle(0.25, seed=seed)
    return atoms


@pytest.mark.parametrize("pair", LAMMPS)
def test_the_pair_energy_is_that_of_lammps(pair: str) -> None:
    z1, z2, inner_A, outer_A = map(float, pair.split())
    symbols = [chemical_symbols[int(z1)], chemical_symbols[int(z2)]]
    potential = with_core(tuple(dict.fromkeys(symbols)), inner_A, outer_A)
    potential = replace(potential, moment_coefficients=0 * potential.moment_coefficients)
    for distance_A, energy, force in LAMMPS[pair]:
        result = evaluate(potential, [Atoms(symbols, [[0, 0, 0], [distance_A, 0, 0]])])
        # near outer the digits cancel
        assert result.energy[0] == pytest.approx(energy, rel=1e-9, abs=1e-10)
        assert result.forces is not None
        assert result.forces[1] == pytest.approx([force, 0, 0], rel=1e-9, abs=1e-10)


def test_forces_and_virial_are_derivatives_of_the_energy() -> None:
    species = ("Cu", "Li")
    potential, atoms, step = with_core(species, 1.2, 2.2, 12), compressed(species), 1e-5
    distances = atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), 1)]
    assert (distances < 1.2).any() and ((distances > 1.2) & (distances < 2.2)).any()
    result = evaluate(potential, [atoms])
    assert result.forces is not None and result.virials is not None
    scale = np.abs(result.forces).max()

    def energy(displaced: Atoms) -> float:
        return float(evaluate(potential, [displaced], forces=False).energy[0])

    for index in [(0, 0), (3, 1), (7, 2), (11, 0)]:
        moved = [atoms.copy() for _ in range(2)]
        for sign, each in zip((1, -1), moved, strict=True):
            each.positions[index] += sign * step
        slope = (energy(moved[0]) - energy(moved[1])) / (2 * step)
        assert result.forces[index] == pytest.approx(-slope, abs=2e-7 * scale)
    for i, j in [(0, 0), (1, 2)]:
        strained = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[i, j] += sign * step
            each = atoms.copy()
            each.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            strained.append(energy(each))
        slope = (strained[0] - strained[1]) / (2 * step)
        assert result.virials[0, i, j] == pytest.approx(slope, abs=1e-6 * np.abs(result.virials).max())


def test_rows_and_the_jacobian_of_the_fit_are_derivatives_by_the_parameters() -> None:
    species = ("Cu", "Li")
    potential, atoms, step = with_core(species, 1.2, 2.2), compressed(species, 1), 1e-4
    rows = evaluate(potential, [atoms], gradients=True).gradients
    slopes = jacobian(potential, [atoms])
    assert rows is not None
    assert slopes[:, 0] == pytest.approx(rows.sum(axis=0), rel=1e-9, abs=1e-9)
    theta = potential.parameters
    for parameter in [0, 5, 13, 30, 60, len(theta) - 1]:
        shifts = []
        for sign in (1, -1):
            moved = theta.copy()
            moved[parameter] += sign * step
            result = evaluate(potential.with_parameters(moved), [atoms])
            assert result.forces is not None
            shifts.append(np.concatenate([result.energies, result.forces.ravel(), result.voigt_virials[0]]))
        change = (shifts[0] - shifts[1]) / (2 * step)
        count = len(atoms)
        assert rows[:, parameter] == pytest.approx(change[:count], abs=1e-5 * np.abs(change).max())
        expected = change[count:]
        assert slopes[parameter, 1:] == pytest.approx(expected, abs=1e-4 * np.abs(expected).max() + 1e-9)


def test_below_inner_a_pair_has_only_the_core() -> None:
    potential = with_core(("Cu",), 1.2, 2.2)
    third = [0, 3.0, 0]
    near = Atoms("Cu2Cu", [[0, 0, 0], [0.5, 0, 0], third], pbc=False)
    rows = evaluate(potential, [near], gradients=True).gradients
    alone = evaluate(potential, [Atoms("CuCu", [[0, 0, 0], third])], gradients=True).gradients
    assert rows is not None and alone is not None
    assert (rows[0] == alone[0]).all()


def test_the_energy_has_continuous_second_derivatives() -> None:
    potential = with_core(("Cu",), 1.2, 2.2)
    step = 1e-6
    for radius_A in (1.2, 2.2, 2.2 - 0.25):
        dimers = [Atoms("Cu2", [[0, 0, 0], [radius_A + n * step, 0, 0]]) for n in (-2, -1, 0, 1, 2)]
        result = evaluate(potential, dimers)
        assert result.forces is not None
        curvatures = -np.diff(result.forces[1::2, 0]) / step
        assert curvatures == pytest.approx(np.full(4, curvatures[0]), rel=1e-4, abs=2e-3)


def test_beyond_outer_nothing_changes() -> None:
    atoms = bulk("Cu", cubic=True).repeat(2)
    atoms.rattle(0.05, seed=0)
    potential = with_core(("Cu",), 0.9, 1.8)
    results = [evaluate(p, [atoms], gradients=True) for p in (potential, replace(potential, core=None))]
    for name in ("energies", "forces", "virials", "gradients"):
        assert (getattr(results[0], name) == getattr(results[1], name)).all()


def test_a_file_is_read_back_exactly_and_other_codes_refuse_it() -> None:
    potential = with_core(("Cu", "Li"), 1.1, 2.03)
    text = mtp_to_text(potential)
    # MLIP-2 and MLIP-3 compare the line, LAMMPS its first word, with MTP.
    assert text.splitlines()[0].split()[0] != "MTP"
    again = mtp_from_text(text)
    assert again.core is not None and (again.identity == potential.identity).all()
    assert mtp_to_text(again) == text
    assert mtp_to_text(replace(potential, core=None)).startswith("MTP\n")
    with pytest.raises(InputError, match="core_other"):
        mtp_from_text(text.replace("core_outer", "core_other"))


def test_default_radii_follow_the_data_and_the_covalent_radii() -> None:
    frames = [Atoms("CuH", [[0, 0, 0], [0, 0, 1.2]]), Atoms("Cu2", [[0, 0, 0], [0, 0, 3]])]
    core = core_of(CoreSettings(), ["Cu", "H"], frames)
    assert core.outer_A == pytest.approx(np.array([[0.8 * 2.64, 1.2], [1.2, 0.8 * 0.62]]))
    assert core.inner_A == pytest.approx(core.outer_A / 2)
    assert core_of(CoreSettings(inner_A=0.9, outer_A=1.7), ["Cu"], frames[1:]).inner_A == 0.9


@pytest.mark.parametrize(
    ("radii", "message"),
    [
        ({"inner_A": 2.0, "outer_A": 1.0}, "inner_A = 2 must be below outer_A = 1"),
        ({"inner_A": 1.0}, "outer_A is missing"),
    ],
)
def test_bad_radii_are_refused(radii: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CoreSettings(**radii)


def labelled(atoms: Atoms) -> Atoms:
    atoms = atoms.copy()
    atoms.calc = EMT()
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def copper(count: int = 6) -> list[Atoms]:
    frames = []
    for seed in range(count):
        atoms = bulk("Cu", a=3.5 + 0.04 * seed, cubic=True).repeat(2)
        atoms.rattle(0.1, seed=seed)
        frames.append(labelled(atoms))
    return frames


def test_isolated_atoms_have_the_given_energy_after_a_fit() -> None:
    energy = -7.25
    settings = FitSettings(isolated_atoms_eV={"Cu": energy}, max_iterations=5)
    form = MTPSettings(level=6, cutoff_A=5.0, core=CoreSettings())
    result = fit(copper(), species=["Cu"], form=form, settings=settings)
    far = Atoms("Cu2", [[0, 0, 0], [0, 0, 5.5]])
    energies = evaluate(result.potential, [Atoms("Cu"), far]).energy
    assert energies[0] == energy and energies[1] == 2 * energy
    again = fit(copper(), species=["Cu"], form=form, settings=settings, start=result.potential)
    assert evaluate(again.potential, [Atoms("Cu")]).energy[0] == energy
    assert (again.potential.core.outer_A == result.potential.core.outer_A).all()  # type: ignore[union-attr]


def test_an_isolated_atom_of_an_unknown_species_is_refused() -> None:
    settings = FitSettings(isolated_atoms_eV={"Ag": 0.0})
    with pytest.raises(InputError, match="isolated_atoms_eV names Ag"):
        fit(copper(1), species=["Cu"], form=MTPSettings(level=4, cutoff_A=5.0), settings=settings)
