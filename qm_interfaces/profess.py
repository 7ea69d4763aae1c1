"""Input files of PROFESS 3 with the settings of an orbital-free label.

M. Chen, J. Xia, C. Huang, J. M. Dieterich, L. Hung, I. Shin and E. A. Carter, Comput. Phys. Commun. 190, 228
(2015). PROFESS has cells in Å, cutoffs in eV, and the energy tolerance in hartree.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.units import Bohr, Hartree

from qm_interfaces.interface import SettingsError
from qm_interfaces.orbital_free import OrbitalFreeInterface

KINETIC = {
    "WT": ["kinetic WT"],
    "SM": ["kinetic WT", "parameter alpha 0.5", "parameter beta 0.5"],  # Wang and Teter's have 5/6
    "TFvW": ["kinetic TF+", "parameter lambda 1.0", "parameter mu 1.0"],
}


def write_profess(
    atoms: Atoms, interface: OrbitalFreeInterface, directory: Path, name: str = "label"
) -> None:
    """Write `name`.inpt, `name`.ion and pseudopotentials: `PROFESS name` computes energy, forces and stress.

    Raises
    ------
    SettingsError
        If a species has no pseudopotential, or one that is not a .recpot file.
    """
    files = interface.write_pseudopotentials(atoms, directory)
    for species, file in files.items():
        if file.suffix != ".recpot":
            raise SettingsError(
                f"option 'pseudopotentials.{species}' is a {file.suffix} file: PROFESS reads .recpot files"
            )
    lines = [f"ecut {cutoff_eV(interface.spacing_A):.3f}", "dimension even", "minimize density", "method NTN"]
    lines += [*KINETIC[interface.kinetic], f"exch {interface.xc}"]
    lines += [f"tole {interface.energy_tolerance_eV / Hartree * len(atoms):.3e}"]
    lines += ["calculate forces", "calculate stress", f"geometryfile {name}.ion"]
    (directory / f"{name}.inpt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    positions = zip(atoms.symbols, atoms.get_scaled_positions(), strict=True)
    blocks = {
        "LATTICE_CART": [_numbers(vector) for vector in atoms.cell],
        "POSITIONS_FRAC": [f"{symbol} {_numbers(position)}" for symbol, position in positions],
        "SPECIES_POT": [f"{species} {file.name}" for species, file in files.items()],
    }
    text = "".join(
        f"%BLOCK {block}\n" + "".join(f"  {line}\n" for line in content) + f"%END BLOCK {block}\n"
        for block, content in blocks.items()
    )
    (directory / f"{name}.ion").write_text(text, encoding="utf-8")


def cutoff_eV(spacing_A: float) -> float:
    """Return the kinetic energy of the shortest wave on a grid: (π/h)²/2 in atomic units."""
    return float((np.pi * Bohr / spacing_A) ** 2 / 2 * Hartree)


def _numbers(vector: np.ndarray) -> str:
    return " ".join(f"{component:20.15f}" for component in vector)
