"""Slots limit the number of labels of one interface that run at a time, over all workers of a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo.database import Database

from alflow.states import CampaignState
from alflow.store.leased_work import LeasedWork, leased


class Slots:
    """One document per slot, ``_id`` = interface and number; the holder of its lease has the slot."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.work = LeasedWork(database["slots"])
        self.campaigns = database["campaigns"]

    def take(self, interface: str, count: int) -> dict[str, Any] | None:
        """Take one of the slots 1 … `count` of an interface; None if all are taken."""
        self._free_those_of_the_dead(interface)
        for number in range(1, count + 1):
            slot = self.work.claim(
                {"_id": f"{interface} {number}"}, set_={"interface": interface}, upsert=True
            )
            if slot is not None:
                return slot
        return None

    @contextmanager
    def held(self, slot: dict[str, Any]) -> Iterator[None]:
        """Hold a taken slot during the block, then give it back."""
        try:
            with self.work.held(slot):
                yield
        finally:
            self.give_back(slot)

    def give_back(self, slot: dict[str, Any]) -> None:
        """Free a slot, unless its lease was lost meanwhile."""
        self.work.release(slot)

    def campaigns_without(self) -> list[str]:
        """Names of running campaigns that have a limit and whose labels would have to wait for a slot."""
        limited = self.campaigns.find(
            {"state": CampaignState.RUNNING, "config.qm.concurrency": {"$ne": None}}
        )
        limits = {
            c["name"]: (c["config"]["qm"]["interface"], c["config"]["qm"]["concurrency"]) for c in limited
        }
        return [name for name, limit in limits.items() if self.all_taken(*limit)]

    def all_taken(self, interface: str, count: int) -> bool:
        """Whether the slots 1 … `count` of an interface are taken."""
        self._free_those_of_the_dead(interface)
        slots = [f"{interface} {number}" for number in range(1, count + 1)]
        return self.work.collection.count_documents({"_id": {"$in": slots}, **leased()}) == count

    def _free_those_of_the_dead(self, interface: str) -> None:
        self.work.break_dead({"interface": interface})
