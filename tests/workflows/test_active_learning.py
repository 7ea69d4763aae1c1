from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms

from alflow.cli.campaign_views import overview
from alflow.errors import InputError
from alflow.potentials import evaluate
from alflow.results.stored_potentials import read_potential
from alflow.store.labels import level_hash
from alflow.structures.displaced import displaced
from alflow.structures.starting import starting_structures
from qm_interfaces import CodeFailed, SettingsError, get_interface
from workflows.active_learning.schema import ActiveLearning
from workflows.launchpad import HOT_ROUNDS
from workflows.recovery import recover
from workflows.submission import submit
from workflows.tasks import label

Make = Callable[..., ActiveLearning]


def test_a_campaign_from_no_data_to_its_end(
    stage: Any, make_campaign: Make, labels_in_process: list[str]
) -> None:
    submit(stage.store, stage.launchpad, make_campaign())
    end = stage.work()
    assert (end["state"], end["reason"]) == ("finished", "all explorers finished")
    facts = overview(stage.store, "cu").as_dict()
    assert [run["step"] for run in facts["explorers"]] == [60, 200]
    assert facts["labels"]["done"] == len(labels_in_process) == len(set(labels_in_process))
    versions = stage.store.potentials.history("cu")
    assert [p["version"] for p in versions] == list(range(1, len(versions) + 1))
    assert versions[-1]["label_count"] == facts["labels"]["done"]
    assert stage.store.explorers.history("cu", 1)["step"].tolist() == list(range(201))


def test_the_dashboard_reads_well(stage: Any, make_campaign: Make, labels_in_process: list[str]) -> None:
    submit(stage.store, stage.launchpad, make_campaign())
    stage.work()
    database = stage.launchpad.db
    names = {f["name"] for part in ("", "_archive") for f in database["fireworks" + part].find()}
    assert {
        "cu · round 0 · label 1",
        "cu · round 1 · hot",
        "cu · round 1 · select",
        "cu · round 1 · train",
    } <= names
    workflow = database["workflows"].find_one({"metadata.round": 1}) or database[
        "workflows_archive"
    ].find_one({"metadata.round": 1})
    assert workflow["name"] == "cu · round 1"
    assert set(workflow["fw_states"].values()) == {"COMPLETED"}
    categories = database["fireworks"].distinct("spec._category")
    assert set(categories) <= {"explore", "label", "train"}


def test_finished_rounds_leave_the_collections_that_workers_search(
    stage: Any, make_campaign: Make, labels_in_process: list[str]
) -> None:
    barren = {"barren_rounds": 8}
    submit(stage.store, stage.launchpad, make_campaign(stop=barren, selection={"labels_per_round": 1}))
    end = stage.work()
    rounds = stage.launchpad.workflows.distinct("metadata.round")
    assert end["round"] - min(rounds) <= HOT_ROUNDS + 1
    kept = sum(len(w["nodes"]) for w in stage.launchpad.workflows.find())
    assert stage.launchpad.fireworks.count_documents({}) == kept


def test_start_from_labelled_structures(
    stage: Any, make_campaign: Make, labels_in_process: list[str], tmp_path: Path
) -> None:
    campaign = make_campaign()
    structures = displaced(list(starting_structures(campaign.structures, ["Cu"]).values()), campaign.initial)
    for atoms in structures:
        atoms.calc = EMT()
        atoms.get_stress()
    ase.io.write(tmp_path / "train.extxyz", structures)
    submit(stage.store, stage.launchpad, make_campaign(initial={"file": str(tmp_path / "train.extxyz")}))
    assert stage.work()["state"] == "finished"
    imported = [label for label in stage.store.labels.find("cu") if label["round"] == 0]
    assert [label["code"] for label in imported] == ["imported"] * 3
    assert len(labels_in_process) == stage.store.labels.counts("cu")["done"] - 3


def test_start_from_partly_labelled_structures_with_other_names(
    stage: Any, make_campaign: Make, labels_in_process: list[str], tmp_path: Path
) -> None:
    campaign = make_campaign()
    structures = displaced(list(starting_structures(campaign.structures, ["Cu"]).values()), campaign.initial)
    for atoms in structures:
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        atoms.set_constraint(FixAtoms([0]))
    del structures[1].arrays["REF_forces"]
    ase.io.write(tmp_path / "train.extxyz", structures)
    initial = {"file": str(tmp_path / "train.extxyz"), "keys": {"forces": "REF_forces"}}
    submit(stage.store, stage.launchpad, make_campaign(initial=initial))
    assert stage.work()["state"] == "finished"
    imported = [label["_id"] for label in stage.store.labels.find("cu") if label["round"] == 0]
    for atoms, stored in zip(structures, stage.store.labels.structures(imported), strict=True):
        assert stored.calc.results["energy"] == pytest.approx(atoms.info["REF_energy"], abs=1e-6)
        assert ("forces" in stored.calc.results) == ("REF_forces" in atoms.arrays)
    first = stage.store.labels.structures(imported)[0].calc.results["forces"]
    np.testing.assert_allclose(first, structures[0].arrays["REF_forces"], atol=1e-7)  # of the fixed atom too
    notes = stage.store.events.get("cu", "selected-0")["notes"]
    assert "energies are read from REF_energy, forces are read from REF_forces" in notes[0]
    assert "1 of 3 frames have an energy and no forces" in notes[1]


