"""A 1 keV collision and compressions with a potential that has no data below 1.8 Å, with and without a core.

    python benchmarks/collision.py

The teacher is ASE's EMT for copper, which is no judge of such distances: what is shown is that the potential
stays finite and repulsive, and that dynamics conserves the energy.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

from alflow.potentials import FitSettings, PotentialCalculator, evaluate
from alflow.potentials.mtp import CoreSettings, MomentTensorPotential, MTPSettings, fit

SHORTEST_A = 1.8
LARGEST_MOVE_A = 0.01
"""Of any atom per step; the timestep follows from the fastest atom and from the largest force."""


def training_data(count: int) -> list[Atoms]:
    """Hot and compressed copper by EMT; no two atoms are closer than 1.8 Å."""
    rng, frames = np.random.default_rng(0), []
    while len(frames) < count:
        atoms = bulk("Cu", a=rng.uniform(3.0, 3.9), cubic=True).repeat(2)
        atoms.rattle(rng.uniform(0.03, 0.35), rng=rng)
        atoms.calc = EMT()
        pairs = evaluate(MomentTensorPotential.random(["Cu"], 2, 5.0), [atoms], forces=False)
        if pairs.min_distances_A[0] < SHORTEST_A:
            continue
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        frames.append(atoms.copy())
        frames[-1].calc = SinglePointCalculator(frames[-1], **results)
    return frames


def trained(frames: list[Atoms], core: CoreSettings | None, level: int) -> MomentTensorPotential:
    """A potential with or without a core."""
    form = MTPSettings(level=level, cutoff_A=5.0, core=core)
    result = fit(frames, species=["Cu"], form=form, settings=FitSettings(max_iterations=30), threads=2)
    print(f"{'with' if core else 'without'} core: {result.train}")
    return result.potential


def collide(potential: MomentTensorPotential, energy_eV: float, duration_fs: float) -> None:
    """NVE of 2,048 atoms at 300 K with one atom of this energy; prints drift and closest approach."""
    atoms = bulk("Cu", a=3.61, cubic=True).repeat(8)
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=np.random.default_rng(1))
    Stationary(atoms)
    direction = np.array([1.0, 3.0, 5.0]) / np.sqrt(35)
    velocities = atoms.get_velocities()
    masses = atoms.get_masses()
    velocities[0] = direction * np.sqrt(2 * energy_eV / masses[0])
    atoms.calc = PotentialCalculator(potential)
    forces = atoms.get_forces()
    start = atoms.get_potential_energy() + 0.5 * float(masses @ (velocities**2).sum(axis=1))
    passed, closest_A, drift, steps, began = 0.0, np.inf, 0.0, 0, time.perf_counter()
    while passed < duration_fs * units.fs:
        fastest = np.sqrt((velocities**2).sum(axis=1).max())
        hardest = np.sqrt((forces**2).sum(axis=1) / masses**2).max()
        step = min(1.0 * units.fs, LARGEST_MOVE_A / fastest, np.sqrt(LARGEST_MOVE_A / hardest))
        velocities += 0.5 * step * forces / masses[:, None]
        atoms.positions += step * velocities
        forces = atoms.get_forces()
        velocities += 0.5 * step * forces / masses[:, None]
        closest_A = min(closest_A, atoms.calc.results["min_distance_A"])
        total = atoms.get_potential_energy() + 0.5 * float(masses @ (velocities**2).sum(axis=1))
        if not np.isfinite(total):
            print(f"not finite after {passed / units.fs:.1f} fs")
            return
        drift = max(drift, abs(total - start))
        passed, steps = passed + step, steps + 1
    print(
        f"{energy_eV:g} eV, {len(atoms)} atoms, {passed / units.fs:.0f} fs in {steps} steps "
        f"({time.perf_counter() - began:.0f} s): closest approach {closest_A:.3f} Å, "
        f"end {total - start:+.4f} eV, largest deviation {drift:.4f} eV"
    )


def compress(potential: MomentTensorPotential) -> None:
    """A dimer and a crystal down to 0.8 Å: energies, and whether the push outwards grows all the way."""
    distances_A = np.arange(0.3, 2.61, 0.02)
    dimers = [Atoms("Cu2", [[0, 0, 0], [d, 0, 0]]) for d in distances_A]
    crystals = [bulk("Cu", a=d * np.sqrt(2)) for d in distances_A[distances_A >= 0.8]]
    dimer, crystal = evaluate(potential, dimers), evaluate(potential, crystals)
    assert dimer.forces is not None and crystal.virials is not None
    force = dimer.forces[1::2, 0]
    pressure = -np.trace(crystal.virials, axis1=1, axis2=2)
    print("| nearest, Å | dimer, eV | dimer force, eV/Å | crystal, eV per atom |\n|---|---|---|---|")
    for distance_A in (0.3, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2):
        i = int(np.argmin(np.abs(distances_A - distance_A)))
        j = i - int((distances_A < 0.8).sum())
        inner = f"{crystal.energy[j]:.1f}" if j >= 0 else ""
        print(f"| {distance_A} | {dimer.energy[i]:.2f} | {force[i]:.2f} | {inner} |")
    close = distances_A < SHORTEST_A + 0.2
    print(
        f"least force on the dimer below 2.0 Å {force[close].min():.2f} eV/Å; "
        f"least pressure of the crystal there {pressure[close[distances_A >= 0.8]].min():.2f} eV"
    )


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--level", type=int, default=12)
    arguments.add_argument("--frames", type=int, default=80)
    arguments.add_argument("--energy", type=float, default=1000.0)
    arguments.add_argument("--duration", type=float, default=200.0)
    options = arguments.parse_args()
    frames = training_data(options.frames)
    shortest = evaluate(MomentTensorPotential.random(["Cu"], 2, 5.0), frames, forces=False).min_distances_A
    print(f"{len(frames)} structures, shortest distance {shortest.min():.3f} Å")
    for core in (CoreSettings(), None):
        potential = trained(frames, core, options.level)
        if potential.core:
            print(f"core from {potential.core.inner_A[0, 0]:.3f} to {potential.core.outer_A[0, 0]:.3f} Å")
        compress(potential)
        if core:
            collide(potential, options.energy, options.duration)


if __name__ == "__main__":
    main()
