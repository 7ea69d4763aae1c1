"""Gathering: store the candidates, and choose the training structures of the first potential."""

from __future__ import annotations

from typing import Any

from fireworks import Firework

from alflow.states import CampaignState, CandidateState, ChunkTask, LabelKind
from alflow.store import Store
from alflow.structures.displaced import displaced
from workflows.hull_screening.phase import (
    choice,
    chunk_fireworks,
    enter_learning,
    missing_elements,
    refit_stage,
)
from workflows.hull_screening.schema import Screening
from workflows.labelling import request_labels


def explorations(store: Store, config: Screening, document: dict[str, Any]) -> list[Firework]:
    """One firework for all sources, because candidates of two sources may be duplicates."""
    return chunk_fireworks(store, document, ChunkTask.GATHER, [[]])


def choose(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """Choose random candidates and the elements, displaced and strained; none if there is a potential."""
    name = config.name
    if store.potentials.latest(name) is not None:
        return choice([], [])
    ids = [
        key
        for index in range(len(config.species))
        for key in store.candidates.ids(
            name, 0, CandidateState.WAITING, limit=1, **{f"fractions.{index}": 1.0}
        )
    ]
    ids += store.candidates.ids(name, 0, CandidateState.WAITING, limit=config.initial.count)
    ids = list(dict.fromkeys(ids))[: config.initial.count]
    starts = [candidate["atoms"] for candidate in store.candidates.get(ids)]
    structures = displaced(starts, config.initial) if starts else []
    return choice(
        structures,
        request_labels(store, config, document["round"], structures, LabelKind.INITIAL, stage=0),
    )


def conclude(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """Fit the first potential, or end the campaign if an element is missing."""
    if missing := missing_elements(store, config, reason=None):
        reason = f"no candidate is pure {missing[0]}, and the hull needs all elements; add a source of it"
        return {"end": (CampaignState.FAILED, reason)}
    refit_stage(store, config, document, stage=0)
    return {"gathered": len(config.candidates)} | enter_learning(config, stage=0)
