"""Relaxing many 8-atom Cu-Pd cells: alflow's batches beside ASE's FrechetCellFilter and LBFGS.

    python benchmarks/batch_relaxation.py                         one core, beside ASE
    python benchmarks/batch_relaxation.py --batch-sizes 100 1000  what the size of a batch does
    python benchmarks/batch_relaxation.py --grades                with extrapolation grades at every step
    python benchmarks/batch_relaxation.py --processes 2 --structures 100000 --peers 0

The potential, of level 12 and cutoff 5 Å, is fitted to EMT energies, forces and stresses, once: it is kept in
--potential. The structures are derivative structures of fcc, bcc and hcp with eight atoms at Vegard volumes,
displaced by 0.03 Å and strained by 2 %, so that no two are alike. Both programs stop at the same forces, and
alflow at a stress that is not larger than the one at which ASE's filter stops.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.filters import FrechetCellFilter
from ase.optimize import LBFGS
from batched_emt import BatchedEMT

from alflow.hull.derivative import derivative_structures, parent_lattice
from alflow.hull.volumes import at_vegard_volume
from alflow.potentials import FlatStructures, PotentialCalculator
from alflow.potentials.mtp import MTPSettings, fit, read_mtp, write_mtp
from alflow.selection import ActiveSet
from alflow.simulation import GradedPotential, Relaxation, relax_batch

SPECIES = ["Cu", "Pd"]
VOLUMES_A3 = {"Cu": 11.6, "Pd": 14.6}
FMAX_EV_A = 0.01
SMALLEST_VOLUME_A3 = 15.0  # per atom: above every volume here
SETTINGS = Relaxation(max_force_eV_A=FMAX_EV_A, max_stress_GPa=FMAX_EV_A / SMALLEST_VOLUME_A3 / units.GPa)


def cells(first: int, count: int) -> Iterator[Atoms]:
    """Different cells of eight atoms; each is a function of its number alone."""
    ordered = [
        at_vegard_volume(atoms, VOLUMES_A3)
        for lattice in ("fcc", "bcc", "hcp")
        for atoms in derivative_structures(parent_lattice(lattice), SPECIES, 8, min_atoms=8)
    ]
    for number in range(first, first + count):
        random = np.random.default_rng(number)
        atoms = ordered[random.integers(len(ordered))].copy()
        strain = 0.02 * random.normal(size=(3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        atoms.positions += 0.03 * random.normal(size=atoms.positions.shape)
        yield atoms


def training() -> list[Atoms]:
    """Cells labelled by EMT: as they start, and scaled and displaced further."""
    found = list(cells(10**9, 300))
    random = np.random.default_rng(0)
    for atoms in found[::2]:
        atoms.set_cell(atoms.cell.array * random.uniform(0.95, 1.04), scale_atoms=True)
        atoms.positions += 0.1 * random.normal(size=atoms.positions.shape)
    flat = FlatStructures.of(found)
    labels = BatchedEMT(SPECIES)(flat)
    for k, atoms in enumerate(found):
        stress = labels.virials_eV[k] / atoms.cell.volume
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=labels.energies_eV[k],
            forces=labels.forces_eV_A[flat.offsets[k] : flat.offsets[k + 1]],
            stress=stress.flat[[0, 4, 8, 5, 2, 1]],
        )
    return found


def model(arguments: argparse.Namespace) -> GradedPotential:
    """The potential, with grades if they are asked for."""
    potential = read_mtp(arguments.potential, SPECIES)
    return GradedPotential(
        potential, ActiveSet.from_structures(potential, training()) if arguments.grades else None
    )


def part_of(arguments: argparse.Namespace, first: int, count: int) -> list[tuple[str, int]]:
    """State and steps of some of the structures: the work of one process."""
    size = arguments.batch_sizes[0]
    results = relax_batch(cells(first, count), model(arguments), settings=SETTINGS, batch_size=size)
    return [(result.state, result.steps) for result in results]


def peer(path: Path, number: int) -> tuple[float, int, float]:
    """Energy in eV, steps and seconds of ASE."""
    (atoms,) = cells(number, 1)
    atoms.calc = PotentialCalculator(path, SPECIES)
    atoms.get_potential_energy()
    begin = time.perf_counter()
    with LBFGS(FrechetCellFilter(atoms), logfile=None) as optimizer:
        optimizer.run(fmax=FMAX_EV_A, steps=SETTINGS.steps)
    return atoms.get_potential_energy(), optimizer.nsteps, time.perf_counter() - begin


def beside_ase(arguments: argparse.Namespace) -> None:
    """One core: rounds of both programs, interleaved."""
    potential, starts = model(arguments), list(cells(0, arguments.structures))
    for size in arguments.batch_sizes:
        rounds = []
        for k in range(arguments.rounds):
            begin = time.perf_counter()
            results = list(relax_batch(starts, potential, settings=SETTINGS, batch_size=size))
            taken = (time.perf_counter() - begin) / len(results)
            numbers = range(k * arguments.peers, (k + 1) * arguments.peers)
            rounds.append((taken, [peer(arguments.potential, number) for number in numbers]))
        results.sort(key=lambda result: result.index)
        own = 1e3 * float(np.median([taken for taken, _ in rounds]))
        steps = np.array([result.steps for result in results])
        states = dict(Counter(result.state for result in results))
        print(
            f"batch {size}: {own:.3f} ms a structure, {steps.mean():.1f} steps (most {steps.max()}), {states}"
        )
        if not arguments.peers:
            continue
        energies, peer_steps, seconds = np.array(list(itertools.chain(*(found for _, found in rounds)))).T
        difference = 1e3 * (energies - [results[k].energy_eV for k in range(len(energies))]) / 8
        print(
            f"  ASE: {1e3 * seconds.mean():.1f} ms a structure, {peer_steps.mean():.1f} steps; alflow is "
            f"{1e3 * seconds.mean() / own:.0f} times as fast\n"
            f"  energies, ASE less alflow, meV/atom: median {np.median(difference):+.4f}, "
            f"within 0.1 in {np.mean(np.abs(difference) < 0.1):.0%}, "
            f"from {difference.min():+.2f} to {difference.max():+.2f}"
        )


def in_processes(arguments: argparse.Namespace) -> None:
    """Several processes, each with its part of the structures, start-up included."""
    part = arguments.structures // arguments.processes
    begin = time.perf_counter()
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(part_of, arguments, k * part, part) for k in range(arguments.processes)]
        found = list(itertools.chain(*(job.result() for job in jobs)))
    seconds = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(
        f"{len(found)} structures in {arguments.processes} processes: {seconds:.0f} s, "
        f"{1e3 * seconds / len(found):.3f} ms each, {np.mean([steps for _, steps in found]):.1f} steps, "
        f"{dict(Counter(state for state, _ in found))}, at most {memory:.2f} GiB a process"
    )


def main() -> None:
    """Fit if need be, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--potential", type=Path, default=Path("cu_pd_level12.mtp"))
    parser.add_argument("--structures", type=int, default=2000)
    parser.add_argument("--peers", type=int, default=5, help="structures that ASE relaxes in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1000])
    parser.add_argument("--grades", action="store_true")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    if not arguments.potential.exists():
        found = fit(
            training(),
            species=SPECIES,
            form=MTPSettings(level=12, cutoff_A=5.0),
            threads=os.cpu_count() or 1,
        )
        print(f"fitted: RMSE {1e3 * found.train.energy_rmse_eV_per_atom:.2f} meV/atom")
        write_mtp(arguments.potential, found.potential)
    if arguments.processes > 1:
        in_processes(arguments)
    else:
        beside_ase(arguments)


if __name__ == "__main__":
    main()
