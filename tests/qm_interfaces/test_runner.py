from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from qm_interfaces import (
    CodeFailed,
    LabelLimits,
    NotConverged,
    OutOfMemory,
    QMResult,
    SettingsError,
    TimedOut,
    run_label,
    validate,
)


@pytest.fixture
def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def label(
    atoms: Atoms,
    directory: Path,
    accident: str,
    timeout_s: float = 60.0,
    memory_limit_GB: float | None = None,
    **parameters: str,
) -> QMResult:
    options = {
        "calculator": f"accident_calculators.{accident}",
        "parameters": parameters,
        "allow": ["accident_calculators"],
    }
    limits = {"timeout_s": timeout_s, "memory_limit_GB": memory_limit_GB}
    return run_label("ase", options, atoms, directory, **limits)


def read_to_end(pipe: int, patience_s: float = 30.0) -> bytes:
    """All that comes until every writer is gone; fails if one stays."""
    received = b""
    while select.select([pipe], [], [], patience_s)[0]:
        piece = os.read(pipe, 4096)
        if not piece:
            return received
        received += piece
    raise AssertionError("a process of the label is still alive")


def test_result_is_exact_and_files_stay(copper: Atoms, tmp_path: Path) -> None:
    result = run_label("mock", {}, copper, tmp_path, timeout_s=60)
    copper.calc = EMT()
    assert result.energy_eV == copper.get_potential_energy()
    np.testing.assert_array_equal(result.forces_eV_A, copper.get_forces())
    np.testing.assert_array_equal(result.stress_eV_A3, copper.get_stress())
    assert 0 < result.wall_time_s < 60
    assert {"task.json", "outcome.json", "stdout.txt", "stderr.txt"} == {f.name for f in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("accident", "error", "reason"),
    [
        ("Segfaulting", CodeFailed, "SIGSEGV"),
        ("Raising", CodeFailed, "ZeroDivisionError: deep inside the code"),
        ("Unconverged", NotConverged, "no self-consistency after 60 steps"),
        ("FillingTheDisk", CodeFailed, "the disk is full"),
    ],
)
def test_bad_ends_become_typed_errors(
    copper: Atoms, tmp_path: Path, accident: str, error: type[Exception], reason: str
) -> None:
    (tmp_path / "outcome.json").write_text("left over from an earlier attempt")
    with pytest.raises(error, match=reason) as caught:
        label(copper, tmp_path, accident)
    assert caught.value.retryable  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"result": {"energy_eV": 1}}', '{"error": {"kind": "Nonsense"}}']
)
def test_garbage_is_no_result(copper: Atoms, tmp_path: Path, text: str) -> None:
    with pytest.raises(CodeFailed, match="unreadable"):
        label(copper, tmp_path, "Garbage", text=text)


def test_time_limit_kills_the_whole_session(copper: Atoms, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    pipe = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(TimedOut, match="4 s"):
        label(copper, tmp_path / "label", "Holding", timeout_s=4.0, fifo=str(tmp_path / "fifo"))
    assert read_to_end(pipe) == b"grandchild\n"


def test_memory_of_all_processes_is_limited(copper: Atoms, tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory, match=r"needed more than 0\.3 GB") as caught:
        label(copper, tmp_path, "FillingTheMemory", memory_limit_GB=0.3)
    assert not caught.value.retryable
    assert label(copper, tmp_path / "other", "Sorting", memory_limit_GB=0.3).energy_eV != 0


def test_death_of_the_caller_kills_the_whole_session(copper: Atoms, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    program = (
        "from ase.build import bulk; from pathlib import Path; from test_runner import label;"
        f"label(bulk('Cu'), Path({str(tmp_path)!r}), 'Holding', 600.0, fifo={str(tmp_path / 'fifo')!r})"
    )
    path = os.pathsep.join(sys.path)
    caller = subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": path})
    pipe = os.open(tmp_path / "fifo", os.O_RDONLY)
    assert os.read(pipe, 4096) == b"grandchild\n"
    caller.kill()
    caller.wait()
    assert read_to_end(pipe) == b""


def test_scratch_and_threads_are_those_of_the_worker(
    copper: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotConverged, match=f"{tmp_path / 'label'} 1"):
        label(copper, tmp_path / "label", "Reporting")
    scratch = tmp_path / "scratch"
    monkeypatch.setenv("ALFLOW_SCRATCH", str(scratch))
    monkeypatch.setenv("ALFLOW_THREADS", "3")
    with pytest.raises(CodeFailed, match=f"cannot run.*{scratch}"):
        label(copper, tmp_path / "label", "Reporting")
    scratch.mkdir()
    with pytest.raises(NotConverged, match=f"{scratch} 3"):
        label(copper, tmp_path / "label", "Reporting")
    assert not list(scratch.iterdir())


def test_a_process_that_cannot_even_say_that_the_disk_is_full(
    copper: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(CodeFailed, match="SIGSEGV; its disk is full"):
        label(copper, tmp_path, "Segfaulting")


def test_reordered_atoms_are_noticed(tmp_path: Path) -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Pd"
    result = label(atoms, tmp_path, "Sorting")
    assert validate(atoms, result, LabelLimits()) == ["the code changed the order of the species"]


def test_options_that_are_no_plain_values(copper: Atoms, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="plain values"):
        run_label("mock", {"seed": np.arange(3)}, copper, tmp_path, timeout_s=60)


def test_libraries_in_the_child_get_one_thread(
    copper: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    def popen(*args: object, env: dict[str, str], **kwargs: object) -> None:
        seen.update(env)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(KeyboardInterrupt):
        run_label("mock", {}, copper, tmp_path, timeout_s=60)
    assert seen["OMP_NUM_THREADS"] == seen["OPENBLAS_NUM_THREADS"] == "1"
