"""Slots: how many labels of one interface may run at a time, over all workers of the database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from alflow.store.campaigns import RUNNING
from alflow.store.lease import break_dead_leases, free, new_lease, now, renewed

POLL_S = 0.5


class Slots:
    """One document a slot, ``_id`` = interface and number; who has its lease has the slot."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["slots"]
        self.campaigns = database["campaigns"]

    @contextmanager
    def held(self, interface: str, count: int | None) -> Iterator[None]:
        """Wait for a slot and hold it for as long as the block runs; without a `count`, no slot is needed."""
        if count is None:
            yield
            return
        while (slot := self.take(interface, count)) is None:
            time.sleep(POLL_S)
        try:
            with renewed(self.collection, slot["_id"], slot["lease"]["token"]):
                yield
        finally:
            self.give_back(slot)

    def take(self, interface: str, count: int) -> dict[str, Any] | None:
        """Take one of the slots 1 … `count` of an interface; None if all are taken."""
        self._free_those_of_the_dead(interface)
        for number in range(1, count + 1):
            slot = {"_id": f"{interface} {number}", "lease": new_lease()}
            try:
                self.collection.update_one(
                    {"_id": slot["_id"], **free()},
                    {"$set": {"interface": interface, "lease": slot["lease"]}},
                    upsert=True,
                )
            except DuplicateKeyError:
                continue  # it is there, and taken
            return slot
        return None

    def give_back(self, slot: dict[str, Any]) -> None:
        """Free a slot, unless its lease was lost meanwhile."""
        self.collection.update_one(
            {"_id": slot["_id"], "lease.token": slot["lease"]["token"]}, {"$set": {"lease": None}}
        )

    def campaigns_without(self) -> list[str]:
        """Names of running campaigns that have a limit and whose labels would have to wait for a slot."""
        limited = self.campaigns.find({"state": RUNNING, "config.qm.concurrency": {"$ne": None}})
        limits = {
            c["name"]: (c["config"]["qm"]["interface"], c["config"]["qm"]["concurrency"]) for c in limited
        }
        return [name for name, limit in limits.items() if self.all_taken(*limit)]

    def all_taken(self, interface: str, count: int) -> bool:
        """Whether the slots 1 … `count` of an interface are taken."""
        self._free_those_of_the_dead(interface)
        slots = [f"{interface} {number}" for number in range(1, count + 1)]
        held = {"_id": {"$in": slots}, "lease.until": {"$gte": now()}}
        return self.collection.count_documents(held) == count

    def _free_those_of_the_dead(self, interface: str) -> None:
        break_dead_leases(self.collection, {"interface": interface})
