"""Train: refit the potential to all labels, then end the campaign or begin its next round."""

from __future__ import annotations

from fireworks import FWAction, explicit_serialize

from alflow.states import CampaignState, Role
from alflow.store import Store
from workflows.campaign_kind import kind_of
from workflows.rounds import add_round
from workflows.tasks.base import CampaignTask


@explicit_serialize
class TrainTask(CampaignTask):
    """End a round: advance the campaign's round once."""

    role = Role.TRAIN

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        def is_over() -> bool:
            document = store.campaigns.get(campaign)
            return bool(document["round"] > round_ or document["state"] != CampaignState.RUNNING)

        def conclude() -> None:
            if not is_over():
                config = store.campaigns.config(campaign)
                kind_of(config).procedure.conclude(store, config, round_)
            add_round(store, self.launchpad, campaign)

        self.do_once(store, conclude, is_over)
        newest = store.potentials.latest(campaign)
        return FWAction(stored_data={} if newest is None else {k: newest[k] for k in ("version", "errors")})
