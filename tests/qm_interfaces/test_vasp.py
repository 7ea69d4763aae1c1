"""VASP with a stand-in for its program on PATH: each way to fail gives its reason, and no wrong label."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from custodian.custodian import ErrorHandler

from qm_interfaces import (
    CodeFailed,
    CodeMissing,
    LabelLimits,
    LevelChanged,
    NotConverged,
    QMError,
    QMResult,
    SettingsError,
    TimedOut,
    get_interface,
    run_label,
    validate,
)
from qm_interfaces.vasp import VaspInterface, VaspWorker
from qm_interfaces.vasp_level import VaspInputs

pytest.importorskip("pymatgen", reason="custodian corrects VASP with it: pip install 'alflow[vasp]'")

FAKE = Path(__file__).parent / "fake_vasp"
TITLES = {"Al": "PAW_PBE Al 04Jan2001", "Ni": "PAW_PBE Ni 02Aug2007"}
POTCAR = """\
  {title}
   3.00000000000000
 parameters from PSCTR are:
   VRHFIN ={species}: s2p1
   LEXCH  = PE
   TITEL  = {title}
   POMASS =   26.982; ZVAL   =    3.000    mass and valenz
   ENMAX  =  240.300; ENMIN  =  180.225 eV
END of PSCTR-controll parameters
 local part
  0.10E+01 0.20E+01 0.30E+01
