"""Real output files of VASP: the samples that ASE ships."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import ase
import pytest

from qm_interfaces import CodeFailed, LabelLimits, LevelChanged, NotConverged, validate
from qm_interfaces.vasp import VaspInterface
from qm_interfaces.vasp_results import read_result

SAMPLES = Path(ase.__file__).parent / "test" / "testdata" / "vasp"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="this ASE comes without its test data")


def test_vasprun_of_diamond_under_pressure(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "vasprun_pstress.xml", tmp_path / "vasprun.xml")
    result = read_result(tmp_path)
    # VASP writes F + PV after the last step; the label is the F that it printed in it.
    assert result.energy_eV == pytest.approx(-20.24695937, abs=1e-6)
    assert result.details["E0_eV"] == pytest.approx(-20.24720095, abs=1e-6)
    assert result.stress_eV_A3 is not None and result.computed is not None
    assert result.stress_eV_A3[:3] == pytest.approx(165.99562580 * 0.1 / 160.21766, rel=1e-6)
    assert (result.code_version, result.computed.get_chemical_formula()) == ("6.3.0", "C2")


def test_outcar_of_nickel(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "OUTCAR_example_1", tmp_path / "OUTCAR")
    result = read_result(tmp_path)
    assert result.energy_eV == pytest.approx(-68.22868532)
    assert result.details["E0_eV"] == pytest.approx(-68.23102426)
    assert result.forces_eV_A.shape == (18, 3)
    assert result.computed is not None and set(result.computed.symbols) == {"Ni"}
    assert result.details["source"] == "OUTCAR"


def test_outcar_of_a_run_that_did_not_converge(tmp_path: Path) -> None:
    text = (SAMPLES / "OUTCAR_example_1").read_text()
    (tmp_path / "OUTCAR").write_text(
        text.replace(
            "aborting loop because EDIFF is reached", "aborting loop EDIFF was not reached (unconverged)"
        )
    )
    with pytest.raises(NotConverged, match="did not reach EDIFF"):
        read_result(tmp_path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_part_of_a_file_is_no_result(tmp_path: Path, part: float) -> None:
    for sample, name in (("OUTCAR_example_1", "OUTCAR"), ("vasprun_pstress.xml", "vasprun.xml")):
        text = (SAMPLES / sample).read_text()
        (tmp_path / name).write_text(text[: int(part * len(text))])
    with pytest.raises(CodeFailed, match=r"vasprun.xml is broken .*OUTCAR ends before its end"):
        read_result(tmp_path)


def test_numbers_that_overflowed(tmp_path: Path) -> None:
    text = (SAMPLES / "vasprun_pstress.xml").read_text()
    (tmp_path / "vasprun.xml").write_text(text.replace("-20.23985977", "************"))
    with pytest.raises(CodeFailed, match="unreadable"):
        read_result(tmp_path)


@pytest.mark.parametrize(("key", "value"), [("ENCUT", 500), ("SIGMA", 0.2), ("ISYM", 2), ("PREC", "Normal")])
def test_the_sample_outcar_is_a_label_of_its_level_alone(tmp_path: Path, key: str, value: Any) -> None:
    shutil.copy(SAMPLES / "OUTCAR_example_1", tmp_path / "OUTCAR")
    (tmp_path / "KPOINTS").write_text("of its one k-point\n0\nGamma\n1 1 1\n0 0 0\n")
    incar = {
        "ENCUT": 300,
        "ISMEAR": 1,
        "SIGMA": 0.1,
        "PREC": "Accurate",
        "ISPIN": 2,
        "LREAL": True,
        "ISYM": 0,
    }
    others = {"xc": "pbe", "kpoints": {"mesh": [1, 1, 1]}, "potcar": {"Ni": "PAW_PBE Ni 02Aug2007"}}
    atoms, result = VaspInterface(incar=incar, **others).import_folder(tmp_path)
    assert result.energy_eV == pytest.approx(-68.22868532)
    assert validate(atoms, result, LabelLimits()) == []
    with pytest.raises(LevelChanged, match=f"another level of theory: INCAR {key} is"):
        VaspInterface(incar=incar | {key: value}, **others).import_folder(tmp_path)


def test_the_sample_vasprun_is_a_label_of_its_level_alone(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "vasprun_pstress.xml", tmp_path / "vasprun.xml")
    level = {
        "xc": "lda",
        "incar": {"ENCUT": 400, "ISMEAR": 1},
        "kpoints": {"mesh": [4, 4, 4], "gamma": False},
        "potcar": {"C": "PAW C 22Mar2012"},
    }
    atoms, result = VaspInterface(**level).import_folder(tmp_path)
    assert validate(atoms, result, LabelLimits()) == []
    for changed, difference in (
        ({"kpoints": {"mesh": [4, 4, 4]}}, "KPOINTS is Monkhorst"),
        ({"xc": "pbe"}, "INCAR GGA is ca instead of pe"),
        ({"potcar": {"C": "PAW C_h 22Mar2012"}}, "POTCAR is PAW C 22Mar2012 instead of"),
    ):
        with pytest.raises(LevelChanged, match=re.escape(difference)):
            VaspInterface(**level | changed).import_folder(tmp_path)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(CodeFailed, match=r"no vasprun\.xml; no OUTCAR"):
        read_result(tmp_path)
