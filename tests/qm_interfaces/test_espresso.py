from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from qm_interfaces import (
    CodeFailed,
    CodeMissing,
    LabelLimits,
    NotConverged,
    QMResult,
    SettingsError,
    get_interface,
    run_label,
    validate,
)
from qm_interfaces.espresso_run import change_input, corrections

ALUMINIUM = Path("/usr/share/espresso/pseudo/Al.pz-vbc.UPF")  # of Debian's quantum-espresso-data

real = [
    pytest.mark.real_qm,
    pytest.mark.skipif(shutil.which("pw.x") is None, reason="needs pw.x: apt install quantum-espresso"),
    pytest.mark.skipif(not ALUMINIUM.is_file(), reason=f"needs {ALUMINIUM} (quantum-espresso-data)"),
]


def options(**changed: Any) -> dict[str, Any]:
    base = {
        "pseudopotentials": {"Al": str(ALUMINIUM)},
        "ecutwfc_Ry": 12.0,
        "kpoints": {"mesh": [2, 2, 2]},
        "degauss_Ry": 0.05,
    }
    return base | changed


@pytest.fixture
def skewed() -> Atoms:
    """Two Al atoms in a triclinic cell, off their sites."""
    atoms = bulk("Al") * (2, 1, 1)
    strain = np.array([[0.0, 0.06, 0.02], [-0.03, 0.02, 0.05], [0.04, -0.04, -0.03]])
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    atoms.rattle(0.1, seed=3)
    return atoms


@pytest.fixture
def fake_pseudopotential(tmp_path: Path) -> Path:
    file = tmp_path / "Al.UPF"
    file.write_text("not read")
    return file


