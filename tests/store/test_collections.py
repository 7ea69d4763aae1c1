from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from alflow.errors import InputError
from alflow.explorers import EXPLORERS, Run
from alflow.states import CampaignState, LabelKind, RunState
from alflow.store import Store
from alflow.store.configurations import configuration_hash
from workflows.active_learning.schema import ActiveLearning

LEVEL = {"code": "mock", "cutoff_eV": 300}


def runs_of(campaign: ActiveLearning, start: Atoms) -> list[tuple[str, Run]]:
    structures = {structure.name: start for structure in campaign.structures}
    return [
        (explorer.kind, run)
        for explorer in campaign.explorers
        for run in EXPLORERS.get(explorer.kind).runs(explorer, structures, campaign.species)
    ]


def ask(store: Store, atoms: Atoms, number: int = 1, campaign: str = "cu") -> ObjectId:
    configuration = store.configurations.add(atoms, {"kind": "test"})
    return store.labels.request(
        configuration, LEVEL, campaign=campaign, round_=0, number=number, kind=LabelKind.INITIAL
    )


def finish(store: Store, label: ObjectId, rejections: list[str] | None = None) -> bool:
    claimed = store.labels.claim(label)
    assert claimed is not None
    return store.labels.finish(
        label,
        claimed["lease"]["token"],
        energy_eV=-3.5,
        forces_eV_A=np.array([[0.1, 0.0, 1 / 3]]),
        stress_eV_A3=np.arange(6.0),
        rejections=rejections or [],
    )


def test_a_round_is_advanced_once(store: Store, campaign: ActiveLearning) -> None:
    assert store.campaigns.create(campaign)
    assert not store.campaigns.create(campaign)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda _: store.campaigns.advance("cu", 0, barren=0, quiet=0), range(8)))
    assert won.count(True) == 1
    assert store.campaigns.get("cu")["round"] == 1


def test_an_ended_campaign_stays_ended_until_reopened(store: Store, campaign: ActiveLearning) -> None:
    store.campaigns.create(campaign)
    assert store.campaigns.end("cu", CampaignState.FAILED, "no power")
    assert not store.campaigns.end("cu", CampaignState.FINISHED, "later")
    assert not store.campaigns.advance("cu", 0, barren=0, quiet=0)
    assert store.campaigns.get("cu")["reason"] == "no power"
    assert not store.campaigns.reopen("cu", CampaignState.STOPPED)
    assert store.campaigns.reopen("cu", CampaignState.STOPPED, CampaignState.FAILED)
    assert store.campaigns.get("cu")["state"] == "running"


def test_unknown_campaign_is_one_sentence(store: Store, campaign: ActiveLearning) -> None:
    store.campaigns.create(campaign)
    with pytest.raises(InputError, match="campaign 'nu' is not in this database; it has: cu"):
        store.campaigns.get("nu")


def test_the_same_structure_is_one_configuration(store: Store) -> None:
    atoms = bulk("Cu")
    moved = atoms.copy()
    moved.positions += 1e-9
    assert store.configurations.add(atoms, {}) == store.configurations.add(moved, {})
    assert configuration_hash(atoms) != configuration_hash(bulk("Cu", a=3.62))
    assert configuration_hash(atoms) != configuration_hash(
        bulk("Ag", "fcc", a=atoms.cell.cellpar()[0] * 2**0.5)
    )
    with pytest.raises(DuplicateKeyError):
        store.configurations.collection.insert_one({"hash": configuration_hash(atoms)})


def test_two_campaigns_share_a_label(store: Store) -> None:
    first, second = ask(store, bulk("Cu"), campaign="a"), ask(store, bulk("Cu"), number=4, campaign="b")
    assert first == second == ask(store, bulk("Cu"), number=9, campaign="b")
    finish(store, first)
    assert [label["number"] for label in store.labels.find("b", state="done")] == [4]
    assert store.labels.collection.count_documents({}) == 1


