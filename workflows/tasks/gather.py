"""Gather: the candidates of a screening's sources into the store."""

from __future__ import annotations

import time
from itertools import islice
from typing import ClassVar

from fireworks import FWAction, explicit_serialize

from alflow.config_screening import Screening
from alflow.store import Store
from alflow.store.lease import renewed
from workflows.hull_screening.gathering import documents
from workflows.tasks.base import CampaignTask

POLL_S = 0.5
WRITTEN_AT_ONCE = 1000


@explicit_serialize
class GatherTask(CampaignTask):
    """All sources, one candidate after the other; what a killed worker stored stays.

    Parts are stored one after the other, so that all candidates but the last part of those that are there
    are the first of the stream.
    """

    required_params: ClassVar[list[str]] = ["campaign", "round", "chunk"]

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        while (chunk := store.chunks.claim(campaign, round_, self["chunk"])) is None:
            if store.chunks.is_finished(campaign, round_, self["chunk"]):
                return FWAction()
            time.sleep(POLL_S)
        config = store.campaigns.config(campaign)
        assert isinstance(config, Screening)
        began = time.monotonic()
        found = 0
        with renewed(store.chunks.collection, chunk["_id"], chunk["lease"]["token"]):
            stored = store.candidates.count(campaign)
            stream = islice(documents(config), max(0, stored - WRITTEN_AT_ONCE), None)
            while part := list(islice(stream, WRITTEN_AT_ONCE)):
                found += store.candidates.add(campaign, part)
            store.chunks.finish(chunk, seconds=time.monotonic() - began, found=found)
        return FWAction(stored_data={"candidates": found})
