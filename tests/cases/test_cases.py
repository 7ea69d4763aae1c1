"""Inputs that alflow once answered wrongly, through the command line: `tests/data/cases`, one test per case.

Right values of the functions below the commands are asserted elsewhere:

01 energies of every format      test_reading: test_every_format_has_the_free_energy_as_label
02 unconverged electronic steps  test_reading: test_unconverged_steps_of_*
08 headers of types              test_mtp_file: test_headers_say_which_types_a_block_belongs_to
10 untrained potential           test_potential_commands: test_fit_starts_from_an_untrained_file
13 odd text                      test_mtp_file: test_odd_text_is_read_as_plain_text_is
15 batch of unlike structures    test_batch_commands: test_frames_with_arrays_of_their_own_are_relaxed
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from click.testing import Result
from typer.testing import CliRunner

from alflow.cli import app
from alflow.structures.constraints import fixed_components
from alflow.structures.files import read_structures

CASES = Path(__file__).parents[1] / "data" / "cases"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str | Path, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


def refusal(*words: str | Path) -> str:
    """The one sentence of a command that fails; nothing is written."""
    before = sorted(Path().iterdir())
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2, result.output
    assert sorted(Path().iterdir()) == before
    text = result.stderr + str(getattr(result.exception, "args", [""])[0])
    assert "Traceback" not in text
    return text


def converted(*words: str | Path, to: str = "out.extxyz") -> Atoms:
    run("convert", *words, to)
    (atoms,) = ase.io.read(to, index=":")
    return atoms


def test_01_the_energy_is_the_free_energy_after_conversion() -> None:
    atoms = Atoms("Ag2", [[0, 0, 0], [0, 0, 2.9]], cell=[9, 9, 9], pbc=True)
    results: dict[str, Any] = {"energy": -5.30, "free_energy": -5.20, "forces": np.zeros((2, 3))}
    atoms.calc = SinglePointCalculator(atoms, **results)
    ase.io.write("a.extxyz", atoms)
    run("convert", "a.extxyz", "a.cfg", "--species", "Ag")
    assert converted("a.cfg", "--species", "Ag").get_potential_energy() == pytest.approx(-5.20)


def test_03_a_graded_file_has_the_energies_of_the_plain_one() -> None:
    data = CASES / "05-virial-ignored" / "good.extxyz"
    found = [
        json.loads(run("evaluate", CASES / "03-almtp" / name, data, "--species", "Cu", "--json").stdout)
        for name in ("plain.mtp", "trained.almtp")
    ]
    assert found[0]["errors"] == found[1]["errors"]
    said = refusal("grade", CASES / "03-almtp" / "trained.almtp", data, "--species", "Cu", "-o", "g.cfg")
    assert "the weights of its selection state" in said


def test_04_disordered_crystals_are_refused_with_their_site() -> None:
    folder = CASES / "04-partial-occupancy-cif"
    assert "a site that holds 0.4 Cu and 0.6 Pd" in refusal("convert", folder / "disordered.cif", "o.cfg")
    assert "a site that holds 0.75 Cu" in refusal("convert", folder / "vacancies.cif", "o.extxyz")


def test_05_a_fit_to_virials_is_the_fit_to_stresses() -> None:
    texts = []
    for name in ("good", "virial"):
        run("fit", CASES / "05-virial-ignored" / f"{name}.extxyz", "--level", "2", "-o", f"{name}.mtp")
        data = CASES / "05-virial-ignored" / "good.extxyz"
        texts.append(json.loads(run("evaluate", f"{name}.mtp", data, "--json").stdout)["errors"])
    good, virial = texts
    assert virial["stress_rmse_eV_A3"] == pytest.approx(good["stress_rmse_eV_A3"], rel=1e-3)
    assert virial["stress_rmse_eV_A3"] < 0.005


def test_06_a_zero_vector_is_an_open_direction() -> None:
    atoms = converted(CASES / "06-mlip-zero-supercell-vectors" / "slab.cfg", "--species", "Cu")
    assert atoms.pbc.tolist() == [True, True, False]
    assert atoms.positions.tolist() == [[0, 0, 0], [1.3, 1.3, 1.8]]


def test_07_ghosts_and_grades_come_along() -> None:
    atoms = converted(CASES / "07-mlip3-ghost-column" / "preselected.cfg", "--species", "Cu")
    assert atoms.arrays["ghost"].tolist() == [False, False, True]
    assert atoms.arrays["extrapolation_grades"].tolist() == [15.6, 180123.9, 0.0]
    assert not atoms.pbc.any()


def test_09_values_on_the_line_of_their_keyword() -> None:
    for name in ("energy_on_line", "size_on_line", "reference"):
        atoms = converted(CASES / "09-cfg-value-on-keyword-line" / f"{name}.cfg", "--species", "Cu")
        assert atoms.get_potential_energy() == -7.5
        assert atoms.get_forces().tolist() == [[0.1, 0, 0], [-0.1, 0, 0]]
        np.testing.assert_allclose(atoms.get_stress(), [-0.1 / 27] * 3 + [0] * 3)


def test_11_an_isolated_atom_needs_no_forces() -> None:
    words = ["--level", "2", "--cutoff", "4", "-o", "i.mtp"]
    result = run("fit", CASES / "11-isolated-atom-without-forces" / "train.extxyz", *words)
    assert "1 of 2 frames have one atom, whose forces are zero by symmetry" in result.stderr


def test_12_features_named_like_results_are_no_results() -> None:
    atoms = converted(CASES / "12-feature-named-energy" / "feature.cfg", "--species", "Cu")
    assert atoms.get_potential_energy() == -7.5
    assert atoms.pbc.all()
    assert atoms.info["mlip_energy"] == -99


def test_13_a_key_that_may_change_energies_is_refused() -> None:
    path = CASES / "13-mtp-whitespace-and-unknown-keys" / "unknown_key.mtp"
    data = CASES / "05-virial-ignored" / "good.extxyz"
    assert "has the key 'zbl_repulsion'" in refusal("evaluate", path, data, "--species", "Cu")


def test_14_fixed_components_survive_two_conversions() -> None:
    run("convert", CASES / "14-selective-dynamics" / "POSCAR", "a.extxyz")
    run("convert", "a.extxyz", "POSCAR")
    (slab,) = read_structures("POSCAR")
    assert fixed_components(slab).tolist() == [[True] * 3, [True, True, False], [False] * 3]
    result = run("convert", "POSCAR", "a.cfg")
    assert "does not hold all constraints" in result.stderr


def test_16_text_where_numbers_belong_is_one_sentence() -> None:
    folder = CASES / "16-weight-or-free-energy-traceback"
    for name, said in (
        ("free_energy_text", "frame 1 of 1 has free_energy 'bad'"),
        ("weight_text", "frame 1 of 1 has the weight 'high'"),
        ("weight_two", "frame 1 of 1 has the weight '[1 2]'"),
        ("mixed_free_energy", "energies are totals in eV with one reference"),
    ):
        assert said in refusal("fit", folder / f"{name}.extxyz", "--level", "2", "-o", "o.mtp")
    assert "frame 1 has free_energy 'bad'" in refusal("convert", folder / "free_energy_text.extxyz", "o.cfg")
    right = bulk("Cu", cubic=True, a=3.56)
    ase.io.write("right.extxyz", right)
    text = (folder / "free_energy_text.extxyz").read_text()
    Path("both.extxyz").write_text(text + Path("right.extxyz").read_text())
    assert "1 of 2 frames were set aside" in run("convert", "both.extxyz", "o.extxyz").stderr


def test_16_where_only_some_frames_have_a_free_energy_it_is_told() -> None:
    frames = [bulk("Cu", cubic=True, a=a) for a in (3.6, 3.62)]
    for atoms, more in zip(frames, ({}, {"free_energy": -3.06}), strict=True):
        atoms.calc = SinglePointCalculator(atoms, energy=-3.0, forces=np.zeros((4, 3)), **more)
    ase.io.write("mixed.extxyz", frames)
    said = run("fit", "mixed.extxyz", "--level", "2", "-o", "o.mtp").stderr
    assert "energies are the free energies in 1 of 2 frames" in said
    assert "`energy` differs by up to 15 meV per atom" in said


def test_17_elements_of_a_lammps_data_file_come_from_its_masses() -> None:
    atoms = converted(CASES / "17-lammps-data" / "small.data")
    assert atoms.get_chemical_symbols() == ["Cu", "Cu"]
    assert atoms.cell.lengths().tolist() == [3, 3, 3]
    assert atoms.pbc.all()
