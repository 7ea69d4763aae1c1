"""Which frames and which numbers of files become labels: right values for each rule."""

from __future__ import annotations

import json
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from typer.testing import CliRunner
from vasp_outputs import NOT_REACHED, REACHED, outcar, vasprun

from alflow.cli import app
from alflow.errors import InputError
from alflow.hull.candidates import Files, candidates
from alflow.potentials.errors import evaluate_errors
from alflow.potentials.fit_settings import FitSettings
from alflow.potentials.labels import labels_of
from alflow.potentials.least_squares import targets_and_weights
from alflow.potentials.mtp import MomentTensorPotential, write_mtp
from alflow.structures.files import read_file, read_structures, write_structures
from alflow.structures.label_energy import label_energy
from alflow.structures.label_names import LabelKeys

DATA = Path(__file__).parents[1] / "data"
CASES = DATA / "cases"


def smeared() -> Atoms:
    """Silver with an energy that is extrapolated to zero smearing, and the free energy of its forces."""
    atoms = Atoms("Ag2", [[0, 0, 0], [0, 0, 2.9]], cell=[9, 9, 9], pbc=True)
    forces = np.array([[0, 0, -0.2], [0, 0, 0.2]])
    atoms.calc = SinglePointCalculator(
        atoms, energy=-5.30, free_energy=-5.20, forces=forces, stress=[1e-3, 2e-3, 3e-3, 4e-4, 5e-4, 6e-4]
    )
    return atoms


@pytest.mark.parametrize("name", ["a.extxyz", "a.xyz", "a.traj", "a.json", "a.db"])
def test_every_format_has_the_free_energy_as_label(tmp_path: Path, name: str) -> None:
    ase.io.write(tmp_path / name, smeared())
    (atoms,) = read_structures(tmp_path / name, labelled=True)
    assert labels_of(atoms).energy == label_energy(atoms.calc.results) == pytest.approx(-5.20)
    assert atoms.get_potential_energy() == atoms.get_potential_energy(force_consistent=True)
    np.testing.assert_allclose(atoms.get_stress(), smeared().get_stress())
    write_structures(tmp_path / "b.cfg", [atoms])
    (again,) = read_structures(tmp_path / "b.cfg", labelled=True, species=["Ag"])
    assert labels_of(again).energy == pytest.approx(-5.20)
    np.testing.assert_allclose(again.get_stress(), smeared().get_stress(), atol=1e-9)


def test_unconverged_steps_of_vasp_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "OUTCAR"
    path.write_text(outcar((3, REACHED, -1.0), (2, NOT_REACHED, -2.0), (2, REACHED, -3.0)))
    found = read_file(path)
    assert [atoms.get_potential_energy() for atoms in found.structures] == [-3.0]
    assert found.notes[0] == f"{path}: 2 of 3 frames were set aside: electronic steps did not converge"
    path.write_text(outcar((1, REACHED, -1.0), nelm=1))
    with pytest.raises(InputError, match="1 of 1 frames were set aside: electronic steps did not converge"):
        read_file(path)


def test_unconverged_steps_of_vasprun_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "vasprun.xml"
    path.write_text(vasprun(3, 2, 2))
    found = read_file(path, labelled=True)
    assert [labels_of(atoms).energy for atoms in found.structures] == [-2.0, -3.0]
    assert found.notes[0] == f"{path}: 1 of 3 frames were set aside: electronic steps did not converge"
    assert "differs by up to 10 meV per atom" in found.notes[1]


@pytest.mark.parametrize("name", ["espresso_must_converge_true.out", "espresso_must_converge_false.out"])
def test_unconverged_steps_of_espresso_are_set_aside(name: str) -> None:
    with pytest.raises(InputError, match="1 of 1 frames were set aside: electronic steps did not converge"):
        read_file(DATA / "qm_outputs" / name)


@pytest.mark.parametrize(("name", "site"), [("disordered", "0.4 Cu and 0.6 Pd"), ("vacancies", "0.75 Cu")])
def test_partial_occupancies_are_refused(tmp_path: Path, name: str, site: str) -> None:
    path = CASES / "04-partial-occupancy-cif" / f"{name}.cif"
    with pytest.raises(InputError, match=f"has a site that holds {site}"):
        read_structures(path)
    (candidate,) = candidates([Files(path)], ["Cu", "Pd"])
    assert candidate.dropped is not None
    assert site in (candidate.reason or "")


