"""Train: refit the potential to all labels, then end the campaign or begin its next round."""

from __future__ import annotations

import time

from fireworks import FWAction, explicit_serialize

from alflow.store import Store
from alflow.store.campaigns import RUNNING
from workflows.procedure import procedure_of
from workflows.rounds import add_round
from workflows.tasks.base import CampaignTask

POLL_S = 0.5


@explicit_serialize
class TrainTask(CampaignTask):
    """The end of a round; it advances the campaign's round once."""

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        while not self._is_over(store, campaign, round_):
            with store.campaigns.leased(campaign) as mine:
                if mine:
                    if not self._is_over(store, campaign, round_):
                        config = store.campaigns.config(campaign)
                        procedure_of(config).conclude(store, config, round_)
                    add_round(store, self.launchpad, campaign)
            if not mine:
                time.sleep(POLL_S)
        newest = store.potentials.latest(campaign)
        return FWAction(stored_data={} if newest is None else {k: newest[k] for k in ("version", "errors")})

    @staticmethod
    def _is_over(store: Store, campaign: str, round_: int) -> bool:
        document = store.campaigns.get(campaign)
        return document["round"] > round_ or document["state"] != RUNNING
