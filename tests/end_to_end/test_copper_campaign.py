"""The whole as a user starts it: `alflow run` with its database and workers, killed and called again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from ase.units import fs

from alflow.potentials.errors import evaluate_errors
from alflow.potentials.mtp import read_mtp

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from alflow.cli import main; main()"]
pytest.importorskip("secantus", reason="needs the embedded database: pip install 'alflow[embedded]'")


def alflow(*arguments: str | Path) -> Any:
    """Run a command to its end; its JSON."""
    done = subprocess.run(
        [*COMMAND, *arguments, "--json"], capture_output=True, text=True, cwd=ROOT, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def campaign_file(folder: Path, **sections: dict[str, Any]) -> Path:
    """The shipped copper example with changes."""
    data = yaml.safe_load((ROOT / "examples" / "cu_emt.yaml").read_text())
    for key, value in sections.items():
        data[key] = data.get(key, {}) | value
    path = folder / "cu.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_copper_learns_its_potential_on_the_fly(tmp_path: Path) -> None:
    path = campaign_file(tmp_path)
    end = alflow("run", path)
    assert (end["state"], end["reason"]) == ("finished", "all explorers finished")
    assert all(run["step"] == run["steps"] for run in end["explorers"])
    assert end["labels"]["done"] == sum(end["labels"].values()) < 60

    atoms = bulk("Cu", cubic=True, a=3.61).repeat(2)
    atoms.calc = EMT()
    frames = []
    for _ in range(10):
        Langevin(atoms, 2 * fs, temperature_K=900, friction=0.01 / fs, fixcm=False).run(20)
        frame = atoms.copy()
        frame.calc = EMT()
        frame.get_stress()
        frames.append(frame)
    results = tmp_path / "runs" / "cu"
    errors = evaluate_errors(read_mtp(results / "cu-emt.mtp", ["Cu"]), frames)
    assert errors.force_rmse_eV_A < 0.05
    assert errors.energy_rmse_eV_per_atom < 0.003
    assert "<html" in (results / "report.html").read_text()[:2000].lower()

    assert alflow("status", path)["state"] == "finished"
    labels = alflow("labels", "list", path)
    assert {label["state"] for label in labels} == {"done"}
    shown = alflow("labels", "show", path, labels[0]["label"])
    assert shown["level_of_theory"]["calculator"] == "emt"
    assert alflow("run", path)["labels"] == end["labels"]


@pytest.mark.slow
def test_accidents_and_kill_9_on_the_way(tmp_path: Path) -> None:
    accidents = {"fail_probability": 0.2, "hang_probability": 0.05, "wrong_probability": 0.05, "seed": 4}
    path = campaign_file(
        tmp_path, qm={"options": accidents, "timeout_s": 6.0, "retries": 1}, initial={"count": 10}
    )
    for signs_of_life in (1, 4):
        started = subprocess.Popen(
            [*COMMAND, "run", path, "--json"], stdout=subprocess.DEVNULL, cwd=ROOT, start_new_session=True
        )
        _wait_for(tmp_path / "runs" / "cu" / "workers", signs_of_life)
        _kill_all(tmp_path, started.pid)
        started.wait()
    end = alflow("run", path)
    assert end["state"] == "finished"
    labels = alflow("labels", "list", path)
    assert all(label["reason"] for label in labels if label["state"] in ("failed", "rejected"))
    assert len({label["label"] for label in labels}) == len(labels)
    assert {label["state"] for label in labels} <= {"done", "failed", "rejected"}


def _wait_for(workers: Path, labels: int) -> None:
    """Wait till workers have begun so many labels."""
    deadline = time.monotonic() + 60
    seen: set[str] = set()
    while len(seen) < labels:
        assert time.monotonic() < deadline
        seen |= {folder.name for folder in workers.glob("worker-*/label-*")}
        time.sleep(0.02)


def _kill_all(folder: Path, leader: int) -> None:
    """Kill -9 of every process of the run: the command, its workers, their labels and the database."""
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        about = [process.info["cwd"] or "", *(process.info["cmdline"] or [])]
        belongs = process.pid == leader or any(str(folder) in text for text in about)
        if belongs and process.pid != os.getpid():
            with suppress(ProcessLookupError):  # it may have ended by itself since it was listed
                os.kill(process.pid, signal.SIGKILL)
