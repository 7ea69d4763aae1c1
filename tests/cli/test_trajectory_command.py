from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import yaml
from ase.build import bulk
from pymongo.database import Database
from typer.testing import CliRunner, Result

from alflow.campaign.file import parse_campaign
from alflow.cli import app
from alflow.simulation import GradeControl
from alflow.states import RunState
from alflow.store import Store
from workflows.explorer_host import StoreHost
from workflows.launchpad import open_launchpad, write_launchpad_file
from workflows.submission import submit

CAMPAIGN = """
name: cu
species: [Cu]
structures: [{name: fcc, build: {element: Cu, crystal: fcc, a_A: 3.61, cubic: true}}]
potential: {level: 4, cutoff_A: 4.0}
explorers:
  - {name: kept, structure: fcc, temperature_K: 300, steps: 10, timestep_fs: 2.0, trajectory_every_ps: 0.004}
  - {name: pair, structure: fcc, temperature_K: 300, steps: 10, replicas: 2}
qm: {interface: mock}
"""


def visited(step: int, passes: int) -> np.ndarray:
    """Positions of a step, Å."""
    return bulk("Cu", cubic=True).positions + np.random.default_rng(100 * passes + step).normal(size=(4, 3))


@pytest.fixture
def command(
    database: Database[dict[str, Any]], database_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """`alflow` on a campaign whose first run has finished two passes of 10 steps."""
    monkeypatch.chdir(tmp_path)
    launchpad = open_launchpad(database_uri, database.name)
    write_launchpad_file(launchpad, tmp_path / "pad.yaml")
    (tmp_path / "cu.yaml").write_text(CAMPAIGN)
    store = Store(database)
    submit(store, launchpad, parse_campaign(yaml.safe_load(CAMPAIGN)))
    for passes in range(2):
        store.explorers.start_again("cu", passes, but=[])
        run = store.explorers.claim("cu", 0, passes + 1)
        assert run is not None
        host = StoreHost(store, run, passes + 1, control=GradeControl(), version=1)
        for step in range(11):
            atoms = bulk("Cu", cubic=True)
            atoms.positions = visited(step, passes)
            host.visit(atoms, step, float("nan") if step == 4 else 1.5)
        host.save_progress({}, step=10, history={"step": np.array([10])})
        assert store.explorers.complete(run, passes + 1, RunState.FINISHED, None, version=1)
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--launchpad", "pad.yaml"])


@pytest.mark.parametrize("name", ["run.extxyz", "run.traj", "run.extxyz.gz"])
def test_a_trajectory_is_written(command: Callable[..., Result], tmp_path: Path, name: str) -> None:
    done = command("trajectory", "cu", "kept", "-o", name)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == (
        f"{name}: 6 frames of kept up to 0.02 ps\nthese are of pass 1; --pass takes 0, 1\n"
    )
    frames = ase.io.read(tmp_path / name, ":")
    assert [frame.info["step"] for frame in frames] == [0, 2, 4, 6, 8, 10]
    for frame in frames:
        step = frame.info["step"]
        np.testing.assert_allclose(frame.positions, visited(step, 1), rtol=0, atol=1e-8)
        assert frame.info["time_ps"] == pytest.approx(0.002 * step)
        assert frame.info["pass"] == 1
        assert frame.info.get("extrapolation_grade") == (None if step == 4 else 1.5)
    assert [path.name for path in tmp_path.glob("*run*")] == [name]


def test_every_and_pass(command: Callable[..., Result], tmp_path: Path) -> None:
    arguments = ("--every", "2", "--pass", "0", "--json")
    facts = json.loads(command("trajectory", "cu", "kept", "-o", "run.traj", *arguments).stdout)
    assert facts == {
        "written": "run.traj",
        "run": "kept",
        "pass": 0,
        "passes": [0, 1],
        "frames": 3,
        "atoms": 4,
        "step": 8,
        "time_ps": 0.016,
    }
    frames = ase.io.read(tmp_path / "run.traj", ":")
    assert [frame.info["step"] for frame in frames] == [0, 4, 8]
    np.testing.assert_array_equal(frames[1].positions, visited(4, 0))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hot", "-o", "x.traj"), "campaign 'cu' has no explorer or run 'hot'; it has the runs kept, pair-1"),
        (("pair", "-o", "x.traj"), "explorer 'pair' has 2 runs; name one of them: pair-1, pair-2"),
        (
            ("pair-2", "-o", "x.traj"),
            "'pair-2' of campaign 'cu' has no frames: set `trajectory_every_ps`",
        ),
        (("kept", "-o", "x.traj", "--pass", "2"), "has no frames of pass 2; it has those of 0, 1"),
        (("kept", "-o", "x.frames"), "x.frames: ASE writes no format of this name; use .extxyz or .traj"),
        (("kept", "-o", "no/x.traj"), "the folder no does not exist"),
    ],
)
def test_mistakes_are_one_sentence(
    command: Callable[..., Result], tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = command("trajectory", "cu", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.glob("*x.*"))
