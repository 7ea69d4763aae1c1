"""FireWorks' own commands, as they are, against the embedded database: no process of alflow takes part."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from alflow.cli import app
from alflow.store import Store
from workflows.launchpad import DATABASE_NAME, open_launchpad, write_launchpad_file

BIN = Path(sys.executable).parent
CAMPAIGN = {
    "name": "tiny",
    "species": ["Cu"],
    "structures": [
        {"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61, "repeat": [2, 2, 2]}}
    ],
    "potential": {"level": 4, "cutoff_A": 4.5},
    "explorers": [{"name": "md", "structure": "fcc", "temperature_K": 300.0, "steps": 50}],
    "qm": {"interface": "mock", "options": {"calculator": "emt"}},
    "initial": {"count": 2},
    "stop": {"max_rounds": 2},
}


@pytest.mark.skipif(not (BIN / "rlaunch").exists(), reason="FireWorks' commands are not beside this Python")
def test_rlaunch_runs_a_campaign_and_lpad_shows_it(tmp_path: Path, database_uri: str) -> None:
    campaign, launchpad_file = tmp_path / "tiny.yaml", tmp_path / "my_launchpad.yaml"
    campaign.write_text(yaml.safe_dump(CAMPAIGN))
    launchpad = open_launchpad(database_uri)
    try:
        write_launchpad_file(launchpad, launchpad_file)
        submitted = CliRunner().invoke(app, ["submit", str(campaign), "-l", str(launchpad_file)])
        assert submitted.exit_code == 0, submitted.output

        subprocess.run(
            [BIN / "rlaunch", "-s", "-l", launchpad_file, "rapidfire"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            timeout=120,
        )
        document = Store(launchpad.db).campaigns.get("tiny")
        assert document["state"] in ("finished", "stopped"), document["reason"]

        shown = subprocess.run(
            [BIN / "lpad", "-l", launchpad_file, "get_wflows"], check=True, capture_output=True, text=True
        )
        workflows = json.loads(shown.stdout)
        names = {workflow["name"].rpartition("--")[0] for workflow in workflows}  # lpad appends the id
        assert names >= {"tiny · round 0", "tiny · round 1"}
        assert {workflow["state"] for workflow in workflows} == {"COMPLETED"}
    finally:
        launchpad.connection.drop_database(DATABASE_NAME)
