"""`alflow evaluate`: errors by group, predictions files and parity plots, against sums by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner, Result

from alflow.cli import app
from alflow.potentials import PotentialCalculator
from alflow.potentials.mtp import MomentTensorPotential, write_mtp

LONG = "a_config_type_with_a_name_that_is_longer_than_a_column_should_ever_be"


def labelled(atoms: Atoms, **info: str) -> Atoms:
    atoms.calc = EMT()
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    if atoms.pbc.all():
        results["stress"] = atoms.get_stress()
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info |= info
    return atoms


@pytest.fixture
def structures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Atoms]:
    """Two groups of crystals and, without a group, a cluster; two files, one without groups."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    found = []
    for number in range(5):
        atoms = bulk("Cu", a=3.6 + 0.02 * number, cubic=True)
        atoms.rattle(0.05, seed=number)
        found.append(labelled(atoms, config_type="surface" if number % 2 else LONG))
    cluster = molecule("O2")
    cluster.symbols = "Cu2"
    cluster.positions *= 2
    found.append(labelled(cluster))
    ase.io.write("test.extxyz", found)
    for atoms in found:
        atoms.info.pop("config_type", None)
    ase.io.write("plain.extxyz", found)
    write_mtp(Path("pot.mtp"), MomentTensorPotential.random(["Cu"], 6, 4.5, seed=1))
    return list(ase.io.read("test.extxyz", ":"))


def evaluate(*words: str) -> Result:
    return CliRunner().invoke(app, ["evaluate", "pot.mtp", *words])


def predicted(atoms: Atoms) -> Atoms:
    """The same structure with the results of the potential, through ASE."""
    from alflow.potentials.mtp import read_mtp

    copy = atoms.copy()
    copy.calc = PotentialCalculator(read_mtp(Path("pot.mtp")))
    return copy


def test_errors_of_each_group(structures: list[Atoms]) -> None:
    outcome = evaluate("test.extxyz", "--json")
    assert outcome.exit_code == 0, outcome.output
    facts = json.loads(outcome.stdout)
    assert facts["by"] == "config_type"
    assert {name: errors["structures"] for name, errors in facts["groups"].items()} == {
        LONG: 3,
        "surface": 2,
        "(none)": 1,
    }
    assert facts["errors"]["structures"] == 6
    for name, errors in facts["groups"].items():
        members = [atoms for atoms in structures if atoms.info.get("config_type", "(none)") == name]
        energy = [(predicted(a).get_potential_energy() - a.get_potential_energy()) / len(a) for a in members]
        forces = np.concatenate([(predicted(a).get_forces() - a.get_forces()).ravel() for a in members])
        assert errors["energy_rmse_eV_per_atom"] == pytest.approx(
            np.sqrt(np.mean(np.square(energy))), rel=1e-6
        )
        assert errors["energy_max_eV_per_atom"] == pytest.approx(np.abs(energy).max(), rel=1e-6)
        assert errors["force_mae_eV_A"] == pytest.approx(np.abs(forces).mean(), rel=1e-6)
        if name == "(none)":
            assert errors["stress_rmse_eV_A3"] is None
        else:
            stress = np.array([predicted(a).get_stress() - a.get_stress() for a in members])
            assert errors["stress_rmse_eV_A3"] == pytest.approx(np.sqrt(np.mean(stress**2)), rel=1e-6)


def test_tables_fit_80_columns(structures: list[Atoms]) -> None:
    text = evaluate("test.extxyz").stdout
    assert max(map(len, text.splitlines())) <= 80
    header = next(line for line in text.splitlines() if "RMSE" in line)
    names = "".join(line[: header.index("count")].strip() for line in text.splitlines())
    assert LONG in names
    assert "all structures" in text
    assert "config_type" in text


