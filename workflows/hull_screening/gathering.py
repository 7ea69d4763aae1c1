"""Gathering: candidates into the store, and what the first potential is fitted to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from fireworks import Firework

from alflow.config_screening import Screening, Source
from alflow.store import Store
from alflow.store.campaigns import FAILED
from alflow.store.candidates import WAITING
from alflow.structures import displaced
from workflows.hull_screening.phase import choice, chunk_fireworks, enter_learning, refit_stage
from workflows.labelling import request_labels


class Candidate(NamedTuple):
    source: str
    atoms: Any
    reason: str | None


def candidates_of(config: Screening, source: Source) -> Iterator[Candidate]:
    """The candidates of one source, one at a time."""
    from alflow.hull.derivative import derivative_structures, parent_lattice
    from alflow.hull.volumes import atomic_volumes_A3, at_vegard_volume
    volumes = atomic_volumes_A3(config.species, config.volumes_A3)
    for atoms in derivative_structures(parent_lattice(source.lattice or source.parent), config.species, source.max_atoms, min_atoms=source.min_atoms):
        yield Candidate(source.name, at_vegard_volume(atoms, volumes), None)


def documents(config: Screening) -> Iterator[dict[str, Any]]:
    """What the store takes of every candidate."""
    for source in config.candidates:
        for number, candidate in enumerate(candidates_of(config, source), start=1):
            atoms = candidate.atoms
            yield {
                "name": f"{source.name}-{number:06d}",
                "atoms": atoms,
                "fractions": [float(atoms.symbols.count(s) / len(atoms)) for s in config.species],
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
    for index, symbol in enumerate(config.species):
        if not store.candidates.has(config.name, **{f"fractions.{index}": 1.0, "reason": None}):
            reason = f"no candidate is pure {symbol}, and the hull needs all elements; add a source of it"
            return {"end": (FAILED, reason)}
    refit_stage(store, config, document, stage=0)
    return {"gathered": len(config.candidates)} | enter_learning(config, stage=0)
