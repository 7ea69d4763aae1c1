"""Progress where there is no terminal."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import ase.io
import pytest
import yaml
from ase.build import bulk
from ase.calculators.emt import EMT

from alflow.cli.progress_lines import ProgressLines

COMMAND = (sys.executable, "-c", "from alflow.cli import main; main()")
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
CAMPAIGN = {
    "name": "cu",
    "species": ["Cu"],
    "structures": [{"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61, "cubic": True}}],
    "potential": {"level": 4, "cutoff_A": 4.0},
    "explorers": [{"name": "md", "structure": "fcc", "temperature_K": 300, "steps": 10}],
    "initial": {"count": 3},
    "qm": {"interface": "mock"},
}


def test_one_line_per_event_and_changes_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = 0.0
    lines = ProgressLines(clock=lambda: now_s)
    for second in range(25):
        now_s = float(second)
        lines(f"round 0, {second}", event=0)
    lines("round 1, 0", event=1)
    lines("round 1, 0", event=2)
    lines("round 1, 1", event=1)
    lines.finish()
    lines.finish()
    said = capsys.readouterr().err.splitlines()
    assert all(re.match(STAMP, line) for line in said)
    assert [re.sub(STAMP, "", line) for line in said] == [
        "round 0, 0", "round 0, 10", "round 0, 20", "round 1, 0", "round 1, 1",
    ]  # fmt: skip


def test_a_campaign_tells_its_rounds_in_a_log(tmp_path: Path) -> None:
    (tmp_path / "cu.yaml").write_text(yaml.safe_dump(CAMPAIGN))
    ended = subprocess.run(
        [*COMMAND, "run", "cu.yaml", "-n", "1"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = [line for line in ended.stderr.splitlines() if re.match(STAMP, line)]
    assert "round 0" in lines[0]
    assert "labels:" in lines[0]
    assert 2 <= len(lines) < 40
    assert len(set(lines)) == len(lines)
    assert "\x1b" not in ended.stderr
    assert ended.stderr.count("Explorers") <= 1  # no table is drawn twice
    assert "cu finished" in ended.stderr


def test_a_fit_tells_its_starts_in_a_log(tmp_path: Path) -> None:
    structures = [bulk("Cu", a=3.6, cubic=True) for _ in range(3)]
    for number, atoms in enumerate(structures):
        atoms.rattle(0.05, seed=number)
        atoms.calc = EMT()
        atoms.get_forces()
    ase.io.write(tmp_path / "train.extxyz", structures)
    words = ["--level", "4", "--cutoff", "4", "--starts", "2", "--max-iterations", "5"]
    ended = subprocess.run(
        [*COMMAND, "fit", "train.extxyz", *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = [line for line in ended.stderr.splitlines() if re.match(STAMP, line)]
    assert re.fullmatch(STAMP + r"start 1 of 2: iteration 0, loss \S+", lines[0])
    assert any("start 2 of 2: iteration " in line for line in lines)
    assert len(lines) == len(ended.stderr.splitlines()) - 1  # and the loss at the end
