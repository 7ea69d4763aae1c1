from __future__ import annotations

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
    pyscf_code,
    run_label,
    validate,
)

pyscf = pytest.importorskip("pyscf", reason="needs PySCF: pip install 'alflow[pyscf]'")
pytestmark = pytest.mark.real_qm

OPTIONS = {"method": "hf", "basis": "sto-3g"}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """As in a label process; tests run beside each other."""
    pyscf.lib.num_threads(1)


@pytest.fixture
def water() -> Atoms:
    atoms = molecule("H2O")
    atoms.rattle(0.05, seed=1)
    return atoms


@pytest.mark.parametrize(
    "changed", [{}, {"method": "pbe"}, {"method": "b3lyp", "charge": 1, "unpaired_electrons": 1}]
)
def test_forces_are_derivatives_of_the_energy(changed: dict[str, Any], water: Atoms, tmp_path: Path) -> None:
    options = OPTIONS | {"energy_tolerance_eV": 1e-9, "grid_level": 1} | changed
    interface = get_interface("pyscf", **options)
    found = interface.compute(water, tmp_path)
    step_A = 1e-3
    moved = []
    for sign in (1, -1):
        atoms = water.copy()
        atoms.positions[1, 1] += sign * step_A
        moved.append(interface.compute(atoms, tmp_path).energy_eV)
    slope = (moved[0] - moved[1]) / (2 * step_A)
    assert found.forces_eV_A[1, 1] == pytest.approx(-slope, abs=1e-4)
    np.testing.assert_allclose(found.forces_eV_A.sum(axis=0), 0, atol=1e-6)


def test_label_in_a_process_of_its_own(tmp_path: Path) -> None:
    hydrogen = Atoms("H2", [[0, 0, 0], [0, 0, 0.7122]])  # 1.3459 bohr, the minimum of HF/STO-3G
    result = run_label("pyscf", OPTIONS, hydrogen, tmp_path, timeout_s=60)
    assert result.energy_eV == pytest.approx(
        -1.11750589 * 27.211386, abs=1e-4
    )  # Szabo and Ostlund, table 3.11
    assert np.abs(result.forces_eV_A).max() < 0.02
    assert result.stress_eV_A3 is None
    assert validate(hydrogen, result, LabelLimits(min_distance_A=0.5)) == []
    assert (tmp_path / "pyscf.log").is_file()


def test_no_convergence_is_an_error_and_the_next_attempt_gets_more(water: Atoms, tmp_path: Path) -> None:
    interface = get_interface("pyscf", max_iterations=3, **OPTIONS)
    with pytest.raises(NotConverged, match="3 iterations"):
        interface.compute(water, tmp_path)
    interface.compute(water, tmp_path, attempt=3)


@pytest.mark.parametrize(("option", "value"), [("method", "nonsense"), ("basis", "nonsense")])
def test_what_pyscf_lacks(option: str, value: str, water: Atoms, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"'{option}' is 'nonsense'"):
        get_interface("pyscf", **(OPTIONS | {option: value})).compute(water, tmp_path)


def test_structures_that_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(CodeFailed, match="periodic"):
        get_interface("pyscf", **OPTIONS).compute(bulk("Al"), tmp_path)
    with pytest.raises(CodeFailed, match="1 cannot be unpaired"):
        get_interface("pyscf", unpaired_electrons=1, **OPTIONS).compute(molecule("H2O"), tmp_path)


def test_without_pyscf(water: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise pyscf_code.PackageNotFoundError(name)

    monkeypatch.setattr(pyscf_code, "version", missing)
    with pytest.raises(CodeMissing, match="pip install"):
        get_interface("pyscf", **OPTIONS).compute(water, tmp_path)


def test_level_of_theory() -> None:
    def level(**changed: Any) -> dict[str, Any]:
        return get_interface("pyscf", **(OPTIONS | changed)).level_of_theory()

    assert level(max_iterations=7) == level() == level(grid_level=5)
    assert level(method="pbe") != level(method="pbe", grid_level=5)