def test_a_held_out_label_is_trained_on_once_it_is_asked_for(store: Store) -> None:
    configuration = store.configurations.add(bulk("Cu"), {})
    label = store.labels.request(
        configuration, {}, campaign="cu", round_=1, number=1, kind=LabelKind.VALIDATION
    )
    claimed = store.labels.claim(label)
    assert claimed is not None
    store.labels.finish(
        label,
        claimed["lease"]["token"],
        energy_eV=0.0,
        forces_eV_A=np.zeros((1, 3)),
        stress_eV_A3=None,
        rejections=[],
    )
    assert store.labels.to_train_on("cu") == []
    store.labels.request(configuration, {}, campaign="cu", round_=2, number=1, kind=LabelKind.EXTRAPOLATIVE)
    assert store.labels.to_train_on("cu") == [label]
    store.labels.request(configuration, {}, campaign="cu", round_=3, number=1, kind=LabelKind.VALIDATION)
    assert store.labels.to_train_on("cu") == [label]


def test_a_label_is_claimed_once(store: Store) -> None:
    label = ask(store, bulk("Cu"))
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: store.labels.claim(label), range(8)))
    assert sum(claim is not None for claim in claims) == 1


def test_a_lost_lease_cannot_write(store: Store) -> None:
    label = ask(store, bulk("Cu"))
    claimed = store.labels.claim(label)
    assert claimed is not None
    store.labels.collection.update_one({"_id": label}, {"$set": {"lease": None}})
    assert finish(store, label)
    assert not store.labels.fail(label, claimed["lease"]["token"], "too late")
    assert store.labels.get(label)["state"] == "done"


def test_labels_come_back_as_labelled_structures_in_order(store: Store) -> None:
    labels = [ask(store, bulk("Cu", a=3.5 + 0.1 * n), n) for n in range(3)]
    for label in reversed(labels):
        finish(store, label)
    assert store.labels.done("cu") == labels
    structures = store.labels.structures(labels)
    assert [round(a.cell.cellpar()[0] * 2**0.5, 6) for a in structures] == [3.5, 3.6, 3.7]
    assert structures[0].get_forces()[0, 2] == 1 / 3
    assert structures[0].get_potential_energy() == -3.5
    assert structures[0].get_stress().tolist() == list(range(6))


def test_rejected_dropped_and_retried_labels(store: Store) -> None:
    rejected, dropped = ask(store, bulk("Cu")), ask(store, bulk("Cu", a=3.7), 2)
    finish(store, rejected, ["forces absurd", "energy absurd"])
    finish(store, dropped)
    assert store.labels.get(rejected)["reason"] == "forces absurd; energy absurd"
    assert store.labels.drop(dropped, "I do not trust it")
    assert not store.labels.drop(dropped, "again")
    assert store.labels.done("cu") == []
    assert store.labels.retry(rejected)
    assert store.labels.counts("cu") == {"waiting": 1, "running": 0, "done": 0, "failed": 0, "rejected": 1}


def test_an_imported_label_is_done(store: Store) -> None:
    atoms = bulk("Cu")
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=np.zeros((1, 3)))
    configuration = store.configurations.add(atoms, {})
    for _ in range(2):
        label = store.labels.import_result(configuration, {"imported": "x"}, atoms, campaign="cu", number=1)
    assert store.labels.structures([label])[0].get_potential_energy() == 1.0


def test_a_run_is_claimed_and_completed_once_a_round(store: Store, campaign: ActiveLearning) -> None:
    start = bulk("Cu")
    store.explorers.create("cu", runs_of(campaign, start))
    run = store.explorers.claim("cu", 0, 1)
    assert run is not None
    assert store.explorers.claim("cu", 0, 1) is None
    assert not store.explorers.is_over("cu", 0, 1)
    frame = start.copy()
    frame.info = {"explorer": "md", "step": 7, "extrapolation_grade": 3.5}
    saved = {"checkpoint": {"positions": start.positions, "step": 6}, "step": 6, "candidates": [frame]}
    assert store.explorers.save_progress(run, 1, **saved, history={"step": np.arange(8)})
    assert store.explorers.complete(run, 1, RunState.PAUSED, "γ")
    assert store.explorers.claim("cu", 0, 1) is None
    again = store.explorers.claim("cu", 0, 2)
    assert again is not None
    assert store.explorers.checkpoint(again)["positions"].tolist() == start.positions.tolist()
    assert not store.explorers.save_progress(run, 1, **saved, history={"step": np.arange(8)})
    back = store.explorers.candidates("cu", 1)
    assert [(a.info["step"], a.info["extrapolation_grade"]) for a in back] == [(7, 3.5)]
    assert store.explorers.candidates("cu", 2) == []


