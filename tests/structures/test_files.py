from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixBondLengths, FixCartesian

from alflow.errors import InputError
from alflow.structures.constraints import fixed_components
from alflow.structures.files import read_structures, write_structures


def labelled_copper(energy_eV: float = -3.5, force_eV_A: float = 0.1) -> Atoms:
    atoms = bulk("Cu", a=3.6, cubic=True)
    atoms.rattle(0.05, seed=1)
    forces = np.full((len(atoms), 3), force_eV_A)
    atoms.calc = SinglePointCalculator(atoms, energy=energy_eV, forces=forces, stress=np.full(6, 0.01))
    return atoms


@pytest.mark.parametrize("name", ["a.extxyz", "a.xyz", "a.cfg", "POSCAR", "a.traj", "a.vasp"])
def test_formats_go_there_and_back(tmp_path: Path, name: str) -> None:
    atoms = labelled_copper()
    write_structures(tmp_path / name, [atoms])
    (found,) = read_structures(tmp_path / name, species=["Cu"])
    assert found.get_chemical_symbols() == atoms.get_chemical_symbols()
    np.testing.assert_allclose(found.positions, atoms.positions, atol=1e-7)
    assert found.pbc.all()


@pytest.mark.parametrize("name", ["a.extxyz", "a.cfg"])
def test_labels_go_there_and_back(tmp_path: Path, name: str) -> None:
    atoms = labelled_copper()
    write_structures(tmp_path / name, [atoms, atoms])
    for found in read_structures(tmp_path / name, labelled=True, species=["Cu"]):
        for key, value in atoms.calc.results.items():
            np.testing.assert_allclose(found.calc.results[key], value, atol=1e-7)


@pytest.mark.parametrize(
    "structures",
    [
        [molecule("H2O")],
        [Atoms("Cu", cell=[30, 30, 30], pbc=True)],
        [Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 12]])],
        [bulk("Cu", a=3.6)],
    ],
)
def test_unusual_but_right_structures_are_accepted(tmp_path: Path, structures: list[Atoms]) -> None:
    write_structures(tmp_path / "a.extxyz", structures)
    assert len(read_structures(tmp_path / "a.extxyz")) == len(structures)


def refusal(path: Path, *, labelled: bool = False, species: list[str] | None = None) -> str:
    with pytest.raises(InputError) as error:
        read_structures(path, labelled=labelled, species=species)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def broken(**changes: object) -> Atoms:
    atoms = labelled_copper()
    for key, value in changes.items():
        if key in ("energy", "forces", "stress"):
            atoms.calc.results[key] = value
        elif key == "scale":
            calc, atoms.calc = atoms.calc, None
            atoms.set_cell(atoms.cell * value, scale_atoms=True)
            atoms.calc = SinglePointCalculator(atoms, **calc.results)
        else:
            setattr(atoms, key, value)
    return atoms


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 0.1}, r"are the lengths in nm\?"),
        ({"scale": 0.01}, r"are the lengths in nm\?"),
        ({"scale": 100.0}, r"are these in pm\?"),
        ({"forces": np.full((4, 3), 1e4)}, r"has forces up to 1e\+04"),
        ({"stress": np.full(6, 160.0)}, r"has stress up to 160; in eV/Å³"),
        ({"energy": -1e4}, r"energy of -2500 eV per atom where like frames have -0.875"),
        ({"energy": float("nan")}, "has energy that is not finite"),
        ({"forces": np.full((4, 3), np.inf)}, "has forces that is not finite"),
        ({"positions": np.full((4, 3), np.nan)}, "has the position .* for atom 0"),
        ({"cell": np.diag([4.0, 4.0, 0.0])}, "flat cell"),
        ({"cell": np.array([[4.0, 0, 0], [0, 4.0, 0], [4.0, 4.0, 0]])}, "flat cell"),
        ({"symbols": ["Cu", "Cu", "Au", "Cu"]}, "has atoms of Au; the species are Cu, Pd"),
        ({"symbols": ["Cu", "X", "Cu", "Cu"]}, "has atoms of X"),
    ],
)
def test_wrong_frames_are_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    path = tmp_path / "a.traj"
    ase.io.write(path, [labelled_copper(), labelled_copper(), broken(**changes)])
    with pytest.raises(InputError, match=f"frame 3 of 3 .*{message}"):
        read_structures(path, labelled=True, species=["Cu", "Pd"])


