"""PySCF: Hartree–Fock and DFT of molecules with Gaussian basis sets, in the label process.

Q. Sun et al., J. Chem. Phys. 153, 024109 (2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.units import Bohr, Hartree

from qm_interfaces import options
from qm_interfaces.interface import CodeMissing, NotConverged, QMError, QMResult, SettingsError
from qm_interfaces.molecule import require_molecule
from qm_interfaces.obstacles import collect

HARTREE_FOCK = "hf"


class PySCFInterface:
    """PySCF, spin-restricted if no electron is unpaired, and unrestricted otherwise.

    Parameters
    ----------
    method
        "hf", or a density functional by PySCF's name: "pbe", "b3lyp", ...
    basis
        Basis set by PySCF's name, e.g. "def2-svp".
    charge
        Charge of the molecule, in elementary charges.
    unpaired_electrons
        Number of electrons with spin up minus that with spin down.
    energy_tolerance_eV
        Self-consistency is reached when an iteration changes the energy by less.
    grid_level
        PySCF's integration grid of density functionals, 0 (coarse) to 9.
    max_iterations
        Limit of the iterations of self-consistency; attempt n has n times as many.
    """

    name = "pyscf"

    def __init__(
        self,
        method: str,
        basis: str,
        charge: int = 0,
        unpaired_electrons: int = 0,
        energy_tolerance_eV: float = 1e-7,
        grid_level: int = 3,
        max_iterations: int = 50,
    ) -> None:
        self.method = options.text("method", method).lower()
        self.basis = options.text("basis", basis)
        self.charge = options.integer("charge", charge)
        self.unpaired_electrons = options.integer("unpaired_electrons", unpaired_electrons, low=0)
        self.energy_tolerance_eV = options.number("energy_tolerance_eV", energy_tolerance_eV, above=0.0)
        self.grid_level = options.integer("grid_level", grid_level, low=0)
        self.max_iterations = options.integer("max_iterations", max_iterations, low=1)

    def level_of_theory(self) -> dict[str, Any]:
        return {
            "code": "pyscf",
            "method": self.method,
            "basis": self.basis,
            "charge": self.charge,
            "unpaired_electrons": self.unpaired_electrons,
            "energy_tolerance_eV": self.energy_tolerance_eV,
            "grid_level": None if self.method == HARTREE_FOCK else self.grid_level,
        }

    def compute(self, atoms: Atoms, directory: Path, *, attempt: int = 1) -> QMResult:
        self._require_molecule(atoms)
        code_version = _version()
        field = self._mean_field(atoms, directory)
        field.conv_tol = self.energy_tolerance_eV / Hartree
        field.max_cycle = self.max_iterations * attempt
        if attempt > 1:
            field = field.newton()  # a second-order solver: slower and steadier
        energy_Ha = field.kernel()
        if not field.converged:
            raise NotConverged(f"self-consistency was not reached in {field.max_cycle} iterations")
        gradient = field.nuc_grad_method()
        if self.method != HARTREE_FOCK:
            gradient.grid_response = True  # the integration grid moves with the atoms
        return QMResult(
            energy_eV=float(energy_Ha * Hartree),
            forces_eV_A=-np.asarray(gradient.kernel()) * Hartree / Bohr,
            stress_eV_A3=None,
            code="pyscf",
            code_version=code_version,
        )

    def obstacles(self, structures: Sequence[Atoms]) -> list[QMError]:
        return collect([_version, *(partial(self._require_molecule, atoms) for atoms in structures)])

    def _require_molecule(self, atoms: Atoms) -> None:
        require_molecule(atoms, self.charge, self.unpaired_electrons)

    def _mean_field(self, atoms: Atoms, directory: Path) -> Any:
        from pyscf import dft, gto, scf
        from pyscf.lib.exceptions import BasisNotFoundError

        try:
            molecule = gto.M(
                atom=list(zip(atoms.symbols, atoms.positions.tolist(), strict=True)),
                unit=Bohr,  # ASE's, in Å
                basis=self.basis,
                charge=self.charge,
                spin=self.unpaired_electrons,
                output=str(directory / "pyscf.log"),
                verbose=4,
            )
        except BasisNotFoundError as error:
            raise SettingsError(
                f"option 'basis' is {self.basis!r}: PySCF has no such basis ({error})"
            ) from error
        if self.method == HARTREE_FOCK:
            return scf.HF(molecule)
        try:
            dft.libxc.parse_xc(self.method)
        except (KeyError, ValueError) as error:
            raise SettingsError(
                f"option 'method' is {self.method!r}: it must be hf or a functional that PySCF has"
            ) from error
        field = dft.KS(molecule, xc=self.method)
        field.grids.level = self.grid_level
        return field


def _version() -> str:
    try:
        return version("pyscf")
    except PackageNotFoundError as error:
        raise CodeMissing("PySCF is not installed: pip install 'alflow[pyscf]'") from error
