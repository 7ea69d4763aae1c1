"""Explorers: molecular-dynamics runs with their goal, checkpoint and state."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from ase import Atoms
from pymongo import ReturnDocument, UpdateOne
from pymongo.database import Database

from alflow.store.arrays import decode, decode_atoms, encode, encode_atoms
from alflow.store.files import Files
from alflow.store.lease import break_dead_leases, free, new_lease, now

READY, PAUSED, FINISHED, FAILED = "ready", "paused", "finished", "failed"
UNFINISHED = (READY, PAUSED)


class Explorers:
    """One document a run: its ``settings``, ``start``, ``checkpoint``, ``state``, ``round`` and ``lease``.

    `round` is the last round that the run has completed; each round is claimed and completed once. What a
    run saw lies in GridFS, one file a segment: candidates (frames above γ_save) and history.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["explorers"]
        self.collection.create_index([("campaign", 1), ("index", 1)], unique=True)
        self.files = Files(database)

    def create(self, campaign: str, runs: list[tuple[Any, Atoms]]) -> None:
        """Insert the runs of a campaign that are not there yet."""
        self.collection.bulk_write(
            [
                UpdateOne(
                    {"campaign": campaign, "index": run.index},
                    {
                        "$setOnInsert": {
                            "name": run.name,
                            "settings": run.model_dump(mode="json"),
                            "start": encode_atoms(atoms),
                            "checkpoint": None,
                            "state": READY,
                            "reason": None,
                            "step": 0,
                            "steps": run.steps,
                            "round": 0,
                            "passes": 0,
                            "segment": 0,
                            "lease": None,
                        }
                    },
                    upsert=True,
                )
                for run, atoms in runs
            ]
        )

    def all(self, campaign: str) -> list[dict[str, Any]]:
        """All runs of a campaign without their arrays, by index."""
        return list(
            self.collection.find({"campaign": campaign}, {"checkpoint": 0, "start": 0}).sort("index", 1)
        )

    def unfinished(self, campaign: str) -> list[dict[str, Any]]:
        """The runs that have further to go."""
        return [run for run in self.all(campaign) if run["state"] in UNFINISHED]

    def claim(self, campaign: str, index: int, round_: int) -> dict[str, Any] | None:
        """Take a run for a round; None if it is finished, done with this round, or taken by another."""
        return self.collection.find_one_and_update(
            {
                "campaign": campaign,
                "index": index,
                "state": {"$in": list(UNFINISHED)},
                "round": {"$lt": round_},
                **free(),
            },
            {"$set": {"lease": new_lease()}, "$inc": {"segment": 1}},
            return_document=ReturnDocument.AFTER,
        )

    def is_taken(self, campaign: str, index: int, round_: int) -> bool:
        """Whether another worker is on this run's round at the moment."""
        run = self.collection.find_one(
            {"campaign": campaign, "index": index}, {"round": 1, "lease": 1, "state": 1}
        )
        return bool(run and run["round"] < round_ and run["lease"] is not None and run["state"] in UNFINISHED)

    def save_progress(
        self,
        run: dict[str, Any],
        round_: int,
        *,
        checkpoint: dict[str, Any],
        step: int,
        candidates: list[Atoms],
        history: dict[str, np.ndarray],
    ) -> bool:
        """Store what a claimed run has done so far, files first; False if the lease was lost.

        Each claim writes its own segment; steps that a killed worker did beyond its checkpoint come again in
        the next segment, bit for bit the same.
        """
        where = {"campaign": run["campaign"], "explorer": run["index"], "round": round_}
        stem = f"{run['campaign']}/explorer-{run['index']}/segment-{run['segment']:06d}"
        if candidates:
            self.files.put(f"{stem}.candidates.npz", pack_frames(candidates), kind="candidates", **where)
        self.files.put(f"{stem}.history.npz", pack_arrays(history), kind="history", **where)
        found = self.collection.find_one_and_update(
            {"_id": run["_id"], "lease.token": run["lease"]["token"]},
            {"$set": {"checkpoint": encode(checkpoint), "step": step, "updated": now()}},
        )
        return found is not None

    def report_step(self, run: dict[str, Any], step: int) -> None:
        """Show how far a run is; nothing depends on it."""
        self.collection.update_one({"_id": run["_id"]}, {"$set": {"step": step, "updated": now()}})

    def complete(self, run: dict[str, Any], round_: int, state: str, reason: str | None) -> bool:
        """End a run's part in a round. False if the lease was lost."""
        found = self.collection.find_one_and_update(
            {"_id": run["_id"], "lease.token": run["lease"]["token"]},
            {"$set": {"state": state, "reason": reason, "round": round_, "lease": None, "ended": now()}},
        )
        return found is not None

    def release(self, run: dict[str, Any]) -> None:
        """Give a claimed run back as it is."""
        self.collection.update_one(
            {"_id": run["_id"], "lease.token": run["lease"]["token"]}, {"$set": {"lease": None}}
        )

    def retry_failed(self, campaign: str) -> int:
        """Let runs that broke go on from their checkpoints; how many."""
        found = self.collection.update_many(
            {"campaign": campaign, "state": FAILED},
            {"$set": {"state": PAUSED, "reason": None, "lease": None}},
        )
        return found.modified_count

    def start_again(self, campaign: str, passes: int) -> None:
        """Let the finished runs of earlier passes start anew, as pass number `passes`."""
        self.collection.update_many(
            {"campaign": campaign, "state": FINISHED, "passes": {"$lt": passes}},
            {"$set": {"state": READY, "reason": None, "checkpoint": None, "step": 0, "passes": passes}},
        )

    def candidates(self, campaign: str, round_: int) -> list[Atoms]:
        """Frames above γ_save of a round, all runs; `info` has explorer, step and extrapolation_grade."""
        frames: list[Atoms] = []
        for name in self.files.names(campaign=campaign, round=round_, kind="candidates"):
            frames += unpack_frames(self.files.get(name))
        return frames

    def history(self, campaign: str, index: int) -> dict[str, np.ndarray]:
        """What a run recorded in its present pass, by step; of steps that were done twice, the later time."""
        names = self.files.names(campaign=campaign, explorer=index, kind="history")
        segments = [unpack_arrays(self.files.get(name)) for name in names]
        kept: list[dict[str, np.ndarray]] = []
        end = np.iinfo(np.int64).max
        for segment in reversed(segments):
            before = segment["step"] < end
            kept.insert(0, {key: values[before] for key, values in segment.items()})
            end = min(end, int(segment["step"].min(initial=end)))
        return {key: np.concatenate([part[key] for part in kept]) for key in (kept[0] if kept else [])}

    def break_dead_leases(self, campaign: str) -> int:
        """Free runs that vanished processes of this host had; how many."""
        return break_dead_leases(self.collection, {"campaign": campaign})

    def starts(self, campaign: str) -> list[Atoms]:
        """The different starting structures of a campaign's runs, in their order."""
        runs = self.collection.find({"campaign": campaign}, {"settings.structure": 1, "start": 1}).sort(
            "index", 1
        )
        named: dict[str, Atoms] = {}
        for run in runs:
            named.setdefault(run["settings"]["structure"], decode_atoms(run["start"]))
        return list(named.values())

    def sizes(self, campaign: str) -> dict[int, int]:
        """Number of atoms that each run begins with (of its first structure), by index."""
        runs = self.collection.find({"campaign": campaign}, {"index": 1, "start.numbers.shape": 1})
        return {run["index"]: _first_size(run["start"]) for run in runs}

    @staticmethod
    def start_atoms(run: dict[str, Any]) -> Atoms:
        """The starting structure of a claimed run."""
        return decode_atoms(run["start"])

    @staticmethod
    def checkpoint(run: dict[str, Any]) -> dict[str, Any] | None:
        """The checkpoint of a claimed run as NumPy arrays and plain values, or None."""
        return decode(run["checkpoint"])