def test_forces_of_a_wrong_shape(tmp_path: Path) -> None:
    path = tmp_path / "a.extxyz"
    path.write_text('1\nProperties=species:S:1:pos:R:3:forces:R:2 energy=-1 pbc="F F F"\nCu 0 0 0 1 2\n')
    assert "forces of shape (1, 2); it must be (1, 3)" in refusal(path)


def test_missing_labels_are_named_with_what_is_there(tmp_path: Path) -> None:
    atoms = labelled_copper()
    atoms.info["dft_value"] = 1.0
    del atoms.calc.results["energy"], atoms.calc.results["forces"]
    ase.io.write(tmp_path / "a.extxyz", atoms)
    assert len(read_structures(tmp_path / "a.extxyz")) == 1
    message = refusal(tmp_path / "a.extxyz", labelled=True)
    assert "has no energy and no forces;" in message
    assert "dft_value" in message


def test_unlabelled_structures_lack_both(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "a.extxyz", bulk("Cu"))
    assert "has no energy and no forces" in refusal(tmp_path / "a.extxyz", labelled=True)


def test_files_that_are_not_there_or_empty_or_cut_off(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "missing.extxyz")
    (tmp_path / "empty.extxyz").write_text("")
    assert "is empty" in refusal(tmp_path / "empty.extxyz")
    (tmp_path / "blank.cfg").write_text("\n\n")
    assert "holds no structure" in refusal(tmp_path / "blank.cfg", species=["Cu"])
    ase.io.write(tmp_path / "whole.extxyz", [bulk("Cu", cubic=True)] * 2)
    lines = (tmp_path / "whole.extxyz").read_text().splitlines()
    (tmp_path / "cut.extxyz").write_text("\n".join(lines[:-2]))
    assert "cannot be read" in refusal(tmp_path / "cut.extxyz")
    (tmp_path / "words.extxyz").write_text("these are words\n")
    assert "cannot be read" in refusal(tmp_path / "words.extxyz")
    (tmp_path / "words.unheardof").write_text("these are words\n")
    assert "cannot be read" in refusal(tmp_path / "words.unheardof")


def test_ids_are_unique(tmp_path: Path) -> None:
    structures = [bulk("Cu"), bulk("Cu"), bulk("Cu")]
    for atoms, name in zip(structures, ["a", "b", "a"], strict=True):
        atoms.info["id"] = name
    ase.io.write(tmp_path / "a.extxyz", structures)
    assert "frames 1 and 3 have the same id 'a'" in refusal(tmp_path / "a.extxyz")


def test_cfg_files_need_the_species(tmp_path: Path) -> None:
    write_structures(tmp_path / "a.cfg", [bulk("Cu")])
    assert "give the species" in refusal(tmp_path / "a.cfg")
    with pytest.raises(InputError, match=r"give the species .*Al, Cu"):
        write_structures(tmp_path / "b.cfg", [Atoms("CuAl")])


def test_writing_where_it_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the folder .* does not exist"):
        write_structures(tmp_path / "no" / "a.extxyz", [bulk("Cu")])
    with pytest.raises(InputError, match="cannot be written"):
        write_structures(tmp_path / "a.unheardof", [bulk("Cu")])


def test_reads_the_published_sets(reference_data: Path) -> None:
    structures = read_structures(reference_data / "zuo2020" / "Mo_test.extxyz", labelled=True, species=["Mo"])
    assert len(structures) == 23


CASES = Path(__file__).parents[1] / "data" / "cases"


@pytest.mark.parametrize("name", ["a.extxyz", "POSCAR", "a.traj"])
@pytest.mark.parametrize("first", ["b.extxyz", "POSCAR"])
def test_constraints_survive(tmp_path: Path, first: str, name: str) -> None:
    (slab,) = read_structures(CASES / "14-selective-dynamics" / "POSCAR")
    write_structures(tmp_path / first, [slab])
    (slab,) = read_structures(tmp_path / first)
    write_structures(tmp_path / name, [slab])
    (back,) = read_structures(tmp_path / name)
    assert fixed_components(back).tolist() == [[True] * 3, [True, True, False], [False] * 3]


