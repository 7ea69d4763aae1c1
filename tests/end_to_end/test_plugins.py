"""One plug-in for each door, as pip would install them: a campaign with each runs to its end.

No file of alflow knows them: what `examples/plugins` brings is all that they are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "examples" / "plugins"
MOST_LINES = 80
ENTRY_POINTS = """
[alflow.explorers]
rattle = random_rattle:EXPLORER
[alflow.potentials]
pair = pair_potential:KIND
[alflow.campaigns]
random-sampling = random_sampling:KIND
[alflow.qm_interfaces]
harmonic = harmonic_qm:HarmonicInterface
"""
COPPER: dict[str, Any] = {
    "species": ["Cu"],
    "structures": [
        {
            "name": "fcc",
            "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61, "cubic": True, "repeat": [2, 2, 2]},
        }
    ],
    "potential": {"level": 4, "cutoff_A": 4.5, "radial_basis_size": 6},
    "qm": {"interface": "mock"},
}
MD = {"name": "warm", "structure": "fcc", "temperature_K": 300, "steps": 100, "timestep_fs": 2.0}
RATTLE = {"name": "shake", "kind": "rattle", "structure": "fcc", "count": 30}
CAMPAIGNS: dict[str, dict[str, Any]] = {
    "explorer": COPPER
    | {"explorers": [{"name": "shake", "kind": "rattle", "structure": "fcc", "count": 30}]},
    "potential": COPPER | {"potential": {"kind": "pair", "cutoff_A": 4.5}, "explorers": [MD]},
    "campaign": COPPER | {"kind": "random-sampling", "rounds": 2, "displacements": {"count": 3}},
    "qm": COPPER
    | {"explorers": [MD], "qm": {"interface": "harmonic", "options": {"length_A": 2.5, "width_A": 1.0}}},
}
pytest.importorskip("secantus", reason="needs the embedded database: pip install 'alflow[embedded]'")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a Python where the plug-ins are installed: modules and metadata on the path."""
    folder = tmp_path_factory.mktemp("site-packages")
    for module in PLUGINS.glob("*.py"):
        shutil.copy(module, folder)
    metadata = folder / "alflow_example_plugins-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: alflow-example-plugins\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


def alflow(environment: dict[str, str], *arguments: str | Path) -> Any:
    command = [sys.executable, "-c", "from alflow.cli import main; main()", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("door", CAMPAIGNS)
def test_a_campaign_with_a_plug_in_runs_to_its_end(
    environment: dict[str, str], tmp_path: Path, door: str
) -> None:
    file = tmp_path / f"{door}.yaml"
    file.write_text(yaml.safe_dump({"name": door, **CAMPAIGNS[door]}))
    end = alflow(environment, "run", file)
    assert end["state"] == "finished", end["reason"]
    assert end["labels"]["done"] > 0
    assert alflow(environment, "status", file)["state"] == "finished"
    report = alflow(environment, "report", file, "-o", tmp_path / "report.html")
    assert report["state"] == "finished"
    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page or "image/svg" in page
    newest = [Path(path).suffix for path in end["files"]]
    assert (".pair" if door == "potential" else ".mtp") in newest


def test_they_are_small(capsys: pytest.CaptureFixture[str]) -> None:
    lines = {module.name: len(module.read_text().splitlines()) for module in sorted(PLUGINS.glob("*.py"))}
    with capsys.disabled():
        print("\nlines of the plug-ins:", ", ".join(f"{name} {count}" for name, count in lines.items()))
    assert len(lines) == 4
    assert max(lines.values()) <= MOST_LINES
