"""ASE's effective medium theory (EMT) for many structures at once: a quantum-mechanical code to compare with
that is cheap enough for brute force.

    python benchmarks/batched_emt.py            compares with ase.calculators.emt and prints the speed

The parameters, cutoffs and formulas are those of ase.calculators.emt (Jacobsen, Stoltze and Nørskov, Surf.
Sci. 366, 394, 1996); the loops over pairs are compiled by Numba, which icet brings along.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT, beta
from ase.data import atomic_numbers
from numba import njit
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.potentials import FlatStructures
from alflow.simulation import BatchForces

NAMES = ("E0", "s0", "V0", "eta2", "kappa", "lambda", "n0", "inv12gamma1", "neghalfv0overgamma2")


class BatchedEMT:
    """EMT of periodic structures of the given species, as a batch potential.

    Parameters
    ----------
    species : sequence of str
        Chemical symbols.
    """

    def __init__(self, species: Sequence[str]) -> None:
        numbers = sorted(atomic_numbers[symbol] for symbol in species)
        peer = EMT()
        peer.initialize(Atoms(numbers))
        self._parameters = np.array([peer.par[name] for name in NAMES])
        self._cutoffs = np.array([peer.rc, peer.rc_list, peer.acut])
        self._numbers = np.array(numbers)

    def __call__(self, structures: FlatStructures) -> BatchForces:
        known = np.isin(structures.numbers, self._numbers)
        if not known.all():
            raise InputError(f"EMT was made without element {structures.numbers[~known][0]}")
        count = len(structures)
        energies, distances = np.zeros(count), np.full(count, np.inf)
        forces, virials = np.zeros_like(structures.positions), np.zeros((count, 3, 3))
        _evaluate(
            structures.positions,
            np.searchsorted(self._numbers, structures.numbers),
            structures.cells,
            structures.offsets,
            self._parameters,
            self._cutoffs,
            energies,
            forces,
            virials,
            distances,
        )
        return BatchForces(energies, forces, virials, distances)


@njit(cache=True)
def _evaluate(positions, types, cells, offsets, parameters, cutoffs, energies, forces, virials, distances):  # type: ignore[no-untyped-def]
    for s in range(len(cells)):
        atoms = slice(offsets[s], offsets[s + 1])
        first, second, vectors = _pairs(positions[atoms], cells[s], cutoffs[1])
        energies[s], virials[s], distances[s] = _emt(
            types[atoms], first, second, vectors, parameters, cutoffs, forces[atoms]
        )


@njit(cache=True)
def _pairs(positions, cell, cutoff):  # type: ignore[no-untyped-def]
    """All ordered pairs nearer than the cutoff: both atoms, and the vector from the first to the second."""
    inverse = np.linalg.inv(cell)
    fractions = positions @ inverse
    fractions -= np.floor(fractions)
    wrapped = fractions @ cell
    images = np.empty(3, np.int64)
    for k in range(3):
        images[k] = int(np.floor(cutoff * np.sqrt((inverse[:, k] ** 2).sum()) + 1))
    first, second, vectors = np.empty(4096, np.int64), np.empty(4096, np.int64), np.empty((4096, 3))
    found = 0
    for n0 in range(-images[0], images[0] + 1):
        for n1 in range(-images[1], images[1] + 1):
            for n2 in range(-images[2], images[2] + 1):
                shift = n0 * cell[0] + n1 * cell[1] + n2 * cell[2]
                for i in range(len(wrapped)):
                    for j in range(len(wrapped)):
                        x = wrapped[j, 0] + shift[0] - wrapped[i, 0]
                        y = wrapped[j, 1] + shift[1] - wrapped[i, 1]
                        z = wrapped[j, 2] + shift[2] - wrapped[i, 2]
                        if x * x + y * y + z * z >= cutoff * cutoff:
                            continue
                        if i == j and n0 == 0 and n1 == 0 and n2 == 0:
                            continue
                        if found == len(first):
                            first = np.concatenate((first, np.empty_like(first)))
                            second = np.concatenate((second, np.empty_like(second)))
                            vectors = np.concatenate((vectors, np.empty_like(vectors)))
                        first[found], second[found] = i, j
                        vectors[found, 0], vectors[found, 1], vectors[found, 2] = x, y, z
                        found += 1
    return first[:found], second[:found], vectors[:found]


@njit(cache=True)
def _emt(types, first, second, vectors, parameters, cutoffs, forces):  # type: ignore[no-untyped-def]
    """Energy, virial and shortest distance of one structure; adds to its forces."""
    e0, s0, v0, eta2, kappa, lam, n0, inv12gamma1, neghalfv0overgamma2 = parameters
    rc, _, acut = cutoffs
    r = np.sqrt((vectors**2).sum(axis=1))
    w = 1 / (1 + np.exp(acut * (r - rc)))
    sigma1 = np.zeros(len(types))
    density, attraction = np.empty(len(r)), np.empty(len(r))
    for p in range(len(r)):
        a, b = types[first[p]], types[second[p]]
        chi = n0[b] / n0[a] * w[p]
        density[p] = np.exp(-eta2[b] * (r[p] - beta * s0[b])) * chi
        attraction[p] = neghalfv0overgamma2[a] * np.exp(-kappa[b] * (r[p] / beta - s0[b])) * chi
        sigma1[first[p]] += density[p]
    energy = attraction.sum()
    slope = np.zeros(len(types))
    for i in range(len(types)):
        a = types[i]
        energy -= e0[a]
        if sigma1[i] == 0:
            continue
        ds = -np.log(sigma1[i] * inv12gamma1[a]) / (beta * eta2[a])
        cohesion, repulsion = e0[a] * np.exp(-lam[a] * ds), 6 * v0[a] * np.exp(-kappa[a] * ds)
        energy += (1 + lam[a] * ds) * cohesion + repulsion
        slope[i] = (lam[a] ** 2 * ds * cohesion + kappa[a] * repulsion) / (beta * eta2[a] * sigma1[i])
    virial = np.zeros((3, 3))
    for p in range(len(r)):
        b = types[second[p]]
        of_cutoff = acut * (w[p] - 1)
        pull = slope[first[p]] * density[p] * (of_cutoff - eta2[b]) + attraction[p] * (
            of_cutoff - kappa[b] / beta
        )
        for k in range(3):
            component = pull / r[p] * vectors[p, k]
            forces[first[p], k] += component
            forces[second[p], k] -= component
            for m in range(3):
                virial[k, m] += component * vectors[p, m]
    return energy, virial, r.min() if len(r) else np.inf


def largest_difference(structures: Sequence[Atoms]) -> dict[str, float]:
    """Largest difference from ase.calculators.emt in energy per atom (eV), forces (eV/Å), stress (eV/Å³)."""
    species = sorted({symbol for atoms in structures for symbol in atoms.symbols})
    flat = FlatStructures.of(structures)
    own = BatchedEMT(species)(flat)
    worst = {"energy": 0.0, "forces": 0.0, "stress": 0.0}
    for k, atoms in enumerate(structures):
        peer = atoms.copy()
        peer.calc = EMT()
        forces = own.forces_eV_A[flat.offsets[k] : flat.offsets[k + 1]]
        stress = own.virials_eV[k] / peer.cell.volume
        for name, difference in (
            ("energy", (own.energies_eV[k] - peer.get_potential_energy()) / len(atoms)),
            ("forces", forces - peer.get_forces()),
            ("stress", stress - peer.get_stress(voigt=False)),
        ):
            worst[name] = max(worst[name], float(np.abs(difference).max()))
    return worst


def displaced_alloys(count: int, seed: int = 0) -> list[Atoms]:
    """Displaced, strained, skewed cells of 1 to 12 atoms of EMT's metals."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        repeat = random.permutation([random.integers(1, 4), random.integers(1, 3), 1])
        atoms = bulk("Cu", "fcc", a=random.uniform(3.5, 4.1)).repeat([int(n) for n in repeat])
        atoms.symbols = random.choice(["Cu", "Pd", "Au", "Ni", "Pt", "Ag", "Al"], len(atoms))
        skew = np.eye(3) + np.tril(random.integers(-1, 2, (3, 3)), -1) @ np.diag([1, 1, 0])
        atoms.set_cell(skew @ atoms.cell.array @ (np.eye(3) + 0.05 * random.normal(size=(3, 3))))
        atoms.positions += 0.1 * random.normal(size=(len(atoms), 3))
        found.append(atoms)
    return found


def seconds(run) -> float:  # type: ignore[no-untyped-def]
    """Time of one call."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main() -> None:
    """Print differences and speed."""
    alloys = displaced_alloys(200)
    for name, difference in largest_difference(alloys).items():
        print(f"{name:8} differs by at most {difference:.1e} from ASE's")
    emt, flat = BatchedEMT(["Cu", "Pd", "Au", "Ni", "Pt", "Ag", "Al"]), FlatStructures.of(alloys)
    own: NDArray[np.float64] = np.array([seconds(lambda: emt(flat)) for _ in range(5)]) / len(alloys)
    peer = np.array([seconds(lambda atoms=atoms: EMT().get_stress(atoms)) for atoms in alloys])  # type: ignore[misc]
    print(f"{1e3 * np.median(own):.3f} ms a structure; ASE's {1e3 * peer.mean():.3f} ms")


if __name__ == "__main__":
    main()
