"""Shared by the tasks of a screening's chunks: one worker at a time, each chunk once."""

from __future__ import annotations

from typing import Any, ClassVar

from fireworks import FWAction

from alflow.states import Role
from alflow.store import Store
from alflow.store.cost import Meter
from workflows.tasks.base import CampaignTask


class ChunkTask(CampaignTask):
    """A task that works on one chunk while it holds the chunk's lease."""

    role = Role.EXPLORE
    required_params: ClassVar[list[str]] = ["campaign", "round", "chunk"]

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        key = (campaign, round_, self["chunk"])
        chunk = self.wait_for(lambda: store.chunks.claim(*key), lambda: store.chunks.is_finished(*key))
        if chunk is None:
            return FWAction()
        meter = Meter()
        with store.chunks.work.held(chunk):
            facts = self.work_on(store, store.campaigns.config(campaign), chunk)
            cost = meter.cost()
            store.chunks.finish(chunk, seconds=cost.wall_s, processor_s=cost.processor_s, **facts)
        return FWAction(stored_data=facts)

    def document(self, store: Store) -> dict[str, Any] | None:
        return store.chunks.get(self["campaign"], self["round"], self["chunk"])

    def work_on(self, store: Store, config: Any, chunk: dict[str, Any]) -> dict[str, int]:
        """Do the task's work with the campaign's settings; return its results, in numbers."""
        raise NotImplementedError
