"""The compiled kernel against the NumPy reference on random potentials and structures, in every build."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import reference
from ase import Atoms
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st
from structures import ELEMENTS, lively

from alflow.potentials import evaluate, kernel
from alflow.potentials.mtp import MomentTensorPotential, basis_functions

STEP = 1e-5


@pytest.fixture(params=[build for build in kernel.BUILDS if kernel.supports(build)], scope="module")
def build(request: pytest.FixtureRequest) -> Iterator[str]:
    module = kernel.load(request.param)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("make_potential", "evaluate", "VerletList"):
            patch.setattr(kernel, name, getattr(module, name))
        yield request.param


@st.composite
def potentials(draw: st.DrawFn) -> MomentTensorPotential:
    cutoff_A = draw(st.floats(2.5, 5.0))
    untrained = MomentTensorPotential.random(
        ELEMENTS[: draw(st.integers(1, 4))],
        draw(st.sampled_from([2, 4, 6, 8, 10, 12, 14, 16, 18])),
        cutoff_A,
        min_distance_A=cutoff_A * draw(st.floats(0.1, 0.6)),
        radial_basis_size=draw(st.integers(2, 14)),
        seed=draw(st.integers(0, 1000)),
    )
    return lively(untrained, draw(st.integers(0, 1000)))


@st.composite
def structures(draw: st.DrawFn) -> Atoms:
    """Up to forty atoms at least 1.5 Å apart in a cell of any shape, periodic in any directions."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    cell = np.diag(rng.uniform(2.0, 7.0, 3)) + np.tril(rng.uniform(-3.0, 3.0, (3, 3)), -1)
    count = draw(st.integers(1, 40))
    atoms = Atoms(
        f"H{count}",
        rng.uniform(-0.5, 1.5, (count, 3)) @ cell,
        cell=cell,
        pbc=draw(st.tuples(st.booleans(), st.booleans(), st.booleans())),
    )
    first, second = neighbor_list("ij", atoms, 1.5)
    del atoms[np.unique(second[first < second])]
    return atoms


@settings(max_examples=30, deadline=None)
@given(mtp=potentials(), atoms=structures(), seed=st.integers(0, 10**6))
def test_agrees_with_the_reference(build: str, mtp: MomentTensorPotential, atoms: Atoms, seed: int) -> None:
    rng = np.random.default_rng(seed)
    atoms.symbols = rng.choice(mtp.species, len(atoms))
    matrix = rng.normal(size=(mtp.parameter_count, rng.integers(1, 40)))
    result = evaluate(mtp, [atoms], gradients=True, grade_matrix=matrix)
    basis = reference.basis(mtp, atoms)
    np.testing.assert_allclose(
        basis_functions(mtp, [atoms]), basis, rtol=1e-9, atol=1e-11 * (1 + np.abs(basis).max())
    )
    terms_eV = 1 + np.abs(basis * mtp.moment_coefficients).sum()
    np.testing.assert_allclose(result.energies, reference.energies(mtp, atoms), atol=1e-11 * terms_eV)

    coefficients = result.gradients @ matrix
    atol = 1e-12 * (np.abs(result.gradients) @ np.abs(matrix)).max()
    np.testing.assert_allclose(result.grades, np.abs(coefficients).max(axis=1), rtol=1e-11, atol=atol)

    # Forces, virial and gradients along one random direction of positions, strain and parameters at once.
    moves, strain = rng.normal(size=(len(atoms), 3)), rng.normal(size=(3, 3))
    shift = mtp.parameters * rng.normal(size=mtp.parameter_count)
    slopes = np.array([-np.vdot(result.forces, moves), np.vdot(result.virials[0], strain)])
    slopes = np.append(slopes, result.gradients.sum(axis=0) @ shift)

    def energy_eV(step: float) -> float:
        moved = atoms.copy()
        deformation = np.eye(3) + step * strain
        moved.cell = atoms.cell.array @ deformation
        moved.positions = atoms.positions @ deformation + step * moves
        return reference.energies(mtp.with_parameters(mtp.parameters + step * shift), moved).sum()

    slope = (energy_eV(STEP) - energy_eV(-STEP)) / (2 * STEP)
    assert slope == pytest.approx(slopes.sum(), abs=1e-5 * (np.abs(slopes).sum() + terms_eV))


@settings(max_examples=30, deadline=None)
@given(
    mtp=potentials(),
    atoms=structures(),
    skin_A=st.floats(0.0, 1.0),
    steps=st.lists(st.sampled_from([0.0, 0.01, 0.05, 0.2]), min_size=3, max_size=6),
    seed=st.integers(0, 10**6),
)
def test_the_age_of_a_verlet_list_does_not_show(
    build: str,
    mtp: MomentTensorPotential,
    atoms: Atoms,
    skin_A: float,
    steps: list[float],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    atoms.symbols = rng.choice(mtp.species, len(atoms))
    kept = kernel.VerletList(skin_A)
    for step in steps:
        atoms.positions += step * rng.uniform(-1, 1, atoms.positions.shape)
        atoms.set_cell(
            atoms.cell.array @ (np.eye(3) + step * rng.choice([0.0, 0.1]) * rng.uniform(-1, 1, (3, 3))),
            scale_atoms=bool(rng.integers(2)),
        )
        if rng.random() < 0.2:
            atoms.wrap()
        old, new = (
            evaluate(mtp, [atoms], neighbors=verlet_list) for verlet_list in (kept, kernel.VerletList(skin_A))
        )
        np.testing.assert_array_equal(old.forces, new.forces)
        np.testing.assert_array_equal(old.energies, new.energies)
        np.testing.assert_array_equal(old.min_distances_A, new.min_distances_A)
        searched = evaluate(mtp, [atoms])
        tolerance = 1e-9 * (1 + np.abs(searched.forces).max())
        np.testing.assert_allclose(old.forces, searched.forces, atol=tolerance)
        np.testing.assert_allclose(old.min_distances_A, searched.min_distances_A, rtol=1e-12)
