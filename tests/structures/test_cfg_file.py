from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import given
from hypothesis import strategies as st
from motep.io.mlip.cfg import read_cfg as motep_read
from motep.io.mlip.cfg import write_cfg as motep_write

from alflow.errors import InputError
from alflow.structures.cfg_file import read_cfg, write_cfg

SPECIES = ["Pd", "Cu", "Al"]
WRITTEN_DIGITS = 1e-11  # the file has 12 decimals


def random_structure(seed: int, *, periodic_directions: int = 3, labelled: bool = True) -> Atoms:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 6))
    cell = np.zeros((3, 3))
    cell[:periodic_directions] = (5 * np.eye(3) + rng.normal(size=(3, 3)))[:periodic_directions]
    atoms = Atoms(
        rng.choice(SPECIES, count),
        positions=rng.normal(size=(count, 3)) * 4,
        cell=cell,
        pbc=np.arange(3) < periodic_directions,
    )
    if labelled:
        results = {"energy": rng.normal() * 100, "forces": rng.normal(size=(count, 3))}
        if periodic_directions == 3:
            results["stress"] = rng.normal(size=6)
        atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def assert_same(found: Atoms, expected: Atoms, tolerance: float = WRITTEN_DIGITS) -> None:
    assert found.get_chemical_symbols() == expected.get_chemical_symbols()
    assert (found.pbc == expected.pbc).all()
    np.testing.assert_allclose(found.positions, expected.positions, atol=tolerance)
    np.testing.assert_allclose(found.cell[:], expected.cell[:], atol=tolerance)
    found_results = found.calc.results if found.calc else {}
    for name in ("energy", "forces", "stress"):
        if expected.calc is None or name not in expected.calc.results:
            assert name not in found_results
        else:
            np.testing.assert_allclose(found_results[name], expected.calc.results[name], atol=tolerance)


@given(seed=st.integers(0, 2**32 - 1), periodic=st.integers(0, 3), labelled=st.booleans())
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, seed: int, periodic: int, labelled: bool
) -> None:
    path = tmp_path_factory.mktemp("cfg") / "a.cfg"
    structures = [random_structure(seed + k, periodic_directions=periodic, labelled=labelled) for k in (0, 1)]
    write_cfg(path, structures, SPECIES)
    for found, expected in zip(read_cfg(path, SPECIES), structures, strict=True):
        assert_same(found, expected)


def test_motep_reads_the_same_numbers(tmp_path: Path) -> None:
    structures = [random_structure(seed) for seed in range(5)]
    write_cfg(tmp_path / "a.cfg", structures, SPECIES)
    for found, expected in zip(
        motep_read(tmp_path / "a.cfg", index=":", species=SPECIES), structures, strict=True
    ):
        assert_same(found, expected)


def test_reads_what_motep_writes(tmp_path: Path) -> None:
    structures = [random_structure(seed) for seed in range(5)]
    motep_write(tmp_path / "a.cfg", structures, species=SPECIES)
    for found, expected in zip(read_cfg(tmp_path / "a.cfg", SPECIES), structures, strict=True):
        assert_same(found, expected, tolerance=2e-5)


def test_direct_coordinates_features_and_column_order(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    path.write_text(
        """
BEGIN_CFG
 Size
    2
 SuperCell
  4.0 0 0
  0 5.0 0
  1.0 0 6.0
 AtomData: id type direct_x direct_y direct_z nbh_grades
  1 1 0.0 0.0 0.0 1.5
  2 0 0.5 0.5 0.5 2.5e0
 Energy
   -3.5
 PlusStress: xx yy zz xy yz xz
   120. 240. 360. 12. 24. 36.
 Feature   EFS_by VASP 6.4
 Feature   MV_grade 2.5
END_CFG
"""
    )
    (atoms,) = read_cfg(path, SPECIES)
    assert atoms.get_chemical_symbols() == ["Cu", "Pd"]
    np.testing.assert_allclose(atoms.positions[1], [2.5, 2.5, 3.0])
    np.testing.assert_allclose(atoms.get_stress(), -np.array([120, 240, 360, 24, 36, 12]) / 120.0)
    assert atoms.info == {"EFS_by": "VASP 6.4", "extrapolation_grade": 2.5}
    assert atoms.arrays["extrapolation_grades"].tolist() == [1.5, 2.5]


def test_grades_survive(tmp_path: Path) -> None:
    atoms = random_structure(1)
    atoms.info["extrapolation_grade"] = 3.25
    atoms.set_array("extrapolation_grades", np.linspace(0, 1, len(atoms)))
    write_cfg(tmp_path / "a.cfg", [atoms], SPECIES)
    assert "MV_grade\t3.25" in (tmp_path / "a.cfg").read_text()
    (found,) = read_cfg(tmp_path / "a.cfg", SPECIES)
    assert found.info["extrapolation_grade"] == 3.25
    np.testing.assert_allclose(found.arrays["extrapolation_grades"], atoms.arrays["extrapolation_grades"])


GOOD = """BEGIN_CFG
 Size
    2
 Supercell
  4 0 0
  0 4 0
  0 0 4
 AtomData: id type cartes_x cartes_y cartes_z
  1 0 0 0 0
  2 0 2 2 2
END_CFG
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("END_CFG\n", "", "frame 1 is cut off"),
        ("  2 0 2 2 2\nEND_CFG", "END_CFG", "frame 1 of 1 ends where AtomData"),
        ("  2 0 2 2 2", "  2 0 2 2", "frame 1 of 1 has '2 0 2 2' for AtomData"),
        ("  2 0 2 2 2", "  2 3 2 2 2", "atoms of type 3"),
        ("  2 0 2 2 2", "  2 -1 2 2 2", "atoms of type -1"),
        ("  2 0 2 2 2", "  1 0 2 2 2", "same id"),
        ("  0 0 4\n", "  0 0 4\n  0 0 4\n", "4 Supercell vectors"),
        ("  0 0 4\n", "  0 0 four\n", "unknown keyword|Supercell"),
        ("cartes_x", "carts_x", "no positions"),
        ("    2\n", "    two\n", "'two' for Size"),
        ("    2\n", "    0\n", "Size of at least 1"),
        ("END_CFG", " Stress: xx yy zz yz xz xy\n 1 2 3 4 5 6\nEND_CFG", "unknown keyword 'Stress:'"),
        ("END_CFG", " PlusStress: xx yy\n 1 2\nEND_CFG", "PlusStress xx yy"),
        ("BEGIN_CFG", "BEGIN", "line 1 reads 'BEGIN'"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    (tmp_path / "a.cfg").write_text(GOOD.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        read_cfg(tmp_path / "a.cfg", SPECIES)
    assert "\n" not in str(error.value)


def test_an_element_outside_the_species_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Au is in the structures but not among Pd, Cu, Al"):
        write_cfg(tmp_path / "a.cfg", [Atoms("Au")], SPECIES)
