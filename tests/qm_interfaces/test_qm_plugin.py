"""A QM code of another package: examples/plugins/harmonic_qm.py, installed beside alflow."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from qm_interfaces import (
    LabelLimits,
    QMResult,
    SettingsError,
    get_interface,
    interface_names,
    run_label,
    run_relaxation,
    validate,
)
from qm_interfaces.registry import GROUP, OWN

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugins" / "harmonic_qm.py"
OPTIONS = {"length_A": 2.5, "stiffness_eV_A2": 3.0}


def install(folder: Path, entry_points: str) -> None:
    """What pip leaves of a package."""
    shutil.copy(EXAMPLE, folder)
    facts = folder / "alflow_harmonic-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: alflow-harmonic\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[{GROUP}]\n{entry_points}\n")


@pytest.fixture
def harmonic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    install(folder, "harmonic = harmonic_qm:HarmonicInterface\nlost = harmonic_qm:Lost\nmock = harmonic_qm:X")
    monkeypatch.syspath_prepend(folder)


@pytest.fixture
def crystal() -> Atoms:
    """Periodic, triclinic, without symmetry, and with springs both pressed and stretched."""
    atoms = bulk("Cu", a=3.5).repeat(2)
    deformation = [[1.02, 0.05, 0.0], [0.0, 0.97, 0.04], [0.03, 0.0, 1.01]]
    atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def label(atoms: Atoms, folder: Path) -> QMResult:
    return get_interface("harmonic", **OPTIONS).compute(atoms, folder)


def test_it_is_found_by_its_entry_point(harmonic: None) -> None:
    assert interface_names() == [*OWN, "harmonic", "lost"]
    assert get_interface("harmonic", **OPTIONS).level_of_theory()["stiffness_eV_A2"] == 3.0


def test_no_package_replaces_an_interface_of_ours(harmonic: None) -> None:
    assert type(get_interface("mock")).__module__ == "qm_interfaces.mock"


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("harmonic", {}, "option 'length_A' of QM interface 'harmonic' is missing"),
        ("harmonic", {"length_A": -1}, "option 'length_A' is -1: it must be greater than 0"),
        ("harmonic", OPTIONS | {"k": 1}, "its options are length_A, stiffness_eV_A2, width_A"),
        ("anharmonic", {}, "vasp, harmonic, lost"),
        ("lost", {}, "QM interface 'lost' (harmonic_qm:Lost) cannot be imported: "),
    ],
)
def test_wrong_names_and_options_are_one_sentence(
    harmonic: None, name: str, options: dict[str, float], sentence: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        get_interface(name, **options)
    assert sentence in caught.value.reason


def test_a_label_process_finds_it_too(harmonic: None, crystal: Atoms, tmp_path: Path) -> None:
    result = run_label("harmonic", OPTIONS, crystal, tmp_path / "label", timeout_s=60)
    here = label(crystal, tmp_path)
    assert (result.code, result.code_version, result.energy_eV) == ("harmonic", "1.0", here.energy_eV)
    np.testing.assert_array_equal(result.forces_eV_A, here.forces_eV_A)
    np.testing.assert_array_equal(result.stress_eV_A3, here.stress_eV_A3)
    assert validate(crystal, result, LabelLimits()) == []


def test_forces_and_stress_are_derivatives_of_the_energy(
    harmonic: None, crystal: Atoms, tmp_path: Path
) -> None:
    def energy_eV(shift: np.ndarray | None = None, strain: np.ndarray | None = None) -> float:
        moved = crystal.copy()
        if shift is not None:
            moved.positions += shift
        if strain is not None:
            moved.set_cell(moved.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        return label(moved, tmp_path).energy_eV

    def slope(**step: np.ndarray) -> float:
        ahead = energy_eV(**step)
        return (ahead - energy_eV(**{key: -value for key, value in step.items()})) / 2e-5

    result = label(crystal, tmp_path)
    for atom, axis in [(0, 0), (3, 1), (7, 2)]:
        shift = np.zeros((len(crystal), 3))
        shift[atom, axis] = 1e-5
        assert result.forces_eV_A[atom, axis] == pytest.approx(-slope(shift=shift), abs=1e-7)
    assert result.stress_eV_A3 is not None
    for component, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        strain = np.zeros((3, 3))
        strain[i, j] += 0.5e-5
        strain[j, i] += 0.5e-5
        expected = slope(strain=strain) / crystal.get_volume()
        assert result.stress_eV_A3[component] == pytest.approx(expected, abs=1e-9)


def test_relaxations_come_with_it(harmonic: None, crystal: Atoms, tmp_path: Path) -> None:
    result = run_relaxation(
        "harmonic", OPTIONS, crystal, tmp_path, fmax_eV_A=1e-3, smax_eV_A3=1e-5, steps=200, timeout_s=60
    )
    assert result.relaxed is not None
    distances_A = neighbor_list("d", result.relaxed, 3.0)  # of an fcc crystal: twelve springs of their length
    assert len(distances_A) == 12 * len(crystal)
    np.testing.assert_allclose(distances_A, OPTIONS["length_A"], atol=1e-3)
