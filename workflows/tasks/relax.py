"""Relax: a chunk of candidates, with the newest potential of their stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from bson import ObjectId
from fireworks import explicit_serialize

from alflow.results.stored_potentials import read_active_set, read_potential
from alflow.simulation import (
    BatchResult,
    GradedPotential,
    Guards,
    relax_batch,
)
from alflow.states import CandidateState, Dropped
from alflow.store import Store
from alflow.store.candidates import energies_without
from workflows.hull_screening.schema import Screening
from workflows.tasks.chunk import ChunkTask

WRITTEN_EVERY_S = 2.0  # a killed worker loses at most this much work
OUTCOMES = (CandidateState.RELAXED, CandidateState.PAUSED, CandidateState.DROPPED)


@explicit_serialize
class RelaxTask(ChunkTask):
    """Relax one chunk in a round; candidates that a killed worker finished are not relaxed again."""

    def work_on(self, store: Store, config: Screening, chunk: dict[str, Any]) -> dict[str, int]:
        counts = {state.value: 0 for state in OUTCOMES}
        updates: list[tuple[ObjectId, dict[str, Any]]] = []
        written = time.monotonic()
        for candidate, update in _relaxed(store, config, store.chunks.members(chunk), chunk["round"]):
            counts[update["state"]] += 1
            updates.append((candidate, update))
            if time.monotonic() - written > WRITTEN_EVERY_S:
                store.candidates.write(updates)
                updates, written = [], time.monotonic()
        store.candidates.write(updates)
        return counts


def _relaxed(
    store: Store, config: Screening, members: list[ObjectId], round_: int
) -> Iterator[tuple[ObjectId, dict[str, Any]]]:
    """Yield the candidates of a chunk when they are done, with the changes of their documents."""
    name, screen = config.name, config.screen
    document = store.campaigns.get(name)
    stage = document["stage"]
    newest = store.potentials.latest(name, stage=stage)
    assert newest is not None  # a stage begins with a fit
    version = newest["version"]
    candidates = [c for c in store.candidates.get(members) if c["round"] < round_]
    selection = config.stages[stage].selection
    results = relax_batch(
        (candidate["atoms"] for candidate in candidates),
        GradedPotential(read_potential(store, name, version), read_active_set(store, name, version)),
        settings=screen.relaxation,
        pressure_GPa=screen.pressure_GPa,
        control=selection,
        guards=Guards(min_distance_A=screen.min_distance_A, max_volume_change=screen.max_volume_change),
    )
    for result in results:
        candidate = candidates[result.index]
        update = outcome(result, stage, version, selection.gamma_break)
        if update["state"] == CandidateState.DROPPED:
            update["energies"] = energies_without(candidate, stage)
        yield candidate["_id"], update | {"round": round_}


def outcome(result: BatchResult, stage: int, version: int, gamma_break: float) -> dict[str, Any]:
    """The changes in the document of a candidate after its relaxation.

    If the potential was extrapolating, an exceeded guard says nothing about the candidate: the candidate
    pauses with the structure that it had before.
    """
    facts = {"extrapolation_grade": result.extrapolation_grade, "reason": result.reason or None}
    if result.state == "converged":
        energy_eV = result.energy_eV / len(result.atoms)
        return {
            **facts,
            "state": CandidateState.RELAXED,
            "atoms": result.atoms,
            "version": version,
            f"energies.{stage}": energy_eV,
        }
    if result.state == "paused":
        return {**facts, "state": CandidateState.PAUSED, "atoms": result.atoms}
    if result.extrapolation_grade > gamma_break:
        return {**facts, "state": CandidateState.PAUSED}
    return {**facts, "state": CandidateState.DROPPED, "dropped": Dropped.NOT_RELAXED}
