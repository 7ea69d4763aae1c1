"""What a label of 128 atoms of bcc Li costs, and how far it is from a dense grid, by grid spacing.

    python benchmarks/orbital_free_labels.py

Five structures: lattice constants 3.42 to 3.56 Å, displacements of 0.10 to 0.25 Å along each axis (thermal at
300 K: about 0.2 Å). Energies are compared up to a constant, since only differences train a potential.
Times are CPU seconds of the whole label process, its start included.
"""

from __future__ import annotations

import os
import tempfile

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.units import GPa

from qm_interfaces import QMResult, run_label

DENSE_A = 0.28
SPACINGS_A = (0.50, 0.45, 0.40, 0.36, 0.32)


def structures() -> list[Atoms]:
    chosen = []
    for seed, (a_A, displacement_A) in enumerate(
        [(3.49, 0.10), (3.49, 0.18), (3.49, 0.25), (3.42, 0.18), (3.56, 0.18)]
    ):
        atoms = bulk("Li", "bcc", a_A, cubic=True) * (4, 4, 4)
        atoms.rattle(displacement_A, seed=seed)
        chosen.append(atoms)
    return chosen


def label(frames: list[Atoms], **options: object) -> tuple[list[QMResult], float]:
    """Labels, and the least CPU seconds that one of them took."""
    results, seconds = [], []
    with tempfile.TemporaryDirectory() as folder:
        for atoms in frames:
            before = os.times()
            results.append(run_label("orbital-free", options, atoms, folder, timeout_s=600))
            after = os.times()
            seconds.append(sum(after[2:4]) - sum(before[2:4]))
    return results, min(seconds)


def main() -> None:
    frames = structures()
    print(
        f"{'functional':12s}{'spacing (Å)':>12s}{'grid':>6s}{'s/label':>9s}{'energy meV/atom':>17s}"
        f"{'forces meV/Å rms':>18s}{'max':>6s}{'stress GPa':>12s}"
    )
    for kinetic in ("WT", "TFvW"):
        dense, _ = label(frames, kinetic=kinetic, spacing_A=DENSE_A, energy_tolerance_eV=1e-8)
        for spacing_A in SPACINGS_A:
            labels, seconds = label(frames, kinetic=kinetic, spacing_A=spacing_A)
            energy = [
                (a.energy_eV - b.energy_eV) / len(a.forces_eV_A) for a, b in zip(labels, dense, strict=True)
            ]
            forces = [a.forces_eV_A - b.forces_eV_A for a, b in zip(labels, dense, strict=True)]
            stress = [a.stress_eV_A3 - b.stress_eV_A3 for a, b in zip(labels, dense, strict=True)]
            print(
                f"{kinetic:12s}{spacing_A:12.2f}{labels[0].details['grid'][0]:6d}{seconds:9.2f}"
                f"{1000 * np.abs(np.array(energy) - np.mean(energy)).max():17.2f}"
                f"{1000 * np.sqrt(np.mean(np.square(forces))):18.1f}{1000 * np.abs(forces).max():6.1f}"
                f"{np.abs(stress).max() / GPa:12.4f}"
            )


if __name__ == "__main__":
    main()
