"""Campaigns in which every failure of a QM code is planted: exact ends, and not one wrong label learned."""

from __future__ import annotations

import runpy
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from pymongo.database import Database

sys.path.append(str(Path(__file__).resolve().parents[1] / "qm_interfaces"))
from test_gaussian import OPTIONS, g16
from test_vasp import FAKE, settings, worker

from alflow.campaign.file import parse_campaign
from alflow.states import LabelState
from alflow.store import Store
from qm_interfaces import QMResult, get_interface
from workflows.launchpad import open_launchpad
from workflows.local import ROLES, work
from workflows.submission import submit

__all__ = ["g16", "worker"]  # fixtures

pytestmark = pytest.mark.slow
TIMES = 2  # each mode
HANG_LIMIT_S = "2"

VASP_ENDS = {
    "right": LabelState.DONE,
    "zbrent": LabelState.DONE,  # about moving atoms: nothing moves
    "truncated-xml": LabelState.DONE,
    "edddav": LabelState.DONE,
    "unconverged-once": LabelState.DONE,
    "symmetry": LabelState.DONE,
    "shift": LabelState.DONE,
    "unconverged": LabelState.FAILED,
    "edddav-always": LabelState.FAILED,
    "crash": LabelState.FAILED,
    "silent": LabelState.FAILED,
    "truncated": LabelState.FAILED,
    "hang": LabelState.FAILED,
    "wrong-order": LabelState.REJECTED,
    "edit-incar": LabelState.REJECTED,
    "symmetry-always": LabelState.REJECTED,
}
GAUSSIAN_ENDS = {
    "right": LabelState.DONE,
    "unconverged-once": LabelState.DONE,
    "unconverged": LabelState.FAILED,
    "crash": LabelState.FAILED,
    "nothing": LabelState.FAILED,
    "truncated": LabelState.FAILED,
    "reordered": LabelState.REJECTED,
}


class Stage:
    """A database with a LaunchPad, and labels in this process: to start one takes longer than a stand-in."""

    def __init__(self, database: Database[dict[str, Any]], uri: str, patch: pytest.MonkeyPatch) -> None:
        self.store = Store(database)
        self.launchpad = open_launchpad(uri, database.name)
        self.patch = patch
        self.modes: dict[str, str] = {}  # of each label, in the order in which they were computed

    def run(self, start: Atoms, qm: dict[str, Any], variable: str, ends: dict[str, str]) -> None:
        """Run a campaign whose n-th label meets the n-th planted mode, said by the environment `variable`."""
        plan = [mode for mode in ends for _ in range(TIMES)]

        def run_label(
            interface: str, options: dict, atoms: Atoms, directory: Path, *, attempt: int, **limits: Any
        ) -> QMResult:
            new = plan[len(self.modes)] if len(self.modes) < len(plan) else "right"
            mode = self.modes.setdefault(directory.name, new)
            self.patch.setenv(variable, mode)
            self.patch.setenv("ALFLOW_VASP_WALLTIME_S", HANG_LIMIT_S if mode == "hang" else "600")
            directory.mkdir(parents=True, exist_ok=True)
            return get_interface(interface, **options).compute(atoms, directory, attempt=attempt)

        self.patch.setattr("workflows.tasks.label.run_label", run_label)
        start.write("start.extxyz")
        campaign = {
            "name": "c",
            "species": sorted(set(start.symbols)),
            "structures": [{"name": "start", "file": str(Path("start.extxyz").resolve())}],
            "potential": {"level": 2, "cutoff_A": 4.0, "radial_basis_size": 4},
            "explorers": [{"name": "md", "structure": "start", "temperature_K": 100, "steps": 5}],
            "qm": qm,
            "fit": {"max_iterations": 10},
            "initial": {"count": len(plan)},
        }
        submit(self.store, self.launchpad, parse_campaign(campaign))
        work(self.launchpad, ROLES, keep_going=lambda: self.store.campaigns.get("c")["state"] == "running")

    def check_ends(self, ends: dict[str, str]) -> None:
        campaign, labels = self.store.campaigns.get("c"), self.store.labels.find("c")
        assert campaign["state"] == "finished", campaign["reason"]
        found = [(self.modes[f"label-{label['_id']}"], label["state"], label["reason"]) for label in labels]
        assert [entry for entry in found if entry[1] != ends[entry[0]]] == []
        counts = Counter(mode for mode, _, _ in found)
        assert all(counts[mode] == TIMES for mode in ends if mode != "right")
        assert all((label["reason"] is None) == (label["state"] == LabelState.DONE) for label in labels)

    def check_training_set(self, truth: Callable[[Atoms], tuple[float, np.ndarray]]) -> None:
        """All labels that are done were learned, and each has the energy and forces that are true."""
        latest = self.store.potentials.latest("c")
        assert latest is not None
        trained = self.store.potentials.label_ids(latest)
        assert set(trained) == {label["_id"] for label in self.store.labels.find("c", state=LabelState.DONE)}
        for atoms in self.store.labels.structures(trained):
            energy_eV, forces_eV_A = truth(atoms.copy())
            assert atoms.get_potential_energy() == pytest.approx(energy_eV, abs=1e-5)
            np.testing.assert_allclose(atoms.get_forces(), forces_eV_A, atol=1e-5)


@pytest.fixture
def stage(
    database: Database[dict[str, Any]], database_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Stage:
    monkeypatch.chdir(tmp_path)
    return Stage(database, database_uri, monkeypatch)


def test_vasp(stage: Stage) -> None:
    start = bulk("Al", cubic=True, a=4.0)
    start.symbols[1] = "Ni"
    qm = {"interface": "vasp", "options": settings(), "retries": 0}
    stage.run(start, qm, "FAKE_VASP", VASP_ENDS)
    stage.check_ends(VASP_ENDS)
    level_energy_eV = runpy.run_path(str(FAKE / "vasp_std"))["level_energy_eV"]
    incar = {"ENCUT": "400", "ISMEAR": "1", "SIGMA": "0.2"}
    of_level_eV = level_energy_eV(incar, ["", "", "Monkhorst-Pack", "4 4 4"])

    def truth(atoms: Atoms) -> tuple[float, np.ndarray]:
        atoms.calc = EMT()
        return atoms.get_potential_energy() + of_level_eV * len(atoms), atoms.get_forces()

    stage.check_training_set(truth)


def test_gaussian(stage: Stage, g16: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyscf", reason="the fake g16 computes with PySCF: pip install 'alflow[pyscf]'")
    start = molecule("H2O", vacuum=5.0)
    qm = {"interface": "gaussian", "options": OPTIONS, "retries": 1}
    stage.run(start, qm, "FAKE_G16", GAUSSIAN_ENDS)
    stage.check_ends(GAUSSIAN_ENDS)

    def truth(atoms: Atoms) -> tuple[float, np.ndarray]:
        result = get_interface("pyscf", **OPTIONS).compute(atoms, tmp_path)
        return result.energy_eV, result.forces_eV_A

    stage.check_training_set(truth)
