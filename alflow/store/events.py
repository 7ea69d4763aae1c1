"""Events of campaigns, with time and facts; append only."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from alflow.store.arrays import encode
from alflow.store.times import now


class Events:
    """One document per event: ``campaign, key, kind, round, time`` and its facts.

    The key is unique, so a task that runs several times stores its event once.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["events"]
        self.collection.create_index([("campaign", 1), ("key", 1)], unique=True)

    def add(self, campaign: str, key: str, kind: str, round_: int, **facts: Any) -> bool:
        """Append an event; False if an event with this key exists, which is then kept."""
        document = {
            "campaign": campaign,
            "key": key,
            "kind": kind,
            "round": round_,
            "time": now(),
            **encode(facts),
        }
        try:
            self.collection.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    def get(self, campaign: str, key: str) -> dict[str, Any] | None:
        """The event with a key, or None."""
        return self.collection.find_one({"campaign": campaign, "key": key})

    def find(self, campaign: str, kind: str | None = None) -> list[dict[str, Any]]:
        """A campaign's events, oldest first."""
        query = {"campaign": campaign} if kind is None else {"campaign": campaign, "kind": kind}
        return list(self.collection.find(query).sort([("time", 1), ("_id", 1)]))
