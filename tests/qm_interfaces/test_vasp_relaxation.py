"""VASP relaxes by itself; the static run at the end has the level of theory asked for and decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.io import read
from ase.optimize import LBFGS
from test_vasp import Meddler, alloy, broken, settings, worker

from qm_interfaces import (
    CodeFailed,
    LabelLimits,
    LevelChanged,
    NotConverged,
    TimedOut,
    get_interface,
    validate,
)
from qm_interfaces.relaxation import RelaxationSettings
from qm_interfaces.relaxation_driver import relax
from qm_interfaces.vasp_level import VaspInputs

__all__ = ["alloy", "broken", "worker"]  # fixtures

REACH = RelaxationSettings(fmax_eV_A=0.01, smax_eV_A3=2e-4, steps=100, pressure_GPa=2.0)


def test_atoms_and_cell_relax_in_the_order_given(alloy: Atoms, tmp_path: Path) -> None:
    result = relax(get_interface("vasp", **settings()), alloy, tmp_path, REACH)
    static = get_interface("vasp", **settings())
    relaxed = result.relaxed
    assert relaxed is not None and (relaxed.numbers == alloy.numbers).all()
    assert relaxed.cell.handedness == alloy.cell.handedness == -1
    assert validate(alloy, result, LabelLimits()) == []
    assert result.stress_eV_A3 is not None and REACH.reached(result.forces_eV_A, result.stress_eV_A3)

    folder = tmp_path / "vasp-1"
    turns = [read(folder / f"relax-{n}" / "vasprun.xml", index=":") for n in (1, 2)]
    assert not (folder / "relax-3").exists()
    assert result.details["evaluations"] == sum(map(len, turns)) + 2
    first = VaspInputs.read(folder / "relax-1").incar()
    assert first.items() >= {"NSW": 100, "IBRION": 2, "ISIF": 3, "EDIFFG": -0.01, "PSTRESS": 20}.items()
    assert "NSW" not in static.level_of_theory()["incar"]
    assert VaspInputs.read(folder / "static-2").incar()["NSW"] == 0

    alloy.calc = EMT()
    moving = FrechetCellFilter(alloy, scalar_pressure=REACH.pressure_GPa * units.GPa)
    LBFGS(moving, logfile=None).run(fmax=1e-3)
    assert relaxed.cell.volume == pytest.approx(alloy.cell.volume, rel=2e-3)
    relaxed.calc = EMT()
    np.testing.assert_allclose(result.forces_eV_A, relaxed.get_forces(), atol=1e-6)
    assert relaxed.get_potential_energy() == pytest.approx(alloy.get_potential_energy(), abs=5e-3)


def test_a_line_search_that_breaks_off_goes_on(
    alloy: Atoms, tmp_path: Path, broken: Callable[[str], None]
) -> None:
    broken("zbrent")
    result = relax(get_interface("vasp", **settings()), alloy, tmp_path, REACH)
    assert ["zbrent"] in [correction["errors"] for correction in result.details["corrections"]]
    assert VaspInputs.read(tmp_path / "vasp-1" / "relax-1").incar()["EDIFF"] < 1e-6
    assert VaspInputs.read(tmp_path / "vasp-1" / "static-1").incar()["EDIFF"] == 1e-6
    assert validate(alloy, result, LabelLimits()) == []


def test_too_few_steps(alloy: Atoms, tmp_path: Path) -> None:
    few = RelaxationSettings(fmax_eV_A=0.01, smax_eV_A3=2e-4, steps=3)
    with pytest.raises(NotConverged, match="within 3 steps"):
        relax(get_interface("vasp", **settings()), alloy, tmp_path, few)


def test_a_correction_of_the_level_on_the_way_does_no_harm(
    alloy: Atoms, tmp_path: Path, broken: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse: list[dict[str, Any]] = [{"dict": "INCAR", "action": {"_set": {"ENCUT": 250}}}]
    monkeypatch.setattr("qm_interfaces.vasp_run.handlers", lambda moving: [Meddler(coarse)] if moving else [])
    broken("planted")
    interface = get_interface("vasp", **settings())
    result = relax(interface, alloy, tmp_path, REACH)
    assert result.details["corrections"][0] == {"errors": ["planted"], "actions": coarse}
    assert result.relaxed is not None
    broken("right")
    label = interface.compute(result.relaxed, tmp_path / "label")
    assert result.energy_eV == pytest.approx(label.energy_eV, abs=1e-7)


@pytest.mark.parametrize(
    ("mode", "error", "reason"),
    [
        ("crash", CodeFailed, "exit code 174"),
        ("edit-incar", LevelChanged, "ENCUT is 300 instead of 400"),
        ("truncated", CodeFailed, "is broken"),
        ("wrong-order", CodeFailed, "order of the species"),
    ],
)
def test_failures_have_their_reason(
    alloy: Atoms,
    tmp_path: Path,
    broken: Callable[[str], None],
    mode: str,
    error: type[Exception],
    reason: str,
) -> None:
    broken(mode)
    with pytest.raises(error, match=reason):
        relax(get_interface("vasp", **settings()), alloy, tmp_path, REACH)


def test_a_hang_ends_at_the_wall_time_of_the_worker(
    alloy: Atoms, tmp_path: Path, broken: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken("hang")
    monkeypatch.setenv("ALFLOW_VASP_WALLTIME_S", "0.5")
    with pytest.raises(TimedOut):
        relax(get_interface("vasp", **settings()), alloy, tmp_path, REACH)
