"""Recognition of crystals seen before, whatever their cell, orientation, origin, order of atoms, handedness
and volume.

The basis functions of a moment tensor potential with random radial functions describe the neighborhood of
every atom, at unit volume per atom. They do not depend on rotations, reflections or the order of atoms. The
mean over the atoms of a few bounded functions of them does not depend on the choice of the cell. All
functions are smooth, so rounded coordinates in files change little. Crystals that agree in these numbers and
in composition are taken for the same; so are crystals that differ only beyond `REACH` of every atom.

Of all orderings of two species on fcc, bcc and hcp up to 12 atoms, the nearest two differ by 0.003 in one of
the numbers; displacements of 5·10⁻⁶ Å change them by some 4·10⁻⁵. Near a symmetric structure the numbers are
quadratic in the distortion that breaks the symmetry: a cubic crystal strained by 0.1 % is taken for cubic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import gcd

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from alflow.potentials.mtp import MomentTensorPotential, basis_functions

LEVEL = 16
"""At level 12 two orderings on hcp with 12 atoms have the same numbers."""
REACH = 4.0
"""In units of the cube root of the volume per atom; with 3, different orderings come as close as 10⁻⁵."""
MIN_DISTANCE = 0.5
"""Lower end of the radial functions; nearest neighbors in close packing are 1.1 apart."""
RADIAL_FUNCTIONS = 10
"""With 6, different orderings come as close as 3·10⁻⁴."""
INVARIANTS = 6
BIN = 2e-4
MARGIN = 1e-4
"""A number this close to the edge of its bin may belong to the next one."""


class SeenCrystals:
    """The crystals of a stream, as 64-bit keys.

    Parameters
    ----------
    species
        Chemical symbols that may occur.
    """

    def __init__(self, species: Sequence[str]) -> None:
        self._potential = _random_potential(species)
        self._phases = np.array(
            [_random(atomic_numbers[symbol]).normal(size=INVARIANTS) for symbol in species]
        )
        functions = len(self._potential.moment_coefficients)
        self._projection = _random(0).normal(size=(functions, INVARIANTS)) / np.sqrt(functions)
        self._keys: set[int] = set()

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, atoms: Atoms) -> bool:
        """Whether a periodic crystal is new; a new crystal is remembered."""
        formula = _reduced_formula(atoms)
        bins = self.invariants(atoms) / BIN
        if any(hash((formula, cell)) in self._keys for cell in _near_cells(bins)):
            return False
        self._keys.add(hash((formula, tuple(np.floor(bins).astype(int).tolist()))))
        return True

    def invariants(self, atoms: Atoms) -> NDArray[np.float64]:
        """The numbers, (INVARIANTS,) in -1 to 1, that equivalent crystals share."""
        unit = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
        unit.set_cell(atoms.cell * (len(atoms) / atoms.cell.volume) ** (1 / 3), scale_atoms=True)
        basis = basis_functions(self._potential, [unit])
        phases = self._phases[self._potential.types_of(atoms.numbers)]
        return np.asarray(np.sin(np.arcsinh(basis) @ self._projection + phases).mean(axis=0))


def _near_cells(bins: NDArray[np.float64]) -> Iterator[tuple[int, ...]]:
    low, high = np.floor(bins - MARGIN / BIN).astype(int), np.floor(bins + MARGIN / BIN).astype(int)
    return product(*({first, last} for first, last in zip(low.tolist(), high.tolist(), strict=True)))


def _reduced_formula(atoms: Atoms) -> tuple[tuple[int, int], ...]:
    counts = Counter(atoms.numbers.tolist())
    divisor = gcd(*counts.values())
    return tuple(sorted((number, count // divisor) for number, count in counts.items()))


def _random_potential(species: Sequence[str]) -> MomentTensorPotential:
    """A potential whose radial functions depend only on the two elements and weigh all distances alike."""
    potential = MomentTensorPotential.random(species, LEVEL, REACH, min_distance_A=MIN_DISTANCE)
    functions = potential.radial_coefficients.shape[2]
    radial = np.zeros_like(potential.radial_coefficients)
    for (i, first), (j, second) in product(enumerate(species), repeat=2):
        random = _random(atomic_numbers[first], atomic_numbers[second])
        radial[i, j, :, :RADIAL_FUNCTIONS] = random.normal(size=(functions, RADIAL_FUNCTIONS))
    return replace(potential, radial_coefficients=2 * radial / REACH**2)


def _random(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)
