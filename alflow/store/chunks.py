"""Chunks: portions of a screening's work, each done by one worker at a time."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.database import Database

from alflow.states import ChunkState, ChunkTask
from alflow.store.leased_work import LeasedWork

_ID_BYTES = 12


class Chunks:
    """One document per chunk: ``campaign, round, number, task, members, state, lease``.

    `members` are packed ids. A chunk assigns candidates to a worker; the candidates themselves hold their
    progress.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["chunks"]
        self.collection.create_index([("campaign", 1), ("round", 1), ("number", 1)], unique=True)
        self.work = LeasedWork(self.collection)

    def create(self, campaign: str, round_: int, members: list[list[ObjectId]], *, task: ChunkTask) -> None:
        """Insert the chunks of a round that are not stored yet."""
        operations = [
            UpdateOne(
                {"campaign": campaign, "round": round_, "number": number},
                {
                    "$setOnInsert": {
                        "task": task,
                        "members": b"".join(member.binary for member in chunk),
                        "state": ChunkState.READY,
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
            {"campaign": campaign, "round": round_, "state": ChunkState.READY}, {"number": 1}
        ).sort("number", 1)
        return [document["number"] for document in found]

    def claim(self, campaign: str, round_: int, number: int) -> dict[str, Any] | None:
        """Lease a chunk; None if it is done or leased to another."""
        return self.work.claim(
            {"campaign": campaign, "round": round_, "number": number, "state": ChunkState.READY}
        )

    def get(self, campaign: str, round_: int, number: int) -> dict[str, Any] | None:
        """The document of a chunk, or None."""
        return self.collection.find_one({"campaign": campaign, "round": round_, "number": number})

    def is_finished(self, campaign: str, round_: int, number: int) -> bool:
        """Whether a chunk is done."""
        chunk = self.get(campaign, round_, number)
        return chunk is not None and chunk["state"] == ChunkState.FINISHED

    def finished(self, campaign: str) -> list[dict[str, Any]]:
        """The results of the finished chunks of a campaign, without their members."""
        query = {"campaign": campaign, "state": ChunkState.FINISHED}
        return list(self.collection.find(query, {"members": 0}).sort([("round", 1), ("number", 1)]))

    def finish(self, chunk: dict[str, Any], **facts: Any) -> bool:
        """End a claimed chunk and store its results; False if the lease was lost."""
        changes = {"state": ChunkState.FINISHED, **facts}
        return self.work.finish(chunk["_id"], chunk["lease"]["token"], changes)

    def break_dead_leases(self, campaign: str) -> int:
        """Free chunks that vanished processes of this host held; return their number."""
        return self.work.break_dead({"campaign": campaign})

    @staticmethod
    def members(chunk: dict[str, Any]) -> list[ObjectId]:
        """Candidates of a chunk."""
        packed = bytes(chunk["members"])
        return [ObjectId(packed[i : i + _ID_BYTES]) for i in range(0, len(packed), _ID_BYTES)]