def _first_size(start: dict[str, Any] | list[dict[str, Any]]) -> int:
    first = start[0] if isinstance(start, list) else start
    return int(first["numbers"]["shape"][0])


def pack_arrays(arrays: dict[str, np.ndarray]) -> bytes:
    """Arrays as a compressed npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Undo `pack_arrays`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return dict(file)


def pack_frames(frames: list[Atoms]) -> bytes:
    """Frames of one run (same species and periodicity) with explorer, step and grade as an npz file."""
    first = frames[0]
    return pack_arrays(
        {
            "numbers": first.numbers,
            "pbc": first.pbc,
            "positions": np.array([frame.positions for frame in frames]),
            "cells": np.array([frame.cell.array for frame in frames]),
            "explorer": np.array([frame.info["explorer"] for frame in frames]),
            "step": np.array([frame.info["step"] for frame in frames]),
            "extrapolation_grade": np.array([frame.info["extrapolation_grade"] for frame in frames]),
        }
    )


def unpack_frames(data: bytes) -> list[Atoms]:
    """Undo `pack_frames`."""
    file = unpack_arrays(data)
    return [
        Atoms(
            numbers=file["numbers"],
            positions=file["positions"][i],
            cell=file["cells"][i],
            pbc=file["pbc"],
            info={
                "explorer": str(file["explorer"][i]),
                "step": int(file["step"][i]),
                "extrapolation_grade": float(file["extrapolation_grade"][i]),
            },
        )
        for i in range(len(file["step"]))
    ]
