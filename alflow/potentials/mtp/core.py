"""The core under a moment tensor potential: the repulsion of nuclei where atoms are closer than the data.

Between `inner_A` and `outer_A` of each pair of species the radial functions are handed over to the universal
potential of Ziegler, Biersack and Littmark (1985), with the constants and the switch of LAMMPS (``pair_style
zbl``). Below `inner_A` a pair has no part in the moments. `alflow/potentials/kernel/local/core.hpp` computes
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from numpy.typing import NDArray
from pydantic import Field, model_validator

from alflow.errors import InputError
from alflow.potentials.flat_structures import FlatStructures
from alflow.potentials.neighbors import pairs_within
from alflow.settings import Section

LARGEST_OUTER = 0.8
"""Default of the largest `outer_A` of a pair, as a fraction of the sum of its covalent radii (those of ASE;
Cordero et al. 2008, doi 10.1039/b801115j). Bonds are longer even in hot liquids; copper has 2.11 Å."""
DEFAULT_INNER = 0.5
"""Default of `inner_A` as a fraction of `outer_A`."""


class CoreSettings(Section):
    """The repulsion of nuclei under the potential."""

    kind: Literal["zbl"] = Field(
        default="zbl", description="the universal potential of Ziegler, Biersack and Littmark"
    )
    inner_A: float | None = Field(
        default=None,
        ge=0.1,
        le=4,
        description="distance up to which a pair has only the core, Å; default: half of outer_A",
    )
    outer_A: float | None = Field(
        default=None,
        ge=0.2,
        le=5,
        description="distance from which on a pair has no core, Å; default: of each pair of elements the "
        "shortest distance in the first data, at most 0.8 of the sum of the covalent radii",
    )

    @model_validator(mode="after")
    def _in_order(self) -> CoreSettings:
        if self.inner_A is not None and self.outer_A is None:
            raise ValueError(f"outer_A is missing; give it besides inner_A = {self.inner_A:g}")
        if self.inner_A is not None and self.outer_A is not None and self.inner_A >= self.outer_A:
            raise ValueError(f"inner_A = {self.inner_A:g} must be below outer_A = {self.outer_A:g}")
        return self


@dataclass(frozen=True, eq=False)
class Core:
    """The core of each pair of species.

    Attributes
    ----------
    inner_A, outer_A : (S, S) array
        Distances between which the core takes over; symmetric.

    Raises
    ------
    InputError
        If a pair does not have 0 < inner_A < outer_A, or the two orders of a pair differ.
    """

    inner_A: NDArray[np.float64]
    outer_A: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not ((self.inner_A > 0) & (self.inner_A < self.outer_A) & np.isfinite(self.outer_A)).all():
            raise InputError("the radii of the core must be 0 < inner_A < outer_A for each pair of species")
        if (self.inner_A != self.inner_A.T).any() or (self.outer_A != self.outer_A.T).any():
            raise InputError("the radii of the core must not depend on the order of a pair of species")

    def table(self, species: Sequence[str]) -> NDArray[np.float64]:
        """Rows (S, S, 4) for the kernel: both atomic numbers, inner_A, outer_A."""
        charges = np.array([atomic_numbers[symbol] for symbol in species], dtype=float)
        return np.stack(
            [*np.broadcast_arrays(charges[:, None], charges, self.inner_A, self.outer_A)], axis=2
        ).copy()


def core_of(settings: CoreSettings, species: Sequence[str], structures: Sequence[Atoms]) -> Core:
    """The core that the settings mean for these data."""
    count = len(species)
    if settings.outer_A is not None:
        outer_A = np.full((count, count), settings.outer_A)
    else:
        radii_A = np.array([covalent_radii[atomic_numbers[symbol]] for symbol in species])
        limits_A = LARGEST_OUTER * (radii_A[:, None] + radii_A)
        outer_A = np.minimum(limits_A, shortest_distances(species, structures, float(limits_A.max())))
    inner_A = np.full_like(outer_A, settings.inner_A) if settings.inner_A else DEFAULT_INNER * outer_A
    return Core(inner_A, outer_A)


def shortest_distances(
    species: Sequence[str], structures: Sequence[Atoms], within_A: float
) -> NDArray[np.float64]:
    """Shortest distance of each pair of species (S, S), Å; infinite for pairs beyond `within_A`."""
    shortest = np.full((len(species), len(species)), np.inf)
    index = {atomic_numbers[symbol]: number for number, symbol in enumerate(species)}
    flat = FlatStructures.of([atoms for atoms in structures if len(atoms)])
    types = np.array([index[number] for number in flat.numbers.tolist()], dtype=int)
    pairs = pairs_within(flat, within_A)
    np.minimum.at(shortest, (types[pairs.first], types[pairs.second]), pairs.distances_A)
    return np.asarray(np.minimum(shortest, shortest.T), dtype=np.float64)
