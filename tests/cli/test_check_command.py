"""`alflow check`, and the same first step of `run` and `submit`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import ase.io
import pytest
import yaml
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner, Result

from alflow.cli import app

CAMPAIGN: dict[str, Any] = {
    "name": "cu",
    "species": ["Cu"],
    "structures": [{"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61, "cubic": True}}],
    "potential": {"level": 4, "cutoff_A": 4.0},
    "explorers": [{"name": "md", "structure": "fcc", "temperature_K": 300, "steps": 10}],
    "qm": {"interface": "mock"},
}
PW = {"interface": "espresso", "options": {"ecutwfc_Ry": 20, "kpoints": {"mesh": [1, 1, 1]}}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def invoke(*words: str, **changes: Any) -> Result:
    Path("cu.yaml").write_text(yaml.safe_dump(CAMPAIGN | changes))
    return CliRunner().invoke(app, [*words])


def test_a_trial_label_is_measured_and_found_again_by_the_campaign() -> None:
    facts = json.loads(invoke("check", "cu.yaml", "--json", "-n", "4").stdout)
    assert facts["ready"]
    assert facts["trial"]["atoms"] == 4
    hours = facts["trial"]["wall_time_s"] / 3600
    assert [row["hours"] for row in facts["estimates"]] == pytest.approx([20 * hours / 4, 100 * hours / 4])
    invoke("run", "cu.yaml", "--workers", "1")
    shown = json.loads(invoke("labels", "show", "cu.yaml", "0.1", "--json").stdout)
    assert shown["energy_eV"] == facts["trial"]["energy_eV"]
    assert shown["source"]["campaign"] == "check of cu"  # nobody computed it again


def test_a_missing_program_is_found_before_anything_begins(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "Cu.UPF").write_text("")
    options = PW["options"] | {"pseudopotentials": {"Cu": str(folder / "Cu.UPF")}}  # type: ignore[operator]
    monkeypatch.setenv("ALFLOW_PW_COMMAND", "no_such_pw.x")
    facts = invoke("check", "cu.yaml", "--json", qm=PW | {"options": options})
    assert facts.exit_code == 1
    assert not json.loads(facts.stdout)["ready"]
    outcome = invoke("run", "cu.yaml", qm=PW | {"options": options})
    assert outcome.exit_code == 2
    assert "'no_such_pw.x' is not on PATH: install it, or set ALFLOW_PW_COMMAND" in outcome.stderr
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("shift", [0.0, 3.2])
def test_labels_of_a_file_are_computed_again(shift: float) -> None:
    structures = []
    for number in range(4):
        atoms = bulk("Cu", a=3.55 + 0.03 * number, cubic=True)
        atoms.rattle(0.05, seed=number)
        atoms.calc = EMT()
        energy = atoms.get_potential_energy() + shift * len(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=atoms.get_forces())
        structures.append(atoms)
    ase.io.write("data.extxyz", structures)
    initial = {"file": "data.extxyz"}
    outcome = invoke("check", "cu.yaml", initial=initial)
    said = " ".join(outcome.stdout.split())
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    assert outcome.exit_code == (1 if shift else 0)
    assert ("energies of data.extxyz lie 3.2 eV/atom above those of `qm`" in said) == bool(shift)
    if shift:
        assert "`initial.energy_shift_eV: {Cu: -3.2000}`" in said
        again = invoke("check", "cu.yaml", initial=initial | {"energy_shift_eV": {"Cu": -3.2}})
        assert again.exit_code == 0, again.stdout


def test_a_file_with_another_reference_ends_a_campaign_with_its_cause() -> None:
    structures = []
    for number in range(12):
        atoms = bulk("Cu", a=3.61, cubic=True)
        atoms.rattle(0.02, seed=number)
        atoms.calc = EMT()
        energy = atoms.get_potential_energy() + 3.2 * len(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=atoms.get_forces())
        structures.append(atoms)
    ase.io.write("data.extxyz", structures)
    explorers = [{"name": "md", "structure": "fcc", "temperature_K": 900, "steps": 500}]
    outcome = invoke(
        "run", "cu.yaml", "-n", "1", "--json", initial={"file": "data.extxyz"}, explorers=explorers
    )
    assert outcome.exit_code == 1
    final = json.loads(outcome.stdout)
    assert (final["state"], final["round"]) == ("failed", 1)
    assert re.match(r"new labels lie 3\.\d+ eV/atom from those of data.extxyz", final["reason"])
