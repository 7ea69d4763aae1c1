from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from qm_interfaces import (
    CodeFailed,
    CodeMissing,
    LabelLimits,
    NotConverged,
    SettingsError,
    get_interface,
    run_label,
    validate,
)

OPTIONS = {"method": "hf", "basis": "sto-3g"}
FAKE = Path(__file__).with_name("fake_g16.py")


@pytest.fixture
def water() -> Atoms:
    atoms = molecule("H2O")
    atoms.set_cell([9.0, 9.0, 9.0])  # of a simulation; not periodic
    atoms.rattle(0.05, seed=1)
    return atoms


@pytest.fixture
def g16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A fake g16 on PATH; FAKE_G16 of the environment is its mode."""
    program = tmp_path / "bin" / "g16"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path or str(Path.cwd()) for path in sys.path))
    monkeypatch.delenv("ALFLOW_GAUSSIAN_COMMAND", raising=False)
    monkeypatch.setenv("FAKE_G16", "right")
    return monkeypatch


def test_a_label_is_what_the_program_computed(water: Atoms, g16: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyscf", reason="the fake g16 computes with PySCF: pip install 'alflow[pyscf]'")
    g16.setenv("ALFLOW_GAUSSIAN_MEMORY", "1GB")
    result = run_label("gaussian", OPTIONS, water, tmp_path / "label", timeout_s=60, threads=2)
    (tmp_path / "pyscf").mkdir()
    expected = get_interface("pyscf", **OPTIONS).compute(water, tmp_path / "pyscf")
    assert result.energy_eV == pytest.approx(expected.energy_eV, abs=1e-6)
    np.testing.assert_allclose(result.forces_eV_A, expected.forces_eV_A, atol=1e-6)
    assert result.stress_eV_A3 is None
    assert (result.code, result.code_version) == ("gaussian", "ES64L-G16RevC.01")
    assert validate(water, result, LabelLimits()) == []
    assert {"%mem=1GB", "%nprocshared=2"} <= set(
        (tmp_path / "label" / "gaussian.com").read_text().split("\n")
    )


def test_no_self_consistency_is_an_error_and_the_next_attempt_is_steadier(
    water: Atoms, g16: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    g16.setenv("FAKE_G16", "unconverged-once")
    interface = get_interface("gaussian", scf=["tight"], **OPTIONS)
    with pytest.raises(NotConverged, match="l502; its last words: 'Convergence failure -- run terminated"):
        interface.compute(water, tmp_path)
    pytest.importorskip("pyscf", reason="the fake g16 computes with PySCF: pip install 'alflow[pyscf]'")
    assert interface.compute(water, tmp_path, attempt=2).details == {"corrections": ["scf=xqc"]}
    assert "scf(tight,xqc)" in (tmp_path / "gaussian.com").read_text()


@pytest.mark.parametrize(
    ("mode", "reason"), [("crash", "wrote nothing"), ("nothing", "wrote nothing"), ("truncated", "Center")]
)
def test_bad_ends_become_typed_errors(
    water: Atoms, g16: pytest.MonkeyPatch, tmp_path: Path, mode: str, reason: str
) -> None:
    if mode == "truncated":
        pytest.importorskip("pyscf", reason="the fake g16 computes with PySCF: pip install 'alflow[pyscf]'")
    g16.setenv("FAKE_G16", mode)
    with pytest.raises(CodeFailed, match=f"ended before its result; .*{reason}"):
        get_interface("gaussian", **OPTIONS).compute(water, tmp_path)


@pytest.mark.parametrize(
    ("log", "error", "reason"),
    [
        ("Error termination via Lnk1e in /g16/l1.exe at Sat", SettingsError, "does not understand"),
        ("Error termination via Lnk1e in /g16/l9999.exe at Sat", CodeFailed, "l9999"),
        ("Error termination via Lnk1e in /g16/l701.exe at Sat", CodeFailed, "l701"),
        ("Erroneous write. Write -1 instead of 4096.", CodeFailed, "the disk is full"),
        ("Normal termination of Gaussian 16 at Sat", CodeFailed, r"gaussian\.log"),
    ],
)
def test_what_logs_say(
    water: Atoms, g16: pytest.MonkeyPatch, tmp_path: Path, log: str, error: type[Exception], reason: str
) -> None:
    g16.setenv("ALFLOW_GAUSSIAN_COMMAND", f"echo '{log}'")
    with pytest.raises(error, match=reason):
        get_interface("gaussian", **OPTIONS).compute(water, tmp_path)


def test_reordered_atoms_are_noticed(water: Atoms, g16: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyscf", reason="the fake g16 computes with PySCF: pip install 'alflow[pyscf]'")
    g16.setenv("FAKE_G16", "reordered")
    result = get_interface("gaussian", **OPTIONS).compute(water, tmp_path)
    assert validate(water, result, LabelLimits()) == ["the code changed the order of the species"]


def test_without_gaussian(water: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALFLOW_GAUSSIAN_COMMAND", "no-such-g16")
    with pytest.raises(CodeMissing, match=r"no-such-g16.*ALFLOW_GAUSSIAN_COMMAND"):
        get_interface("gaussian", **OPTIONS).compute(water, tmp_path)


def test_molecules_only(tmp_path: Path) -> None:
    with pytest.raises(CodeFailed, match="periodic") as caught:
        get_interface("gaussian", **OPTIONS).compute(bulk("Al"), tmp_path)
    assert not caught.value.retryable
    with pytest.raises(CodeFailed, match="1 cannot be unpaired"):
        get_interface("gaussian", unpaired_electrons=1, **OPTIONS).compute(molecule("H2O"), tmp_path)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"route": {"NoSymm": ""}}, "'nosymm', which alflow sets"),
        ({"method": "hf\nforce"}, "'method'"),
        ({"scf": "xqc"}, "'scf'"),
        ({"charge": 0.5}, "'charge'"),
        ({"unpaired_electrons": -1}, "'unpaired_electrons'"),
    ],
)
def test_wrong_options_are_named(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        get_interface("gaussian", **(OPTIONS | changed))


def test_level_of_theory() -> None:
    level = get_interface("gaussian", **OPTIONS).level_of_theory()
    assert get_interface("gaussian", method="HF", basis="STO-3G").level_of_theory() == level
    assert get_interface("gaussian", route={"integral": "ultrafine"}, **OPTIONS).level_of_theory() != level