End of Dataset
"""
RIGHT_ENERGIES_EV: dict[str, float] = {}  # of the one alloy of these tests, by changes of INCAR
INCAR = {"ENCUT": 400, "ISMEAR": 1, "SIGMA": 0.2, "EDIFF": "1e-6"}


class Meddler(ErrorHandler):
    """Answers a planted message with `actions`."""

    is_monitor = False

    def __init__(self, actions: list[dict[str, Any]]) -> None:
        self.actions = actions

    def check(self, directory: str = "./") -> bool:
        return "PLANTED" in (Path(directory) / "vasp.out").read_text()

    def correct(self, directory: str = "./") -> dict[str, Any]:
        from custodian.vasp.interpreter import VaspModder  # imports pymatgen

        VaspModder(directory=directory).apply_actions(self.actions)
        return {"errors": ["planted"], "actions": self.actions}


def settings(**changes: Any) -> dict[str, Any]:
    """Options of the interface; `changes` are INCAR keys."""
    return {
        "xc": "PBE",
        "incar": INCAR | changes,
        "kpoints": {"mesh": [4, 4, 4], "gamma": False},
        "potcar": TITLES,
    }


@pytest.fixture
def alloy() -> Atoms:
    """A skewed, left-handed cell with unsorted species."""
    atoms = bulk("Al", cubic=True)
    atoms.symbols[1] = "Ni"
    atoms.set_cell(atoms.cell.array @ [[1, 0.1, 0], [0, 1, 0.05], [0, 0, -1]], scale_atoms=True)
    atoms.rattle(0.05, seed=0)
    return atoms


@pytest.fixture(autouse=True)
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with VASP and its pseudopotentials."""
    for species, title in TITLES.items():
        folder = tmp_path / "potentials" / "potpaw_PBE" / species
        folder.mkdir(parents=True)
        (folder / "POTCAR").write_text(POTCAR.format(title=title, species=species))
    monkeypatch.setenv("VASP_PP_PATH", str(tmp_path / "potentials"))
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(FAKE), str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    for name in ("FAKE_VASP", "ALFLOW_VASP_COMMAND", "ALFLOW_VASP_CORES", "ALFLOW_VASP_WALLTIME_S"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Choose what goes wrong with VASP."""
    return lambda mode: monkeypatch.setenv("FAKE_VASP", mode)


@pytest.fixture
def right(alloy: Atoms, tmp_path: Path) -> Callable[..., float]:
    """Energy of the alloy at the level of theory with these changes of INCAR, by an undisturbed run."""

    def energy_eV(**changes: Any) -> float:
        key = str(changes)
        if key not in RIGHT_ENERGIES_EV:
            result = get_interface("vasp", **settings(**changes)).compute(alloy, tmp_path / "right")
            RIGHT_ENERGIES_EV[key] = result.energy_eV
        return RIGHT_ENERGIES_EV[key]

    return energy_eV


def label(atoms: Atoms, directory: Path, timeout_s: float = 120.0, **changes: Any) -> QMResult:
    return run_label("vasp", settings(**changes), atoms, directory, timeout_s=timeout_s)


def test_a_label_in_its_process(alloy: Atoms, tmp_path: Path) -> None:
    result = label(alloy, tmp_path / "label")
    alloy.calc = EMT()
    np.testing.assert_allclose(result.forces_eV_A, alloy.get_forces(), atol=1e-7)
    assert result.stress_eV_A3 is not None
    np.testing.assert_allclose(result.stress_eV_A3, alloy.get_stress(), atol=1e-7)
    assert (
        result.energy_eV == result.details["free_energy_eV"] == pytest.approx(result.details["E0_eV"] - 0.01)
    )
    assert (result.code, result.code_version, result.details["source"]) == ("vasp", "6.4.2", "vasprun.xml")
    assert result.details["corrections"] == [] and result.details["rerun_because"] == []
    assert validate(alloy, result, LabelLimits()) == []


FAILURES = [
    ("crash", CodeFailed, "exit code 174: forrtl: severe"),
    ("silent", CodeFailed, "without writing its results"),
    ("truncated", CodeFailed, "vasprun.xml is broken .*OUTCAR ends before its end"),
    ("unconverged", NotConverged, "did not reach EDIFF"),
    ("edddav-always", CodeFailed, "edddav"),
    ("edit-incar", LevelChanged, "INCAR ENCUT is 300 instead of 400"),
    ("symmetry-always", LevelChanged, "SYMPREC is 1e-06 instead of 1e-05.*at the level asked for.*posmap"),
]


@pytest.mark.parametrize(("mode", "error", "reason"), FAILURES)
def test_failures_have_their_reason(
    alloy: Atoms, tmp_path: Path, broken: Callable[[str], None], mode: str, error: type[QMError], reason: str
) -> None:
    broken(mode)
    with pytest.raises(error, match=reason) as caught:
        get_interface("vasp", **settings()).compute(alloy, tmp_path)
    assert caught.value.retryable == (error is not LevelChanged)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "error", "reason"), FAILURES)
def test_failures_in_their_process(
    alloy: Atoms, tmp_path: Path, broken: Callable[[str], None], mode: str, error: type[QMError], reason: str
) -> None:
    broken(mode)
    with pytest.raises(error, match=reason) as caught:
        label(alloy, tmp_path / "label")
    assert caught.value.retryable == (error is not LevelChanged)


def test_hang_ends_at_the_time_limit(alloy: Atoms, tmp_path: Path, broken: Callable[[str], None]) -> None:
    broken("hang")
    with pytest.raises(TimedOut):
        label(alloy, tmp_path / "label", timeout_s=3.0)


def test_hang_ends_at_the_wall_time_of_the_worker(
    alloy: Atoms, tmp_path: Path, broken: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken("hang")
    monkeypatch.setenv("ALFLOW_VASP_WALLTIME_S", "0.5")
    with pytest.raises(TimedOut, match=r"wall time of this worker \(0\.5 s"):
        get_interface("vasp", **settings()).compute(alloy, tmp_path)


def test_wrong_order_of_species_is_rejected(
    alloy: Atoms, tmp_path: Path, broken: Callable[[str], None]
) -> None:
    broken("wrong-order")
    result = get_interface("vasp", **settings()).compute(alloy, tmp_path)
    assert any("order" in reason or "computed" in reason for reason in validate(alloy, result, LabelLimits()))


def test_outcar_where_vasprun_is_broken(
    alloy: Atoms, tmp_path: Path, broken: Callable[[str], None], right: Callable[..., float]
) -> None:
    energy = right()
    broken("truncated-xml")
    result = get_interface("vasp", **settings()).compute(alloy, tmp_path / "label")
    alloy.calc = EMT()
    assert result.details["source"] == "OUTCAR" and result.code_version == "6.4.2"
    assert result.energy_eV == pytest.approx(energy)
    np.testing.assert_allclose(result.forces_eV_A, alloy.get_forces(), atol=1e-6)
    np.testing.assert_allclose(np.array(result.stress_eV_A3), alloy.get_stress(), atol=1e-7)
    assert validate(alloy, result, LabelLimits()) == []


@pytest.mark.parametrize(
    ("mode", "error", "changed"),
    [
        ("edddav", "edddav", {"ALGO": "all", "ISEARCH": 1.0}),
        ("unconverged-once", "Unconverged", {"ALGO": "all", "ISEARCH": 1.0}),
    ],
)
def test_harmless_corrections_are_kept_and_recorded(
    alloy: Atoms,
    tmp_path: Path,
    broken: Callable[[str], None],
    right: Callable[..., float],
    mode: str,
    error: str,
    changed: dict[str, Any],
) -> None:
    energy = right()
    broken(mode)
    result = get_interface("vasp", **settings()).compute(alloy, tmp_path / "label")
    assert result.energy_eV == pytest.approx(energy)
    assert result.details["corrections"][0]["errors"] == [error]
    assert result.details["rerun_because"] == []
    assert VaspInputs.read(tmp_path / "label" / "vasp-1").incar().items() >= changed.items()


@pytest.mark.parametrize(
    ("mode", "asked", "because"),
    [
        ("tet", {"ISMEAR": -5}, ["INCAR ISMEAR is 0 instead of -5", "INCAR SIGMA is 0.05 instead of 0.2"]),
        ("symmetry", {}, ["INCAR SYMPREC is 1e-06 instead of 1e-05"]),
        ("shift", {}, ["KPOINTS is Gamma [(4, 4, 4)] instead of Monkhorst [(4, 4, 4)]"]),
    ],
)
def test_a_correction_of_the_level_is_undone(
    alloy: Atoms,
    tmp_path: Path,
    broken: Callable[[str], None],
    right: Callable[..., float],
    mode: str,
    asked: dict[str, Any],
    because: list[str],
) -> None:
    energy = right(**asked)
    broken(mode)
    result = get_interface("vasp", **settings(**asked)).compute(alloy, tmp_path / "label")
    assert result.details["rerun_because"] == because
    assert result.energy_eV == pytest.approx(energy, abs=1e-7)
    incar = VaspInputs.read(tmp_path / "label" / "vasp-1").incar()
    assert incar["ISTART"] == (1 if mode == "tet" else 0) and incar["ICHARG"] == (0 if mode == "tet" else 1)


LOWERED = {"dict": "INCAR", "action": {"_set": {"ENCUT": 250}}}


@pytest.mark.parametrize(
    ("actions", "because"),
    [
        ([LOWERED], ["INCAR ENCUT is 250 instead of 400"]),
        (
            [{"dict": "INCAR", "action": {"_set": {"ISMEAR": 0, "SIGMA": 0.05}}}],
            ["INCAR ISMEAR is 0 instead of 1", "INCAR SIGMA is 0.05 instead of 0.2"],
        ),
        (
            [{"dict": "KPOINTS", "action": {"_set": {"kpoints": [(1, 1, 1)]}}}],
            ["KPOINTS is Monkhorst [(1, 1, 1)] instead of Monkhorst [(4, 4, 4)]"],
        ),
        (
            [{"dict": "INCAR", "action": {"_set": {"SYMPREC": 1e-3}}}],
            ["INCAR SYMPREC is 0.001 instead of 1e-05"],
        ),
        ([{"dict": "INCAR", "action": {"_set": {"ISYM": 0}}}], ["INCAR ISYM is 0 instead of not set"]),
        ([{"dict": "INCAR", "action": {"_set": {"AMIX": 0.1, "NELM": 100}}}], []),
    ],
)
def test_a_handler_that_changes_the_level(
    alloy: Atoms,
    tmp_path: Path,
    broken: Callable[[str], None],
    right: Callable[..., float],
    monkeypatch: pytest.MonkeyPatch,
    actions: list[dict[str, Any]],
    because: list[str],
) -> None:
    energy = right()
    broken("planted")
    monkeypatch.setattr("qm_interfaces.vasp_run.handlers", lambda moving: [Meddler(actions)])
    result = get_interface("vasp", **settings()).compute(alloy, tmp_path / "label")
    plain = json.loads(json.dumps(actions))  # details are plain values: a tuple is a list there
    assert result.details["corrections"] == [{"errors": ["planted"], "actions": plain}]
    assert result.details["rerun_because"] == because
    assert result.energy_eV == pytest.approx(energy, abs=1e-7)


def test_a_folder_computed_elsewhere(alloy: Atoms, tmp_path: Path) -> None:
    interface = VaspInterface(**settings())
    result = interface.compute(alloy, tmp_path)
    atoms, imported = interface.import_folder(tmp_path / "vasp-1")
    assert imported.energy_eV == result.energy_eV
    assert sorted(atoms.symbols) == sorted(alloy.symbols)
    assert validate(atoms, imported, LabelLimits()) == []
    finer = VaspInterface(**settings(ENCUT=500))
    with pytest.raises(LevelChanged, match="ENCUT is 400 instead of 500"):
        finer.import_folder(tmp_path / "vasp-1")


@pytest.mark.parametrize("kept", ["vasprun.xml", "OUTCAR"])
def test_a_folder_of_which_only_results_are_left(
    alloy: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    interface = VaspInterface(**settings())
    result = interface.compute(alloy, tmp_path)
    monkeypatch.delenv("VASP_PP_PATH")
    for file in (tmp_path / "vasp-1").iterdir():
        if file.name not in (kept, "KPOINTS"):
            file.unlink()
    _, imported = interface.import_folder(tmp_path / "vasp-1")
    assert imported.energy_eV == pytest.approx(result.energy_eV)
    with pytest.raises(LevelChanged, match=r"SIGMA is 0\.2 instead of 0\.1"):
        VaspInterface(**settings(SIGMA=0.1)).import_folder(tmp_path / "vasp-1")
    other = TITLES | {"Ni": "PAW_PBE Ni_pv 06Sep2000"}
    with pytest.raises(LevelChanged, match=r"POTCAR is .*Ni 02Aug2007 instead of .*Ni_pv 06Sep2000"):
        VaspInterface(**settings() | {"potcar": other}).import_folder(tmp_path / "vasp-1")
    (tmp_path / "vasp-1" / kept).unlink()
    with pytest.raises(CodeFailed, match=r"has no INCAR and no POTCAR, and no vasprun\.xml or OUTCAR"):
        interface.import_folder(tmp_path / "vasp-1")


def test_moments_of_a_folder_are_those_of_the_configuration(alloy: Atoms, tmp_path: Path) -> None:
    alloy.set_initial_magnetic_moments([0.0, 2.0, 0.5, 0.0])
    interface = VaspInterface(**settings(ISPIN=2))
    interface.compute(alloy, tmp_path)
    atoms, _ = interface.import_folder(tmp_path / "vasp-1")
    moments = zip(atoms.symbols, atoms.get_initial_magnetic_moments(), strict=True)
    assert sorted(moments) == [("Al", 0.0), ("Al", 0.0), ("Al", 0.5), ("Ni", 2.0)]
    with pytest.raises(LevelChanged, match="ISPIN is 2 instead of 1"):
        VaspInterface(**settings()).import_folder(tmp_path / "vasp-1")


def test_later_attempts_get_more_steps_at_the_same_level(alloy: Atoms, tmp_path: Path) -> None:
    interface = get_interface("vasp", **settings())
    (tmp_path / "second").mkdir()
    interface.write(alloy, tmp_path / "second", attempt=2)  # type: ignore[attr-defined]
    assert VaspInputs.read(tmp_path / "second").incar()["NELM"] == 120


def test_level_of_theory_is_canonical() -> None:
    one = get_interface("vasp", **settings(ALGO="Fast", NCORE=4)).level_of_theory()
    other = get_interface("vasp", **settings(encut=400.0, EDIFF=1e-6, PREC="normal")).level_of_theory()
    assert one["incar"] == {"EDIFF": 1e-6, "ENCUT": 400.0, "ISMEAR": 1.0, "ISPIN": 1.0, "SIGMA": 0.2}
    assert one["incar"] | {"PREC": "normal"} == other["incar"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"xc": "B7LYP"}, "option 'xc'"),
        ({"incar": {"ISMEAR": 0}}, "lacks ENCUT"),
        ({"incar": {"ENCUT": 300}}, "lacks ISMEAR"),
        ({"incar": INCAR | {"nsw": 100}}, "NSW.*labels are static"),
        ({"incar": INCAR | {"MAGMOM": [1, 2]}}, "MAGMOM.*configuration"),
        ({"kpoints": {"mesh": [2, 2]}}, "three whole numbers"),
        ({"kpoints": {"mesh": [2, 2, 2], "spacing_per_A": 0.2}}, "mesh or spacing_per_A"),
        ({"potcar": {"Al": "PAW_PBE Ni 02Aug2007"}}, r"option 'potcar\.Al'.*TITEL"),
    ],
)
def test_wrong_options(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        get_interface("vasp", **settings() | changes)


def test_another_potcar_on_this_machine(alloy: Atoms, tmp_path: Path) -> None:
    options = settings() | {"potcar": TITLES | {"Al": "PAW_PBE Al 17Apr2000"}}
    with pytest.raises(CodeMissing, match=r"04Jan2001.*asks for PAW_PBE Al 17Apr2000"):
        get_interface("vasp", **options).compute(alloy, tmp_path)


def test_no_potcar_on_this_machine(alloy: Atoms, tmp_path: Path) -> None:
    options = settings() | {"potcar": TITLES | {"Al": "PAW_PBE Al_sv_GW 02Feb2008"}}
    with pytest.raises(CodeMissing, match="VASP_PP_PATH"):
        get_interface("vasp", **options).compute(alloy, tmp_path)


def test_without_pymatgen(alloy: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qm_interfaces.vasp.find_spec", lambda name: None)
    with pytest.raises(CodeMissing, match=r"pip install .alflow\[vasp\]"):
        get_interface("vasp", **settings()).compute(alloy, tmp_path)


def test_molecules_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CodeFailed, match="periodic"):
        get_interface("vasp", **settings()).compute(Atoms("Al"), tmp_path)


def test_the_command_comes_from_the_environment() -> None:
    command = VaspWorker.from_environment(
        {"ALFLOW_VASP_COMMAND": "env A=1 vasp -n {cores}", "ALFLOW_VASP_CORES": "8"}
    )
    assert command == VaspWorker(("env", "A=1", "vasp", "-n", "8"), None)
    assert VaspWorker.from_environment({}).command == ("vasp_std",)
    with pytest.raises(CodeMissing, match=r"ALFLOW_VASP_COMMAND"):
        VaspWorker.from_environment({"ALFLOW_VASP_COMMAND": "no-such-program"})
    for name in ("ALFLOW_VASP_CORES", "ALFLOW_VASP_WALLTIME_S"):
        with pytest.raises(SettingsError, match=name):
            VaspWorker.from_environment({name: "many"})
