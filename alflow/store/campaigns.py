"""Campaigns: the resolved configuration and the state of the loop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from alflow.campaign.file import parse_campaign
from alflow.campaign.kinds import CampaignSettings
from alflow.errors import InputError
from alflow.states import CampaignState, Role
from alflow.store.cost import Cost
from alflow.store.leased_work import LeasedWork
from alflow.store.times import now

SCHEMA_VERSION = 2
"""Schema of the documents that this release writes; `alflow.store.migrations` upgrades older documents."""


def config_hash(campaign: CampaignSettings) -> str:
    """Hash of a resolved configuration."""
    text = json.dumps(campaign.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Campaigns:
    """One document per campaign: ``config, state, reason, round, cost, lease``, counters, schema version.

    `round` only grows, by compare-and-set; the process that advances it owns the step. `cost` holds
    `alflow.store.cost.Cost` by role. `folder`, if it is there, is the path of a folder for results.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["campaigns"]
        self.collection.create_index("name", unique=True)
        self.work = LeasedWork(self.collection)

    def create(self, campaign: CampaignSettings) -> bool:
        """Insert a new campaign at round 0; False if the name exists already."""
        try:
            self.collection.insert_one(
                {
                    "schema_version": SCHEMA_VERSION,
                    "name": campaign.name,
                    "config": campaign.model_dump(mode="json"),
                    "config_hash": config_hash(campaign),
                    "state": CampaignState.RUNNING,
                    "reason": None,
                    "round": 0,
                    "barren": 0,
                    "quiet": 0,
                    "cost": {},
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
            If there is no campaign of this name.
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
        """Compare-and-set the configuration; False if another process changed it meanwhile."""
        update = {"config": campaign.model_dump(mode="json"), "config_hash": config_hash(campaign)}
        found = self.collection.find_one_and_update(
            {"name": campaign.name, "config_hash": expected_hash}, {"$set": update}
        )
        return found is not None

    def set_folder(self, name: str, folder: Path) -> None:
        """Name the folder that gets the potential after every round, on machines where it exists."""
        self.collection.update_one({"name": name}, {"$set": {"folder": str(folder)}})

    def folder(self, name: str) -> Path | None:
        """The folder that `set_folder` named, if this machine has it."""
        named = self.get(name).get("folder")
        return Path(named) if named is not None and Path(named).is_dir() else None

    def advance(self, name: str, round_: int, **progress: Any) -> bool:
        """Compare-and-set the round from `round_` to the next, together with other facts of the progress.

        False if another call had advanced it already.
        """
        found = self.collection.find_one_and_update(
            {"name": name, "round": round_, "state": CampaignState.RUNNING},
            {"$set": {"round": round_ + 1, **progress, "advanced": now()}},
        )
        return found is not None

    def end(self, name: str, state: CampaignState, reason: str) -> bool:
        """Compare-and-set from running to an end state, with the reason; False if it was not running."""
        found = self.collection.find_one_and_update(
            {"name": name, "state": CampaignState.RUNNING},
            {"$set": {"state": state, "reason": reason, "ended": now()}},
        )
        return found is not None

    def reopen(self, name: str, *states: CampaignState) -> bool:
        """Set a campaign in one of these end states running again; False if it is in none of them."""
        found = self.collection.find_one_and_update(
            {"name": name, "state": {"$in": list(states)}},
            {
                "$set": {"state": CampaignState.RUNNING, "reason": None, "barren": 0},
                "$unset": {"ended": ""},
            },
        )
        return found is not None

    def add_cost(self, name: str, role: Role, cost: Cost) -> None:
        """Add the cost of a task to the campaign's cost of the task's role."""
        self.collection.update_one(
            {"name": name}, {"$inc": {f"cost.{role}.{key}": value for key, value in vars(cost).items()}}
        )

    def claim(self, name: str) -> dict[str, Any] | None:
        """Lease a campaign; None if another process has it."""
        return self.work.claim({"name": name})

    @contextmanager
    def held(self, campaign: dict[str, Any]) -> Iterator[None]:
        """Hold the lease of a claimed campaign during the block, then end it."""
        try:
            with self.work.held(campaign):
                yield
        finally:
            self.work.release(campaign)

    @contextmanager
    def leased(self, name: str) -> Iterator[bool]:
        """Hold the campaign's lease during the block; yields False, and holds nothing, if another has it."""
        campaign = self.claim(name)
        if campaign is None:
            yield False
            return
        with self.held(campaign):
            yield True

    def break_dead_leases(self, name: str) -> int:
        """Free the campaign if a vanished process of this host held it; return the number freed (0 or 1)."""
        return self.work.break_dead({"name": name})
