"""The active-learning loop: a campaign's rounds, one workflow each.

A round is explorers → select → labels (detours of select) → train; round 0 has no explorers, as there is no
potential yet. The store decides what there is to do, FireWorks does it; a round's workflow can be set aside
and built again from the store at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ase import Atoms
from fireworks import Firework, LaunchPad, Workflow

from alflow.config import Campaign
from alflow.errors import InputError
from alflow.store import Store
from alflow.store import campaigns as state
from alflow.structure_files import read_structures
from alflow.structures import starting_structures
from qm_interfaces import get_interface
from workflows.launchpad import HOT_ROUNDS, archive
from workflows.tasks.base import firework

FIXED = ("species", "structures", "potential", "initial")  # what a running campaign cannot change


@dataclass(frozen=True)
class Beginning:
    """What a campaign starts from: structures by name, and labelled structures if it has some."""

    starts: dict[str, Atoms]
    labelled: list[Atoms]


def check(campaign: Campaign) -> Beginning:
    """Read the files of a campaign and find everything that can be wrong with it before it begins.

    Raises
    ------
    InputError
        If a structure or labelled file is wrong.
    qm_interfaces.SettingsError
        If the QM interface refuses its options.
    """
    get_interface(campaign.qm.interface, **campaign.qm.options)
    file = campaign.initial.file
    labelled = read_structures(file, labelled=True, species=campaign.species) if file is not None else []
    return Beginning(starting_structures(campaign), labelled)


def submit(store: Store, launchpad: LaunchPad, campaign: Campaign) -> None:
    """Put a campaign on the LaunchPad, or take up the one of this name; what is refused leaves no trace.

    Raises
    ------
    InputError
        If it changes what a campaign that has begun cannot change.

    And what `check` raises.
    """
    beginning = check(campaign)
    if campaign.name in store.campaigns.names():
        _apply_changes(store, campaign)
        try_again(store, campaign.name)
    runs = [(run, beginning.starts[run.structure]) for run in campaign.trajectories()]
    store.campaigns.create(campaign)
    store.explorers.create(campaign.name, runs)
    if beginning.labelled:
        _import_labels(store, campaign, beginning.labelled)
    ensure_round(store, launchpad, campaign.name)


def try_again(store: Store, name: str) -> bool:
    """Set a failed campaign, and its explorers that broke, going again; False if it had not failed."""
    if not store.campaigns.reopen(name, state.FAILED):
        return False
    store.explorers.retry_failed(name)
    return True


def ensure_round(store: Store, launchpad: LaunchPad, name: str) -> bool:
    """Add the workflow of a running campaign's present round unless it is there; whether it was added.

    Does nothing while another process holds the campaign: that one does it.
    """
    with store.campaigns.leased(name) as mine:
        return mine and add_round(store, launchpad, name)


def add_round(store: Store, launchpad: LaunchPad, name: str) -> bool:
    """`ensure_round` for who holds the campaign's lease."""
    document = store.campaigns.get(name)
    round_ = document["round"]
    in_round = {"metadata.campaign": name, "metadata.round": round_}
    if document["state"] != state.RUNNING or launchpad.workflows.find_one(in_round, {"_id": 1}):
        return False
    launchpad.add_wf(build_round(name, round_, store.explorers.unfinished(name) if round_ else []))
    archive(launchpad, {"metadata.campaign": name, "metadata.round": {"$lt": round_ - HOT_ROUNDS}})
    return True


def build_round(name: str, round_: int, explorers: list[dict[str, Any]]) -> Workflow:
    """The workflow of a round for these explorers."""
    # FireWorks numbers fireworks from the last that was made to the first.
    train, select = (firework(task, task, campaign=name, round_=round_) for task in ("train", "select"))
    explore = [
        firework("explore", run["name"], campaign=name, round_=round_, explorer=run["index"])
        for run in reversed(explorers)
    ]
    links: dict[Firework, list[Firework]] = {run: [select] for run in explore}
    return Workflow(
        [*explore, select, train],
        links | {select: [train]},
        name=f"{name} · round {round_}",
        metadata={"campaign": name, "round": round_},
    )


def _import_labels(store: Store, campaign: Campaign, structures: list[Atoms]) -> None:
    """Store labels that were computed elsewhere as the choice of round 0. Idempotent."""
    name, file = campaign.name, campaign.initial.file
    if store.events.get(name, "selected-0") is not None:
        return
    labels = []
    for number, atoms in enumerate(structures, start=1):
        origin = {"campaign": name, "round": 0, "kind": "imported", "file": file}
        configuration = store.configurations.add(atoms, origin)
        level = {"imported": file}
        labels.append(store.labels.import_result(configuration, level, atoms, campaign=name, number=number))
    facts = {"candidates": len(structures), "labels": labels, "refused": [], "grades": []}
    store.events.add(name, "selected-0", "selected", 0, **facts)


def _apply_changes(store: Store, campaign: Campaign) -> None:
    """Take over an edited campaign file, as far as a campaign that has begun can change."""
    document = store.campaigns.get(campaign.name)
    old, new = document["config"], campaign.model_dump(mode="json")
    changed = [key for key in new if new[key] != old.get(key)]
    for key in changed:
        if key in FIXED:
            raise InputError(
                f"`{key}` of campaign {campaign.name!r} cannot change once it has begun; "
                "give the campaign a new name"
            )
    if "qm" in changed and _level(campaign.qm.interface, campaign.qm.options) != _level(
        old["qm"]["interface"], old["qm"]["options"]
    ):
        raise InputError(
            f"`qm` of campaign {campaign.name!r} would change the level of theory of its labels; "
            "give the campaign a new name"
        )
    if "explorers" in changed:
        runs = {run["index"]: run["settings"] for run in store.explorers.all(campaign.name)}
        now = {run.index: run.model_dump(mode="json") for run in campaign.trajectories()}
        if any(now.get(index) != settings for index, settings in runs.items()):
            raise InputError(
                f"`explorers` of campaign {campaign.name!r} can only be added at the end once it has begun; "
                "give the campaign a new name"
            )
    if changed and store.campaigns.replace_config(campaign, document["config_hash"]):
        key = f"config-{document['config_hash'][:12]}-{document['round']}"
        store.events.add(campaign.name, key, "config changed", document["round"], keys=changed)
        store.campaigns.reopen(campaign.name, state.STOPPED, state.FINISHED)


def _level(interface: str, options: dict[str, Any]) -> dict[str, Any]:
    return get_interface(interface, **options).level_of_theory()
