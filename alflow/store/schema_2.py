"""From schema 1, which did not name itself, to schema 2.

Schema 1 left several facts to be deduced: the kind of a campaign from its keys, the kind of a label and the
phase of a round from what else happened in the round, the reason why a candidate was dropped from the words
of a sentence. This module deduces them for the last time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from ase import Atoms
from pymongo.database import Database

from alflow.states import CandidateState, ChunkState, ChunkTask, Dropped, LabelKind, Role
from alflow.store.cost import Cost
from alflow.store.files import Files
from alflow.store.frames import pack_frames, unpack_arrays

Document = dict[str, Any]
GATHERING, LEARNING, VALIDATION, FINAL = "gathering", "learning", "validation", "final"
_KIND_OF_LABEL = {
    GATHERING: LabelKind.INITIAL,
    LEARNING: LabelKind.EXTRAPOLATIVE,
    VALIDATION: LabelKind.VALIDATION,
    FINAL: LabelKind.FINAL,
}


def migrate(database: Database[Document], campaign: Document) -> None:
    """Bring a campaign of schema 1 and everything that belongs to it to schema 2. Idempotent."""
    if "candidates" in campaign["config"]:
        _chunks(database, campaign)  # first, because the rounds are read from them
        rounds = _Rounds(database, campaign)
        _labels(database, campaign, rounds.kind_and_stage)
        _candidates(database, campaign)
        _selections(database, campaign, rounds)
        kind = "hull-screening"
    else:
        _labels(database, campaign, _kind_in_active_learning)
        _explorers(database, campaign)
        _frames(database, campaign)
        kind = "active-learning"
    _potentials(database, campaign)
    _campaign(database, campaign, kind)


def _campaign(database: Database[Document], campaign: Document, kind: str) -> None:
    collection, key = database["campaigns"], campaign["_id"]
    collection.update_one({"_id": key, "config.kind": {"$exists": False}}, {"$set": {"config.kind": kind}})
    cost = _cost(database, campaign)
    collection.update_one(
        {"_id": key, "cost": {"$exists": False}}, {"$set": {"cost": cost}, "$unset": {"cpu_seconds": ""}}
    )


def _cost(database: Database[Document], campaign: Document) -> dict[str, dict[str, float]]:
    """Schema 1 counted the wall time of all tasks together, and called it processor time."""
    name = campaign["name"]
    labels = database["labels"].find({"requests.campaign": name}, {"wall_time_s": 1})
    label_s = sum(label.get("wall_time_s") or 0.0 for label in labels)
    train_s = sum(p["seconds"] for p in database["potentials"].find({"campaign": name}, {"seconds": 1}))
    explore_s = max(campaign.get("cpu_seconds", 0.0) - label_s - train_s, 0.0)
    seconds = {Role.EXPLORE: explore_s, Role.LABEL: label_s, Role.TRAIN: train_s}
    return {role.value: vars(Cost(processor_s=s, wall_s=s)) for role, s in seconds.items()}


def _potentials(database: Database[Document], campaign: Document) -> None:
    database["potentials"].update_many(
        {"campaign": campaign["name"], "kind": {"$exists": False}},
        {"$set": {"kind": "mtp"}, "$unset": {"parent": ""}},
    )


def _labels(database: Database[Document], campaign: Document, kind_and_stage: Any) -> None:
    """Of each label's requests, the first request of the campaign counts."""
    labels, name = database["labels"], campaign["name"]
    query = {"requests": {"$elemMatch": {"campaign": name, "kind": {"$exists": False}}}}
    fields = {"requests": 1, "relaxation": 1, "level": 1}
    for label in list(labels.find(query, fields)):
        for place, asked in enumerate(label["requests"]):
            if asked["campaign"] != name or "kind" in asked:
                continue
            kind, stage = kind_and_stage(label, asked["round"])
            facts = {"kind": kind, "stage": stage, "held_out": asked.get("held_out", False)}
            labels.update_one(  # requests are only ever appended
                {"_id": label["_id"], f"requests.{place}.kind": {"$exists": False}},
                {"$set": {f"requests.{place}.{key}": value for key, value in facts.items()}},
            )


def _kind_in_active_learning(label: Document, round_: int) -> tuple[LabelKind, None]:
    if "imported" in label["level"]:
        return LabelKind.IMPORTED, None
    return LabelKind.EXTRAPOLATIVE if round_ else LabelKind.INITIAL, None


def _explorers(database: Database[Document], campaign: Document) -> None:
    """All runs were molecular dynamics, and began with one structure."""
    explorers = database["explorers"]
    old = {"campaign": campaign["name"], "kind": {"$exists": False}}
    for run in list(explorers.find(old, {"settings": 1, "start": 1})):
        settings = {key: value for key, value in run["settings"].items() if key not in ("index", "name")}
        facts = {"kind": "md", "settings": settings, "start": [run["start"]], "version": None, "results": {}}
        explorers.update_one({"_id": run["_id"], "kind": {"$exists": False}}, {"$set": facts})


