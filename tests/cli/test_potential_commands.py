"""fit, evaluate, grade, select and convert, on copper labelled by EMT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner

from alflow.cli import app
from alflow.potentials.mtp import MomentTensorPotential, read_mtp, write_mtp
from alflow.structures.files import read_structures


def labelled_copper(count: int, displacement_A: float, seed: int) -> list[Atoms]:
    structures = []
    for number in range(count):
        atoms = bulk("Cu", a=3.6, cubic=True)
        atoms.rattle(displacement_A, seed=seed + number)
        atoms.calc = EMT()
        results = {
            "energy": atoms.get_potential_energy(),
            "forces": atoms.get_forces(),
            "stress": atoms.get_stress(),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        structures.append(atoms)
    return structures


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copper")
    ase.io.write(folder / "train.extxyz", labelled_copper(8, 0.05, seed=0))
    ase.io.write(folder / "test.extxyz", labelled_copper(4, 0.05, seed=100))
    ase.io.write(folder / "far.extxyz", labelled_copper(6, 0.4, seed=200))
    write_mtp(folder / "random.mtp", MomentTensorPotential.random(["Cu"], 6, 4.5, seed=1))
    return folder


def run(*arguments: str | Path) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


def run_json(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def test_fit_writes_a_potential_and_says_how_good_it_is(folder: Path) -> None:
    output = folder / "pot.mtp"
    said = run_json(
        "fit", folder / "train.extxyz", "--level", 6, "--cutoff", 4.5, "--max-iterations", 5,
        "--test", folder / "test.extxyz", "-o", output,
    )  # fmt: skip
    assert set(said["errors"]) == {"train", "test"}
    assert read_mtp(output).species == ("Cu",)
    again = run_json("evaluate", output, folder / "test.extxyz")
    for name, value in said["errors"]["test"].items():
        assert again["errors"][name] == pytest.approx(value, rel=1e-6)


def test_fit_starts_from_a_potential(folder: Path) -> None:
    first, second = folder / "first.mtp", folder / "second.mtp"
    common = ["--max-iterations", "2", "--holdout", "0.25"]
    one = run_json("fit", folder / "train.extxyz", "--level", 4, "--cutoff", 4.0, "-o", first, *common)
    two = run_json("fit", folder / "train.extxyz", "--start", first, "-o", second, *common)
    assert two["loss"] <= one["loss"]
    assert set(two["errors"]) == {"train", "holdout"}
    assert read_mtp(second).cutoff_A == 4.0


def test_tables_for_people(folder: Path) -> None:
    text = run("evaluate", folder / "random.mtp", folder / "test.extxyz").stdout
    for word in ("energy, meV/atom", "force, eV/Å", "stress, GPa", "RMSE"):
        assert word in text


def test_grades_are_written_with_the_structures(folder: Path) -> None:
    output = folder / "graded.extxyz"
    train = folder / "train.extxyz"
    said = run_json("grade", folder / "random.mtp", folder / "far.extxyz", "--train", train, "-o", output)
    graded = read_structures(output, labelled=True)
    gammas = [atoms.info["extrapolation_grade"] for atoms in graded]
    np.testing.assert_allclose(said["extrapolation_grades"], gammas)
    np.testing.assert_allclose([atoms.arrays["extrapolation_grades"].max() for atoms in graded], gammas)
    assert min(gammas) > 2.1
    itself = run_json("grade", folder / "random.mtp", train, "--train", train, "--mode", "configuration")
    assert max(itself["extrapolation_grades"]) <= 1.05


def test_select_chooses_from_far_structures_and_refuses_known_ones(folder: Path) -> None:
    ase.io.write(
        folder / "mixed.extxyz",
        ase.io.read(folder / "train.extxyz", ":") + ase.io.read(folder / "far.extxyz", ":"),
    )
    output = folder / "chosen.extxyz"
    said = run_json(
        "select", folder / "random.mtp", folder / "mixed.extxyz", "--train", folder / "train.extxyz",
        "-n", 2, "-o", output,
    )  # fmt: skip
    frames = [pick["frame"] for pick in said["chosen"]]
    assert len(frames) == 2
    assert min(frames) > 8
    chosen = read_structures(output)
    far = read_structures(folder / "mixed.extxyz")
    np.testing.assert_allclose(chosen[0].positions, far[frames[0] - 1].positions, atol=1e-7)


def test_select_that_chooses_nothing_says_why_and_writes_nothing(folder: Path) -> None:
    train, output = folder / "train.extxyz", folder / "none.extxyz"
    words = ("select", folder / "random.mtp", train, "--train", train, "-o", output)
    outcome = CliRunner().invoke(app, [str(word) for word in words])
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("none of 8 structures is chosen, and no file is written: 8")
    assert not output.exists()


def test_convert_goes_there_and_back(folder: Path) -> None:
    assert run_json("convert", folder / "train.extxyz", folder / "train.cfg")["structures"] == 8
    run("convert", folder / "train.cfg", folder / "again.extxyz", "--species", "Cu")
    for before, after in zip(
        read_structures(folder / "train.extxyz"), read_structures(folder / "again.extxyz"), strict=True
    ):
        np.testing.assert_allclose(after.positions, before.positions, atol=1e-7)
        np.testing.assert_allclose(after.get_stress(), before.get_stress(), atol=1e-7)


def test_a_graded_potential_is_fitted_used_and_converted(folder: Path) -> None:
    train, far, graded = folder / "train.extxyz", folder / "far.extxyz", folder / "graded.almtp"
    common = ("--level", 6, "--cutoff", 4.5, "--max-iterations", 3)
    run("fit", train, *common, "-o", graded, "--active-set", folder / "active.npz")
    own = run_json("grade", graded, far)["extrapolation_grades"]
    for source in (("--train", train), ("--active-set", folder / "active.npz")):
        np.testing.assert_allclose(
            run_json("grade", graded, far, *source)["extrapolation_grades"], own, rtol=1e-6
        )
    run("convert", graded, folder / "plain.mtp")
    run("convert", folder / "plain.mtp", folder / "again.almtp", "--train", train)
    assert (folder / "again.almtp").read_bytes() == graded.read_bytes()
    picked = run_json("select", graded, far, "-n", 2, "-o", folder / "picked.extxyz")
    assert len(picked["chosen"]) == 2
    refused = CliRunner().invoke(app, ["convert", str(folder / "plain.mtp"), str(folder / "no.almtp")])
    assert refused.exit_code != 0 and not (folder / "no.almtp").exists()
    ungraded = CliRunner().invoke(app, ["grade", str(folder / "plain.mtp"), str(far)])
    assert ungraded.exit_code != 0


def test_fit_starts_from_an_untrained_file(folder: Path) -> None:
    template = Path(__file__).parents[1] / "data" / "cases" / "10-untrained-mtp-start" / "untrained.mtp"
    run("fit", folder / "train.extxyz", "--start", template, "--max-iterations", 3, "-o", folder / "t.mtp")
    fitted = read_mtp(folder / "t.mtp")
    assert (fitted.species, fitted.cutoff_A, len(fitted.moment_coefficients)) == (("Cu",), 5.0, 2)


@pytest.mark.parametrize("command", ["fit", "evaluate", "grade", "select", "convert"])
def test_help_has_an_example_and_json(command: str) -> None:
    text = CliRunner().invoke(app, [command, "--help"]).stdout
    assert "Example" in text
    assert "--json" in text


def test_fit_with_a_core_and_isolated_atoms(folder: Path) -> None:
    output = folder / "core.mtp"
    shared = (
        "fit",
        folder / "train.extxyz",
        "--level",
        4,
        "--cutoff",
        4.5,
        "--max-iterations",
        2,
        "-o",
        output,
    )
    said = run(*shared, "--zbl", "0.9,1.8", "--isolated-atoms", "Cu=-3.5")
    assert "ZBL core" in said.stderr
    potential = read_mtp(output)
    assert potential.core is not None
    assert (potential.core.inner_A[0, 0], potential.core.outer_A[0, 0]) == (0.9, 1.8)
    assert potential.species_energies_eV[0] == -3.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--zbl", "1.8"], "--zbl is '1.8'; give two distances"),
        (["--zbl", "1.8,0.9"], "inner_A = 1.8 must be below outer_A = 0.9"),
        (["--zbl", "0.9,1.8", "--start", "random.mtp"], "--zbl cannot be combined with --start"),
        (["--isolated-atoms", "Cu"], "--isolated-atoms is 'Cu'; give energies"),
        (["--isolated-atoms", "Ag=1"], "isolated_atoms_eV names Ag"),
    ],
)
def test_bad_cores_and_isolated_atoms_are_refused(folder: Path, words: list[str], message: str) -> None:
    result = CliRunner().invoke(
        app, ["fit", str(folder / "train.extxyz"), "-o", str(folder / "x.mtp"), *words]
    )
    assert result.exit_code == 2 and message in result.stderr
