"""The candidates of a screening's sources, in the form that the store takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alflow.hull import Candidate, Derivative, Files, Prototypes, RandomCrystals, candidates
from workflows.hull_screening.schema import Screening, Source


def documents(config: Screening) -> Iterator[dict[str, Any]]:
    """Yield the fields of each candidate in the form that the store takes.

    The running number makes a name unique. Sources that are added at the end do not change it.

    Raises
    ------
    InputError
        Before the first candidate, if a source is invalid as a whole.
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
        "dropped": candidate.dropped,
        "reason": candidate.reason,
    }