def test_groups_by_another_key(structures: list[Atoms]) -> None:
    plain = json.loads(evaluate("plain.extxyz", "--json").stdout)
    assert set(plain) == {"potential", "data", "errors"}
    for number, atoms in enumerate(structures):
        atoms.info["temperature_K"] = 300 * (1 + number % 2)
    ase.io.write("test.extxyz", structures)
    facts = json.loads(evaluate("test.extxyz", "--by", "temperature_K", "--json").stdout)
    assert {name: errors["structures"] for name, errors in facts["groups"].items()} == {"300": 3, "600": 3}
    outcome = evaluate("test.extxyz", "--by", "temperature")
    assert outcome.exit_code == 2
    assert "--by is 'temperature', but no structure of test.extxyz has this key; they have" in outcome.stderr
    assert "temperature_K" in outcome.stderr


def test_predictions_in_extended_xyz(structures: list[Atoms]) -> None:
    assert evaluate("test.extxyz", "--predictions", "out.extxyz").exit_code == 0
    written = ase.io.read("out.extxyz", ":")
    assert len(written) == 6
    for before, after in zip(structures, written, strict=True):
        assert after.get_potential_energy() == pytest.approx(before.get_potential_energy(), abs=1e-7)
        np.testing.assert_allclose(after.get_forces(), before.get_forces(), atol=1e-7)
        model = predicted(before)
        assert after.info["predicted_energy"] == pytest.approx(model.get_potential_energy(), abs=1e-6)
        np.testing.assert_allclose(after.arrays["predicted_forces"], model.get_forces(), atol=1e-6)
        assert ("predicted_stress" in after.info) == bool(before.pbc.all())
        if before.pbc.all():
            np.testing.assert_allclose(after.info["predicted_stress"], model.get_stress(), atol=1e-6)
    assert written[0].info["config_type"] == LONG


def test_predictions_as_a_table(structures: list[Atoms]) -> None:
    assert evaluate("test.extxyz", "--predictions", "out.csv").exit_code == 0
    with Path("out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * (1 + 12 + 6) + (1 + 6)
    energies = [row for row in rows if row["quantity"] == "energy"]
    assert [row["structure"] for row in energies] == list("123456")
    assert [row["group"] for row in energies[-2:]] == [LONG, "(none)"]
    for atoms, row in zip(structures, energies, strict=True):
        assert float(row["labelled"]) == pytest.approx(atoms.get_potential_energy(), abs=1e-7)
        assert float(row["predicted"]) == pytest.approx(predicted(atoms).get_potential_energy(), abs=1e-6)
    force = next(r for r in rows if (r["structure"], r["atom"], r["component"]) == ("2", "3", "y"))
    assert float(force["predicted"]) == pytest.approx(predicted(structures[1]).get_forces()[2, 1], abs=1e-6)
    assert float(force["labelled"]) == pytest.approx(structures[1].get_forces()[2, 1], abs=1e-7)
    stress = next(r for r in rows if (r["structure"], r["component"]) == ("1", "yz"))
    assert float(stress["labelled"]) == pytest.approx(structures[0].get_stress()[3], abs=1e-9)


def test_a_parity_plot(structures: list[Atoms]) -> None:
    outcome = evaluate("test.extxyz", "--plot", "parity.png")
    assert outcome.exit_code == 0, outcome.output
    image = Path("parity.png").read_bytes()
    assert image.startswith(b"\x89PNG")
    assert "parity.png written" in outcome.stderr
    ase.io.write("plain.extxyz", structures[0])  # one energy: the prediction lies beyond the range
    assert "not shown: energy predicted for 1 of 1" in evaluate("plain.extxyz", "--plot", "parity.png").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--predictions", "out.cfg"), "--predictions is 'out.cfg', but its name must end in .extxyz"),
        (("--plot", "out.jpg"), "--plot is 'out.jpg', but its name must end in .png"),
        (("--plot", "absent/out.png"), "the folder absent does not exist"),
    ],
)
def test_bad_paths_are_one_sentence(structures: list[Atoms], words: tuple[str, ...], said: str) -> None:
    outcome = evaluate("test.extxyz", *words)
    assert outcome.exit_code == 2
    assert said in outcome.stderr
    assert outcome.stderr.count("\n") == 1
