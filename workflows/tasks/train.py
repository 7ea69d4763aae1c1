"""Train: refit the potential to all labels, then end the campaign or begin its next round."""

from __future__ import annotations

import logging

from fireworks import FWAction, explicit_serialize

from alflow.results.potential_files import write_potential_files
from alflow.states import CampaignState, Role
from alflow.store import Store
from workflows.campaign_kind import kind_of
from workflows.rounds import add_round
from workflows.tasks.base import CampaignTask

_log = logging.getLogger(__name__)


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
        _deliver(store, campaign)
        newest = store.potentials.latest(campaign)
        return FWAction(stored_data={} if newest is None else {k: newest[k] for k in ("version", "errors")})


def _deliver(store: Store, campaign: str) -> None:
    """Write the newest potential to the campaign's folder, if this machine has it."""
    folder = store.campaigns.folder(campaign)
    if folder is None:
        return
    try:
        write_potential_files(store, campaign, folder)
    except OSError as error:
        _log.warning("the potential of %s is in the database, but not in %s: %s", campaign, folder, error)