def fake_pw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a pw.x on PATH that does what `script` says."""
    program = tmp_path / "bin" / "pw.x"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("ALFLOW_PW_COMMAND", raising=False)


class TestRealProgram:
    pytestmark = real

    def test_forces_and_stress_are_derivatives_of_the_energy(self, skewed: Atoms, tmp_path: Path) -> None:
        interface = get_interface("espresso", **options(energy_tolerance_eV=1e-10, ecutwfc_Ry=24.0))

        def energy_eV(moved_A: float = 0.0, yz: float = 0.0) -> float:
            atoms = skewed.copy()
            atoms.positions[1, 2] += moved_A
            shear = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, yz], [0.0, yz, 1.0]])
            atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
            return interface.compute(atoms, tmp_path).energy_eV

        found = interface.compute(skewed, tmp_path)
        step_A = 5e-3
        slope = (energy_eV(step_A) - energy_eV(-step_A)) / (2 * step_A)
        assert found.forces_eV_A[1, 2] == pytest.approx(-slope, abs=1e-4)
        assert found.stress_eV_A3 is not None
        step = 3e-3
        slope = (energy_eV(yz=step) - energy_eV(yz=-step)) / (4 * step * skewed.get_volume())
        assert found.stress_eV_A3[3] == pytest.approx(slope, rel=0.03)  # the set of plane waves changes, too
        assert abs(slope) > 0.01

    def test_label_in_a_process_of_its_own(self, skewed: Atoms, tmp_path: Path) -> None:
        result = run_label("espresso", options(), skewed, tmp_path, timeout_s=60)
        assert validate(skewed, result, LabelLimits()) == []
        assert -57.5 < result.energy_eV / len(skewed) < -56
        assert result.code == "pw.x" and result.code_version[0].isdigit()
        assert result.details == {"kmesh": [2, 2, 2], "corrections": []}
        assert not list(tmp_path.glob("scratch-*"))

    def test_too_few_iterations_are_corrected_and_noted(self, skewed: Atoms, tmp_path: Path) -> None:
        def compute(steps: int) -> QMResult:
            electrons = {"electrons": {"electron_maxstep": steps}}
            return get_interface("espresso", **options(input_data=electrons)).compute(skewed, tmp_path)

        [note] = compute(5).details["corrections"]
        assert note["errors"] == ["self-consistency not reached"]
        assert note["actions"][0]["electrons"]["electron_maxstep"] == 10
        with pytest.raises(NotConverged, match="in 4 iterations"):
            compute(1)

    def test_wrong_keys_and_files_are_settings_errors(self, skewed: Atoms, tmp_path: Path) -> None:
        wrong = get_interface("espresso", **options(input_data={"system": {"nonsense": 1}}))
        with pytest.raises(SettingsError, match=r"stopped in read_namelists:.*nonsense"):
            wrong.compute(skewed, tmp_path)
        (tmp_path / "Al.UPF").write_text("no pseudopotential")
        wrong = get_interface("espresso", **options(pseudopotentials={"Al": str(tmp_path / "Al.UPF")}))
        with pytest.raises((SettingsError, CodeFailed), match=r"pw\.x"):
            wrong.compute(skewed, tmp_path)


@pytest.mark.parametrize(
    ("script", "error", "reason"),
    [
        ("kill -SEGV $$", CodeFailed, "it wrote nothing"),
        ("echo Program PWSCF v.7.2 starts; echo '   iteration # 1'", CodeFailed, "iteration # 1"),
        ("exit 0", CodeFailed, "it wrote nothing"),
        ("echo 'convergence has been achieved'; echo JOB DONE.", CodeFailed, r"espresso\.pwo"),
        ("echo 'At line 5 of file x: No space left on device'; exit 2", CodeFailed, "the disk is full"),
        (
            "printf '%%%%%%\\n Error in routine cdiaghg (3):\\n S matrix not positive definite\\n %%%%%%\\n'",
            CodeFailed,
            "stopped in cdiaghg: S matrix not positive definite",
        ),
        ("echo 'convergence NOT achieved after 3 iterations: stopping'", NotConverged, "not reached in 400"),
    ],
)
def test_bad_ends_become_typed_errors(
    skewed: Atoms,
    tmp_path: Path,
    fake_pseudopotential: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    error: type[Exception],
    reason: str,
) -> None:
    fake_pw(tmp_path, monkeypatch, script)
    chosen = options(pseudopotentials={"Al": str(fake_pseudopotential)})
    with pytest.raises(error, match=reason):
        get_interface("espresso", **chosen).compute(skewed, tmp_path)


def test_failed_diagonalization_is_repeated_by_conjugate_gradients(
    skewed: Atoms, tmp_path: Path, fake_pseudopotential: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_pw(tmp_path, monkeypatch, "echo run >> runs; echo 'too many bands are not converged'; exit 1")
    interface = get_interface("espresso", **options(pseudopotentials={"Al": str(fake_pseudopotential)}))
    with pytest.raises(CodeFailed, match="too many bands"):
        interface.compute(skewed, tmp_path)
    assert (tmp_path / "runs").read_text().split() == ["run", "run"]
    assert "diagonalization  = 'cg'" in (tmp_path / "espresso.pwi").read_text()


def test_handlers_cannot_change_the_level_of_theory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ecutwfc"):
        change_input(str(tmp_path), ecutwfc=10.0)
    assert corrections([{"corrections": []}]) == []


def test_the_command_is_that_of_the_worker(
    skewed: Atoms, tmp_path: Path, fake_pseudopotential: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_pw(tmp_path, monkeypatch, 'echo "arguments: $*"')
    interface = get_interface("espresso", **options(pseudopotentials={"Al": str(fake_pseudopotential)}))
    monkeypatch.setenv("ALFLOW_PW_COMMAND", "env A=1 pw.x -nk 2")
    with pytest.raises(CodeFailed, match=r"arguments: -nk 2 -in espresso\.pwi"):
        interface.compute(skewed, tmp_path)
    monkeypatch.setenv("ALFLOW_PW_COMMAND", "no-such-program pw.x")
    with pytest.raises(CodeMissing, match=r"no-such-program.*ALFLOW_PW_COMMAND"):
        interface.compute(skewed, tmp_path)


def test_level_of_theory_is_what_decides_the_numbers(tmp_path: Path, fake_pseudopotential: Path) -> None:
    def level(**changed: Any) -> dict[str, Any]:
        base = options(pseudopotentials={"Al": str(fake_pseudopotential)})
        return get_interface("espresso", **(base | changed)).level_of_theory()

    first = level()
    assert level(ecutrho_Ry=48.0) == first
    assert level(input_data={"ELECTRONS": {"Mixing_Beta": 0.1}}) == first
    assert level(input_data={"system": {"nspin": 2}}) != first
    assert level(kpoints={"spacing_per_A": 0.2}) != first
    fake_pseudopotential.write_text("another one")
    assert level() != first


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"pseudopotentials": {"Al": "Al.UPF"}}, "pseudopotentials.Al.*ESPRESSO_PSEUDO"),
        ({"ecutwfc_Ry": -1}, "ecutwfc_Ry"),
        ({"ecutrho_Ry": 1.0}, "ecutrho_Ry"),
        ({"kpoints": {}}, "kpoints"),
        ({"smearing": "hot"}, "smearing.*fermi-dirac"),
        ({"input_data": {"ions": {}}}, "input_data.*control"),
        ({"input_data": {"system": {"ecutwfc": 30}}}, "'ecutwfc', which alflow sets"),
    ],
)
def test_wrong_options_are_named(
    changed: dict[str, Any], reason: str, fake_pseudopotential: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ESPRESSO_PSEUDO", raising=False)
    base = options(pseudopotentials={"Al": str(fake_pseudopotential)})
    with pytest.raises(SettingsError, match=reason):
        get_interface("espresso", **(base | changed))


def test_structures_that_it_cannot_do(
    tmp_path: Path, fake_pseudopotential: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESPRESSO_PSEUDO", str(tmp_path))
    interface = get_interface("espresso", **options(pseudopotentials={"Al": "Al.UPF"}))
    with pytest.raises(CodeFailed, match="periodic"):
        interface.compute(Atoms("Al"), tmp_path)
    with pytest.raises(SettingsError, match="no entry for Cu"):
        interface.compute(bulk("Cu"), tmp_path)
