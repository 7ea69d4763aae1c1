"""Relaxations end where ASE's own do, in the order of the atoms given, or say why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.cluster import Octahedron
from ase.filters import FrechetCellFilter
from ase.optimize import LBFGS

from alflow.potentials import FitSettings, PotentialCalculator
from alflow.potentials.mtp import fit, write_mtp
from alflow.potentials.mtp.settings import MTPSettings
from qm_interfaces import (
    CodeFailed,
    LabelLimits,
    NotConverged,
    QMError,
    QMResult,
    SettingsError,
    TimedOut,
    get_interface,
    relaxation_level,
    run_relaxation,
    validate,
)
from qm_interfaces.relaxation import RelaxationSettings
from qm_interfaces.relaxation_driver import relax

REACH = {"fmax_eV_A": 1e-3, "smax_eV_A3": 1e-5}


@pytest.fixture
def alloy() -> Atoms:
    """Species unsorted, cell skewed and too large."""
    atoms = bulk("Cu", cubic=True, a=3.75)
    atoms.symbols[1] = "Pd"
    atoms.set_cell(atoms.cell.array @ [[1, 0.03, 0], [0, 1, 0.02], [0, 0, 1]], scale_atoms=True)
    atoms.rattle(0.05, seed=0)
    return atoms


def relaxed_by_ase(atoms: Atoms, pressure_GPa: float = 0.0, calculator: Calculator | None = None) -> Atoms:
    atoms = atoms.copy()
    atoms.calc = calculator or EMT()
    moving: Any = atoms
    if atoms.pbc.all():
        moving = FrechetCellFilter(atoms, scalar_pressure=pressure_GPa * units.GPa)
    LBFGS(moving, logfile=None).run(fmax=1e-4, steps=500)
    return atoms


def by_emt(atoms: Atoms, directory: Path, **settings: Any) -> QMResult:
    return relax(
        get_interface("mock"), atoms, directory, RelaxationSettings(**REACH | {"steps": 300} | settings)
    )


@pytest.mark.parametrize("pressure_GPa", [0.0, 8.0])
def test_a_crystal_relaxes_as_by_ase(alloy: Atoms, tmp_path: Path, pressure_GPa: float) -> None:
    result = by_emt(alloy, tmp_path, pressure_GPa=pressure_GPa)
    expected = relaxed_by_ase(alloy, pressure_GPa)
    relaxed = result.relaxed
    assert relaxed is not None and (relaxed.numbers == alloy.numbers).all()
    assert result.energy_eV == pytest.approx(expected.get_potential_energy(), abs=1e-4)
    assert relaxed.cell.volume == pytest.approx(expected.cell.volume, rel=2e-4)
    assert result.stress_eV_A3 is not None
    pressure_eV_A3 = pressure_GPa * units.GPa * np.array([1, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(result.stress_eV_A3, -pressure_eV_A3, atol=REACH["smax_eV_A3"])
    assert np.linalg.norm(result.forces_eV_A, axis=1).max() <= REACH["fmax_eV_A"]
    relaxed.calc = EMT()  # energy, forces and stress are those of the structure that comes with them
    assert result.energy_eV == pytest.approx(relaxed.get_potential_energy(), abs=1e-12)
    np.testing.assert_allclose(result.forces_eV_A, relaxed.get_forces(), atol=1e-12)
    assert validate(alloy, result, LabelLimits()) == []


@pytest.mark.parametrize("atoms", [Octahedron("Cu", 3), fcc111("Cu", (1, 1, 4), vacuum=6.0)])
def test_the_cell_stays_where_it_is_not_periodic(atoms: Atoms, tmp_path: Path) -> None:
    atoms.rattle(0.1, seed=1)
    result = by_emt(atoms, tmp_path, pressure_GPa=50.0)
    assert result.relaxed is not None
    np.testing.assert_array_equal(result.relaxed.cell.array, atoms.cell.array)
    assert result.energy_eV == pytest.approx(relaxed_by_ase(atoms).get_potential_energy(), abs=1e-4)


def test_in_a_process_of_its_own(alloy: Atoms, tmp_path: Path) -> None:
    result = run_relaxation("mock", {}, alloy, tmp_path / "a", steps=300, timeout_s=60, **REACH)
    here = by_emt(alloy, tmp_path)
    assert (result.energy_eV, result.details) == (here.energy_eV, here.details)
    assert 5 < result.details["evaluations"] < 300
    assert result.relaxed is not None and here.relaxed is not None
    np.testing.assert_array_equal(result.relaxed.positions, here.relaxed.positions)
    with pytest.raises(TimedOut):
        run_relaxation(
            "mock", {"hang_probability": 1.0}, alloy, tmp_path / "b", steps=9, timeout_s=3, **REACH
        )


def test_an_mtp_relaxes_as_by_ase(tmp_path: Path) -> None:
    structures = []
    for seed, a_A in enumerate(np.linspace(3.4, 3.9, 8)):
        atoms = bulk("Cu", cubic=True, a=a_A)
        atoms.rattle(0.1, seed=seed)
        atoms.calc = EMT()
        atoms.get_stress()
        structures.append(atoms)
    form = MTPSettings(level=4, cutoff_A=4.5)
    fitted = fit(structures, species=["Cu"], form=form, settings=FitSettings(max_iterations=20))
    write_mtp(tmp_path / "cu.mtp", fitted.potential)
    options = {
        "calculator": "alflow.potentials.calculator.PotentialCalculator",
        "parameters": {"potential": str(tmp_path / "cu.mtp"), "species": ["Cu"]},
        "allow": ["alflow.potentials"],
    }
    start = structures[1].copy()
    result = relax(get_interface("ase", **options), start, tmp_path, RelaxationSettings(**REACH, steps=300))
    expected = relaxed_by_ase(start, calculator=PotentialCalculator(fitted.potential, species=["Cu"]))
    assert result.energy_eV == pytest.approx(expected.get_potential_energy(), abs=1e-4)
    assert result.relaxed is not None
    assert result.relaxed.cell.volume == pytest.approx(expected.cell.volume, rel=2e-4)


def test_orbital_free_lithium_relaxes_to_its_lattice_constant(tmp_path: Path) -> None:
    pytest.importorskip("dftpy", reason="orbital-free DFT: pip install 'alflow[ofdft]'")
    settings = RelaxationSettings(fmax_eV_A=0.01, smax_eV_A3=5e-4, steps=30)
    start = bulk("Li", "bcc", a=3.6, cubic=True)
    result = relax(get_interface("orbital-free"), start, tmp_path, settings)
    assert result.relaxed is not None and result.stress_eV_A3 is not None
    assert np.abs(result.stress_eV_A3).max() <= 5e-4
    assert result.relaxed.cell.lengths() == pytest.approx(3.516, abs=0.02)  # docs/qm_codes.md


def test_too_few_steps(alloy: Atoms, tmp_path: Path) -> None:
    with pytest.raises(
        NotConverged, match=r"not relaxed within 3 steps: \S+ eV/Å \(0\.001 asked for\) and"
    ) as caught:
        by_emt(alloy, tmp_path, steps=3)
    assert caught.value.retryable


@pytest.mark.parametrize(("accident", "error"), [("fail", CodeFailed), ("unconverged", NotConverged)])
def test_a_failing_label_ends_it(alloy: Atoms, tmp_path: Path, accident: str, error: type[QMError]) -> None:
    mock = get_interface("mock", seed=1, **{f"{accident}_probability": 0.2})
    with pytest.raises(error, match="on purpose"):
        relax(mock, alloy, tmp_path, RelaxationSettings(**REACH, steps=300))


def test_a_code_without_stress_cannot_relax_a_cell(alloy: Atoms, tmp_path: Path) -> None:
    interface = get_interface("ase", calculator="ase.calculators.emt.EMT", stress=False)
    with pytest.raises(CodeFailed, match="gives no stress") as caught:
        relax(interface, alloy, tmp_path, RelaxationSettings(**REACH, steps=9))
    assert not caught.value.retryable


def test_relaxations_are_compared_with_what_they_relaxed_to(alloy: Atoms, tmp_path: Path) -> None:
    result = by_emt(alloy, tmp_path)
    assert result.relaxed is not None and result.computed is not None
    shuffled = alloy[::-1]
    assert validate(shuffled, result, LabelLimits()) == ["the code changed the order of the species"]
    result.computed.positions[0] += 0.1
    assert validate(alloy, result, LabelLimits()) == ["the code moved or reordered the atoms"]


def test_level_of_theory_of_a_relaxation() -> None:
    static = get_interface("mock").level_of_theory()
    level = relaxation_level(static, fmax_eV_A=1e-3, smax_eV_A3=1, pressure_GPa=2)
    reach = {"fmax_eV_A": 1e-3, "smax_eV_A3": 1.0, "pressure_GPa": 2.0}
    assert level == static | {"relaxation": reach}
    assert "relaxation" not in static


@pytest.mark.parametrize(
    ("changed", "name"),
    [({"fmax_eV_A": 0.0}, "fmax_eV_A"), ({"smax_eV_A3": None}, "smax_eV_A3"), ({"steps": 0}, "steps")],
)
def test_wrong_settings_are_named(alloy: Atoms, tmp_path: Path, changed: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        run_relaxation("mock", {}, alloy, tmp_path, timeout_s=60, **REACH | {"steps": 9} | changed)
