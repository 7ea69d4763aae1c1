"""Speed of the kernel against motep's compiled engine, both in this process on one core.

taskset -c 0 python benchmarks/kernel.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ase import Atoms
from ase.build import bulk
from motep.calculator import MTP
from motep.io.mlip.mtp import read_mtp as read_with_motep

from alflow.mtp import MomentTensorPotential, evaluate, kernel, write_mtp
from alflow.selection import ActiveSet

ELEMENTS = ["Mo", "Nb", "Ta"]


def crystal(species: int, repeat: int = 10, seed: int = 0) -> Atoms:
    """A bcc crystal of 2·repeat³ displaced atoms, a random alloy if there are several species."""
    atoms = bulk("Mo", a=3.15, cubic=True).repeat(repeat)
    atoms.set_chemical_symbols(np.random.default_rng(seed).choice(ELEMENTS[:species], len(atoms)))
    atoms.rattle(0.1, seed=seed)
    return atoms


def cpu_seconds(work: Callable[[], object], runs: int) -> float:
    """Median CPU time of a call, s: it does not count what other processes take."""
    work()
    times = []
    for _ in range(runs):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return float(np.median(times))


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


def peers(runs: int) -> None:
    """Large cells of one to three species."""
    print("| species | level | alflow, µs per atom | motep, µs per atom | ratio |\n|---|---|---|---|---|")
    cases = [(1, level) for level in (8, 12, 16, 20, 24)] + [(2, 16), (3, 16)]
    for species, level in cases:
        atoms = crystal(species)
        potential = MomentTensorPotential.random(
            ELEMENTS[:species], level, 5.0, min_distance_A=2.0, radial_basis_size=8
        )
        ours = cpu_seconds(lambda p=potential, a=atoms: evaluate(p, [a]), runs) / len(atoms) * 1e6
        theirs = cpu_seconds(with_motep(potential, atoms), max(1, runs // 3)) / len(atoms) * 1e6
        print(f"| {species} | {level} | {ours:.2f} | {theirs:.1f} | {theirs / ours:.1f} |", flush=True)


def own(runs: int) -> None:
    """Small cells, grades and size, against the large cell."""
    potential = MomentTensorPotential.random(["Mo"], 16, 5.0, min_distance_A=2.0, radial_basis_size=8)
    large = crystal(1)

    def per_atom(structures: list[Atoms], **options: bool) -> float:
        seconds = cpu_seconds(lambda: evaluate(potential, structures, **options), runs)
        return seconds / sum(map(len, structures)) * 1e6

    reference = per_atom([large])
    active_set = ActiveSet.from_structures(potential, [crystal(1, 4, seed) for seed in range(3)])

    def graded() -> None:
        gradients = evaluate(potential, [large], gradients=True).gradients
        assert gradients is not None
        active_set.grades(gradients)

    small = bulk("Mo", a=3.15, cubic=True).repeat((2, 2, 1))
    small.rattle(0.1, seed=0)
    print("\n| level 16 | µs per atom | of the large cell |\n|---|---|---|")
    rows = {
        "2000 atoms": reference,
        "10,000 cells of 8 atoms": per_atom([small] * 10_000),
        "with grades (neighborhood)": cpu_seconds(graded, runs) / len(large) * 1e6,
        "100,000 atoms": per_atom([crystal(1, 37)]),
    }
    for name, value in rows.items():
        print(f"| {name} | {value:.2f} | {value / reference:.2f} |")


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=9)
    options = arguments.parse_args()
    print(f"kernel build {kernel.build_name}\n")
    peers(options.runs)
    own(options.runs)


if __name__ == "__main__":
    main()
