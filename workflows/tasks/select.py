"""Select: which configurations of a round are worth a label."""

from __future__ import annotations

import time

from fireworks import FWAction, explicit_serialize

from alflow.store import Store
from alflow.store.labels import ENDED
from workflows.procedure import procedure_of
from workflows.tasks.base import CampaignTask, firework

POLL_S = 0.5


@explicit_serialize
class SelectTask(CampaignTask):
    """Choose once a round, ask for the labels, and put the open ones before training."""

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        while (event := store.events.get(campaign, f"selected-{round_}")) is None:
            with store.campaigns.leased(campaign) as mine:
                if mine:
                    config = store.campaigns.config(campaign)
                    facts = procedure_of(config).choose(store, config, round_)
                    store.events.add(campaign, f"selected-{round_}", "selected", round_, **facts)
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