def test_labels_of_another_level_of_theory_are_no_start(
    stage: Any, make_campaign: Make, tmp_path: Path
) -> None:
    levels = [
        level_hash(get_interface("mock", **options).level_of_theory())
        for options in ({}, {"calculator": "lennard-jones"})
    ]
    campaign = make_campaign()
    starts = list(starting_structures(campaign.structures, ["Cu"]).values())
    structures = displaced(starts, campaign.initial)
    for atoms, level in zip(structures, levels, strict=False):
        atoms.calc = EMT()
        atoms.get_potential_energy()
        atoms.info["level_of_theory"] = level
    file = tmp_path / "train.extxyz"
    ase.io.write(file, structures[:2])
    with pytest.raises(InputError, match=r"frame 2 of .*train\.extxyz has labels of another level of theory"):
        submit(stage.store, stage.launchpad, make_campaign(initial={"file": str(file)}))
    ase.io.write(file, structures[:1])
    submit(stage.store, stage.launchpad, make_campaign(initial={"file": str(file)}))


def test_failures_are_retried_then_kept_with_a_reason_and_the_loop_goes_on(
    stage: Any, make_campaign: Make, labels_in_process: list[str]
) -> None:
    options = {"fail_probability": 0.5, "seed": 3}
    submit(stage.store, stage.launchpad, make_campaign(qm={"options": options}, initial={"count": 6}))
    assert stage.work()["state"] == "finished"
    labels = stage.store.labels.find("cu")
    failed = [label for label in labels if label["state"] == "failed"]
    assert failed
    assert {label["reason"] for label in failed} == {"the mock failed on purpose"}
    assert {label["attempts"] for label in failed} == {2}
    assert any(label["state"] == "done" and label["attempts"] == 2 for label in labels)


def test_wrong_labels_are_rejected_and_never_trained_on(
    stage: Any, make_campaign: Make, labels_in_process: list[str]
) -> None:
    options = {"wrong_probability": 0.4, "seed": 1}
    submit(stage.store, stage.launchpad, make_campaign(qm={"options": options}, initial={"count": 8}))
    stage.work()
    rejected = {label["_id"] for label in stage.store.labels.find("cu", state="rejected")}
    assert rejected
    trained = stage.store.potentials.label_ids(stage.store.potentials.latest("cu"))
    assert not rejected & set(trained)


def test_no_label_at_all_ends_in_a_clear_state(
    stage: Any, make_campaign: Make, labels_in_process: list[str]
) -> None:
    submit(stage.store, stage.launchpad, make_campaign(qm={"options": {"fail_probability": 1.0}}))
    end = stage.work()
    assert end["state"] == "failed"
    assert "no label of the first round succeeded; the last one: the mock failed on purpose" in end["reason"]


def test_labels_that_stop_coming_do_not_spin_for_ever(
    stage: Any, make_campaign: Make, labels_in_process: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(stage.store, stage.launchpad, make_campaign())
    while stage.store.campaigns.get("cu")["round"] == 0:
        stage.launchpad.m_logger.disabled = True
        _one_launch(stage)

    def no_licence(*_: Any, **__: Any) -> None:
        raise CodeFailed("the licence server is away")

    monkeypatch.setattr("workflows.tasks.label.run_label", no_licence)
    end = stage.work()
    assert end["state"] == "failed"
    assert end["reason"].startswith(
        "3 rounds in a row brought no label; the last one: the licence server is away"
    )
    assert end["round"] == 3


def test_a_finished_campaign_asked_for_quiet_explores_again(
    stage: Any, make_campaign: Make, labels_in_process: list[str]
) -> None:
    submit(stage.store, stage.launchpad, make_campaign(stop={"quiet_rounds": 1, "max_rounds": 20}))
    assert stage.work()["state"] == "finished"
    assert {run["passes"] for run in stage.store.explorers.all("cu")} >= {1}


def test_a_broken_task_ends_the_campaign_with_its_words(
    stage: Any, make_campaign: Make, labels_in_process: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("alflow.potentials.mtp.KIND.fit", broken)
    submit(stage.store, stage.launchpad, make_campaign())
    end = stage.work()
    assert (end["state"], end["reason"]) == ("failed", "train of round 0 broke: ZeroDivisionError: a bug")
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"qm": {"options": {"colour": "red"}}}, "colour"),
        ({"qm": {"interface": "vaps"}}, "vaps"),
        ({"species": ["Al"]}, "contains Cu"),
    ],
)
def test_what_is_refused_leaves_no_trace(stage: Any, make_campaign: Make, sections: dict, words: str) -> None:
    with pytest.raises((InputError, SettingsError), match=words):
        submit(stage.store, stage.launchpad, make_campaign(**sections))
    assert stage.store.campaigns.names() == []
    assert stage.launchpad.workflows.count_documents({}) == 0


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"potential": {"level": 6}}, "`potential` of campaign 'cu' cannot change"),
        (
            {"qm": {"options": {"calculator": "lennard-jones"}}},
            r"of its labels \(calculator is l",
        ),
        (
            {"explorers": [{"name": "x", "structure": "fcc", "temperature_K": 9, "steps": 1}]},
            "cannot be removed",
        ),
    ],
)
def test_edits_that_a_campaign_cannot_take(
    stage: Any, make_campaign: Make, sections: dict, words: str
) -> None:
    submit(stage.store, stage.launchpad, make_campaign())
    before = stage.store.campaigns.get("cu")
    with pytest.raises(InputError, match=words):
        submit(stage.store, stage.launchpad, make_campaign(**sections))
    assert stage.store.campaigns.get("cu") == before


