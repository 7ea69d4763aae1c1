from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from alflow.hull.derivative import derivative_structures, parent_lattice
from alflow.hull.duplicates import SeenCrystals

SPECIES = ["Cu", "Pd", "Au"]


def random_crystal(seed: int, atom_count: int) -> Atoms:
    """Any cell, atoms on a jittered grid of its fractions, so that they do not overlap."""
    random = np.random.default_rng(seed)
    sites = (np.argwhere(np.ones((2, 2, 2))) / 2 + random.uniform(-0.1, 0.1, (8, 3)))[:atom_count]
    cell = 5 * np.eye(3) + random.uniform(-1, 1, (3, 3))
    return Atoms(random.choice(SPECIES, atom_count), cell=cell, pbc=True, scaled_positions=sites)


def disguised(atoms: Atoms, seed: int) -> Atoms:
    """The same crystal: another supercell, rotated or mirrored, shifted, scaled, in another order."""
    random = np.random.default_rng(seed)
    shear = np.triu(random.integers(-2, 3, (3, 3)), 1) + np.diag(random.integers(1, 3, 3))
    other = make_supercell(atoms, random.permutation(shear))
    other = other[random.permutation(len(other))]
    other.set_cell(
        other.cell.array @ ortho_group.rvs(3, random_state=seed) * random.uniform(0.8, 1.3), scale_atoms=True
    )
    other.positions += random.uniform(-5, 5, 3)
    other.wrap()
    return other


@given(seed=st.integers(0, 10**6), atom_count=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_a_crystal_in_disguise_is_known(seed: int, atom_count: int) -> None:
    seen = SeenCrystals(SPECIES)
    atoms = random_crystal(seed, atom_count)
    assert seen.add(atoms)
    assert not seen.add(disguised(atoms, seed))
    assert len(seen) == 1


@given(seed=st.integers(0, 10**6), atom_count=st.integers(2, 8))
@settings(max_examples=40, deadline=None)
def test_another_decoration_or_a_moved_atom_is_new(seed: int, atom_count: int) -> None:
    seen = SeenCrystals(SPECIES)
    atoms = random_crystal(seed, atom_count)
    seen.add(atoms)
    decorated, moved = disguised(atoms, seed), atoms.copy()
    decorated.symbols[0] = "Au" if decorated.symbols[0] != "Au" else "Cu"
    moved.positions[0] += 0.05
    assert seen.add(decorated)
    assert seen.add(moved)


@pytest.mark.parametrize("name", ["POSCAR", "a.cif", "a.extxyz", "a.xsf"])
def test_a_crystal_is_known_from_a_file(tmp_path: Path, name: str) -> None:
    seen = SeenCrystals(SPECIES)
    for seed in range(5):
        atoms = random_crystal(seed, 6)
        seen.add(atoms)
        ase.io.write(tmp_path / name, atoms)
        assert not seen.add(ase.io.read(tmp_path / name))


def test_strain_is_told_apart_from_volume() -> None:
    seen = SeenCrystals(SPECIES)
    atoms = bulk("CuPd", "cesiumchloride", a=3.0)
    strained = atoms.copy()
    strained.set_cell(atoms.cell * [1, 1, 1.01], scale_atoms=True)
    atoms_larger = atoms.copy()
    atoms_larger.set_cell(atoms.cell * 1.1, scale_atoms=True)
    assert [seen.add(each) for each in (atoms, strained, atoms_larger)] == [True, True, False]


def derivative_pool(parent: str, max_atoms: int) -> list[Atoms]:
    pytest.importorskip("icet", reason="needs icet: pip install 'alflow[hull]'")
    return list(derivative_structures(parent_lattice(parent), ["Cu", "Pd"], max_atoms))


def test_orderings_of_one_lattice_are_all_different() -> None:
    seen = SeenCrystals(SPECIES)
    pool = derivative_pool("hcp", 8)
    assert all(seen.add(atoms) for atoms in pool)
    assert not any(seen.add(disguised(atoms, seed)) for seed, atoms in enumerate(pool[::10]))


@pytest.mark.slow
@pytest.mark.parametrize("parent", ["fcc", "bcc", "hcp"])
def test_orderings_of_one_lattice_are_all_different_to_twelve_atoms(parent: str) -> None:
    seen = SeenCrystals(SPECIES)
    assert all(seen.add(atoms) for atoms in derivative_pool(parent, 12))
