"""Labels: results and failures of quantum mechanics, one label per configuration and level of theory."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.database import Database

from alflow.states import LabelKind, LabelState
from alflow.store.arrays import decode_array, decode_atoms, encode, encode_array, encode_atoms
from alflow.store.leased_work import LeasedWork
from alflow.store.retries import ANEW, ONE_MORE, Tries
from alflow.store.times import now
from alflow.structures.label_energy import label_energy

_log = logging.getLogger(__name__)


def level_hash(level_of_theory: Mapping[str, Any]) -> str:
    """Hash of a canonical, JSON-able level of theory."""
    return hashlib.sha256(json.dumps(level_of_theory, sort_keys=True).encode()).hexdigest()


class Labels:
    """One document per label.

    ``configuration, level_hash, level, state, reason, failures, attempts, relaxation, timeout_s, requests,
    energy_eV, forces_eV_A, stress_eV_A3, relaxed, wall_time_s, processor_s, host, code, code_version,
    details, folder, lease``. `requests` has one entry per campaign that asked: ``campaign, round, number,
    kind, stage, held_out``, from its first request. `timeout_s`, if set, takes precedence over the
    campaign's. `wall_time_s` and `processor_s` are sums over all attempts, without waiting. `folder` is the
    path on `host` that holds their files.
    waiting → running → done | rejected | failed, each step a compare-and-set.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["labels"]
        self.configurations = database["configurations"]
        self.collection.create_index([("configuration", 1), ("level_hash", 1)], unique=True)
        self.collection.create_index([("requests.campaign", 1), ("state", 1)])
        self.work = LeasedWork(self.collection)

    def request(
        self,
        configuration: ObjectId,
        level: Mapping[str, Any],
        *,
        campaign: str,
        round_: int,
        number: int,
        kind: LabelKind,
        stage: int | None = None,
        relaxation: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> ObjectId:
        """Request a label; an existing label is shared. Idempotent.

        Parameters
        ----------
        round_, number
            Together they are the name of the label in its campaign.
        kind
            Purpose of the label. Training leaves out labels of a held-out kind, until the campaign requests
            the same label again with another kind.
        stage
            Stage of a screening, from 0.
        relaxation
            Settings of a relaxation: the label describes the structure to which the configuration relaxes.
        timeout_s
            Time limit of the first attempt, instead of the campaign's.
        """
        key = {"configuration": configuration, "level_hash": level_hash(level)}
        asked = {
            "campaign": campaign,
            "round": round_,
            "number": number,
            "kind": kind,
            "stage": stage,
            "held_out": kind.is_held_out,
        }
        document = self.collection.find_one_and_update(
            key,
            {
                "$setOnInsert": {
                    "level": dict(level),
                    "state": LabelState.WAITING,
                    "reason": None,
                    **ANEW,
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
            if earlier["campaign"] == campaign and earlier["held_out"] and not kind.is_held_out:
                trained_on = {f"requests.{place}.held_out": False}
                self.collection.update_one({"_id": document["_id"]}, {"$set": trained_on})
        found: ObjectId = document["_id"]
        return found

    def get(self, label: ObjectId) -> dict[str, Any]:
        """The document of a label."""
        document = self.collection.find_one({"_id": label})
        if document is None:
            raise KeyError(f"no label {label}")
        return document

    def find(self, campaign: str, **where: Any) -> list[dict[str, Any]]:
        """A campaign's labels without their arrays, in the order of the requests.

        Each label has the fields ``round, number, kind, stage, held_out`` of the campaign's request.
        """
        documents = self.collection.find(
            {"requests.campaign": campaign, **where}, {"forces_eV_A": 0, "stress_eV_A3": 0, "relaxed": 0}
        )
        for document in (found := list(documents)):
            asked = next(r for r in document["requests"] if r["campaign"] == campaign)
            document |= {key: asked[key] for key in ("round", "number", "kind", "stage", "held_out")}
        return sorted(found, key=lambda d: (d["round"], d["number"]))

    def done(self, campaign: str, before_round: int | None = None) -> list[ObjectId]:
        """Ids of a campaign's finished labels, in the order of the requests."""
        found = self.find(campaign, state=LabelState.DONE)
        return [d["_id"] for d in found if before_round is None or d["round"] < before_round]

    def to_train_on(self, campaign: str) -> list[ObjectId]:
        """Ids of a campaign's finished labels that are not held out, in the order of the requests."""
        return [d["_id"] for d in self.find(campaign, state=LabelState.DONE) if not d["held_out"]]

    def counts(self, campaign: str) -> dict[LabelState, int]:
        """Number of a campaign's labels by state."""
        return {
            state: self.collection.count_documents({"requests.campaign": campaign, "state": state})
            for state in LabelState
        }

    def claim(self, label: ObjectId) -> dict[str, Any] | None:
        """Lease a waiting label, or a running one whose lease has ended; None if no label can be leased."""
        document = self.work.claim(
            {"_id": label, "state": {"$in": [LabelState.WAITING, LabelState.RUNNING]}},
            set_={
                "state": LabelState.RUNNING,
                "started": now(),
                "host": socket.gethostname(),
                "folder": None,
            },
            inc=ONE_MORE,
        )
        if document is None or (reason := Tries.of(document).reason_to_give_up) is None:
            return document
        self.fail(label, document["lease"]["token"], reason)
        return None

    def add_failure(
        self, label: ObjectId, token: str, reason: str, *, wall_time_s: float = 0.0, processor_s: float = 0.0
    ) -> bool:
        """Record a failed attempt of a running label, before the next; False if the lease was lost."""
        _log.warning("an attempt at label %s failed: %s", label, reason)
        spent = {"wall_time_s": wall_time_s, "processor_s": processor_s}
        return self.work.update(label, token, {"$push": {"failures": reason}, "$inc": {**ONE_MORE, **spent}})

    def finish(
        self,
        label: ObjectId,
        token: str,
        *,
        energy_eV: float | None,
        forces_eV_A: np.ndarray | None,
        stress_eV_A3: np.ndarray | None,
        rejections: list[str],
        relaxed: Atoms | None = None,
        wall_time_s: float = 0.0,
        processor_s: float = 0.0,
        **facts: Any,
    ) -> bool:
        """Store a result: done, or rejected with the reasons. False if the lease was lost meanwhile.

        Parameters
        ----------
        wall_time_s, processor_s
            Times of the last attempt; they are added to the times of earlier attempts.
        """
        result = {
            "energy_eV": None if energy_eV is None else float(energy_eV),
            "forces_eV_A": None if forces_eV_A is None else encode_array(forces_eV_A),
            "stress_eV_A3": None if stress_eV_A3 is None else encode_array(stress_eV_A3),
            "relaxed": None if relaxed is None else encode_atoms(relaxed),
            **encode(facts),
        }
        state = LabelState.REJECTED if rejections else LabelState.DONE
        spent = {"wall_time_s": wall_time_s, "processor_s": processor_s}
        return self._end(label, token, state, "; ".join(rejections) or None, spent, result)

    def fail(
        self,
        label: ObjectId,
        token: str,
        reason: str,
        *,
        state: LabelState = LabelState.FAILED,
        wall_time_s: float = 0.0,
        processor_s: float = 0.0,
        **facts: Any,
    ) -> bool:
        """Give up a label, with a reason that a person can read. False if the lease was lost meanwhile.

        Parameters
        ----------
        state
            Rejected if there was a result that was not stored.
        wall_time_s, processor_s
            As in `finish`.
        """
        spent = {"wall_time_s": wall_time_s, "processor_s": processor_s}
        return self._end(label, token, state, reason, spent, encode(facts))

    def _end(
        self,
        label: ObjectId,
        token: str,
        state: LabelState,
        reason: str | None,
        spent: dict[str, float],
        more: dict[str, Any],
    ) -> bool:
        if state != LabelState.DONE:
            _log.info("label %s is %s: %s", label, state, reason)
        return self.work.finish(
            label, token, {"state": state, "reason": reason, **more}, inc=spent, state=LabelState.RUNNING
        )

    def retry(self, label: ObjectId, timeout_s: float | None = None) -> bool:
        """Set a failed or rejected label waiting again; False if it was neither.

        Parameters
        ----------
        timeout_s
            New time limit of its first attempt; it overrides the campaign's.
        """
        changes: dict[str, Any] = {
            **ANEW,
            "state": LabelState.WAITING,
            "reason": None,
            "problem": None,
            "wall_time_s": 0.0,
            "processor_s": 0.0,
        }
        if timeout_s is not None:
            changes["timeout_s"] = timeout_s
        found = self.collection.find_one_and_update(
            {"_id": label, "state": {"$in": [LabelState.FAILED, LabelState.REJECTED]}}, {"$set": changes}
        )
        return found is not None

    def drop(self, label: ObjectId, reason: str) -> bool:
        """Reject a finished label by hand; later refits leave it out. False if it was not done."""
        found = self.collection.find_one_and_update(
            {"_id": label, "state": LabelState.DONE},
            {"$set": {"state": LabelState.REJECTED, "reason": reason}},
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
        """Store a label that was computed elsewhere; `atoms` carries energy or forces, maybe stress."""
        label = self.request(
            configuration, level, campaign=campaign, round_=0, number=number, kind=LabelKind.IMPORTED
        )
        claimed = self.claim(label)
        if claimed is not None:
            results = atoms.calc.results  # as they are: `get_forces` would set those of fixed atoms to zero
            self.finish(
                label,
                claimed["lease"]["token"],
                energy_eV=label_energy(results),
                forces_eV_A=results.get("forces"),
                stress_eV_A3=results.get("stress"),
                rejections=[],
                code=code,
                code_version=code_version,
                details=dict(details or {}),
            )
        return label

    def structures(self, labels: list[ObjectId]) -> list[Atoms]:
        """Labelled structures (with a SinglePointCalculator) of finished labels, in the order given.

        For relaxations, these are the relaxed structures.
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
        """Free labels that vanished processes of this host were running; return their number."""
        return self.work.break_dead({"requests.campaign": campaign, "state": LabelState.RUNNING})


def _labelled(asked: Atoms, document: dict[str, Any]) -> Atoms:
    atoms = asked if document.get("relaxed") is None else decode_atoms(document["relaxed"])
    results = {} if document["energy_eV"] is None else {"energy": document["energy_eV"]}
    for name, key in (("forces", "forces_eV_A"), ("stress", "stress_eV_A3")):
        if document[key] is not None:
            results[name] = decode_array(document[key])
    atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info["label"] = str(document["_id"])
    if "imported" not in document["level"]:  # a file, whose level is unknown
        atoms.info["level_of_theory"] = document["level_hash"]
    atoms.info |= {key: document[key] for key in ("code", "code_version") if document.get(key)}
    return atoms
