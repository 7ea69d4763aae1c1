from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import given
from hypothesis import strategies as st
from motep.io.mlip.cfg import read_cfg as motep_read
from motep.io.mlip.cfg import write_cfg as motep_write

from alflow.errors import InputError
from alflow.structures.cfg_file import cfg_from_text, read_cfg, write_cfg
from alflow.structures.cfg_names import key_of_feature
from alflow.structures.cfg_text import cfg_text

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
        ("cartes_x", "carts_x", "unknown column carts_x"),
        ("    2\n", "    two\n", "'two' for Size"),
        ("    2\n", "    0\n", "a Size of 0; it takes a number of atoms, at least 1"),
        ("END_CFG", " Stress: xx yy zz yz xz xy\n 1 2 3 4 5 6\nEND_CFG", "unknown keyword 'Stress:'"),
        ("END_CFG", " PlusStress: xx yy\n 1 2\nEND_CFG", "PlusStress xx yy"),
        ("BEGIN_CFG", "BEGIN", "line 1 reads 'BEGIN'"),
        ("    2\n", "    2.5\n", "a Size of 2.5"),
        ("    2\n", "    1e300\n", "ends where AtomData|for AtomData"),
        ("    2\n", "    nan\n", "a Size of nan"),
        ("cartes_z", "cartes_y", "column cartes_y of AtomData twice"),
        (
            "cartes_x cartes_y cartes_z",
            "cartes_x cartes_y fx",
            "cartes_x of AtomData without",
        ),
        ("  0 0 4\n", "  0 0 1e999\n", "Supercell that is not finite"),
        (" AtomData", " Size\n 2\n AtomData", "has Size twice"),
        ("END_CFG", " Energy\n 1\n Energy\n 2\nEND_CFG", "has Energy twice"),
        ("  2 0 2 2 2", "  2 0 2 2 1_0", "for AtomData"),
        ("  0 0 4\n", "  0 0 4 1\n", "for Supercell"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    (tmp_path / "a.cfg").write_text(GOOD.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        read_cfg(tmp_path / "a.cfg", SPECIES)
    assert "\n" not in str(error.value)


def case(name: str) -> Path:
    return Path(__file__).parents[1] / "data" / "cases" / name


def test_a_zero_vector_is_an_open_direction(tmp_path: Path) -> None:
    (slab,) = read_cfg(case("06-mlip-zero-supercell-vectors") / "slab.cfg", ["Cu"])
    assert slab.pbc.tolist() == [True, True, False]
    assert slab.cell.array.tolist() == [[2.6, 0, 0], [0, 2.6, 0], [0, 0, 0]]
    for periodic in ([True, False, True], [False, False, True], [False, True, False]):
        slab.cell = np.diag([2.6, 2.7, 2.8])
        slab.pbc = periodic
        write_cfg(tmp_path / "a.cfg", [slab], ["Cu"])
        (back,) = read_cfg(tmp_path / "a.cfg", ["Cu"])
        assert back.pbc.tolist() == periodic
        assert back.cell.lengths().tolist() == (np.array([2.6, 2.7, 2.8]) * periodic).tolist()


def test_ghosts_of_a_part_of_a_structure_stay_and_are_marked(tmp_path: Path) -> None:
    (part,) = read_cfg(case("07-mlip3-ghost-column") / "preselected.cfg", ["Cu"])
    assert part.arrays["ghost"].tolist() == [False, False, True]
    assert part.arrays["extrapolation_grades"].tolist() == [15.6, 180123.9, 0.0]
    assert part.info == {"extrapolation_grade": 180123.9}
    write_cfg(tmp_path / "a.cfg", [part], ["Cu"])
    (back,) = read_cfg(tmp_path / "a.cfg", ["Cu"])
    assert back.arrays["ghost"].tolist() == [False, False, True]


GHOSTS = """BEGIN_CFG
 Size
    3
 Supercell
  4 0 0
  1 4 0
  0 0 4
 AtomData: id type cartes_x cartes_y cartes_z ghost nbh_grades
  1 0 0.5 0 0 false 1
  2 1 2 2 2 false 2
  3 0 1.5 4 -8 true 0
END_CFG
"""


def test_ghosts_that_are_periodic_images_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.cfg").write_text(GHOSTS)
    (atoms,) = read_cfg(tmp_path / "a.cfg", SPECIES)
    assert atoms.get_chemical_symbols() == ["Pd", "Cu"]
    assert atoms.arrays["extrapolation_grades"].tolist() == [1, 2]
    assert "ghost" not in atoms.arrays


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("3 0 1.5 4 -8", "3 0 1.6 4 -8", "ghost atom 3 is no periodic image"),
        ("3 0 1.5 4 -8", "3 1 1.5 4 -8", "ghost atom 3 is no periodic image"),
        ("true", "perhaps", "takes 7 number.s. and true or false"),
        ("END_CFG", " Energy -3\nEND_CFG", "ghost atoms together with energy"),
    ],
)
def test_ghosts_that_cannot_be_used_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "a.cfg").write_text(GHOSTS.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_cfg(tmp_path / "a.cfg", SPECIES)


@pytest.mark.parametrize("name", ["energy_on_line.cfg", "size_on_line.cfg"])
def test_values_may_stand_on_the_line_of_the_keyword(name: str) -> None:
    folder = case("09-cfg-value-on-keyword-line")
    (found,), (expected,) = read_cfg(folder / name, ["Cu"]), read_cfg(folder / "reference.cfg", ["Cu"])
    assert found == expected
    assert found.calc.results["energy"] == -7.5
    np.testing.assert_allclose(found.calc.results["stress"], [-0.1 / 27] * 3 + [0] * 3)


def test_features_named_like_results_stay_what_they_are(tmp_path: Path) -> None:
    (atoms,) = read_cfg(case("12-feature-named-energy") / "feature.cfg", ["Cu"])
    assert atoms.calc.results["energy"] == -7.5
    ase.io.write(tmp_path / "a.extxyz", atoms)
    back = ase.io.read(tmp_path / "a.extxyz")
    assert back.calc.results["energy"] == -7.5
    assert back.pbc.all()
    assert back.cell.lengths().tolist() == [3, 3, 3]
    write_cfg(tmp_path / "a.cfg", [back], ["Cu"])
    lines = (tmp_path / "a.cfg").read_text().splitlines()
    assert [line.split() for line in lines if "Feature" in line] == [
        ["Feature", "atom_type_table", "{'Cu':", "0}"],
        ["Feature", "energy", "-99"],
        ["Feature", "forces", "abc"],
        ["Feature", "stress", "1"],
        ["Feature", "pbc", "no"],
        ["Feature", "Lattice", "3"],
        ["Feature", "id", "5"],
    ]


@given(
    features=st.dictionaries(
        st.sampled_from(
            ["energy", "mlip_energy", "mlip_mlip_pbc", "mlip_x", "x", "EFS by", "extrapolation_grade"]
        ),
        st.one_of(
            st.integers(-(10**17), 10**17),
            st.floats(allow_nan=False),
            st.text("abc", min_size=1),
            st.sampled_from(["two\nlines", "a\n\n b", "007x", "1_0"]),
        ),
    )
)
def test_features_go_there_and_back(features: dict[str, int | float | str]) -> None:
    atoms = Atoms("Cu", info={key_of_feature(name): value for name, value in features.items()})
    (back,) = cfg_from_text(cfg_text(atoms, ["Cu"]), ["Cu"], "text")
    assert back.info == atoms.info
    assert cfg_text(back, ["Cu"]) == cfg_text(atoms, ["Cu"])


def test_a_repeated_feature_is_text_of_several_lines() -> None:
    text = GOOD.replace("END_CFG", " Feature note\tfirst\n Feature note\tsecond\nEND_CFG")
    (atoms,) = cfg_from_text(text, SPECIES, "text")
    assert atoms.info == {"note": "first\nsecond"}


@given(seed=st.integers(0, 2**32 - 1))
def test_lossless_text_keeps_every_bit(seed: int) -> None:
    atoms = random_structure(seed)
    atoms.set_array("extrapolation_grades", np.random.default_rng(seed).random(len(atoms)))
    (back,) = cfg_from_text(cfg_text(atoms, SPECIES, lossless=True), SPECIES, "text")
    assert back.positions.tolist() == atoms.positions.tolist()
    assert back.cell.array.tolist() == atoms.cell.array.tolist()
    assert back.calc.results["energy"] == atoms.calc.results["energy"]
    assert back.calc.results["forces"].tolist() == atoms.calc.results["forces"].tolist()
    assert back.arrays["extrapolation_grades"].tolist() == atoms.arrays["extrapolation_grades"].tolist()
    np.testing.assert_allclose(back.calc.results["stress"], atoms.calc.results["stress"], rtol=1e-15)


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.cfg").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_cfg(tmp_path / "a.cfg", SPECIES) == cfg_from_text(GOOD, SPECIES, "text")


def test_other_columns_of_mlip_come_back(tmp_path: Path) -> None:
    text = GOOD.replace("cartes_z", "cartes_z site_en charge").replace("0 0 0 0\n", "0 0 0 0 -1.5 0.25\n")
    (atoms,) = cfg_from_text(text.replace("0 2 2 2", "0 2 2 2 -2.5 -0.25"), SPECIES, "text")
    assert atoms.arrays["site_en"].tolist() == [-1.5, -2.5]
    (back,) = cfg_from_text(cfg_text(atoms, SPECIES), SPECIES, "text")
    assert back.arrays["charge"].tolist() == [0.25, -0.25]


def test_plus_stress_of_a_slab_is_kept() -> None:
    text = GOOD.replace("  0 0 4\n", "").replace(
        "END_CFG", " PlusStress: xx yy zz yz xz xy\n1 2 3 4 5 6\nEND_CFG"
    )
    (atoms,) = cfg_from_text(text, SPECIES, "text")
    assert atoms.calc is None
    (back,) = cfg_from_text(cfg_text(atoms, SPECIES), SPECIES, "text")
    assert back.info["mlip_PlusStress"].tolist() == [1, 2, 3, 4, 5, 6]


def test_the_energy_is_the_one_that_the_forces_belong_to() -> None:
    atoms = Atoms("Cu", cell=[9, 9, 9], pbc=True)
    atoms.calc = SinglePointCalculator(atoms, energy=-5.3, free_energy=-5.2, forces=np.zeros((1, 3)))
    (back,) = cfg_from_text(cfg_text(atoms, ["Cu"]), ["Cu"], "text")
    assert back.calc.results["energy"] == pytest.approx(-5.2)


def test_an_element_outside_the_species_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Au is in the structures but not among Pd, Cu, Al"):
        write_cfg(tmp_path / "a.cfg", [Atoms("Au")], SPECIES)
