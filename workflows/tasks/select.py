"""Select: which configurations of a round are worth a label."""

from __future__ import annotations

import time
from typing import Any

from ase import Atoms
from bson import ObjectId
from fireworks import FWAction, explicit_serialize

from alflow.config import Campaign
from alflow.mtp import mtp_from_text
from alflow.selection import ActiveSet, fingerprint, select
from alflow.store import Store
from alflow.store.labels import ENDED
from alflow.structures import displaced
from qm_interfaces import get_interface
from workflows.tasks.base import CampaignTask, firework

POLL_S = 0.5
REASONS_KEPT = 20  # of refused candidates: there may be thousands, for the same few reasons


@explicit_serialize
class SelectTask(CampaignTask):
    """Choose once a round, ask for the labels, and put the open ones before training."""

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        while (event := store.events.get(campaign, f"selected-{round_}")) is None:
            with store.campaigns.leased(campaign) as mine:
                if mine:
                    _choose(store, store.campaigns.config(campaign), round_)
            if not mine:
                time.sleep(POLL_S)
        return FWAction(
            stored_data={"candidates": event["candidates"], "chosen": len(event["labels"])},
            detours=[
                firework(
                    "label",
                    f"label {label['number']}",
                    campaign=campaign,
                    round_=round_,
                    label=str(label["_id"]),
                )
                for label in reversed(store.labels.find(campaign))  # FireWorks numbers the last one first
                if label["state"] not in ENDED
            ],
        )


def _choose(store: Store, config: Campaign, round_: int) -> None:
    """Store a round's choice: configurations, labels, and last the event that makes it final."""
    name = config.name
    if round_ == 0:
        structures = displaced(store.explorers.starts(name), config.initial)
        labels = _request(store, config, round_, structures, {"kind": "initial"})
        facts = {"candidates": len(structures), "labels": labels, "refused": [], "grades": []}
    else:
        facts = _choose_extrapolative(store, config, round_)
    store.events.add(name, f"selected-{round_}", "selected", round_, **facts)


def _choose_extrapolative(store: Store, config: Campaign, round_: int) -> dict[str, Any]:
    name = config.name
    candidates = store.explorers.candidates(name, round_)
    # What a killed attempt at this very choice has asked for must not change the choice.
    asked = [label for label in store.labels.find(name) if label["round"] < round_]
    budget = min(config.selection.labels_per_round, config.stop.max_labels - len(asked))
    if not candidates or budget <= 0:
        return {"candidates": len(candidates), "labels": [], "refused": [], "grades": []}
    version = store.potentials.latest(name)["version"]  # type: ignore[index]
    potential = mtp_from_text(store.potentials.mtp(name, version), config.species, f"version {version}")
    active_set = ActiveSet.from_bytes(store.potentials.active_set(name, version))
    known = store.configurations.atoms([label["configuration"] for label in asked])
    selection = select(
        potential,
        active_set,
        candidates,
        budget,
        known=[fingerprint(atoms) for atoms in known],
        min_distance_A=config.qm.limits.min_distance_A,
        gamma_select=config.selection.gamma_save,
    )
    chosen = [candidates[i] for i in selection.chosen]
    labels = _request(store, config, round_, chosen, {"kind": "extrapolative", "potential": version})
    refused = [f"{_origin(candidates[i])}: {why}" for i, why in selection.rejected.items()][:REASONS_KEPT]
    grades = [frame.info["extrapolation_grade"] for frame in candidates]
    return {"candidates": len(candidates), "labels": labels, "refused": refused, "grades": _extremes(grades)}


def _request(
    store: Store, config: Campaign, round_: int, structures: list[Atoms], source: dict[str, Any]
) -> list[ObjectId]:
    level = get_interface(config.qm.interface, **config.qm.options).level_of_theory()
    labels = []
    for number, atoms in enumerate(structures, start=1):
        origin = {"campaign": config.name, "round": round_, **source, **atoms.info}
        configuration = store.configurations.add(atoms, origin)
        labels.append(
            store.labels.request(configuration, level, campaign=config.name, round_=round_, number=number)
        )
    return labels


def _origin(frame: Atoms) -> str:
    return f"{frame.info['explorer']} step {frame.info['step']}"


def _extremes(grades: list[float]) -> list[float]:
    return [min(grades), max(grades)] if grades else []