def _frames(database: Database[Document], campaign: Document) -> None:
    """Files of frames had one species list for all frames; now frames may differ in species and number."""
    files = Files(database)
    for name in files.names(campaign=campaign["name"], kind="candidates"):
        content = unpack_arrays(files.get(name))
        if "offsets" not in content:
            frames = pack_frames(_frames_of(content), str(content["explorer"][0]))
            files.put(name, frames, **files.metadata(name))


def _frames_of(content: Mapping[str, np.ndarray]) -> list[Atoms]:
    return [
        Atoms(
            numbers=content["numbers"],
            positions=positions,
            cell=cell,
            pbc=content["pbc"],
            info={"step": int(step), "extrapolation_grade": float(grade)},
        )
        for positions, cell, step, grade in zip(
            *(content[key] for key in ("positions", "cells", "step", "extrapolation_grade")), strict=True
        )
    ]


def _chunks(database: Database[Document], campaign: Document) -> None:
    """The counts of a finished chunk tell its task; open chunks belong to the present phase."""
    chunks = database["chunks"]
    old: Document = {"campaign": campaign["name"], "task": {"$exists": False}}
    open_ones = ChunkTask.GATHER if campaign.get("phase", GATHERING) == GATHERING else ChunkTask.RELAX
    for which, task in (
        ({"relaxed": {"$exists": True}}, ChunkTask.RELAX),
        ({"state": ChunkState.FINISHED.value}, ChunkTask.GATHER),
        ({}, open_ones),
    ):
        chunks.update_many({**old, **which}, {"$set": {"task": task.value}})


def _candidates(database: Database[Document], campaign: Document) -> None:
    """Each query takes some of the candidates that the queries before it left."""
    candidates = database["candidates"]
    old: Document = {
        "campaign": campaign["name"],
        "state": CandidateState.DROPPED.value,
        "dropped": {"$exists": False},
    }
    queries: list[tuple[Document, Dropped]] = [
        ({"stage": len(campaign["config"]["stages"])}, Dropped.QM_FAILED),
        ({"stage": 0, "round": 0, "reason": {"$regex": "is the same crystal"}}, Dropped.DUPLICATE),
        ({"stage": 0, "round": 0}, Dropped.UNUSABLE),
        ({"reason": {"$regex": "^cannot be labelled"}}, Dropped.NOT_LABELLED),
        ({"reason": {"$regex": "above the hull"}}, Dropped.ABOVE_HULL),
        ({}, Dropped.NOT_RELAXED),
    ]
    for query, why in queries:
        candidates.update_many({**old, **query}, {"$set": {"dropped": why.value}})
    candidates.update_many(
        {"campaign": campaign["name"], "dropped": {"$exists": False}}, {"$set": {"dropped": None}}
    )


def _selections(database: Database[Document], campaign: Document, rounds: _Rounds) -> None:
    events = database["events"]
    old = {"campaign": campaign["name"], "kind": "selected", "phase": {"$exists": False}}
    for event in list(events.find(old, {"round": 1})):
        phase, stage = rounds.phase_and_stage(event["round"])
        events.update_one({"_id": event["_id"]}, {"$set": {"phase": phase, "stage": stage}})


class _Rounds:
    """The phase and stage of each round of a screening; its chunks must have their tasks."""

    def __init__(self, database: Database[Document], campaign: Document) -> None:
        name = campaign["name"]
        self.present = campaign["round"]
        self.present_phase = campaign.get("phase", GATHERING)
        self.present_stage: int = campaign.get("stage", 0)
        self.stage_count = len(campaign["config"]["stages"])
        self.sifted: dict[int, int] = {
            event["round"]: event["stage"]
            for event in database["events"].find({"campaign": name, "kind": "sifted"})
        }
        self.gathered = {0} | _rounds_of(database, name, ChunkTask.GATHER)
        self.relaxed = _rounds_of(database, name, ChunkTask.RELAX)

    def phase_and_stage(self, round_: int) -> tuple[str, int]:
        """The phase of a round, and its stage from 0."""
        phase = self._phase(round_)
        if round_ == self.present:
            return phase, self.present_stage
        if phase == FINAL:
            return phase, self.stage_count
        if phase == GATHERING:
            return phase, 0
        ends = [end for end in sorted(self.sifted) if end >= round_]  # a stage ends when it is sifted
        return phase, self.sifted[ends[0]] if ends else self.present_stage

    def kind_and_stage(self, label: Document, round_: int) -> tuple[LabelKind, int]:
        """Kind and stage of a label, from the round that requested it."""
        phase, stage = self.phase_and_stage(round_)
        return _KIND_OF_LABEL[phase], stage

    def _phase(self, round_: int) -> str:
        if round_ == self.present:
            return str(self.present_phase)
        if round_ in self.relaxed:
            return LEARNING
        if round_ in self.gathered:
            return GATHERING
        return VALIDATION if round_ in self.sifted else FINAL


def _rounds_of(database: Database[Document], name: str, task: ChunkTask) -> set[int]:
    chunks: Iterable[Document] = database["chunks"].find({"campaign": name, "task": task.value}, {"round": 1})
    return {chunk["round"] for chunk in chunks}
