"""Labels: results and failures of quantum mechanics, each configuration once per level of theory."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.database import Database

from alflow.store.arrays import decode_array, decode_atoms, encode, encode_array, encode_atoms
from alflow.store.lease import break_dead_leases, free, new_lease, now

WAITING, RUNNING, DONE, FAILED, REJECTED = STATES = ("waiting", "running", "done", "failed", "rejected")
ENDED = (DONE, FAILED, REJECTED)
MAX_DEATHS = 5  # a label that takes its worker down every time must not do so for ever


def level_hash(level_of_theory: Mapping[str, Any]) -> str:
    """Hash of a canonical, JSON-able level of theory."""
    return hashlib.sha256(json.dumps(level_of_theory, sort_keys=True).encode()).hexdigest()


class Labels:
    """One document a label.

    ``configuration, level_hash, level, state, reason, failures, attempts, relaxation, timeout_s, requests,
    energy_eV, forces_eV_A, stress_eV_A3, relaxed, wall_time_s, host, code, code_version, details, folder,
    lease``; `requests` names the campaigns that asked, with round and number; `timeout_s`, where it is set,
    goes before the campaign's; `wall_time_s` is that of all attempts, `folder` where their files are kept on
    `host`.
    waiting → running → done | rejected | failed, each step a compare-and-set.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["labels"]
        self.configurations = database["configurations"]
        self.collection.create_index([("configuration", 1), ("level_hash", 1)], unique=True)
        self.collection.create_index([("requests.campaign", 1), ("state", 1)])

    def request(
        self,
        configuration: ObjectId,
        level: Mapping[str, Any],
        *,
        campaign: str,
        round_: int,
        number: int,
        held_out: bool = False,
        relaxation: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> ObjectId:
        """Ask for a label; the one that exists is shared. Idempotent.

        What is `held_out` is for testing, and not trained on until it is asked for otherwise. With
        `relaxation` (its settings) the label is of what the configuration relaxes to.
        """
        key = {"configuration": configuration, "level_hash": level_hash(level)}
        asked = {"campaign": campaign, "round": round_, "number": number, "held_out": held_out}
        document = self.collection.find_one_and_update(
            key,
            {
                "$setOnInsert": {
                    "level": dict(level),
                    "state": WAITING,
                    "reason": None,
                    "failures": [],
                    "attempts": 0,
                    "relaxation": None if relaxation is None else dict(relaxation),
                    "timeout_s": timeout_s,
                    "requests": [],
                    "lease": None,
                    "created": now(),
                }
            },
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert document is not None  # an upsert
        self.collection.update_one(
            {"_id": document["_id"], "requests.campaign": {"$ne": campaign}},
            {"$push": {"requests": asked}},
        )
        for place, earlier in enumerate(document["requests"]):  # requests are only ever appended
            if earlier["campaign"] == campaign and earlier.get("held_out") and not held_out:
                trained_on = {f"requests.{place}.held_out": False}
                self.collection.update_one({"_id": document["_id"]}, {"$set": trained_on})
        return document["_id"]

    def get(self, label: ObjectId) -> dict[str, Any]:
        """The document of a label."""
        document = self.collection.find_one({"_id": label})
        if document is None:
            raise KeyError(f"no label {label}")
        return document

    def find(self, campaign: str, **where: Any) -> list[dict[str, Any]]:
        """A campaign's labels without their arrays, in the order in which they were asked for."""
        documents = self.collection.find(
            {"requests.campaign": campaign, **where}, {"forces_eV_A": 0, "stress_eV_A3": 0, "relaxed": 0}
        )
        for document in (found := list(documents)):
            asked = next(r for r in document["requests"] if r["campaign"] == campaign)
            document |= {key: asked.get(key) for key in ("round", "number", "held_out")}
        return sorted(found, key=lambda d: (d["round"], d["number"]))

    def done(self, campaign: str, before_round: int | None = None) -> list[ObjectId]:
        """Ids of a campaign's finished labels, in the order in which they were asked for."""
        found = self.find(campaign, state=DONE)
        return [d["_id"] for d in found if before_round is None or d["round"] < before_round]

    def to_train_on(self, campaign: str) -> list[ObjectId]:
        """Ids of a campaign's finished labels that are not held out, in the order of the requests."""
        return [d["_id"] for d in self.find(campaign, state=DONE) if not d["held_out"]]

    def counts(self, campaign: str) -> dict[str, int]:
        """Number of a campaign's labels by state."""
        return {
            state: self.collection.count_documents({"requests.campaign": campaign, "state": state})
            for state in STATES
        }

    def claim(self, label: ObjectId) -> dict[str, Any] | None:
        """Take a waiting label, or a running one whose lease has ended; None if there is nothing to take."""
        lease = new_lease()
        document = self.collection.find_one_and_update(
            {"_id": label, "state": {"$in": [WAITING, RUNNING]}, **free()},
            {
                "$set": {
                    "state": RUNNING,
                    "lease": lease,
                    "started": now(),
                    "host": socket.gethostname(),
                    "folder": None,
                },
                "$inc": {"attempts": 1},
            },
            return_document=ReturnDocument.AFTER,
        )
        if document is None or document["attempts"] - len(document["failures"]) <= MAX_DEATHS:
            return document
        self._end(
            label, lease["token"], FAILED, f"the worker died {MAX_DEATHS} times while it ran this label", {}
        )
        return None

    def add_failure(self, label: ObjectId, token: str, reason: str) -> bool:
        """Record a failed attempt of a running label and count the next; False if the lease was lost."""
        found = self.collection.find_one_and_update(
            {"_id": label, "lease.token": token}, {"$push": {"failures": reason}, "$inc": {"attempts": 1}}
        )
        return found is not None

    def finish(
        self,
        label: ObjectId,
        token: str,
        *,
        energy_eV: float,
        forces_eV_A: np.ndarray,
        stress_eV_A3: np.ndarray | None,
        rejections: list[str],
        relaxed: Atoms | None = None,
        **facts: Any,
    ) -> bool:
        """Store a result: done, or rejected with the reasons. False if the lease was lost meanwhile."""
        result = {
            "energy_eV": float(energy_eV),
            "forces_eV_A": encode_array(forces_eV_A),
            "stress_eV_A3": None if stress_eV_A3 is None else encode_array(stress_eV_A3),
            "relaxed": None if relaxed is None else encode_atoms(relaxed),
            **encode(facts),
        }
        state = REJECTED if rejections else DONE
        return self._end(label, token, state, "; ".join(rejections) or None, result)

    def fail(self, label: ObjectId, token: str, reason: str, **facts: Any) -> bool:
        """Give a label up, with a reason a person can read. False if the lease was lost meanwhile."""
        return self._end(label, token, FAILED, reason, encode(facts))

    def reject(self, label: ObjectId, token: str, reason: str, **facts: Any) -> bool:
        """Reject a label whose result was not even stored. False if the lease was lost meanwhile."""
        return self._end(label, token, REJECTED, reason, encode(facts))

    def _end(self, label: ObjectId, token: str, state: str, reason: str | None, more: dict[str, Any]) -> bool:
        found = self.collection.find_one_and_update(
            {"_id": label, "lease.token": token, "state": RUNNING},
            {"$set": {"state": state, "reason": reason, "ended": now(), "lease": None, **more}},
        )
        return found is not None

    def retry(self, label: ObjectId, timeout_s: float | None = None) -> bool:
        """Set a failed or rejected label waiting again; False if it was neither.

        With `timeout_s`, this is the time limit of its first attempt, whatever the campaign says.
        """
        changes: dict[str, Any] = {"state": WAITING, "reason": None, "failures": [], "attempts": 0}
        if timeout_s is not None:
            changes["timeout_s"] = timeout_s
        found = self.collection.find_one_and_update(
            {"_id": label, "state": {"$in": [FAILED, REJECTED]}}, {"$set": changes}
        )
        return found is not None

    def drop(self, label: ObjectId, reason: str) -> bool:
        """Reject a finished label by hand: it is not trained on any more. False if it was not done."""
        found = self.collection.find_one_and_update(
            {"_id": label, "state": DONE}, {"$set": {"state": REJECTED, "reason": reason}}
        )
        return found is not None

    def import_result(
        self,
        configuration: ObjectId,
        level: Mapping[str, Any],
        atoms: Atoms,
        *,
        campaign: str,
        number: int,
        code: str = "imported",
        code_version: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> ObjectId:
        """Store a label that was computed elsewhere (`atoms` carries energy, forces, maybe stress)."""
        label = self.request(configuration, level, campaign=campaign, round_=0, number=number)
        claimed = self.claim(label)
        if claimed is not None:
            stress = atoms.calc.results.get("stress")
            self.finish(
                label,
                claimed["lease"]["token"],
                energy_eV=atoms.get_potential_energy(),
                forces_eV_A=atoms.get_forces(),
                stress_eV_A3=stress,
                rejections=[],
                code=code,
                code_version=code_version,
                wall_time_s=0.0,
                details=dict(details or {}),
            )
        return label

    def structures(self, labels: list[ObjectId]) -> list[Atoms]:
        """Labelled structures (with a SinglePointCalculator) of finished labels, in the order given.

        Of relaxations they are the relaxed ones.
        """
        documents = {d["_id"]: d for d in self.collection.find({"_id": {"$in": labels}})}
        ids = [documents[label]["configuration"] for label in labels]
        atoms = {
            d["_id"]: decode_atoms(d["atoms"])
            for d in self.configurations.find({"_id": {"$in": ids}}, {"atoms": 1})
        }
        return [
            _labelled(atoms[documents[label]["configuration"]].copy(), documents[label]) for label in labels
        ]

    def break_dead_leases(self, campaign: str) -> int:
        """Free labels that vanished processes of this host were running; how many."""
        return break_dead_leases(self.collection, {"requests.campaign": campaign, "state": RUNNING})


def _labelled(asked: Atoms, document: dict[str, Any]) -> Atoms:
    atoms = asked if document.get("relaxed") is None else decode_atoms(document["relaxed"])
    results = {"energy": document["energy_eV"], "forces": decode_array(document["forces_eV_A"])}
    if document["stress_eV_A3"] is not None:
        results["stress"] = decode_array(document["stress_eV_A3"])
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info["label"] = str(document["_id"])
    if "imported" not in document["level"]:  # a file, whose level nobody knows
        atoms.info["level_of_theory"] = document["level_hash"]
    atoms.info |= {key: document[key] for key in ("code", "code_version") if document.get(key)}
    return atoms
