from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reference
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from structures import ELEMENTS, awkward, potential

from alflow.errors import InputError
from alflow.potentials import evaluate, kernel
from alflow.potentials.mtp import basis_functions, jacobian

KINDS = list(awkward())


@pytest.mark.parametrize("species", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_the_numpy_reference(kind, species):
    atoms = awkward(species)[kind]
    mtp = potential(10, species)
    result = evaluate(mtp, [atoms])
    np.testing.assert_allclose(
        basis_functions(mtp, [atoms]), reference.basis(mtp, atoms), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(result.energies, reference.energies(mtp, atoms), rtol=1e-9)
    scale = max(1e-3, np.abs(result.forces).max())
    np.testing.assert_allclose(result.forces, reference.forces(mtp, atoms), atol=1e-6 * scale)
    np.testing.assert_allclose(result.virials[0], reference.virial(mtp, atoms), atol=1e-6 * max(1, scale))


@pytest.mark.parametrize("level", [2, 4, 8, 14, 18, 22])
def test_energies_agree_at_every_level(level):
    atoms = awkward(2)["skewed cell"]
    mtp = potential(level, 2)
    np.testing.assert_allclose(evaluate(mtp, [atoms]).energies, reference.energies(mtp, atoms), rtol=1e-9)


def test_ten_species():
    mtp = potential(6, 10)
    atoms = bulk("Cu", cubic=True).repeat((3, 1, 1))
    atoms.set_chemical_symbols((ELEMENTS * 2)[: len(atoms)])
    atoms.rattle(0.1)
    np.testing.assert_allclose(evaluate(mtp, [atoms]).energies, reference.energies(mtp, atoms), rtol=1e-9)


def test_gradients_and_jacobian_agree_with_finite_differences():
    structures = list(awkward(2).values())
    mtp = potential(10, 2)

    def rows(theta):
        result = evaluate(mtp.with_parameters(theta), structures)
        parts = []
        for virial, energy, atoms in zip(result.virials, result.energy, result.slices(), strict=True):
            parts += [[energy], result.forces[atoms].ravel(), virial[(0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]]
        return np.concatenate(parts)

    theta, step = mtp.parameters, 2e-6
    numerical = [(rows(theta + e) - rows(theta - e)) / (2 * step) for e in step * np.eye(len(theta))]
    analytic = jacobian(mtp, structures)
    scale = np.abs(analytic).max(axis=1, keepdims=True) + 1e-12
    np.testing.assert_allclose(analytic / scale, numerical / scale, atol=2e-6)

    result = evaluate(mtp, structures, gradients=True)
    first_rows = np.cumsum([0, *(7 + 3 * len(atoms) for atoms in structures)])[:-1]
    of_energy = np.array([result.gradients[atoms].sum(axis=0) for atoms in result.slices()])
    np.testing.assert_allclose(of_energy, analytic[:, first_rows].T, rtol=1e-9, atol=1e-9)


def test_a_batch_is_the_structures_one_by_one():
    structures = list(awkward(2).values()) * 3
    mtp = potential(12, 2)
    batch = evaluate(mtp, structures, gradients=True)
    basis = basis_functions(mtp, structures)
    for i, atoms in enumerate(batch.slices()):
        alone = evaluate(mtp, [structures[i]], gradients=True)
        np.testing.assert_allclose(batch.forces[atoms], alone.forces, atol=1e-12)
        np.testing.assert_allclose(batch.virials[i], alone.virials[0], atol=1e-11)
        np.testing.assert_array_equal(basis[atoms], basis_functions(mtp, [structures[i]]))
        np.testing.assert_allclose(batch.gradients[atoms], alone.gradients, atol=1e-12)


def test_threads_change_nothing_but_rounding():
    atoms = bulk("Cu", cubic=True).repeat(5)
    atoms.rattle(0.1)
    mtp = potential(8)
    one, two = (evaluate(mtp, [atoms], threads=threads) for threads in (1, 2))
    np.testing.assert_allclose(one.forces, two.forces, atol=1e-12)
    np.testing.assert_array_equal(two.forces, evaluate(mtp, [atoms], threads=2).forces)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(KINDS))
def test_invariances(seed, kind):
    """Rotation, translation, permutation and repetition of the cell."""
    rng = np.random.default_rng(seed)
    mtp = potential(10, 2, seed=seed % 7)
    atoms = awkward(2, seed)[kind]
    before = evaluate(mtp, [atoms])
    size = max(1.0, np.abs(before.forces).max())

    rotation = Rotation.random(random_state=seed).as_matrix()
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ rotation)
    turned.positions = (atoms.positions + rng.normal(size=3) * 10) @ rotation
    after = evaluate(mtp, [turned])
    np.testing.assert_allclose(after.energies, before.energies, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(after.forces, before.forces @ rotation, atol=1e-9 * size)

    order = rng.permutation(len(atoms))
    np.testing.assert_allclose(evaluate(mtp, [atoms[order]]).forces, before.forces[order], atol=1e-9 * size)

    repeats = [2 if periodic else 1 for periodic in atoms.pbc]
    repeated = evaluate(mtp, [atoms.repeat(repeats)])
    np.testing.assert_allclose(repeated.energy, before.energy * np.prod(repeats), rtol=1e-9)


def test_grades_that_are_no_numbers_are_infinite():
    atoms = awkward()["slab"]
    matrix = np.ones((potential(8).parameter_count, 20))
    matrix[-1, 3] = np.nan
    assert np.isinf(evaluate(potential(8), [atoms], grade_matrix=matrix).grades).all()
    with pytest.raises(InputError, match="belongs to another potential"):
        evaluate(potential(10), [atoms], grade_matrix=matrix)


def test_forces_vanish_smoothly_at_the_cutoff():
    mtp = potential(8, cutoff_A=4.0)
    pair = [Atoms("Cu2", positions=[[0, 0, 0], [0, 0, r]]) for r in (4 - 1e-6, 4.0, 4 + 1e-6)]
    result = evaluate(mtp, pair)
    assert np.abs(result.forces).max() < 1e-5
    np.testing.assert_allclose(result.energies, mtp.species_energies_eV[0], atol=1e-10)


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 0]]), "same place"),
        (Atoms("Cu", positions=[[np.nan, 0, 0]]), "not a finite number"),
        (Atoms("Cu", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]], pbc=True), "no volume"),
        (Atoms("Au"), "no species Au"),
    ],
)
def test_impossible_structures_are_refused(atoms, message):
    with pytest.raises(InputError, match=message):
        evaluate(potential(4), [atoms])


