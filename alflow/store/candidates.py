"""Candidates of a convex-hull screening: one small document each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from ase import Atoms
from bson import ObjectId
from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from alflow.states import CandidateState, Dropped
from alflow.store.arrays import decode_atoms, encode_atoms
from alflow.store.times import now

_DUPLICATE_KEY = 11000
_ORDER_BYTES = 6
# The embedded server sorts all matches of a query even if there is a limit, so the first candidates of the
# order are searched in larger and larger parts of it.
_WINDOWS = [2 ** (8 * _ORDER_BYTES - shrunk) for shrunk in range(10, -1, -2)]


def order_of(name: str) -> int:
    """Place of a candidate in the shuffled order: the same in every run, and independent of its source."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=_ORDER_BYTES).digest(), "big")


def energies_without(candidate: dict[str, Any], stage: int) -> dict[str, float]:
    """Energies of a candidate that a stage puts aside: an energy of an older version must not count."""
    return {key: energy for key, energy in candidate["energies"].items() if key != str(stage)}


class Candidates:
    """One document per candidate.

    ``campaign, name, formula, fractions, atoms, order, stage, state, dropped, reason, round, version,
    extrapolation_grade, energies, above_hull, label``. `atoms` is the structure as relaxed so far,
    `energies` eV per atom after each stage (in the present one with that `version` of its potential),
    `label` its QM relaxation. `dropped` is an `alflow.states.Dropped`, and `reason` its details.

    In each stage: waiting → (paused →) relaxed; then waiting in the next stage, or dropped with a reason.
    After the last stage of potentials: waiting → final, with a QM energy.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["candidates"]
        self.collection.create_index([("campaign", ASCENDING), ("name", ASCENDING)], unique=True)
        self.collection.create_index(
            [(field, ASCENDING) for field in ("campaign", "stage", "state", "order")]
        )

    def add(self, campaign: str, candidates: Iterable[dict[str, Any]]) -> int:
        """Insert the candidates that are not stored yet; return their number.

        Each candidate has ``name, fractions, atoms``, and ``dropped, reason`` if it is dropped at once.
        """
        documents = [_document(campaign, **candidate) for candidate in candidates]
        if not documents:
            return 0
        try:
            self.collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            errors = error.details["writeErrors"]
            if any(e["code"] != _DUPLICATE_KEY for e in errors):
                raise
            return len(documents) - len(errors)
        return len(documents)

    def count(self, campaign: str) -> int:
        """Number of all candidates."""
        return self.collection.count_documents({"campaign": campaign})

    def counts(self, campaign: str) -> dict[int, dict[str, int]]:
        """Number of candidates by stage and state."""
        groups = self.collection.aggregate(
            [
                {"$match": {"campaign": campaign}},
                {"$group": {"_id": {"stage": "$stage", "state": "$state"}, "count": {"$sum": 1}}},
            ]
        )
        counts: dict[int, dict[str, int]] = {}
        for group in groups:
            counts.setdefault(group["_id"]["stage"], {})[group["_id"]["state"]] = group["count"]
        return dict(sorted(counts.items()))

    def has(self, campaign: str, **where: Any) -> bool:
        """Whether a candidate matches."""
        return self.collection.find_one({"campaign": campaign, **where}, {"_id": 1}) is not None

    def ids(
        self, campaign: str, stage: int, state: CandidateState, limit: int = 0, **where: Any
    ) -> list[ObjectId]:
        """Candidates of a stage in a state, in the shuffled order; all candidates, or the first `limit`."""
        query = {"campaign": campaign, "stage": stage, "state": state, **where}
        for end in _WINDOWS if limit else _WINDOWS[-1:]:
            found = self.collection.find({**query, "order": {"$lt": end}}, {"_id": 1})
            ids = [document["_id"] for document in found.sort("order", ASCENDING).limit(limit)]
            if len(ids) == limit:
                break
        return ids

    def get(self, candidates: list[ObjectId]) -> list[dict[str, Any]]:
        """The documents with these ids, in the order of the ids, with `atoms` as Atoms."""
        found = {d["_id"]: _decoded(d) for d in self.collection.find({"_id": {"$in": candidates}})}
        return [found[key] for key in candidates]

    def find(self, campaign: str, **where: Any) -> Iterator[dict[str, Any]]:
        """Yield the documents of a campaign in the shuffled order, with `atoms` as Atoms."""
        cursor = self.collection.find({"campaign": campaign, **where}).sort("order", ASCENDING)
        return map(_decoded, cursor)

    def energies(self, campaign: str, stage: int) -> tuple[list[ObjectId], np.ndarray, np.ndarray]:
        """Ids, fractions (n, species) and energies (n,), eV per atom, of a stage's relaxed candidates."""
        field = f"energies.{stage}"
        found = list(
            self.collection.find(
                {"campaign": campaign, field: {"$exists": True}}, {"fractions": 1, field: 1}
            ).sort("order", ASCENDING)
        )
        ids = [document["_id"] for document in found]
        fractions = np.array([document["fractions"] for document in found], dtype=float)
        return ids, fractions, np.array([document["energies"][str(stage)] for document in found], dtype=float)

    def dropped(self, campaign: str) -> Iterator[dict[str, Any]]:
        """``name, stage, dropped, reason`` of the dropped candidates of a campaign, in the shuffled order."""
        fields = {"name": 1, "stage": 1, "dropped": 1, "reason": 1}
        query = {"campaign": campaign, "state": CandidateState.DROPPED}
        yield from self.collection.find(query, fields).sort("order", ASCENDING)

    def write(self, updates: Iterable[tuple[ObjectId, dict[str, Any]]]) -> None:
        """Set fields of candidates; `atoms` is given as Atoms."""
        operations = [UpdateOne({"_id": key}, {"$set": _encoded(fields)}) for key, fields in updates]
        if operations:
            self.collection.bulk_write(operations, ordered=False)


def _document(
    campaign: str,
    *,
    name: str,
    fractions: list[float],
    atoms: Atoms | None,
    dropped: Dropped | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    return {
        "campaign": campaign,
        "name": name,
        "formula": "" if atoms is None else atoms.get_chemical_formula(),
        "fractions": fractions,
        "atoms": None if atoms is None else encode_atoms(atoms),
        "order": order_of(name),
        "stage": 0,
        "state": CandidateState.WAITING if dropped is None else CandidateState.DROPPED,
        "dropped": dropped,
        "reason": reason,
        "round": 0,
        "version": None,
        "energies": {},
        "created": now(),
    }


def _encoded(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: encode_atoms(value) if isinstance(value, Atoms) else value for key, value in fields.items()}


def _decoded(document: dict[str, Any]) -> dict[str, Any]:
    if document["atoms"] is not None:
        document["atoms"] = decode_atoms(document["atoms"])
    return document
