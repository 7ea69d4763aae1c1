from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from mo_crystals import displaced

from alflow.selection import Fingerprint, find_duplicate, fingerprint


def difference_A(first: Fingerprint, second: Fingerprint) -> float:
    return float(np.abs(first.distances_A - second.distances_A).max())


def alloy(seed: int) -> Atoms:
    rng = np.random.default_rng(seed)
    atoms = bulk("NiAl", "cesiumchloride", a=2.9).repeat((3, 2, 2))
    atoms.numbers = rng.permutation(atoms.numbers)
    atoms.set_cell(atoms.cell.array + rng.normal(size=(3, 3)) * 0.1, scale_atoms=True)
    atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
    return atoms


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), angle=st.floats(0, 360), shift=st.floats(-20, 20))
def test_invariances(seed: int, angle: float, shift: float) -> None:
    atoms = alloy(seed)
    rng = np.random.default_rng(seed)
    other = atoms[rng.permutation(len(atoms))]
    other.positions += shift * rng.normal(size=3)
    other.wrap()
    other.set_cell(other.cell.array + np.outer([0, 1, -1], other.cell[0]))
    other.rotate(angle, rng.normal(size=3), rotate_cell=True)
    assert difference_A(fingerprint(atoms), fingerprint(other)) < 1e-5
    assert find_duplicate(fingerprint(other), [fingerprint(atoms)]) == 0


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), displacement_A=st.floats(0, 0.2))
def test_small_displacements_change_little(seed: int, displacement_A: float) -> None:
    atoms = alloy(seed)
    moved = atoms.copy()
    steps = np.random.default_rng(seed).normal(size=atoms.positions.shape)
    moved.positions += displacement_A * steps / np.linalg.norm(steps, axis=1, keepdims=True)
    assert difference_A(fingerprint(atoms), fingerprint(moved)) <= 2 * displacement_A + 1e-5


def test_frames_of_one_crystal_are_told_apart() -> None:
    frames = [fingerprint(displaced(0.03, seed)) for seed in range(6)]
    for index, frame in enumerate(frames):
        assert find_duplicate(frame, frames[:index]) is None


def test_strain_one_moved_atom_and_exchanged_species_are_told_apart() -> None:
    atoms = alloy(1)
    strained = atoms.copy()
    strained.set_cell(1.01 * atoms.cell.array, scale_atoms=True)
    moved = atoms.copy()
    moved.positions[3, 0] += 0.05
    exchanged = atoms.copy()
    exchanged.numbers[[0, 1]] = 13, 28
    exchanged.numbers = np.where(exchanged.numbers == 13, 28, 13)
    others = [fingerprint(other) for other in (strained, moved, exchanged, atoms.repeat((2, 1, 1)))]
    assert find_duplicate(fingerprint(atoms), others) is None


def test_isolated_atoms_and_small_cells() -> None:
    lone = fingerprint(Atoms("Mo"))
    assert find_duplicate(lone, [fingerprint(Atoms("W")), fingerprint(Atoms("Mo", [[5, 5, 5]]))]) == 1
    primitive = fingerprint(bulk("Mo"))
    assert find_duplicate(primitive, [lone, primitive]) == 1
