"""Speed of the kernel against motep's compiled engine, both in this process on one core.

    taskset -c 1 python benchmarks/kernel.py
    ALFLOW_KERNEL=avx2 taskset -c 1 python benchmarks/kernel.py
    python benchmarks/kernel.py --threads          # two cores that do nothing else

Times are medians over runs in which what is compared takes turns; CPU times, which do not count other
processes, but for threads, where they are wall times.
"""

from __future__ import annotations

import argparse
import ctypes
import resource
import subprocess
import time
from collections.abc import Callable
from functools import partial
from math import comb
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from ase.neighborlist import neighbor_list
from motep.calculator import MTP
from motep.io.mlip.mtp import read_mtp as read_with_motep

from alflow.potentials import FlatStructures, PotentialCalculator, evaluate, evaluate_graded, kernel
from alflow.potentials.mtp import MomentTensorPotential, write_mtp
from alflow.potentials.mtp.potential import SKIN_A
from alflow.selection import ActiveSet, Mode
from alflow.simulation import MDSettings, run_md
from alflow.simulation.settings import Ensemble

ELEMENTS = ["Mo", "Nb", "Ta"]
ENSEMBLES: list[Ensemble] = ["nve", "nvt", "npt"]
MODES: list[Mode] = ["neighborhood", "configuration"]
INSTRUCTIONS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mfma", "-mprefer-vector-width=512"],
}
"""Of the builds, as in CMakeLists.txt."""
CHAINS = 14
"""Sums that do not wait for each other; they and the factor fit into the sixteen registers of every build."""
PEAK_LOOP = """
typedef double vec __attribute__((vector_size(LANES * sizeof(double))));
double loop(long count) {
  vec x[CHAINS], y = {};
  y += 1e-9;
  for (int j = 0; j < CHAINS; ++j) x[j] = y + j;
  for (long i = 0; i < count; ++i)
    for (int j = 0; j < CHAINS; ++j) x[j] = x[j] * y + y;
  double sum = 0;
  for (int j = 0; j < CHAINS; ++j) sum += x[j][0];
  return sum;
}
"""


def crystal(species: int, repeat: int = 10, seed: int = 0) -> Atoms:
    """A bcc crystal of 2·repeat³ displaced atoms, a random alloy if there are several species."""
    atoms = bulk("Mo", a=3.15, cubic=True).repeat(repeat)
    atoms.set_chemical_symbols(np.random.default_rng(seed).choice(ELEMENTS[:species], len(atoms)))
    atoms.rattle(0.1, seed=seed)
    return atoms


def random_potential(species: int = 1, level: int = 16) -> MomentTensorPotential:
    """With eight radial basis functions, as MLIP's have."""
    return MomentTensorPotential.random(
        ELEMENTS[:species], level, 5.0, min_distance_A=2.0, radial_basis_size=8
    )


def seconds(
    works: list[Callable[[], object]], runs: int, clock: Callable[[], float] = time.process_time
) -> list[float]:
    """Median time of a call of each, s; they take turns."""
    times: list[list[float]] = [[] for _ in works]
    for run in range(runs + 1):
        for work, own in zip(works, times, strict=True):
            begin = clock()
            work()
            if run:
                own.append(clock() - begin)
    return [float(np.median(own)) for own in times]


def with_motep(potential: MomentTensorPotential, atoms: Atoms) -> Callable[[], object]:
    """Energy, forces and stress by motep, neighbour list included as in a step of dynamics."""
    with TemporaryDirectory() as folder:
        write_mtp(Path(folder) / "p.mtp", potential)
        data = read_with_motep(Path(folder) / "p.mtp")
    data.species = np.array([Atoms(symbol).numbers[0] for symbol in potential.species])
    calculator = MTP(data, engine="cext", mode="run")
    rng = np.random.default_rng(1)

    def work() -> object:
        moved = atoms.copy()
        moved.positions += 1e-3 * rng.normal(size=moved.positions.shape)
        moved.calc = calculator
        return moved.get_forces()

    return work