def test_lost_constraints_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    slab = read_structures(CASES / "14-selective-dynamics" / "POSCAR")
    write_structures(tmp_path / "a.cfg", slab)
    assert "format mlip-cfg does not hold all constraints of 1 structure(s)" in caplog.text
    slab[0].set_constraint(FixBondLengths([[0, 1]]))
    write_structures(tmp_path / "POSCAR", slab)
    assert "format vasp does not hold all constraints of 1 structure(s)" in caplog.text


@pytest.mark.parametrize("name", ["a.extxyz", "POSCAR", "a.traj"])
def test_fixed_components_survive(tmp_path: Path, name: str) -> None:
    atoms = bulk("Cu", a=3.6, cubic=True)
    atoms.set_cell([[0, 3.6, 0], [3.6, 0, 0], [0, 0, 3.6]])  # the first vector is along y
    atoms.set_constraint([FixAtoms([3]), FixCartesian(1, (True, False, False))])
    write_structures(tmp_path / name, [atoms])
    (back,) = read_structures(tmp_path / name)
    assert fixed_components(back).tolist() == [[False] * 3, [True, False, False], [False] * 3, [True] * 3]
    assert len(back.constraints) == 2


def test_components_that_a_poscar_cannot_hold_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    atoms = bulk("Cu", a=3.6)
    atoms.set_constraint(FixCartesian(0, (True, False, False)))
    write_structures(tmp_path / "POSCAR", [atoms])
    assert "format vasp does not hold all constraints of 1 structure(s)" in caplog.text


def test_frames_with_different_arrays_are_written(tmp_path: Path) -> None:
    mixed = read_structures(CASES / "15-relax-mixed-batch" / "mixb.extxyz")
    for number, atoms in enumerate(mixed):
        atoms.info["number"] = number
    write_structures(tmp_path / "a.extxyz", mixed)
    back = read_structures(tmp_path / "a.extxyz")
    assert [atoms.info["number"] for atoms in back] == [0, 1, 2]
    assert back[0].get_initial_magnetic_moments().tolist() == [2.3, 2.3]
    assert back[1].get_tags().tolist() == [4] * 4 + [3] * 4 + [2] * 4 + [1] * 4


def test_lammps_data_file_by_masses() -> None:
    (atoms,) = read_structures(CASES / "17-lammps-data" / "small.data", species=["Pd", "Cu"])
    assert atoms.get_chemical_symbols() == ["Cu", "Cu"]
    assert atoms.positions.tolist() == [[0, 0, 0], [1.5, 1.5, 1.5]]
    assert atoms.cell.lengths().tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    ("masses", "species", "expected"),
    [
        ("1 1.5 # Pd", None, "Pd"),
        ("1 1.5", ["Au"], "Au"),
        ("1 63.546", ["Au", "Cu"], "Cu"),
        ("1 1.5", None, "does not say which elements"),
    ],
)
def test_elements_of_lammps_types(
    tmp_path: Path, masses: str, species: list[str] | None, expected: str
) -> None:
    text = (CASES / "17-lammps-data" / "small.data").read_text().replace("1 63.546", masses)
    (tmp_path / "a.data").write_text(text)
    if len(expected) > 2:
        assert expected in refusal(tmp_path / "a.data", species=species)
    else:
        (atoms,) = read_structures(tmp_path / "a.data", species=species)
        assert set(atoms.symbols) == {expected}


DUMP = """ITEM: TIMESTEP
10
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS xy xz yz pp pp pp
0 5 1
0 4 0
0 4 0
ITEM: ATOMS id type xs ys zs fx fy fz
2 2 0.5 0.5 0.5 -1 0 0
1 1 0 0 0 1 0 0
"""


