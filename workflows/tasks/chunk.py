"""What the tasks of a screening's chunks share: one worker at a time, and once."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from fireworks import FWAction

from workflows.hull_screening.schema import Screening
from alflow.store import Store
from alflow.store.lease import renewed
from workflows.tasks.base import CampaignTask

POLL_S = 0.5


class ChunkTask(CampaignTask):
    """A task that works on one chunk while it holds the chunk's lease."""

    required_params: ClassVar[list[str]] = ["campaign", "round", "chunk"]

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        while (chunk := store.chunks.claim(campaign, round_, self["chunk"])) is None:
            if store.chunks.is_finished(campaign, round_, self["chunk"]):
                return FWAction()
            time.sleep(POLL_S)
        config = store.campaigns.config(campaign)
        assert isinstance(config, Screening)
        began = time.monotonic()
        with renewed(store.chunks.collection, chunk["_id"], chunk["lease"]["token"]):
            facts = self.work_on(store, config, chunk)
            store.chunks.finish(chunk, seconds=time.monotonic() - began, **facts)
        return FWAction(stored_data=facts)

    def work_on(self, store: Store, config: Screening, chunk: dict[str, Any]) -> dict[str, int]:
        """What the task does; what it came to, in numbers."""
        raise NotImplementedError
