"""The workflow of a round: explore → select → labels (detours of select) → train.

The store decides what there is to do, FireWorks does it; a round's workflow can be set aside and built again
from the store at any time.
"""

from __future__ import annotations

from fireworks import Firework, LaunchPad, Workflow

from alflow.store import Store
from alflow.store.campaigns import RUNNING
from workflows.launchpad import HOT_ROUNDS, archive
from workflows.procedure import procedure_of
from workflows.tasks.base import firework


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
    if document["state"] != RUNNING or launchpad.workflows.find_one(in_round, {"_id": 1}):
        return False
    launchpad.add_wf(_build_round(store, name, round_))
    archive(launchpad, {"metadata.campaign": name, "metadata.round": {"$lt": round_ - HOT_ROUNDS}})
    return True


def _build_round(store: Store, name: str, round_: int) -> Workflow:
    # FireWorks numbers fireworks from the last that was made to the first.
    train, select = (firework(task, task, campaign=name, round_=round_) for task in ("train", "select"))
    config = store.campaigns.config(name)
    explorations = procedure_of(config).explorations(store, config, round_)
    links: dict[Firework, list[Firework]] = {exploration: [select] for exploration in explorations}
    return Workflow(
        [*explorations, select, train],
        links | {select: [train]},
        name=f"{name} · round {round_}",
        metadata={"campaign": name, "round": round_},
    )
