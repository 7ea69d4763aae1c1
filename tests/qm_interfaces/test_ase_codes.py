"""GPAW, ABINIT and CP2K through ASE: `-m other_codes` runs those that are here, `-k gpaw` one of them."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from qm_interfaces import NotConverged, QMResult, run_label

pytestmark = [pytest.mark.real_qm, pytest.mark.slow, pytest.mark.other_codes]

PSEUDOPOTENTIALS = Path("/usr/share/abinit/psp")
CP2K_INPUT = """
&FORCE_EVAL
  &DFT
    &SCF
      EPS_SCF 1e-7
      &DIAGONALIZATION
      &END DIAGONALIZATION
      &MIXING
        METHOD BROYDEN_MIXING
        ALPHA 0.3
      &END MIXING
    &END SCF
    &KPOINTS
      SCHEME MONKHORST-PACK 2 2 2
      FULL_GRID .TRUE.
    &END KPOINTS
  &END DFT
&END FORCE_EVAL
"""
OPTIONS: dict[str, dict[str, Any]] = {
    "gpaw": {
        "calculator": "gpaw.GPAW",
        "allow": ["gpaw"],
        "parameters": {
            "mode": {"name": "pw", "ecut": 250},
            "xc": "LDA",
            "kpts": {"size": [2, 2, 2]},
            "occupations": {"name": "fermi-dirac", "width": 0.2},
            "convergence": {"energy": 1e-6, "density": 1e-6},
            "symmetry": "off",
            "txt": "gpaw.txt",
        },
    },
    "abinit": {
        "calculator": "ase.calculators.abinit.Abinit",
        "parameters": {
            "xc": "LDA",
            "pps": "pspnc",
            "pp_paths": [str(PSEUDOPOTENTIALS)],
            "ecut": 300,
            "kpts": [2, 2, 2],
            "occopt": 4,
            "tsmear": 0.3,
            "toldff": 1e-6,
            "nstep": 50,
            "chksymtnons": 0,
        },
    },
    "cp2k": {
        "calculator": "ase.calculators.cp2k.CP2K",
        "parameters": {
            "xc": "LDA",
            "basis_set": "DZVP-GTH-PADE",
            "basis_set_file": "BASIS_SET",
            "pseudo_potential": "GTH-PADE",
            "cutoff": 4000.0,
            "max_scf": 60,
            "stress_tensor": True,
            "inp": CP2K_INPUT,
        },
    },
}
ONE_ITERATION: dict[str, dict[str, Any]] = {
    "gpaw": {"maxiter": 2},
    "abinit": {"nstep": 2},
    "cp2k": {"max_scf": 2},
}
STRUCTURES = {
    "Al": Atoms(
        "Al2",
        cell=[[2.9, 0.1, 0], [1.3, 2.7, 0.2], [0.2, 1.1, 4.4]],
        scaled_positions=[[0, 0, 0], [0.47, 0.52, 0.46]],
        pbc=True,
    ),
    "Si": Atoms(
        "Si2",
        cell=[[0.1, 2.7, 2.7], [2.8, 0.1, 2.6], [2.7, 2.75, 0]],
        scaled_positions=[[0, 0, 0], [0.26, 0.24, 0.27]],
        pbc=True,
    ),
}


@pytest.fixture(params=OPTIONS)
def code(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    if name == "gpaw" and find_spec("gpaw") is None:
        pytest.skip("GPAW is not installed: pip install gpaw")
    if name == "abinit" and not (shutil.which("abinit") and PSEUDOPOTENTIALS.is_dir()):
        pytest.skip("ABINIT is not installed: apt install abinit abinit-data")
    if name == "cp2k" and shutil.which("cp2k.psmp") is None:
        pytest.skip("CP2K is not installed: apt install cp2k cp2k-data")
    (tmp_path / "ase.ini").write_text("[abinit]\ncommand = abinit\n")
    monkeypatch.setenv("ASE_CONFIG_PATH", str(tmp_path / "ase.ini"))
    return name


def structure(code: str) -> Atoms:
    return STRUCTURES["Si" if code == "cp2k" else "Al"].copy()  # the basis of CP2K is made for silicon


def label(code: str, atoms: Atoms, directory: Path) -> QMResult:
    return run_label("ase", OPTIONS[code], atoms, directory, timeout_s=300)


def test_forces_and_stress_are_derivatives(code: str, tmp_path: Path) -> None:
    atoms = structure(code)
    result = label(code, atoms, tmp_path / "label")
    step_A, strain = 0.01, 0.005
    energies_eV = []
    for sign in (1, -1):
        moved, sheared = atoms.copy(), atoms.copy()
        moved.positions[1, 0] += sign * step_A
        tensor = np.eye(3)
        tensor[0, 1] = tensor[1, 0] = sign * strain / 2
        sheared.set_cell(atoms.cell.array @ tensor, scale_atoms=True)
        energies_eV.append([label(code, a, tmp_path / "strained").energy_eV for a in (moved, sheared)])
    difference_eV = np.subtract(*energies_eV)
    assert result.stress_eV_A3 is not None
    assert result.forces_eV_A[1, 0] == pytest.approx(-difference_eV[0] / (2 * step_A), abs=0.002)
    shear_eV_A3 = difference_eV[1] / (2 * strain) / atoms.get_volume()
    assert result.stress_eV_A3[5] == pytest.approx(shear_eV_A3, abs=0.001)


def test_no_self_consistency_is_no_label(code: str, tmp_path: Path) -> None:
    options = OPTIONS[code] | {"parameters": OPTIONS[code]["parameters"] | ONE_ITERATION[code]}
    for _ in range(2):
        with pytest.raises(NotConverged):
            run_label("ase", options, structure(code), tmp_path, timeout_s=300)
    assert label(code, structure(code), tmp_path).energy_eV < 0  # what an earlier attempt left says nothing