def test_tables_in_no_order_are_refused():
    mtp = potential(8)
    out = mtp.tables.times[-1, 3]
    again = np.vstack([mtp.tables.times, [[out, 0, 1, out]]])
    with pytest.raises(InputError, match="read before"):
        evaluate(replace(mtp, tables=replace(mtp.tables, times=again)), [awkward()["slab"]])
    with pytest.raises(InputError, match="more basic moments"):
        evaluate(replace(mtp, tables=replace(mtp.tables, moment_count=2)), [awkward()["slab"]])


def test_a_verlet_list_is_of_one_structure():
    structures = list(awkward().values())[:2]
    with pytest.raises(InputError, match="one structure"):
        evaluate(potential(4), structures, neighbors=kernel.VerletList(0.5))


def test_a_verlet_list_outlives_a_structure_that_cannot_be_evaluated():
    atoms, kept = awkward()["slab"], kernel.VerletList(0.5)
    expected = evaluate(potential(8), [atoms], neighbors=kept)
    broken = atoms.copy()
    broken.positions[0, 0] = np.nan
    with pytest.raises(InputError, match="not a finite number"):
        evaluate(potential(8), [broken], neighbors=kept)
    np.testing.assert_array_equal(evaluate(potential(8), [atoms], neighbors=kept).forces, expected.forces)
    broken.positions[0] = atoms.positions[1] + 2 * atoms.cell[0] - atoms.cell[1]
    for verlet_list in (kept, kernel.VerletList(0.5), None):
        with pytest.raises(InputError, match="same place"):
            evaluate(potential(8), [broken], neighbors=verlet_list)


def test_old_and_new_verlet_lists_refuse_the_same():
    atoms, kept = awkward()["skewed cell"], kernel.VerletList(0.5)
    atoms.positions[1] = atoms.positions[0] + atoms.cell[0] + [0.1, 0, 0]
    evaluate(potential(8), [atoms], neighbors=kept)
    atoms.positions[1, 0] -= 0.1
    for verlet_list in (kept, kernel.VerletList(0.5), None):
        with pytest.raises(InputError, match="same place"):
            evaluate(potential(8), [atoms], neighbors=verlet_list)


def test_a_folder_of_builds_is_the_one_that_is_used():
    """The tests under sanitizers, which preload their library, would else pass with the ordinary builds."""
    assert kernel.instrumented == ("libasan" in os.environ.get("LD_PRELOAD", ""))
    for build in (b for b in kernel.BUILDS if kernel.supports(b)):
        assert kernel.load(build).instrumented == kernel.instrumented


def test_a_folder_without_builds_is_refused(tmp_path):
    environment = {**os.environ, "ALFLOW_KERNEL_FOLDER": str(tmp_path)}
    command = [sys.executable, "-c", "from alflow.potentials import kernel"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert f"ALFLOW_KERNEL_FOLDER is {str(tmp_path)!r}; it holds no build baseline" in result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_threads_work_after_a_fork():
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]);"
        "from structures import awkward, potential; from alflow.potentials import evaluate;"
        "s = [awkward()['far outside the cell'].repeat(2)]; p = potential(6);"
        "first = evaluate(p, s, threads=2).energies.sum();"
        "child = os.fork();"
        "second = evaluate(p, s, threads=2).energies.sum();"
        "child or sys.exit(int(first != second));"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("build", [b for b in kernel.BUILDS if kernel.supports(b)])
def test_every_build_gives_the_same(build):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from structures import awkward, potential; from alflow.potentials import evaluate, kernel;"
        "from alflow.potentials.mtp import jacobian;"
        "s = list(awkward(2).values()); p = potential(14, 2);"
        "energy, slope = evaluate(p, s).energies.sum(), abs(jacobian(p, s)).sum();"
        "print(kernel.build_name, repr(float(energy)), repr(float(slope)))"
    )
    environment = {**os.environ, "ALFLOW_KERNEL": build}
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    name, energy, slope = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    structures, mtp = list(awkward(2).values()), potential(14, 2)
    assert name == build
    assert float(energy) == pytest.approx(evaluate(mtp, structures).energies.sum(), rel=1e-11)
    assert float(slope) == pytest.approx(np.abs(jacobian(mtp, structures)).sum(), rel=1e-6)
