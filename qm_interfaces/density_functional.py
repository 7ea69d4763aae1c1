"""The minimum of the orbital-free energy functional of one structure. This module imports DFTpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from ase import Atoms
from ase.stress import full_3x3_to_voigt_6_stress
from dftpy.constants import Units, environ
from dftpy.field import DirectField
from dftpy.functional import Functional
from dftpy.functional.total_functional import TotalFunctional
from dftpy.grid import DirectGrid
from dftpy.ions import Ions
from dftpy.optimization import Optimization


@dataclass(frozen=True, eq=False)
class Minimum:
    """Energy, forces and stress at the optimized density; they are meaningless unless `converged`."""

    converged: bool
    energy_eV: float
    forces_eV_A: np.ndarray
    stress_eV_A3: np.ndarray


class PhaseIons(Ions):  # type: ignore[misc]
    """Ions whose structure factors are products of three one-dimensional phases.

    DFTpy evaluates exp(-ig·r) at each grid point for each atom, six times per label. For 128 atoms this took
    a third of the time.
    """

    def strf(self, reciprocal_grid: Any, iatom: int) -> np.ndarray:
        fraction = np.linalg.solve(self.cell.array.T, self.positions[iatom])
        n = reciprocal_grid.nrR
        index = (
            np.fft.fftfreq(n[0], 1 / n[0]),
            np.fft.fftfreq(n[1], 1 / n[1]),
            np.fft.rfftfreq(n[2], 1 / n[2]),
        )
        x, y, z = (np.exp(-2j * np.pi * f * i) for f, i in zip(fraction, index, strict=True))
        factor: np.ndarray = x[:, None, None] * y[:, None] * z
        return factor

    def istrf(self, reciprocal_grid: Any, iatom: int) -> np.ndarray:
        return self.strf(reciprocal_grid, iatom).conj()


def minimise(
    atoms: Atoms,
    pseudopotentials: Mapping[str, Path],
    *,
    kinetic: str,
    xc: str,
    grid: Sequence[int],
    optimizer: str,
    energy_tolerance_eV: float,
    max_iterations: int,
    log: TextIO,
) -> Minimum:
    """Optimize the electron density, starting from a uniform one.

    Parameters
    ----------
    pseudopotentials
        File of each species.
    grid
        Number of points along each lattice vector.
    energy_tolerance_eV
        Per atom.
    log
        File that receives DFTpy's own output.
    """
    environ["STDOUT"] = log
    ions = PhaseIons(
        symbols=atoms.symbols, positions=atoms.positions / Units.Bohr, cell=atoms.cell.array / Units.Bohr
    )
    mesh = DirectGrid(lattice=ions.cell, nr=np.array(grid), full=False)
    # PME=False, DFTpy's `linearie: False`: structure factors summed exactly, not interpolated on the grid.
    files = {species: str(file) for species, file in pseudopotentials.items()}
    functional = TotalFunctional(
        KineticEnergyFunctional=Functional(type="KEDF", name=kinetic),
        XCFunctional=Functional(type="XC", name=xc, libxc=False),
        HARTREE=Functional(type="HARTREE"),
        PSEUDO=Functional(type="PSEUDO", grid=mesh, ions=ions, PP_list=files, PME=False),
    )
    uniform = DirectField(grid=mesh)
    uniform[:] = ions.get_ncharges() / ions.cell.volume
    optimization = Optimization(
        EnergyEvaluator=functional,
        optimization_method=optimizer,
        optimization_options={
            "econv": energy_tolerance_eV / Units.Ha * len(atoms),
            "maxiter": max_iterations + 1,  # DFTpy counts the start
        },
    )
    density = optimization.optimize_rho(guess_rho=uniform)
    stress = functional.get_stress(density) * Units.Ha / Units.Bohr**3
    return Minimum(
        converged=optimization.converged == 0,
        energy_eV=float(optimization.functional.energy * Units.Ha),
        forces_eV_A=functional.get_forces(density) * Units.Ha / Units.Bohr,
        stress_eV_A3=full_3x3_to_voigt_6_stress(stress),
    )
