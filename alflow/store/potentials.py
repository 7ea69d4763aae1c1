"""Potentials: every version of a campaign's potential, immutable."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from alflow.store.arrays import encode
from alflow.store.files import Files
from alflow.store.times import now

_ID_BYTES = 12


class Potentials:
    """One document per version: ``campaign, version, kind, round, labels, errors, seconds``.

    GridFS holds the file of the potential and the active set; `labels` is the packed list of training labels.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["potentials"]
        self.collection.create_index([("campaign", 1), ("version", 1)], unique=True)
        self.files = Files(database)

    def add(
        self,
        campaign: str,
        version: int,
        *,
        kind: str,
        content: bytes,
        active_set: bytes,
        labels: list[ObjectId],
        errors: dict[str, Any],
        **facts: Any,
    ) -> bool:
        """Insert a version, files first; False if it exists already."""
        if self.collection.find_one({"campaign": campaign, "version": version}, {"_id": 1}):
            return False
        self.files.put(self._name(campaign, version, kind), content, campaign=campaign, kind=kind)
        self.files.put(self._name(campaign, version, "active"), active_set, campaign=campaign, kind="active")
        try:
            self.collection.insert_one(
                {
                    "campaign": campaign,
                    "version": version,
                    "kind": kind,
                    "labels": b"".join(label.binary for label in labels),
                    "label_count": len(labels),
                    "errors": encode(errors),
                    "created": now(),
                    **encode(facts),
                }
            )
        except DuplicateKeyError:
            return False
        return True

    def latest(self, campaign: str, **where: Any) -> dict[str, Any] | None:
        """The newest version's document, or None."""
        return self.collection.find_one({"campaign": campaign, **where}, sort=[("version", -1)])

    def history(self, campaign: str) -> list[dict[str, Any]]:
        """All versions without their label lists, oldest first."""
        return list(self.collection.find({"campaign": campaign}, {"labels": 0}).sort("version", 1))

    def label_ids(self, document: dict[str, Any]) -> list[ObjectId]:
        """The training labels of a version."""
        packed = bytes(document["labels"])
        return [ObjectId(packed[i : i + _ID_BYTES]) for i in range(0, len(packed), _ID_BYTES)]

    def kind(self, campaign: str, version: int) -> str:
        """Kind of the potential of a version."""
        document = self.collection.find_one({"campaign": campaign, "version": version}, {"kind": 1})
        if document is None:
            raise KeyError(f"no version {version} of the potential of {campaign}")
        kind: str = document["kind"]
        return kind

    def content(self, campaign: str, version: int) -> bytes:
        """Content of the file of a version, as the potential's `to_bytes` returned it."""
        return self.files.get(self._name(campaign, version, self.kind(campaign, version)))

    def active_set(self, campaign: str, version: int) -> bytes:
        """Bytes of the active set of a version."""
        return self.files.get(self._name(campaign, version, "active"))

    @staticmethod
    def _name(campaign: str, version: int, kind: str) -> str:
        return f"{campaign}/potential-{version}.{kind}"
