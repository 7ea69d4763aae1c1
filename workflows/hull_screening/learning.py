"""Learning: relax the candidates of a stage, label where its potential extrapolates, refit."""

from __future__ import annotations

import math
from typing import Any

from bson import ObjectId
from fireworks import Firework

from alflow.results.stored_potentials import read_active_set, read_potential
from alflow.selection import fingerprint, select
from alflow.states import CampaignState, CandidateState, ChunkTask, Dropped, LabelKind, LabelState
from alflow.store import Store
from alflow.store.candidates import energies_without
from workflows.hull_screening.phase import (
    Phase,
    choice,
    chunk_fireworks,
    missing_elements,
    refit_stage,
    stage_version,
)
from workflows.hull_screening.schema import Screening
from workflows.labelling import request_labels

COMPARED = 1000  # paused candidates that a selection compares: it chooses only a few of them
REASONS_KEPT = 20  # in the event; dropped candidates hold their own reasons


def explorations(store: Store, config: Screening, document: dict[str, Any]) -> list[Firework]:
    """Chunks of candidates to relax."""
    members = to_relax(store, document)
    count = max(1, math.ceil(len(members) / config.screen.chunk))
    chunks = [members[number::count] for number in range(count)]  # chunks of nearly equal size
    return chunk_fireworks(store, document, ChunkTask.RELAX, chunks)


def to_relax(store: Store, document: dict[str, Any], limit: int = 0) -> list[ObjectId]:
    """The candidates that a round relaxes: paused ones and a sample of new ones; then outdated ones.

    With a `limit`, at most this number per state, to check whether there are any.
    """
    name, stage = document["name"], document["stage"]
    unrelaxed = store.candidates.ids(name, stage, CandidateState.PAUSED, limit=limit)
    unrelaxed += store.candidates.ids(name, stage, CandidateState.WAITING, limit=limit or document["sample"])
    older = {"$lt": stage_version(store, document)}
    return unrelaxed or store.candidates.ids(name, stage, CandidateState.RELAXED, limit=limit, version=older)


def choose(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """Choose the paused candidates with the highest extrapolation grades.

    Candidates near a configuration whose label failed are left out. Candidates near a labelled configuration
    are not, because the potential extrapolates there in spite of that label.
    """
    name, round_ = config.name, document["round"]
    stage = config.stages[document["stage"]]
    ids = store.candidates.ids(name, document["stage"], CandidateState.PAUSED, limit=COMPARED)
    if not ids:
        return choice(ids, [])
    # Labels that a killed attempt at this choice requested must not change the choice.
    asked = [label for label in store.labels.find(name) if label["round"] < round_]
    failed = [
        label["configuration"]
        for label in asked
        if label["state"] in (LabelState.FAILED, LabelState.REJECTED)
    ]
    paused = store.candidates.get(ids)
    frames = [candidate["atoms"] for candidate in paused]
    version = stage_version(store, document)
    selection = select(
        read_potential(store, name, version),
        read_active_set(store, name, version),
        frames,
        stage.selection.labels_per_round,
        known=[fingerprint(atoms) for atoms in store.configurations.atoms(failed)],
        min_distance_A=config.qm.limits.min_distance_A,
        gamma_select=stage.selection.gamma_save,
    )
    chosen = [frames[i] for i in selection.chosen]
    labels = request_labels(store, config, round_, chosen, LabelKind.EXTRAPOLATIVE, stage=document["stage"])
    refused = [f"{paused[i]['name']}: {why}" for i, why in selection.rejected.items()]
    grades = [candidate["extrapolation_grade"] for candidate in paused]
    return choice(frames, labels, grades, refused=refused[:REASONS_KEPT])


def conclude(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """Refit; once all candidates of the stage are relaxed with the same version, begin its validation."""
    name, stage = config.name, document["stage"]
    learned = refit_stage(store, config, document, stage)
    paused = store.candidates.ids(name, stage, CandidateState.PAUSED)
    chosen = store.events.get(name, f"selected-{document['round']}")
    if paused and chosen is not None and not chosen["labels"]:
        _give_up(store, stage, paused)  # no label can let them continue
        paused = []
    if to_relax(store, document, limit=1):
        barren = document["barren"] + 1 if paused and not learned else 0
        return {"sample": 2 * document["sample"], "barren": barren}
    if missing := missing_elements(store, config, **{f"energies.{stage}": {"$exists": True}}):
        reason = f"no candidate that is pure {missing[0]} could be relaxed, and the hull needs all elements"
        return {"end": (CampaignState.FAILED, f"{reason}; see `alflow hull`")}
    return {"phase": Phase.VALIDATION}


def _give_up(store: Store, stage: int, paused: list[ObjectId]) -> None:
    store.candidates.write(
        (
            candidate["_id"],
            {
                "state": CandidateState.DROPPED,
                "dropped": Dropped.NOT_LABELLED,
                "reason": f"cannot be labelled: {candidate['reason']}",
                "energies": energies_without(candidate, stage),
            },
        )
        for candidate in store.candidates.get(paused)
    )
