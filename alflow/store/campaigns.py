"""Campaigns: the resolved configuration and the state of the loop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from alflow.campaign.file import parse_campaign
from alflow.campaign.kinds import CampaignSettings
from alflow.errors import InputError
from alflow.store.lease import break_dead_leases, free, new_lease, now, renewed

RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"


def config_hash(campaign: CampaignSettings) -> str:
    """Hash of a resolved configuration."""
    text = json.dumps(campaign.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Campaigns:
    """One document a campaign: its ``config``, ``state``, ``reason``, ``round``, counters and ``lease``.

    `round` only grows, by compare-and-set; whoever advances it owns the step.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["campaigns"]
        self.collection.create_index("name", unique=True)

    def create(self, campaign: CampaignSettings) -> bool:
        """Insert a new campaign at round 0; False if the name exists already."""
        try:
            self.collection.insert_one(
                {
                    "name": campaign.name,
                    "config": campaign.model_dump(mode="json"),
                    "config_hash": config_hash(campaign),
                    "state": RUNNING,
                    "reason": None,
                    "round": 0,
                    "barren": 0,
                    "quiet": 0,
                    "cpu_seconds": 0.0,
                    "created": now(),
                    "lease": None,
                }
            )
        except DuplicateKeyError:
            return False
        return True

    def get(self, name: str) -> dict[str, Any]:
        """The document of a campaign.

        Raises
        ------
        InputError
            If there is none of this name.
        """
        document = self.collection.find_one({"name": name})
        if document is None:
            known = ", ".join(sorted(self.names())) or "none"
            raise InputError(f"campaign {name!r} is not in this database; it has: {known}")
        return document

    def config(self, name: str) -> CampaignSettings:
        """The configuration of a campaign as it is stored."""
        return parse_campaign(self.get(name)["config"], name)

    def names(self) -> list[str]:
        """Names of all campaigns, oldest first."""
        return [d["name"] for d in self.collection.find({}, {"name": 1}).sort("created", 1)]

    def replace_config(self, campaign: CampaignSettings, expected_hash: str) -> bool:
        """Compare-and-set the configuration; False if somebody else changed it meanwhile."""
        update = {"config": campaign.model_dump(mode="json"), "config_hash": config_hash(campaign)}
        found = self.collection.find_one_and_update(
            {"name": campaign.name, "config_hash": expected_hash}, {"$set": update}
        )
        return found is not None

    def advance(self, name: str, round_: int, **progress: Any) -> bool:
        """Compare-and-set the round from `round_` to the next, and what else tells how far the loop is.

        False if it had been advanced already.
        """
        found = self.collection.find_one_and_update(
            {"name": name, "round": round_, "state": RUNNING},
            {"$set": {"round": round_ + 1, **progress, "advanced": now()}},
        )
        return found is not None

    def end(self, name: str, state: str, reason: str) -> bool:
        """Compare-and-set from running to an end state, with the reason; False if it was not running."""
        found = self.collection.find_one_and_update(
            {"name": name, "state": RUNNING}, {"$set": {"state": state, "reason": reason, "ended": now()}}
        )
        return found is not None

    def reopen(self, name: str, *states: str) -> bool:
        """Set a campaign that ended in one of these states running again; False if it is in none of them."""
        found = self.collection.find_one_and_update(
            {"name": name, "state": {"$in": list(states)}},
            {"$set": {"state": RUNNING, "reason": None, "barren": 0}, "$unset": {"ended": ""}},
            return_document=ReturnDocument.AFTER,
        )
        return found is not None

    def add_cpu_seconds(self, name: str, seconds: float) -> None:
        """Count the time that a task took."""
        self.collection.update_one({"name": name}, {"$inc": {"cpu_seconds": float(seconds)}})

    @contextmanager
    def leased(self, name: str) -> Iterator[bool]:
        """Hold the campaign's lease during the block; yields False, and holds nothing, if another has it."""
        lease = new_lease()
        document = self.collection.find_one_and_update({"name": name, **free()}, {"$set": {"lease": lease}})
        if document is None:
            yield False
            return
        try:
            with renewed(self.collection, document["_id"], lease["token"]):
                yield True
        finally:
            self.collection.update_one(
                {"_id": document["_id"], "lease.token": lease["token"]}, {"$set": {"lease": None}}
            )

    def break_dead_leases(self, name: str) -> int:
        """Free the campaign if a vanished process of this host held it."""
        return break_dead_leases(self.collection, {"name": name})
