"""Chunks: portions of a screening's work, each done by one worker at a time."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument, UpdateOne
from pymongo.database import Database

from alflow.store.lease import break_dead_leases, free, new_lease, now

READY, FINISHED = "ready", "finished"
_ID_BYTES = 12


class Chunks:
    """One document a chunk: ``campaign, round, number, members, state, lease``; members are packed ids.

    A chunk says who works on which candidates; how far it is stands in the candidates themselves.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["chunks"]
        self.collection.create_index([("campaign", 1), ("round", 1), ("number", 1)], unique=True)

    def create(self, campaign: str, round_: int, members: list[list[ObjectId]]) -> None:
        """Insert the chunks of a round that are not there yet."""
        operations = [
            UpdateOne(
                {"campaign": campaign, "round": round_, "number": number},
                {
                    "$setOnInsert": {
                        "members": b"".join(member.binary for member in chunk),
                        "state": READY,
                        "lease": None,
                    }
                },
                upsert=True,
            )
            for number, chunk in enumerate(members)
        ]
        if operations:
            self.collection.bulk_write(operations)

    def unfinished(self, campaign: str, round_: int) -> list[int]:
        """Numbers of the chunks of a round that are not done."""
        found = self.collection.find(
            {"campaign": campaign, "round": round_, "state": READY}, {"number": 1}
        ).sort("number", 1)
        return [document["number"] for document in found]

    def claim(self, campaign: str, round_: int, number: int) -> dict[str, Any] | None:
        """Take a chunk; None if it is done or taken by another."""
        return self.collection.find_one_and_update(
            {"campaign": campaign, "round": round_, "number": number, "state": READY, **free()},
            {"$set": {"lease": new_lease()}},
            return_document=ReturnDocument.AFTER,
        )

    def get(self, campaign: str, round_: int, number: int) -> dict[str, Any] | None:
        """The document of a chunk, or None."""
        return self.collection.find_one({"campaign": campaign, "round": round_, "number": number})

    def is_finished(self, campaign: str, round_: int, number: int) -> bool:
        """Whether a chunk is done."""
        chunk = self.get(campaign, round_, number)
        return chunk is not None and chunk["state"] == FINISHED

    def finished(self, campaign: str) -> list[dict[str, Any]]:
        """What the finished chunks of a campaign came to, without their members."""
        query = {"campaign": campaign, "state": FINISHED}
        return list(self.collection.find(query, {"members": 0}).sort([("round", 1), ("number", 1)]))

    def finish(self, chunk: dict[str, Any], **facts: Any) -> bool:
        """End a claimed chunk, with what it came to. False if the lease was lost."""
        found = self.collection.find_one_and_update(
            {"_id": chunk["_id"], "lease.token": chunk["lease"]["token"]},
            {"$set": {"state": FINISHED, "lease": None, "ended": now(), **facts}},
        )
        return found is not None

    def break_dead_leases(self, campaign: str) -> int:
        """Free chunks that vanished processes of this host had; how many."""
        return break_dead_leases(self.collection, {"campaign": campaign})

    @staticmethod
    def members(chunk: dict[str, Any]) -> list[ObjectId]:
        """Candidates of a chunk."""
        packed = bytes(chunk["members"])
        return [ObjectId(packed[i : i + _ID_BYTES]) for i in range(0, len(packed), _ID_BYTES)]