def test_lammps_dump_scaled_and_triclinic(tmp_path: Path) -> None:
    (tmp_path / "dump.md").write_text(DUMP + DUMP.replace("\n10\n", "\n20\n"))
    first, second = read_structures(tmp_path / "dump.md", species=["Cu", "Pd"])
    assert first.get_chemical_symbols() == ["Cu", "Pd"]
    assert first.cell.array.tolist() == [[4, 0, 0], [1, 4, 0], [0, 0, 4]]
    np.testing.assert_allclose(first.positions[1], [2.5, 2, 2])
    assert second.info["timestep"] == 20
    assert "energy" not in first.calc.results
    assert first.calc.results["forces"].tolist() == [[1, 0, 0], [-1, 0, 0]]
    assert "has no column `element`" in refusal(tmp_path / "dump.md")
    assert "atoms of other types than 1 to 1" in refusal(tmp_path / "dump.md", species=["Cu"])


def test_a_format_by_name_where_the_name_misleads(tmp_path: Path) -> None:
    write_structures(tmp_path / "a.txt", [labelled_copper()], file_format="extxyz")
    (atoms,) = read_structures(tmp_path / "a.txt", file_format="extxyz", labelled=True)
    assert len(atoms) == 4
    with pytest.raises(InputError, match="format is 'exyz', but it must be mlip-cfg or one of ASE's"):
        read_structures(tmp_path / "a.txt", file_format="exyz")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "POSCAR").write_text("old")
    with pytest.raises(InputError, match="cannot be written"):
        write_structures(tmp_path / "POSCAR", [labelled_copper(), bulk("Cu")])
    assert (tmp_path / "POSCAR").read_text() == "old"


def test_ase_reads_and_converts_cfg_files(tmp_path: Path) -> None:
    info = tmp_path / "plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ase.ioformats]\nmlip-cfg = alflow.ase_format:MLIP_CFG\n")
    write_structures(tmp_path / "a.cfg", [labelled_copper()] * 2)
    code = (
        "import sys, ase.io; assert 'alflow.structures' not in sys.modules\n"
        "a = ase.io.read(sys.argv[1], ':', species='Cu'); assert len(a) == 2\n"
        "assert a[1].calc.results['energy'] == -3.5\n"
        "ase.io.write(sys.argv[1] + '.out', a, format='mlip-cfg')\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])}
    command = [sys.executable, "-c", code, str(tmp_path / "a.cfg")]
    subprocess.run(command, check=True, env=environment)
    assert len(read_structures(tmp_path / "a.cfg.out", species=["Cu"])) == 2
    convert = [sys.executable, "-m", "ase", "convert", "--read-args", "species='Cu'", "--"]
    subprocess.run([*convert, str(tmp_path / "a.cfg"), str(tmp_path / "a.xyz")], check=True, env=environment)
    assert len(ase.io.read(tmp_path / "a.xyz", format="extxyz")) == 4


def test_a_count_of_atoms_beyond_the_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.extxyz").write_text("999999999\n\nCu 0 0 0\n")
    assert "announces 999999999 atoms" in refusal(tmp_path / "a.extxyz")
    (tmp_path / "dump.md").write_text(DUMP.replace("\n2\nITEM", "\n999999999\nITEM"))
    assert "announces 999999999 atoms" in refusal(tmp_path / "dump.md", species=["Cu", "Pd"])
    poscar = (CASES / "14-selective-dynamics" / "POSCAR").read_text()
    (tmp_path / "POSCAR").write_text(poscar.replace("\n3\n", "\n999999999\n"))
    assert "announces 999999999 atoms" in refusal(tmp_path / "POSCAR")


def test_a_cell_of_parallel_vectors_and_an_open_direction_is_flat(tmp_path: Path) -> None:
    slab = (CASES / "06-mlip-zero-supercell-vectors" / "slab.cfg").read_text()
    (tmp_path / "a.cfg").write_text(slab.replace("0.00  2.60  0.00", "2.60  0.00  0.00"))
    assert "is periodic with a flat cell" in refusal(tmp_path / "a.cfg", species=["Cu"])


def test_a_frame_of_no_atoms_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.extxyz").write_text("0\nProperties=species:S:1:pos:R:3 energy=1 free_energy=1\n")
    assert refusal(tmp_path / "a.extxyz", labelled=True)
