"""Distances between atoms of each pair of species: what the training set covers, and what the runs visit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

BINS = 120
MOST_ATOMS = 100_000  # of a set of structures; larger sets are sampled, so that a report takes seconds


@dataclass(frozen=True)
class PairDistances:
    """Counted distances between atoms of two species.

    Attributes
    ----------
    pair
        Species of the central atom and of its neighbor.
    edges_A : (b + 1,)
        Limits of the intervals, Å.
    counts : (b,)
        Neighbors of all central atoms in each interval.
    centres
        Number of central atoms.
    ideal : (b,)
        Counts of atoms without any order, at the densities of the same structures; zero if none of the
        structures is periodic in all directions.
    shortest_A
        The shortest distance; NaN without a neighbor.
    """

    pair: tuple[str, str]
    edges_A: NDArray[np.float64]
    counts: NDArray[np.int64]
    centres: int
    ideal: NDArray[np.float64]
    shortest_A: float

    @property
    def name(self) -> str:
        """The pair as text, such as Cu–Pd."""
        return "–".join(self.pair)

    @property
    def middles_A(self) -> NDArray[np.float64]:
        """Middles of the intervals, (b,)."""
        middles: NDArray[np.float64] = (self.edges_A[1:] + self.edges_A[:-1]) / 2
        return middles

    @property
    def neighbors_per_A(self) -> NDArray[np.float64]:
        """Neighbors per central atom and Å of distance, (b,); zero without a central atom."""
        density: NDArray[np.float64] = self.counts / (max(self.centres, 1) * np.diff(self.edges_A))
        return density

    @property
    def rdf(self) -> NDArray[np.float64]:
        """Radial distribution function g(r), (b,); NaN where no structure is periodic."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: NDArray[np.float64] = np.where(self.ideal > 0, self.counts / self.ideal, np.nan)
        return ratio


def pair_distances(
    structures: Iterable[Atoms], species: Sequence[str], longest_A: float, bins: int = BINS
) -> list[PairDistances]:
    """Count the distances up to `longest_A` between atoms of each pair of species.

    All periodic images count, so `longest_A` may exceed half the length of a cell. Pairs of which the
    structures have no central atom or no neighbor are left out.
    """
    edges = np.linspace(0.0, longest_A, bins + 1)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    pairs = list(combinations_with_replacement(species, 2))
    counts = {pair: np.zeros(bins, dtype=np.int64) for pair in pairs}
    ideal = {pair: np.zeros(bins) for pair in pairs}
    centres = dict.fromkeys(pairs, 0)
    shortest = dict.fromkeys(pairs, np.inf)
    for atoms in structures:
        symbols = np.array(atoms.get_chemical_symbols())
        first, second, distances = neighbor_list("ijd", atoms, longest_A)
        periodic = atoms.pbc.all() and atoms.cell.rank == 3
        for pair in pairs:
            chosen = distances[(symbols[first] == pair[0]) & (symbols[second] == pair[1])]
            counts[pair] += np.histogram(chosen, edges)[0]
            shortest[pair] = min(shortest[pair], float(chosen.min(initial=np.inf)))
            central, others = int(np.sum(symbols == pair[0])), int(np.sum(symbols == pair[1]))
            centres[pair] += central
            if periodic:
                ideal[pair] += central * others / atoms.cell.volume * shells
    return [
        PairDistances(pair, edges, counts[pair], centres[pair], ideal[pair], shortest[pair])
        for pair in pairs
        if counts[pair].any()
    ]


def sampled(structures: Sequence[Atoms], most_atoms: int = MOST_ATOMS) -> list[Atoms]:
    """The structures, or as many at equal intervals as have about `most_atoms` atoms together."""
    atoms = sum(map(len, structures))
    stride = max(1, -(-atoms // most_atoms))
    return list(structures[::stride])


@dataclass(frozen=True)
class Coverage:
    """Distances that the training set covers, and distances in structures that were visited.

    Attributes
    ----------
    training, visited
        Per pair of species.
    cutoff_A
        The longest distance that counts.
    visited_are
        A few words on the visited structures.
    sampling
        A sentence on sets of which a part was counted, with a blank before it; else empty.
    """

    training: Sequence[PairDistances]
    visited: Sequence[PairDistances]
    cutoff_A: float
    visited_are: str
    sampling: str = ""


def coverage(
    training: Sequence[Atoms],
    visited: Sequence[Atoms],
    species: Sequence[str],
    cutoff_A: float,
    visited_are: str,
) -> Coverage | None:
    """Compare the distances in two sets of structures; None without any distance in the training set."""
    parts = {"the training set": (training, sampled(training)), "the visited": (visited, sampled(visited))}
    counted = [
        f"{len(part)} of {len(whole)} structures of {name}"
        for name, (whole, part) in parts.items()
        if len(part) < len(whole)
    ]
    found = pair_distances(parts["the training set"][1], species, cutoff_A)
    if not found:
        return None
    return Coverage(
        training=found,
        visited=pair_distances(parts["the visited"][1], species, cutoff_A),
        cutoff_A=cutoff_A,
        visited_are=visited_are,
        sampling=f" Counted: {' and '.join(counted)}." if counted else "",
    )