def operations(potential: MomentTensorPotential, atoms: Atoms) -> float:
    """Floating-point operations per atom for energy, forces and stress, as the tables ask for them.

    Neighbour list, loads, lanes without a neighbour and moments that the tables do not name count as nothing.
    """
    tables = potential.tables
    functions, size = potential.radial_coefficients.shape[2:]
    rank = tables.basic[:, 1:].sum(axis=1).max()
    monomials = comb(rank + 3, 3)
    neighbors = len(neighbor_list("i", atoms, potential.cutoff_A)) / len(atoms)
    radial = 8 * size + 4 * functions * size
    moments = 2 * monomials + 2 * len(tables.basic)
    backward = 4 * monomials + 4 * len(tables.basic) + 2 * functions + 40
    return neighbors * (radial + moments + backward) + 8 * len(tables.times)


def peak_rate() -> float:
    """Multiplications and additions per second by a loop of nothing else, flop/s.

    The loop has the instructions and the vector length of the kernel's build, so that this is the peak of the
    core as far as the build can use it.
    """
    with TemporaryDirectory() as folder:
        source, library = Path(folder) / "peak.c", Path(folder) / "peak.so"
        source.write_text(PEAK_LOOP)
        flags = ["-O3", "-ffp-contract=fast", *INSTRUCTIONS[kernel.build_name]]
        flags += [f"-DLANES={kernel.lanes}", f"-DCHAINS={CHAINS}", "-shared", "-fPIC"]
        subprocess.run(["cc", *flags, source, "-o", library], check=True)
        loop = ctypes.CDLL(str(library)).loop
    loop.restype = ctypes.c_double
    count = 5_000_000
    return 2 * kernel.lanes * CHAINS * count / min(seconds([lambda: loop(ctypes.c_long(count))] * 5, 1))


def peers(runs: int) -> None:
    """Large cells of one to three species, and the share of the core's peak."""
    peak = peak_rate()
    print(f"peak of the core by {kernel.build_name} instructions {peak / 1e9:.1f} Gflop/s\n")
    print("| species | level | alflow, µs per atom | motep, µs per atom | ratio | of the peak |")
    print("|---|---|---|---|---|---|")
    cases = [(1, level) for level in (8, 12, 16, 20, 24)] + [(2, 16), (3, 16)]
    for species, level in cases:
        atoms, potential = crystal(species), random_potential(species, level)
        works = [lambda p=potential, a=atoms: evaluate(p, [a]), with_motep(potential, atoms)]
        ours, theirs = (1e6 * time_s / len(atoms) for time_s in seconds(works, runs))
        share = operations(potential, atoms) / (1e-6 * ours) / peak
        print(
            f"| {species} | {level} | {ours:.2f} | {theirs:.1f} | {theirs / ours:.1f} | {share:.0%} |",
            flush=True,
        )


def own(runs: int) -> None:
    """Grades, alloys, small cells and kept neighbour lists against energies and forces of the large cell."""
    potential, alloy_potential = random_potential(), random_potential(3)
    sets = [
        ActiveSet.from_structures(potential, [crystal(1, 4, seed) for seed in range(3)], m) for m in MODES
    ]
    alloy_set = ActiveSet.from_structures(alloy_potential, [crystal(3, 4, seed) for seed in range(3)])
    large, alloy = [crystal(1)], [crystal(3)]
    small = bulk("Mo", a=3.15, cubic=True).repeat((2, 2, 1))
    small.rattle(0.1, seed=0)
    cells = [small] * 10_000
    flat_cells = FlatStructures.of(cells)
    verlet_list = kernel.VerletList(SKIN_A)
    works: dict[str, tuple[int, Callable[[], object]]] = {
        "2000 atoms": (2000, lambda: evaluate(potential, large)),
        **{
            f"with grades ({active.mode})": (2000, partial(evaluate_graded, potential, large, active))
            for active in sets
        },
        "with a kept Verlet list": (2000, lambda: evaluate(potential, large, neighbors=verlet_list)),
        "10,000 cells of 8 atoms": (80_000, lambda: evaluate(potential, cells)),
        "the same as flat arrays": (80_000, lambda: evaluate(potential, flat_cells)),
        "alloy of three species": (2000, lambda: evaluate(alloy_potential, alloy)),
        "with grades (neighborhood, three species)": (
            2000,
            lambda: evaluate_graded(alloy_potential, alloy, alloy_set),
        ),
    }
    times = seconds([work for _, work in works.values()], runs)
    print("\n| level 16 | µs per atom | of the large cell |\n|---|---|---|")
    for (name, (atoms, _)), time_s in zip(works.items(), times, strict=True):
        print(f"| {name} | {time_s / atoms * 1e6:.2f} | {time_s / atoms / (times[0] / 2000):.2f} |")


