"""The stream of candidates of a screening: each is a crystal, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list

from alflow.errors import InputError
from alflow.hull.derivative import PARENTS, derivative_structures, parent_lattice
from alflow.hull.duplicates import SeenCrystals
from alflow.hull.prototypes import decorations, prototypes
from alflow.hull.random_crystals import random_crystals
from alflow.hull.volumes import at_vegard_volume, atomic_volumes_A3
from alflow.states import Dropped
from alflow.structures.checks import complaint
from alflow.structures.files import iterate_structures
from alflow.structures.occupancies import disorder

OVERLAP = 0.5
"""Atoms overlap if they are closer than this fraction of the sum of their covalent radii; bonds under
pressure reach 0.8."""


@dataclass(frozen=True)
class Candidate:
    """A crystal to screen, or one that was dropped.

    Attributes
    ----------
    source
        Origin of the crystal, as readable text.
    atoms
        Numbers, positions, cell and periodicity only; None if the crystal could not be read or made.
    dropped
        Category of the reason to drop it; None if it is screened.
    reason
        Details of the reason, as the rest of a sentence.
    """

    source: str
    atoms: Atoms | None
    dropped: Dropped | None = None
    reason: str | None = None

    @classmethod
    def unusable(cls, source: str, atoms: Atoms | None, reason: str) -> Candidate:
        """A candidate that cannot be screened."""
        return cls(source, atoms, Dropped.UNUSABLE, reason)


@dataclass(frozen=True)
class Derivative:
    """All orderings of the species on a parent lattice, which is a name in `PARENTS` or a file."""

    parent: str | Path
    max_atoms: int
    min_atoms: int = 1

    def stream(self, species: Sequence[str]) -> Iterator[Candidate]:
        lattice = parent_lattice(self.parent)
        structures = derivative_structures(lattice, species, self.max_atoms, min_atoms=self.min_atoms)
        name = str(self.parent) if self.parent in PARENTS else Path(self.parent).name
        return (Candidate(name, atoms) for atoms in structures)


@dataclass(frozen=True)
class Files:
    """Crystals of a file, or of all files in a folder and its subfolders, at their own volumes."""

    path: Path

    def stream(self, species: Sequence[str]) -> Iterator[Candidate]:
        if not self.path.exists():
            raise InputError(f"{self.path}: there is no such file or folder; give one that holds structures")
        if self.path.is_file():
            return _read(self.path, self.path.name, species)
        paths = sorted(path for path in self.path.rglob("*") if path.is_file())
        if not paths:
            raise InputError(f"{self.path}: the folder is empty; give one that holds files of structures")
        return (
            candidate
            for path in paths
            for candidate in _read(path, str(path.relative_to(self.path)), species)
        )


@dataclass(frozen=True)
class Prototypes:
    """Known structure types, decorated with the species in all ways; without names, all up to `max_atoms`."""

    names: tuple[str, ...] = ()
    max_atoms: int = 24

    def stream(self, species: Sequence[str]) -> Iterator[Candidate]:
        return (
            Candidate(name, atoms)
            for name, prototype in prototypes(self.names, self.max_atoms)
            for atoms in decorations(prototype, species)
        )


@dataclass(frozen=True)
class RandomCrystals:
    """Crystals with random space group, composition and positions, up to `max_atoms` per primitive cell."""

    count: int
    max_atoms: int
    seed: int = 0

    def stream(self, species: Sequence[str]) -> Iterator[Candidate]:
        found = random_crystals(species, self.max_atoms, self.count, self.seed)
        return (
            Candidate(f"random {number}", atoms)
            if atoms
            else Candidate.unusable(f"random {number}", None, "no symmetric crystal was found")
            for number, atoms in enumerate(found, start=1)
        )


Source = Derivative | Files | Prototypes | RandomCrystals


def candidates(
    sources: Sequence[Source],
    species: Sequence[str],
    *,
    volumes_A3: Mapping[str, float] | None = None,
    volume_factors: Sequence[float] = (1.0,),
) -> Iterator[Candidate]:
    """Yield the crystals of all sources in order; each is checked, and duplicates are dropped.

    Crystals that do not come from files get the volume of Vegard's law. Crystals that differ only in volume
    count as duplicates.

    Parameters
    ----------
    sources
        Sources in order; another source at the end does not change the candidates before it.
    species
        Chemical symbols that may occur.
    volumes_A3
        Volume per atom of each element; by default that of ASE's reference state.
    volume_factors
        Each crystal that does not come from a file is given once per factor, its volume times the factor.

    Raises
    ------
    InputError
        If a source is invalid as a whole; raised before the first candidate.
    """
    if wrong := [factor for factor in volume_factors if not factor > 0]:
        raise InputError(f"volume_factors holds {wrong[0]}; factors of the volume are positive")
    streams = [(source, source.stream(species)) for source in sources]
    if not all(isinstance(source, Files) for source in sources):
        volumes_A3 = atomic_volumes_A3(species, volumes_A3)
    return _judged(streams, species, volumes_A3 or {}, volume_factors, may_repeat=_may_repeat(sources))


def _judged(
    streams: Sequence[tuple[Source, Iterator[Candidate]]],
    species: Sequence[str],
    volumes_A3: Mapping[str, float],
    volume_factors: Sequence[float],
    *,
    may_repeat: bool,
) -> Iterator[Candidate]:
    seen = SeenCrystals(species)
    for source, stream in streams:
        for candidate in stream:
            if candidate.atoms is None or candidate.dropped is not None:
                yield candidate
                continue
            atoms, name = candidate.atoms, candidate.source
            if not isinstance(source, Files):
                atoms = at_vegard_volume(atoms, volumes_A3)
            if not isinstance(source, Derivative) and (wrong := fault(atoms, species)):
                yield Candidate.unusable(name, atoms, wrong)
            elif may_repeat and not seen.add(atoms):
                yield Candidate(name, atoms, Dropped.DUPLICATE, "is the same crystal as an earlier candidate")
            elif isinstance(source, Files):
                yield Candidate(name, atoms)
            else:
                for factor in volume_factors:
                    yield Candidate(name, at_vegard_volume(atoms, volumes_A3, factor))


def fault(atoms: Atoms, species: Sequence[str]) -> str | None:
    """Reason why a crystal cannot be screened, as the rest of a sentence; None if it can."""
    if wrong := complaint(atoms, species, labelled=False):
        return wrong
    if not atoms.pbc.all():
        return "is not periodic in three directions; a crystal is"
    first, second, distances_A = neighbor_list("ijd", atoms, natural_cutoffs(atoms, mult=OVERLAP))
    if not len(distances_A):
        return None
    nearest = int(distances_A.argmin())
    return (
        f"has atoms {first[nearest]} and {second[nearest]} {distances_A[nearest]:.3g} Å apart; "
        f"below {OVERLAP:g} of the sum of their covalent radii they overlap"
    )


def _may_repeat(sources: Sequence[Source]) -> bool:
    """Whether the sources may repeat a crystal: orderings of one lattice differ from each other and from
    those of another lattice."""
    if len(sources) == 1 and isinstance(sources[0], Derivative):
        return False
    parents = {source.parent for source in sources if isinstance(source, Derivative)}
    return not (parents <= set(PARENTS) and len(parents) == len(sources))


def _read(path: Path, name: str, species: Sequence[str]) -> Iterator[Candidate]:
    """Yield the crystals of a file and, if reading fails, an unusable candidate with the reason."""
    number = 0
    try:
        for number, atoms in enumerate(iterate_structures(path, species), start=1):
            bare = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
            if wrong := disorder(atoms):
                yield Candidate.unusable(f"{name} frame {number}", bare, wrong)
            else:
                yield Candidate(f"{name} frame {number}", bare)
    except InputError as error:
        yield Candidate.unusable(f"{name} after frame {number}" if number else name, None, str(error))
