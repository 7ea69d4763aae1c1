"""Select: choose the configurations of a round that are worth a label."""

from __future__ import annotations

from fireworks import FWAction, explicit_serialize

from alflow.states import LabelState, Role
from alflow.store import Store
from workflows.campaign_kind import kind_of
from workflows.tasks.base import CampaignTask, firework
from workflows.tasks.label import LabelTask


@explicit_serialize
class SelectTask(CampaignTask):
    """Choose once per round, request the labels, and put the open labels before training."""

    role = Role.TRAIN

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        key = f"selected-{round_}"

        def is_over() -> bool:
            return store.events.get(campaign, key) is not None

        def choose() -> None:
            if not is_over():
                config = store.campaigns.config(campaign)
                facts = kind_of(config).procedure.choose(store, config, round_)
                store.events.add(campaign, key, "selected", round_, **facts)

        self.do_once(store, choose, is_over)
        event = store.events.get(campaign, key)
        assert event is not None
        return FWAction(
            stored_data={"candidates": event["candidates"], "chosen": len(event["labels"])},
            detours=[
                firework(
                    LabelTask,
                    f"label {label['number']}",
                    campaign=campaign,
                    round_=round_,
                    label=str(label["_id"]),
                )
                for label in reversed(store.labels.find(campaign))  # FireWorks numbers the last one first
                if not LabelState(label["state"]).is_ended
            ],
        )
