"""`alflow labels import`: finished VASP folders as labels of a campaign."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ase.build import bulk
from pymongo.database import Database
from test_vasp import settings, worker
from typer.testing import CliRunner

from alflow.campaign.file import parse_campaign
from alflow.cli import app
from alflow.store import Store
from qm_interfaces.vasp import VaspInterface
from workflows.launchpad import open_launchpad, write_launchpad_file
from workflows.submission import submit

__all__ = ["worker"]  # a fixture

CAMPAIGN = """
name: al
species: [Al]
structures: [{name: fcc, build: {element: Al, crystal: fcc, a_A: 4.05, cubic: true}}]
potential: {level: 4, cutoff_A: 4.0}
explorers: [{name: md, structure: fcc, temperature_K: 300, steps: 10}]
"""


def test_folders_of_the_same_level_become_labels(
    database: Database[dict[str, Any]], database_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    qm = {"interface": "vasp", "options": settings()}
    launchpad = open_launchpad(database_uri, database.name)
    write_launchpad_file(launchpad, tmp_path / "pad.yaml")
    store = Store(database)
    submit(store, launchpad, parse_campaign(yaml.safe_load(CAMPAIGN) | {"qm": qm}, "al"))
    atoms = bulk("Al", cubic=True)
    atoms.rattle(0.05, seed=1)
    for name, changes in (("good", {}), ("coarse", {"ENCUT": 250})):
        VaspInterface(**settings(**changes)).compute(atoms, tmp_path / name)
    folders = ["good/vasp-1", "coarse/vasp-1", "empty"]
    answer = CliRunner().invoke(
        app, ["labels", "import", "al", *folders, "--launchpad", "pad.yaml", "--json"]
    )
    assert answer.exit_code == 0, answer.output
    rows = json.loads(answer.stdout)
    assert [row["label"] for row in rows] == ["0.1", None, None]
    assert "ENCUT is 250 instead of 400" in rows[1]["reason"]
    assert "has no INCAR and no KPOINTS and no POTCAR" in rows[2]["reason"]
    [label] = store.labels.find("al", state="done")
    assert (label["code"], label["code_version"]) == ("vasp", "6.4.2")
    assert label["level"] == VaspInterface(**settings()).level_of_theory()
    assert label["details"]["source"] == "vasprun.xml"
