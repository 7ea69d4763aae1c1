from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from bson import ObjectId
from pymongo.database import Database

from alflow.campaign.file import parse_campaign
from alflow.errors import InputError
from alflow.explorers import EXPLORERS
from alflow.potentials import evaluate
from alflow.potentials.mtp import MomentTensorPotential
from alflow.report import build_report
from alflow.results import Cost
from alflow.selection import ActiveSet
from alflow.states import LabelKind, Role, RunState
from alflow.store import Store
from alflow.structures.starting import starting_structures
from workflows.active_learning.overview import Explorers, overview
from workflows.active_learning.page import page, thinned_frames
from workflows.active_learning.schema import ActiveLearning

LEVEL = {"code": "mock", "calculator": "emt"}
CAMPAIGN = {
    "name": "cu",
    "species": ["Cu"],
    "structures": [{"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61, "cubic": True}}],
    "potential": {"level": 4, "cutoff_A": 4.0},
    "explorers": [{"name": "md", "structure": "fcc", "temperature_K": 300, "steps": 100}],
    "qm": {"interface": "mock"},
}


def potential(seed: int) -> MomentTensorPotential:
    return MomentTensorPotential.random(["Cu"], 4, 4.0, seed=seed)


def copper(seed: int) -> Atoms:
    atoms = bulk("Cu", a=3.6, cubic=True)
    atoms.rattle(0.05, seed=seed)
    return atoms


def add_label(store: Store, seed: int, round_: int, *, fails: bool = False, **source: Any) -> ObjectId:
    configuration = store.configurations.add(copper(seed), {"campaign": "cu", "round": round_, **source})
    kind = LabelKind.EXTRAPOLATIVE if round_ else LabelKind.INITIAL
    label = store.labels.request(configuration, LEVEL, campaign="cu", round_=round_, number=seed, kind=kind)
    claimed = store.labels.claim(label)
    assert claimed is not None
    token = claimed["lease"]["token"]
    if fails:
        store.labels.fail(label, token, "did not converge")
    else:
        store.labels.finish(
            label, token, energy_eV=float(seed), forces_eV_A=np.full((4, 3), 0.5), stress_eV_A3=None,
            rejections=[], code="mock", code_version="1", wall_time_s=2.0, processor_s=3.0,
        )  # fmt: skip
    return label


def add_potential(store: Store, version: int, round_: int, labels: list[ObjectId]) -> None:
    errors = {"energy_rmse_eV_per_atom": 0.1 / version, "force_rmse_eV_A": 0.2 / version}
    active_set = ActiveSet.from_structures(potential(version), [copper(1)]).to_bytes()
    store.potentials.add(
        "cu", version, kind="mtp", content=potential(version).to_bytes(), active_set=active_set,
        labels=labels, errors=errors, round=round_, stage=0, loss=1.0, seconds=3.0,
    )  # fmt: skip


def add_event(store: Store, round_: int, labels: list[ObjectId], grades: list[float]) -> None:
    facts = {"candidates": 5, "labels": labels, "grades": grades}
    store.events.add("cu", f"selected-{round_}", "selected", round_, **facts)


@pytest.fixture
def store(database: Database[dict[str, Any]]) -> Store:
    """A campaign after two rounds: two first labels, then one that failed and one that succeeded."""
    store = Store(database)
    campaign = parse_campaign(CAMPAIGN)
    assert isinstance(campaign, ActiveLearning)
    store.campaigns.create(campaign)
    starts = starting_structures(campaign.structures, campaign.species)
    runs = EXPLORERS.get("md").runs(campaign.explorers[0], starts, campaign.species)
    store.explorers.create("cu", [("md", run) for run in runs])
    first = [add_label(store, seed, 0, kind="initial") for seed in (1, 2)]
    add_event(store, 0, first, [])
    add_potential(store, 1, 0, first)
    run = store.explorers.claim("cu", 0, 1)
    assert run is not None
    history = {"step": np.arange(41), "extrapolation_grade": np.linspace(0.5, 11, 41)}
    history |= {name: np.linspace(1.0, 2.0, 41) for name in ("temperature_K", "energy_eV", "volume_A3")}
    store.explorers.save_progress(run, 1, checkpoint={}, step=40, candidates=[], history=history)
    store.explorers.complete(
        run, 1, RunState.PAUSED, "γ = 11 above γ_break = 10", version=1, results={"barrier_eV": 0.69}
    )
    found = {"explorer": "md", "step": 40, "extrapolation_grade": 11.0}
    failed = add_label(store, 3, 1, fails=True, **found)
    second = add_label(store, 4, 1, **found)
    add_event(store, 1, [failed, second], [2.2, 11.0])
    add_potential(store, 2, 1, [*first, second])
    store.campaigns.advance("cu", 0)
    store.campaigns.add_cost("cu", Role.LABEL, Cost(9.0, 6.0, 20.0))
    store.campaigns.add_cost("cu", Role.EXPLORE, Cost(27.0, 30.0, 0.0))
    return store


def test_labels_remember_where_they_came_from(store: Store) -> None:
    campaign = page(store, "cu").common.campaign
    assert [(label.round, label.kind, label.state, label.step) for label in campaign.labels] == [
        (0, "initial", "done", None),
        (0, "initial", "done", None),
        (1, "extrapolative", "failed", 40),
        (1, "extrapolative", "done", 40),
    ]
    last = campaign.labels[3]
    assert (last.explorer, last.grade, last.wall_time_s, last.processor_s) == ("md", 11.0, 2.0, 3.0)
    assert campaign.label_problems == [("failed", "did not converge", 1)]
    assert campaign.levels == [LEVEL]
    assert campaign.software["mock"] == "1"
    assert campaign.qm_calls == 4


def test_a_structure_that_another_campaign_met_first_has_no_run_here(store: Store) -> None:
    configuration = store.configurations.add(copper(7), {"campaign": "ag", "explorer": "md", "step": 3})
    store.labels.request(
        configuration, LEVEL, campaign="cu", round_=2, number=1, kind=LabelKind.EXTRAPOLATIVE
    )
    assert page(store, "cu").common.campaign.labels[-1].explorer is None


def test_new_labels_are_predicted_by_the_potential_before_them(store: Store) -> None:
    common = page(store, "cu").common
    before, after = common.versions
    predicted = evaluate(potential(1), [copper(4)])
    np.testing.assert_allclose(before.unseen.predicted_energies, predicted.energy / 4)
    np.testing.assert_allclose(before.unseen.energies, [1.0])
    assert predicted.forces is not None
    np.testing.assert_allclose(before.unseen.predicted_forces, predicted.forces.ravel())
    assert after.unseen.energies.size == 0
    newest = evaluate(potential(2), [copper(seed) for seed in (1, 2, 4)])
    np.testing.assert_allclose(common.trained.predicted_energies, newest.energy / 4)


def test_a_run_knows_its_progress_and_what_it_aims_at(store: Store) -> None:
    (run,) = page(store, "cu").runs
    assert (run.name, run.kind, run.state, run.step, run.length) == ("md", "md", "paused", 40, 100)
    assert (run.progress, run.whole, run.unit) == pytest.approx((0.04, 0.1, "ps"))
    np.testing.assert_allclose(run.along, np.arange(41) / 1000)
    assert run.grades.max() == 11
    temperature, energy, volume = run.quantities
    assert (temperature.targets, energy.targets) == ((300, 300), None)
    np.testing.assert_allclose(temperature.values, np.linspace(1, 2, 41))
    np.testing.assert_allclose(energy.values, np.linspace(1, 2, 41) / 4)
    assert volume.label == "volume (Å³ per atom)"


def test_the_page_can_be_made_of_it(store: Store, tmp_path: Path) -> None:
    found = page(store, "cu")
    text = build_report(found, tmp_path / "report.html").read_text()
    for words in ("γ = 11 above γ_break = 10", "did not converge", "barrier 0.69 eV", "0.0400 of 0.100 ps"):
        assert words in text
    assert found.summary()["cost"]["label"] == {"processor_s": 9.0, "wall_s": 6.0, "waiting_s": 20.0}
    assert found.headline == "cu, running, round 1, 4 QM calls"
    assert found.common.methods is not None
    for words in (
        "a moment tensor potential [1] (level 4, cutoff 4 Å",
        "at 300 K (time step 1 fs, friction 0.01",
    ):
        assert words in found.common.methods.text and words in text
    assert found.common.methods.text.endswith("eV/Å.")  # no validation
    assert [curve.elements for curve in found.common.dimers] == [("Cu", "Cu")]


def test_where_the_campaign_stands(store: Store) -> None:
    found = overview(store, store.campaigns.get("cu"))
    assert (found.kind, found.state, found.waits_for) == ("active-learning", "running", "training")
    assert found.processor_hours == pytest.approx(0.01)
    assert isinstance(found.part, Explorers)
    explorers, rounds, _ = found.tables()
    assert explorers.rows == [
        ["md", "paused", "0.04 of 0.1 ps", "barrier 0.69 eV; γ = 11 above γ_break = 10"]
    ]
    assert [list(row) for row in rounds.rows] == [
        [0, 5, None, 2, 2, pytest.approx(100), pytest.approx(0.2)],
        [1, 5, 11.0, 2, 1, pytest.approx(50), pytest.approx(0.1)],
    ]
    (run,) = found.as_dict()["explorers"]
    assert (run["step"], run["steps"], run["results"]) == (40, 100, {"barrier_eV": 0.69})
    assert found.as_dict()["labels"] == {"waiting": 0, "running": 0, "done": 3, "failed": 1, "rejected": 0}


def test_a_round_waits_for_the_runs_that_are_behind(store: Store) -> None:
    store.campaigns.advance("cu", 1)
    assert overview(store, store.campaigns.get("cu")).waits_for == "explorers md"


def test_a_long_trajectory_is_read_at_equal_intervals() -> None:
    frames = (Atoms("H", info={"step": step}) for step in range(1000))
    assert [frame.info["step"] for frame in thinned_frames(frames, most_atoms=4)] == list(range(0, 1000, 128))


def test_an_unknown_campaign_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="'ag' is not in this database; it has: cu"):
        page(store, "ag")
