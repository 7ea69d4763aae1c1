"""Neighbors and ghosts of another program, as LAMMPS has them, give the same as the kernel's own search."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray
from structures import awkward, potential

import alflow
from alflow.potentials import evaluate, kernel
from alflow.potentials.mtp import MomentTensorPotential

SKIN_A = 0.7
HEADERS = Path(alflow.__file__).parent / "potentials" / "kernel"


@dataclass
class Ghosts:
    """A structure as a program with ghosts sees it: `owners` are the atoms that all stand for."""

    positions: NDArray[np.float64]
    owners: NDArray[np.int64]
    first: NDArray[np.int64]
    neighbors: NDArray[np.int32]

    @classmethod
    def of(cls, atoms: Atoms, cutoff_A: float) -> Ghosts:
        """Full lists up to a skin beyond the cutoff; every image that is somebody's neighbor is a ghost."""
        centers, owners, shifts = neighbor_list("ijS", atoms, cutoff_A + SKIN_A)
        images = {(i, 0, 0, 0): i for i in range(len(atoms))}
        keys = [(int(j), *map(int, shift)) for j, shift in zip(owners, shifts, strict=True)]
        indices = [images.setdefault(key, len(images)) for key in keys]
        every = np.array(list(images))
        return cls(
            positions=atoms.positions[every[:, 0]] + every[:, 1:] @ atoms.cell.array,
            owners=every[:, 0],
            first=np.searchsorted(centers, np.arange(len(atoms) + 1)),
            neighbors=np.array(indices, dtype=np.int32),
        )


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    compiler = os.environ.get("CXX") or shutil.which("c++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    library = tmp_path_factory.mktemp("foreign") / "foreign.so"
    source = Path(__file__).with_name("foreign_neighbors.cpp")
    flags = ["-std=c++20", "-O1", "-shared", "-fPIC", "-pthread", "-Wno-psabi", f"-I{HEADERS}"]
    if kernel.instrumented:
        flags += ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    subprocess.run([compiler, *flags, source, "-o", library], check=True)
    function = ctypes.CDLL(str(library)).evaluate_foreign
    function.restype = None

    def call(*arguments: Any) -> None:
        function(*(a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else a for a in arguments))

    return call


def arguments_of(mtp: MomentTensorPotential) -> list[Any]:
    tables = mtp.tables
    basic, times, scalars = (
        np.ascontiguousarray(table, dtype=np.int32) for table in (tables.basic, tables.times, tables.scalars)
    )
    return [
        *mtp.radial_coefficients.shape[1:],
        *(ctypes.c_double(x) for x in (mtp.cutoff_A, mtp.min_distance_A, mtp.scaling)),
        *(np.ascontiguousarray(x) for x in (mtp.radial_coefficients, mtp.species_energies_eV)),
        np.ascontiguousarray(mtp.moment_coefficients),
        *(basic, len(basic), times, len(times), scalars, len(scalars), tables.moment_count),
    ]


@pytest.mark.parametrize("species", [1, 3])
@pytest.mark.parametrize("kind", list(awkward()))
def test_ghosts_of_another_program(foreign, kind, species):
    mtp, atoms = potential(12, species), awkward(species)[kind]
    if kind == "far outside the cell":
        atoms = atoms.repeat((3, 2, 1))  # more than one block of atoms
    matrix = np.random.default_rng(1).normal(size=(mtp.parameter_count, 9))
    expected = evaluate(mtp, [atoms], grade_matrix=matrix)

    ghosts, count = Ghosts.of(atoms, mtp.cutoff_A), len(atoms)
    assert len(ghosts.positions) > count or not atoms.pbc.any()
    energies, grades = np.zeros((2, count))
    # whatever other forces have done before stays there, and each atom may have a virial of its own
    before = np.random.default_rng(2).normal(size=ghosts.positions.shape)
    forces, virials = before.copy(), np.zeros((count, 3, 3))
    split = count // 3
    for begin, end in ((0, split), (split, count)):
        foreign(
            *arguments_of(mtp),
            *(ghosts.positions, mtp.types_of(atoms.numbers)[ghosts.owners], ghosts.first, ghosts.neighbors),
            *(np.arange(count), ctypes.c_int64(begin), ctypes.c_int64(end)),
            *(matrix, matrix.shape[1], energies, forces, virials, grades),
        )
    forces -= before
    folded = forces[:count].copy()
    np.add.at(folded, ghosts.owners[count:], forces[count:])
    scale = max(1.0, np.abs(expected.forces).max())
    np.testing.assert_allclose(energies, expected.energies, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(folded, expected.forces, atol=1e-11 * scale)
    np.testing.assert_allclose(virials.sum(axis=0), expected.virials[0], atol=1e-10 * scale)
    np.testing.assert_allclose(grades, expected.grades, rtol=1e-9)
