"""The hull that brute force finds: every derivative structure relaxed with ASE's EMT.

    python benchmarks/cu_pd_brute_force.py --species Cu Pd --max-atoms 12 --folder cu_pd_12

The reference that hull screening is compared with. EMT is evaluated by benchmarks/batched_emt.py; a random
sample is relaxed from the start by plain ASE (EMT, FrechetCellFilter, LBFGS), which also counts the
evaluations that brute force takes, and everything near the hull is relaxed on by it from where it came to.

Written to the folder: `results.npz` (for each structure lattice, size, composition, energy per atom, distance
from the hull, steps; all in the order of enumeration), `relaxed.extxyz`, and the report `report.txt`.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.filters import FrechetCellFilter
from ase.io import write
from ase.optimize import LBFGS
from batched_emt import BatchedEMT, displaced_alloys, largest_difference
from numpy.typing import NDArray

from alflow.hull.convex_hull import hull_distances
from alflow.hull.derivative import derivative_structures, parent_lattice
from alflow.hull.volumes import at_vegard_volume
from alflow.simulation import BatchResult, Guards, Relaxation, relax_batch

LATTICES = ("fcc", "bcc", "hcp")
FMAX_EV_A = 0.002
SETTINGS = Relaxation(max_force_eV_A=FMAX_EV_A, max_stress_GPa=0.02, steps=2000)
ASE_STEPS = 300
MARGINS_EV = (0.001, 0.002, 0.005, 0.010, 0.020, 0.030)
NEAR_EV = 0.005

Array = NDArray[np.float64]


def element_volumes_A3(species: list[str]) -> dict[str, float]:
    """Atomic volumes of the relaxed fcc elements."""
    fcc = [bulk(symbol, "fcc", a=3.9) for symbol in species]
    return {
        species[result.index]: float(result.atoms.cell.volume)
        for result in relax_batch(fcc, BatchedEMT(species), settings=SETTINGS)
    }


def candidates(species: list[str], max_atoms: int) -> Iterator[Atoms]:
    """All derivative structures, at Vegard volumes; `info["lattice"]` is theirs."""
    volumes = element_volumes_A3(species)
    for lattice in LATTICES:
        for atoms in derivative_structures(parent_lattice(lattice), species, max_atoms):
            start = at_vegard_volume(atoms, volumes)
            start.info = {"lattice": lattice}
            yield start


def relaxed_by_ase(atoms: Atoms) -> tuple[float, int]:
    """Energy per atom in eV, and evaluations, of a relaxation by plain ASE; it may stop above the minimum."""
    moving = atoms.copy()
    moving.calc = EMT()
    with LBFGS(FrechetCellFilter(moving), logfile=None) as optimizer:
        optimizer.run(fmax=FMAX_EV_A, steps=ASE_STEPS)
    return moving.get_potential_energy() / len(moving), optimizer.nsteps + 1


def compositions_of(results: list[BatchResult], species: list[str]) -> Array:
    """Fractions of the species, (n, species)."""
    return np.array(
        [[np.mean(np.array(result.atoms.symbols) == symbol) for symbol in species] for result in results]
    )


def keep(folder: Path, results: list[BatchResult], **arrays: Array) -> None:
    """Write results.npz and relaxed.extxyz."""
    np.savez_compressed(
        folder / "results.npz",
        lattice=np.array([result.atoms.info["lattice"] for result in results]),
        sizes=np.array([len(result.atoms) for result in results]),
        steps=np.array([result.steps for result in results]),
        **arrays,
    )
    for result in results:
        result.atoms.calc = SinglePointCalculator(result.atoms, energy=result.energy_eV)
    write(folder / "relaxed.extxyz", [result.atoms for result in results])


def hull_report(results: list[BatchResult], energies: Array, distances: Array) -> Iterator[str]:
    """What is on the hull, and how much is near it."""
    states = Counter(result.reason or result.state for result in results)
    yield f"{len(results)} structures: " + ", ".join(f"{count} {state}" for state, count in states.items())
    yield f"steps of the batch: {np.mean([result.steps for result in results]):.1f} a structure"
    on_hull = np.flatnonzero(distances < 1e-6)
    yield f"on the hull: {len(on_hull)}"
    for k in on_hull[np.argsort(energies[on_hull])]:
        atoms = results[k].atoms
        yield f"  {k:6d} {atoms.symbols!s:12} {atoms.info['lattice']} {energies[k]:+.6f} eV/atom"
    for margin in MARGINS_EV:
        yield f"within {1e3 * margin:.0f} meV/atom of the hull: {np.sum(distances <= margin)}"


def sample_report(starts: dict[int, Atoms], energies: Array, every: int) -> Iterator[str]:
    """The same relaxations by plain ASE."""
    pairs = [(energies[k], *relaxed_by_ase(atoms)) for k, atoms in starts.items()]
    own, peer, evaluations = np.array(pairs).T
    difference = 1e3 * (own - peer)
    yield (
        f"ASE from the start, {len(pairs)} structures: {evaluations.mean():.1f} evaluations each "
        f"({evaluations.mean() * every:.3g} for all); energies agree within 0.1 meV/atom in "
        f"{np.mean(np.abs(difference) < 0.1):.1%}, lower by more in {np.mean(difference < -0.1):.1%} "
        f"here and in {np.mean(difference > 0.1):.1%} there"
    )


def near_report(results: list[BatchResult], near: NDArray[np.intp]) -> Iterator[str]:
    """What plain ASE says of the minima near the hull."""
    energy = force = stress = 0.0
    for k in near:
        atoms = results[k].atoms.copy()
        atoms.calc = EMT()
        energy = max(energy, abs(atoms.get_potential_energy() - results[k].energy_eV) / len(atoms))
        force = max(force, np.linalg.norm(atoms.get_forces(), axis=1).max())
        stress = max(stress, np.abs(atoms.get_stress()).max() / units.GPa)
    yield (
        f"ASE at the minima, {len(near)} structures within {1e3 * NEAR_EV:.0f} meV/atom: energies "
        f"differ by at most {energy:.0e} eV/atom, forces reach {force:.4f} eV/Å, stresses {stress:.3f} GPa"
    )


def main() -> None:
    """Relax, report, keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--species", nargs="+", default=["Cu", "Pd"])
    parser.add_argument("--max-atoms", type=int, default=12)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=200, help="relaxed by plain ASE from the start")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    report = (arguments.folder / "report.txt").open("w", encoding="utf-8")

    def say(line: str) -> None:
        print(line, flush=True)
        print(line, file=report, flush=True)

    differences = largest_difference(displaced_alloys(50))
    if max(differences.values()) > 1e-9:
        raise SystemExit(f"batched EMT is not ASE's: {differences}")
    begin = time.perf_counter()
    free = Guards(max_volume_change=None)
    pool = candidates(arguments.species, arguments.max_atoms)
    results = list(relax_batch(pool, BatchedEMT(arguments.species), settings=SETTINGS, guards=free))
    results.sort(key=lambda result: result.index)
    system = "-".join(arguments.species)
    say(f"{system}, up to {arguments.max_atoms} atoms: {time.perf_counter() - begin:.0f} s")
    energies = np.array([result.energy_eV / len(result.atoms) for result in results])
    compositions = compositions_of(results, arguments.species)
    distances = hull_distances(compositions, energies)
    for line in hull_report(results, energies, distances):
        say(line)
    keep(arguments.folder, results, compositions=compositions, energies=energies, distances=distances)

    for line in near_report(results, np.flatnonzero(distances <= NEAR_EV)):
        say(line)

    random = np.random.default_rng(0)
    sample = set(random.choice(len(results), min(arguments.sample, len(results)), replace=False).tolist())
    pool = candidates(arguments.species, arguments.max_atoms)
    starts = {k: atoms for k, atoms in enumerate(pool) if k in sample}
    for line in sample_report(starts, energies, len(results)):
        say(line)


if __name__ == "__main__":
    main()