def test_frames_of_a_run_may_differ_in_species_and_size(store: Store, campaign: ActiveLearning) -> None:
    store.explorers.create("cu", runs_of(campaign, bulk("Cu")))
    run = store.explorers.claim("cu", 0, 1)
    assert run is not None
    frames = [bulk("Cu", cubic=True), molecule("H2O"), bulk("NaCl", "rocksalt", a=5.6)]
    for step, frame in enumerate(frames):
        frame.info = {"step": step, "extrapolation_grade": 3.0 + step}
    store.explorers.save_progress(
        run, 1, checkpoint={}, step=3, candidates=frames, history={"step": np.arange(3)}
    )
    back = store.explorers.candidates("cu", 1)
    assert [atoms.info for atoms in back] == [frame.info | {"explorer": "md"} for frame in frames]
    assert back == frames


def test_results_of_a_run_are_those_of_its_last_part(store: Store, campaign: ActiveLearning) -> None:
    store.explorers.create("cu", runs_of(campaign, bulk("Cu")))
    for round_, energy_eV in ((1, -1.0), (2, -2.0)):
        run = store.explorers.claim("cu", 0, round_)
        assert run is not None
        atoms = bulk("Cu")
        atoms.calc = SinglePointCalculator(atoms, energy=energy_eV, forces=np.zeros((1, 3)))
        store.explorers.complete(
            run,
            round_,
            RunState.PAUSED,
            None,
            version=round_,
            results={"barrier_eV": energy_eV},
            structures=[atoms],
        )
    (document,) = store.explorers.all("cu")
    assert (document["version"], document["results"]) == (2, {"barrier_eV": -2.0})
    (relaxed,) = store.explorers.structures("cu", 0)
    assert relaxed.get_potential_energy() == -2.0


def test_history_takes_the_later_of_repeated_steps(store: Store, campaign: ActiveLearning) -> None:
    store.explorers.create("cu", runs_of(campaign, bulk("Cu")))
    for round_, steps, energy in ((1, [0, 1, 2, 3], 1.0), (2, [2, 3, 4], 2.0), (3, [4, 5], 3.0)):
        run = store.explorers.claim("cu", 0, round_)
        assert run is not None
        history = {"step": np.array(steps), "energy_eV": np.full(len(steps), energy)}
        store.explorers.save_progress(run, round_, checkpoint={}, step=0, candidates=[], history=history)
        store.explorers.complete(run, round_, RunState.PAUSED, None)
    history = store.explorers.history("cu", 0)
    assert history["step"].tolist() == [0, 1, 2, 3, 4, 5]
    assert history["energy_eV"].tolist() == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]


def test_potentials_are_immutable(store: Store) -> None:
    labels = [ObjectId() for _ in range(3)]
    facts = {
        "kind": "mtp",
        "active_set": b"\x00\x01",
        "labels": labels,
        "errors": {"force_rmse_eV_A": np.float64(0.1)},
        "round": 0,
    }
    assert store.potentials.add("cu", 1, content=b"first", **facts)
    assert not store.potentials.add("cu", 1, content=b"second", **facts)
    newest = store.potentials.latest("cu")
    assert newest is not None
    assert store.potentials.label_ids(newest) == labels
    assert store.potentials.content("cu", 1) == b"first"
    assert store.potentials.active_set("cu", 1) == b"\x00\x01"


def test_a_file_is_replaced_and_kept_once(store: Store) -> None:
    for text in (b"one", b"two"):
        store.files.put("cu/x", text, campaign="cu")
    assert store.files.get("cu/x") == b"two"
    assert store.files.names(campaign="cu") == ["cu/x"]
    assert len(list(store.files.bucket.find({"filename": "cu/x"}))) == 1
    with pytest.raises(KeyError):
        store.files.get("cu/y")


def test_an_event_happens_once(store: Store) -> None:
    assert store.events.add("cu", "selected-1", "selected", 1, labels=[1])
    assert not store.events.add("cu", "selected-1", "selected", 1, labels=[2])
    assert store.events.get("cu", "selected-1")["labels"] == [1]  # type: ignore[index]
    assert len(store.events.find("cu", "selected")) == 1