def test_a_raised_limit_lets_a_stopped_campaign_go_on(
    stage: Any, make_campaign: Make, labels_in_process: list[str]
) -> None:
    submit(stage.store, stage.launchpad, make_campaign(stop={"max_labels": 3}))
    assert stage.work()["reason"] == "max_labels = 3 is reached"
    submit(stage.store, stage.launchpad, make_campaign())
    from workflows.recovery import recover

    recover(stage.store, stage.launchpad, "cu", patience_s=0.0)
    assert stage.work()["state"] == "finished"
    assert [event["keys"] for event in stage.store.events.find("cu", "config changed")] == [["stop"]]


def _one_launch(stage: Any) -> None:
    from workflows.local import ROLES, work

    turns = iter([True, False])
    work(stage.launchpad, ROLES, keep_going=lambda: next(turns))


@pytest.mark.parametrize("periodic", [True, False])
def test_isolated_atoms_are_labelled_once_and_fixed_in_every_fit(
    stage: Any, make_campaign: Make, labels_in_process: list[str], periodic: bool
) -> None:
    fcc = {"element": "Cu", "crystal": "fcc", "a_A": 3.61, "cubic": True}
    cluster = {"name": "fcc", "file": str(Path("cluster.xyz").absolute())}
    ase.io.write("cluster.xyz", Atoms("Cu4", [[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0], [0, 0, 2.5]]))
    structures = [{"name": "fcc", "build": fcc} if periodic else cluster]
    config = make_campaign(structures=structures, initial={"isolated_atoms": True}, stop={"max_rounds": 1})
    submit(stage.store, stage.launchpad, config)
    stage.work()
    labels = [label for label in stage.store.labels.find("cu") if label["kind"] == "isolated"]
    atom = stage.store.configurations.atoms([labels[0]["configuration"]])[0]
    assert len(labels) == 1 and len(atom) == 1 and labels[0]["state"] == "done"
    assert atom.pbc.tolist() == [periodic] * 3
    names = [(label["round"], label["number"]) for label in stage.store.labels.find("cu")]
    assert len(set(names)) == len(names)  # commands call labels by round and number
    versions = stage.store.potentials.history("cu")
    assert versions
    for version in versions:
        potential = read_potential(stage.store, "cu", version["version"])
        assert evaluate(potential, [Atoms("Cu")]).energy[0] == labels[0]["energy_eV"]
    assert labels[0]["_id"] not in stage.store.labels.to_train_on("cu")


def test_energies_of_isolated_atoms_come_from_one_source(make_campaign: Make) -> None:
    with pytest.raises(InputError, match="not both"):
        make_campaign(initial={"isolated_atoms": True}, fit={"isolated_atoms_eV": {"Cu": 0.0}})


def test_a_campaign_ends_without_the_energy_of_an_isolated_atom_and_goes_on_with_it(
    stage: Any, make_campaign: Make, labels_in_process: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = label.run_label

    def no_atoms(interface: str, options: dict[str, Any], atoms: Atoms, *rest: Any, **limits: Any) -> Any:
        if len(atoms) == 1:
            raise CodeFailed("the atom has no spin", retryable=False)
        return computed(interface, options, atoms, *rest, **limits)

    monkeypatch.setattr(label, "run_label", no_atoms)
    config = make_campaign(initial={"isolated_atoms": True}, stop={"max_rounds": 1})
    submit(stage.store, stage.launchpad, config)
    end = stage.work()
    assert end["state"] == "failed"
    assert end["reason"].startswith("the isolated atom Cu has no energy (the atom has no spin)")
    assert stage.store.potentials.latest("cu") is None
    monkeypatch.setattr(label, "run_label", computed)
    failed = [entry["_id"] for entry in stage.store.labels.find("cu", state="failed")]
    assert len(failed) == 1
    assert stage.store.labels.retry(failed[0])
    submit(stage.store, stage.launchpad, config)
    recover(stage.store, stage.launchpad, "cu", patience_s=0.0)
    stage.work()
    assert stage.store.potentials.latest("cu") is not None
