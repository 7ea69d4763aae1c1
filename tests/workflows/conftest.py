from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fireworks import LaunchPad
from pymongo.database import Database

from alflow.campaign.file import parse_campaign
from alflow.store import Store
from qm_interfaces import QMResult, get_interface
from qm_interfaces.relaxation import RelaxationSettings
from qm_interfaces.relaxation_driver import relax
from workflows.active_learning.schema import ActiveLearning
from workflows.launchpad import open_launchpad
from workflows.local import ROLES, work

CAMPAIGN: dict[str, Any] = {
    "name": "cu",
    "species": ["Cu"],
    "structures": [{"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61, "cubic": True}}],
    "potential": {"level": 4, "cutoff_A": 4.0, "radial_basis_size": 4},
    "explorers": [
        {"name": "cold", "structure": "fcc", "temperature_K": 300, "steps": 60, "timestep_fs": 2.0},
        {"name": "hot", "structure": "fcc", "temperature_K": 1500, "steps": 200, "timestep_fs": 2.0},
    ],
    "selection": {"labels_per_round": 3},
    "qm": {"interface": "mock", "retries": 1},
    "fit": {"max_iterations": 20},
    "initial": {"count": 3},
    "validation": {"labels": 0},
    "stop": {"max_rounds": 40},
}


@pytest.fixture
def make_campaign() -> Callable[..., ActiveLearning]:
    """The small campaign with some sections changed."""

    def make(**sections: Any) -> ActiveLearning:
        data = copy.deepcopy(CAMPAIGN)
        for key, value in sections.items():
            data[key] = data[key] | value if isinstance(value, dict) else value
        return parse_campaign(data)

    return make


@dataclass
class Stage:
    """An empty database with a LaunchPad, and a way to work on it in this process."""

    launchpad: LaunchPad
    store: Store
    uri: str
    name: str

    def work(self, campaign: str = "cu", limit: int = 500) -> dict[str, Any]:
        """Run fireworks until the campaign ends; its document."""
        turns = iter(range(limit))

        def keep_going() -> bool:
            next(turns)
            return self.store.campaigns.get(campaign)["state"] == "running"

        work(self.launchpad, ROLES, keep_going=keep_going)
        return self.store.campaigns.get(campaign)


@pytest.fixture
def stage(
    database: Database[dict[str, Any]], database_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    monkeypatch.chdir(tmp_path)
    launchpad = open_launchpad(database_uri, database.name)
    yield Stage(launchpad, Store(database), database_uri, database.name)
    launchpad.connection.close()


@pytest.fixture
def undisturbed(stage: Stage) -> Iterator[Stage]:
    """A second stage, to compare with."""
    launchpad = open_launchpad(stage.uri, f"{stage.name}_undisturbed")
    yield Stage(launchpad, Store(launchpad.db), stage.uri, launchpad.name)
    launchpad.connection.drop_database(launchpad.name)
    launchpad.connection.close()


@pytest.fixture
def labels_in_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Compute labels without a process for each; the list of directories says how often that was done."""
    computed: list[str] = []

    def run_label(
        interface: str, options: dict, atoms: Any, directory: Path, *, attempt: int, **limits: Any
    ) -> QMResult:
        computed.append(Path(directory).name)
        return get_interface(interface, **options).compute(atoms, directory, attempt=attempt)

    def run_relaxation(
        interface: str,
        options: dict,
        atoms: Any,
        directory: Path,
        *,
        attempt: int,
        timeout_s: float,
        memory_limit_GB: float | None,
        **goal: Any,
    ) -> QMResult:
        computed.append(Path(directory).name)
        settings = RelaxationSettings(**goal)
        return relax(get_interface(interface, **options), atoms, directory, settings, attempt=attempt)

    monkeypatch.setattr("workflows.tasks.label.run_label", run_label)
    monkeypatch.setattr("workflows.tasks.label.run_relaxation", run_relaxation)
    return computed