def dynamics(runs: int) -> None:
    """A step of ASE's velocity Verlet and of `run_md`, with grades, beside the kernel alone."""
    potential = random_potential()
    active_set = ActiveSet.from_structures(potential, [crystal(1, 4, seed) for seed in range(3)])
    atoms = crystal(1, 4)
    flat = FlatStructures.of([atoms])
    atoms.calc = PotentialCalculator(potential, active_set=active_set)
    verlet = VelocityVerlet(atoms, 0.1 * units.fs)
    types = potential.types_of(flat.numbers)
    arrays, steps = (flat.positions, types, flat.cells, flat.periodic, flat.offsets), 100

    def kernel_alone() -> None:
        for _ in range(steps):
            kernel.evaluate(potential.compiled, *arrays, True, False, False, active_set.grade_matrix, 1)

    def run(ensemble: Ensemble) -> object:
        settings = MDSettings(ensemble=ensemble, temperature_K=300, steps=steps, timestep_fs=0.1)
        return run_md(crystal(1, 4), atoms.calc, settings)

    works: dict[str, Callable[[], object]] = {
        "kernel alone": kernel_alone,
        "ASE's velocity Verlet": lambda: verlet.run(steps),
    }
    works |= {f"run_md, {ensemble}": partial(run, ensemble) for ensemble in ENSEMBLES}
    times = seconds(list(works.values()), runs)
    print("\n| 128 atoms, level 16, with grades | µs per step | ratio |\n|---|---|---|")
    for name, time_s in zip(works, times, strict=True):
        print(f"| {name} | {time_s / steps * 1e6:.0f} | {time_s / times[0]:.2f} |")


def sizes() -> None:
    """Time and memory per atom from a thousand to a million atoms."""
    potential = random_potential()
    print("\n| atoms | µs per atom | kB per atom, beyond the structure |\n|---|---|---|")
    for repeat in (8, 17, 37, 80):
        atoms = crystal(1, repeat)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        time_s = seconds([lambda a=atoms: evaluate(potential, [a])], max(1, 20 // repeat))[0]
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / len(atoms)
        print(f"| {len(atoms):,} | {time_s / len(atoms) * 1e6:.2f} | {memory:.2f} |", flush=True)


def two_threads(runs: int) -> None:
    """Wall times of one and two threads; the CPU time of two shows what they do twice."""
    potential = random_potential()
    print(
        "\n| atoms | one thread, ms | two, ms | ratio | CPU time of two beside one |\n|---|---|---|---|---|"
    )
    for repeat in (10, 37):
        atoms = crystal(1, repeat)
        works = [lambda a=atoms, t=threads: evaluate(potential, [a], threads=t) for threads in (1, 2)]
        one, two = (1e3 * time_s for time_s in seconds(works, runs, time.perf_counter))
        one_cpu, two_cpu = seconds(works, runs)
        print(
            f"| {len(atoms):,} | {one:.2f} | {two:.2f} | {one / two:.2f} | {two_cpu / one_cpu:.3f} |",
            flush=True,
        )


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--runs", type=int, default=9)
    arguments.add_argument("--threads", action="store_true", help="only one thread against two")
    options = arguments.parse_args()
    print(f"kernel build {kernel.build_name}\n")
    if options.threads:
        two_threads(options.runs)
        return
    sizes()
    peers(options.runs)
    own(options.runs)
    dynamics(options.runs)


if __name__ == "__main__":
    main()
