"""Gathering: candidates into the store, and what the first potential is fitted to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fireworks import Firework

from workflows.hull_screening.schema import Screening, Source
from alflow.hull import Candidate, Derivative, Files, Prototypes, RandomCrystals, candidates
from alflow.store import Store
from alflow.store.campaigns import FAILED
from alflow.store.candidates import WAITING
from alflow.structures.starting import displaced
from workflows.hull_screening.phase import (
    choice,
    chunk_fireworks,
    enter_learning,
    missing_elements,
    refit_stage,
)
from workflows.labelling import request_labels


def documents(config: Screening) -> Iterator[dict[str, Any]]:
    """What the store takes of every candidate, one at a time.

    The running number makes a name unique; sources that are added at the end leave it as it is.

    Raises
    ------
    InputError
        Before the first one, if a source is wrong as a whole.
    """
    stream = candidates(
        [_source(source) for source in config.candidates],
        config.species,
        volumes_A3=config.volumes_A3,
        volume_factors=config.volume_factors,
    )
    return (_document(config, number, candidate) for number, candidate in enumerate(stream, start=1))


def _source(source: Source) -> Derivative | Files | Prototypes | RandomCrystals:
    if source.files is not None:
        return Files(Path(source.files))
    if source.prototypes is not None:
        return Prototypes(tuple(source.prototypes))
    if source.random is not None:
        return RandomCrystals(source.random, source.max_atoms, source.seed)
    return Derivative(source.lattice or "", source.max_atoms, source.min_atoms)


def _document(config: Screening, number: int, candidate: Candidate) -> dict[str, Any]:
    atoms = candidate.atoms
    return {
        "name": f"{candidate.source} {number}",
        "atoms": atoms,
        "fractions": [] if atoms is None else [atoms.symbols.count(s) / len(atoms) for s in config.species],
        "reason": candidate.reason,
    }


def explorations(store: Store, config: Screening, document: dict[str, Any]) -> list[Firework]:
    """One firework for all sources, as a candidate of one may be a duplicate of another's."""
    return chunk_fireworks(store, document, "gather", [[]])


def choose(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """Candidates at random, the elements among them, displaced and strained; none if there is a potential."""
    name = config.name
    if store.potentials.latest(name) is not None:
        return choice([], [])
    ids = [
        key
        for index in range(len(config.species))
        for key in store.candidates.ids(name, 0, WAITING, limit=1, **{f"fractions.{index}": 1.0})
    ]
    ids += store.candidates.ids(name, 0, WAITING, limit=config.initial.count)
    ids = list(dict.fromkeys(ids))[: config.initial.count]
    starts = [candidate["atoms"] for candidate in store.candidates.get(ids)]
    structures = displaced(starts, config.initial) if starts else []
    return choice(
        structures, request_labels(store, config, document["round"], structures, {"kind": "initial"})
    )


def conclude(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """The first potential, or the end where an element is missing."""
    if missing := missing_elements(store, config, reason=None):
        reason = f"no candidate is pure {missing[0]}, and the hull needs all elements; add a source of it"
        return {"end": (FAILED, reason)}
    refit_stage(store, config, document, stage=0)
    return {"gathered": len(config.candidates)} | enter_learning(config, stage=0)
