"""Configurations: structures with a finished or requested label, and their origins."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from ase import Atoms
from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.database import Database

from alflow.store.arrays import decode_atoms, encode, encode_atoms
from alflow.store.times import now

ROUNDING_A = 1e-6  # far below any physical difference, far above rounding errors of a file round trip


def configuration_hash(atoms: Atoms) -> str:
    """Identity of a structure: species, periodicity, cell and positions rounded to 1e-6 Å."""
    digest = hashlib.sha256()
    digest.update(atoms.numbers.astype("<i2").tobytes())
    digest.update(np.asarray(atoms.pbc, dtype="u1").tobytes())
    for values in (atoms.cell.array, atoms.positions):
        digest.update(np.round(values / ROUNDING_A).astype("<i8").tobytes())
    return digest.hexdigest()


class Configurations:
    """One document per structure: ``hash, formula, atoms, source``; immutable."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["configurations"]
        self.collection.create_index("hash", unique=True)

    def add(self, atoms: Atoms, source: dict[str, Any]) -> ObjectId:
        """Insert a structure unless it is stored; return its id. `source` describes its first origin."""
        document = self.collection.find_one_and_update(
            {"hash": configuration_hash(atoms)},
            {
                "$setOnInsert": {
                    "formula": atoms.get_chemical_formula(),
                    "atoms": encode_atoms(atoms),
                    "source": encode(source),
                    "created": now(),
                }
            },
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert document is not None  # an upsert
        found: ObjectId = document["_id"]
        return found

    def get(self, configuration: ObjectId) -> dict[str, Any]:
        """The document of a configuration."""
        document = self.collection.find_one({"_id": configuration})
        if document is None:
            raise KeyError(f"no configuration {configuration}")
        return document

    def origins(self, configurations: list[ObjectId]) -> dict[ObjectId, dict[str, Any]]:
        """The documents with these ids, without their structures: ``formula`` and ``source``."""
        found = self.collection.find({"_id": {"$in": configurations}}, {"formula": 1, "source": 1})
        return {document["_id"]: document for document in found}

    def atoms(self, configurations: list[ObjectId]) -> list[Atoms]:
        """The structures with these ids, in the order of the ids."""
        found = {
            d["_id"]: decode_atoms(d["atoms"])
            for d in self.collection.find({"_id": {"$in": configurations}}, {"atoms": 1})
        }
        return [found[key] for key in configurations]
