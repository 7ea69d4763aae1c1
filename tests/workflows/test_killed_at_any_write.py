"""A worker that dies between two writes to the database, again and again: nothing is lost or done twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lives import KILLED, life

from alflow.results import read_validations
from alflow.store import Store
from workflows.active_learning.schema import ActiveLearning
from workflows.submission import submit

SCRIPTS = Path(__file__).resolve().parents[2] / "examples" / "scripts"
HOT = {"name": "hot", "structure": "fcc", "temperature_K": 1500, "steps": 80, "timestep_fs": 2.0}
HOT |= {"trajectory_every_ps": 0.006, "trajectory_velocities": True}
FCC = {"element": "Cu", "crystal": "fcc", "a_A": 3.61, "cubic": True, "repeat": [2, 2, 2]}
SUPERCELL = {"name": "fcc", "build": FCC}
EXPLORERS: dict[str, dict[str, Any]] = {
    "md": HOT,
    "relax": {"name": "rest", "kind": "relax", "structures": ["fcc"]},
    "neb": {
        "name": "hop",
        "kind": "neb",
        "vacancy": {"structure": "fcc"},
        "images": 1,
        "steps": 20,
        "max_force_eV_A": 0.2,
    },
    "script": {
        "name": "hmc",
        "kind": "script",
        "structure": "fcc",
        "function": "hybrid_monte_carlo:sample",
        "allow": ["hybrid_monte_carlo"],
        "parameters": {"temperature_K": 600, "moves": 6, "steps": 5, "timestep_fs": 5.0},
        "trajectory_every": 2,
    },
}


@pytest.mark.parametrize(("kind", "seed"), [("md", 1), ("md", 3), ("relax", 1), ("neb", 1), ("script", 1)])
def test_killed_again_and_again(
    stage: Any,
    undisturbed: Any,
    make_campaign: Callable[..., ActiveLearning],
    labels_in_process: list[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    seed: int,
) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    sections: dict[str, Any] = {"explorers": [EXPLORERS[kind]], "initial": {"count": 2}}
    sections["validation"] = {"labels": 6}
    if kind == "neb":
        sections["structures"] = [SUPERCELL]
    campaign = make_campaign(**sections)
    submit(stage.store, stage.launchpad, campaign)
    submit(undisturbed.store, undisturbed.launchpad, campaign)
    moments = random.Random(seed)
    assert life(undisturbed, "cu") == 0
    exits = []
    while stage.store.campaigns.get("cu")["state"] == "running":
        exits.append(life(stage, "cu", int(moments.expovariate(1 / 30))))
        assert len(exits) < 400
    end = stage.store.campaigns.get("cu")
    assert exits.count(KILLED) > 3
    assert end["state"] == "finished", end["reason"]
    labels = stage.store.labels.find("cu")
    assert _story(stage.store) == _story(undisturbed.store)
    if kind == "md":
        steps = [frame.info["step"] for frame in stage.store.explorers.trajectory("cu", 0)]
        assert steps == list(range(0, 81, 3))
    newest = stage.store.potentials.latest("cu")
    assert set(stage.store.potentials.label_ids(newest)) == set(stage.store.labels.to_train_on("cu"))
    asked = Counter(label["configuration"] for label in labels)
    assert set(asked.values()) == {1}
    strays = stage.launchpad.fireworks.count_documents(
        {
            "fw_id": {"$nin": [n for w in stage.launchpad.workflows.find() for n in w["nodes"]]},
            "state": "READY",
        }
    )
    assert strays == 0


def _story(store: Store) -> list[Any]:
    """What happened in the campaign, as far as it must not depend on who died when."""
    rounds = [
        (event["round"], event["grades"], len(event["labels"]))
        for event in store.events.find("cu", "selected")
    ]
    energies = [(label["state"], label.get("energy_eV")) for label in store.labels.find("cu")]
    runs = [(run["state"], run["step"], run["results"]) for run in store.explorers.all("cu")]
    potentials = [store.potentials.content("cu", p["version"]) for p in store.potentials.history("cu")]
    frames = [
        (frame, frame.arrays.get("momenta", frame.positions).tolist(), frame.info)
        for frame in store.explorers.trajectory("cu", 0)
    ]
    errors = [(record.round, record.errors.as_dict()) for record in read_validations(store, "cu")]
    return [rounds, energies, runs, potentials, frames, errors]
