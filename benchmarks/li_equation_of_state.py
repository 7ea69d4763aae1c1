"""Lattice constant and elastic moduli of bcc Li and Na by the orbital-free labels, beside experiment.

    python benchmarks/li_equation_of_state.py

Experiment: rounded values at low temperature (elastic moduli: Nash and Smith 1959, Martinson 1969).
`target`: the lattice constant for which the pseudopotential was made,
r_s = 3.28 bohr for Li and 3.99 bohr for Na.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.eos import EquationOfState
from ase.units import Bohr, GPa

from qm_interfaces import QMResult, get_interface

Label = Callable[[Atoms], QMResult]
STRAINS = np.linspace(-0.04, 0.04, 7)
TARGET_R_S_BOHR = {"Li": 3.28, "Na": 3.99}
EXPERIMENT = {"Li": (3.48, 13.0, 1.1, 10.8), "Na": (4.23, 7.3, 0.7, 5.9)}


def equation_of_state(
    symbol: str, structure: str, guess_A: float, label: Label
) -> tuple[float, float, float]:
    """Volume (Å³) and energy (eV) per atom at the minimum, bulk modulus in GPa (Birch–Murnaghan)."""
    volumes, energies = [], []
    for strain in STRAINS:
        atoms = bulk(symbol, structure, guess_A * (1 + strain), cubic=True)
        volumes.append(atoms.get_volume() / len(atoms))
        energies.append(label(atoms).energy_eV / len(atoms))
    volume, energy, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    return volume, energy, modulus / GPa


def shear_moduli_GPa(crystal: Atoms, label: Label, strain: float = 0.005) -> tuple[float, float]:
    """C' = (C11 - C12)/2 and C44, from stresses under +-`strain`."""
    stresses = []
    for sign in (1, -1):
        deformation = np.eye(3) + sign * strain * np.diag([1, -1, 0])
        deformation[1, 2] = deformation[2, 1] = sign * strain / 2
        atoms = crystal.copy()
        atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
        stresses.append(label(atoms).stress_eV_A3)
    slope = (stresses[0] - stresses[1]) / (2 * strain) / GPa
    return (slope[0] - slope[1]) / 4, slope[3]


def main() -> None:
    print(
        f"{'':26s}{'a (Å)':>9s}{'target':>9s}{'B (GPa)':>9s}{'C´':>9s}{'C44':>9s}{'E(fcc)-E(bcc) meV':>20s}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for symbol, guess_A in (("Li", 3.5), ("Na", 4.27)):
            target_A = TARGET_R_S_BOHR[symbol] * Bohr * (8 * np.pi / 3) ** (1 / 3)
            for kinetic, spacing_A in (("WT", 0.36), ("WT", 0.18), ("SM", 0.18), ("TFvW", 0.18)):
                interface = get_interface(
                    "orbital-free", kinetic=kinetic, spacing_A=spacing_A, energy_tolerance_eV=1e-8
                )
                label = partial(interface.compute, directory=Path(folder))
                volume, energy, modulus = equation_of_state(symbol, "bcc", guess_A, label)
                a_A = (2 * volume) ** (1 / 3)
                close_packed = equation_of_state(symbol, "fcc", guess_A * 2 ** (1 / 3), label)[1] - energy
                tetragonal, rhombohedral = shear_moduli_GPa(bulk(symbol, "bcc", a_A, cubic=True), label)
                print(
                    f"{symbol} {kinetic:5s} spacing {spacing_A:.2f} Å{a_A:13.3f}{target_A:9.3f}{modulus:9.1f}"
                    f"{tetragonal:9.2f}{rhombohedral:9.2f}{1000 * close_packed:14.2f}"
                )
            a_A, modulus, tetragonal, rhombohedral = EXPERIMENT[symbol]
            print(f"{symbol} experiment{a_A:25.2f}{'':9s}{modulus:9.1f}{tetragonal:9.2f}{rhombohedral:9.2f}")


if __name__ == "__main__":
    main()
