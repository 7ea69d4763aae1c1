from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from reference import basis as reference_basis

from alflow.potentials.mtp import contraction_tables, read_mtp

COUNTS = {2: (1, 1), 4: (2, 1), 6: (5, 2), 8: (9, 2), 10: (16, 3), 12: (29, 3), 14: (52, 4), 16: (92, 4),
          18: (163, 5), 20: (288, 5), 22: (500, 6), 24: (864, 6)}  # fmt: skip


@pytest.mark.parametrize("level", COUNTS)
def test_counts_are_those_of_mlip(level):
    tables = contraction_tables(level)
    assert (len(tables.scalars), tables.radial_function_count) == COUNTS[level]


@pytest.mark.parametrize("level", [0, 7, -2])
def test_impossible_levels_are_refused(level):
    with pytest.raises(ValueError, match="even number"):
        contraction_tables(level)


def test_every_moment_is_complete_before_it_is_used():
    tables = contraction_tables(16)
    written = {int(out): row for row, (*_, out) in enumerate(tables.times)}
    for row, (left, right, _, _) in enumerate(tables.times):
        assert all(written.get(int(used), -1) < row for used in (left, right))


@pytest.mark.parametrize("name", ["level08_species1", "level16_species2", "level20_species1"])
def test_same_function_space_as_mlip(reference_data, name):
    """MLIP-2 numbers and normalises the functions otherwise; the space that they span must be the same."""
    file = reference_data / "mtp_reference" / f"{name}.mtp"
    species = ["Cu", "Pd"][: int(name[-1])]
    mlip = read_mtp(file, species)
    ours = replace(mlip, tables=contraction_tables(int(name[5:7])))
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True).repeat(5)
    atoms.set_chemical_symbols(np.random.default_rng(0).choice(species, len(atoms)))
    atoms.rattle(0.25, seed=1)
    both = [reference_basis(potential, atoms) for potential in (mlip, ours)]
    columns = [rows / np.linalg.norm(rows, axis=0) for rows in both]
    for span, target in (columns, columns[::-1]):
        solution, *_ = np.linalg.lstsq(span, target, rcond=1e-13)
        assert np.abs(span @ solution - target).max() < 1e-7
