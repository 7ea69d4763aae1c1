from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from pymongo.database import Database

from alflow.campaign.file import parse_campaign
from workflows.active_learning.schema import ActiveLearning
from alflow.errors import InputError
from alflow.potentials import evaluate
from alflow.potentials.mtp import MomentTensorPotential, mtp_from_text, mtp_to_text
from alflow.report import build_report, gather
from alflow.store import Store

LEVEL = {"code": "mock", "calculator": "emt"}


def potential(seed: int) -> MomentTensorPotential:
    return MomentTensorPotential.random(["Cu"], 4, 4.0, seed=seed)


def copper(seed: int) -> Atoms:
    atoms = bulk("Cu", a=3.6, cubic=True)
    atoms.rattle(0.05, seed=seed)
    return atoms


def add_label(store: Store, seed: int, round_: int, *, fails: bool = False, **source: Any) -> Any:
    atoms = copper(seed)
    configuration = store.configurations.add(atoms, {"campaign": "cu", "round": round_, **source})
    label = store.labels.request(configuration, LEVEL, campaign="cu", round_=round_, number=seed)
    claimed = store.labels.claim(label)
    assert claimed is not None
    token = claimed["lease"]["token"]
    if fails:
        store.labels.fail(label, token, "did not converge")
    else:
        store.labels.finish(
            label, token, energy_eV=float(seed), forces_eV_A=np.full((4, 3), 0.5), stress_eV_A3=None,
            rejections=[], code="mock", code_version="1", wall_time_s=2.0,
        )  # fmt: skip
    return label


def add_potential(store: Store, version: int, round_: int, labels: list[Any]) -> None:
    errors = {"energy_rmse_eV_per_atom": 0.1 / version, "force_rmse_eV_A": 0.2 / version}
    store.potentials.add(
        "cu", version, mtp=mtp_to_text(potential(version)), active_set=b"", labels=labels, errors=errors,
        round=round_, loss=1.0, seconds=3.0,
    )  # fmt: skip


@pytest.fixture
def store(database: Database[dict[str, Any]]) -> Store:
    """A campaign after two rounds: two first labels, then one that failed and one that succeeded."""
    store = Store(database)
    campaign: ActiveLearning = parse_campaign(
        {
            "name": "cu",
            "species": ["Cu"],
            "structures": [{"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61}}],
            "potential": {"level": 4, "cutoff_A": 4.0},
            "explorers": [{"name": "md", "structure": "fcc", "temperature_K": 300, "steps": 100}],
            "qm": {"interface": "mock"},
        }
    )
    store.campaigns.create(campaign)
    store.explorers.create("cu", [(run, copper(0)) for run in campaign.trajectories()])
    first = [add_label(store, seed, 0, kind="initial") for seed in (1, 2)]
    add_potential(store, 1, 0, first)
    run = store.explorers.claim("cu", 0, 1)
    assert run is not None
    history = {"step": np.arange(41), "extrapolation_grade": np.linspace(0.5, 11, 41)}
    history |= {name: np.full(41, 1.0) for name in ("temperature_K", "energy_eV", "volume_A3")}
    store.explorers.save_progress(run, 1, checkpoint={}, step=40, candidates=[], history=history)
    store.explorers.complete(run, 1, "paused", "γ = 11 above γ_break = 10")
    found = {"explorer": "md", "step": 40, "extrapolation_grade": 11.0}
    add_label(store, 3, 1, fails=True, **found)
    second = add_label(store, 4, 1, **found)
    add_potential(store, 2, 1, [*first, second])
    store.campaigns.add_cpu_seconds("cu", 60.0)
    return store


def test_labels_remember_where_they_came_from(store: Store) -> None:
    data = gather(store, "cu")
    assert [(label.round, label.state, label.step) for label in data.labels] == [
        (0, "done", None),
        (0, "done", None),
        (1, "failed", 40),
        (1, "done", 40),
    ]
    assert data.labels[3].explorer == "md"
    assert data.labels[3].grade == 11.0
    assert data.label_problems == [("failed", "did not converge", 1)]
    assert data.levels == [LEVEL]
    assert data.qm_calls == 4


def test_new_labels_are_predicted_by_the_potential_before_them(store: Store) -> None:
    data = gather(store, "cu")
    before, after = data.versions
    old = mtp_from_text(store.potentials.mtp("cu", 1), ["Cu"], "")
    predicted = evaluate(old, [copper(4)])
    np.testing.assert_allclose(before.unseen.predicted_energies, predicted.energy / 4)
    np.testing.assert_allclose(before.unseen.energies, [1.0])
    np.testing.assert_allclose(before.unseen.predicted_forces, predicted.forces.ravel())
    assert after.unseen.energies.size == 0
    new = evaluate(mtp_from_text(store.potentials.mtp("cu", 2), ["Cu"], ""), [copper(s) for s in (1, 2, 4)])
    np.testing.assert_allclose(data.trained.predicted_energies, new.energy / 4)


def test_runs_and_cost(store: Store) -> None:
    data = gather(store, "cu")
    (run,) = data.runs
    assert (run.atoms, run.step, run.steps, run.state) == (4, 40, 100, "paused")
    assert run.simulated_ps == pytest.approx(0.04)
    assert run.history["extrapolation_grade"].max() == 11
    assert data.cost_s == {"explore": 60 - 6 - 6, "label": 6, "train": 6}


def test_the_page_can_be_made_of_it(store: Store, tmp_path: Path) -> None:
    text = build_report(gather(store, "cu"), tmp_path / "report.html").read_text()
    assert "γ = 11 above γ_break = 10" in text
    assert "did not converge" in text


def test_an_unknown_campaign_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="'ag' is not in this database; it has: cu"):
        gather(store, "ag")