def test_elements_on_one_site_are_refused_without_occupancies(tmp_path: Path) -> None:
    text = (CASES / "04-partial-occupancy-cif" / "disordered.cif").read_text()
    text = text.replace(" _atom_site_occupancy\n", "").replace(" 0.40", "").replace(" 0.60", "")
    (tmp_path / "a.cif").write_text(text)
    with pytest.raises(InputError, match="has a site that holds 1 Cu and 1 Pd"):
        read_structures(tmp_path / "a.cif")
    (tmp_path / "b.cif").write_text(text.replace("Pd1 Pd 0.0 0.0 0.0", "Cu2 Cu 0.5 0.5 0.0"))
    assert read_structures(tmp_path / "b.cif")[0].get_chemical_formula() == "Cu4"  # listed twice: no fault


def test_occupancies_of_atoms_are_refused(tmp_path: Path) -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.set_array("occupancy", np.array([1, 1, 0.5, 1]))
    ase.io.write(tmp_path / "a.extxyz", atoms)
    with pytest.raises(InputError, match=r"holds 0\.5 Cu"):
        read_structures(tmp_path / "a.extxyz")


def test_virials_are_stresses() -> None:
    right = read_structures(CASES / "05-virial-ignored" / "good.extxyz", labelled=True)
    found = read_file(CASES / "05-virial-ignored" / "virial.extxyz", labelled=True)
    for a, b in zip(right, found.structures, strict=True):
        np.testing.assert_allclose(a.get_stress(), b.get_stress(), atol=1e-12)
        assert "virial" not in b.info
    assert "stresses are read from virial (−stress × volume, eV)" in found.notes[0]


def frame(fields: str, column: str = "forces", value: float = 0.1) -> str:
    lattice = 'Lattice="3 0 0 0 3 0 0 0 3" pbc="T T T"'
    properties = f"Properties=species:S:1:pos:R:3:{column}:R:3"
    return f"2\n{lattice} {properties} {fields}\nCu 0 0 0 {value} 0 0\nCu 1.5 1.5 1.5 -{value} 0 0\n"


@pytest.mark.parametrize(
    ("fields", "column"),
    [
        ('REF_energy=-7.5 REF_stress="1e-3 2e-3 3e-3 4e-4 5e-4 6e-4"', "REF_forces"),
        ('dft_energy=-7.5 dft_virial="-0.027 -0.054 -0.081 -0.0108 -0.0135 -0.0162"', "dft_force"),
        ('TotEnergy=-7.5 stress="1e-3 2e-3 3e-3 4e-4 5e-4 6e-4"', "force"),
        (
            'energy=-7.5 virials="-0.027 -0.0162 -0.0135 -0.0162 -0.054 -0.0108 -0.0135 -0.0108 -0.081"',
            "forces",
        ),
        ('energy_ref=-7.5 virial="-0.027 -0.054 -0.081 -0.0108 -0.0135 -0.0162"', "DFT_forces"),
    ],
)
def test_labels_under_other_names(tmp_path: Path, fields: str, column: str) -> None:
    (tmp_path / "a.extxyz").write_text(frame(fields, column))
    found = read_file(tmp_path / "a.extxyz", labelled=True)
    (atoms,) = found.structures
    assert atoms.get_potential_energy() == -7.5
    assert atoms.get_forces()[0, 0] == 0.1
    np.testing.assert_allclose(atoms.get_stress(), [1e-3, 2e-3, 3e-3, 4e-4, 5e-4, 6e-4], rtol=1e-12)
    write_structures(tmp_path / "b.extxyz", [atoms])
    assert read_file(tmp_path / "b.extxyz", labelled=True).notes == ()


def test_two_energies_that_differ_are_refused_until_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.extxyz"
    path.write_text(frame("energy=-7.5 REF_energy=-7.4 mace_energy=-7"))
    with pytest.raises(InputError, match=r"frame 1 of 1 has 'energy' and 'REF_energy' that differ by 0\.1;"):
        read_structures(path, labelled=True)
    assert read_structures(path)[0].get_potential_energy() == -7.5  # the labels do not matter
    for name, energy in (("REF_energy", -7.4), ("energy", -7.5), ("mace_energy", -7.0)):
        (atoms,) = read_structures(path, labelled=True, keys=LabelKeys(energy=name))
        assert labels_of(atoms).energy == energy
    with pytest.raises(InputError, match="no frame has 'E', which is to be the energy"):
        read_structures(path, labelled=True, keys=LabelKeys(energy="E"))
    path.write_text(frame("energy=-7.5 mace_energy=-7"))
    assert "mace_energy may be labels and are not read" in read_file(path, labelled=True).notes[0]


def test_a_stress_of_the_other_sign_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.extxyz").write_text(
        frame('energy=-7 stress="0.1 0.1 0.1 0 0 0" virial="2.7 2.7 2.7 0 0 0"')
    )
    with pytest.raises(InputError, match=r"'stress' and 'virial' that differ by 0\.2 eV"):
        read_structures(tmp_path / "a.extxyz", labelled=True)


