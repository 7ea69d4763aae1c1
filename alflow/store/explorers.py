"""Explorers: their runs with goal, checkpoint and state."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from ase import Atoms
from pymongo import UpdateOne
from pymongo.database import Database

from alflow.explorers import Run
from alflow.states import RunState
from alflow.store.arrays import decode, decode_atoms, encode, encode_atoms
from alflow.store.files import Files
from alflow.store.frames import (
    pack_arrays,
    pack_frames,
    pack_structures,
    unpack_arrays,
    unpack_frames,
    unpack_structures,
)
from alflow.store.leased_work import LeasedWork
from alflow.store.times import now
from alflow.store.visited import Purpose, folder, frames, passes, put_part, segment_stem
from alflow.structures.displaced import distinct

OPEN = [state for state in RunState if state.is_open]


class Explorers:
    """One document per run: ``kind, settings, start, checkpoint, state, results, version, round, lease, …``.

    `round` is the last round that the run has completed; each round is claimed and completed once. `version`
    is the version of the potential that the run used in that round. GridFS holds the frames above γ_save and
    the history, one file per segment; the frames of the trajectory and the samples (`alflow.store.visited`);
    and the structures that are results. `saved_step` is the step up to which the frames count.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.collection = database["explorers"]
        self.collection.create_index([("campaign", 1), ("index", 1)], unique=True)
        self.work = LeasedWork(self.collection)
        self.files = Files(database)

    def create(
        self,
        campaign: str,
        runs: Sequence[tuple[str, Run]],
        *,
        explorers: Sequence[str] | None = None,
        first: int = 0,
    ) -> None:
        """Insert the runs (kind of explorer and run, in their order) that are not stored yet.

        Parameters
        ----------
        explorers
            Name of the explorer of each run; by default that of the run.
        first
            Index of the first of the runs.
        """
        names = [run.name for _, run in runs] if explorers is None else explorers
        if not runs:
            return
        self.collection.bulk_write(
            [
                UpdateOne(
                    {"campaign": campaign, "index": index},
                    {
                        "$setOnInsert": {
                            "explorer": explorer,
                            "kind": kind,
                            "name": run.name,
                            "settings": run.settings.model_dump(mode="json"),
                            "start": [encode_atoms(atoms) for atoms in run.start],
                            "checkpoint": None,
                            "state": RunState.READY,
                            "reason": None,
                            "step": 0,
                            "steps": run.length,
                            "trajectory": None if run.trajectory is None else asdict(run.trajectory),
                            "results": {},
                            "version": None,
                            "round": 0,
                            "passes": 0,
                            "segment": 0,
                            "revision": 0,
                            "lease": None,
                        }
                    },
                    upsert=True,
                )
                for index, (explorer, (kind, run)) in enumerate(zip(names, runs, strict=True), start=first)
            ]
        )

    def next_index(self, campaign: str) -> int:
        """The first index that no run has."""
        last = self.collection.find_one({"campaign": campaign}, {"index": 1}, sort=[("index", -1)])
        return 0 if last is None else last["index"] + 1

    def name_explorers(self, campaign: str, explorers: Sequence[tuple[str, str]]) -> None:
        """Add the name of its explorer to each run that an earlier release stored without it.

        `explorers` are names and kinds; the name of a run begins with that of its explorer.
        """
        for run in self.collection.find({"campaign": campaign, "explorer": None}, {"name": 1, "kind": 1}):
            fits = [
                name
                for name, kind in explorers
                if kind == run["kind"] and (run["name"] == name or run["name"].startswith(f"{name}-"))
            ]
            self.collection.update_one(
                {"_id": run["_id"]}, {"$set": {"explorer": max(fits, key=len, default=run["name"])}}
            )

    def change(self, document: dict[str, Any], run: Run, *, goes_on: bool) -> None:
        """Give a stored run new settings; a finished one that has further to go continues.

        A worker that holds the run meanwhile ends it with the old settings; `complete` then leaves it open.
        """
        changes = {
            "name": run.name,
            "settings": run.settings.model_dump(mode="json"),
            "steps": run.length,
            "trajectory": None if run.trajectory is None else asdict(run.trajectory),
        }
        reopened = changes | ({"state": RunState.READY, "reason": None} if goes_on else {})
        key = {"_id": document["_id"]}
        finished, open_ = {**key, "state": RunState.FINISHED}, {**key, "state": {"$ne": RunState.FINISHED}}
        count = {"$inc": {"revision": 1}}
        while not (
            self.collection.update_one(finished, {"$set": reopened, **count}).matched_count
            or self.collection.update_one(open_, {"$set": changes, **count}).matched_count
        ):
            pass

    def all(self, campaign: str) -> list[dict[str, Any]]:
        """All runs of a campaign without their arrays, by index."""
        return list(
            self.collection.find({"campaign": campaign}, {"checkpoint": 0, "start": 0}).sort("index", 1)
        )

    def count(self, campaign: str) -> int:
        """Number of runs of a campaign."""
        return self.collection.count_documents({"campaign": campaign})

    def get(self, campaign: str, index: int) -> dict[str, Any] | None:
        """The document of a run, or None."""
        return self.collection.find_one({"campaign": campaign, "index": index})

    def unfinished(self, campaign: str) -> list[dict[str, Any]]:
        """The runs that have not ended."""
        return [run for run in self.all(campaign) if run["state"] in OPEN]

    def claim(self, campaign: str, index: int, round_: int) -> dict[str, Any] | None:
        """Lease a run for a round; None if it is finished, done with this round, or leased to another."""
        return self.work.claim(
            {"campaign": campaign, "index": index, "state": {"$in": OPEN}, "round": {"$lt": round_}},
            inc={"segment": 1},
        )

    def is_over(self, campaign: str, index: int, round_: int) -> bool:
        """Whether a run needs no more work in a round."""
        run = self.collection.find_one({"campaign": campaign, "index": index}, {"round": 1, "state": 1})
        return run is None or run["round"] >= round_ or run["state"] not in OPEN

    def save_progress(
        self,
        run: dict[str, Any],
        round_: int,
        *,
        checkpoint: Mapping[str, Any],
        step: int,
        candidates: Sequence[Atoms],
        history: Mapping[str, np.ndarray],
        first_step: int | None = None,
    ) -> bool:
        """Store the progress of a claimed run, files first; False if the lease was lost.

        Each claim writes its own segment. Steps that a killed worker did after its checkpoint are repeated in
        the next segment, bit for bit. `first_step` is the step
        from which this claim repeats what earlier ones did.
        """
        where = {"campaign": run["campaign"], "explorer": run["index"], "round": round_}
        stem = segment_stem(run)
        if candidates:
            packed = pack_frames(candidates, run["name"])
            self.files.put(f"{stem}.candidates.npz", packed, kind="candidates", **where)
        where |= {"segment": run["segment"], "passes": run["passes"], "first": first_step}
        self.files.put(f"{stem}.history.npz", pack_arrays(history), kind="history", **where)
        changes = {"checkpoint": encode(checkpoint), "step": step, "saved_step": step, "updated": now()}
        return self.work.update(run["_id"], run["lease"]["token"], {"$set": changes})

    def save_frames(self, run: dict[str, Any], purpose: Purpose, part: int, kept: Sequence[Atoms]) -> None:
        """Store the next part of a claimed run's frames; those beyond its checkpoint do not count yet."""
        put_part(self.files, run, purpose, part, kept)

    def report_step(self, run: dict[str, Any], step: int) -> None:
        """Store the progress of a run for display; nothing else depends on it."""
        self.collection.update_one({"_id": run["_id"]}, {"$set": {"step": step, "updated": now()}})

    def complete(
        self,
        run: dict[str, Any],
        round_: int,
        state: RunState,
        reason: str | None,
        *,
        version: int | None = None,
        results: Mapping[str, Any] | None = None,
        structures: Sequence[Atoms] = (),
    ) -> bool:
        """End a run's part in a round. False if the lease was lost.

        Parameters
        ----------
        version
            Version of the potential that the run used.
        results, structures
            As in `alflow.explorers.Outcome`; the values of a later part replace those of an earlier one.
        """
        if structures:
            self.files.put(f"{folder(run)}/structures.extxyz.gz", pack_structures(structures))
        changes: dict[str, Any] = {"state": state, "reason": reason, "round": round_}
        if version is not None:
            changes |= {"version": version, "results": encode(dict(results or {}))}
        key = (run["_id"], run["lease"]["token"])
        if state != RunState.FINISHED:
            return self.work.finish(*key, changes)
        if self.work.finish(*key, changes, revision=run.get("revision")):
            return True
        return self.work.finish(*key, changes | {"state": RunState.READY})  # its settings have changed

    def retry_failed(self, campaign: str) -> int:
        """Let broken runs continue from their checkpoints; return their number."""
        found = self.collection.update_many(
            {"campaign": campaign, "state": RunState.FAILED},
            {"$set": {"state": RunState.PAUSED, "reason": None, "lease": None}},
        )
        return found.modified_count

    def start_again(self, campaign: str, passes: int, *, but: Collection[str]) -> None:
        """Let the finished runs of earlier passes start anew, as pass number `passes`, except these kinds."""
        self.collection.update_many(
            {
                "campaign": campaign,
                "kind": {"$nin": list(but)},
                "state": RunState.FINISHED,
                "passes": {"$lt": passes},
            },
            {
                "$set": {
                    "state": RunState.READY,
                    "reason": None,
                    "checkpoint": None,
                    "step": 0,
                    "saved_step": None,
                    "passes": passes,
                }
            },
        )

    def go_on(self, campaign: str, indices: Sequence[int]) -> None:
        """Let finished runs continue from their checkpoints, with a newer potential."""
        self.collection.update_many(
            {"campaign": campaign, "index": {"$in": list(indices)}, "state": RunState.FINISHED},
            {"$set": {"state": RunState.READY, "reason": None}},
        )

    def structures(self, campaign: str, index: int) -> list[Atoms]:
        """Result structures of a run, with their energies; empty if its kind gives none."""
        try:
            data = self.files.get(f"{campaign}/explorer-{index}/structures.extxyz.gz")
        except KeyError:
            return []
        return unpack_structures(data)

    def candidates(self, campaign: str, round_: int) -> list[Atoms]:
        """Frames above γ_save of a round, all runs; `info` has explorer, step and extrapolation_grade."""
        frames: list[Atoms] = []
        for name in self.files.names(campaign=campaign, round=round_, kind="candidates"):
            frames += unpack_frames(self.files.get(name))
        return frames

    def trajectory(self, campaign: str, index: int, *, pass_number: int | None = None) -> Iterator[Atoms]:
        """Frames of a run's trajectory in the order of steps; by default of all passes, one after another.

        ``info`` has explorer, step, pass, extrapolation_grade (NaN at a step without grade), energy_eV and
        temperature_K. Frames have momenta if the run keeps them.
        """
        run = self._for_frames(campaign, index)
        numbers = self.trajectory_passes(campaign, index) if pass_number is None else [pass_number]
        for number in numbers:
            yield from frames(self.files, run, Purpose.TRAJECTORY, number)

    def trajectory_passes(self, campaign: str, index: int) -> list[int]:
        """Passes of a run, counted from 0, of which frames were kept."""
        return passes(self.files, self._for_frames(campaign, index), Purpose.TRAJECTORY)

    def samples(self, campaign: str) -> Iterator[Atoms]:
        """Sampled configurations of all runs and passes, up to the checkpoints; `info` as in `trajectory`."""
        for run in self.all(campaign):
            for number in passes(self.files, run, Purpose.SAMPLES):
                yield from frames(self.files, run, Purpose.SAMPLES, number)

    def _for_frames(self, campaign: str, index: int) -> dict[str, Any]:
        """The document of a run, without its arrays."""
        run = self.collection.find_one({"campaign": campaign, "index": index}, {"checkpoint": 0, "start": 0})
        if run is None:
            raise KeyError(f"campaign {campaign} has no run {index}")
        return run

    def history(self, campaign: str, index: int) -> dict[str, np.ndarray]:
        """The history of a run's present pass, by step; of repeated steps, the later entry."""
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
        """Free runs that vanished processes of this host held; return their number."""
        return self.work.break_dead({"campaign": campaign})

    def starts(self, campaign: str) -> list[Atoms]:
        """The distinct start structures of a campaign's runs, in the order of the runs."""
        runs = self.collection.find({"campaign": campaign}, {"start": 1}).sort("index", 1)
        return distinct(decode_atoms(document) for run in runs for document in run["start"])

    def sizes(self, campaign: str) -> dict[int, int]:
        """Number of atoms in the first start structure of each run, by index."""
        runs = self.collection.find({"campaign": campaign}, {"index": 1, "start.numbers.shape": 1})
        return {run["index"]: int(run["start"][0]["numbers"]["shape"][0]) for run in runs if run["start"]}

    @staticmethod
    def start_structures(run: dict[str, Any]) -> list[Atoms]:
        """The start structures of a claimed run."""
        return [decode_atoms(document) for document in run["start"]]

    @staticmethod
    def checkpoint(run: dict[str, Any]) -> dict[str, Any] | None:
        """The checkpoint of a claimed run as NumPy arrays and plain values, or None."""
        found: dict[str, Any] | None = decode(run["checkpoint"])
        return found
