"""Orbital-free DFT by DFTpy: quantum-mechanical labels of simple metals in about a second.

DFTpy: X. Shao, K. Jiang, W. Mi, A. Genova and M. Pavanello, WIREs Comput. Mol. Sci. 11, e1482 (2021).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from qm_interfaces import options
from qm_interfaces.exchange import write_text
from qm_interfaces.interface import CodeMissing, NotConverged, QMError, QMResult, SettingsError
from qm_interfaces.lazy_import import delay
from qm_interfaces.obstacles import collect, require_periodic
from qm_interfaces.pseudopotentials import BUILT_IN, EVANESCENT_CORE, EvanescentCore, recpot

KINETIC_FUNCTIONALS = (
    "TFvW",
    "WT",
    "SM",
)  # those of DFTpy with a stress that passes a finite-difference test
XC_FUNCTIONALS = ("LDA",)  # DFTpy's others need libxc
OPTIMIZERS = ("TN", "CG-HS")  # of the first attempt, and of later ones (slower and steadier)


class OrbitalFreeInterface:
    """Orbital-free DFT by DFTpy.

    Parameters
    ----------
    kinetic
        Kinetic-energy functional: "WT" (Wang–Teter), "SM" (Smargiassi–Madden) or "TFvW".
    xc
        Exchange and correlation: "LDA".
    spacing_A
        Largest distance between grid points along a lattice vector.
    pseudopotentials
        For each species: "evanescent-core" (built in for Li and Na), "goodwin-needs-heine" (Al), a mapping
        {valence, alpha, radius_bohr} of another evanescent core, or the absolute path of a local
        pseudopotential file (.recpot, .upf, .psp8).
    energy_tolerance_eV
        The density is optimized until two successive steps change the energy per atom by less.
    max_iterations
        Limit of the steps of the density optimization; attempt n has n times as many.
    """

    name = "orbital-free"

    def __init__(
        self,
        kinetic: str = "WT",
        xc: str = "LDA",
        spacing_A: float = 0.36,
        pseudopotentials: dict[str, Any] | None = None,
        energy_tolerance_eV: float = 1e-5,
        max_iterations: int = 100,
    ) -> None:
        self.kinetic = options.choice("kinetic", kinetic, KINETIC_FUNCTIONALS)
        self.xc = options.choice("xc", xc, XC_FUNCTIONALS)
        self.spacing_A = options.number("spacing_A", spacing_A, above=0.0)
        self.energy_tolerance_eV = options.number("energy_tolerance_eV", energy_tolerance_eV, above=0.0)
        self.max_iterations = options.integer("max_iterations", max_iterations, low=1)
        chosen = options.mapping(
            "pseudopotentials", pseudopotentials or dict.fromkeys(EVANESCENT_CORE, "evanescent-core")
        )
        self.pseudopotentials = {species: _read(species, chosen[species]) for species in sorted(chosen)}

    def level_of_theory(self) -> dict[str, Any]:
        return {
            "code": "dftpy",
            "kinetic": self.kinetic,
            "xc": self.xc,
            "spacing_A": self.spacing_A,
            "energy_tolerance_eV": self.energy_tolerance_eV,
            "pseudopotentials": {
                species: hashlib.sha256(text.encode()).hexdigest()[:16]
                for species, (text, _) in self.pseudopotentials.items()
            },
        }

    def compute(self, atoms: Atoms, directory: Path, *, attempt: int = 1) -> QMResult:
        files = self.write_pseudopotentials(atoms, directory)
        require_periodic(atoms, "orbital-free DFT")
        code_version = _version()
        delay("signal")
        from qm_interfaces.density_functional import minimise  # imports DFTpy

        with (directory / "dftpy.log").open("w", encoding="utf-8") as log:
            minimum = minimise(
                atoms,
                files,
                kinetic=self.kinetic,
                xc=self.xc,
                grid=self.grid(atoms),
                optimizer=OPTIMIZERS[min(attempt, len(OPTIMIZERS)) - 1],
                energy_tolerance_eV=self.energy_tolerance_eV,
                max_iterations=self.max_iterations * attempt,
                log=log,
            )
        if not minimum.converged:
            raise NotConverged(
                f"the electron density did not converge in {self.max_iterations * attempt} iterations"
            )
        return QMResult(
            energy_eV=minimum.energy_eV,
            forces_eV_A=minimum.forces_eV_A,
            stress_eV_A3=minimum.stress_eV_A3,
            code="dftpy",
            code_version=code_version,
            details={"grid": self.grid(atoms)},
        )

    def write_pseudopotentials(self, atoms: Atoms, directory: Path) -> dict[str, Path]:
        """Write one file per species of a structure, and return their paths by species.

        Raises
        ------
        SettingsError
            If a species has no pseudopotential.
        """
        self._require_pseudopotentials(atoms)
        files = {}
        for species in sorted(set(atoms.symbols)):
            text, suffix = self.pseudopotentials[species]
            files[species] = directory / f"{species}{suffix}"
            write_text(files[species], text)
        return files

    def obstacles(self, structures: Sequence[Atoms]) -> list[QMError]:
        checks = [partial(self._require_pseudopotentials, atoms) for atoms in structures]
        periodic = [partial(require_periodic, atoms, "orbital-free DFT") for atoms in structures]
        return collect([_version, *checks, *periodic])

    def _require_pseudopotentials(self, atoms: Atoms) -> None:
        missing = sorted(set(atoms.symbols) - set(self.pseudopotentials))
        if missing:
            raise SettingsError(f"option 'pseudopotentials' has no entry for {', '.join(missing)}")

    def grid(self, atoms: Atoms) -> list[int]:
        """Points along each lattice vector: at most `spacing_A` apart, even, and fast for an FFT."""
        from scipy.fft import next_fast_len

        halves = np.ceil(atoms.cell.lengths() / self.spacing_A / 2).astype(int)
        return [2 * next_fast_len(int(half), real=True) for half in halves]


def _version() -> str:
    try:
        return version("dftpy")
    except PackageNotFoundError as error:
        raise CodeMissing("DFTpy is not installed: pip install 'alflow[ofdft]'") from error


def _read(species: str, choice: Any) -> tuple[str, str]:
    """Return text and file suffix of the pseudopotential of `species`."""
    name = f"pseudopotentials.{species}"
    if isinstance(choice, str) and species in BUILT_IN.get(choice, {}):
        return recpot(BUILT_IN[choice][species]), ".recpot"
    if isinstance(choice, dict) and choice.keys() == {"valence", "alpha", "radius_bohr"}:
        core = EvanescentCore(
            options.integer(f"{name}.valence", choice["valence"], low=1),
            options.number(f"{name}.alpha", choice["alpha"], above=1.0),
            options.number(f"{name}.radius_bohr", choice["radius_bohr"], above=0.0),
        )
        return recpot(core), ".recpot"
    if isinstance(choice, str) and Path(choice).is_absolute() and Path(choice).is_file():
        return Path(choice).read_text(encoding="utf-8"), Path(choice).suffix
    names = ", ".join(f"{kind} (for {', '.join(elements)})" for kind, elements in BUILT_IN.items())
    raise SettingsError(
        f"option {name!r} is {choice!r}: it must be {names}, a mapping of valence, alpha and "
        "radius_bohr, or the absolute path of an existing file"
    )