@pytest.mark.parametrize("text", ["energy", "energy=", "energi=a", "", "energy=a,energy=b"])
def test_keys_are_pairs(text: str) -> None:
    with pytest.raises(InputError, match="--keys is"):
        LabelKeys.parse(text)
    assert LabelKeys.parse("energy=E, virial=v") == LabelKeys(energy="E", virial="v")


def test_partly_labelled_frames_are_used_for_what_they_have(tmp_path: Path) -> None:
    found = read_file(CASES / "11-isolated-atom-without-forces" / "train.extxyz", labelled=True)
    assert "1 of 2 frames have one atom, whose forces are zero by symmetry" in found.notes[0]
    np.testing.assert_array_equal(labels_of(found.structures[0]).forces, np.zeros((1, 3)))
    only_energy, only_forces = found.structures[1].copy(), found.structures[1].copy()
    only_energy.calc = SinglePointCalculator(only_energy, energy=-4.0)
    only_forces.calc = SinglePointCalculator(only_forces, forces=np.full((2, 3), 0.1))
    ase.io.write(tmp_path / "a.extxyz", [only_energy, only_forces])
    partly = read_file(tmp_path / "a.extxyz", labelled=True)
    assert "1 of 2 frames have an energy and no forces" in partly.notes[0]
    _, weights = targets_and_weights([labels_of(a) for a in partly.structures], FitSettings())
    np.testing.assert_array_equal(np.flatnonzero(weights), [0, *range(14, 20)])
    potential = MomentTensorPotential.random(["Cu"], 4, 4.5, seed=1)
    errors = evaluate_errors(potential, partly.structures)
    assert (
        errors.energy_rmse_eV_per_atom
        == evaluate_errors(potential, partly.structures[:1]).energy_max_eV_per_atom
    )
    assert errors.force_rmse_eV_A == evaluate_errors(potential, partly.structures[1:]).force_rmse_eV_A


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("weight_text", "frame 1 of 1 has the weight 'high'"),
        ("weight_two", r"frame 1 of 1 has the weight '\[1 2\]'"),
        ("free_energy_text", "frame 1 of 1 has free_energy 'bad'; it takes a number in eV"),
        ("mixed_free_energy", "energies are totals in eV with one reference"),
    ],
)
def test_text_where_numbers_belong(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_structures(CASES / "16-weight-or-free-energy-traceback" / f"{name}.extxyz", labelled=True)


def test_plain_xyz_has_no_labels_and_columns_without_names_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text("2\nSCF energy -7.5 eV\nCu 0 0 0 0.1 0 0\nCu 1.8 0 0 -0.1 0 0\n")
    found = read_file(path)
    assert found.structures[0].positions[1].tolist() == [1.8, 0, 0]
    assert found.structures[0].calc is None
    assert "3 columns after the positions have no name and are not read" in found.notes[0]


def test_commands_tell_on_stderr_what_they_read(tmp_path: Path) -> None:
    (tmp_path / "a.extxyz").write_text(frame("DFT_energy=-7.5 mlp_energy=-7.4", "DFT_forces"))
    write_mtp(tmp_path / "pot.mtp", MomentTensorPotential.random(["Cu"], 4, 4.5, seed=1))
    arguments = [str(tmp_path / name) for name in ("pot.mtp", "a.extxyz")]
    errors = []
    for keys in ([], ["--keys", "energy=mlp_energy"]):
        result = CliRunner().invoke(app, ["evaluate", *arguments, "--json", *keys])
        assert result.exit_code == 0, result.output
        name = "mlp_energy" if keys else "DFT_energy"
        assert f"energies are read from {name}, forces are read from DFT_forces" in result.stderr
        errors.append(json.loads(result.stdout)["errors"]["energy_max_eV_per_atom"])
    assert abs(errors[0] - errors[1]) == pytest.approx(0.05)
    target = str(tmp_path / "b.extxyz")
    result = CliRunner().invoke(app, ["convert", arguments[1], target, "--keys", "energy=nothing"])
    assert result.exit_code == 2
    assert "no frame has 'nothing'" in result.stderr


def test_forces_of_fixed_atoms_stay_labels(tmp_path: Path) -> None:
    atoms = smeared()
    atoms.set_constraint(FixAtoms([0]))
    ase.io.write(tmp_path / "a.extxyz", atoms)
    (found,) = read_structures(tmp_path / "a.extxyz", labelled=True)
    assert labels_of(found).forces[0, 2] == -0.2  # type: ignore[index]
