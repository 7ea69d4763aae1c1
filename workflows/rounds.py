"""The workflow of a round: explore → select → labels (detours of select) → train.

The store defines the work, and FireWorks runs it; a round's workflow can be set aside and built again from
the store at any time.
"""

from __future__ import annotations

from fireworks import Firework, LaunchPad, Workflow

from alflow.states import CampaignState
from alflow.store import Store
from workflows.campaign_kind import kind_of
from workflows.launchpad import HOT_ROUNDS, archive
from workflows.tasks.base import firework


def ensure_round(store: Store, launchpad: LaunchPad, name: str) -> bool:
    """Add the workflow of a running campaign's present round unless it exists; return whether it was added.

    The function does nothing while another process holds the campaign, because that process adds it.
    """
    with store.campaigns.leased(name) as mine:
        return mine and add_round(store, launchpad, name)


def add_round(store: Store, launchpad: LaunchPad, name: str) -> bool:
    """As `ensure_round`, for a caller that holds the campaign's lease."""
    document = store.campaigns.get(name)
    round_ = document["round"]
    in_round = {"metadata.campaign": name, "metadata.round": round_}
    if document["state"] != CampaignState.RUNNING or launchpad.workflows.find_one(in_round, {"_id": 1}):
        return False
    launchpad.add_wf(_build_round(store, name, round_))
    archive(launchpad, {"metadata.campaign": name, "metadata.round": {"$lt": round_ - HOT_ROUNDS}})
    return True


def _build_round(store: Store, name: str, round_: int) -> Workflow:
    from workflows.tasks.select import SelectTask  # these modules import this one to begin the next round
    from workflows.tasks.train import TrainTask

    # FireWorks numbers fireworks from the last created one to the first.
    train = firework(TrainTask, "train", campaign=name, round_=round_)
    select = firework(SelectTask, "select", campaign=name, round_=round_)
    config = store.campaigns.config(name)
    explorations = kind_of(config).procedure.explorations(store, config, round_)
    links: dict[Firework, list[Firework]] = {exploration: [select] for exploration in explorations}
    return Workflow(
        [*explorations, select, train],
        links | {select: [train]},
        name=f"{name} · round {round_}",
        metadata={"campaign": name, "round": round_},
    )
